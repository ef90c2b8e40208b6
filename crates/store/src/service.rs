//! Services, the tenants. Their policy is kept as JSON.

use std::cell::RefCell;
use std::collections::VecDeque;

use warifu_core::id::ServiceId;
use warifu_core::service::{Policy, Service};
use warifu_core::time::UnixMillis;

use crate::limits::{POLICIES_KNOWN_MAX, SERVICES_MAX};
use crate::mapping::at_most;
use crate::{Row, StoreError, Tx, params};

impl Tx {
    /// Adds a service.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when the id is taken; else as [`Tx::query`].
    pub async fn insert_service(
        &mut self,
        service: &Service,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let policy = serde_json::to_string(&service.policy)
            .map_err(|_| StoreError::Statement("the policy is no JSON".to_owned()))?;
        self.execute(
            "INSERT INTO service (service_id, name_ja, name_en, time_zone, help_desk, policy, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                &service.id,
                &service.name_ja,
                &service.name_en,
                &service.time_zone,
                &service.help_desk,
                policy,
                now
            ],
        )
        .await
        .map(drop)
    }

    /// The service of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn service(&mut self, id: &ServiceId) -> Result<Option<Service>, StoreError> {
        self.query_one(
            "SELECT service_id, name_ja, name_en, time_zone, help_desk, policy FROM service WHERE service_id = $1",
            params![id],
        )
        .await?
        .as_ref()
        .map(service_of)
        .transpose()
    }

    /// All services by their ids, at most [`SERVICES_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn services(&mut self) -> Result<Vec<Service>, StoreError> {
        self.services_after("", SERVICES_MAX).await
    }

    /// Up to `limit` services whose ids come after `after`, in the order of the ids.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn services_after(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Service>, StoreError> {
        self.query(
            "SELECT service_id, name_ja, name_en, time_zone, help_desk, policy
             FROM service WHERE service_id > $1 ORDER BY service_id LIMIT $2",
            params![after, at_most(limit)],
        )
        .await?
        .iter()
        .map(service_of)
        .collect()
    }
}

/// A service out of the columns that both queries above and the one of a session select.
pub(crate) fn service_of(row: &Row) -> Result<Service, StoreError> {
    let policy = policy_of(row)?;
    Ok(Service {
        id: row.service_id()?,
        name_ja: row.text("name_ja")?.to_owned(),
        name_en: row.text("name_en")?.to_owned(),
        time_zone: row.text("time_zone")?.to_owned(),
        help_desk: row.text("help_desk")?.to_owned(),
        policy,
    })
}

thread_local! {
    /// The policies that this thread read last, with their texts: each batch of verifications reads those of its services.
    static POLICIES: RefCell<VecDeque<(String, Policy)>> = const { RefCell::new(VecDeque::new()) };
}

/// The policy out of a row with the column `policy`.
pub(crate) fn policy_of(row: &Row) -> Result<Policy, StoreError> {
    let text = row.text("policy")?;
    POLICIES.with_borrow_mut(|known| {
        if let Some((_, policy)) = known.iter().find(|(known, _)| known == text) {
            return Ok(policy.clone());
        }
        let policy: Policy =
            serde_json::from_str(text).map_err(|_| row.refuse("policy", "holds no policy"))?;
        known.truncate(POLICIES_KNOWN_MAX - 1);
        known.push_front((text.to_owned(), policy.clone()));
        Ok(policy)
    })
}
