//! Clients of the API and their keys (J10). Never here: a key, only its hash.

use warifu_core::id::{ClientId, ContractId};
use warifu_core::relying::{Client, Scopes};
use warifu_core::time::UnixMillis;

use crate::limits::{API_CLIENTS_MAX, API_KEYS_MAX};
use crate::{Row, StoreError, Tx, params};

/// A key as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The public part of the key.
    pub id: String,
    /// Whose it is.
    pub client_id: ClientId,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends; a key that was withdrawn ended then. `None` for never.
    pub expires_at: Option<UnixMillis>,
    /// When it was last used, to a minute; `None` for never.
    pub used_at: Option<UnixMillis>,
}

/// Whether a key is still what it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStanding {
    /// The public part of the key.
    pub key_id: String,
    /// The version of its client.
    pub client_version: i64,
    /// Whether the client is disabled.
    pub disabled: bool,
    /// When the key ends; `None` for never.
    pub expires_at: Option<UnixMillis>,
}

/// Rows of `api_client`, found by the rest.
macro_rules! client_rows {
    ($rest:literal) => {
        concat!(
            "SELECT client_id, name, service_id, contract_id, scopes, networks, requests_per_s, disabled, created_at_ms, version
             FROM api_client ",
            $rest
        )
    };
}

/// Whether a key is still what it was; read with each batch of verifications.
pub(crate) const KEY_STANDING: &str = "SELECT k.key_id, k.expires_at_ms, c.disabled, c.version
     FROM api_key k JOIN api_client c ON c.client_id = k.client_id
     WHERE k.key_id = $1";

/// The standing out of a row of [`KEY_STANDING`].
pub(crate) fn standing_of(row: &Row) -> Result<KeyStanding, StoreError> {
    Ok(KeyStanding {
        key_id: row.text("key_id")?.to_owned(),
        client_version: row.int("version")?,
        disabled: row.bool("disabled")?,
        expires_at: row.opt_at("expires_at_ms")?,
    })
}

impl Tx {
    /// Adds a client, at version 1.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when the name is taken; else as [`Tx::query`].
    pub async fn insert_api_client(&mut self, client: &Client) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO api_client (client_id, name, service_id, contract_id, scopes, networks, requests_per_s, disabled,
                 created_at_ms, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)",
            params![
                &client.id,
                &client.name,
                client.service_id.as_ref(),
                client.contract_id.as_ref(),
                client.scopes.to_string(),
                &client.networks,
                client.requests_per_s,
                client.disabled,
                client.created_at
            ],
        )
        .await
        .map(drop)
    }

    /// All clients by their names, at most [`API_CLIENTS_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn api_clients(&mut self) -> Result<Vec<Client>, StoreError> {
        self.query(
            client_rows!("ORDER BY name LIMIT $1"),
            params![API_CLIENTS_MAX],
        )
        .await?
        .iter()
        .map(client_of)
        .collect()
    }

    /// The client of this name.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn api_client_by_name(&mut self, name: &str) -> Result<Option<Client>, StoreError> {
        self.query_one(client_rows!("WHERE name = $1"), params![name])
            .await?
            .as_ref()
            .map(client_of)
            .transpose()
    }

    /// Takes the client for the rest of the transaction and raises its version, so that whoever remembered it reads it anew.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn lock_api_client(&mut self, id: &ClientId) -> Result<bool, StoreError> {
        let locked = self
            .execute(
                "UPDATE api_client SET version = version + 1 WHERE client_id = $1",
                params![id],
            )
            .await?;
        Ok(locked == 1)
    }

    /// Disables a client, or brings it back; `false` when it was so already.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_api_client_disabled(
        &mut self,
        id: &ClientId,
        disabled: bool,
    ) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE api_client SET disabled = $1, version = version + 1 WHERE client_id = $2 AND disabled <> $1",
                params![disabled, id],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Adds a key; `false` when there is one of this id already.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn insert_api_key(&mut self, key: &StoredKey) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO api_key (key_id, client_id, key_hash, created_at_ms, expires_at_ms, used_at_ms)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (key_id) DO NOTHING",
                params![
                    &key.id,
                    &key.client_id,
                    &key.hash,
                    key.created_at,
                    key.expires_at,
                    key.used_at
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// The keys of a client, the newest first, at most [`API_KEYS_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn api_keys_of(&mut self, id: &ClientId) -> Result<Vec<StoredKey>, StoreError> {
        self.query(
            "SELECT key_id, client_id, key_hash, created_at_ms AS key_created_at_ms, expires_at_ms, used_at_ms
             FROM api_key WHERE client_id = $1 ORDER BY created_at_ms DESC, key_id LIMIT $2",
            params![id, API_KEYS_MAX],
        )
        .await?
        .iter()
        .map(key_of)
        .collect()
    }

    /// The key of this id, with its client.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn api_key(
        &mut self,
        key_id: &str,
    ) -> Result<Option<(StoredKey, Client)>, StoreError> {
        self.query_one(
            "SELECT k.key_id, k.key_hash, k.created_at_ms AS key_created_at_ms, k.expires_at_ms, k.used_at_ms,
                 c.client_id, c.name, c.service_id, c.contract_id, c.scopes, c.networks, c.requests_per_s, c.disabled,
                 c.created_at_ms, c.version
             FROM api_key k JOIN api_client c ON c.client_id = k.client_id
             WHERE k.key_id = $1",
            params![key_id],
        )
        .await?
        .map(|row| Ok((key_of(&row)?, client_of(&row)?)))
        .transpose()
    }

    /// Ends a key at `at`, unless it ends before that; `false` when it does, or is not there.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn end_api_key(&mut self, key_id: &str, at: UnixMillis) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE api_key SET expires_at_ms = $1
                 WHERE key_id = $2 AND (expires_at_ms IS NULL OR expires_at_ms > $1)",
                params![at, key_id],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Remembers when keys were last used; an earlier time does not take the place of a later one.
    ///
    /// # Errors
    /// As [`Tx::execute_each`].
    pub async fn touch_api_keys(
        &mut self,
        uses: &[(String, UnixMillis)],
    ) -> Result<(), StoreError> {
        self.execute_each(
            "UPDATE api_key SET used_at_ms = $1 WHERE key_id = $2 AND (used_at_ms IS NULL OR used_at_ms < $1)",
            uses.iter()
                .map(|(key_id, at)| params![*at, key_id])
                .collect(),
        )
        .await
        .map(drop)
    }
}

fn client_of(row: &Row) -> Result<Client, StoreError> {
    let service_id = match row.opt_text("service_id")? {
        Some(_) => Some(row.service_id()?),
        None => None,
    };
    Ok(Client {
        id: ClientId::from_stored(row.text("client_id")?),
        name: row.text("name")?.to_owned(),
        service_id,
        contract_id: row.opt_text("contract_id")?.map(ContractId::from_stored),
        scopes: row.word("scopes", |words| Scopes::parse(words).ok())?,
        networks: row.text("networks")?.to_owned(),
        requests_per_s: row.number("requests_per_s")?,
        disabled: row.bool("disabled")?,
        created_at: row.at("created_at_ms")?,
        version: row.int("version")?,
    })
}

fn key_of(row: &Row) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        id: row.text("key_id")?.to_owned(),
        client_id: ClientId::from_stored(row.text("client_id")?),
        hash: row.hash("key_hash")?,
        created_at: row.at("key_created_at_ms")?,
        expires_at: row.opt_at("expires_at_ms")?,
        used_at: row.opt_at("used_at_ms")?,
    })
}
