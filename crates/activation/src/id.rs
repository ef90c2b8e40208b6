//! Identifiers as the handshake sees them: short ASCII strings, compared byte by byte. Check digits, upper case and the
//! dashes people type are the business of whoever takes an identifier from a person, before it comes here.

use std::{fmt, str::FromStr};

use crate::suite::Generator;

/// The most bytes an identifier may have.
pub const ID_BYTES_MAX: usize = 64;

/// The number of bytes behind an identifier that is made here.
const RANDOM_BYTES: usize = 16;

/// A service id, token user id, issuance id or token id: 1 to 64 ASCII letters, digits, `-`, `_` or `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// Takes an identifier in its canonical spelling.
    ///
    /// # Errors
    /// [`IdError`] when it is empty, too long, or holds another character.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > ID_BYTES_MAX {
            return Err(IdError::TooLong);
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        {
            return Err(IdError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// An identifier of lower-case hexadecimal digits, two for each byte.
    pub(crate) fn of_bytes(bytes: &[u8; RANDOM_BYTES]) -> Self {
        Self(hexadecimal(bytes))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

/// The name an app gives to one try at activation: 32 lower-case hexadecimal digits, drawn from 128 random bits.
///
/// It makes a repeated message recognisable: the same attempt with the same bytes is the same try, and is answered with the
/// same bytes (R52).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(String);

impl AttemptId {
    /// The length of every attempt id in bytes.
    pub const BYTES: usize = 2 * RANDOM_BYTES;

    /// Takes an attempt id from a message or a store.
    ///
    /// # Errors
    /// [`IdError`] when it is not exactly 32 lower-case hexadecimal digits.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > Self::BYTES {
            return Err(IdError::TooLong);
        }
        if text.len() < Self::BYTES
            || !text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(IdError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// Draws a fresh one.
    pub(crate) fn draw(generator: &mut Generator) -> Self {
        Self(hexadecimal(&generator.draw::<RANDOM_BYTES>()))
    }

    /// The attempt id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hexadecimal(bytes: &[u8; RANDOM_BYTES]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Why a text is not an identifier. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("the identifier is empty")]
    Empty,
    /// More characters than any identifier has.
    #[error("the identifier is too long")]
    TooLong,
    /// A character (or, for an attempt id, a length) that identifiers do not have.
    #[error("the identifier has a character or a length that identifiers do not have")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_short_ascii_without_spaces() {
        for good in ["a", "demo-bank", "A1.b_C", &"x".repeat(ID_BYTES_MAX)] {
            assert_eq!(Id::new(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", IdError::Empty),
            ("a b", IdError::Character),
            ("a\0", IdError::Character),
            ("１２", IdError::Character),
            (&"x".repeat(ID_BYTES_MAX + 1), IdError::TooLong),
        ] {
            assert_eq!(Id::new(bad), Err(why));
        }
    }

    #[test]
    fn an_attempt_id_has_exactly_its_alphabet_and_length() {
        let good = "0123456789abcdef0123456789abcdef";
        assert_eq!(AttemptId::new(good).unwrap().as_str(), good);
        for bad in [
            &good[1..],
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789abcdef0123456789abcdeg",
            "",
            &format!("{good}0"),
        ] {
            assert!(AttemptId::new(bad).is_err());
        }
    }
}
