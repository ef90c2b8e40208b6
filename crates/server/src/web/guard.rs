//! The guard before all pages: names each request, counts those that run, cuts those that take too long, and catches what
//! panics, so that one bad request is one bad answer and nothing else (R79, R90).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::Shell;
use super::caller::{Caller, RequestId};
use super::problem::{Asked, answer};

/// The response header that carries the [`RequestId`].
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// When a visitor who came at a busy moment should come again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// The route of a request that no route fits, in the log.
const NO_ROUTE: &str = "none";

/// Why a request was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A defect of ours.
    Panicked,
    /// As many requests run as may.
    Busy,
    /// It took longer than a request may.
    TooSlow,
}

impl Problem {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code, as docs/errors.md lists them.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Panicked => "internal",
            Self::Busy | Self::TooSlow => "service_unavailable",
        }
    }
}

/// What the guard knows.
pub(super) struct Guard {
    shell: Shell,
    running: Semaphore,
}

impl Guard {
    pub(super) fn new(shell: Shell) -> Self {
        let running = Semaphore::new(shell.limits.requests_max.min(Semaphore::MAX_PERMITS));
        Self { shell, running }
    }

    async fn run(&self, request: Request, next: Next) -> Result<Response, Problem> {
        let _running = self.running.try_acquire().map_err(|_| Problem::Busy)?;
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match timeout(self.shell.limits.request_timeout, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_panic)) => Err(Problem::Panicked),
            Err(_elapsed) => Err(Problem::TooSlow),
        }
    }
}

/// The middleware.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let _underway = guard.shell.metrics.request_begins();
    let caller = Caller::of(
        request.extensions(),
        request.headers(),
        &guard.shell.trusted_proxies,
    );
    let id = caller.request_id.clone();
    request.extensions_mut().insert(caller);
    // The template only: a path holds ids, and a query may hold what a person typed.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route_name = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = request.method().clone();
    let span = tracing::info_span!("request", %id, %method, route = route_name);
    let asked = Asked::of(&request);
    let started = Instant::now();
    let mut response = async {
        let response = guard.run(request, next).await.unwrap_or_else(|problem| {
            tracing::warn!(?problem, "a request was cut short");
            cut(problem, &id, &asked)
        });
        let status = response.status();
        let took = started.elapsed();
        log(&id, &method, route_name, status, took.as_secs_f64() * 1e3);
        let template = route.as_ref().map(MatchedPath::as_str);
        guard
            .shell
            .metrics
            .answered(template, status.as_u16(), took);
        response
    }
    .instrument(span)
    .await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// One line for each request: `info` for those that we failed, `debug` for all others.
fn log(id: &RequestId, method: &Method, route: &str, status: StatusCode, elapsed_ms: f64) {
    let status_code = status.as_u16();
    if status.is_server_error() {
        tracing::info!(request_id = %id, %method, route, status = status_code, elapsed_ms, "failed");
    } else {
        tracing::debug!(request_id = %id, %method, route, status = status_code, elapsed_ms, "answered");
    }
}

fn cut(problem: Problem, id: &RequestId, asked: &Asked) -> Response {
    let mut response = answer(problem, id, asked);
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}
