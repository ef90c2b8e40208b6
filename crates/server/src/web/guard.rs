//! The guard before all pages: names each request, counts those that run, cuts those that take too long, and catches what
//! panics, so that one bad request is one bad answer and nothing else (R79, R90).

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::Shell;
use super::caller::{Caller, RequestId};
use super::problem::{Asked, answer};
use crate::config::Limits;

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

    pub(super) const fn limits(&self) -> &Limits {
        &self.shell.limits
    }

    /// The visitor's address.
    pub(super) fn address(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        self.shell.trusted_proxies.address(extensions, headers)
    }

    async fn run(&self, answer: Answering<'_>) -> Result<Response, Problem> {
        let _running = self.running.try_acquire().map_err(|_| Problem::Busy)?;
        let answer = AssertUnwindSafe(answer).catch_unwind();
        match timeout(self.shell.limits.request_timeout, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_panic)) => Err(Problem::Panicked),
            Err(_elapsed) => Err(Problem::TooSlow),
        }
    }

    /// Lets a request be answered within its limits, measures it and writes it down.
    pub(super) async fn watch(&self, seen: &Seen<'_>, answer: Answering<'_>) -> Response {
        let _underway = self.shell.metrics.request_begins();
        let Seen { id, method, .. } = *seen;
        let route = seen.route.unwrap_or(NO_ROUTE);
        let span = tracing::info_span!("request", %id, %method, route);
        let started = Instant::now();
        async {
            let response = self.run(answer).await.unwrap_or_else(|problem| {
                tracing::warn!(?problem, "a request was cut short");
                cut(problem, id, seen.asked)
            });
            let status = response.status();
            let took = started.elapsed();
            log(id, method, route, status, took.as_secs_f64() * 1e3);
            self.shell
                .metrics
                .answered(seen.route, status.as_u16(), took);
            response
        }
        .instrument(span)
        .await
    }
}

/// An answer that is being made. Pinned by whoever asks for it: a future that is handed on by value is copied at every step.
pub(super) type Answering<'a> = Pin<&'a mut (dyn Future<Output = Response> + Send)>;

/// What is written down of a request.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) id: &'a RequestId,
    pub(super) method: &'a Method,
    /// The template only: a path holds ids, and a query may hold what a person typed.
    pub(super) route: Option<&'a str>,
    /// For an answer that nobody else makes.
    pub(super) asked: &'a Asked,
}

/// The middleware.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = Caller::of(
        request.extensions(),
        request.headers(),
        &guard.shell.trusted_proxies,
    );
    let id = caller.request_id.clone();
    request.extensions_mut().insert(caller);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let seen = Seen {
        id: &id,
        method: &method,
        route: route.as_ref().map(MatchedPath::as_str),
        asked: &Asked::of(&request),
    };
    let mut response = guard.watch(&seen, pin!(next.run(request))).await;
    tell_name(&mut response, &id);
    response
}

/// Tells the caller the name of the request.
pub(super) fn tell_name(response: &mut Response, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
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
