//! HOTP, RFC 4226: a code from a seed and a counter.

use hmac::{Hmac, KeyInit, Mac};
use zeroize::Zeroize as _;

use super::{Algorithm, CODE_DIGITS_MAX, Code, Seed, digits_allowed};

/// The codes of one seed, for whoever looks at several: the key is set up once.
pub struct Codes {
    keyed: Keyed,
    digits: u8,
}

enum Keyed {
    Sha1(Hmac<sha1::Sha1>),
    Sha256(Hmac<sha2::Sha256>),
    Sha512(Hmac<sha2::Sha512>),
}

impl Codes {
    /// Codes of `digits` digits, as [`code`] gives them.
    #[must_use]
    pub fn new(seed: &Seed, algorithm: Algorithm, digits: u8) -> Self {
        let keyed = match algorithm {
            Algorithm::Sha1 => Keyed::Sha1(keyed(seed)),
            Algorithm::Sha256 => Keyed::Sha256(keyed(seed)),
            Algorithm::Sha512 => Keyed::Sha512(keyed(seed)),
        };
        Self { keyed, digits }
    }

    /// The code of `counter`.
    #[must_use]
    pub fn at(&self, counter: u64) -> Code {
        match &self.keyed {
            Keyed::Sha1(keyed) => self.of(keyed, counter),
            Keyed::Sha256(keyed) => self.of(keyed, counter),
            Keyed::Sha512(keyed) => self.of(keyed, counter),
        }
    }

    fn of(&self, keyed: &(impl Mac + Clone), counter: u64) -> Code {
        let mac = keyed.clone().chain_update(counter.to_be_bytes());
        let mut mac = mac.finalize().into_bytes();
        let code = shown(&mac, self.digits);
        mac.as_mut_slice().zeroize();
        code
    }
}

fn keyed<M: KeyInit>(seed: &Seed) -> M {
    M::new_from_slice(seed.expose()).unwrap_or_else(|_| {
        // RFC 2104: HMAC takes a key of any length; the error exists for other MACs behind the same trait.
        unreachable!("an HMAC key may have any length")
    })
}

/// The code of `counter`: HMAC, dynamic truncation, the last `digits` decimal digits (RFC 4226 §5.3; with the hashes of
/// RFC 6238 §1.2). `digits` above 9 would exceed the 31-bit number and is taken as 9; a [`crate::service::Policy`]
/// allows 6 to 8 only.
#[must_use]
pub fn code(seed: &Seed, counter: u64, algorithm: Algorithm, digits: u8) -> Code {
    Codes::new(seed, algorithm, digits).at(counter)
}

/// The code of an HMAC that was computed elsewhere, by a key that does not leave the place where it is kept (a browser's
/// key store). `None` for a length that none of the [`Algorithm`]s gives, or digits that no service allows.
#[must_use]
pub fn code_of_mac(mac: &[u8], digits: u8) -> Option<Code> {
    let lengths = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512].map(Algorithm::seed_len);
    (lengths.contains(&mac.len()) && digits_allowed(digits)).then(|| shown(mac, digits))
}

fn shown(mac: &[u8], digits: u8) -> Code {
    let len = digits.min(CODE_DIGITS_MAX);
    let mut digits = [0; CODE_DIGITS_MAX as usize];
    let mut rest = truncated(mac);
    for digit in digits[..usize::from(len)].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    Code { digits, len }
}

/// Dynamic truncation, RFC 4226 §5.3 step 2: 31 bits at the offset that the last half-byte names.
fn truncated(mac: &[u8]) -> u32 {
    let offset = usize::from(mac[mac.len() - 1] & 0x0f);
    u32::from_be_bytes([
        mac[offset],
        mac[offset + 1],
        mac[offset + 2],
        mac[offset + 3],
    ]) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r01_rfc_4226_appendix_d_vectors() {
        let seed = Seed::new(b"12345678901234567890".to_vec(), Algorithm::Sha1).unwrap();
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (counter, expected) in (0_u64..).zip(expected) {
            assert_eq!(code(&seed, counter, Algorithm::Sha1, 6).expose(), expected);
        }
    }

    #[test]
    fn r01_an_hmac_from_elsewhere_gives_the_same_code() {
        // RFC 4226 §5.4 works this one out step by step.
        let mac = [
            0x1f, 0x86, 0x98, 0x69, 0x0e, 0x02, 0xca, 0x16, 0x61, 0x85, 0x50, 0xef, 0x7f, 0x19,
            0xda, 0x8e, 0x94, 0x5b, 0x55, 0x5a,
        ];
        let shown = |mac: &[u8], digits| {
            code_of_mac(mac, digits).map(|code: Code| code.expose().to_owned())
        };
        assert_eq!(shown(&mac, 6).as_deref(), Some("872921"));
        assert_eq!(shown(&mac, 8).as_deref(), Some("57872921"));
        assert_eq!(shown(&[0; 32], 8).as_deref(), Some("00000000"));
        assert_eq!(shown(&[0xff; 64], 8).as_deref(), Some("47483647"));
        for (mac, digits) in [
            (&mac[..19], 6),
            (&[0; 33], 6),
            (&[], 6),
            (&mac, 5),
            (&mac, 9),
        ] {
            assert_eq!(shown(mac, digits), None);
        }
    }
}
