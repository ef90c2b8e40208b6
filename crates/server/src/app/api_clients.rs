//! The clients of the API and their keys: made, listed, rotated, withdrawn (J10). Each act leaves an audit event.

mod caller;
mod key;

use warifu_core::audit::{Action, Origin};
use warifu_core::id::{ClientId, ContractId, ServiceId};
use warifu_core::relying::{
    Client, KEYS_PER_CLIENT_MAX, NAME_MAX, REQUESTS_PER_S_MAX, Scope, Scopes, key_is_good,
};
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;
use warifu_store::{StoreError, StoredKey, Tx};

pub use caller::{ApiCaller, Counted};
pub use key::ApiKey;

pub(super) use caller::SeenKeys;

use super::{App, Failure, Record};
use crate::clock::system_rng;
use crate::networks::Networks;

/// A client to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientPlan {
    /// Its name; one client of each.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The one service it may act on; `None` for all, or for that of the contract.
    pub service_id: Option<ServiceId>,
    /// The one contract it may act on, by its id, or by its name at the service; `None` for all.
    pub contract: Option<String>,
    /// Where it may call from; empty for anywhere.
    pub networks: Networks,
    /// Requests a second; 0 for no limit.
    pub requests_per_s: u32,
    /// When its first key ends; `None` for never.
    pub expires_at: Option<UnixMillis>,
}

/// A client with its keys, those that ended included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedClient {
    /// The client.
    pub client: Client,
    /// Its keys, the newest first.
    pub keys: Vec<StoredKey>,
}

/// Why a client or key was not made or changed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An empty or long name, or one that does not print.
    #[error("the name needs 1 to {NAME_MAX} characters that can be seen")]
    Name,
    /// There is one of this name.
    #[error("there is a client named {0:?} already")]
    NameTaken(String),
    /// No scope.
    #[error("a client needs at least one scope: {}", Scopes::all())]
    NoScope,
    /// Events are of a whole service.
    #[error(
        "the events of a service are not for a client of one contract: leave out `events`, or the contract"
    )]
    EventsOfContract,
    /// A rate that cannot be.
    #[error("at most {REQUESTS_PER_S_MAX} requests a second; 0 for no limit")]
    Rate,
    /// Something that is no network.
    #[error("the networks {0}")]
    Networks(String),
    /// No such service.
    #[error("there is no service {0}")]
    Service(ServiceId),
    /// No such contract.
    #[error(
        "there is no contract {0:?} at this service; by its name it is only found together with its service"
    )]
    Contract(String),
    /// No such client.
    #[error("there is no client named {0:?}")]
    Unknown(String),
    /// No such key.
    #[error("the client has no key {0} that is good")]
    UnknownKey(String),
    /// Too many good keys.
    #[error("the client has {KEYS_PER_CLIENT_MAX} good keys already: withdraw one first")]
    TooManyKeys,
    /// The database, or a fault of ours.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl ClientPlan {
    fn check(&self) -> Result<(), ClientError> {
        let length = self.name.chars().count();
        if !(1..=NAME_MAX).contains(&length)
            || self.name.trim() != self.name
            || self.name.chars().any(char::is_control)
        {
            return Err(ClientError::Name);
        }
        if self.scopes.is_empty() {
            return Err(ClientError::NoScope);
        }
        if self.contract.is_some() && self.scopes.contain(Scope::Events) {
            return Err(ClientError::EventsOfContract);
        }
        if self.requests_per_s > REQUESTS_PER_S_MAX {
            return Err(ClientError::Rate);
        }
        Ok(())
    }
}

