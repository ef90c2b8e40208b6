//! What a harness reads out of a database that it tries: the counters, and the audit rows beside them.

use std::collections::HashMap;

use anyhow::Result;
use warifu_core::audit::{Action, Event, Origin};
use warifu_core::id::{AuditId, TokenId};
use warifu_core::token::Standing;
use warifu_core::user::Actor;
use warifu_server::clock::system_rng;
use warifu_store::{Row, Store};

use crate::bank::Bank;
use crate::spec::{Seen, State};

/// Every token's counter: its version, and what a look at it shows.
///
/// # Errors
/// When the database cannot be read.
pub async fn counters(store: &Store) -> Result<HashMap<TokenId, (i64, Seen)>> {
    let rows = store
        .read()
        .await?
        .query(
            "SELECT token_id, version, last_step, failures, run_since_success, standing FROM counter",
            Vec::new(),
        )
        .await?;
    rows.iter()
        .map(|row| Ok((token_id(row)?, (row.int("version")?, seen(row)?))))
        .collect()
}

/// How many audit rows of each token tell of a change of its counter.
///
/// # Errors
/// When the database cannot be read.
pub async fn audited_changes(store: &Store) -> Result<HashMap<TokenId, i64>> {
    let rows = store
        .read()
        .await?
        .query(
            "SELECT target_id AS token_id, COUNT(audit_id) AS changes FROM audit
             WHERE target_kind = 'token' AND outcome IN ('accepted', 'wrong', 'suspended_now', 'done')
             GROUP BY target_id",
            Vec::new(),
        )
        .await?;
    rows.iter()
        .map(|row| Ok((token_id(row)?, row.int("changes")?)))
        .collect()
}

/// How many codes of each token were judged wrong, by the audit rows.
///
/// # Errors
/// When the database cannot be read.
pub async fn judged_wrong(store: &Store) -> Result<HashMap<TokenId, i64>> {
    let rows = store
        .read()
        .await?
        .query(
            "SELECT target_id AS token_id, COUNT(audit_id) AS guesses FROM audit
             WHERE target_kind = 'token' AND outcome IN ('wrong', 'suspended_now')
             GROUP BY target_id",
            Vec::new(),
        )
        .await?;
    rows.iter()
        .map(|row| Ok((token_id(row)?, row.int("guesses")?)))
        .collect()
}

/// The event of a release.
#[must_use]
pub fn released(bank: &Bank, token_id: &TokenId, actor: Actor) -> Event {
    let now = bank.clock.now();
    Event {
        id: AuditId::new(now, &mut system_rng()),
        at: now,
        service_id: Some(bank.service_id.clone()),
        actor,
        action: Action::Release,
        target_kind: "token",
        target_id: token_id.to_string(),
        outcome: "done",
        origin: Origin::default(),
    }
}

fn token_id(row: &Row) -> Result<TokenId> {
    Ok(TokenId::from_stored(row.text("token_id")?))
}

fn seen(row: &Row) -> Result<Seen> {
    let standing = row.text("standing")?;
    Ok(Seen {
        last_step: row.int("last_step")?,
        failures: u32::try_from(row.int("failures")?)?,
        run: u32::try_from(row.int("run_since_success")?)?,
        state: match Standing::from_name(standing) {
            Some(Standing::Suspended) => State::Suspended,
            Some(Standing::Revoked) => State::Revoked,
            _ => State::Working,
        },
    })
}
