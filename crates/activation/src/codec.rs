//! The one binary form of messages and kept states: a version byte, a type byte, then fields in fixed order, each behind its
//! length in two big-endian bytes. Decoding is strict: nothing may be missing, follow, or have another length.

use warifu_core::oath::Parameters;
use zeroize::Zeroizing;

use crate::{AttemptId, Id, SUITE_ID, parameters};

/// The version byte that every message and kept state begins with.
pub const FORMAT_VERSION: u8 = 1;

/// The most bytes of any message or kept state; more are refused before they are looked at.
pub const MESSAGE_BYTES_MAX: usize = 1024;

/// Why bytes are not the message they should be. Names the field, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any message is.
    #[error("the message has more than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes end before the field does.
    #[error("the message ends before {field} does")]
    Truncated {
        /// The field that is cut.
        field: &'static str,
    },
    /// There are bytes after the last field.
    #[error("bytes follow the last field of the message")]
    TrailingBytes,
    /// Another version of the format.
    #[error("the message has format version {found}, not {FORMAT_VERSION}")]
    Version {
        /// The version byte.
        found: u8,
    },
    /// Another kind of message.
    #[error("the message has type {found:#04x}, not {expected:#04x}")]
    Type {
        /// The type byte that belongs here.
        expected: u8,
        /// The type byte that was there.
        found: u8,
    },
    /// A field of a fixed length has another.
    #[error("{field} has {found} bytes, not {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// The length that was there.
        found: usize,
    },
    /// The field holds something it cannot: a point that is not on the curve, a character no identifier has, ..
    #[error("{field} holds a value that the protocol does not have")]
    Value {
        /// The field.
        field: &'static str,
    },
    /// The app speaks a suite that this side does not.
    #[error("the suite is not {SUITE_ID}")]
    UnsupportedSuite,
}

/// Appends `field` behind its length in two big-endian bytes: `lp` of docs/protocol.md.
pub(crate) fn put_lp(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u16::try_from(field.len()).expect("every field has a limit far below 64 KiB");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}

pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// Room for the longest message at once, so that no secret stays behind in a buffer that was grown out of.
    pub(crate) fn new(kind: u8) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MESSAGE_BYTES_MAX));
        bytes.extend_from_slice(&[FORMAT_VERSION, kind]);
        Self(bytes)
    }

    pub(crate) fn put(mut self, field: &[u8]) -> Self {
        put_lp(&mut self.0, field);
        self
    }

    pub(crate) fn finish_secret(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], kind: u8) -> Result<Self, DecodeError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        match bytes {
            [] => Err(DecodeError::Truncated {
                field: "format version",
            }),
            &[found, ..] if found != FORMAT_VERSION => Err(DecodeError::Version { found }),
            [_] => Err(DecodeError::Truncated {
                field: "message type",
            }),
            &[_, found, ..] if found != kind => Err(DecodeError::Type {
                expected: kind,
                found,
            }),
            [_, _, fields @ ..] => Ok(Self(fields)),
        }
    }

    pub(crate) fn take(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (length, rest) = self
            .0
            .split_first_chunk::<2>()
            .ok_or(DecodeError::Truncated { field })?;
        let (content, rest) = rest
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(DecodeError::Truncated { field })?;
        self.0 = rest;
        Ok(content)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let content = self.take(field)?;
        content.try_into().map_err(|_| DecodeError::Length {
            field,
            expected: N,
            found: content.len(),
        })
    }

    pub(crate) fn id(&mut self, field: &'static str) -> Result<Id, DecodeError> {
        let content = self.take(field)?;
        str::from_utf8(content)
            .ok()
            .and_then(|text| Id::new(text).ok())
            .ok_or(DecodeError::Value { field })
    }

    pub(crate) fn attempt_id(&mut self) -> Result<AttemptId, DecodeError> {
        let content: [u8; AttemptId::BYTES] = self.array("attempt id")?;
        str::from_utf8(&content)
            .ok()
            .and_then(|text| AttemptId::new(text).ok())
            .ok_or(DecodeError::Value {
                field: "attempt id",
            })
    }

    pub(crate) fn parameters(&mut self) -> Result<Parameters, DecodeError> {
        parameters::decode(self.array("parameters")?)
    }

    pub(crate) fn suite(&mut self) -> Result<(), DecodeError> {
        if self.take("suite")? == SUITE_ID.as_bytes() {
            Ok(())
        } else {
            Err(DecodeError::UnsupportedSuite)
        }
    }

    /// Unix milliseconds, in eight big-endian bytes.
    pub(crate) fn time_ms(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        let time_ms = i64::from_be_bytes(self.array(field)?);
        if time_ms < 0 {
            return Err(DecodeError::Value { field });
        }
        Ok(time_ms)
    }

    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }
}
