//! `POST /activation/v1/start` and `/finish`: bytes in, bytes out; refusals as problem+json (RFC 9457) with the stable code.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::json;
use warifu_activation::messages::MEDIA_TYPE;
use warifu_core::audit::Origin;
use warifu_core::refusal::Refusal;
use warifu_core::time::SECOND_MS;

use crate::app::{App, Failure};
use crate::text::{Text, preferred};
use crate::web::caller::Caller;

/// Where an app sends its first message.
pub const START: &str = "/activation/v1/start";
/// Where it sends the second one.
pub const FINISH: &str = "/activation/v1/finish";

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds after which an app should come again when the database cannot answer.
const AGAIN_AFTER_S: u32 = 5;

/// The two endpoints.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route(START, post(start))
        .route(FINISH, post(finish))
        .with_state(app)
}

/// One of the two messages of an app.
#[derive(Clone, Copy)]
enum Step {
    Start,
    Finish,
}

async fn start(
    State(app): State<Arc<App>>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    take(Step::Start, &app, &origin(caller), &headers, &body).await
}

async fn finish(
    State(app): State<Arc<App>>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    take(Step::Finish, &app, &origin(caller), &headers, &body).await
}

async fn take(
    step: Step,
    app: &App,
    origin: &Origin,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let done = match (checked(headers), step) {
        (Err(refusal), _) => Err(refusal.into()),
        (Ok(()), Step::Start) => app.start_activation(body, origin).await,
        (Ok(()), Step::Finish) => app.finish_activation(body, origin).await,
    };
    answer(app, done, headers, origin)
}

fn origin(caller: Option<Extension<Caller>>) -> Origin {
    caller
        .map(|Extension(caller)| caller.origin())
        .unwrap_or_default()
}

/// Only the protocol's own media type: a form of another site cannot send it.
fn checked(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if sent.eq_ignore_ascii_case(MEDIA_TYPE) {
        Ok(())
    } else {
        Err(Refusal::ActivationMessage)
    }
}

/// What a caller who should wait is told in `Retry-After`, in seconds.
fn retry_after_s(app: &App, failure: &Failure) -> Option<u32> {
    match failure {
        Failure::Refused(Refusal::TooManyRequests { open_at }) => {
            let seconds = (open_at.since_ms(app.now()) + SECOND_MS - 1) / SECOND_MS;
            Some(u32::try_from(seconds).unwrap_or(1).max(1))
        }
        Failure::Store(_) | Failure::Refused(Refusal::Raced) => Some(AGAIN_AFTER_S),
        _ => None,
    }
}

fn answer(
    app: &App,
    done: Result<Vec<u8>, Failure>,
    headers: &HeaderMap,
    origin: &Origin,
) -> Response {
    match done {
        Ok(bytes) => (
            [(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))],
            bytes,
        )
            .into_response(),
        Err(failure) => {
            let mut response = problem(&failure, headers, origin);
            if let Some(seconds) = retry_after_s(app, &failure) {
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

fn problem(failure: &Failure, headers: &HeaderMap, origin: &Origin) -> Response {
    let (status, code) = match failure {
        Failure::Refused(refusal) => (status_of(refusal), refusal.code()),
        Failure::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
        Failure::Vault(_) | Failure::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    if failure.refusal().is_none() {
        tracing::error!(request_id = %origin.request_id, %failure, "an activation failed");
    }
    let language = headers
        .get(axum::http::header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map(preferred)
        .unwrap_or_default();
    let sentence = Text::new(language).error(code, &[("id", origin.request_id.clone().into())]);
    let body = json!({ "type": "about:blank", "status": status.as_u16(), "code": code, "title": code,
        "detail": sentence, "request_id": origin.request_id });
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    response
}

/// The status of a refusal, as docs/protocol.md lists them.
const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::ActivationMessage => StatusCode::BAD_REQUEST,
        Refusal::ActivationRefused => StatusCode::FORBIDDEN,
        Refusal::ActivationAttemptOver => StatusCode::NOT_FOUND,
        Refusal::ActivationGone => StatusCode::GONE,
        Refusal::Raced => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::CONFLICT,
    }
}
