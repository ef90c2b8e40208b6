//! One-time passwords: HOTP (RFC 4226) and TOTP (RFC 6238). Only the arithmetic: whether a code is accepted is decided in
//! [`crate::verification`].

pub mod hotp;
pub mod totp;

use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::normalised;

/// The hash under the HMAC (RFC 6238 §1.2). SHA-256 for new tokens; SHA-1 only for tokens brought from elsewhere (R08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA-1, as RFC 4226 has it.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// Bytes of a seed for this hash: the length of its output (RFC 6238 §5.1, R05).
    #[must_use]
    pub const fn seed_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The name as it is stored and shown: `sha1`, `sha256`, `sha512`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

/// What both ends must agree on to compute the same codes: hash, digits, time step (RFC 6238 §4.1 with T0 = 0, R02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameters {
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// Decimal digits of a code, 6 to 8 (R04).
    pub digits: u8,
    /// The time step X in seconds, 30 or 60.
    pub step_s: u32,
}

impl Parameters {
    /// Parameters within what a service may choose (PRODUCT.md §5): 6 to 8 digits, a step of 30 or 60 seconds; `None` for
    /// any others.
    #[must_use]
    pub const fn new(algorithm: Algorithm, digits: u8, step_s: u32) -> Option<Self> {
        if !digits_allowed(digits) || !step_allowed(step_s) {
            return None;
        }
        Some(Self {
            algorithm,
            digits,
            step_s,
        })
    }

    /// The time step that `seconds` since the epoch falls in (RFC 6238 §4.2), 64 bits wide (R03).
    #[must_use]
    pub fn time_step(&self, seconds: i64) -> i64 {
        seconds.div_euclid(i64::from(self.step_s))
    }

    /// Seconds until the code of `seconds` gives way to the next one, 1 to `step_s`.
    #[must_use]
    pub fn seconds_left(&self, seconds: i64) -> i64 {
        i64::from(self.step_s) - seconds.rem_euclid(i64::from(self.step_s))
    }
}

/// Whether a service's codes may have so many digits (R04).
pub(crate) const fn digits_allowed(digits: u8) -> bool {
    6 <= digits && digits <= 8
}

/// Whether a service's time step may last so many seconds (R02).
pub(crate) const fn step_allowed(step_s: u32) -> bool {
    matches!(step_s, 30 | 60)
}

/// The shared secret of one token. Never shown, never logged, gone from memory when dropped (invariant 6).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed(Vec<u8>);

impl Seed {
    /// A seed of exactly the length its algorithm asks for (R05); `None` for any other length.
    #[must_use]
    pub fn new(bytes: Vec<u8>, algorithm: Algorithm) -> Option<Self> {
        let seed = Self(bytes);
        (seed.0.len() == algorithm.seed_len()).then_some(seed)
    }

    /// The bytes, for sealing and for the HMAC.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// A code as a person typed it: exactly so many ASCII digits. Has no `Debug`, so it cannot slip into a log (R24).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code {
    /// ASCII.
    digits: [u8; CODE_DIGITS_MAX as usize],
    len: u8,
}

/// No code has more: 31 bits are less than ten digits.
const CODE_DIGITS_MAX: u8 = 9;

/// The typed text is no code: not the right number of digits, or not digits at all. Refused before it is judged and so
/// never counted (R28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACode {
    /// Digits that a code of this token has.
    pub digits: u8,
}

impl fmt::Display for NotACode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a code has exactly {} digits", self.digits)
    }
}

impl core::error::Error for NotACode {}

impl Code {
    /// Reads what a person typed into a page: full-width digits and spaces are accepted (J4, R28).
    ///
    /// # Errors
    /// [`NotACode`] when anything but exactly `digits` digits is left.
    pub fn typed(text: &str, digits: u8) -> Result<Self, NotACode> {
        let mut plain = normalised(text);
        plain.retain(|c| c != '-');
        Self::exact(&plain, digits)
    }

    /// Reads a code from a machine: exactly `digits` ASCII digits, nothing else (R28).
    ///
    /// # Errors
    /// [`NotACode`] otherwise.
    pub fn exact(text: &str, digits: u8) -> Result<Self, NotACode> {
        let right =
            text.len() == usize::from(digits) && text.bytes().all(|byte| byte.is_ascii_digit());
        let code = right.then(|| Self::of(text.as_bytes())).flatten();
        code.ok_or(NotACode { digits })
    }

    /// These ASCII digits; `None` for more than there can be.
    fn of(shown: &[u8]) -> Option<Self> {
        let mut digits = [0; CODE_DIGITS_MAX as usize];
        digits.get_mut(..shown.len())?.copy_from_slice(shown);
        let len = u8::try_from(shown.len()).ok()?;
        Some(Self { digits, len })
    }

    fn bytes(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }

    /// The digits, leading zeros kept.
    #[must_use]
    pub fn expose(&self) -> &str {
        // They are ASCII.
        core::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// Equal or not, in a time that does not depend on where the two differ (R20).
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.bytes().ct_eq(other.bytes()).into()
    }
}
