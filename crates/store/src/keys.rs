//! Named values of the installation and the wrapped data keys. All of them come sealed or wrapped; what they mean is the
//! vault's business.

use warifu_core::time::UnixMillis;

use crate::limits::DATA_KEYS_MAX;
use crate::{StoreError, Tx, params};

/// A wrapped data key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredDataKey {
    /// Names the key: 32 hexadecimal digits.
    pub id: String,
    /// Whose secrets it seals: a service id, or a name that no service can have.
    pub owner: String,
    /// The key, wrapped by the vault.
    pub wrapped: Vec<u8>,
}

impl Tx {
    /// The value of this name.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn installation_value(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.query_one(
            "SELECT value FROM installation WHERE name = $1",
            params![name],
        )
        .await?
        .map(|row| row.blob("value").map(<[u8]>::to_vec))
        .transpose()
    }

    /// Keeps a value under a name; `false` when the name has one, which then stays.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn insert_installation_value(
        &mut self,
        name: &str,
        value: &[u8],
    ) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                params![name, value],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// All data keys in the order they were made, at most [`DATA_KEYS_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn data_keys(&mut self) -> Result<Vec<StoredDataKey>, StoreError> {
        self.query(
            "SELECT data_key_id, owner, wrapped FROM data_key ORDER BY created_at_ms, data_key_id LIMIT $1",
            params![DATA_KEYS_MAX],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(StoredDataKey {
                id: row.text("data_key_id")?.to_owned(),
                owner: row.text("owner")?.to_owned(),
                wrapped: row.blob("wrapped")?.to_vec(),
            })
        })
        .collect()
    }

    /// Keeps a wrapped data key, with so many seals handed out to the node that made it; `false` when the id is taken, and
    /// the key there stays.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn insert_data_key(
        &mut self,
        key: &StoredDataKey,
        seals_granted: u32,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO data_key (data_key_id, owner, wrapped, seals_granted, created_at_ms)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (data_key_id) DO NOTHING",
                params![
                    &key.id,
                    &key.owner,
                    key.wrapped.as_slice(),
                    i64::from(seals_granted),
                    now
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Hands out so many more seals of a data key (R64); `false` when it would have more than `seals_max` then, or does not
    /// exist.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn grant_seals(
        &mut self,
        data_key_id: &str,
        seals: u32,
        seals_max: u32,
    ) -> Result<bool, StoreError> {
        let granted = self
            .execute(
                "UPDATE data_key SET seals_granted = seals_granted + $1 WHERE data_key_id = $2 AND seals_granted <= $3",
                params![i64::from(seals), data_key_id, i64::from(seals_max) - i64::from(seals)],
            )
            .await?;
        Ok(granted == 1)
    }
}
