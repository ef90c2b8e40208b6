//! Tokens as sealed bytes: AES-256-GCM under a key that is kept elsewhere. What keeps the bytes (a file, a browser's
//! database) is not known here.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Damaged, Tokens};

/// What sealed tokens begin with; authenticated as associated data, so another version's bytes never pass as this one's.
const MAGIC: &[u8; 16] = b"warifu tokens 1\n";

const NONCE_BYTES: usize = 12;

/// The most bytes that sealed tokens have; more are refused before they are looked at.
pub const SEALED_BYTES_MAX: usize = 64 * 1024;

/// The key that tokens are sealed under. Gone from memory when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SealingKey([u8; Self::BYTES]);

impl SealingKey {
    /// The length in bytes.
    pub const BYTES: usize = 32;

    /// A new key.
    #[must_use]
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0_u8; Self::BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A key as it was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The secret bytes, to be kept apart from what they seal.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(self.0))
    }
}

/// Why sealed bytes do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not sealed tokens of this version at all.
    #[error("these are not the tokens of a Warifu authenticator, or of another version")]
    Foreign,
    /// Cut, changed, or sealed under another key.
    #[error("the tokens are damaged, or sealed under another key")]
    Damaged,
    /// Opened, but not tokens: a fault of the program that wrote them.
    #[error(transparent)]
    Content(#[from] Damaged),
}

impl Tokens {
    /// Seals the tokens under a fresh random nonce.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] only if the cipher itself fails.
    pub fn seal(&self, key: &SealingKey, rng: &mut impl CryptoRng) -> Result<Vec<u8>, OpenError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let clear = self.to_bytes();
        let sealed = key
            .cipher()
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: &clear,
                    aad: MAGIC,
                },
            )
            .map_err(|_| OpenError::Damaged)?;
        Ok([MAGIC.as_slice(), nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what [`Tokens::seal`] made.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(sealed: &[u8], key: &SealingKey) -> Result<Self, OpenError> {
        if sealed.len() > SEALED_BYTES_MAX {
            return Err(OpenError::Foreign);
        }
        let rest = sealed.strip_prefix(MAGIC).ok_or(OpenError::Foreign)?;
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(OpenError::Damaged)?;
        let clear = key
            .cipher()
            .decrypt(
                &Nonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: MAGIC,
                },
            )
            .map_err(|_| OpenError::Damaged)?;
        Ok(Self::from_bytes(&Zeroizing::new(clear))?)
    }
}
