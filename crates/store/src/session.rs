//! Sessions, found by the SHA-256 of their cookie (R73). Never here: a cookie's value.

use warifu_core::id::UserId;
use warifu_core::service::Service;
use warifu_core::session::Stage;
use warifu_core::time::UnixMillis;
use warifu_core::user::{Language, User};

use crate::mapping::at_most;
use crate::service::service_of;
use crate::user::user_of;
use crate::{StoreError, Tx, params};

/// One sign-in. No `Debug`: it holds the token against forged requests.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// SHA-256 of the cookie's value.
    pub hash: [u8; 32],
    /// Who signed in.
    pub user_id: UserId,
    /// How far the sign-in has come.
    pub stage: Stage,
    /// What every form of the session carries.
    pub csrf_token: String,
    /// The language of the pages.
    pub language: Language,
    /// When the session began.
    pub began_at: UnixMillis,
    /// When it was used last.
    pub used_at: UnixMillis,
}

impl Tx {
    /// Adds a session.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when the hash is taken; else as [`Tx::query`].
    pub async fn insert_session(&mut self, session: &StoredSession) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO session (session_hash, user_id, stage, csrf_token, language, began_at_ms, used_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                session.hash,
                &session.user_id,
                session.stage.as_str(),
                &session.csrf_token,
                session.language.as_str(),
                session.began_at,
                session.used_at
            ],
        )
        .await
        .map(drop)
    }

    /// The session of this hash with its user and the user's service, whether it still lives or not: one query, for every
    /// request asks it.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn session(
        &mut self,
        hash: &[u8; 32],
    ) -> Result<Option<(StoredSession, User, Service)>, StoreError> {
        self.query_one(
            "SELECT s.session_hash, s.stage, s.csrf_token, s.language AS session_language, s.began_at_ms, s.used_at_ms,
                 u.user_id, u.service_id, u.contract_id, u.login_id, u.name, u.role, u.language, u.mail_address,
                 u.disabled, u.reopens_at_ms,
                 v.name_ja, v.name_en, v.time_zone, v.help_desk, v.policy
             FROM session s
             JOIN app_user u ON u.user_id = s.user_id
             JOIN service v ON v.service_id = u.service_id
             WHERE s.session_hash = $1",
            params![hash],
        )
        .await?
        .map(|row| {
            let user = user_of(&row)?;
            let session = StoredSession {
                hash: row.hash("session_hash")?,
                user_id: user.id.clone(),
                stage: row.word("stage", Stage::from_name)?,
                csrf_token: row.text("csrf_token")?.to_owned(),
                language: row.language("session_language")?,
                began_at: row.at("began_at_ms")?,
                used_at: row.at("used_at_ms")?,
            };
            Ok((session, user, service_of(&row)?))
        })
        .transpose()
    }

    /// Remembers that the session was used now; an earlier time than the one known changes nothing.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn touch_session(
        &mut self,
        hash: &[u8; 32],
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE session SET used_at_ms = $1 WHERE session_hash = $2 AND used_at_ms < $1",
            params![now, hash],
        )
        .await
        .map(drop)
    }

    /// Sets the language of the session's pages.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_session_language(
        &mut self,
        hash: &[u8; 32],
        language: Language,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE session SET language = $1 WHERE session_hash = $2",
            params![language.as_str(), hash],
        )
        .await
        .map(drop)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_session(&mut self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.execute("DELETE FROM session WHERE session_hash = $1", params![hash])
            .await
            .map(drop)
    }

    /// Ends all sessions of a user and says how many there were.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_sessions_of(&mut self, user_id: &UserId) -> Result<u64, StoreError> {
        self.execute("DELETE FROM session WHERE user_id = $1", params![user_id])
            .await
    }

    /// Removes up to `limit` sessions that were last used before `before`, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_sessions_used_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT session_hash FROM session WHERE used_at_ms < $1 ORDER BY used_at_ms, session_hash LIMIT $2",
            params![before, at_most(limit)],
            "session_hash",
            "DELETE FROM session WHERE session_hash = $1 AND used_at_ms < $2",
            &params![before],
        )
        .await
    }
}
