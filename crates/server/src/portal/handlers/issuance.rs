//! J1: the issuance page and the two calls of its script.

use axum::Json;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_core::sign_in::Destination;

use super::account::expect;
use super::public::clock;
use crate::portal::pages::{IssuancePage, path};
use crate::portal::visitor::{OrTrouble as _, Trouble, Visitor};

/// `GET /issue`.
pub(in crate::portal) async fn page(visitor: Visitor) -> Result<Response, Trouble> {
    expect(&visitor, |destination| destination == Destination::Issue).await?;
    let session = visitor.signed_in(Stage::Password)?;
    // A sign-in that is too old for an issuance ends here, not after the form was filled in (R46).
    session.fresh(visitor.app().now()).or_trouble(&visitor)?;
    let (length_min, length_max) = visitor.service.policy.activation_password_digits;
    visitor.page(&IssuancePage {
        frame: visitor.frame(),
        login_id: session.user.login_id.clone(),
        mail_address: session.user.mail_address.clone().unwrap_or_default(),
        sending_domain: visitor.app().settings().sending_domain().to_owned(),
        length_min,
        length_max,
        clock: clock(&visitor)?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    mail_address: String,
    mail_address_again: String,
    registration_request: String,
}

/// `POST /issue/start`: the mail address and the registration request.
pub(in crate::portal) async fn start(
    visitor: Visitor,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Trouble> {
    let start: Start = read(&visitor, &headers, &body)?;
    let session = json_session(&visitor)?;
    let request = bytes(&visitor, &start.registration_request)?;
    let mail = (
        start.mail_address.as_str(),
        start.mail_address_again.as_str(),
    );
    let begun = visitor
        .app()
        .begin_issuance(session, mail, &request)
        .await
        .or_json_trouble(&visitor)?;
    Ok(
        Json(json!({ "registration_response": BASE64URL_NOPAD.encode(&begun.response) }))
            .into_response(),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    registration_record: String,
}

/// `POST /issue/finish`: the registration record.
pub(in crate::portal) async fn finish(
    visitor: Visitor,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Trouble> {
    let finish: Finish = read(&visitor, &headers, &body)?;
    let session = json_session(&visitor)?;
    let record = bytes(&visitor, &finish.registration_record)?;
    visitor
        .app()
        .finish_issuance(session, &record, &visitor.origin)
        .await
        .or_json_trouble(&visitor)?;
    Ok(Json(json!({ "next": path::WAITING })).into_response())
}

fn read<T: DeserializeOwned>(
    visitor: &Visitor,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Trouble> {
    let token = headers
        .get("x-csrf-token")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    visitor.check_form_token(token).or_json_trouble(visitor)?;
    serde_json::from_slice(body)
        .map_err(|_| Refusal::ActivationMessage)
        .or_json_trouble(visitor)
}

fn json_session(visitor: &Visitor) -> Result<&crate::app::session::Session, Trouble> {
    visitor
        .session
        .as_ref()
        .ok_or(Refusal::SessionExpired)
        .or_json_trouble(visitor)
}

fn bytes(visitor: &Visitor, text: &str) -> Result<Vec<u8>, Trouble> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| Refusal::ActivationMessage)
        .or_json_trouble(visitor)
}
