//! Attempts: what the server remembers of an app's start until its finish and a while longer (J3). A decoy is an attempt
//! without an issuance.

use warifu_core::id::{IssuanceId, UserId};
use warifu_core::time::UnixMillis;

use crate::mapping::at_most;
use crate::{Row, StoreError, Tx, params};

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// Its start was answered; it waits for its finish.
    Open,
    /// Its finish made a token, or proved the password and was told why there is none.
    Done,
    /// Its finish proved nothing.
    Failed,
}

impl AttemptState {
    /// The name as it is stored: `open`, `done`, `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// One start of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAttempt {
    /// Names the attempt; chosen by the app.
    pub attempt_id: String,
    /// What the app asked for; no such service need exist.
    pub service_id: String,
    /// What the app asked for; no such token user id need exist.
    pub token_user_id: String,
    /// The issuance whose record answered; `None` for a decoy.
    pub issuance_id: Option<IssuanceId>,
    /// The user whose starts it counts among.
    pub user_id: Option<UserId>,
    /// Whether it counts; a start that is finished does not (R50, R51).
    pub counted: bool,
    /// SHA-256 of KE1: the same attempt with the same KE1 gets the same reply.
    pub ke1_hash: [u8; 32],
    /// The reply as it was sent.
    pub start_reply: Vec<u8>,
    /// What the server needs for the finish, sealed; gone after it.
    pub sealed_state: Option<Vec<u8>>,
    /// How far it has come.
    pub state: AttemptState,
    /// SHA-256 of the finish that was judged: the same one gets the same reply.
    pub finish_hash: Option<[u8; 32]>,
    /// The reply to it as it was sent.
    pub finish_reply: Option<Vec<u8>>,
    /// When it started.
    pub started_at: UnixMillis,
    /// From when on it cannot be finished.
    pub expires_at: UnixMillis,
}

