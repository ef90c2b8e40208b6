//! Fields behind their length in two big-endian bytes: how tokens turn into bytes. Sealing is not done here.

use zeroize::Zeroizing;

/// Bytes that are not the tokens of an app: cut, changed, or of another version. Names the place, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kept tokens cannot be read: {field}")]
pub struct Damaged {
    /// What could not be read.
    pub field: &'static str,
}

#[derive(Default)]
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// With room from the start: a buffer that grows would leave copies of secrets behind.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Adds one field. Every field here is far below the 65,535 bytes that a length can say; a longer one is cut off, and
    /// then does not read back.
    pub(crate) fn put(&mut self, field: &[u8]) {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(&field[..usize::from(length)]);
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, field: &'static str) -> Result<&'a [u8], Damaged> {
        let (length, rest) = self.0.split_first_chunk::<2>().ok_or(Damaged { field })?;
        let (taken, rest) = rest
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(Damaged { field })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], Damaged> {
        self.take(field)?.try_into().map_err(|_| Damaged { field })
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, Damaged> {
        core::str::from_utf8(self.take(field)?).map_err(|_| Damaged { field })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
