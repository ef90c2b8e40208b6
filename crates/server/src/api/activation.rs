//! `POST /activation/v1/start` and `/finish`: bytes in, bytes out; refusals as problem+json (RFC 9457) with the stable code.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use warifu_activation::messages::MEDIA_TYPE;
use warifu_core::audit::Origin;
use warifu_core::refusal::Refusal;
use warifu_core::user::Language;

use super::problem::{Problem, text_for};
use crate::app::{App, Failure};
use crate::web::caller::Caller;

/// Where an app sends its first message.
pub const START: &str = "/activation/v1/start";
/// Where it sends the second one.
pub const FINISH: &str = "/activation/v1/finish";

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
        Err(failure) => Problem::of(&failure, app.now())
            .render(text_for(headers, Language::default()), &origin.request_id),
    }
}
