//! The API for relying systems (J10, docs/api.md): JSON in, JSON out, a key with every request. The handlers parse, call the use
//! cases and render; the OpenAPI document is made of them.

mod call;
mod gate;
mod verification;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use crate::app::App;

/// Where the API is.
pub const BASE: &str = "/api/v1";

/// All of the API.
pub fn routes(app: &Arc<App>) -> Router {
    let hot = OpenApiRouter::new()
        .routes(routes!(verification::verify))
        .layer(from_fn_with_state(Arc::clone(app), gate::remembered));
    let (router, _) = hot.with_state(Arc::clone(app)).split_for_parts();
    let router = router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        })
        .layer(from_fn(gate::render));
    Router::new().nest(BASE, router)
}
