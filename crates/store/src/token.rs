//! Tokens and their counters. `counter.standing` is the authority on the state; the columns of `token` only add when.

use warifu_core::id::{IssuanceId, ServiceId, TokenId, UserId};
use warifu_core::service::Service;
use warifu_core::time::UnixMillis;
use warifu_core::token::{RevokedBy, Standing, Token, TokenState};
use warifu_core::user::User;
use warifu_core::verification::Counter;

use crate::mapping::at_most;
use crate::service::service_of;
use crate::user::user_of;
use crate::{CounterNo, Row, StoreError, Tx, params};

/// A token with its counter and what is sealed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub token: Token,
    /// Its counter; its version is the one to name in [`Tx::swap_counter`].
    pub counter: Counter,
    /// The sealed key that the server and the app share beside the seed.
    pub sealed_device_key: Vec<u8>,
}

/// A token as its app may ask about it, with whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDevice {
    /// The token.
    pub token: Token,
    /// Its counter; its version is the one to name in [`Tx::swap_counter`].
    pub counter: Counter,
    /// Its user.
    pub user: User,
    /// Its service.
    pub service: Service,
    /// The sealed key that the server and the app share beside the seed.
    pub sealed_device_key: Vec<u8>,
}

/// Rows of `token` with their counters, found by the rest.
macro_rules! token_where {
    ($rest:literal) => {
        concat!(
            "SELECT t.token_id, t.service_id, t.user_id, t.issuance_id, t.algorithm, t.digits, t.step_s,
                 t.sealed_device_key, t.activated_at_ms, t.expires_at_ms, t.confirmed_at_ms, t.suspended_at_ms, t.revoked_at_ms,
                 t.revoker, c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing
             FROM token t JOIN counter c ON c.counter_no = t.counter_no
             WHERE ",
            $rest
        )
    };
}

/// Rows of `token` with their counters and users, found by the rest.
macro_rules! owned_where {
    ($rest:literal) => {
        concat!(
            "SELECT u.user_id, u.service_id, u.contract_id, u.login_id, u.name, u.role, u.language, u.mail_address,
                 u.disabled, u.reopens_at_ms,
                 t.token_id, t.issuance_id, t.algorithm, t.digits, t.step_s, t.activated_at_ms, t.expires_at_ms,
                 t.confirmed_at_ms, t.suspended_at_ms, t.revoked_at_ms, t.revoker,
                 c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing
             FROM token t JOIN counter c ON c.counter_no = t.counter_no JOIN app_user u ON u.user_id = t.user_id
             WHERE ",
            $rest
        )
    };
}

