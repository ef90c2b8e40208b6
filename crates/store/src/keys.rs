//! Named values of the installation and the wrapped data keys. All of them come sealed or wrapped; what they mean is the
//! vault's business.

use warifu_core::id::ServiceId;
use warifu_core::time::UnixMillis;

use crate::limits::DATA_KEYS_MAX;
use crate::{StoreError, Tx, params};

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

    /// All data keys, each as its id, its service and the wrapped key, by their ids; at most [`DATA_KEYS_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn data_keys(&mut self) -> Result<Vec<(String, ServiceId, Vec<u8>)>, StoreError> {
        self.query(
            "SELECT data_key_id, service_id, wrapped FROM data_key ORDER BY data_key_id LIMIT $1",
            params![DATA_KEYS_MAX],
        )
        .await?
        .iter()
        .map(|row| {
            Ok((
                row.text("data_key_id")?.to_owned(),
                row.service_id()?,
                row.blob("wrapped")?.to_vec(),
            ))
        })
        .collect()
    }

    /// Keeps a wrapped data key of a service that exists; `false` when the id is taken, and the key there stays.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn insert_data_key(
        &mut self,
        data_key_id: &str,
        service_id: &ServiceId,
        wrapped: &[u8],
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let inserted = self
            .execute(
                "INSERT INTO data_key (data_key_id, service_id, wrapped, created_at_ms) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (data_key_id) DO NOTHING",
                params![data_key_id, service_id, wrapped, now],
            )
            .await?;
        Ok(inserted == 1)
    }
}
