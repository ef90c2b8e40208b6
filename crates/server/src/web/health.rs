//! `/healthz/live` and `/healthz/ready`, for load balancers and whoever restarts processes. They stand outside of the guard: a
//! server that is full is alive.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::app::App;

/// Whether the process answers at all.
pub const LIVE: &str = "/healthz/live";
/// Whether people should be sent to this node.
pub const READY: &str = "/healthz/ready";

/// Both answers.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route(LIVE, get(live))
        .route(READY, get(ready))
        .with_state(app)
}

async fn live() -> Response {
    told(StatusCode::OK, &json!({ "status": "live" }))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let obstacles = app.readiness().await;
    if obstacles.is_empty() {
        return told(StatusCode::OK, &json!({ "status": "ready" }));
    }
    let words: Vec<_> = obstacles.iter().map(|obstacle| obstacle.as_str()).collect();
    told(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({ "status": "not_ready", "because": words }),
    )
}

fn told(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
