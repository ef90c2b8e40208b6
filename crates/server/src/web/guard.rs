//! The guard before all pages: names each request, counts those that run, cuts those that take too long, and catches what
//! panics, so that one bad request is one bad answer and nothing else (R79, R90).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::caller::{Caller, RequestId, TrustedProxies};
use crate::config::Limits;

/// The response header that carries the [`RequestId`].
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// When a visitor who came at a busy moment should come again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

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
}

/// Makes the answer to a request that was cut short. The status is set afterwards.
pub type ProblemPage = Arc<dyn Fn(Problem, &RequestId, &HeaderMap) -> Response + Send + Sync>;

/// The answer in plain words and both languages, for routers without pages.
#[must_use]
pub fn plain_problem(problem: Problem, id: &RequestId, _: &HeaderMap) -> Response {
    let (ja, en) = match problem {
        Problem::Panicked => (
            "システムの内部でエラーが発生しました。お問合せの際は次の番号をお知らせください。",
            "Something went wrong on our side. If you ask for help, please give this number.",
        ),
        Problem::Busy | Problem::TooSlow => (
            "ただいま大変混み合っています。しばらくしてからもう一度お試しください。",
            "The service is very busy. Please try again in a moment.",
        ),
    };
    format!("{ja}\n{en}\n{id}\n").into_response()
}

/// What the guard knows.
pub(super) struct Guard {
    limits: Limits,
    running: Semaphore,
    trusted_proxies: TrustedProxies,
    problem_page: ProblemPage,
}

impl Guard {
    pub(super) fn new(
        limits: Limits,
        trusted_proxies: TrustedProxies,
        problem_page: ProblemPage,
    ) -> Self {
        let running = Semaphore::new(limits.requests_max.min(Semaphore::MAX_PERMITS));
        Self {
            limits,
            running,
            trusted_proxies,
            problem_page,
        }
    }

    async fn run(&self, request: Request, next: Next) -> Result<Response, Problem> {
        let _running = self.running.try_acquire().map_err(|_| Problem::Busy)?;
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match timeout(self.limits.request_timeout, answer).await {
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
    let caller = Caller::of(
        request.extensions(),
        request.headers(),
        &guard.trusted_proxies,
    );
    let id = caller.request_id.clone();
    request.extensions_mut().insert(caller);
    // The path only: a query may hold what a person typed.
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());
    let headers = request.headers().clone();
    let started = Instant::now();
    let mut response = async {
        let response = guard.run(request, next).await.unwrap_or_else(|problem| {
            tracing::warn!(?problem, "a request was cut short");
            let mut response = (guard.problem_page)(problem, &id, &headers);
            *response.status_mut() = problem.status();
            if problem == Problem::Busy {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            response
        });
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), elapsed_ms, "answered");
        response
    }
    .instrument(span)
    .await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
