//! What is served on the address of the operators (`metrics.listen`): the measurements and the health of this node, nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::health;
use crate::app::App;

/// Where Prometheus asks.
pub const PATH: &str = "/metrics";
/// The text form of `OpenMetrics`, which Prometheus and its like read.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything on the operators' address.
pub fn routes(app: Arc<App>) -> Router {
    let measurements = Router::new()
        .route(PATH, get(measurements))
        .with_state(Arc::clone(&app));
    health::routes(app).merge(measurements)
}

async fn measurements(State(app): State<Arc<App>>) -> Response {
    let metrics = app.metrics();
    metrics.clock_offset(app.clock_ahead());
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], metrics.written()).into_response()
}
