//! Users: the people of a contract, and the hashes of their two passwords. Never here: a password.

use warifu_core::contract::USERS_MAX;
use warifu_core::id::{ContractId, ServiceId, UserId};
use warifu_core::time::UnixMillis;
use warifu_core::token::Token;
use warifu_core::user::{Language, Role, User};
use warifu_core::verification::Counter;

use crate::mapping::at_most;
use crate::token::{counter_of, token_of};
use crate::{Row, StoreError, Tx, params};

/// The hashes of a user's passwords, each as a PHC string (`$argon2id$…`). No `Debug`: a hash can be guessed against.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHashes {
    /// Of the password of the sign-in.
    pub password: String,
    /// Of the password that confirms a release or a revocation (確認用パスワード, J5, J6).
    pub confirmation_password: String,
}

/// One row of `app_user` with its hashes, found by the condition.
macro_rules! user_where {
    ($condition:literal) => {
        concat!(
            "SELECT user_id, service_id, contract_id, login_id, name, role, language, mail_address, disabled, reopens_at_ms,
                 password_hash, confirmation_password_hash
             FROM app_user WHERE ",
            $condition
        )
    };
}

/// Users, each with the token that lives or else the one that was activated last, found by the rest.
macro_rules! users_with_tokens_where {
    ($rest:literal) => {
        concat!(
            "SELECT u.user_id, u.service_id, u.contract_id, u.login_id, u.name, u.role, u.language, u.mail_address,
                 u.disabled, u.reopens_at_ms,
                 t.token_id, t.issuance_id, t.algorithm, t.digits, t.step_s, t.activated_at_ms, t.expires_at_ms,
                 t.confirmed_at_ms, t.suspended_at_ms, t.revoked_at_ms, t.revoker,
                 c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing
             FROM app_user u
             LEFT JOIN token t ON t.token_id = (
                 SELECT l.token_id FROM token l WHERE l.user_id = u.user_id
                 ORDER BY CASE WHEN l.revoked_at_ms IS NULL THEN 0 ELSE 1 END, l.activated_at_ms DESC, l.token_id DESC
                 LIMIT 1)
             LEFT JOIN counter c ON c.counter_no = t.counter_no
             WHERE ",
            $rest
        )
    };
}

impl Tx {
    /// Adds a user; `false` when the service has a user of this login id already.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] for a second master of the contract; else as [`Tx::query`].
    pub async fn insert_user(
        &mut self,
        user: &User,
        hashes: &PasswordHashes,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO app_user (user_id, service_id, contract_id, login_id, name, role, language, mail_address,
                     password_hash, confirmation_password_hash, disabled, reopens_at_ms, created_at_ms, version)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1)
                 ON CONFLICT (service_id, login_id) DO NOTHING",
                params![
                    &user.id,
                    &user.service_id,
                    &user.contract_id,
                    &user.login_id,
                    &user.name,
                    user.role.as_str(),
                    user.language.as_str(),
                    user.mail_address.as_ref(),
                    &hashes.password,
                    &hashes.confirmation_password,
                    user.disabled,
                    user.reopens_at,
                    now
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// The user of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn user(&mut self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.user_and_hashes(id).await?.map(|(user, _)| user))
    }

