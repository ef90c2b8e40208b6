//! J0: sign-in, sign-out, and the page of a signed-in user.

use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use warifu_core::refusal::Refusal as Refused;
use warifu_core::session::Stage;
use warifu_core::sign_in::Destination;

use crate::app::passwords::Password;
use crate::app::sign_in::SignedIn;
use crate::portal::pages::{
    Refusal, RefusedPage, SignInNotice, SignInPage, TopPage, UserToken, path,
};
use crate::portal::visitor::{Fields, OrTrouble as _, Trouble, Visitor};

/// `GET /`: the top page, or the next step on the way to it.
pub(in crate::portal) async fn top(visitor: Visitor) -> Result<Response, Trouble> {
    let session = match &visitor.session {
        Some(session) if session.stage == Stage::Full => session,
        Some(session) => {
            let destination = visitor
                .app()
                .destination(session)
                .await
                .or_trouble(&visitor)?;
            return follow(&visitor, destination).await;
        }
        None => {
            return visitor
                .signed_in(Stage::Full)
                .map(|_| visitor.redirect(path::SIGN_IN));
        }
    };
    let overview = visitor.app().overview(session).await.or_trouble(&visitor)?;
    let last_sign_in = match overview.signed_in_before_at {
        Some(at) => Some(visitor.moment(at)?),
        None => None,
    };
    visitor.page(&TopPage {
        frame: visitor.frame(),
        name: session.user.name.clone(),
        login_id: session.user.login_id.clone(),
        company: overview.company,
        role: session.user.role,
        token: UserToken::of(overview.standing),
        last_sign_in,
        may_manage: session.user.role.manages_users(),
        advise_administrator: overview.advise_administrator,
    })
}

/// `GET /sign-in`: the form; a visitor who is signed in goes on.
pub(in crate::portal) async fn sign_in_page(
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    if visitor.session.is_some() {
        return Ok(visitor.redirect(path::TOP));
    }
    let query = query.unwrap_or_default();
    let notice = if query.contains("signed_out=1") {
        Some(SignInNotice::SignedOut)
    } else if query.contains("expired=1") {
        Some(SignInNotice::SessionExpired)
    } else {
        None
    };
    visitor.page(&SignInPage {
        frame: visitor.frame(),
        login_id: String::new(),
        notice,
    })
}

/// `POST /sign-in`: login id and password.
pub(in crate::portal) async fn sign_in(visitor: Visitor, body: Bytes) -> Result<Response, Trouble> {
    let fields = Fields::read(&visitor, &body)?;
    let login_id = fields.text("login_id").trim();
    let password = Password::new(fields.text("password").to_owned());
    let app = visitor.app();
    let signed_in = app
        .sign_in(
            &visitor.service.id,
            login_id,
            &password,
            visitor.language(),
            &visitor.origin,
        )
        .await;
    let refusal = match signed_in {
        Ok(SignedIn::On {
            cookie,
            destination,
        }) => {
            return Ok(visitor.redirect_with_session(page_of(destination), &cookie));
        }
        Ok(SignedIn::Suspended { releasers, .. }) => Refusal::Suspended(releasers),
        Ok(SignedIn::NotYet { open_at, .. }) => Refusal::Waiting {
            opens: visitor.moment(open_at)?,
        },
        Err(failure) => {
            let refused = failure.refusal();
            let Some(refused @ (Refused::SignInRefused | Refused::SignInSlowed { .. })) = refused
            else {
                return Err(visitor.trouble(&failure));
            };
            let page = SignInPage {
                frame: visitor.frame_with(&refused)?,
                login_id: login_id.to_owned(),
                notice: None,
            };
            let status = match refused {
                Refused::SignInSlowed { .. } => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let response = visitor.page_with(status, &page)?;
            return Ok(visitor.retry_after(&failure, response));
        }
    };
    visitor.page_with(
        StatusCode::FORBIDDEN,
        &RefusedPage {
            frame: visitor.frame(),
            refusal,
        },
    )
}

/// `POST /sign-out`.
pub(in crate::portal) async fn sign_out(
    visitor: Visitor,
    body: Bytes,
) -> Result<Response, Trouble> {
    Fields::read(&visitor, &body)?;
    if let Some(session) = &visitor.session {
        visitor
            .app()
            .sign_out(session, &visitor.origin)
            .await
            .or_trouble(&visitor)?;
    }
    Ok(visitor.without_session(visitor.redirect(&format!("{}?signed_out=1", path::SIGN_IN))))
}

/// The page of a destination.
const fn page_of(destination: Destination) -> &'static str {
    match destination {
        Destination::Issue => path::ISSUE,
        Destination::FinishInApp(_) => path::WAITING,
        Destination::Verify => path::VERIFY,
        Destination::Suspended | Destination::ReissueNotYet { .. } => path::TOP,
    }
}

/// Leads a session on, or says why it ends here.
async fn follow(visitor: &Visitor, destination: Destination) -> Result<Response, Trouble> {
    let refusal = match (destination, &visitor.session) {
        (Destination::Suspended, Some(session)) => {
            let policy = &visitor.service.policy;
            let releasers = visitor.app().releasers(session, policy).await;
            Refusal::Suspended(releasers.or_trouble(visitor)?)
        }
        (Destination::ReissueNotYet { open_at }, _) => Refusal::Waiting {
            opens: visitor.moment(open_at)?,
        },
        (other, _) => return Ok(visitor.redirect(page_of(other))),
    };
    let page = RefusedPage {
        frame: visitor.frame(),
        refusal,
    };
    visitor.page_with(StatusCode::FORBIDDEN, &page)
}

/// The way for a session that is on a page which its state no longer leads to; nothing when it is right.
pub(in crate::portal) async fn expect(
    visitor: &Visitor,
    right: impl FnOnce(Destination) -> bool,
) -> Result<Destination, Trouble> {
    let session = visitor.signed_in(Stage::Password)?;
    let destination = visitor
        .app()
        .destination(session)
        .await
        .or_trouble(visitor)?;
    if right(destination) {
        Ok(destination)
    } else {
        Err(visitor.redirect(path::TOP).into())
    }
}
