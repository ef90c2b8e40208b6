//! Releases, revocations and issuances.

use axum::Json;
use axum::extract::RawPathParams;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use warifu_core::refusal::Refusal;
use warifu_core::relying::Scope;

use super::call::{Call, Nothing, OfUser, UserPath, Write};
use crate::api::problem::Problem;
use crate::app::idempotency::Idempotency;
use crate::app::manage::Task;
use crate::app::relying::ApiWrite;
use crate::app::relying::answers::{Acted, CancelledAnswer, IssuanceStatus, Issued, Registration};

impl Call {
    fn write<'a>(&'a self, of: &'a OfUser, idempotency: Option<&'a Idempotency>) -> ApiWrite<'a> {
        ApiWrite {
            service_id: &of.service_id,
            login_id: &of.login_id,
            caller: &self.caller,
            idempotency,
            origin: &self.origin,
        }
    }

    /// Bytes out of base64url without padding.
    fn bytes(&self, text: &str) -> Result<Vec<u8>, Problem> {
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| self.problem(&Refusal::ActivationMessage.into()))
    }
}

/// Lift the suspension of a user
///
/// The bank answers for whom it releases. A user who is not suspended is answered with 409 `not_suspended`; one with too many wrong
/// codes since the last right one with 409 `release_only_revocation`.
#[utoipa::path(
    post,
    path = "/services/{service_id}/users/{login_id}/release",
    operation_id = "release",
    tag = "Tokens",
    params(UserPath),
    responses((status = 200, description = "It was lifted", body = Acted)),
    security(("key" = ["release"])),
)]
pub(super) async fn release(
    call: Call,
    of: OfUser,
    asked: Write<Nothing>,
) -> Result<Json<Acted>, Problem> {
    call.may(Scope::Release)?;
    let write = call.write(&of, asked.idempotency.as_ref());
    let done = call.app.act_for_client(Task::Release, write).await;
    done.map(Json).map_err(|failure| call.problem(&failure))
}

/// End the token of a user for good
///
/// It takes effect at once. From `reopens_at` on a new token can be issued. A user without a token is answered with 409 `no_token`.
#[utoipa::path(
    post,
    path = "/services/{service_id}/users/{login_id}/revoke",
    operation_id = "revoke",
    tag = "Tokens",
    params(UserPath),
    responses((status = 200, description = "It has ended", body = Acted)),
    security(("key" = ["revoke"])),
)]
pub(super) async fn revoke(
    call: Call,
    of: OfUser,
    asked: Write<Nothing>,
) -> Result<Json<Acted>, Problem> {
    call.may(Scope::Revoke)?;
    let write = call.write(&of, asked.idempotency.as_ref());
    let done = call.app.act_for_client(Task::Revoke, write).await;
    done.map(Json).map_err(|failure| call.problem(&failure))
}

/// The issuance that a user asked for last
///
/// A user who never asked for one is answered with 409 `no_issuance`.
#[utoipa::path(
    get,
    path = "/services/{service_id}/users/{login_id}/issuance",
    operation_id = "issuance",
    tag = "Issuance",
    params(UserPath),
    responses((status = 200, description = "The issuance", body = IssuanceStatus)),
    security(("key" = ["issue"])),
)]
pub(super) async fn issuance(call: Call, of: OfUser) -> Result<Json<IssuanceStatus>, Problem> {
    call.may(Scope::Issue)?;
    let answer = call
        .app
        .issuance_for(&call.caller, &of.service_id, &of.login_id)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// What the page of the user begins an issuance with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationRequest {
    /// Where the token mail goes.
    #[schema(format = Email, max_length = 254, example = "tanaka@company.example")]
    mail_address: String,
    /// The registration request of docs/protocol.md, base64url without padding. The page of the user makes it of the activation
    /// password, which never leaves that page.
    #[schema(pattern = "^[A-Za-z0-9_-]+$", max_length = 1024)]
    registration_request: String,
}

