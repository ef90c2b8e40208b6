//! J4: ワンタイムパスワード認証確認.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use warifu_core::refusal::Refusal as Refused;
use warifu_core::session::Stage;
use warifu_core::sign_in::Destination;
use warifu_core::token::Standing;

use super::account::expect;
use super::public::clock;
use crate::app::verification::Verified;
use crate::portal::pages::{Frame, Refusal, RefusedPage, VerificationPage, path};
use crate::portal::visitor::{Fields, OrTrouble as _, Trouble, Visitor};

/// `GET /verify`.
pub(in crate::portal) async fn page(visitor: Visitor) -> Result<Response, Trouble> {
    expect(&visitor, |destination| destination == Destination::Verify).await?;
    show(&visitor, visitor.frame(), StatusCode::OK).await
}

async fn show(visitor: &Visitor, frame: Frame, status: StatusCode) -> Result<Response, Trouble> {
    let session = visitor.signed_in(Stage::Password)?;
    let token = visitor
        .app()
        .live_token(session)
        .await
        .or_trouble(visitor)?;
    let page = VerificationPage {
        frame,
        digits: token.parameters.digits,
        first: token.state.standing() == Standing::Activated,
        clock: clock(visitor)?,
    };
    visitor.page_with(status, &page)
}

/// `POST /verify`: the code.
pub(in crate::portal) async fn verify(visitor: Visitor, body: Bytes) -> Result<Response, Trouble> {
    let fields = Fields::read(&visitor, &body)?;
    let session = visitor.signed_in(Stage::Password)?;
    let refusal = match visitor
        .app()
        .verify(session, fields.text("code"), &visitor.origin)
        .await
    {
        Ok(Verified::SignedIn(cookie)) => {
            return Ok(visitor.redirect_with_session(path::TOP, &cookie));
        }
        Ok(Verified::Suspended {
            releasers,
            just_now,
        }) => {
            let refusal = if just_now {
                Refusal::SuspendedNow(releasers)
            } else {
                Refusal::Suspended(releasers)
            };
            let page = RefusedPage {
                frame: Frame {
                    who: None,
                    ..visitor.frame()
                },
                refusal,
            };
            return Ok(visitor.without_session(visitor.page_with(StatusCode::FORBIDDEN, &page)?));
        }
        Ok(Verified::Refused(refusal)) => refusal,
        Err(failure) => match failure.refusal() {
            Some(refusal @ Refused::CodeFormat { .. }) => refusal,
            Some(Refused::NoToken) => return Ok(visitor.redirect(path::TOP)),
            _ => return Err(visitor.trouble(&failure)),
        },
    };
    show(
        &visitor,
        visitor.frame_with(&refusal)?,
        StatusCode::UNPROCESSABLE_ENTITY,
    )
    .await
}
