//! How a file that is part of the program is answered: with its version, so that a browser that keeps it asks whether it is
//! still the same, and packed for whoever takes gzip.
//!
//! A browser asks each time: that costs a few bytes, and no page ever meets the script of another version.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::EmbeddedFile;
use sha2::{Digest as _, Sha256};

/// Bytes of a file's hash that name its version.
const VERSION_BYTES: usize = 16;

/// Smaller files are sent as they are: packing them saves nothing.
const PACKED_FROM_BYTES: usize = 512;

/// Answers with an embedded file, or with "not modified".
pub(super) fn embedded(
    file: EmbeddedFile,
    content_type: &'static str,
    asked: &HeaderMap,
) -> Response {
    let hash = file.metadata.sha256_hash();
    content(
        Bytes::from(file.data.into_owned()),
        &hash,
        content_type,
        asked,
    )
}

/// Answers with bytes that are the same for as long as the program runs.
pub(super) fn made(text: &'static str, content_type: &'static str, asked: &HeaderMap) -> Response {
    let hash = Sha256::digest(text).into();
    content(
        Bytes::from_static(text.as_bytes()),
        &hash,
        content_type,
        asked,
    )
}

fn content(
    bytes: Bytes,
    hash: &[u8; 32],
    content_type: &'static str,
    asked: &HeaderMap,
) -> Response {
    let packs = packs(content_type) && bytes.len() >= PACKED_FROM_BYTES;
    let packed = packs && takes_gzip(asked);
    // Each of the two forms has a version of its own (RFC 9110 §8.8.3.3).
    let form = if packed { "-gzip" } else { "" };
    let version = format!("\"{}{form}\"", HEXLOWER.encode(&hash[..VERSION_BYTES]));
    let Ok(tag) = HeaderValue::from_str(&version) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kept = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if has_version(asked, &version) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let sent_as = [(header::CONTENT_TYPE, content_type)];
    if packed {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        return (kept, sent_as, encoding, gzipped(hash, &bytes)).into_response();
    }
    (kept, sent_as, bytes).into_response()
}

/// The packed form of a file, made when it is first asked for and kept: there are as many as the program has files.
fn gzipped(hash: &[u8; 32], bytes: &[u8]) -> Bytes {
    static PACKED: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);
    let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    packed.entry(*hash).or_insert_with(|| pack(bytes)).clone()
}

fn pack(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .map_or_else(|_| unreachable!("memory takes every byte"), Bytes::from)
}

/// Text and code; pictures are packed by themselves.
fn packs(content_type: &str) -> bool {
    let packed = [
        "text/",
        "application/json",
        "application/manifest",
        "application/wasm",
        "image/svg",
    ];
    packed.iter().any(|start| content_type.starts_with(start))
}

/// Whether the browser takes gzip (RFC 9110 §12.5.3): names it and does not refuse it.
fn takes_gzip(asked: &HeaderMap) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = weight
                .split_once('=')
                .is_some_and(|(_, q)| q.trim().parse() == Ok(0.0_f32));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
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
pub(super) fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
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
