//! The files of the pages: style sheets, scripts, pictures, the compiled module. They are part of the program.
//!
//! A browser may keep a file and asks each time whether it is still the same: that costs a few bytes, and no page ever
//! meets the script of another version.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The path under which the files are served, with its slash.
pub const PREFIX: &str = "/assets/";

/// Bytes of a file's hash that name its version.
const VERSION_BYTES: usize = 16;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// The route of the files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{*path}", get(asset))
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match (content_type(&path), Files::get(&path)) {
        (Some(content_type), Some(file)) => answer(file, content_type, &headers),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(file: EmbeddedFile, content_type: &'static str, asked: &HeaderMap) -> Response {
    let version = version(&file);
    let Ok(tag) = HeaderValue::from_str(&version) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kept = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if has_version(asked, &version) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (
        kept,
        [(header::CONTENT_TYPE, content_type)],
        file.data.into_owned(),
    )
        .into_response()
}

/// The entity tag: a strong one, made of the content.
fn version(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    format!("\"{}\"", HEXLOWER.encode(&hash[..VERSION_BYTES]))
}

/// Whether the browser has this version (RFC 9110 §13.1.2; the comparison is the weak one).
fn has_version(asked: &HeaderMap, version: &str) -> bool {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == version)
}

/// The type of a file by its name; `None` for files that are not for browsers.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "LICENSE" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
