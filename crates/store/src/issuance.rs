//! Issuances and their drafts (J1). Never here: an activation password, or a record in clear.

use warifu_core::id::{IssuanceId, ServiceId, TokenId, TokenUserId, UserId};
use warifu_core::issuance::{Issuance, IssuanceState};
use warifu_core::time::UnixMillis;

use crate::mapping::at_most;
use crate::{Row, StoreError, Tx, params};

/// An issuance whose page has begun the registration and not uploaded the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who asks; one draft per user.
    pub user_id: UserId,
    /// The id that the issuance will have.
    pub issuance_id: IssuanceId,
    /// What the app will ask for.
    pub token_user_id: TokenUserId,
    /// Where the mail will go.
    pub mail_address: String,
    /// When the registration began.
    pub created_at: UnixMillis,
}

/// An issuance with what only its row knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIssuance {
    /// The issuance.
    pub issuance: Issuance,
    /// Grows by one with every write; [`Tx::update_issuance`] names the one that was read.
    pub version: i64,
    /// The sealed OPAQUE record; `None` once it was erased, 7 days after the expiry.
    pub sealed_record: Option<Vec<u8>>,
}

/// One row of `issuance`, found by the rest.
macro_rules! issuance_where {
    ($rest:literal) => {
        concat!(
            "SELECT issuance_id, service_id, user_id, token_user_id, mail_address, algorithm, digits, step_s,
                 created_at_ms, expires_at_ms, starts, state, token_id, sealed_record, version
             FROM issuance WHERE ",
            $rest
        )
    };
}