impl Tx {
    /// The attempt of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn attempt(&mut self, attempt_id: &str) -> Result<Option<StoredAttempt>, StoreError> {
        self.query_one(
            "SELECT attempt_id, service_id, token_user_id, issuance_id, user_id, counted, ke1_hash, start_reply,
                 sealed_state, state, finish_hash, finish_reply, started_at_ms, expires_at_ms
             FROM attempt WHERE attempt_id = $1",
            params![attempt_id],
        )
        .await?
        .as_ref()
        .map(attempt_of)
        .transpose()
    }

    /// Adds an attempt; `false` when its id is taken.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn insert_attempt(&mut self, attempt: &StoredAttempt) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO attempt (attempt_id, service_id, token_user_id, issuance_id, user_id, counted, ke1_hash,
                     start_reply, sealed_state, state, finish_hash, finish_reply, started_at_ms, expires_at_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
                 ON CONFLICT (attempt_id) DO NOTHING",
                params![
                    &attempt.attempt_id,
                    &attempt.service_id,
                    &attempt.token_user_id,
                    attempt.issuance_id.as_ref(),
                    attempt.user_id.as_ref(),
                    attempt.counted,
                    attempt.ke1_hash,
                    attempt.start_reply.as_slice(),
                    attempt.sealed_state.as_deref(),
                    attempt.state.as_str(),
                    attempt.finish_hash,
                    attempt.finish_reply.as_deref(),
                    attempt.started_at,
                    attempt.expires_at
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Ends an open attempt: keeps the finish and its reply, forgets the sealed state and, when it is done, refunds the
    /// start. `false` when it was not open any more.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn finish_attempt(
        &mut self,
        attempt_id: &str,
        state: AttemptState,
        finish_hash: &[u8; 32],
        finish_reply: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let still_counts = state != AttemptState::Done;
        let finished = self
            .execute(
                "UPDATE attempt SET state = $1, finish_hash = $2, finish_reply = $3, sealed_state = NULL,
                     counted = counted AND $4
                 WHERE attempt_id = $5 AND state = 'open'",
                params![
                    state.as_str(),
                    finish_hash,
                    finish_reply,
                    still_counts,
                    attempt_id
                ],
            )
            .await?;
        Ok(finished == 1)
    }

    /// The user's counted starts at or after `since`, over all issuances (R51).
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn counted_starts(
        &mut self,
        user_id: &UserId,
        since: UnixMillis,
    ) -> Result<u32, StoreError> {
        self.query_one(
            "SELECT COUNT(attempt_id) AS starts FROM attempt WHERE user_id = $1 AND started_at_ms >= $2 AND counted",
            params![user_id, since],
        )
        .await?
        .map_or(Ok(0), |row| row.number("starts"))
    }

    /// The starts that were made with these ids and are still kept, genuine or not. The ids are as the app sent them.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn starts_with_ids(
        &mut self,
        service_id: &str,
        token_user_id: &str,
    ) -> Result<u32, StoreError> {
        self.query_one(
            "SELECT COUNT(attempt_id) AS starts FROM attempt WHERE service_id = $1 AND token_user_id = $2",
            params![service_id, token_user_id],
        )
        .await?
        .map_or(Ok(0), |row| row.number("starts"))
    }

    /// Removes up to `limit` attempts in this state that started before `before`, the oldest first, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_attempts_before(
        &mut self,
        state: AttemptState,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT attempt_id FROM attempt WHERE state = $1 AND started_at_ms < $2
             ORDER BY started_at_ms, attempt_id LIMIT $3",
            params![state.as_str(), before, at_most(limit)],
            "attempt_id",
            "DELETE FROM attempt WHERE attempt_id = $1 AND state = $2",
            &params![state.as_str()],
        )
        .await
    }

    /// The number of decoys.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn count_decoy_attempts(&mut self) -> Result<u64, StoreError> {
        self.query_one(
            "SELECT COUNT(attempt_id) AS decoys FROM attempt WHERE issuance_id IS NULL",
            params![],
        )
        .await?
        .map_or(Ok(0), |row| row.number("decoys"))
    }

    /// Removes the oldest decoys until `keep` are left, at most [`EACH_MAX`](crate::limits::EACH_MAX) in one call, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_oldest_decoys(&mut self, keep: u64) -> Result<u64, StoreError> {
        let too_many = self.count_decoy_attempts().await?.saturating_sub(keep);
        if too_many == 0 {
            return Ok(0);
        }
        self.sweep(
            "SELECT attempt_id FROM attempt WHERE issuance_id IS NULL ORDER BY started_at_ms, attempt_id LIMIT $1",
            params![at_most(u32::try_from(too_many).unwrap_or(u32::MAX))],
            "attempt_id",
            "DELETE FROM attempt WHERE attempt_id = $1 AND issuance_id IS NULL",
            &[],
        )
        .await
    }
}

fn attempt_of(row: &Row) -> Result<StoredAttempt, StoreError> {
    Ok(StoredAttempt {
        attempt_id: row.text("attempt_id")?.to_owned(),
        service_id: row.text("service_id")?.to_owned(),
        token_user_id: row.text("token_user_id")?.to_owned(),
        issuance_id: row.opt_text("issuance_id")?.map(IssuanceId::from_stored),
        user_id: row.opt_text("user_id")?.map(UserId::from_stored),
        counted: row.bool("counted")?,
        ke1_hash: row.hash("ke1_hash")?,
        start_reply: row.blob("start_reply")?.to_vec(),
        sealed_state: row.opt_blob("sealed_state")?.map(<[u8]>::to_vec),
        state: row.word("state", AttemptState::from_name)?,
        finish_hash: row.opt_hash("finish_hash")?,
        finish_reply: row.opt_blob("finish_reply")?.map(<[u8]>::to_vec),
        started_at: row.at("started_at_ms")?,
        expires_at: row.at("expires_at_ms")?,
    })
}
