//! What a harness reads out of a database that it tries: the counters, and the audit rows beside them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use warifu_core::id::TokenId;
use warifu_core::token::Standing;
use warifu_store::{DatabaseConfig, Row, Store};

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
            "SELECT t.token_id, c.version, c.last_step, c.failures, c.run_since_success, c.standing
             FROM token t JOIN counter c ON c.counter_no = t.counter_no",
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

/// How often PostgreSQL is asked whether the killed program's connections are gone.
const LOOKS_MAX: usize = 10_000;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// Waits until no other connection is at work: what a program sent before it was killed, PostgreSQL may still carry out. SQLite
/// works in the program itself, and is dead with it.
///
/// # Errors
/// When another connection stays.
pub async fn wait_until_alone(store: &Store, database: &DatabaseConfig) -> Result<()> {
    if matches!(database, DatabaseConfig::Sqlite { .. }) {
        return Ok(());
    }
    for _ in 0..LOOKS_MAX {
        let others = store
            .read()
            .await?
            .query_one(
                "SELECT COUNT(pid) AS others FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
                Vec::new(),
            )
            .await?;
        if others.context("an answer")?.int("others")? == 0 {
            return Ok(());
        }
        // The server is another process, and tells nobody when it has noticed.
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
    bail!("a killed program's connection stays")
}

/// SQLite's own check of the whole file; PostgreSQL was not killed.
///
/// # Errors
/// What is damaged.
pub async fn is_sound(store: &Store, database: &DatabaseConfig) -> Result<()> {
    if matches!(database, DatabaseConfig::Postgres(_)) {
        return Ok(());
    }
    let said = store
        .read()
        .await?
        .query("PRAGMA integrity_check", Vec::new())
        .await?;
    let problems: Vec<_> = said
        .iter()
        .map(|row| row.text("integrity_check").map(str::to_owned))
        .collect::<Result<_, _>>()?;
    ensure!(problems == ["ok"], "integrity_check: {problems:?}");
    Ok(())
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