    /// The hashes of a user's passwords.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn password_hashes(
        &mut self,
        id: &UserId,
    ) -> Result<Option<PasswordHashes>, StoreError> {
        Ok(self.user_and_hashes(id).await?.map(|(_, hashes)| hashes))
    }

    /// The user who signs in with this login id, with the hashes to check the password against.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn user_by_login(
        &mut self,
        service_id: &ServiceId,
        login_id: &str,
    ) -> Result<Option<(User, PasswordHashes)>, StoreError> {
        self.query_one(
            user_where!("service_id = $1 AND login_id = $2"),
            params![service_id, login_id],
        )
        .await?
        .map(|row| Ok((user_of(&row)?, hashes_of(&row)?)))
        .transpose()
    }

    /// The users of a contract by login id, at most [`USERS_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn users_of_contract(&mut self, id: &ContractId) -> Result<Vec<User>, StoreError> {
        self.query(
            user_where!("contract_id = $1 ORDER BY login_id LIMIT $2"),
            params![id, users_max()],
        )
        .await?
        .iter()
        .map(user_of)
        .collect()
    }

    /// The users of a contract by login id, at most [`USERS_MAX`], each with the token that lives or else the one that was
    /// activated last. One query, for the lists of J5 and J6.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn users_with_tokens(
        &mut self,
        id: &ContractId,
    ) -> Result<Vec<(User, Option<(Token, Counter)>)>, StoreError> {
        self.query(
            users_with_tokens_where!("u.contract_id = $1 ORDER BY u.login_id LIMIT $2"),
            params![id, users_max()],
        )
        .await?
        .iter()
        .map(with_token_of)
        .collect()
    }

    /// Up to `limit` users of a service, or of one of its contracts, whose login ids come after `after`, in the order of the login
    /// ids, each with the token that lives or else the one that was activated last.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn users_of_service_after(
        &mut self,
        service_id: &ServiceId,
        contract_id: Option<&ContractId>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(User, Option<(Token, Counter)>)>, StoreError> {
        let rows = match contract_id {
            None => {
                self.query(
                    users_with_tokens_where!(
                        "u.service_id = $1 AND u.login_id > $2 ORDER BY u.login_id LIMIT $3"
                    ),
                    params![service_id, after, at_most(limit)],
                )
                .await?
            }
            Some(contract_id) => {
                self.query(
                    users_with_tokens_where!(
                        "u.service_id = $1 AND u.contract_id = $2 AND u.login_id > $3 ORDER BY u.login_id LIMIT $4"
                    ),
                    params![service_id, contract_id, after, at_most(limit)],
                )
                .await?
            }
        };
        rows.iter().map(with_token_of).collect()
    }

    /// Takes the user for the rest of the transaction: whoever else locks the same user waits until it ends, on every node.
    /// All that is counted per user is counted under it. `false` when there is no such user.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn lock_user(&mut self, id: &UserId) -> Result<bool, StoreError> {
        let locked = self
            .execute(
                "UPDATE app_user SET version = version + 1 WHERE user_id = $1",
                params![id],
            )
            .await?;
        Ok(locked == 1)
    }

    /// Remembers where the user's mails go.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_mail_address(&mut self, id: &UserId, address: &str) -> Result<(), StoreError> {
        self.execute(
            "UPDATE app_user SET mail_address = $1 WHERE user_id = $2",
            params![address, id],
        )
        .await
        .map(drop)
    }

    /// Remembers the language of the user's mails.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_language(
        &mut self,
        id: &UserId,
        language: Language,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE app_user SET language = $1 WHERE user_id = $2",
            params![language.as_str(), id],
        )
        .await
        .map(drop)
    }

    /// Sets from when on the user may sign in and ask for a token again (R58); `None` for at once.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_reopens_at(
        &mut self,
        id: &UserId,
        reopens_at: Option<UnixMillis>,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE app_user SET reopens_at_ms = $1 WHERE user_id = $2",
            params![reopens_at, id],
        )
        .await
        .map(drop)
    }

    async fn user_and_hashes(
        &mut self,
        id: &UserId,
    ) -> Result<Option<(User, PasswordHashes)>, StoreError> {
        self.query_one(user_where!("user_id = $1"), params![id])
            .await?
            .map(|row| Ok((user_of(&row)?, hashes_of(&row)?)))
            .transpose()
    }
}

/// A user with a token, out of a row of both.
fn with_token_of(row: &Row) -> Result<(User, Option<(Token, Counter)>), StoreError> {
    let token = match row.opt_text("token_id")? {
        Some(_) => Some((token_of(row)?, counter_of(row)?)),
        None => None,
    };
    Ok((user_of(row)?, token))
}

fn users_max() -> i64 {
    i64::try_from(USERS_MAX).unwrap_or(i64::MAX)
}

/// A user out of a row that names the columns of `app_user` as they are.
pub(crate) fn user_of(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_stored(row.text("user_id")?),
        service_id: row.service_id()?,
        contract_id: ContractId::from_stored(row.text("contract_id")?),
        login_id: row.text("login_id")?.to_owned(),
        name: row.text("name")?.to_owned(),
        role: row.word("role", Role::from_name)?,
        language: row.language("language")?,
        mail_address: row.opt_text("mail_address")?.map(str::to_owned),
        disabled: row.bool("disabled")?,
        reopens_at: row.opt_at("reopens_at_ms")?,
    })
}

fn hashes_of(row: &Row) -> Result<PasswordHashes, StoreError> {
    Ok(PasswordHashes {
        password: row.text("password_hash")?.to_owned(),
        confirmation_password: row.text("confirmation_password_hash")?.to_owned(),
    })
}
