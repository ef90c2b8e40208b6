//! Mails as files: `<mail id>.eml` in a folder. A file that is there is whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{OutgoingMail, SendError, message};

/// Puts mails into a folder.
pub struct Eml {
    dir: PathBuf,
}

impl Eml {
    /// Mails go to this folder, which is made with mode 0700 when the first one does.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) async fn send(&self, mail: &OutgoingMail) -> Result<(), SendError> {
        let bytes = message::build(mail)?.formatted();
        let (dir, mail_id) = (self.dir.clone(), mail.mail_id.clone());
        tokio::task::spawn_blocking(move || write(&dir, &mail_id, &bytes))
            .await
            .map_err(|_| {
                SendError::temporary("the mail's file was not written: the task was stopped")
            })?
            .map_err(|error| {
                SendError::temporary(format!(
                    "the mail's file cannot be written: {}",
                    error.kind()
                ))
            })
    }

    pub(super) async fn check(&self) -> Result<(), SendError> {
        let dir = self.dir.clone();
        let looked = tokio::task::spawn_blocking(move || match fs::metadata(&dir) {
            Ok(metadata) if metadata.is_dir() && !metadata.permissions().readonly() => Ok(()),
            Ok(_) => Err(io::ErrorKind::NotADirectory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.kind()),
        });
        looked
            .await
            .map_err(|_| SendError::temporary("the folder was not looked at"))?
            .map_err(|kind| SendError::temporary(format!("the folder cannot be used: {kind}")))
    }
}

/// A second try writes the same name, so that no mail is there twice.
fn write(dir: &Path, mail_id: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let unfinished = dir.join(format!(".{mail_id}.unfinished"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, dir.join(format!("{mail_id}.eml")))?;
    File::open(dir)?.sync_all()
}
