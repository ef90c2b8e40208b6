//! The API for relying systems (J10, docs/api.md): JSON in, JSON out, a key with every request. The handlers parse, call the use
//! cases and render; the OpenAPI document is made of them.

mod acting;
mod call;
pub mod direct;
mod docs;
mod document;
mod gate;
mod reading;
mod verification;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use crate::app::App;

/// Where the API is.
pub const BASE: &str = "/api/v1";

/// All of the API.
pub fn routes(app: &Arc<App>) -> Router {
    let (router, document) = operations(app);
    let page: Arc<str> = docs::page(&document).into();
    let document = Arc::new(document);
    let router = router
        .route("/docs", get(async move || Html(page.as_ref().to_owned())))
        .route(
            "/openapi.json",
            get({
                let document = Arc::clone(&document);
                async move || Json(document.as_ref().clone())
            }),
        )
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        })
        .layer(from_fn(gate::render));
    Router::new().nest(BASE, router)
}

/// Every operation behind its gate, and the document of all of them.
fn operations(app: &Arc<App>) -> (Router, OpenApi) {
    let hot = OpenApiRouter::new()
        .routes(routes!(verification::verify))
        .routes(routes!(verification::resynchronise))
        .layer(from_fn_with_state(Arc::clone(app), gate::remembered));
    let ordinary = OpenApiRouter::new()
        .routes(routes!(reading::services))
        .routes(routes!(reading::service))
        .routes(routes!(reading::contracts))
        .routes(routes!(reading::contract))
        .routes(routes!(reading::users_of_contract))
        .routes(routes!(reading::users))
        .routes(routes!(reading::user))
        .routes(routes!(reading::token))
        .routes(routes!(reading::events))
        .routes(routes!(acting::release))
        .routes(routes!(acting::revoke))
        .routes(routes!(acting::issuance, acting::cancel_issuance))
        .routes(routes!(acting::begin_issuance))
        .routes(routes!(acting::finish_issuance))
        .routes(routes!(acting::resend_mail))
        .layer(from_fn_with_state(Arc::clone(app), gate::exact));
    let (router, mut document) = OpenApiRouter::with_openapi(document::frame())
        .merge(hot)
        .merge(ordinary)
        .with_state(Arc::clone(app))
        .split_for_parts();
    document::complete(&mut document);
    (router, document)
}
