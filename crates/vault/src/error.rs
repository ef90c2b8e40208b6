//! Why a key cannot be had or a secret not be opened. No error says anything about a key or a secret.

use std::io::ErrorKind;
use std::path::PathBuf;

/// A failure of the vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no file with a root key. A new one is made only by hand or for an empty database (R66).
    #[error("there is no root key at {path}: put back the one this database was made with")]
    RootMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file with the root key cannot be read or written.
    #[error("the root key at {path} cannot be used: {kind}")]
    RootUnusable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        kind: ErrorKind,
    },
    /// Others than the owner may read or change the file.
    #[error(
        "the root key at {path} has mode {mode:04o}: take it from everybody but its owner (chmod 0400)"
    )]
    RootExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold exactly 32 bytes.
    #[error("the root key at {path} is not 32 bytes long")]
    RootLength {
        /// The file.
        path: PathBuf,
    },
    /// A root key exists already, and is never written over.
    #[error("there is a root key at {path} already")]
    RootExists {
        /// The file.
        path: PathBuf,
    },
    /// The root key is not the one that this installation was made with (R66).
    #[error("this root key is not the one this database was made with")]
    WrongRoot,
    /// The blob names a key that was not loaded.
    #[error("a sealed value names a key that is not there")]
    UnknownKey,
    /// The service has no data key yet.
    #[error("the service has no data key")]
    NoDataKey,
    /// The data key has used up what it was granted: see [`Vault::grant`](crate::Vault::grant) (R64).
    #[error("the data key of the service needs another grant before it may seal again")]
    GrantUsedUp,
    /// The blob is not of a format this program knows, or too short.
    #[error("a sealed value has an unknown format")]
    Format,
    /// The blob was changed, or belongs to another table, row, column or set of parameters (R63).
    #[error("a sealed value does not belong where it was found, or was changed")]
    Refused,
}
