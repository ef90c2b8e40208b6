//! `POST /device/v1/status` and `/renew`: what an app asks about its token (docs/protocol.md §6); refusals as problem+json
//! (RFC 9457) with the stable code.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use warifu_activation::device::{Ask, MEDIA_TYPE, PROOF_HEADER, Proof};
use warifu_core::refusal::Refusal;
use warifu_core::user::Language;

use super::problem::{Problem, text_for};
use crate::app::{App, Failure};
use crate::web::caller::Caller;

/// Where an app asks how its token stands, and what time it is.
pub const STATUS: &str = "/device/v1/status";
/// Where it asks for a longer life of the token.
pub const RENEW: &str = "/device/v1/renew";

/// The two endpoints.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route(STATUS, post(status))
        .route(RENEW, post(renew))
        .with_state(app)
}

async fn status(
    State(app): State<Arc<App>>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    take(Ask::Status, &app, caller, &headers, &body).await
}

async fn renew(
    State(app): State<Arc<App>>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    take(Ask::Renew, &app, caller, &headers, &body).await
}

async fn take(
    ask: Ask,
    app: &App,
    caller: Option<Extension<Caller>>,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let origin = caller
        .map(|Extension(caller)| caller.origin())
        .unwrap_or_default();
    let done = match proof(headers) {
        Ok(proof) => app.device(ask, body, &proof, &origin).await,
        Err(refusal) => Err(Failure::from(refusal)),
    };
    match done {
        Ok(answer) => {
            let proof = answer.proof.to_string();
            let headers = [
                (CONTENT_TYPE, MEDIA_TYPE.to_owned()),
                (HeaderName::from_static(PROOF_HEADER), proof),
            ];
            (headers, answer.body).into_response()
        }
        Err(failure) => Problem::of(&failure, app.now())
            .render(text_for(headers, Language::default()), &origin.request_id),
    }
}

/// The proof of a request. Only the protocol's own media type: a form of another site cannot send it.
fn proof(headers: &HeaderMap) -> Result<Proof, Refusal> {
    let text = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let only = values.next().filter(|_| values.next().is_none());
        only.and_then(|value: &HeaderValue| value.to_str().ok())
    };
    text(CONTENT_TYPE)
        .filter(|sent| sent.eq_ignore_ascii_case(MEDIA_TYPE))
        .and_then(|_| text(HeaderName::from_static(PROOF_HEADER)))
        .and_then(Proof::parse)
        .ok_or(Refusal::DeviceMessage)
}
