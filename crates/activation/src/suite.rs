//! The one OPAQUE suite of this version, and everything that depends on the generation of crates it is built on.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{
    CipherSuite, TripleDh,
    errors::InternalError,
    generic_array::{ArrayLength, GenericArray},
    ksf::Ksf,
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use zeroize::Zeroizing;

use crate::Randomness;
use crate::client::ClientError;

/// The versioned name of the suite: OPAQUE-3DH over P-256 with SHA-256, Argon2id as the client's key stretching.
pub const SUITE_ID: &str = "warifu-opaque-p256-sha256-argon2id-1";

/// Argon2id's memory in KiB (64 MiB).
pub const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
/// Argon2id's passes over the memory.
pub const ARGON2_PASSES: u32 = 3;
/// Argon2id's lanes.
pub const ARGON2_LANES: u32 = 1;

/// RFC 9807 §7 runs the key stretching with a salt of zeros: its input, the OPRF's output, is already unique per user.
const ARGON2_SALT: [u8; 16] = [0; 16];

pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = p256::NistP256;
    type KeyExchange = TripleDh<p256::NistP256, sha2::Sha256>;
    type Ksf = Stretching;
}

/// Argon2id with this suite's cost. Only the client ever runs it.
#[derive(Default)]
pub(crate) struct Stretching;

impl Ksf for Stretching {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        argon2id(&input, &ARGON2_SALT, &mut output).map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}

fn argon2id(input: &[u8], salt: &[u8; 16], output: &mut [u8]) -> argon2::Result<()> {
    let cost = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost).hash_password_into(input, salt, output)
}

/// Stretches a secret that a person typed to open what their own device keeps (the PIN of the app), at the cost of this
/// suite: the code is in the browser's module already. `salt` is random and kept beside what the result opens. It also keeps
/// this use apart from the handshake's, whose salt is zeros: the same digits as PIN and as activation password share
/// nothing.
///
/// # Errors
/// [`ClientError::Stretching`] when there is not enough memory.
pub fn stretch(secret: &[u8], salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>, ClientError> {
    let mut stretched = Zeroizing::new([0; 32]);
    argon2id(secret, salt, stretched.as_mut_slice()).map_err(|_| ClientError::Stretching)?;
    Ok(stretched)
}

/// The expansion of one [`Randomness`]: `ChaCha20` with the randomness as key, nonce 0, from block 0.
pub(crate) struct Generator(pub(crate) ChaCha20Rng);

impl Generator {
    pub(crate) fn new(randomness: &Randomness) -> Self {
        Self(ChaCha20Rng::from_seed(*randomness.as_bytes()))
    }

    pub(crate) fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// OPAQUE's encodings as arrays. Their lengths are fixed by the suite, and `messages` names each of them once.
pub(crate) fn exact<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes
        .try_into()
        .expect("the suite fixes the length of each encoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_typed_is_stretched_by_its_salt() {
        let stretched = |secret: &[u8], salt| *stretch(secret, &[salt; 16]).unwrap();
        let once = stretched(b"604817", 7);
        assert_eq!(once, stretched(b"604817", 7));
        assert_ne!(once, stretched(b"604817", 8));
        assert_ne!(once, stretched(b"604818", 7));
    }
}
