//! From OPAQUE's session key to the three keys of a token. Both halves run exactly this code.
//!
//! Each key is HKDF-Expand (RFC 5869) of the session key under its own label and over the hash of the whole transcript, so no
//! key says anything about another, and any difference in what was sent changes all of them.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use warifu_core::oath::Seed;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    Binding, DeviceKey, Id,
    codec::put_lp,
    messages::{Ke1, Ke2, Ke3},
    parameters,
};

const SEED_LABEL: &[u8] = b"warifu/1 seed";
const CONFIRM_LABEL: &[u8] = b"warifu/1 confirm";
const DEVICE_LABEL: &[u8] = b"warifu/1 device";
const CONFIRMATION_PREFIX: &[u8] = b"fin";

/// The length of a transcript hash and of a confirmation in bytes.
pub(crate) const HASH_BYTES: usize = 32;

/// SHA-256 over lp(KE1) | lp(KE2) | lp(KE3) | lp(lp(client identity) | lp(server identity)).
pub(crate) fn transcript(ke1: &Ke1, ke2: &Ke2, ke3: &Ke3, binding: &Binding) -> [u8; HASH_BYTES] {
    let mut identities = Vec::new();
    put_lp(&mut identities, &binding.client_identity());
    put_lp(&mut identities, &binding.server_identity());
    let mut bytes = Vec::new();
    put_lp(&mut bytes, ke1.as_bytes());
    put_lp(&mut bytes, ke2.as_bytes());
    put_lp(&mut bytes, ke3.as_bytes());
    put_lp(&mut bytes, &identities);
    Sha256::digest(&bytes).into()
}

/// What both halves hold once the handshake is through.
pub(crate) struct Keys {
    pub(crate) seed: Seed,
    pub(crate) device_key: DeviceKey,
    pub(crate) confirmation_key: ConfirmationKey,
}

impl Keys {
    /// `session_key` is OPAQUE's, and is used as the pseudorandom key of HKDF as it is.
    pub(crate) fn derive(
        session_key: &[u8],
        binding: &Binding,
        transcript: &[u8; HASH_BYTES],
    ) -> Self {
        let keys = Hkdf::<Sha256>::from_prk(session_key)
            .expect("OPAQUE's session key is as long as the hash");

        let mut seed_info = Vec::new();
        put_lp(&mut seed_info, SEED_LABEL);
        put_lp(&mut seed_info, binding.service_id.as_str().as_bytes());
        put_lp(&mut seed_info, binding.token_user_id.as_str().as_bytes());
        put_lp(&mut seed_info, binding.issuance_id.as_str().as_bytes());
        put_lp(&mut seed_info, &parameters::encode(binding.parameters));
        seed_info.extend_from_slice(transcript);
        let algorithm = binding.parameters.algorithm;
        let mut seed = vec![0; algorithm.seed_len()];
        keys.expand(&seed_info, &mut seed)
            .expect("64 bytes are within what HKDF can expand to");
        let seed = Seed::new(seed, algorithm).expect("as long as its algorithm asks for");

        let labelled = |label: &[u8]| {
            let mut info = Vec::new();
            put_lp(&mut info, label);
            info.extend_from_slice(transcript);
            let mut key = [0; HASH_BYTES];
            keys.expand(&info, &mut key)
                .expect("32 bytes are within what HKDF can expand to");
            key
        };
        Self {
            seed,
            device_key: DeviceKey::new(labelled(DEVICE_LABEL)),
            confirmation_key: ConfirmationKey::new(labelled(CONFIRM_LABEL)),
        }
    }
}

/// The key under which the server confirms that it activated the token.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct ConfirmationKey([u8; HASH_BYTES]);

impl ConfirmationKey {
    pub(crate) fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// HMAC-SHA-256 over "fin" | lp(token id) | transcript.
    pub(crate) fn confirm(&self, token_id: &Id, transcript: &[u8; HASH_BYTES]) -> [u8; HASH_BYTES] {
        let mut message = CONFIRMATION_PREFIX.to_vec();
        put_lp(&mut message, token_id.as_str().as_bytes());
        message.extend_from_slice(transcript);
        hmac_sha256(&self.0, &message)
    }

    /// Compares in constant time.
    pub(crate) fn confirms(
        &self,
        token_id: &Id,
        transcript: &[u8; HASH_BYTES],
        confirmation: &[u8; HASH_BYTES],
    ) -> bool {
        self.confirm(token_id, transcript)
            .ct_eq(confirmation)
            .into()
    }
}

pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; HASH_BYTES] {
    Hmac::<Sha256>::new_from_slice(key)
        .expect("HMAC takes a key of any length")
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}
