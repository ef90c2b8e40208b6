//! Answers to writes of the API, for a caller that did not get its answer and asks again under the same key (R21).

use warifu_core::id::ClientId;
use warifu_core::time::UnixMillis;

use crate::mapping::at_most;
use crate::rows::RowsSql;
use crate::{Row, StoreError, Tx, Value, params};

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

/// Gives a row when the answer was kept, and none when the key was taken.
pub(crate) static KEEP_ANSWER: RowsSql = RowsSql::new(
    "INSERT INTO api_answer (client_id, idempotency_key, request_hash, answer, created_at_ms)
     {ROWS}
     ON CONFLICT (client_id, idempotency_key) DO NOTHING
     {RETURNING idempotency_key}",
    &["TEXT", "TEXT", "BYTEA", "TEXT", "BIGINT"],
);

/// An answer with its name; read by itself, and with each batch of verifications.
pub(crate) const KEPT_ANSWER: &str =
    "SELECT client_id, idempotency_key, request_hash, answer FROM api_answer
     WHERE client_id = $1 AND idempotency_key = $2";

/// The answer with its name out of a row of [`KEPT_ANSWER`].
pub(crate) fn named_answer_of(row: &Row) -> Result<((ClientId, String), StoredAnswer), StoreError> {
    let name = (
        ClientId::from_stored(row.text("client_id")?),
        row.text("idempotency_key")?.to_owned(),
    );
    let answer = StoredAnswer {
        request_hash: row.hash("request_hash")?,
        answer: row.text("answer")?.to_owned(),
    };
    Ok((name, answer))
}

impl Tx {
    /// The answer that this client was given under this key.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn api_answer(
        &mut self,
        client_id: &ClientId,
        key: &str,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        self.query_one(KEPT_ANSWER, params![client_id, key])
            .await?
            .map(|row| Ok(named_answer_of(&row)?.1))
            .transpose()
    }

    /// Keeps answers, in the transaction of the changes; `false` when another request under one of the keys came first: then
    /// nothing of this transaction may be committed.
    ///
    /// # Errors
    /// As [`Tx::query_each`].
    pub async fn insert_api_answers(
        &mut self,
        answers: &[NewAnswer],
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let kept = self.query_rows(&KEEP_ANSWER, rows_of(answers, now)).await?;
        Ok(kept.len() == answers.len())
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

/// Answers that were given at `now`, as parameters.
pub(crate) fn rows_of(answers: &[NewAnswer], now: UnixMillis) -> Vec<Vec<Value>> {
    let row = |new: &NewAnswer| {
        params![
            &new.client_id,
            &new.key,
            &new.answer.request_hash,
            &new.answer.answer,
            now
        ]
    };
    answers.iter().map(row).collect()
}
