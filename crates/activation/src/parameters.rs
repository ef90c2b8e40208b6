//! What the codes of the new token look like. Fixed at issuance and bound into the handshake, so that an app and the server
//! can never disagree about them.

/// The hash of the token's HMAC (RFC 6238 §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC-SHA-1, for old tokens only (R08).
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// The length of the seed in bytes, equal to the hash's output (RFC 6238 §5.1, R05).
    #[must_use]
    pub fn seed_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Sha1 => 1,
            Self::Sha256 => 2,
            Self::Sha512 => 3,
        }
    }
}

/// Hash, digits and time step of the token (RFC 6238 §1.2; R02, R04, R08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    algorithm: Algorithm,
    digits: u8,
    step_s: u32,
}

impl Parameters {
    /// The length of the encoding in bytes: hash (1), digits (1), step in seconds (4, big-endian).
    pub const BYTES: usize = 6;

    /// Parameters within what a service may choose (PRODUCT.md §5): 6 to 8 digits, a step of 30 or 60 seconds.
    ///
    /// # Errors
    /// [`ParametersError`] outside of that.
    pub fn new(algorithm: Algorithm, digits: u8, step_s: u32) -> Result<Self, ParametersError> {
        if !(6..=8).contains(&digits) {
            return Err(ParametersError::Digits);
        }
        if !matches!(step_s, 30 | 60) {
            return Err(ParametersError::Step);
        }
        Ok(Self {
            algorithm,
            digits,
            step_s,
        })
    }

    /// The hash.
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// How many digits a code has.
    #[must_use]
    pub fn digits(self) -> u8 {
        self.digits
    }

    /// How long a time step lasts, in seconds.
    #[must_use]
    pub fn step_s(self) -> u32 {
        self.step_s
    }

    /// The encoding that both halves bind: see [`Parameters::BYTES`].
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let [a, b, c, d] = self.step_s.to_be_bytes();
        [self.algorithm.number(), self.digits, a, b, c, d]
    }

    /// Reads the encoding back.
    ///
    /// # Errors
    /// [`ParametersError`] when a value is outside of what [`Parameters::new`] takes.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Result<Self, ParametersError> {
        let [number, digits, step @ ..] = bytes;
        let algorithm = match number {
            1 => Algorithm::Sha1,
            2 => Algorithm::Sha256,
            3 => Algorithm::Sha512,
            _ => return Err(ParametersError::Algorithm),
        };
        Self::new(algorithm, digits, u32::from_be_bytes(step))
    }
}

/// Which of the parameters is not one a service may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// The number of the hash is unknown.
    #[error("the hash of the code is unknown")]
    Algorithm,
    /// Not 6 to 8 digits.
    #[error("a code has 6 to 8 digits")]
    Digits,
    /// Not 30 or 60 seconds.
    #[error("a time step is 30 or 60 seconds")]
    Step,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_their_encoding_and_others_are_refused() {
        for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
            for digits in 6..=8 {
                for step_s in [30, 60] {
                    let parameters = Parameters::new(algorithm, digits, step_s).unwrap();
                    assert_eq!(
                        Parameters::from_bytes(parameters.to_bytes()),
                        Ok(parameters)
                    );
                }
            }
        }
        assert_eq!(
            Parameters::new(Algorithm::Sha1, 5, 30),
            Err(ParametersError::Digits)
        );
        assert_eq!(
            Parameters::new(Algorithm::Sha1, 9, 30),
            Err(ParametersError::Digits)
        );
        assert_eq!(
            Parameters::new(Algorithm::Sha1, 6, 31),
            Err(ParametersError::Step)
        );
        assert_eq!(
            Parameters::from_bytes([0, 6, 0, 0, 0, 60]),
            Err(ParametersError::Algorithm)
        );
        assert_eq!(
            Parameters::from_bytes([4, 6, 0, 0, 0, 60]),
            Err(ParametersError::Algorithm)
        );
        assert_eq!(
            Parameters::from_bytes([2, 6, 1, 0, 0, 60]),
            Err(ParametersError::Step)
        );
    }
}
