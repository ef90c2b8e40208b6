//! The key of a client: `wfk_`, its public name, `_`, and 32 random bytes. Shown once, stored only as a hash.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::clock::random_bytes;

/// What every key begins with, so that people and scanners recognise one that was left lying about.
const PREFIX: &str = "wfk_";
/// Random bytes of the public name.
const NAME_BYTES: usize = 8;
/// Characters of the secret: 32 bytes as base64url.
const SECRET_CHARS: usize = 43;

/// A key, as its holder has it. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let name = HEXLOWER.encode(&random_bytes::<NAME_BYTES>());
        let secret =
            Zeroizing::new(BASE64URL_NOPAD.encode(Zeroizing::new(random_bytes::<32>()).as_slice()));
        Self(Zeroizing::new(format!("{PREFIX}{name}_{}", *secret)))
    }

    /// A key as somebody sent it; `None` when it cannot be one.
    #[must_use]
    pub fn received(text: &str) -> Option<Self> {
        let (name, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = name.len() == 2 * NAME_BYTES
            && name
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
            && secret.len() == SECRET_CHARS
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Its public part.
    #[must_use]
    pub fn id(&self) -> &str {
        let end = PREFIX.len() + 2 * NAME_BYTES;
        self.0.get(PREFIX.len()..end).unwrap_or_default()
    }

    /// The whole key, for the one time it is shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the whole key. Its 256 random bits need no slow hash.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Whether this is the key of that hash, in constant time.
    pub(super) fn fits(&self, hash: &[u8; 32]) -> bool {
        self.hash().ct_eq(hash).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_nothing_else_is() {
        let key = ApiKey::generate();
        let text = key.expose();
        let again = ApiKey::received(text).expect("its own text");
        assert_eq!(again.id(), key.id());
        assert!(again.fits(&key.hash()));
        assert!(text.starts_with(&format!("wfk_{}_", key.id())));
        assert_eq!(text.len(), 4 + 16 + 1 + 43);
        for wrong in [
            "",
            "wfk_",
            &text[..text.len() - 1],
            &format!("{text}x"),
            &text.replace("wfk", "wfx"),
            &text.to_uppercase(),
        ] {
            assert!(ApiKey::received(wrong).is_none());
        }
        assert!(!ApiKey::generate().fits(&key.hash()));
    }
}
