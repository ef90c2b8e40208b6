//! The secrets that pass through the handshake. None has `Debug`, none can be serialised by accident, and each is wiped when
//! it goes out of scope (ARCHITECTURE.md, invariant 6).

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Algorithm;

/// 32 bytes from the operating system's generator, for one step of one handshake.
///
/// Everything random inside the step is expanded from them (`ChaCha20`), so the same bytes give the same step: that is what
/// lets the test vectors fix every byte. A value is consumed where it is used, and must never be built twice from the
/// same bytes outside of tests.
#[derive(ZeroizeOnDrop)]
pub struct Randomness([u8; Self::BYTES]);

impl Randomness {
    /// The length in bytes.
    pub const BYTES: usize = 32;

    /// Takes bytes that were drawn from the operating system's generator just now.
    #[must_use]
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// The activation password: 4 to 8 ASCII digits that the user chose at issuance and types once in the app (PRODUCT.md §2).
///
/// Which of them are too simple or too short for a service is the service's policy, and judged elsewhere.
#[derive(ZeroizeOnDrop)]
pub struct ActivationPassword(Zeroizing<Vec<u8>>);

impl ActivationPassword {
    /// The fewest digits of any service.
    pub const DIGITS_MIN: usize = 4;
    /// The most digits of any service.
    pub const DIGITS_MAX: usize = 8;

    /// Takes what was typed, after full-width digits have been folded to ASCII.
    ///
    /// # Errors
    /// [`ActivationPasswordError`] when it is not 4 to 8 ASCII digits.
    pub fn new(typed: &str) -> Result<Self, ActivationPasswordError> {
        if !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ActivationPasswordError::NotDigits);
        }
        if !(Self::DIGITS_MIN..=Self::DIGITS_MAX).contains(&typed.len()) {
            return Err(ActivationPasswordError::Length);
        }
        Ok(Self(Zeroizing::new(typed.as_bytes().to_vec())))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why something typed is not an activation password. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActivationPasswordError {
    /// Something else than ASCII digits.
    #[error("an activation password has digits only")]
    NotDigits,
    /// Fewer than 4 or more than 8 digits.
    #[error("an activation password has 4 to 8 digits")]
    Length,
}

/// The secret that the token's codes are computed from (RFC 6238's key K): 20, 32 or 64 bytes, by the hash.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Seed(Zeroizing<Vec<u8>>);

impl Seed {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// A seed of exactly the length that `algorithm` wants.
    pub(crate) fn from_slice(bytes: &[u8], algorithm: Algorithm) -> Option<Self> {
        (bytes.len() == algorithm.seed_bytes()).then(|| Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The secret bytes. Seal them before they touch a disk.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl ConstantTimeEq for Seed {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

/// A key that only this token's app and the server share, for messages about the token (signed server time, notices).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DeviceKey([u8; Self::BYTES]);

impl DeviceKey {
    /// The length in bytes.
    pub const BYTES: usize = 32;

    pub(crate) fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The secret bytes. Seal them before they touch a disk.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl ConstantTimeEq for DeviceKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_password_is_four_to_eight_digits() {
        for good in ["1357", "24680246"] {
            assert_eq!(
                ActivationPassword::new(good).unwrap().as_bytes(),
                good.as_bytes()
            );
        }
        for (bad, why) in [
            ("", ActivationPasswordError::Length),
            ("135", ActivationPasswordError::Length),
            ("135792468", ActivationPasswordError::Length),
            ("13a7", ActivationPasswordError::NotDigits),
            ("1357 ", ActivationPasswordError::NotDigits),
            ("１３５７", ActivationPasswordError::NotDigits),
        ] {
            assert_eq!(ActivationPassword::new(bad).err(), Some(why));
        }
    }
}
