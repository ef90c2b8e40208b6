//! The common ground of the queries: how ids, times and words of the core become parameters and come out of rows, and how
//! many rows are worked off one by one. Never here: a statement of its own.

use warifu_core::id::{
    AuditId, ClientId, ContractId, DeliveryId, IssuanceId, MailId, OperatorId, ServiceId, TokenId,
    TokenUserId, UserId, WebhookId,
};
use warifu_core::oath::{Algorithm, Parameters};
use warifu_core::time::UnixMillis;
use warifu_core::user::Language;

use crate::limits::EACH_MAX;
use crate::{Row, StoreError, Tx, Value};

macro_rules! ids_as_parameters {
    ($($id:ty),+ $(,)?) => {$(
        impl From<&$id> for Value {
            fn from(id: &$id) -> Self {
                id.as_str().into()
            }
        }

        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                String::from(id).into()
            }
        }
    )+};
}

ids_as_parameters! {
    AuditId, ClientId, ContractId, DeliveryId, IssuanceId, MailId, OperatorId, ServiceId, TokenId, TokenUserId, UserId, WebhookId
}

impl From<UnixMillis> for Value {
    fn from(at: UnixMillis) -> Self {
        at.0.into()
    }
}

impl Row {
    /// A point in time.
    pub(crate) fn at(&self, column: &str) -> Result<UnixMillis, StoreError> {
        self.int(column).map(UnixMillis)
    }

    /// A point in time, or `None` for NULL.
    pub(crate) fn opt_at(&self, column: &str) -> Result<Option<UnixMillis>, StoreError> {
        Ok(self.opt_int(column)?.map(UnixMillis))
    }

    /// A word of a closed list.
    pub(crate) fn word<T>(
        &self,
        column: &str,
        of_name: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        of_name(self.text(column)?).ok_or_else(|| self.refuse(column, "holds an unknown word"))
    }

    /// SHA-256 of something.
    pub(crate) fn hash(&self, column: &str) -> Result<[u8; 32], StoreError> {
        self.opt_hash(column)?
            .ok_or_else(|| self.refuse(column, "is NULL"))
    }

    /// SHA-256 of something, or `None` for NULL.
    pub(crate) fn opt_hash(&self, column: &str) -> Result<Option<[u8; 32]>, StoreError> {
        self.opt_blob(column)?
            .map(|bytes| {
                bytes
                    .try_into()
                    .map_err(|_| self.refuse(column, "is not a hash of 32 bytes"))
            })
            .transpose()
    }

    /// The service id in `service_id`.
    pub(crate) fn service_id(&self) -> Result<ServiceId, StoreError> {
        self.word("service_id", |text| ServiceId::exact(text).ok())
    }

    /// The token user id in `token_user_id`.
    pub(crate) fn token_user_id(&self) -> Result<TokenUserId, StoreError> {
        self.word("token_user_id", |text| TokenUserId::parse(text).ok())
    }

    /// A language tag.
    pub(crate) fn language(&self, column: &str) -> Result<Language, StoreError> {
        self.word(column, Language::from_tag)
    }

    /// How codes are computed, in `algorithm`, `digits` and `step_s`.
    pub(crate) fn parameters(&self) -> Result<Parameters, StoreError> {
        Ok(Parameters {
            algorithm: self.word("algorithm", Algorithm::from_name)?,
            digits: self.number("digits")?,
            step_s: self.number("step_s")?,
        })
    }
}

/// The number of rows that a caller asked for, within what one call does.
pub(crate) fn at_most(limit: u32) -> i64 {
    i64::from(limit).min(i64::try_from(EACH_MAX).unwrap_or(i64::MAX))
}

impl Tx {
    /// Runs `act` on each row that `find` names and gives the number of rows changed. `act` takes the row's `key` as `$1`
    /// and `more` after it.
    ///
    /// One by one and in the order found: two nodes that sweep at once wait for each other and never in a circle. `act`
    /// repeats the condition on what may have changed meanwhile, for the second one reads what the first has written.
    pub(crate) async fn sweep(
        &mut self,
        find: &'static str,
        params: Vec<Value>,
        key: &str,
        act: &'static str,
        more: &[Value],
    ) -> Result<u64, StoreError> {
        let rows = self.query(find, params).await?;
        let batch = rows
            .iter()
            .map(|row| {
                let mut params = vec![row.cell(key)?.clone()];
                params.extend_from_slice(more);
                Ok(params)
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(self.execute_each(act, batch).await?.iter().sum())
    }
}