impl Tx {
    /// Adds a token with its counter under this number; `false` when the user has a token that lives. Of one that is revoked the seed is not written.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when a counter has that number; else as [`Tx::query`].
    pub async fn insert_token(
        &mut self,
        token: &Token,
        (number, counter): (CounterNo, &Counter),
        sealed_seed: &[u8],
        sealed_device_key: &[u8],
    ) -> Result<bool, StoreError> {
        let times = Times::of(&token.state);
        // The counter first: the token refers to it.
        self.execute(
            "INSERT INTO counter (counter_no, version, last_step, failures, run_since_success, drift, standing)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                number,
                counter.version,
                counter.last_step,
                counter.failures,
                counter.run_since_success,
                i64::from(counter.drift),
                counter.standing.as_str()
            ],
        )
        .await?;
        let inserted = self
            .execute(
                "INSERT INTO token (token_id, service_id, user_id, issuance_id, counter_no, algorithm, digits, step_s,
                     sealed_device_key, activated_at_ms, expires_at_ms, confirmed_at_ms, suspended_at_ms, revoked_at_ms, revoker)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
                 ON CONFLICT (user_id) WHERE revoked_at_ms IS NULL DO NOTHING",
                params![
                    &token.id,
                    &token.service_id,
                    &token.user_id,
                    &token.issuance_id,
                    number,
                    token.parameters.algorithm.as_str(),
                    u32::from(token.parameters.digits),
                    token.parameters.step_s,
                    sealed_device_key,
                    token.activated_at,
                    token.expires_at,
                    times.confirmed_at,
                    times.suspended_at,
                    times.revoked_at,
                    times.revoked_by
                ],
            )
            .await?;
        if inserted == 0 {
            self.execute("DELETE FROM counter WHERE counter_no = $1", params![number])
                .await?;
            return Ok(false);
        }
        self.insert_bearer(&token.id, sealed_seed).await?;
        Ok(true)
    }

    /// Adds what a verification reads of a token that lives, found by what its user signs in with. The user has no other one: what stands there is left over from damage.
    async fn insert_bearer(&mut self, id: &TokenId, sealed_seed: &[u8]) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO bearer (sealed_seed, service_id, login_id, user_id, contract_id, token_id, counter_no, algorithm, digits, step_s,
                 activated_at_ms, expires_at_ms)
             SELECT $1, u.service_id, u.login_id, u.user_id, u.contract_id, t.token_id, t.counter_no, t.algorithm, t.digits, t.step_s,
                 t.activated_at_ms, t.expires_at_ms
             FROM token t JOIN app_user u ON u.user_id = t.user_id
             WHERE t.token_id = $2 AND t.revoked_at_ms IS NULL
             ON CONFLICT (service_id, login_id) DO UPDATE SET user_id = EXCLUDED.user_id, contract_id = EXCLUDED.contract_id,
                 token_id = EXCLUDED.token_id, counter_no = EXCLUDED.counter_no, algorithm = EXCLUDED.algorithm, digits = EXCLUDED.digits,
                 step_s = EXCLUDED.step_s, sealed_seed = EXCLUDED.sealed_seed, activated_at_ms = EXCLUDED.activated_at_ms,
                 expires_at_ms = EXCLUDED.expires_at_ms",
            params![sealed_seed, id],
        )
        .await
        .map(drop)
    }

    /// The user's token that lives: every one that is not revoked.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn live_token(
        &mut self,
        user_id: &UserId,
    ) -> Result<Option<StoredToken>, StoreError> {
        self.query_one(
            token_where!("t.user_id = $1 AND t.revoked_at_ms IS NULL"),
            params![user_id],
        )
        .await?
        .as_ref()
        .map(stored_of)
        .transpose()
    }

    /// The user's token that lives, or else the one that was activated last.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn latest_token(
        &mut self,
        user_id: &UserId,
    ) -> Result<Option<StoredToken>, StoreError> {
        self.query_one(
            token_where!(
                "t.user_id = $1
                 ORDER BY CASE WHEN t.revoked_at_ms IS NULL THEN 0 ELSE 1 END, t.activated_at_ms DESC, t.token_id DESC
                 LIMIT 1"
            ),
            params![user_id],
        )
        .await?
        .as_ref()
        .map(stored_of)
        .transpose()
    }

    /// The token of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn token(&mut self, id: &TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.query_one(token_where!("t.token_id = $1"), params![id])
            .await?
            .as_ref()
            .map(stored_of)
            .transpose()
    }

    /// Writes when the state began; after a [`Tx::swap_counter`] that won. The time of the confirmation stays once it is
    /// known, also past a revocation; the row with the seed does not.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_token_state(
        &mut self,
        id: &TokenId,
        state: &TokenState,
    ) -> Result<(), StoreError> {
        let times = Times::of(state);
        self.execute(
            "UPDATE token SET confirmed_at_ms = COALESCE($1, confirmed_at_ms), suspended_at_ms = $2, revoked_at_ms = $3,
                 revoker = $4
             WHERE token_id = $5",
            params![
                times.confirmed_at,
                times.suspended_at,
                times.revoked_at,
                times.revoked_by,
                id
            ],
        )
        .await?;
        if times.revoked_at.is_some() {
            self.execute("DELETE FROM bearer WHERE token_id = $1", params![id])
                .await?;
        }
        Ok(())
    }

    /// Up to `limit` tokens of a service, the oldest first, that were activated before `before` and never had a right code.
    /// Suspended ones are not among them: a suspension never ends by itself (R35).
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn unconfirmed_before(
        &mut self,
        service_id: &ServiceId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(User, Token, Counter)>, StoreError> {
        self.query(
            owned_where!(
                "t.service_id = $1 AND t.confirmed_at_ms IS NULL AND t.revoked_at_ms IS NULL AND t.activated_at_ms < $2
                     AND c.standing = 'activated'
                 ORDER BY t.activated_at_ms, t.token_id
                 LIMIT $3"
            ),
            params![service_id, before, at_most(limit)],
        )
        .await?
        .iter()
        .map(owned_of)
        .collect()
    }

    /// Up to `limit` tokens of a service, the one that ended first before the others, that ended by `by`. Suspended ones are not
    /// among them: waiting is no way out of a suspension (R35).
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn expired_by(
        &mut self,
        service_id: &ServiceId,
        by: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(User, Token, Counter)>, StoreError> {
        self.query(
            owned_where!(
                "t.service_id = $1 AND t.expires_at_ms IS NOT NULL AND t.expires_at_ms <= $2 AND t.revoked_at_ms IS NULL
                     AND c.standing IN ('activated', 'in_use')
                 ORDER BY t.expires_at_ms, t.token_id
                 LIMIT $3"
            ),
            params![service_id, by, at_most(limit)],
        )
        .await?
        .iter()
        .map(owned_of)
        .collect()
    }

    /// The token of this id with all that its app may be told or changes, by one statement: asking for a token that is not
    /// there costs no less.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn device(&mut self, id: &TokenId) -> Result<Option<StoredDevice>, StoreError> {
        self.query_one(
            "SELECT t.token_id, t.service_id, t.user_id, t.issuance_id, t.algorithm, t.digits, t.step_s,
                 t.sealed_device_key, t.activated_at_ms, t.expires_at_ms, t.confirmed_at_ms, t.suspended_at_ms, t.revoked_at_ms,
                 t.revoker, c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing,
                 u.contract_id, u.login_id, u.name, u.role, u.language, u.mail_address, u.disabled, u.reopens_at_ms,
                 s.name_ja, s.name_en, s.time_zone, s.help_desk, s.policy
             FROM token t JOIN counter c ON c.counter_no = t.counter_no JOIN app_user u ON u.user_id = t.user_id
                 JOIN service s ON s.service_id = t.service_id
             WHERE t.token_id = $1",
            params![id],
        )
        .await?
        .map(|row| {
            Ok(StoredDevice {
                token: token_of(&row)?,
                counter: counter_of(&row)?,
                user: user_of(&row)?,
                service: service_of(&row)?,
                sealed_device_key: row.blob("sealed_device_key")?.to_vec(),
            })
        })
        .transpose()
    }

    /// Writes a token's new end, after a [`Tx::swap_counter`] that won, under the nonce of the app's request. `false` when the
    /// token was renewed under that nonce before: then nothing of the transaction may be committed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn renew_token(
        &mut self,
        token: &Token,
        nonce: &str,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let fresh = self
            .execute(
                "INSERT INTO token_renewal (token_id, nonce, renewed_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (token_id, nonce) DO NOTHING",
                params![&token.id, nonce, now, token.expires_at],
            )
            .await?;
        for sql in [
            "UPDATE token SET expires_at_ms = $1 WHERE token_id = $2",
            "UPDATE bearer SET expires_at_ms = $1 WHERE token_id = $2",
        ] {
            self.execute(sql, params![token.expires_at, &token.id])
                .await?;
        }
        Ok(fresh == 1)
    }
}

