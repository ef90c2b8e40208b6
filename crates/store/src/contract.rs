//! Contracts: companies at a service.

use warifu_core::contract::Contract;
use warifu_core::id::{ContractId, ServiceId};
use warifu_core::time::UnixMillis;

use crate::mapping::at_most;
use crate::{Row, StoreError, Tx, params};

impl Tx {
    /// Adds a contract.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when the service has a contract of this id or name; else as [`Tx::query`].
    pub async fn insert_contract(
        &mut self,
        contract: &Contract,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO contract (contract_id, service_id, name, created_at_ms) VALUES ($1, $2, $3, $4)",
            params![&contract.id, &contract.service_id, &contract.name, now],
        )
        .await
        .map(drop)
    }

    /// The contract of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn contract(&mut self, id: &ContractId) -> Result<Option<Contract>, StoreError> {
        self.query_one(
            "SELECT contract_id, service_id, name FROM contract WHERE contract_id = $1",
            params![id],
        )
        .await?
        .as_ref()
        .map(contract_of)
        .transpose()
    }

    /// Up to `limit` contracts of a service whose ids come after `after`, in the order of the ids.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn contracts_after(
        &mut self,
        service_id: &ServiceId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Contract>, StoreError> {
        self.query(
            "SELECT contract_id, service_id, name FROM contract WHERE service_id = $1 AND contract_id > $2
             ORDER BY contract_id LIMIT $3",
            params![service_id, after, at_most(limit)],
        )
        .await?
        .iter()
        .map(contract_of)
        .collect()
    }

    /// The contract of exactly this name at a service.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn contract_by_name(
        &mut self,
        service_id: &ServiceId,
        name: &str,
    ) -> Result<Option<Contract>, StoreError> {
        self.query_one(
            "SELECT contract_id, service_id, name FROM contract WHERE service_id = $1 AND name = $2",
            params![service_id, name],
        )
        .await?
        .as_ref()
        .map(contract_of)
        .transpose()
    }
}

fn contract_of(row: &Row) -> Result<Contract, StoreError> {
    Ok(Contract {
        id: ContractId::from_stored(row.text("contract_id")?),
        service_id: row.service_id()?,
        name: row.text("name")?.to_owned(),
    })
}
