//! HOTP, RFC 4226: a code from a seed and a counter.

use hmac::Hmac;
use zeroize::Zeroizing;

use super::{Algorithm, Code, Seed};

/// The code of `counter`: HMAC, dynamic truncation, the last `digits` decimal digits (RFC 4226 §5.3; with the hashes of
/// RFC 6238 §1.2). `digits` above 9 would exceed the 31-bit number and is taken as 9; a [`crate::service::Policy`]
/// allows 6 to 8 only.
#[must_use]
pub fn code(seed: &Seed, counter: u64, algorithm: Algorithm, digits: u8) -> Code {
    let number = match algorithm {
        Algorithm::Sha1 => truncated(&mac::<Hmac<sha1::Sha1>>(seed, counter)),
        Algorithm::Sha256 => truncated(&mac::<Hmac<sha2::Sha256>>(seed, counter)),
        Algorithm::Sha512 => truncated(&mac::<Hmac<sha2::Sha512>>(seed, counter)),
    };
    let digits = digits.min(9);
    let width = usize::from(digits);
    Code(format!(
        "{:0width$}",
        number % 10_u32.pow(u32::from(digits))
    ))
}

fn mac<M: hmac::Mac + hmac::KeyInit>(seed: &Seed, counter: u64) -> Zeroizing<Vec<u8>> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(seed.expose()).unwrap_or_else(|_| {
        // RFC 2104: HMAC takes a key of any length; the error exists for other MACs behind the same trait.
        unreachable!("an HMAC key may have any length")
    });
    mac.update(&counter.to_be_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
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
}
