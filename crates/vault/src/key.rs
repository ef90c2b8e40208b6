//! One AES-256-GCM key, its id, and the shape of what it seals.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::VaultError;

/// The only format so far: AES-256-GCM with a random nonce of 96 bits.
const FORMAT: u8 = 1;
const KEY_LENGTH: usize = 32;
const ID_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 12;
const TAG_LENGTH: usize = 16;
const HEADER_LENGTH: usize = 1 + ID_LENGTH;

pub(crate) type KeyBytes = Zeroizing<[u8; KEY_LENGTH]>;

/// Names a data key: 16 random bytes, in the database as 32 hexadecimal digits. It stands in every blob (R65).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataKeyId(pub(crate) [u8; ID_LENGTH]);

impl DataKeyId {
    /// The id as it is stored.
    #[must_use]
    pub fn to_text(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// A stored id; `None` for any other text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The id in the header of `blob`.
    pub(crate) fn of_blob(blob: &[u8]) -> Result<Self, VaultError> {
        let header = header_of(blob)?;
        header[1..]
            .try_into()
            .map(Self)
            .map_err(|_| VaultError::Format)
    }
}

/// Format byte and key id of a blob that is long enough to be one.
fn header_of(blob: &[u8]) -> Result<&[u8], VaultError> {
    if blob.len() < HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH || blob[0] != FORMAT {
        return Err(VaultError::Format);
    }
    Ok(&blob[..HEADER_LENGTH])
}

/// A key ready for use. The cipher wipes its own key schedule when dropped.
pub(crate) struct Key {
    pub(crate) id: DataKeyId,
    cipher: Aes256Gcm,
}

pub(crate) fn random_key(rng: &mut impl CryptoRng) -> KeyBytes {
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    rng.fill_bytes(key.as_mut_slice());
    key
}

impl Key {
    pub(crate) fn new(id: DataKeyId, bytes: &KeyBytes) -> Self {
        Self {
            id,
            cipher: Aes256Gcm::new((&**bytes).into()),
        }
    }

    /// Seals `plaintext`; `associate` makes the associated data from the blob's header.
    pub(crate) fn seal(
        &self,
        associate: impl FnOnce(&[u8]) -> Vec<u8>,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, VaultError> {
        let mut blob =
            Vec::with_capacity(HEADER_LENGTH + NONCE_LENGTH + plaintext.len() + TAG_LENGTH);
        blob.push(FORMAT);
        blob.extend_from_slice(&self.id.0);
        let aad = associate(&blob);
        let mut nonce = [0; NONCE_LENGTH];
        rng.fill_bytes(&mut nonce);
        blob.extend_from_slice(&nonce);
        let sealed = self
            .cipher
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: plaintext,
                    aad: &aad,
                },
            )
            // Only a plaintext of 64 GiB could fail.
            .map_err(|_| VaultError::Format)?;
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Opens `blob`, which must name this key.
    pub(crate) fn open(
        &self,
        associate: impl FnOnce(&[u8]) -> Vec<u8>,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let header = header_of(blob)?;
        if header[1..] != self.id.0 {
            return Err(VaultError::UnknownKey);
        }
        let (nonce, sealed) = blob[HEADER_LENGTH..].split_at(NONCE_LENGTH);
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().map_err(|_| VaultError::Format)?;
        self.cipher
            .decrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: sealed,
                    aad: &associate(header),
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Refused)
    }

    /// Opens a wrapped key.
    pub(crate) fn unwrap_key(
        &self,
        associate: impl FnOnce(&[u8]) -> Vec<u8>,
        blob: &[u8],
    ) -> Result<KeyBytes, VaultError> {
        let opened = self.open(associate, blob)?;
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        if opened.len() != KEY_LENGTH {
            return Err(VaultError::Format);
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }
}
