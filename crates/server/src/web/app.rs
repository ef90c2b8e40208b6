//! The files of the phone app under `/app/`.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../authenticator/www/"]
struct Files;

/// The route of the files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/app/{*path}", get(file))
}

async fn file(Path(path): Path<String>) -> Response {
    let script = path
        .rsplit_once('.')
        .filter(|(_, kind)| *kind == "js")
        .and_then(|_| Files::get(&path));
    let Some(script) = script else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], script.data.into_owned()).into_response()
}
