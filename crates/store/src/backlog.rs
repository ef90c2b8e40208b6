//! What waits to be sent, for the measurements: mails and deliveries to webhooks, in all services.

use warifu_core::time::UnixMillis;

use crate::{Row, StoreError, Tx, params};

/// What waits in one of the two outboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many wait for their next try.
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
            "SELECT COUNT(mail_id) AS waiting, MIN(created_at_ms) AS oldest_at_ms FROM outbox WHERE state = 'queued'",
            params![],
        )
        .await?
        .as_ref()
        .map_or(Ok(Backlog::default()), backlog_of)
    }

    /// Deliveries to webhooks that wait.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn webhook_backlog(&mut self) -> Result<Backlog, StoreError> {
        self.query_one(
            "SELECT COUNT(delivery_id) AS waiting, MIN(created_at_ms) AS oldest_at_ms FROM webhook_delivery WHERE state = 'queued'",
            params![],
        )
        .await?
        .as_ref()
        .map_or(Ok(Backlog::default()), backlog_of)
    }

    /// Deliveries to webhooks that were given up, and wait for somebody to look at them.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn count_dead_deliveries(&mut self) -> Result<u64, StoreError> {
        self.query_one(
            "SELECT COUNT(delivery_id) AS deliveries FROM webhook_delivery WHERE state = 'dead'",
            params![],
        )
        .await?
        // A count is always one row.
        .map_or(Ok(0), |row| row.number("deliveries"))
    }
}

fn backlog_of(row: &Row) -> Result<Backlog, StoreError> {
    Ok(Backlog {
        waiting: row.number("waiting")?,
        oldest_at: row.opt_at("oldest_at_ms")?,
    })
}
