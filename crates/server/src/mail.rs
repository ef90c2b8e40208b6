//! Delivery of one mail: over SMTP, or as a file in a folder. Both send the same bytes.
//!
//! Queueing, retries and the texts are elsewhere (`app::outbox`, [`crate::letters`]). No error holds an address, a text of a
//! mail, a secret, or what the other server wrote: its answers often repeat the recipient.

mod eml;
mod message;
mod smtp;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use warifu_core::time::UnixMillis;
use zeroize::Zeroizing;

pub use eml::Eml;
pub use message::is_mailbox;
pub use smtp::Smtp;

/// One mail, ready to go.
///
/// It has no `Debug`: the body holds the ids of a token.
#[derive(Clone)]
pub struct OutgoingMail {
    /// Names the mail. The Message-ID is made of it, so that a repeated delivery is recognised as such (J2).
    pub mail_id: String,
    /// The `Date` of the mail: when it was written, not when it is tried, so that every try sends the same bytes.
    pub at: UnixMillis,
    /// The sender: an address, or `Name <address>`.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The subject, one line.
    pub subject: String,
    /// The text; lines end with `\n`.
    pub body: String,
}

/// How mails leave.
#[derive(Clone)]
pub struct MailConfig {
    /// The sender of all mails: an address, or `Name <address>`.
    pub from: String,
    /// Which way.
    pub route: Route,
}

impl MailConfig {
    /// The way in a few words, without secrets.
    #[must_use]
    pub fn described(&self) -> String {
        match &self.route {
            Route::Smtp(smtp) => {
                let security = match smtp.security {
                    Security::StartTls => "STARTTLS",
                    Security::Tls => "TLS",
                    Security::None => "no TLS",
                };
                format!("mail: SMTP, {}:{}, {security}", smtp.host, smtp.port)
            }
            Route::Eml { dir } => format!("mail: files in {}", dir.display()),
        }
    }
}

/// One of the two ways.
#[derive(Clone)]
pub enum Route {
    /// To a mail server.
    Smtp(SmtpConfig),
    /// Into a folder, each mail a file: for the demo and for tests.
    Eml {
        /// The folder; made with mode 0700 when the first mail goes out.
        dir: PathBuf,
    },
}

/// The mail server that takes our mails.
#[derive(Clone)]
pub struct SmtpConfig {
    /// Its name; the certificate is checked against it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// Whom we sign in as, if it asks.
    pub credentials: Option<Credentials>,
    /// PEM file with certificates that are trusted beside the machine's own.
    pub ca_file: Option<PathBuf>,
    /// What we call ourselves in EHLO.
    pub hello_name: String,
}

/// How a connection to a mail server is encrypted. There is no "if offered".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In clear first, then STARTTLS; a server that does not offer it gets nothing (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Never encrypted: only for a server on this machine.
    None,
}

impl Security {
    /// The port that goes with it.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// Whom we sign in to a mail server as.
#[derive(Clone)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that nobody may see: no `Debug`, wiped when dropped (ARCHITECTURE.md, invariant 6).
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The longest file that holds one, in bytes.
    const FILE_BYTES_MAX: u64 = 4096;

    /// Takes the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is empty.
    pub fn read(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path)?.len() > Self::FILE_BYTES_MAX {
            return Err(io::Error::other("too long for a password"));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Self::new(line.to_owned())),
            _ => Err(io::Error::other("the first line is empty")),
        }
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Why a mail did not go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    /// Whether to try again.
    pub kind: SendErrorKind,
    /// What happened, for operators and the log. No address, no text, no secret.
    pub reason: String,
}

/// Whether the same mail may go later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// Try again: the other end is away, busy, or not set up rightly, or we are not.
    Temporary,
    /// This mail will never be taken.
    Permanent,
}

impl SendError {
    fn temporary(reason: impl Into<String>) -> Self {
        Self {
            kind: SendErrorKind::Temporary,
            reason: reason.into(),
        }
    }

    fn permanent(reason: impl Into<String>) -> Self {
        Self {
            kind: SendErrorKind::Permanent,
            reason: reason.into(),
        }
    }
}

/// The way of the mails cannot be used as it is set up.
#[derive(Debug, thiserror::Error)]
pub enum MailConfigError {
    /// The file with extra certificates.
    #[error("the certificates in {path} cannot be used: {problem}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// TLS for this server's name.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Sends mails one way.
pub enum Mailer {
    /// To a mail server.
    Smtp(Smtp),
    /// Into a folder.
    Eml(Eml),
}

impl Mailer {
    /// Prepares the way. Nothing is contacted or written.
    ///
    /// # Errors
    /// [`MailConfigError`] when a file with certificates cannot be used.
    pub fn open(config: &MailConfig) -> Result<Self, MailConfigError> {
        Ok(match &config.route {
            Route::Smtp(smtp) => Self::Smtp(Smtp::open(smtp)?),
            Route::Eml { dir } => Self::Eml(Eml::new(dir.clone())),
        })
    }

    /// Sends one mail. `Ok` means that the other end has taken it, or that the file is on the disk.
    ///
    /// # Errors
    /// [`SendError`] says whether to try again.
    pub async fn send(&self, mail: &OutgoingMail) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(mail).await,
            Self::Eml(eml) => eml.send(mail).await,
        }
    }

    /// Whether mails would go, without sending one.
    ///
    /// # Errors
    /// As [`Mailer::send`].
    pub async fn check(&self) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.check().await,
            Self::Eml(eml) => eml.check().await,
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp(_) => "Smtp",
            Self::Eml(_) => "Eml",
        })
    }
}
