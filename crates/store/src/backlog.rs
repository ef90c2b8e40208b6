//! What waits to be sent, for the measurements: mails and deliveries to webhooks, in all services. No more is looked at than [`BACKLOG_MAX`] of each, since it
//! is looked at again and again.

use warifu_core::time::UnixMillis;

use crate::limits::BACKLOG_MAX;
use crate::{Row, StoreError, Tx, params};

/// What waits in one of the two outboxes, those that are due longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many wait for their next try; [`BACKLOG_MAX`] stands for more.
    pub waiting: u64,
    /// When the oldest of them was put there.
    pub oldest_at: Option<UnixMillis>,
}

impl Tx {
    /// Mails that wait.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn mail_backlog(&mut self) -> Result<Backlog, StoreError> {
        self.query_one(
            "SELECT COUNT(created_at_ms) AS waiting, MIN(created_at_ms) AS oldest_at_ms
             FROM (SELECT created_at_ms FROM outbox WHERE state = 'queued' ORDER BY next_try_at_ms LIMIT $1) AS first",
            params![BACKLOG_MAX],
        )
        .await
        .and_then(backlog_of)
    }

    /// Deliveries to webhooks that wait.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn webhook_backlog(&mut self) -> Result<Backlog, StoreError> {
        self.query_one(
            "SELECT COUNT(created_at_ms) AS waiting, MIN(created_at_ms) AS oldest_at_ms
             FROM (SELECT created_at_ms FROM webhook_delivery WHERE state = 'queued' ORDER BY next_try_at_ms LIMIT $1) AS first",
            params![BACKLOG_MAX],
        )
        .await
        .and_then(backlog_of)
    }

    /// Deliveries to webhooks that were given up, and wait for somebody to look at them; [`BACKLOG_MAX`] stands for more.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn count_dead_deliveries(&mut self) -> Result<u64, StoreError> {
        self.query_one(
            "SELECT COUNT(state) AS deliveries FROM (SELECT state FROM webhook_delivery WHERE state = 'dead' LIMIT $1) AS first",
            params![BACKLOG_MAX],
        )
        .await?
        // A count is always one row.
        .map_or(Ok(0), |row| row.number("deliveries"))
    }
}

/// A count is always one row.
fn backlog_of(row: Option<Row>) -> Result<Backlog, StoreError> {
    row.map_or(Ok(Backlog::default()), |row| {
        Ok(Backlog {
            waiting: row.number("waiting")?,
            oldest_at: row.opt_at("oldest_at_ms")?,
        })
    })
}
