//! What is sealed, and where it belongs.

/// Where a sealed value belongs. All of it is authenticated with the value (R63), so a blob that was moved to another
/// row, or whose row's parameters were changed, does not open.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The row's primary key.
    pub row: &'a str,
    /// The column's name.
    pub column: &'a str,
    /// What else of the row must stay as it is, in one fixed encoding; empty for nothing.
    pub parameters: &'a [u8],
}

impl Place<'_> {
    /// The associated data: every part with its length in front, so that no two places look alike.
    pub(crate) fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        parts(&[
            header,
            self.table.as_bytes(),
            self.row.as_bytes(),
            self.column.as_bytes(),
            self.parameters,
        ])
    }
}

/// Each part after its length as eight bytes, most significant first.
pub(crate) fn parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

/// A sealed value as it is stored: ciphertext, safe to keep anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// A value as it was stored. Whether it opens is another question.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
