//! The authenticator app for phones (J3), under `/app/`: its files, its words, and the list by which its service worker
//! keeps all of them for offline use.
//!
//! Never here: what the app does. That is `authenticator/www`, and the rules are the core's.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use data_encoding::{BASE64, HEXLOWER};
use rust_embed::RustEmbed;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{assets, files};
use crate::text::{LANGUAGES, Language, browser};

/// Where the app is, with its slash: the scope of its service worker.
pub const PREFIX: &str = "/app/";

/// The page that everything of the app happens on.
const PAGE: &str = "index.html";
/// The service worker itself is never kept by the service worker.
const SERVICE_WORKER: &str = "sw.js";
/// What nobody loads.
const LICENCES: &str = ".LICENSE";

/// What the app uses of the pages' files.
const SHARED: [&str; 5] = [
    "css/vendor/digital-agency-tokens.css",
    "css/style.css",
    "js/activation-client.js",
    "js/amount.js",
    "wasm/client.wasm",
];

/// The app scans a code, and asks the device to verify its user; the pages of the portal do neither.
const PERMISSIONS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("permissions-policy"),
    HeaderValue::from_static(
        "camera=(self), publickey-credentials-create=(self), publickey-credentials-get=(self), microphone=(), \
         geolocation=(), payment=(), usb=(), display-capture=()",
    ),
);

#[derive(RustEmbed)]
#[folder = "../../authenticator/www/"]
struct Files;

/// The routes of the app.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/app", get(|| async { Redirect::permanent(PREFIX) }))
        .route("/app/", get(page))
        .route("/app/version.js", get(version))
        .route("/app/text/{file}", get(text))
        .route("/app/{*path}", get(file))
}

async fn page(headers: HeaderMap) -> Response {
    ([PERMISSIONS], answer(PAGE, &headers).await).into_response()
}

async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    answer(&path, &headers).await
}

async fn answer(path: &str, headers: &HeaderMap) -> Response {
    match (files::content_type(path), Files::get(path)) {
        (Some(content_type), Some(file)) => files::embedded(file, content_type, headers).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn text(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let language = file.strip_suffix(".json").and_then(Language::from_tag);
    match language {
        Some(language) => files::made(words(language), "application/json", &headers).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn words(language: Language) -> &'static str {
    static JA: LazyLock<String> = LazyLock::new(|| browser::catalogue(Language::Ja));
    static EN: LazyLock<String> = LazyLock::new(|| browser::catalogue(Language::En));
    match language {
        Language::Ja => &JA,
        Language::En => &EN,
    }
}

async fn version(headers: HeaderMap) -> Response {
    static LIST: LazyLock<String> = LazyLock::new(list);
    files::made(&LIST, "text/javascript; charset=utf-8", &headers).await
}

/// A script that names every file of the app with its hash, and the hash of them all as the app's version.
fn list() -> String {
    let mut kept: Vec<(String, [u8; 32])> = Files::iter()
        .filter(|path| ![SERVICE_WORKER, PAGE].contains(&path.as_ref()))
        .filter(|path| files::content_type(path).is_some() && !path.ends_with(LICENCES))
        .map(|path| (format!("{PREFIX}{path}"), hash_of::<Files>(&path)))
        .collect();
    kept.push((PREFIX.to_owned(), hash_of::<Files>(PAGE)));
    kept.extend(SHARED.map(|path| {
        (
            format!("{}{path}", assets::PREFIX),
            hash_of::<assets::Files>(path),
        )
    }));
    kept.extend(LANGUAGES.map(|language| {
        (
            format!("{PREFIX}text/{}.json", language.as_str()),
            Sha256::digest(words(language)).into(),
        )
    }));
    kept.sort();
    let mut all = String::new();
    let mut whole = Sha256::new();
    // The service worker's own bytes count as well: a new one is a new version.
    whole.update(hash_of::<Files>(SERVICE_WORKER));
    for (path, hash) in &kept {
        whole.update(path);
        whole.update(hash);
        let row = json!([path, format!("sha256-{}", BASE64.encode(hash))]);
        // Writing to a string cannot fail.
        let _ = writeln!(all, "  {row},");
    }
    let version = HEXLOWER.encode(&whole.finalize()[..8]);
    format!(
        "// Made by the server at its start: the files of the app, each with its hash.\nself.warifuApp = {{ version: '{version}', \
         files: [\n{all}] }};\n"
    )
}

fn hash_of<F: RustEmbed>(path: &str) -> [u8; 32] {
    F::get(path).map_or_else(
        || unreachable!("{path} is part of the program"),
        |file| file.metadata.sha256_hash(),
    )
}

#[cfg(test)]
mod tests;
