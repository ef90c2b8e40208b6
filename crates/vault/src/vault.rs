//! The keys of one installation, in use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::key::{DataKeyId, Key, random_key};
use crate::place::parts;
use crate::{Place, Root, SEALS_PER_GRANT, SEALS_PER_KEY_MAX, Sealed, VaultError};

const CANARY: &[u8] = b"warifu canary";

/// The opened keys of one installation. Shared by all tasks; sealing and opening take a read lock only.
pub struct Vault {
    installation: Key,
    services: RwLock<Services>,
}

#[derive(Default)]
struct Services {
    by_id: HashMap<DataKeyId, Arc<DataKey>>,
    /// The key that seals for a service: the one added last.
    current: HashMap<String, Arc<DataKey>>,
}

struct DataKey {
    key: Key,
    /// Seals that are granted and not used up.
    granted: AtomicU32,
}

/// A data key as it is stored: useless without the root.
pub struct WrappedKey {
    /// Names the key.
    pub id: DataKeyId,
    /// The service whose secrets it seals.
    pub service_id: String,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
}

impl Vault {
    /// Makes the keys of a new installation. The second value is the wrapped key-encryption key, to be stored and given
    /// to [`Vault::open_with`] at every start.
    ///
    /// # Errors
    /// None that occurs in practice; see [`VaultError::Format`].
    pub fn create(root: &Root, rng: &mut impl CryptoRng) -> Result<(Self, Vec<u8>), VaultError> {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let bytes = random_key(rng);
        let wrapped = root
            .key
            .seal(|header| kek_data(header, &id), bytes.as_slice(), rng)?;
        let stored = [&id, wrapped.as_slice()].concat();
        Ok((Self::with(Key::new(DataKeyId(id), &bytes)), stored))
    }

    /// Opens the keys of an existing installation: `kek_wrapped` as [`Vault::create`] gave it. Data keys are added with
    /// [`Vault::add_data_key`].
    ///
    /// # Errors
    /// [`VaultError::WrongRoot`] when the root is not the one it was wrapped with (R66), [`VaultError::Format`].
    pub fn open_with(root: &Root, kek_wrapped: &[u8]) -> Result<Self, VaultError> {
        let (id, wrapped) = kek_wrapped.split_at_checked(16).ok_or(VaultError::Format)?;
        let id: [u8; 16] = id.try_into().map_err(|_| VaultError::Format)?;
        let bytes = root
            .key
            .unwrap_key(|header| kek_data(header, &id), wrapped)
            .map_err(|error| match error {
                VaultError::Refused => VaultError::WrongRoot,
                other => other,
            })?;
        Ok(Self::with(Key::new(DataKeyId(id), &bytes)))
    }

    fn with(installation: Key) -> Self {
        Self {
            installation,
            services: RwLock::default(),
        }
    }

    /// A value that only this installation's keys open; stored once, checked at every start.
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn new_canary(&self, rng: &mut impl CryptoRng) -> Result<Sealed, VaultError> {
        self.seal_for_installation(&canary_place(), CANARY, rng)
    }

    /// Proves that the keys are those of the database the canary was read from.
    ///
    /// # Errors
    /// [`VaultError::WrongRoot`].
    pub fn check_canary(&self, canary: &Sealed) -> Result<(), VaultError> {
        match self.open(&canary_place(), canary) {
            Ok(opened) if opened.as_slice() == CANARY => Ok(()),
            _ => Err(VaultError::WrongRoot),
        }
    }

