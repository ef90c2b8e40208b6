//! The headers that every answer carries (R71, R77).

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// Nothing but our own files; scripts from files only, and the compiled module of the issuance page. No page may be framed.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// Of what is no page nor part of one: should a browser show it all the same, it may do nothing.
const DATA_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const PERMISSIONS_POLICY: HeaderValue = HeaderValue::from_static(
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=(), publickey-credentials-get=()",
);
/// One year.
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
/// Types that are never documents: parts of a page. An app of fifty files has them fifty times.
const PARTS: [&str; 5] = [
    "text/css",
    "text/javascript",
    "application/wasm",
    "image/png",
    "font/",
];

/// Types that are answers to programs.
const DATA: [&str; 2] = ["application/json", "application/problem+json"];

/// What the headers depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct SecurityHeaders {
    /// Whether browsers come over TLS.
    pub(super) https: bool,
}

impl SecurityHeaders {
    /// The headers of an answer to a program that brings none along.
    pub(super) fn of_data(self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2 * ALWAYS.len());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(DATA[0]));
        add(&mut headers, self);
        headers
    }
}

/// Adds headers that were made before ([`SecurityHeaders::of_data`]); those that an answer brings along stay.
pub(super) fn add_to(headers: &mut HeaderMap, always: &HeaderMap) {
    let own = std::mem::replace(headers, always.clone());
    for (name, value) in own {
        if let Some(name) = name {
            headers.insert(name, value);
        }
    }
}

/// The middleware. A `Cache-Control` or `Permissions-Policy` that an answer brings along stays; all others are not stored
/// anywhere, and may use nothing of the device.
pub(super) async fn security_headers(
    State(settings): State<SecurityHeaders>,
    mut response: Response,
) -> Response {
    add(response.headers_mut(), settings);
    response
}

fn add(headers: &mut HeaderMap, settings: SecurityHeaders) {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_one_of = |kinds: &[&str]| kinds.iter().any(|start| kind.starts_with(start));
    let (is_part, is_data) = (is_one_of(&PARTS), is_one_of(&DATA));
    let policy = if is_data {
        DATA_SECURITY_POLICY
    } else {
        CONTENT_SECURITY_POLICY
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    if settings.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if is_part {
        return;
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if is_data {
        return;
    }
    headers.insert(
        CROSS_ORIGIN_OPENER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers
        .entry(HeaderName::from_static("permissions-policy"))
        .or_insert(PERMISSIONS_POLICY);
}
