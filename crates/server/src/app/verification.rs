//! J4: whether a code is right, once (R12 to R37). The verification page and the API ask the same queue; the transaction that judges
//! a code also counts it, records it, and does what follows.

mod batch;
mod bearer;
mod for_client;
mod ground;
mod queue;
mod remembered;
mod shelf;
mod told;
mod traffic;

use warifu_core::audit::Origin;
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_core::suspension::Releasers;
use warifu_core::token::Token;
use warifu_store::Login;
use zeroize::Zeroizing;

use super::session::{Session, SessionCookie};
use super::{App, Failure};
use queue::{Answer, Channel, Proof, Question};

pub(super) use batch::Verifier;
pub use for_client::{ApiVerification, AskedCodes, ReleasersWord, Verification, Word};
pub(super) use queue::Queue;
pub use queue::{BATCH_MAX, VERIFIER, WAITING_MAX};
pub(super) use remembered::Remembered;

/// What came of a code that was typed into the verification page.
pub enum Verified {
    /// Right: fully signed in, under a new cookie.
    SignedIn(SessionCookie),
    /// Not right, or not judged.
    Refused(Refusal),
    /// Suspended; the session is over.
    Suspended {
        /// Who can release.
        releasers: Releasers,
        /// Whether this code was the last one; otherwise the token was suspended before, and the code was not judged.
        just_now: bool,
    },
}

impl App {
    /// Judges the code that the session's user typed.
    ///
    /// # Errors
    /// [`Refusal::CodeFormat`] for what is no code, which is never counted; [`Refusal::NoToken`]; [`Refusal::Busy`],
    /// [`Refusal::ClockUnsure`] and [`Refusal::Raced`], with which nothing was judged either.
    pub async fn verify(
        &self,
        session: &Session,
        typed: &str,
        origin: &Origin,
    ) -> Result<Verified, Failure> {
        if session.stage == Stage::Full {
            return Err(Refusal::CodeAlreadyUsed.into());
        }
        let question = Question {
            login: Login::of(&session.user),
            proof: Proof::Typed(Zeroizing::new(typed.to_owned())),
            channel: Channel::Page(Box::new(session.clone())),
            origin: origin.clone(),
        };
        match self.verifications.ask(question).await? {
            Answer::Page(Verified::Refused(Refusal::NoToken)) => Err(Refusal::NoToken.into()),
            Answer::Page(verified) => Ok(verified),
            Answer::Client(_) | Answer::InWords(_) | Answer::OldCaller => {
                Err(Failure::fault("a page got the answer of a program"))
            }
        }
    }

    /// The live token of the session's user, for the page that asks for its code.
    ///
    /// # Errors
    /// [`Refusal::NoToken`].
    pub async fn live_token(&self, session: &Session) -> Result<Token, Failure> {
        let stored = self
            .store
            .read()
            .await?
            .live_token(&session.user.id)
            .await?;
        Ok(stored.ok_or(Refusal::NoToken)?.token)
    }
}
