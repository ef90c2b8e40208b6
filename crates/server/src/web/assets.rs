//! The files of the pages: style sheets, scripts, pictures, the compiled module. They are part of the program.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use super::files;

/// The path under which the files are served, with its slash.
pub const PREFIX: &str = "/assets/";

#[derive(RustEmbed)]
#[folder = "assets/"]
pub(super) struct Files;

/// The route of the files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{*path}", get(asset))
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match (files::content_type(&path), Files::get(&path)) {
        (Some(content_type), Some(file)) => files::embedded(file, content_type, &headers).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
