//! Secrets and signatures of the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`, version `v1`.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock::random_bytes;

/// What the text form of a secret starts with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that we make; the specification asks for 24 to 64.
const SECRET_BYTES: usize = 32;

/// What one webhook is signed with. No `Debug`, wiped when dropped (ARCHITECTURE.md, invariant 6).
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A new secret.
    #[must_use]
    pub fn generate() -> Self {
        let bytes = Zeroizing::new(random_bytes::<SECRET_BYTES>());
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// A secret as it was sealed.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// `whsec_` and the bytes in base 64: the form in which receivers keep it. To be shown once.
    #[must_use]
    pub fn shown(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(BASE64.encode(&self.0));
        Zeroizing::new(format!("{PREFIX}{}", encoded.as_str()))
    }

    /// `v1,` and the signature of one try in base 64. `id` holds no full stop, so what is signed has one reading.
    ///
    /// # Panics
    /// Never: HMAC takes keys of every length (RFC 2104).
    #[must_use]
    pub fn sign(&self, id: &str, at_s: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("HMAC takes keys of every length (RFC 2104)");
        for part in [id, ".", &at_s.to_string(), ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

/// The secrets that sign for a webhook now: one, or for a while after a rotation two.
pub struct Signer {
    /// What signs.
    pub current: Secret,
    /// What signed before the last rotation, while receivers may still only know it.
    pub old: Option<Secret>,
}

impl Signer {
    /// The value of `webhook-signature`: each secret's signature, separated by spaces.
    #[must_use]
    pub fn sign(&self, id: &str, at_s: i64, body: &str) -> String {
        let signatures: Vec<_> = std::iter::once(&self.current)
            .chain(&self.old)
            .map(|secret| secret.sign(id, at_s, body))
            .collect();
        signatures.join(" ")
    }
}
