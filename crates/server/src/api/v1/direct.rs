//! The short way of a verification. Most requests of a busy installation are one and the same: a code in a small body, under a key that
//! this node remembers. They need no router; what a router and its layers do for one of them costs more than judging the code.
//!
//! Whatever is not quite plain, right or complete goes the ordinary way, whose answers these are, byte for byte. Nothing is counted,
//! judged or refused before that is clear.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use std::future::poll_fn;
use warifu_core::id::ServiceId;
use warifu_core::refusal::Refusal;
use warifu_core::relying::Scope;
use warifu_core::time::UnixMillis;
use warifu_core::user::Language;

use super::BASE;
use super::call::{is_json, name_of};
use super::gate::{bearer, tell_limit};
use super::verification::VerifyRequest;
use crate::api::problem::{Problem, text_for};
use crate::app::App;
use crate::app::api_clients::{ApiCaller, Counted};
use crate::app::idempotency::Idempotency;
use crate::app::sign_in::LOGIN_ID_MAX;
use crate::app::verification::{ApiVerification, AskedCodes, Verification};
use crate::web::caller::Caller;

/// The route, as the router has it.
pub const ROUTE: &str = "/api/v1/services/{service_id}/users/{login_id}/verify";
/// A plain body is no longer, in bytes.
const BODY_BYTES_MAX: u64 = 256;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Finds the requests that can take the short way.
pub struct Direct {
    app: Arc<App>,
}

/// A request that takes it.
pub struct Plain {
    app: Arc<App>,
    headers: HeaderMap,
    caller: Arc<ApiCaller>,
    service_id: ServiceId,
    login_id: String,
    asked: VerifyRequest,
    idempotency: Option<Idempotency>,
}

impl Direct {
    /// For the users of this installation.
    #[must_use]
    pub const fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// The plain verification that a request from `address` is.
    ///
    /// # Errors
    /// Gives the request back when it is anything else, or not all of it is there yet.
    pub fn read(&self, request: Request, address: Option<IpAddr>) -> Result<Plain, Box<Request>> {
        let Some((service_id, login_id, caller)) = self.known(&request, address) else {
            return Err(Box::new(request));
        };
        let (parts, mut body) = request.into_parts();
        // Whoever sends a small request sends it whole: what has not come by now is waited for on the ordinary way.
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).now_or_never();
        let bytes = match frame {
            Some(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            _ => Bytes::new(),
        };
        if body.is_end_stream() {
            // A request that is repeated may come the other way: its name belongs to the path as the router hands it on.
            let path = parts.uri.path();
            let path = path.strip_prefix(BASE).unwrap_or(path);
            if let Some((asked, idempotency)) = understood(&parts.headers, path, &bytes) {
                return Ok(Plain {
                    app: Arc::clone(&self.app),
                    headers: parts.headers,
                    caller,
                    service_id,
                    login_id,
                    asked,
                    idempotency,
                });
            }
        }
        let read = stream::iter([Ok::<_, axum::Error>(bytes)]);
        let body = Body::from_stream(read.chain(body.into_data_stream()));
        Err(Box::new(Request::from_parts(parts, body)))
    }

    /// Whose code it is and who asks, if the head of the request is plain and the client may ask.
    fn known(
        &self,
        request: &Request,
        address: Option<IpAddr>,
    ) -> Option<(ServiceId, String, Arc<ApiCaller>)> {
        if request.method() != Method::POST || request.uri().query().is_some() {
            return None;
        }
        let (service_id, login_id) = of_user(request.uri().path())?;
        let headers = request.headers();
        let length = request.body().size_hint().exact()?;
        if length > BODY_BYTES_MAX || headers.contains_key(EXPECT) {
            return None;
        }
        let key = bearer(headers)?;
        let caller = self.app.remembered_api_caller(&key, address)?.ok()?;
        caller.may(Scope::Verify).ok()?;
        Some((service_id, login_id.to_owned(), caller))
    }
}

/// Service and user of the path, if it is written without any escape.
fn of_user(path: &str) -> Option<(ServiceId, &str)> {
    let rest = path.strip_prefix(BASE)?.strip_prefix("/services/")?;
    let (service, rest) = rest.split_once("/users/")?;
    let login_id = rest.strip_suffix("/verify")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte);
    let fits = (1..=LOGIN_ID_MAX).contains(&login_id.len()) && login_id.bytes().all(plain);
    fits.then_some(())?;
    Some((ServiceId::exact(service).ok()?, login_id))
}

/// Body and name of the request, if there is nothing to complain about.
fn understood(
    headers: &HeaderMap,
    path: &str,
    bytes: &Bytes,
) -> Option<(VerifyRequest, Option<Idempotency>)> {
    if !is_json(headers) {
        return None;
    }
    let named = name_of(headers).ok()?;
    let idempotency = named
        .map(|key| Idempotency::new(&key, Method::POST.as_str(), path, bytes))
        .transpose()
        .ok()?;
    let asked = serde_json::from_slice(bytes).ok()?;
    Some((asked, idempotency))
}

impl Plain {
    /// What was sent with it.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Judges the code.
    pub async fn answer(&self, seen: &Caller) -> Response {
        let now = self.app.now();
        let counted = self.caller.count(now);
        let mut response = match self.judged(counted, seen, now).await {
            Ok(verification) => whole(&verification),
            Err(problem) => {
                let text = text_for(&self.headers, Language::En);
                problem.render(text, seen.request_id.as_str())
            }
        };
        if let Some(counted) = counted {
            tell_limit(response.headers_mut(), counted);
        }
        response
    }

    async fn judged(
        &self,
        counted: Option<Counted>,
        seen: &Caller,
        now: UnixMillis,
    ) -> Result<Verification, Problem> {
        if let Some(Counted { allowance, .. }) = counted
            && !allowance.allowed
        {
            let open_at = allowance.open_at;
            return Err(Problem::of(
                &Refusal::TooManyRequests { open_at }.into(),
                now,
            ));
        }
        let verification = ApiVerification {
            service_id: &self.service_id,
            login_id: &self.login_id,
            codes: AskedCodes::One(&self.asked.code),
            caller: &self.caller,
            idempotency: self.idempotency.as_ref(),
            origin: &seen.origin(),
        };
        self.app
            .verify_for_client(verification)
            .await
            .map_err(|failure| Problem::of(&failure, self.app.now()))
    }
}

fn whole(verification: &Verification) -> Response {
    // Words and numbers are always JSON.
    let body = serde_json::to_vec(verification).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