/// Begin an issuance
///
/// The activation password must not leave the page of the user. So the page runs the client half of the activation protocol
/// (docs/protocol.md), the relying system passes its two messages on: this one, and the record.
#[utoipa::path(
    post,
    path = "/services/{service_id}/users/{login_id}/issuance/registration",
    operation_id = "begin_issuance",
    tag = "Issuance",
    params(UserPath),
    request_body = RegistrationRequest,
    responses((status = 200, description = "What the page goes on with", body = Registration)),
    security(("key" = ["issue"])),
)]
pub(super) async fn begin_issuance(
    call: Call,
    of: OfUser,
    asked: Write<RegistrationRequest>,
) -> Result<Json<Registration>, Problem> {
    call.may(Scope::Issue)?;
    let request = call.bytes(&asked.body.registration_request)?;
    let write = call.write(&of, asked.idempotency.as_ref());
    let mail_address = &asked.body.mail_address;
    let done = call
        .app
        .begin_issuance_for_client(write, mail_address, &request)
        .await;
    done.map(Json).map_err(|failure| call.problem(&failure))
}

/// How the document tells of the path to a record.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the document is made of it")]
pub(super) struct IssuancePath {
    /// The issuance, as the registration named it.
    #[param(pattern = "^[0-9a-z]{26}$")]
    issuance_id: String,
}

/// What the page of the user ends the registration with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordRequest {
    /// The registration record of docs/protocol.md, base64url without padding.
    #[schema(pattern = "^[A-Za-z0-9_-]+$", max_length = 2048)]
    record: String,
}

/// Finish an issuance: the token mail goes out
///
/// What was issued to the user before and not activated is cancelled. A record that is not of the last registration is answered
/// with 409 `form_expired`.
#[utoipa::path(
    put,
    path = "/services/{service_id}/users/{login_id}/issuance/{issuance_id}/record",
    operation_id = "finish_issuance",
    tag = "Issuance",
    params(UserPath, IssuancePath),
    request_body = RecordRequest,
    responses((status = 200, description = "The issuance waits for its app", body = Issued)),
    security(("key" = ["issue"])),
)]
pub(super) async fn finish_issuance(
    call: Call,
    of: OfUser,
    path: RawPathParams,
    asked: Write<RecordRequest>,
) -> Result<Json<Issued>, Problem> {
    call.may(Scope::Issue)?;
    let named = path.iter().find(|(name, _)| *name == "issuance_id");
    let issuance_id = named.map(|(_, id)| id).unwrap_or_default();
    let record = call.bytes(&asked.body.record)?;
    let write = call.write(&of, asked.idempotency.as_ref());
    let done = call
        .app
        .finish_issuance_for_client(write, issuance_id, &record)
        .await;
    done.map(Json).map_err(|failure| call.problem(&failure))
}

/// Send the token mail again
///
/// At most 5 mails of one issuance, one a minute; more are answered with 429.
#[utoipa::path(
    post,
    path = "/services/{service_id}/users/{login_id}/issuance/mail",
    operation_id = "resend_mail",
    tag = "Issuance",
    params(UserPath),
    responses((status = 200, description = "It is on its way", body = Issued)),
    security(("key" = ["issue"])),
)]
pub(super) async fn resend_mail(
    call: Call,
    of: OfUser,
    asked: Write<Nothing>,
) -> Result<Json<Issued>, Problem> {
    call.may(Scope::Issue)?;
    let write = call.write(&of, asked.idempotency.as_ref());
    let done = call.app.resend_mail_for_client(write).await;
    done.map(Json).map_err(|failure| call.problem(&failure))
}

/// Cancel what was issued and not activated
#[utoipa::path(
    delete,
    path = "/services/{service_id}/users/{login_id}/issuance",
    operation_id = "cancel_issuance",
    tag = "Issuance",
    params(UserPath),
    responses((status = 200, description = "Nothing waits for an app any more", body = CancelledAnswer)),
    security(("key" = ["issue"])),
)]
pub(super) async fn cancel_issuance(
    call: Call,
    of: OfUser,
    asked: Write<Nothing>,
) -> Result<Json<CancelledAnswer>, Problem> {
    call.may(Scope::Issue)?;
    let write = call.write(&of, asked.idempotency.as_ref());
    let done = call.app.cancel_issuance_for_client(write).await;
    done.map(Json).map_err(|failure| call.problem(&failure))
}