impl App {
    /// Makes a client with its first key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_api_client(
        &self,
        plan: &ClientPlan,
        key: &ApiKey,
    ) -> Result<Client, ClientError> {
        plan.check()?;
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let (service_id, contract_id) = limits_of(&mut tx, plan).await?;
        if tx.api_client_by_name(&plan.name).await?.is_some() {
            return Err(ClientError::NameTaken(plan.name.clone()));
        }
        let client = Client {
            id: ClientId::new(now, &mut system_rng()),
            name: plan.name.clone(),
            service_id,
            contract_id,
            scopes: plan.scopes,
            networks: plan.networks.to_string(),
            requests_per_s: plan.requests_per_s,
            disabled: false,
            created_at: now,
            version: 1,
        };
        match tx.insert_api_client(&client).await {
            Err(error) if error.is_duplicate() => {
                return Err(ClientError::NameTaken(plan.name.clone()));
            }
            other => other?,
        }
        self.add_key(&mut tx, &client, key, plan.expires_at, now)
            .await?;
        recorded(&mut tx, &client, Action::CreateApiClient, None, now).await?;
        tx.commit().await?;
        Ok(client)
    }

    /// Makes the client of this name with this key, or gives the one that is there the key where it has not got it: a start that
    /// was cut off may be done again.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::Fault`] for a plan that cannot be.
    pub async fn keep_api_client(&self, plan: &ClientPlan, key: &ApiKey) -> Result<(), Failure> {
        let found = {
            let mut tx = self.store.read().await?;
            if tx.api_key(key.id()).await?.is_some() {
                return Ok(());
            }
            tx.api_client_by_name(&plan.name).await?
        };
        let kept = match found {
            Some(client) => {
                let overlap_ms = 0;
                self.rotate_api_key(&client.name, key, plan.expires_at, overlap_ms)
                    .await
            }
            None => self.create_api_client(plan, key).await,
        };
        match kept {
            Ok(_) => Ok(()),
            Err(ClientError::Failure(failure)) => Err(failure),
            Err(_) => Err(Failure::fault("the plan of a client cannot be")),
        }
    }

    /// All clients, by their names.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn api_clients(&self) -> Result<Vec<ListedClient>, Failure> {
        let mut tx = self.store.read().await?;
        let mut listed = Vec::new();
        for client in tx.api_clients().await? {
            let keys = tx.api_keys_of(&client.id).await?;
            listed.push(ListedClient { client, keys });
        }
        Ok(listed)
    }

    /// Gives a client a new key. Its other keys stay good for `overlap_ms` from now, so that the client can be changed over
    /// without a moment in which none is.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], [`ClientError::TooManyKeys`], [`ClientError::Failure`].
    pub async fn rotate_api_key(
        &self,
        name: &str,
        key: &ApiKey,
        expires_at: Option<UnixMillis>,
        overlap_ms: i64,
    ) -> Result<Client, ClientError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let client = locked(&mut tx, name).await?;
        let good = good_keys(&mut tx, &client, now).await?;
        if good.len() >= KEYS_PER_CLIENT_MAX {
            return Err(ClientError::TooManyKeys);
        }
        for old in &good {
            tx.end_api_key(&old.id, now.plus_ms(overlap_ms)).await?;
        }
        self.add_key(&mut tx, &client, key, expires_at, now).await?;
        recorded(&mut tx, &client, Action::RotateApiKey, Some(key.id()), now).await?;
        tx.commit().await?;
        Ok(client)
    }

    /// Ends a key of a client at once, on every node.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], [`ClientError::UnknownKey`], [`ClientError::Failure`].
    pub async fn withdraw_api_key(&self, name: &str, key_id: &str) -> Result<(), ClientError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let client = locked(&mut tx, name).await?;
        let good = good_keys(&mut tx, &client, now).await?;
        if !good.iter().any(|key| key.id == key_id) {
            return Err(ClientError::UnknownKey(key_id.to_owned()));
        }
        tx.end_api_key(key_id, now).await?;
        recorded(&mut tx, &client, Action::WithdrawApiKey, Some(key_id), now).await?;
        Ok(tx.commit().await?)
    }

    /// Disables a client at once, on every node, or brings it back. Asking twice is as good as once.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], [`ClientError::Failure`].
    pub async fn set_api_client_disabled(
        &self,
        name: &str,
        disabled: bool,
    ) -> Result<(), ClientError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let client = locked(&mut tx, name).await?;
        if tx.set_api_client_disabled(&client.id, disabled).await? {
            let action = if disabled {
                Action::DisableApiClient
            } else {
                Action::EnableApiClient
            };
            recorded(&mut tx, &client, action, None, now).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn add_key(
        &self,
        tx: &mut Tx,
        client: &Client,
        key: &ApiKey,
        expires_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<(), Failure> {
        let stored = StoredKey {
            id: key.id().to_owned(),
            client_id: client.id.clone(),
            hash: key.hash(),
            created_at: now,
            expires_at,
            used_at: None,
        };
        if tx.insert_api_key(&stored).await? {
            Ok(())
        } else {
            Err(Failure::fault("two keys of one name were drawn"))
        }
    }
}

/// What a plan limits a client to: the service it names, or that of its contract, and the contract; both must be there.
async fn limits_of(
    tx: &mut Tx,
    plan: &ClientPlan,
) -> Result<(Option<ServiceId>, Option<ContractId>), ClientError> {
    let service_id = plan.service_id.as_ref();
    if let Some(id) = service_id
        && tx.service(id).await?.is_none()
    {
        return Err(ClientError::Service(id.clone()));
    }
    let Some(named) = &plan.contract else {
        return Ok((service_id.cloned(), None));
    };
    let by_id = tx.contract(&ContractId::from_stored(named)).await?;
    let found = match (by_id, service_id) {
        (None, Some(id)) => tx.contract_by_name(id, named).await?,
        (found, _) => found,
    };
    found
        .filter(|contract| service_id.is_none_or(|id| *id == contract.service_id))
        .map(|contract| (Some(contract.service_id), Some(contract.id)))
        .ok_or_else(|| ClientError::Contract(named.clone()))
}

/// The client of a name, taken for the rest of the transaction.
async fn locked(tx: &mut Tx, name: &str) -> Result<Client, ClientError> {
    let unknown = || ClientError::Unknown(name.to_owned());
    let client = tx.api_client_by_name(name).await?.ok_or_else(unknown)?;
    if tx.lock_api_client(&client.id).await? {
        Ok(client)
    } else {
        Err(unknown())
    }
}

async fn good_keys(
    tx: &mut Tx,
    client: &Client,
    now: UnixMillis,
) -> Result<Vec<StoredKey>, StoreError> {
    let mut keys = tx.api_keys_of(&client.id).await?;
    keys.retain(|key| key_is_good(key.expires_at, now));
    Ok(keys)
}

/// The event of an administrative act, about the client or one of its keys.
async fn recorded(
    tx: &mut Tx,
    client: &Client,
    action: Action,
    key_id: Option<&str>,
    now: UnixMillis,
) -> Result<(), Failure> {
    let origin = Origin::default();
    let record = Record {
        now,
        service_id: client.service_id.as_ref(),
        actor: &Actor::System,
        origin: &origin,
    };
    let target = key_id.map_or(("client", client.id.as_str()), |id| ("key", id));
    record.write(tx, action, target, "done").await
}
