//! How a token's parameters travel: fixed at issuance and bound into the handshake, so that an app and the server can never
//! disagree about what codes look like. What they mean and which of them a service may choose is the core's.

use warifu_core::oath::{Algorithm, Parameters};

use crate::DecodeError;

/// The length of the encoding in bytes: hash (1), digits (1), step in seconds (4, big-endian).
pub const BYTES: usize = 6;

const fn number(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha1 => 1,
        Algorithm::Sha256 => 2,
        Algorithm::Sha512 => 3,
    }
}

/// The encoding that both halves bind; its fields are those of [`BYTES`].
#[must_use]
pub const fn encode(parameters: Parameters) -> [u8; BYTES] {
    let [a, b, c, d] = parameters.step_s.to_be_bytes();
    [number(parameters.algorithm), parameters.digits, a, b, c, d]
}

/// Reads the encoding back.
///
/// # Errors
/// [`DecodeError::Value`] for parameters that no service may choose: see [`Parameters::new`].
pub fn decode(bytes: [u8; BYTES]) -> Result<Parameters, DecodeError> {
    let [hash, digits, step @ ..] = bytes;
    [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]
        .into_iter()
        .find(|&algorithm| number(algorithm) == hash)
        .and_then(|algorithm| Parameters::new(algorithm, digits, u32::from_be_bytes(step)))
        .ok_or(DecodeError::Value {
            field: "parameters",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_their_encoding() {
        for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
            for digits in 6..=8 {
                for step_s in [30, 60] {
                    let parameters = Parameters::new(algorithm, digits, step_s).unwrap();
                    assert_eq!(decode(encode(parameters)), Ok(parameters));
                }
            }
        }
    }

    #[test]
    fn parameters_that_no_service_may_choose_are_refused() {
        for bytes in [
            [0, 6, 0, 0, 0, 60],
            [4, 6, 0, 0, 0, 60],
            [2, 5, 0, 0, 0, 60],
            [2, 9, 0, 0, 0, 60],
            [2, 6, 0, 0, 0, 31],
            [2, 6, 0, 0, 0, 0],
            [2, 6, 1, 0, 0, 60],
        ] {
            let refused = DecodeError::Value {
                field: "parameters",
            };
            assert_eq!(decode(bytes), Err(refused), "{bytes:?}");
        }
    }
}
