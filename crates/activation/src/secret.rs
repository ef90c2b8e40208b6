//! The secrets of the handshake itself; the activation password and the seed are the core's. None has `Debug`, none can be serialised by accident, and each is wiped when
//! it goes out of scope (ARCHITECTURE.md, invariant 6).

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

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

/// A key that only this token's app and the server share, for messages about the token (signed server time, notices).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DeviceKey([u8; Self::BYTES]);

impl DeviceKey {
    /// The length in bytes.
    pub const BYTES: usize = 32;

    /// Takes the bytes of a key that the handshake derived and somebody kept.
    #[must_use]
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
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
