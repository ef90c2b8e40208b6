//! What stands before every endpoint: the key, the rate limit, and the words of a problem. Never here: what an endpoint does.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use warifu_core::refusal::Refusal;
use warifu_core::user::Language;

use crate::api::problem::{Problem, text_for};
use crate::app::api_clients::{ApiKey, Counted};
use crate::app::{App, Failure};
use crate::web::caller::Caller;

/// draft-ietf-httpapi-ratelimit-headers: what is allowed.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of it.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Whether the client may be taken as this node remembers it.
#[derive(Clone, Copy)]
enum Memory {
    /// No: the database is asked.
    Asked,
    /// Yes: the use case looks again in its own transaction.
    Remembered,
}

/// The middleware of ordinary endpoints.
pub(super) async fn exact(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    pass(&app, Memory::Asked, request, next).await
}

/// The middleware of the hot path.
pub(super) async fn remembered(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    pass(&app, Memory::Remembered, request, next).await
}

async fn pass(app: &App, memory: Memory, mut request: Request, next: Next) -> Response {
    let now = app.now();
    let address = request
        .extensions()
        .get::<Caller>()
        .and_then(|caller| caller.address);
    let found = match (bearer(request.headers()), memory) {
        (None, _) => Err(Failure::from(Refusal::ApiKeyRefused)),
        (Some(key), Memory::Asked) => app.api_caller(&key, address).await,
        (Some(key), Memory::Remembered) => app.cached_api_caller(&key, address).await,
    };
    let caller = match found {
        Ok(caller) => caller,
        Err(failure) => return Problem::of(&failure, now).into_response(),
    };
    let counted = caller.count(now);
    let mut response = match counted {
        Some(Counted { allowance, .. }) if !allowance.allowed => {
            let refusal = Refusal::TooManyRequests {
                open_at: allowance.open_at,
            };
            Problem::of(&refusal.into(), now).into_response()
        }
        _ => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    if let Some(counted) = counted {
        tell_limit(response.headers_mut(), counted);
    }
    response
}

/// The key of `Authorization: Bearer KEY` (RFC 6750 §2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<ApiKey> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| ApiKey::received(key.trim()))
        .flatten()
}

pub(super) fn tell_limit(headers: &mut HeaderMap, Counted { per_s, allowance }: Counted) {
    let policy = format!("\"default\";q={per_s};w=1");
    let left = format!(
        "\"default\";r={};t={}",
        allowance.remaining, allowance.full_after_s
    );
    for (name, value) in [(POLICY, policy), (LEFT, left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// The outermost middleware: gives problems their words, in the language that was asked for; English for whoever names none.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let text = text_for(request.headers(), Language::En);
    let request_id = request
        .extensions()
        .get::<Caller>()
        .map(|caller| caller.request_id.to_string())
        .unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let mut rendered = problem.render(text, &request_id);
    for name in [POLICY, LEFT, axum::http::header::ALLOW] {
        if let Some(value) = response.headers_mut().remove(&name) {
            rendered.headers_mut().insert(name, value);
        }
    }
    rendered
}