impl Tx {
    /// Keeps a draft in the place of the user's one before.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn put_draft(&mut self, draft: &Draft) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO issuance_draft (user_id, issuance_id, token_user_id, mail_address, created_at_ms)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (user_id) DO UPDATE SET issuance_id = excluded.issuance_id,
                 token_user_id = excluded.token_user_id, mail_address = excluded.mail_address,
                 created_at_ms = excluded.created_at_ms",
            params![
                &draft.user_id,
                &draft.issuance_id,
                &draft.token_user_id,
                &draft.mail_address,
                draft.created_at
            ],
        )
        .await
        .map(drop)
    }

    /// The user's draft.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn draft(&mut self, user_id: &UserId) -> Result<Option<Draft>, StoreError> {
        self.query_one(
            "SELECT user_id, issuance_id, token_user_id, mail_address, created_at_ms
             FROM issuance_draft WHERE user_id = $1",
            params![user_id],
        )
        .await?
        .map(|row| {
            Ok(Draft {
                user_id: UserId::from_stored(row.text("user_id")?),
                issuance_id: IssuanceId::from_stored(row.text("issuance_id")?),
                token_user_id: row.token_user_id()?,
                mail_address: row.text("mail_address")?.to_owned(),
                created_at: row.at("created_at_ms")?,
            })
        })
        .transpose()
    }

    /// Forgets the user's draft.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_draft(&mut self, user_id: &UserId) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM issuance_draft WHERE user_id = $1",
            params![user_id],
        )
        .await
        .map(drop)
    }

    /// Adds an issuance, at version 1.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when its id, or its token user id at the service, is taken; else as [`Tx::query`].
    pub async fn insert_issuance(
        &mut self,
        issuance: &Issuance,
        sealed_record: &[u8],
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO issuance (issuance_id, service_id, user_id, token_user_id, mail_address, algorithm, digits, step_s,
                 created_at_ms, expires_at_ms, starts, state, token_id, sealed_record, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1)",
            params![
                &issuance.id,
                &issuance.service_id,
                &issuance.user_id,
                &issuance.token_user_id,
                &issuance.mail_address,
                issuance.parameters.algorithm.as_str(),
                u32::from(issuance.parameters.digits),
                issuance.parameters.step_s,
                issuance.created_at,
                issuance.expires_at,
                issuance.starts,
                issuance.state.as_str(),
                token_id(&issuance.state),
                sealed_record
            ],
        )
        .await
        .map(drop)
    }

    /// The issuance that the user asked for last, and its version. Of two in the same millisecond, not the one that was
    /// cancelled for the other.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn latest_issuance(
        &mut self,
        user_id: &UserId,
    ) -> Result<Option<(Issuance, i64)>, StoreError> {
        self.query_one(
            issuance_where!(
                "user_id = $1
                 ORDER BY created_at_ms DESC, CASE WHEN state = 'cancelled' THEN 1 ELSE 0 END, issuance_id DESC
                 LIMIT 1"
            ),
            params![user_id],
        )
        .await?
        .map(|row| Ok((issuance_of(&row)?, row.int("version")?)))
        .transpose()
    }

    /// How many issuances the user asked for after `since`, whatever became of them, and when the first of them was.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn issuances_since(
        &mut self,
        user_id: &UserId,
        since: UnixMillis,
    ) -> Result<(u32, Option<UnixMillis>), StoreError> {
        self.query_one(
            "SELECT COUNT(issuance_id) AS issuances, MIN(created_at_ms) AS oldest_at_ms FROM issuance
             WHERE user_id = $1 AND created_at_ms > $2",
            params![user_id, since],
        )
        .await?
        .map_or(Ok((0, None)), |row| {
            Ok((row.number("issuances")?, row.opt_at("oldest_at_ms")?))
        })
    }

    /// The issuance that an app asks for.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn issuance_by_token_user(
        &mut self,
        service_id: &ServiceId,
        token_user_id: &TokenUserId,
    ) -> Result<Option<StoredIssuance>, StoreError> {
        self.query_one(
            issuance_where!("service_id = $1 AND token_user_id = $2"),
            params![service_id, token_user_id],
        )
        .await?
        .as_ref()
        .map(stored_of)
        .transpose()
    }

    /// The issuance of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn issuance(
        &mut self,
        id: &IssuanceId,
    ) -> Result<Option<StoredIssuance>, StoreError> {
        self.query_one(issuance_where!("issuance_id = $1"), params![id])
            .await?
            .as_ref()
            .map(stored_of)
            .transpose()
    }

    /// Cancels the user's issuances that are issued or locked, and names them, the oldest first.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn cancel_issuances(
        &mut self,
        user_id: &UserId,
    ) -> Result<Vec<IssuanceId>, StoreError> {
        let mut ids = self
            .query(
                "UPDATE issuance SET state = 'cancelled', version = version + 1
                 WHERE user_id = $1 AND state IN ('issued', 'locked')
                 RETURNING issuance_id",
                params![user_id],
            )
            .await?
            .iter()
            .map(|row| row.text("issuance_id").map(IssuanceId::from_stored))
            .collect::<Result<Vec<_>, _>>()?;
        ids.sort();
        Ok(ids)
    }

    /// Writes the starts and the state, on the condition that nobody wrote the issuance since `version` was read.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn update_issuance(
        &mut self,
        id: &IssuanceId,
        version: i64,
        starts: u32,
        state: &IssuanceState,
    ) -> Result<bool, StoreError> {
        let updated = self
            .execute(
                "UPDATE issuance SET starts = $1, state = $2, token_id = $3, version = version + 1
                 WHERE issuance_id = $4 AND version = $5",
                params![starts, state.as_str(), token_id(state), id, version],
            )
            .await?;
        Ok(updated == 1)
    }

    /// Erases the records of up to `limit` issuances that expired before `before`, and says of how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn erase_records_expired_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT issuance_id FROM issuance WHERE sealed_record IS NOT NULL AND expires_at_ms < $1
             ORDER BY expires_at_ms, issuance_id LIMIT $2",
            params![before, at_most(limit)],
            "issuance_id",
            "UPDATE issuance SET sealed_record = NULL WHERE issuance_id = $1 AND sealed_record IS NOT NULL",
            &[],
        )
        .await
    }
}

fn token_id(state: &IssuanceState) -> Option<&TokenId> {
    match state {
        IssuanceState::Consumed { token_id } => Some(token_id),
        IssuanceState::Issued | IssuanceState::Locked | IssuanceState::Cancelled => None,
    }
}

fn issuance_of(row: &Row) -> Result<Issuance, StoreError> {
    let state = match row.text("state")? {
        "issued" => IssuanceState::Issued,
        "consumed" => IssuanceState::Consumed {
            token_id: TokenId::from_stored(row.text("token_id")?),
        },
        "locked" => IssuanceState::Locked,
        "cancelled" => IssuanceState::Cancelled,
        _ => return Err(row.refuse("state", "holds an unknown word")),
    };
    Ok(Issuance {
        id: IssuanceId::from_stored(row.text("issuance_id")?),
        service_id: row.service_id()?,
        user_id: UserId::from_stored(row.text("user_id")?),
        token_user_id: row.token_user_id()?,
        mail_address: row.text("mail_address")?.to_owned(),
        parameters: row.parameters()?,
        created_at: row.at("created_at_ms")?,
        expires_at: row.at("expires_at_ms")?,
        starts: row.number("starts")?,
        state,
    })
}

fn stored_of(row: &Row) -> Result<StoredIssuance, StoreError> {
    Ok(StoredIssuance {
        issuance: issuance_of(row)?,
        version: row.int("version")?,
        sealed_record: row.opt_blob("sealed_record")?.map(<[u8]>::to_vec),
    })
}