    /// Makes a data key for a service. It is to be stored, and seals after [`Vault::add_data_key`].
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn new_data_key(
        &self,
        service_id: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<WrappedKey, VaultError> {
        let mut id = DataKeyId([0; 16]);
        rng.fill_bytes(&mut id.0);
        let bytes = random_key(rng);
        let associate = |header: &[u8]| data_key_data(header, id, service_id);
        let wrapped = self.installation.seal(associate, bytes.as_slice(), rng)?;
        Ok(WrappedKey {
            id,
            service_id: service_id.to_owned(),
            wrapped,
        })
    }

    /// Takes a stored data key into use, to open what it sealed and, as the latest of its service, to seal. `granted` is the
    /// number of seals that the store has set aside for this node: 0 for a key that only opens.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when the row was changed, [`VaultError::UnknownKey`] when another installation wrapped it,
    /// [`VaultError::Format`].
    pub fn add_data_key(&self, stored: &WrappedKey, granted: u32) -> Result<(), VaultError> {
        let associate = |header: &[u8]| data_key_data(header, stored.id, &stored.service_id);
        let bytes = self.installation.unwrap_key(associate, &stored.wrapped)?;
        let granted = AtomicU32::new(granted.min(SEALS_PER_KEY_MAX));
        let key = Arc::new(DataKey {
            key: Key::new(stored.id, &bytes),
            granted,
        });
        let mut services = self
            .services
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        services.by_id.insert(stored.id, key.clone());
        services.current.insert(stored.service_id.clone(), key);
        Ok(())
    }

    /// Allows a data key so many more seals, which the store has set aside for this node (R64).
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`].
    pub fn grant(&self, id: DataKeyId, seals: u32) -> Result<(), VaultError> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        let key = services.by_id.get(&id).ok_or(VaultError::UnknownKey)?;
        let more = |granted: u32| Some(granted.saturating_add(seals).min(SEALS_PER_KEY_MAX));
        // The closure never declines.
        let _ = key
            .granted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        Ok(())
    }

    /// The data keys in use for sealing that have used up more than half of one grant: time for the next.
    #[must_use]
    pub fn running_low(&self) -> Vec<DataKeyId> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        let low = |key: &&Arc<DataKey>| key.granted.load(Ordering::Relaxed) < SEALS_PER_GRANT / 2;
        services
            .current
            .values()
            .filter(low)
            .map(|key| key.key.id)
            .collect()
    }

    /// Seals a secret of a service for its place.
    ///
    /// # Errors
    /// [`VaultError::NoDataKey`], [`VaultError::GrantUsedUp`].
    pub fn seal(
        &self,
        service_id: &str,
        place: &Place<'_>,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, VaultError> {
        let key = {
            let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
            services
                .current
                .get(service_id)
                .cloned()
                .ok_or(VaultError::NoDataKey)?
        };
        key.granted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |granted| {
                granted.checked_sub(1)
            })
            .map_err(|_| VaultError::GrantUsedUp)?;
        let sealed = key
            .key
            .seal(|header| place.associated_data(header), plaintext, rng)?;
        Ok(Sealed::from_stored(sealed))
    }

    /// Seals a secret that belongs to no service, such as the server's key of the activation. There are a handful of these
    /// in the life of an installation, so they are not counted.
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn seal_for_installation(
        &self,
        place: &Place<'_>,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, VaultError> {
        let sealed =
            self.installation
                .seal(|header| place.associated_data(header), plaintext, rng)?;
        Ok(Sealed::from_stored(sealed))
    }

    /// Opens what was found at `place`, whichever of the loaded keys sealed it.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when it was changed or belongs elsewhere (R63), [`VaultError::UnknownKey`],
    /// [`VaultError::Format`].
    pub fn open(
        &self,
        place: &Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let blob = sealed.as_bytes();
        let id = DataKeyId::of_blob(blob)?;
        let associate = |header: &[u8]| place.associated_data(header);
        if id == self.installation.id {
            return self.installation.open(associate, blob);
        }
        let key = {
            let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
            services
                .by_id
                .get(&id)
                .cloned()
                .ok_or(VaultError::UnknownKey)?
        };
        key.key.open(associate, blob)
    }
}

fn canary_place() -> Place<'static> {
    Place {
        table: "installation",
        row: "canary",
        column: "value",
        parameters: &[],
    }
}

fn kek_data(header: &[u8], id: &[u8; 16]) -> Vec<u8> {
    parts(&[header, b"key-encryption key", id])
}

fn data_key_data(header: &[u8], id: DataKeyId, service_id: &str) -> Vec<u8> {
    parts(&[header, b"data key", &id.0, service_id.as_bytes()])
}
