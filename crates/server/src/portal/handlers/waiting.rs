//! Between issuance and activation: "finish in the app", send again, start over.

use axum::Json;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use warifu_core::issuance::{MailAddress, Phase};
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_core::sign_in::Destination;

use super::account::expect;
use crate::app::issuance::Waiting;
use crate::portal::pages::{
    AppLink, Frame, IssuanceState, MailState, WaitingPage, WaitingState, path,
};
use crate::portal::visitor::{Fields, OrTrouble as _, Trouble, Visitor};

/// `GET /waiting`.
pub(in crate::portal) async fn page(
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    let waits = |destination| {
        matches!(
            destination,
            Destination::FinishInApp(_) | Destination::Verify
        )
    };
    expect(&visitor, waits).await?;
    let sent_again = query.is_some_and(|query| query.contains("sent=1"));
    show(&visitor, visitor.frame(), sent_again, StatusCode::OK).await
}

async fn show(
    visitor: &Visitor,
    frame: Frame,
    sent_again: bool,
    status: StatusCode,
) -> Result<Response, Trouble> {
    let session = visitor.signed_in(Stage::Password)?;
    let waiting = visitor.app().waiting(session).await.or_trouble(visitor)?;
    let page = WaitingPage {
        frame,
        service_id: visitor.service.id.to_string(),
        app_link: AppLink::new(
            &visitor.app().settings().public_url,
            &visitor.service.id,
            &waiting.issuance.token_user_id,
        ),
        mail_masked: MailAddress::masked(&waiting.issuance.mail_address),
        now: state_of(&waiting),
        expires_at: visitor.moment(waiting.issuance.expires_at)?,
        sent_again,
    };
    visitor.page_with(status, &page)
}

/// `GET /waiting/state`: what the page's script asks every few seconds.
pub(in crate::portal) async fn state(visitor: Visitor) -> Result<Response, Trouble> {
    let session = match &visitor.session {
        Some(session) if session.stage == Stage::Password => session,
        _ => return Ok((StatusCode::UNAUTHORIZED, Json(json!({}))).into_response()),
    };
    let waiting = visitor
        .app()
        .waiting(session)
        .await
        .or_json_trouble(&visitor)?;
    Ok(Json(state_of(&waiting)).into_response())
}

/// `POST /waiting/send-again`.
pub(in crate::portal) async fn send_again(
    visitor: Visitor,
    body: Bytes,
) -> Result<Response, Trouble> {
    Fields::read(&visitor, &body)?;
    let session = visitor.signed_in(Stage::Password)?;
    match visitor.app().resend_mail(session, &visitor.origin).await {
        Ok(()) => Ok(visitor.redirect(&format!("{}?sent=1", path::WAITING))),
        Err(failure) => match failure.refusal() {
            Some(refusal @ Refusal::TooManyRequests { .. }) => {
                show(
                    &visitor,
                    visitor.frame_with(&refusal)?,
                    false,
                    StatusCode::TOO_MANY_REQUESTS,
                )
                .await
            }
            Some(Refusal::NoIssuance) => Ok(visitor.redirect(path::TOP)),
            _ => Err(visitor.trouble(&failure)),
        },
    }
}

/// `POST /waiting/start-over`.
pub(in crate::portal) async fn start_over(
    visitor: Visitor,
    body: Bytes,
) -> Result<Response, Trouble> {
    Fields::read(&visitor, &body)?;
    let session = visitor.signed_in(Stage::Password)?;
    visitor
        .app()
        .cancel_issuance(session, &visitor.origin)
        .await
        .or_trouble(&visitor)?;
    Ok(visitor.redirect(path::TOP))
}

fn state_of(waiting: &Waiting) -> WaitingState {
    WaitingState {
        state: match waiting.phase {
            Phase::Open => IssuanceState::Issued,
            Phase::Consumed => IssuanceState::Activated,
            Phase::Expired | Phase::Cancelled => IssuanceState::Expired,
            Phase::Locked => IssuanceState::Locked,
        },
        mail: match waiting.mail.as_ref().map(|mail| mail.state) {
            Some(warifu_store::MailState::Sent) | None => MailState::Sent,
            Some(warifu_store::MailState::Queued) => MailState::Queued,
            Some(warifu_store::MailState::Failed) => MailState::Failed,
        },
        starts_left: waiting.starts_left,
    }
}
