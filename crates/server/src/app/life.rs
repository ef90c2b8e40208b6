//! How a token ends without a person: it was never confirmed, or its life is over. Its user may have a new one at once.

use warifu_core::audit::{Action, Origin};
use warifu_core::life::has_ended;
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::revocation::revoke;
use warifu_core::time::UnixMillis;
use warifu_core::token::Token;
use warifu_core::user::{Actor, User};
use warifu_core::verification::{Counter, Verdict};
use warifu_store::Tx;

use super::notices::{Facts, enqueue_to_all};
use super::{Failure, Record};
use crate::clock::Clock;

/// Why the product revokes a token.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    /// No code was ever right in time.
    Unconfirmed,
    /// Its life is over.
    Expired,
}

impl Cause {
    /// The outcome that is recorded.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Unconfirmed => "done",
            Self::Expired => Verdict::Expired.as_str(),
        }
    }
}

/// Revokes the user's token if its life is over, in the transaction that needs its place: at a sign-in, at an issuance. Whether
/// there was one.
///
/// # Errors
/// [`Refusal::Raced`] when another write came between; [`Failure::Store`].
pub(super) async fn end_if_over(
    tx: &mut Tx,
    user: &User,
    origin: &Origin,
    clock: &Clock,
) -> Result<bool, Failure> {
    // What a wrong clock revokes does not come back (R19).
    let Ok(now) = clock.steady() else {
        return Ok(false);
    };
    let seen = tx.live_token(&user.id).await?;
    if !seen.is_some_and(|stored| has_ended(&stored.token, now)) {
        return Ok(false);
    }
    // Read again: its app may have renewed it before the wait for the user was over.
    tx.lock_user(&user.id).await?;
    let over = tx.live_token(&user.id).await?;
    let Some(over) = over.filter(|stored| has_ended(&stored.token, now)) else {
        return Ok(false);
    };
    let found = (over.token, over.counter);
    if revoke_by_product(tx, user, found, Cause::Expired, origin, now).await? {
        Ok(true)
    } else {
        Err(Refusal::Raced.into())
    }
}

/// Revokes a token in the product's name, in the caller's transaction, with its event and its mails. There is no wait before a
/// new one. `false` when another write came between: then nothing of the transaction may be committed.
///
/// # Errors
/// [`Failure::Store`].
pub(super) async fn revoke_by_product(
    tx: &mut Tx,
    user: &User,
    found: (Token, Counter),
    cause: Cause,
    origin: &Origin,
    now: UnixMillis,
) -> Result<bool, Failure> {
    let version = found.1.version;
    let (token, counter) = revoke(&Actor::System, user, Some(found), now)?;
    if !tx.swap_counter(&token.id, version, &counter).await? {
        return Ok(false);
    }
    tx.set_token_state(&token.id, &token.state).await?;
    let contract = tx.users_of_contract(&user.contract_id).await?;
    let facts = Facts {
        at_ms: now.0,
        reopens_at_ms: Some(now.0),
        ..Facts::default()
    };
    enqueue_to_all(tx, Notice::Revoked, user, &contract, &facts, now).await?;
    let record = Record {
        now,
        service_id: Some(&user.service_id),
        actor: &Actor::System,
        origin,
    };
    let target = ("token", token.id.as_str());
    record
        .write(tx, Action::Revoke, target, cause.outcome())
        .await?;
    Ok(true)
}