/// A state as its columns.
#[derive(Default)]
struct Times {
    confirmed_at: Option<UnixMillis>,
    suspended_at: Option<UnixMillis>,
    revoked_at: Option<UnixMillis>,
    revoked_by: Option<&'static str>,
}

impl Times {
    fn of(state: &TokenState) -> Self {
        let confirmed_at = state.confirmed_at();
        match state {
            TokenState::Activated | TokenState::InUse { .. } => Self {
                confirmed_at,
                ..Self::default()
            },
            TokenState::Suspended { suspended_at, .. } => Self {
                confirmed_at,
                suspended_at: Some(*suspended_at),
                ..Self::default()
            },
            TokenState::Revoked { revoked_at, by } => Self {
                revoked_at: Some(*revoked_at),
                revoked_by: Some(by.as_str()),
                ..Self::default()
            },
        }
    }
}

/// A token out of a row with the columns of `token` and `counter`. Its `service_id` and `user_id` may as well be those of
/// the user it was joined with.
pub(crate) fn token_of(row: &Row) -> Result<Token, StoreError> {
    let state = match row.word("standing", Standing::from_name)? {
        Standing::Activated => TokenState::Activated,
        Standing::InUse => TokenState::InUse {
            confirmed_at: row.at("confirmed_at_ms")?,
        },
        Standing::Suspended => TokenState::Suspended {
            suspended_at: row.at("suspended_at_ms")?,
            confirmed_at: row.opt_at("confirmed_at_ms")?,
        },
        Standing::Revoked => TokenState::Revoked {
            revoked_at: row.at("revoked_at_ms")?,
            by: row.word("revoker", RevokedBy::from_name)?,
        },
    };
    Ok(Token {
        id: TokenId::from_stored(row.text("token_id")?),
        service_id: row.service_id()?,
        user_id: UserId::from_stored(row.text("user_id")?),
        issuance_id: IssuanceId::from_stored(row.text("issuance_id")?),
        parameters: row.parameters()?,
        activated_at: row.at("activated_at_ms")?,
        expires_at: row.opt_at("expires_at_ms")?,
        state,
    })
}

/// A counter out of a row with the columns of `counter`.
pub(crate) fn counter_of(row: &Row) -> Result<Counter, StoreError> {
    Ok(Counter {
        version: row.int("version")?,
        last_step: row.int("last_step")?,
        failures: row.number("failures")?,
        run_since_success: row.number("run_since_success")?,
        drift: row.number("drift")?,
        standing: row.word("standing", Standing::from_name)?,
    })
}

fn owned_of(row: &Row) -> Result<(User, Token, Counter), StoreError> {
    Ok((user_of(row)?, token_of(row)?, counter_of(row)?))
}

fn stored_of(row: &Row) -> Result<StoredToken, StoreError> {
    Ok(StoredToken {
        token: token_of(row)?,
        counter: counter_of(row)?,
        sealed_device_key: row.blob("sealed_device_key")?.to_vec(),
    })
}
