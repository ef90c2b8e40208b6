//! The root key and the file it comes from (R67). Later sources (PKCS#11) make the same type.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::key::{DataKeyId, Key, KeyBytes, random_key};

const LENGTH: usize = 32;
/// The id of every root key: which one is right shows when it opens the key-encryption key.
const ID: DataKeyId = DataKeyId(*b"warifu-root-key\0");

/// The key above all others. It is kept outside the database and only ever wraps the key-encryption key.
pub struct Root {
    pub(crate) key: Key,
}

impl Root {
    /// Reads the root key: exactly 32 bytes, in a file that only its owner may read (mode 0400; a systemd credential
    /// is such a file).
    ///
    /// # Errors
    /// [`VaultError::RootMissing`], [`VaultError::RootExposed`], [`VaultError::RootLength`], [`VaultError::RootUnusable`].
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let unusable = |kind| VaultError::RootUnusable {
            path: path.to_owned(),
            kind,
        };
        let mut file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => VaultError::RootMissing {
                path: path.to_owned(),
            },
            kind => unusable(kind),
        })?;
        // Asked of the open file: what is checked is what is read.
        let metadata = file.metadata().map_err(|error| unusable(error.kind()))?;
        if !metadata.is_file() {
            return Err(unusable(ErrorKind::InvalidInput));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(VaultError::RootExposed {
                path: path.to_owned(),
                mode,
            });
        }
        if metadata.len() != LENGTH as u64 {
            return Err(VaultError::RootLength {
                path: path.to_owned(),
            });
        }
        let mut bytes: KeyBytes = Zeroizing::new([0; LENGTH]);
        file.read_exact(bytes.as_mut_slice())
            .map_err(|error| unusable(error.kind()))?;
        Ok(Self {
            key: Key::new(ID, &bytes),
        })
    }

    /// Makes a new root key and writes it to `path` with mode 0400. Only for a database that is empty: beside existing data
    /// a new root is worth nothing and hides that the right one is missing (R66).
    ///
    /// # Errors
    /// [`VaultError::RootExists`] when there is any file already; [`VaultError::RootUnusable`].
    pub fn create(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, VaultError> {
        let bytes = random_key(rng);
        write_private(path, &bytes).map_err(|kind| match kind {
            ErrorKind::AlreadyExists => VaultError::RootExists {
                path: path.to_owned(),
            },
            kind => VaultError::RootUnusable {
                path: path.to_owned(),
                kind,
            },
        })?;
        Ok(Self {
            key: Key::new(ID, &bytes),
        })
    }
}

/// On the disk, name and content, before anything is sealed with it.
fn write_private(path: &Path, bytes: &KeyBytes) -> Result<(), ErrorKind> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(path)?;
        file.write_all(bytes.as_slice())?;
        file.sync_all()?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error: std::io::Error| error.kind())
}
