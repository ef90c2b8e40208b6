//! Answers to writes of the API, for a caller that did not get its answer and asks again under the same key (R21).

use std::collections::HashMap;

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

/// An answer to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnswer {
    /// Whose request it answers.
    pub client_id: ClientId,
    /// The name that the client gave to the request.
    pub key: String,
    /// The answer.
    pub answer: StoredAnswer,
}

impl Tx {
    /// The answers that these clients were given under these keys; what is not known is left out.
    ///
    /// # Errors
    /// As [`Tx::query_each`].
    pub async fn api_answers(
        &mut self,
        asked: &[(&ClientId, &str)],
    ) -> Result<HashMap<(ClientId, String), StoredAnswer>, StoreError> {
        if asked.is_empty() {
            return Ok(HashMap::new());
        }
        let batch = asked
            .iter()
            .map(|(client_id, key)| params![*client_id, *key])
            .collect();
        let answers = self
            .query_each(
                "SELECT request_hash, answer FROM api_answer WHERE client_id = $1 AND idempotency_key = $2",
                batch,
            )
            .await?;
        let known = asked.iter().zip(&answers).filter_map(|(asked, rows)| {
            let name = (asked.0.clone(), asked.1.to_owned());
            Some((name, rows.first()?))
        });
        known
            .map(|(name, row)| {
                let answer = StoredAnswer {
                    request_hash: row.hash("request_hash")?,
                    answer: row.text("answer")?.to_owned(),
                };
                Ok((name, answer))
            })
            .collect()
    }

    /// Keeps answers, in the transaction of the changes; `false` when another request under one of the keys came first: then
    /// nothing of this transaction may be committed.
    ///
    /// # Errors
    /// As [`Tx::execute_each`].
    pub async fn insert_api_answers(
        &mut self,
        answers: &[NewAnswer],
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        if answers.is_empty() {
            return Ok(true);
        }
        let batch = answers
            .iter()
            .map(|new| {
                params![
                    &new.client_id,
                    &new.key,
                    &new.answer.request_hash,
                    &new.answer.answer,
                    now
                ]
            })
            .collect();
        let inserted = self
            .execute_each(
                "INSERT INTO api_answer (client_id, idempotency_key, request_hash, answer, created_at_ms)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (client_id, idempotency_key) DO NOTHING",
                batch,
            )
            .await?;
        Ok(inserted.iter().all(|rows| *rows == 1))
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
