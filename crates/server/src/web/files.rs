//! How a file that is part of the program is answered: with its version, so that a browser that keeps it asks whether it is
//! still the same, and packed by the best way that the browser takes. Only what is the same for everybody is packed: answers
//! that hold secrets of their own never are.
//!
//! A browser asks each time: that costs a few bytes, and no page ever meets the script of another version.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use brotli::enc::BrotliEncoderParams;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::EmbeddedFile;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

/// Bytes of a file's hash that name its version.
const VERSION_BYTES: usize = 16;

/// Smaller files are sent as they are: packing them saves nothing.
const PACKED_FROM_BYTES: usize = 512;

/// Answers with an embedded file, or with "not modified".
pub(super) async fn embedded(
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
    .await
}

/// Answers with bytes that are the same for as long as the program runs.
pub(super) async fn made(
    text: &'static str,
    content_type: &'static str,
    asked: &HeaderMap,
) -> Response {
    let hash = Sha256::digest(text).into();
    content(
        Bytes::from_static(text.as_bytes()),
        &hash,
        content_type,
        asked,
    )
    .await
}

async fn content(
    bytes: Bytes,
    hash: &[u8; 32],
    content_type: &'static str,
    asked: &HeaderMap,
) -> Response {
    let packs = packs(content_type) && bytes.len() >= PACKED_FROM_BYTES;
    let coding = Coding::ALL
        .into_iter()
        .find(|coding| packs && takes(asked, coding.name()));
    // Each form has a version of its own (RFC 9110 §8.8.3.3).
    let form = coding.map_or_else(String::new, |coding| format!("-{}", coding.name()));
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
    if let Some(coding) = coding
        && let Some(packed) = packed(coding, hash, &bytes).await
    {
        let encoding = [(header::CONTENT_ENCODING, coding.name())];
        return (kept, sent_as, encoding, packed).into_response();
    }
    (kept, sent_as, bytes).into_response()
}

/// How a file can be packed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Coding {
    /// RFC 7932. Browsers take it over TLS, and from this machine.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them, the smallest form first.
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// The name in HTTP.
    const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn pack(self, bytes: &[u8]) -> Bytes {
        let written = match self {
            Self::Brotli => {
                let mut packed = Vec::new();
                let best = BrotliEncoderParams::default();
                brotli::BrotliCompress(&mut &bytes[..], &mut packed, &best).map(|_| packed)
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(bytes).and_then(|()| encoder.finish())
            }
        };
        written.map_or_else(|_| unreachable!("memory takes every byte"), Bytes::from)
    }
}

/// The packed form of a file, made when it is first asked for and kept: there are as many as the program has files. `None` when it could not be made.
async fn packed(coding: Coding, hash: &[u8; 32], bytes: &Bytes) -> Option<Bytes> {
    type Packed = Mutex<HashMap<(Coding, [u8; 32]), Bytes>>;
    static PACKED: LazyLock<Packed> = LazyLock::new(Mutex::default);
    let name = (coding, *hash);
    let kept = || PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept().get(&name) {
        return Some(known.clone());
    }
    // Not under the lock: two that come first at once do the same work, and nobody waits for another file. Nor on the thread of connections.
    let bytes = bytes.clone();
    let made = spawn_blocking(move || coding.pack(&bytes)).await.ok()?;
    kept().insert(name, made.clone());
    Some(made)
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

/// Whether the browser takes a coding (RFC 9110 §12.5.3): names it and does not refuse it.
fn takes(asked: &HeaderMap, coding: &str) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            let refused = weight
                .split_once('=')
                .is_some_and(|(_, q)| q.trim().parse() == Ok(0.0_f32));
            name.trim().eq_ignore_ascii_case(coding) && !refused
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
