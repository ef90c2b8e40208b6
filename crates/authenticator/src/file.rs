//! The tokens of one app in a folder of a file system. Only files are known here, no activation.
//!
//! Three files: `tokens`, sealed; `key`, 32 random bytes that open it; and `lock`, which one process holds at a time. On Unix the
//! folder is made with mode 0700 and the files with 0600, and files that others may read are refused. What that
//! protects: a copy or backup of `tokens` alone, other users of the machine, and changes that nobody intended. What it does not:
//! whoever may read *both* files (the same user, an administrator, a thief of an unencrypted disk) has the tokens. A
//! terminal has no better place for a key; a phone has.
//!
//! `tokens` is replaced in one piece: a process that is killed leaves the old or the new one, never a mixture. A file that cannot
//! be read is an error and stays as it is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::Tokens;
use crate::sealed::{OpenError, SEALED_BYTES_MAX, SealingKey};

const TOKENS_FILE: &str = "tokens";
const KEY_FILE: &str = "key";
const LOCK_FILE: &str = "lock";
/// Added to the name of a file that is being written.
const UNFINISHED: &str = ".new";

const KEY_MAGIC: &[u8; 13] = b"warifu key 1\n";

/// Why the tokens cannot be read or kept. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Others than the owner may read the file, or change the folder.
    #[error("{path}: others may read or change it (mode {mode:03o}); only its owner should", path = path.display())]
    OpenToOthers {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There are tokens but no key. A new key would not open them, so none is made.
    #[error("{path}: the key is missing, so the tokens beside it cannot be opened; restore it from a backup", path = path.display())]
    KeyMissing {
        /// Where the key belongs.
        path: PathBuf,
    },
    /// The key file is not one.
    #[error("{path}: this is not the key of a Warifu authenticator", path = path.display())]
    KeyForeign {
        /// The file.
        path: PathBuf,
    },
    /// The tokens do not open.
    #[error("{path}: {source}", path = path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
}

/// A folder with the tokens of one app, held by this process until it is dropped.
pub struct TokenFolder {
    folder: PathBuf,
    key: SealingKey,
    /// Locked; the lock ends with the file handle.
    _lock: File,
}

impl TokenFolder {
    /// Opens the folder and reads its tokens; makes both where there are none. While another process holds the folder,
    /// `waiting` is called once, and then this one waits.
    ///
    /// # Errors
    /// [`FileError`]; nothing was changed.
    pub fn open(
        folder: &Path,
        rng: &mut impl CryptoRng,
        waiting: impl FnOnce(),
    ) -> Result<(Self, Tokens), FileError> {
        make_folder(folder)?;
        let lock = lock(&folder.join(LOCK_FILE), waiting)?;
        let tokens_path = folder.join(TOKENS_FILE);
        let sealed = read(&tokens_path, SEALED_BYTES_MAX)?;
        let key_path = folder.join(KEY_FILE);
        let key = match read(&key_path, KEY_MAGIC.len() + SealingKey::BYTES)? {
            Some(kept) => kept
                .strip_prefix(KEY_MAGIC)
                .and_then(|bytes| bytes.try_into().ok())
                .map(SealingKey::from_bytes)
                .ok_or(FileError::KeyForeign { path: key_path })?,
            None if sealed.is_some() => return Err(FileError::KeyMissing { path: key_path }),
            None => {
                let key = SealingKey::new(rng);
                let kept = Zeroizing::new([KEY_MAGIC.as_slice(), key.expose()].concat());
                replace(folder, KEY_FILE, &kept)?;
                key
            }
        };
        let tokens = match sealed {
            Some(sealed) => Tokens::open(&sealed, &key).map_err(|source| FileError::Sealed {
                path: tokens_path,
                source,
            })?,
            None => Tokens::default(),
        };
        let folder = folder.to_owned();
        Ok((
            Self {
                folder,
                key,
                _lock: lock,
            },
            tokens,
        ))
    }

    /// Keeps the tokens: when this returns, they are on the disk.
    ///
    /// # Errors
    /// [`FileError`]; then the tokens that were kept before are still there.
    pub fn save(&self, tokens: &Tokens, rng: &mut impl CryptoRng) -> Result<(), FileError> {
        let sealed = tokens
            .seal(&self.key, rng)
            .map_err(|source| FileError::Sealed {
                path: self.folder.join(TOKENS_FILE),
                source,
            })?;
        replace(&self.folder, TOKENS_FILE, &sealed)
    }
}

fn make_folder(folder: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(io_error(folder))?;
    let found = fs::metadata(folder).map_err(io_error(folder))?;
    // A folder that was there before may be listed by others, but whoever may write to it may replace the files.
    refuse_open_to_others(folder, &found, 0o022)
}

fn lock(path: &Path, waiting: impl FnOnce()) -> Result<File, FileError> {
    let file = for_owner()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io_error(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waiting();
            file.lock().map_err(io_error(path))?;
        }
        Err(TryLockError::Error(source)) => return Err(io_error(path)(source)),
    }
    Ok(file)
}

/// The content of a file, `None` if there is no such file. One byte more than `bytes_max` is read at most: enough for whoever
/// looks at it to see that it is too long.
fn read(path: &Path, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    let found = file.metadata().map_err(io_error(path))?;
    refuse_open_to_others(path, &found, 0o077)?;
    let mut content = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1)
        .read_to_end(&mut content)
        .map_err(io_error(path))?;
    Ok(Some(content))
}

/// Writes the content beside the file, brings it to the disk, and then puts it in the file's place.
fn replace(folder: &Path, name: &str, content: &[u8]) -> Result<(), FileError> {
    let path = folder.join(name);
    let unfinished = folder.join(format!("{name}{UNFINISHED}"));
    // Left over from a process that was killed.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(&unfinished)(error));
        }
        _ => {}
    }
    let write = || {
        let mut file = for_owner().write(true).create_new(true).open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(io_error(&path))
}

/// Files made with these options are for their owner only.
fn for_owner() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn refuse_open_to_others(
    path: &Path,
    found: &fs::Metadata,
    forbidden: u32,
) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = found.permissions().mode() & 0o777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(FileError::OpenToOthers {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn refuse_open_to_others(_: &Path, _: &fs::Metadata, _: u32) -> Result<(), FileError> {
    Ok(())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError::Io { path, source }
}
