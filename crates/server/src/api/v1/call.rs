//! What handlers are given: who calls, what was asked, and the name of the request. What cannot be read is refused here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use warifu_core::audit::Origin;
use warifu_core::id::{ContractId, ServiceId};
use warifu_core::refusal::Refusal;
use warifu_core::relying::Scope;

use crate::api::problem::Problem;
use crate::app::api_clients::ApiCaller;
use crate::app::idempotency::Idempotency;
use crate::app::sign_in::LOGIN_ID_MAX;
use crate::app::{App, Failure};
use crate::web::caller::Caller;

/// draft-ietf-httpapi-idempotency-key-header: the caller's name for a write.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Who calls, and from where.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) caller: Arc<ApiCaller>,
    pub(super) origin: Origin,
}

impl Call {
    /// Refuses what the caller's scopes do not hold.
    pub(super) fn may(&self, scope: Scope) -> Result<(), Problem> {
        self.caller
            .may(scope)
            .map_err(|refusal| self.problem(&refusal.into()))
    }

    /// The problem that a failure is to the caller.
    pub(super) fn problem(&self, failure: &Failure) -> Problem {
        Problem::of(failure, self.app.now())
    }
}

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // The gate is before every endpoint; without it nothing is done.
        let refused = || Problem::of(&Refusal::ApiKeyRefused.into(), app.now());
        let caller = parts
            .extensions
            .get::<Arc<ApiCaller>>()
            .ok_or_else(refused)?;
        let origin = parts.extensions.get::<Caller>().map(Caller::origin);
        Ok(Self {
            app: Arc::clone(app),
            caller: Arc::clone(caller),
            origin: origin.unwrap_or_default(),
        })
    }
}

/// How the document tells of a path to a service.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "the document is made of it; the path is read by the extractors below"
)]
pub(super) struct ServicePath {
    /// The service.
    #[param(pattern = "^[a-z0-9][a-z0-9-]{0,30}[a-z0-9]$", example = "demo-bank")]
    service_id: String,
}

/// How the document tells of a path to a contract.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "as above")]
pub(super) struct ContractPath {
    /// The service.
    #[param(pattern = "^[a-z0-9][a-z0-9-]{0,30}[a-z0-9]$", example = "demo-bank")]
    service_id: String,
    /// The contract.
    #[param(pattern = "^[0-9a-z]{1,26}$")]
    contract_id: String,
}

/// How the document tells of a path to a user.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "as above")]
pub(super) struct UserPath {
    /// The service.
    #[param(pattern = "^[a-z0-9][a-z0-9-]{0,30}[a-z0-9]$", example = "demo-bank")]
    service_id: String,
    /// What the user signs in with.
    #[param(pattern = "^[A-Za-z0-9._@-]{1,64}$", example = "tanaka")]
    login_id: String,
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found")
}

/// A service id as it is written, in one spelling only.
fn service_id(text: &str) -> Result<ServiceId, Problem> {
    ServiceId::exact(text).map_err(|_| not_found())
}

/// `/services/{service_id}…`
pub(super) struct OfService(pub(super) ServiceId);

impl FromRequestParts<Arc<App>> for OfService {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| not_found())?;
        service_id(&text).map(Self)
    }
}

/// `/services/{service_id}/contracts/{contract_id}…`
pub(super) struct OfContract {
    pub(super) service_id: ServiceId,
    pub(super) contract_id: ContractId,
}

impl FromRequestParts<Arc<App>> for OfContract {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path((service, contract)) = Path::<(String, String)>::from_request_parts(parts, app)
            .await
            .map_err(|_| not_found())?;
        if !contract.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(not_found());
        }
        Ok(Self {
            service_id: service_id(&service)?,
            contract_id: ContractId::from_stored(contract),
        })
    }
}

/// `/services/{service_id}/users/{login_id}…`
pub(super) struct OfUser {
    pub(super) service_id: ServiceId,
    pub(super) login_id: String,
}

impl FromRequestParts<Arc<App>> for OfUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // What follows the user, such as an issuance, is read by whoever wants it.
        let path = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| not_found())?;
        let part = |wanted: &str| {
            let found = path.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, text)| text.to_owned()).ok_or_else(not_found)
        };
        let (service, login_id) = (part("service_id")?, part("login_id")?);
        if login_id.len() > LOGIN_ID_MAX || login_id.chars().any(char::is_control) {
            return Err(not_found());
        }
        Ok(Self {
            service_id: service_id(&service)?,
            login_id,
        })
    }
}

/// What a query asks for.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Query::<T>::from_request_parts(parts, app)
            .await
            .map(|Query(asked)| Self(asked))
            .map_err(|_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request_query"))
    }
}

/// A write: its body, and the name that the caller gave it. A write without a body takes an empty one.
pub(super) struct Write<T> {
    pub(super) body: T,
    pub(super) idempotency: Option<Idempotency>,
}

/// The body of a write that has none.
pub(super) struct Nothing;

/// How a body becomes what was asked.
pub(super) trait FromBody: Sized {
    /// # Errors
    /// The problem that the body is.
    fn read(is_json: bool, bytes: &[u8]) -> Result<Self, Problem>;
}

impl FromBody for Nothing {
    fn read(_: bool, bytes: &[u8]) -> Result<Self, Problem> {
        match bytes.trim_ascii() {
            b"" | b"{}" => Ok(Self),
            _ => Err(
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request_fields")
                    .with("line", 1)
                    .with("column", 1),
            ),
        }
    }
}

impl<T: DeserializeOwned> FromBody for T {
    fn read(is_json: bool, bytes: &[u8]) -> Result<Self, Problem> {
        if !is_json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type",
            ));
        }
        // Only where the fault is: the parser's own words quote the body, which holds a code.
        serde_json::from_slice(bytes).map_err(|error| {
            let (status, code) = if error.is_data() {
                (StatusCode::UNPROCESSABLE_ENTITY, "request_fields")
            } else {
                (StatusCode::BAD_REQUEST, "request_body")
            };
            Problem::new(status, code)
                .with("line", error.line())
                .with("column", error.column())
        })
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    sent.trim().eq_ignore_ascii_case("application/json")
}

impl<T: FromBody> FromRequest<Arc<App>> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let refused = |refusal: Refusal| Problem::of(&refusal.into(), app.now());
        let named = name_of(request.headers()).map_err(refused)?;
        let named = named.map(|key| {
            let path = request.uri().path().to_owned();
            (key, request.method().clone(), path)
        });
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::new(rejection.status(), "body_too_large"),
                _ => Problem::new(StatusCode::BAD_REQUEST, "request_body")
                    .with("line", 1)
                    .with("column", 1),
            })?;
        let idempotency = named
            .map(|(key, method, path)| Idempotency::new(&key, method.as_str(), &path, &bytes))
            .transpose()
            .map_err(refused)?;
        Ok(Self {
            body: T::read(json, &bytes)?,
            idempotency,
        })
    }
}

/// The name that the caller gave to the write.
pub(super) fn name_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => key
            .to_str()
            .map(|key| Some(key.to_owned()))
            .map_err(|_| Refusal::IdempotencyKeyFormat),
        (Some(_), Some(_)) => Err(Refusal::IdempotencyKeyFormat),
    }
}
