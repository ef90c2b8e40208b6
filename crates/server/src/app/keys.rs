//! The keys of the installation: made once on an empty database, proved at every start, and used to seal and open what the
//! database holds (DESIGN of keys: docs/operations.md; R63 to R66).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use warifu_activation::Randomness;
use warifu_activation::server::Setup;
use warifu_core::id::{ServiceId, TokenId};
use warifu_core::oath::Parameters;
use warifu_core::time::UnixMillis;
use warifu_store::{Store, StoredDataKey, Tx};
use warifu_vault::{
    DataKeyId, Place, Root, SEALS_PER_GRANT, SEALS_PER_KEY_MAX, Sealed, Vault, VaultError,
    WrappedKey,
};
use zeroize::Zeroizing;

use super::{App, Failure};
use crate::clock::{random_bytes, system_rng};

pub use warifu_vault::Root as RootKey;

/// Names in the table `installation`.
const KEK: &str = "kek";
const CANARY: &str = "canary";
const SETUP: &str = "activation_setup";
const PEPPER: &str = "password_pepper";

/// The owner of the data key that seals attempts: they may be for services that do not exist. No service id looks so.
const ATTEMPTS: &str = "*";

/// The columns that hold sealed secrets; each fixes what its ciphertext is bound to (R63).
pub(super) enum Column<'a> {
    /// `issuance.sealed_record`
    IssuanceRecord {
        row: &'a str,
        parameters: &'a Parameters,
    },
    /// `attempt.sealed_state`
    AttemptState { row: &'a str },
    /// `bearer.sealed_seed`, bound to the row of its token in `token`
    TokenSeed {
        row: &'a str,
        parameters: &'a Parameters,
    },
    /// `token.sealed_device_key`
    TokenDeviceKey { row: &'a str },
    /// `webhook.sealed_secret`
    WebhookSecret { row: &'a str },
    /// `webhook.sealed_old_secret`
    WebhookOldSecret { row: &'a str },
}

impl Column<'_> {
    fn at<T>(&self, work: impl FnOnce(&Place<'_>) -> T) -> T {
        let (table, column, row, parameters) = match *self {
            Self::IssuanceRecord { row, parameters } => {
                ("issuance", "sealed_record", row, Some(parameters))
            }
            Self::AttemptState { row } => ("attempt", "sealed_state", row, None),
            Self::TokenSeed { row, parameters } => ("token", "sealed_seed", row, Some(parameters)),
            Self::TokenDeviceKey { row } => ("token", "sealed_device_key", row, None),
            Self::WebhookSecret { row } => ("webhook", "sealed_secret", row, None),
            Self::WebhookOldSecret { row } => ("webhook", "sealed_old_secret", row, None),
        };
        let parameters = parameters.copied().map(encoded).unwrap_or_default();
        work(&Place {
            table,
            row,
            column,
            parameters: &parameters,
        })
    }
}

/// `sha256/6/60`: what a seed is good for, so that it cannot be used with other parameters.
fn encoded(parameters: Parameters) -> Vec<u8> {
    format!(
        "{}/{}/{}",
        parameters.algorithm.as_str(),
        parameters.digits,
        parameters.step_s
    )
    .into_bytes()
}

/// Whether keys were made for this database already.
///
/// # Errors
/// [`Failure::Store`].
pub async fn is_installed(store: &Store) -> Result<bool, Failure> {
    Ok(store.read().await?.installation_value(KEK).await?.is_some())
}

/// Proves that `root` is the root key of a database that has keys, and changes nothing.
///
/// # Errors
/// [`Failure::Vault`] when it is not (R66); [`Failure::Store`].
pub async fn prove(store: &Store, root: &Root) -> Result<(), Failure> {
    let mut tx = store.read().await?;
    let vault = Vault::open_with(root, &value(&mut tx, KEK).await?)?;
    Ok(vault.check_canary(&Sealed::from_stored(value(&mut tx, CANARY).await?))?)
}

/// The root key of an installation: read from its file; made, with mode 0400, only beside a database that is empty.
///
/// # Errors
/// [`Failure::Vault`] when the file is missing beside existing data, readable by others, or no key (R66).
pub async fn root_key(store: &Store, path: &Path) -> Result<Root, Failure> {
    let installed = store.read().await?.installation_value(KEK).await?.is_some();
    if !installed && !path.exists() {
        return Ok(Root::create(path, &mut system_rng())?);
    }
    Ok(Root::load(path)?)
}

/// The opened keys.
pub struct Keys {
    store: Store,
    vault: Vault,
    setup: Setup,
    pepper: Zeroizing<Vec<u8>>,
    /// The data key that seals for each owner, a service id or [`ATTEMPTS`].
    sealing: Mutex<HashMap<String, DataKeyId>>,
}

impl Keys {
    /// Opens the installation's keys, and makes them if the database has none.
    ///
    /// # Errors
    /// [`Failure::Vault`] when the root key is not the one of this database; [`Failure::Store`].
    pub async fn open(store: &Store, root: &Root, now: UnixMillis) -> Result<Self, Failure> {
        if store.read().await?.installation_value(KEK).await?.is_none() {
            install(store, root).await?;
        }
        let mut tx = store.read().await?;
        let vault = Vault::open_with(root, &value(&mut tx, KEK).await?)?;
        vault.check_canary(&Sealed::from_stored(value(&mut tx, CANARY).await?))?;
        let setup = vault.open(
            &installed_at(SETUP),
            &Sealed::from_stored(value(&mut tx, SETUP).await?),
        )?;
        let setup = Setup::from_bytes(&setup)
            .map_err(|_| Failure::fault("the activation key is damaged"))?;
        let pepper = vault.open(
            &installed_at(PEPPER),
            &Sealed::from_stored(value(&mut tx, PEPPER).await?),
        )?;
        drop(tx);
        let keys = Self {
            store: store.clone(),
            vault,
            setup,
            pepper,
            sealing: Mutex::default(),
        };
        keys.load_data_keys().await?;
        keys.ready(ATTEMPTS, now).await?;
        Ok(keys)
    }

    /// The server's half of the activation.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What passwords are hashed with beside their salt (R70).
    pub(super) fn password_pepper(&self) -> &[u8] {
        &self.pepper
    }

    /// Makes sure that secrets of `service_id` can be sealed. To be called before a transaction that seals: what is set
    /// aside for this node must be committed before it is used (R64).
    ///
    /// # Errors
    /// [`Failure::Store`], [`Failure::Vault`].
    pub(super) async fn ready_for(
        &self,
        service_id: &ServiceId,
        now: UnixMillis,
    ) -> Result<(), Failure> {
        self.ready(service_id.as_str(), now).await
    }

    /// The same for attempts.
    ///
    /// # Errors
    /// As [`Keys::ready_for`].
    pub(super) async fn ready_for_attempts(&self, now: UnixMillis) -> Result<(), Failure> {
        self.ready(ATTEMPTS, now).await
    }

    /// Seals a secret of a service for its column.
    ///
    /// # Errors
    /// [`Failure::Vault`] when [`Keys::ready_for`] was not called.
    pub(super) fn seal(
        &self,
        service_id: &ServiceId,
        column: &Column<'_>,
        secret: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        self.seal_of(service_id.as_str(), column, secret)
    }

    /// Seals the state of an attempt.
    ///
    /// # Errors
    /// As [`Keys::seal`].
    pub(super) fn seal_attempt(&self, attempt_id: &str, state: &[u8]) -> Result<Vec<u8>, Failure> {
        self.seal_of(ATTEMPTS, &Column::AttemptState { row: attempt_id }, state)
    }

    fn seal_of(&self, owner: &str, column: &Column<'_>, secret: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(column
            .at(|place| self.vault.seal(owner, place, secret, &mut system_rng()))?
            .into_bytes())
    }

    /// Opens a secret that was found in its column. A data key that another node made meanwhile is fetched.
    ///
    /// # Errors
    /// [`Failure::Vault`] when it was changed or moved.
    pub(super) async fn unseal(
        &self,
        column: &Column<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let sealed = Sealed::from_stored(sealed.to_vec());
        match self.unseal_at_once(column, &sealed) {
            Err(VaultError::UnknownKey) => {
                self.load_data_keys().await?;
                Ok(self.unseal_at_once(column, &sealed)?)
            }
            other => Ok(other?),
        }
    }

    /// The same with the data keys that are known.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] when [`Keys::load_data_keys`] may help; another one when it was changed or moved.
    pub(super) fn unseal_at_once(
        &self,
        column: &Column<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        column.at(|place| self.vault.open(place, sealed))
    }

    /// Opens with every stored data key; none of them seals before it was granted to this node.
    ///
    /// # Errors
    /// [`Failure::Store`], [`Failure::Vault`].
    pub(super) async fn load_data_keys(&self) -> Result<(), Failure> {
        let stored = self.store.read().await?.data_keys().await?;
        for key in stored {
            let id = DataKeyId::from_text(&key.id).ok_or(VaultError::Format)?;
            if !self.lock_sealing().values().any(|sealing| *sealing == id) {
                self.vault.add_data_key(
                    &WrappedKey {
                        id,
                        service_id: key.owner,
                        wrapped: key.wrapped,
                    },
                    0,
                )?;
            }
        }
        // The keys that seal were possibly replaced as their owners' latest: they are looked for again.
        self.lock_sealing().clear();
        Ok(())
    }

    fn lock_sealing(&self) -> std::sync::MutexGuard<'_, HashMap<String, DataKeyId>> {
        self.sealing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ready(&self, owner: &str, now: UnixMillis) -> Result<(), Failure> {
        let sealing = self.lock_sealing().get(owner).copied();
        if sealing.is_some_and(|id| !self.vault.running_low().contains(&id)) {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let latest = tx
            .data_keys()
            .await?
            .into_iter()
            .rfind(|key| key.owner == owner);
        let usable = match latest {
            Some(key)
                if tx
                    .grant_seals(&key.id, SEALS_PER_GRANT, SEALS_PER_KEY_MAX)
                    .await? =>
            {
                Some(key)
            }
            Some(_) | None => None,
        };
        let (key, fresh) = match usable {
            Some(key) => {
                let id = DataKeyId::from_text(&key.id).ok_or(VaultError::Format)?;
                (
                    WrappedKey {
                        id,
                        service_id: key.owner,
                        wrapped: key.wrapped,
                    },
                    false,
                )
            }
            None => (self.vault.new_data_key(owner, &mut system_rng())?, true),
        };
        if fresh {
            let stored = StoredDataKey {
                id: key.id.to_text(),
                owner: owner.to_owned(),
                wrapped: key.wrapped.clone(),
            };
            tx.insert_data_key(&stored, SEALS_PER_GRANT, now).await?;
        }
        tx.commit().await?;
        if sealing == Some(key.id) {
            self.vault.grant(key.id, SEALS_PER_GRANT)?;
        } else {
            self.vault.add_data_key(&key, SEALS_PER_GRANT)?;
            self.lock_sealing().insert(owner.to_owned(), key.id);
        }
        Ok(())
    }
}

impl App {
    /// [`Keys::ready_for`], for the bench's made-up tokens.
    pub(crate) async fn ready_to_seal(&self, service_id: &ServiceId) -> Result<(), Failure> {
        self.keys.ready_for(service_id, self.now()).await
    }

    /// Seals a seed as an activation does, for the bench's made-up tokens.
    pub(crate) fn seal_seed(
        &self,
        service_id: &ServiceId,
        token_id: &TokenId,
        parameters: Parameters,
        seed: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let column = Column::TokenSeed {
            row: token_id.as_str(),
            parameters: &parameters,
        };
        self.keys.seal(service_id, &column, seed)
    }
}

/// Makes the keys of a new installation, in one transaction. Of two nodes that start at once, one wins and the other reads.
async fn install(store: &Store, root: &Root) -> Result<(), Failure> {
    let (vault, kek) = Vault::create(root, &mut system_rng())?;
    let canary = vault.new_canary(&mut system_rng())?;
    let setup = Setup::generate(Randomness::new(random_bytes())).to_bytes();
    let setup = vault.seal_for_installation(&installed_at(SETUP), &setup, &mut system_rng())?;
    let pepper = Zeroizing::new(random_bytes::<32>());
    let pepper =
        vault.seal_for_installation(&installed_at(PEPPER), pepper.as_slice(), &mut system_rng())?;
    let mut tx = store.begin().await?;
    if !tx.insert_installation_value(KEK, &kek).await? {
        return Ok(());
    }
    tx.insert_installation_value(CANARY, canary.as_bytes())
        .await?;
    tx.insert_installation_value(SETUP, setup.as_bytes())
        .await?;
    tx.insert_installation_value(PEPPER, pepper.as_bytes())
        .await?;
    Ok(tx.commit().await?)
}

async fn value(tx: &mut Tx, name: &str) -> Result<Vec<u8>, Failure> {
    tx.installation_value(name)
        .await?
        .ok_or(Failure::fault("a key of the installation is missing"))
}

fn installed_at(name: &'static str) -> Place<'static> {
    Place {
        table: "installation",
        row: name,
        column: "value",
        parameters: &[],
    }
}
