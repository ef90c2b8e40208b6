//! J4: a code is judged and, in the same transaction, counted or accepted (R12, R13, R31). The one conditional write on the
//! counter decides; whoever lost it looks again.

mod for_client;

use warifu_core::audit::{Action, Origin};
use warifu_core::notice::Notice;
use warifu_core::oath::{Code, Seed};
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_core::suspension::{Releasers, releasers};
use warifu_core::time::UnixMillis;
use warifu_core::token::Token;
use warifu_core::user::{Actor, User};
use warifu_core::verification::{Verdict, decide};
use warifu_store::{StoredToken, Tx};

use super::keys::Column;
use super::notices::{Facts, enqueue_to_all};
use super::session::{Session, SessionCookie, step_up};
use super::{App, Failure, Record};

pub use for_client::{ApiVerification, ReleasersWord, Verification, Word};

/// How often a code is judged again when another write came between.
const RACES_MAX: u32 = 5;

/// What came of a typed code.
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
    /// [`Refusal::CodeFormat`] for what is no code, which is never counted; [`Refusal::NoToken`].
    pub async fn verify(
        &self,
        session: &Session,
        typed: &str,
        origin: &Origin,
    ) -> Result<Verified, Failure> {
        if session.stage == Stage::Full {
            return Err(Refusal::CodeAlreadyUsed.into());
        }
        for _ in 0..RACES_MAX {
            if let Some(verified) = self.try_verify(session, typed, origin).await? {
                return Ok(verified);
            }
        }
        Err(Refusal::Raced.into())
    }

    async fn try_verify(
        &self,
        session: &Session,
        typed: &str,
        origin: &Origin,
    ) -> Result<Option<Verified>, Failure> {
        let now = self.now();
        let user_id = &session.user.id;
        let found = self
            .store
            .read()
            .await?
            .live_token(user_id)
            .await?
            .ok_or(Refusal::NoToken)?;
        let digits = found.token.parameters.digits;
        let code = Code::typed(typed, digits).map_err(|_| Refusal::CodeFormat { digits })?;
        let seed = self.seed_of(&found).await?;
        // Nothing but statements from here to the commit (invariant 3); what was read before only gave the seed.
        let mut tx = self.store.begin().await?;
        let StoredToken { token, counter, .. } =
            tx.live_token(user_id).await?.ok_or(Refusal::NoToken)?;
        if token.id != found.token.id {
            return Ok(None);
        }
        let (verdict, next) = decide(
            &counter,
            &seed,
            &token.parameters,
            &code,
            &session.service.policy,
            now,
        );
        if next != counter && !tx.swap_counter(&token.id, counter.version, &next).await? {
            return Ok(None);
        }
        let actor = Actor::user(&session.user);
        let record = Record {
            now,
            service_id: Some(&session.service.id),
            actor: &actor,
            origin,
        };
        record
            .write(
                &mut tx,
                Action::Verify,
                ("token", token.id.as_str()),
                verdict.as_str(),
            )
            .await?;
        let verified = match verdict {
            Verdict::Accepted { .. } => {
                tx.set_token_state(&token.id, &token.state.after_right_code(now))
                    .await?;
                Verified::SignedIn(step_up(&mut tx, session, now).await?)
            }
            Verdict::AlreadyUsed { .. } => Verified::Refused(Refusal::CodeAlreadyUsed),
            Verdict::Wrong { tries_left } => Verified::Refused(Refusal::CodeWrong { tries_left }),
            Verdict::SuspendedNow => {
                tx.set_token_state(&token.id, &token.state.suspended(now))
                    .await?;
                Verified::Suspended {
                    releasers: self.tell_of_suspension(&mut tx, &session.user, now).await?,
                    just_now: true,
                }
            }
            Verdict::Suspended => Verified::Suspended {
                releasers: releasers_of(&mut tx, session).await?,
                just_now: false,
            },
            Verdict::Revoked => Verified::Refused(Refusal::NoToken),
        };
        tx.commit().await?;
        self.mail_waits.notify_one();
        Ok(Some(verified))
    }

    async fn seed_of(&self, stored: &StoredToken) -> Result<Seed, Failure> {
        let token = &stored.token;
        let column = Column::TokenSeed {
            row: token.id.as_str(),
            parameters: &token.parameters,
        };
        let bytes = self.keys.unseal(&column, &stored.sealed_seed).await?;
        Seed::new(bytes.to_vec(), token.parameters.algorithm)
            .ok_or(Failure::fault("a stored seed has the wrong length"))
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

    /// A suspension ends the user's sessions and is told to the user and to those who can release.
    async fn tell_of_suspension(
        &self,
        tx: &mut Tx,
        user: &User,
        now: UnixMillis,
    ) -> Result<Releasers, Failure> {
        let contract = tx.users_of_contract(&user.contract_id).await?;
        let releasers = releasers(user, &contract);
        let facts = Facts {
            at_ms: now.0,
            releasers: Some(releasers.as_str().to_owned()),
            ..Facts::default()
        };
        enqueue_to_all(tx, Notice::Suspended, user, &contract, &facts, now).await?;
        tx.remove_sessions_of(&user.id).await?;
        Ok(releasers)
    }
}

async fn releasers_of(tx: &mut Tx, session: &Session) -> Result<Releasers, Failure> {
    Ok(releasers(
        &session.user,
        &tx.users_of_contract(&session.user.contract_id).await?,
    ))
}
