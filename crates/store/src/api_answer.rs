//! Answers to writes of the API, for a caller that did not get its answer and asks again under the same key (R21).

use warifu_core::id::ClientId;
use warifu_core::time::UnixMillis;

use crate::mapping::at_most;
use crate::{StoreError, Tx, params};

/// An answer as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of what was asked.
    pub request_hash: [u8; 32],
    /// JSON.
    pub answer: String,
}

impl Tx {
    /// The answer that this client was given under this key.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn api_answer(
        &mut self,
        client_id: &ClientId,
        idempotency_key: &str,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        self.query_one(
            "SELECT request_hash, answer FROM api_answer WHERE client_id = $1 AND idempotency_key = $2",
            params![client_id, idempotency_key],
        )
        .await?
        .map(|row| {
            Ok(StoredAnswer {
                request_hash: row.hash("request_hash")?,
                answer: row.text("answer")?.to_owned(),
            })
        })
        .transpose()
    }

    /// Keeps an answer, in the transaction of the change; `false` when another request under the same key came first: then
    /// nothing of this transaction may be committed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn insert_api_answer(
        &mut self,
        client_id: &ClientId,
        idempotency_key: &str,
        answer: &StoredAnswer,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO api_answer (client_id, idempotency_key, request_hash, answer, created_at_ms)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (client_id, idempotency_key) DO NOTHING",
                params![
                    client_id,
                    idempotency_key,
                    &answer.request_hash,
                    &answer.answer,
                    now
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Forgets up to `limit` answers that were given before `before`, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_api_answers_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let found = self
            .query(
                "SELECT client_id, idempotency_key FROM api_answer WHERE created_at_ms < $1
                 ORDER BY created_at_ms, client_id, idempotency_key LIMIT $2",
                params![before, at_most(limit)],
            )
            .await?;
        let batch = found
            .iter()
            .map(|row| {
                Ok(params![
                    row.text("client_id")?,
                    row.text("idempotency_key")?
                ])
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let removed = self
            .execute_each(
                "DELETE FROM api_answer WHERE client_id = $1 AND idempotency_key = $2",
                batch,
            )
            .await?;
        Ok(removed.iter().sum())
    }
}
