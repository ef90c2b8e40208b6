//! A code judged for a relying system (J10), one transaction each. The verification queue takes this place: it keeps the types
//! and the words, and batches the transactions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warifu_core::audit::{Action, Origin};
use warifu_core::id::ServiceId;
use warifu_core::oath::Code;
use warifu_core::refusal::Refusal;
use warifu_core::relying::Scope;
use warifu_core::service::{Policy, Service};
use warifu_core::suspension::{Releasers, releasers};
use warifu_core::time::{SECOND_MS, UnixMillis};
use warifu_core::token::Token;
use warifu_core::user::User;
use warifu_core::verification::{Verdict, decide};
use warifu_store::{StoredToken, Tx};

use super::RACES_MAX;
use crate::app::api_clients::ApiCaller;
use crate::app::idempotency::{Idempotency, keep_answer, known_answer};
use crate::app::relying::{moment, subject};
use crate::app::{App, Failure, Record};

/// What a relying system asks.
#[derive(Clone, Copy)]
pub struct ApiVerification<'a> {
    /// The service that the user is of.
    pub service_id: &'a ServiceId,
    /// What the user signs in with.
    pub login_id: &'a str,
    /// The code, exactly as it is to be judged.
    pub code: &'a str,
    /// Who asks.
    pub caller: &'a ApiCaller,
    /// The name of the request, if it has one.
    pub idempotency: Option<&'a Idempotency>,
    /// Where the request came from.
    pub origin: &'a Origin,
}

/// What came of a code, as relying systems are told. It is kept for a repeated request too, so old words stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// What came of it.
    pub verdict: Word,
    /// Wrong codes that are left before the one-time password is suspended.
    pub tries_left: u32,
    /// Whether this very code was the last allowed wrong one.
    pub just_suspended: bool,
    /// The token that the code was judged for; null when the user has none that lives.
    pub token_id: Option<String>,
    /// When that token was activated.
    #[schema(format = DateTime)]
    pub activated_at: Option<String>,
    /// How many seconds ago that was.
    pub token_age_s: Option<u64>,
    /// Until when the relying system is advised to keep limits low, because the token is new; null when there is no such time,
    /// or it is over.
    #[schema(format = DateTime)]
    pub cool_off_until: Option<String>,
    /// Of a suspended one: who can release.
    pub releasers: Option<ReleasersWord>,
    /// Of a user without a token after a revocation: from when a new one may be issued.
    #[schema(format = DateTime)]
    pub reopens_at: Option<String>,
}

/// What came of a code, in a word. Only `accepted` lets somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Right, for the first time.
    Accepted,
    /// Wrong, and counted.
    Wrong,
    /// It was right and was accepted before; not counted.
    AlreadyUsed,
    /// The one-time password is suspended, now or since before.
    Suspended,
    /// The user has no token that lives; nothing was judged.
    NoToken,
    /// The user is disabled; nothing was judged.
    Disabled,
}

/// Who can release a suspended user, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleasersWord {
    /// An administrator of the company.
    Administrator,
    /// The master or an administrator of the company.
    MasterOrAdministrator,
    /// Only the help desk.
    HelpDesk,
}

impl From<Releasers> for ReleasersWord {
    fn from(releasers: Releasers) -> Self {
        match releasers {
            Releasers::Administrator => Self::Administrator,
            Releasers::MasterOrAdministrator => Self::MasterOrAdministrator,
            Releasers::HelpDesk => Self::HelpDesk,
        }
    }
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Wrong => "wrong",
            Self::AlreadyUsed => "already_used",
            Self::Suspended => "suspended",
            Self::NoToken => "no_token",
            Self::Disabled => "disabled",
        }
    }
}

impl Verification {
    /// That nothing was judged.
    fn unjudged(verdict: Word, policy: &Policy) -> Self {
        Self {
            verdict,
            tries_left: policy.wrong_codes_max,
            just_suspended: false,
            token_id: None,
            activated_at: None,
            token_age_s: None,
            cool_off_until: None,
            releasers: None,
            reopens_at: None,
        }
    }

    /// What was judged for `token`.
    fn judged(verdict: &Verdict, token: &Token, policy: &Policy, now: UnixMillis) -> Self {
        let (word, tries_left) = match *verdict {
            Verdict::Accepted { .. } => (Word::Accepted, policy.wrong_codes_max),
            Verdict::AlreadyUsed { tries_left } => (Word::AlreadyUsed, tries_left),
            Verdict::Wrong { tries_left } => (Word::Wrong, tries_left),
            Verdict::SuspendedNow | Verdict::Suspended => (Word::Suspended, 0),
            Verdict::Revoked => (Word::NoToken, policy.wrong_codes_max),
        };
        let age_s = now.since_ms(token.activated_at).max(0) / SECOND_MS;
        Self {
            tries_left,
            just_suspended: *verdict == Verdict::SuspendedNow,
            token_id: Some(token.id.to_string()),
            activated_at: Some(moment(token.activated_at)),
            token_age_s: u64::try_from(age_s).ok(),
            cool_off_until: policy.cool_off_until(token.activated_at, now).map(moment),
            ..Self::unjudged(word, policy)
        }
    }
}

