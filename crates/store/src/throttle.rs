//! Wrong tries under a key, a user or an address (R36, R37). What they mean is decided in `warifu_core::throttle`.

use warifu_core::throttle::Tries;
use warifu_core::time::UnixMillis;

use crate::mapping::at_most;
use crate::{StoreError, Tx, params};

impl Tx {
    /// What is remembered under `key`; of an unknown key, that nothing was tried.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn tries(&mut self, key: &str) -> Result<Tries, StoreError> {
        self.query_one(
            "SELECT failures, last_at_ms FROM throttle WHERE throttle_key = $1",
            params![key],
        )
        .await?
        .map_or(Ok(Tries::default()), |row| {
            Ok(Tries {
                failures: row.number("failures")?,
                last_at: Some(row.at("last_at_ms")?),
            })
        })
    }

    /// What is remembered under `key`, to be changed by this transaction: until it ends no other one gets past this for the
    /// same key, so tries side by side are counted like one after the other (R31). Of an unknown key, that nothing was
    /// tried up to `now`.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn tries_to_change(
        &mut self,
        key: &str,
        now: UnixMillis,
    ) -> Result<Tries, StoreError> {
        let row = self
            .query_one(
                "INSERT INTO throttle (throttle_key, failures, last_at_ms) VALUES ($1, 0, $2)
                 ON CONFLICT (throttle_key) DO UPDATE SET failures = throttle.failures
                 RETURNING failures, last_at_ms",
                params![key, now],
            )
            .await?;
        row.map_or(Ok(Tries::default()), |row| {
            Ok(Tries {
                failures: row.number("failures")?,
                last_at: Some(row.at("last_at_ms")?),
            })
        })
    }

    /// Remembers `tries` under `key` in the place of what was there.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn put_tries(&mut self, key: &str, tries: &Tries) -> Result<(), StoreError> {
        let Some(last_at) = tries.last_at else {
            return self.clear_tries(key).await;
        };
        self.execute(
            "INSERT INTO throttle (throttle_key, failures, last_at_ms) VALUES ($1, $2, $3)
             ON CONFLICT (throttle_key) DO UPDATE SET failures = excluded.failures, last_at_ms = excluded.last_at_ms",
            params![key, tries.failures, last_at],
        )
        .await
        .map(drop)
    }

    /// Forgets what is remembered under `key`.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn clear_tries(&mut self, key: &str) -> Result<(), StoreError> {
        self.execute("DELETE FROM throttle WHERE throttle_key = $1", params![key])
            .await
            .map(drop)
    }

    /// Forgets up to `limit` keys whose last wrong try was before `before`, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_tries_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT throttle_key FROM throttle WHERE last_at_ms < $1 ORDER BY last_at_ms, throttle_key LIMIT $2",
            params![before, at_most(limit)],
            "throttle_key",
            "DELETE FROM throttle WHERE throttle_key = $1 AND last_at_ms < $2",
            &params![before],
        )
        .await
    }
}