impl App {
    /// Judges a code for a relying system.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a user that is not there for this caller (R41), [`Refusal::CodeFormat`] for what is not exactly so
    /// many ASCII digits (R28), [`Refusal::IdempotencyKeyReused`], [`Refusal::ApiKeyRefused`] when the key ended meanwhile.
    pub async fn verify_for_client(
        &self,
        asked: ApiVerification<'_>,
    ) -> Result<Verification, Failure> {
        let mut caller = asked.caller.clone();
        for _ in 0..RACES_MAX {
            match self.try_verify_for_client(&asked, &caller).await? {
                Tried::Done(verification) => return Ok(verification),
                Tried::Raced => {}
                Tried::OldCaller => {
                    let address = asked.origin.address.as_deref();
                    let address = address.and_then(|text| text.parse().ok());
                    caller = self.renewed_api_caller(&caller, address).await?;
                    caller.may(Scope::Verify)?;
                }
            }
        }
        Err(Refusal::Raced.into())
    }

    async fn try_verify_for_client(
        &self,
        asked: &ApiVerification<'_>,
        caller: &ApiCaller,
    ) -> Result<Tried, Failure> {
        let now = self.now();
        let (service, user, found) = {
            let mut tx = self.store.read().await?;
            let (service, user) =
                subject(&mut tx, caller, asked.service_id, asked.login_id).await?;
            let found = tx.live_token(&user.id).await?;
            (service, user, found)
        };
        let parameters = found
            .as_ref()
            .map_or(service.policy.parameters, |found| found.token.parameters);
        // Full-width digits and spaces are for pages to mend (R28).
        let digits = parameters.digits;
        let code = Code::exact(asked.code, digits).map_err(|_| Refusal::CodeFormat { digits })?;
        let seed = match &found {
            Some(found) => Some(self.seed_of(found).await?),
            None => None,
        };
        // Nothing but statements from here to the commit (invariant 3); what was read before only gave the seed.
        let mut tx = self.store.begin().await?;
        let standing = tx.api_keys_standing(&[&caller.key_id]).await?;
        if !standing.iter().any(|standing| caller.stands(standing, now)) {
            return Ok(Tried::OldCaller);
        }
        if let Some(before) = known_answer(&mut tx, caller, asked.idempotency).await? {
            return Ok(Tried::Done(before));
        }
        let user = tx.user(&user.id).await?.ok_or(Refusal::NotFound)?;
        let stored = tx.live_token(&user.id).await?;
        let actor = caller.actor();
        let record = Record {
            now,
            service_id: Some(&service.id),
            actor: &actor,
            origin: asked.origin,
        };
        let verification = match (stored, seed) {
            _ if user.disabled => {
                let told = Verification::unjudged(Word::Disabled, &service.policy);
                unjudged(&mut tx, &record, &user, &told).await?;
                told
            }
            (None, _) => {
                let told = Verification {
                    reopens_at: user.reopens_at.filter(|at| now < *at).map(moment),
                    ..Verification::unjudged(Word::NoToken, &service.policy)
                };
                unjudged(&mut tx, &record, &user, &told).await?;
                told
            }
            (Some(stored), Some(seed))
                if found.is_some_and(|found| found.token.id == stored.token.id) =>
            {
                let StoredToken { token, counter, .. } = stored;
                let (verdict, next) = decide(
                    &counter,
                    &seed,
                    &token.parameters,
                    &code,
                    &service.policy,
                    now,
                );
                if next != counter && !tx.swap_counter(&token.id, counter.version, &next).await? {
                    return Ok(Tried::Raced);
                }
                self.after_verdict(&mut tx, &record, &service, &user, &token, &verdict)
                    .await?
            }
            // The token is another one than the seed was opened for.
            _ => return Ok(Tried::Raced),
        };
        if !keep_answer(&mut tx, caller, asked.idempotency, &verification, now).await? {
            return Ok(Tried::Raced);
        }
        tx.commit().await?;
        self.mail_waits.notify_one();
        Ok(Tried::Done(verification))
    }

    /// What follows from a verdict, in its transaction.
    async fn after_verdict(
        &self,
        tx: &mut Tx,
        record: &Record<'_>,
        service: &Service,
        user: &User,
        token: &Token,
        verdict: &Verdict,
    ) -> Result<Verification, Failure> {
        let now = record.now;
        let target = ("token", token.id.as_str());
        record
            .write(tx, Action::Verify, target, verdict.as_str())
            .await?;
        let mut told = Verification::judged(verdict, token, &service.policy, now);
        match verdict {
            Verdict::Accepted { .. } => {
                tx.set_token_state(&token.id, &token.state.after_right_code(now))
                    .await?;
            }
            Verdict::SuspendedNow => {
                tx.set_token_state(&token.id, &token.state.suspended(now))
                    .await?;
                told.releasers = Some(self.tell_of_suspension(tx, user, now).await?.into());
            }
            Verdict::Suspended => {
                let contract = tx.users_of_contract(&user.contract_id).await?;
                told.releasers = Some(releasers(user, &contract).into());
            }
            Verdict::AlreadyUsed { .. } | Verdict::Wrong { .. } | Verdict::Revoked => {}
        }
        Ok(told)
    }
}

enum Tried {
    Done(Verification),
    Raced,
    /// Key or client are not what this node remembers.
    OldCaller,
}

async fn unjudged(
    tx: &mut Tx,
    record: &Record<'_>,
    user: &User,
    told: &Verification,
) -> Result<(), Failure> {
    let target = ("user", user.id.as_str());
    record
        .write(tx, Action::Verify, target, told.verdict.as_str())
        .await
}
