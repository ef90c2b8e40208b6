//! Mails to a mail server. One connection for each mail: what is sent here is counted in mails a minute.
//!
//! Where a refusal happens decides whether to try again. What goes wrong before the mail itself is offered (the
//! connection, TLS, our sign-in) says nothing about the mail, so the mail waits, whatever the code.

use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials as SmtpCredentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use super::{
    Credentials, MailConfigError, OutgoingMail, Security, SendError, SendErrorKind, SmtpConfig,
    message,
};

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one mail may take from the connection to the server's last word.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);
/// How long we wait to part politely; the mail is gone by then.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends mails to one server.
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello_name: ClientId,
}

impl Smtp {
    pub(super) fn open(config: &SmtpConfig) -> Result<Self, MailConfigError> {
        let tls = match config.security {
            Security::None => None,
            Security::StartTls | Security::Tls => Some(tls_parameters(config)?),
        };
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            security: config.security,
            tls,
            credentials: config.credentials.clone(),
            hello_name: ClientId::Domain(config.hello_name.clone()),
        })
    }

    pub(super) async fn send(&self, mail: &OutgoingMail) -> Result<(), SendError> {
        let message = message::build(mail)?;
        let bytes = message.formatted();
        let delivery = async {
            let mut connection = self.connect().await?;
            let sent = connection.send(message.envelope(), &bytes).await;
            sent.map_err(|error| refused_mail(&error, mail.to.is_ascii()))?;
            // The server has taken the mail; how the connection ends changes nothing.
            let _ = timeout(QUIT_TIMEOUT, connection.quit()).await;
            Ok(())
        };
        timeout(SEND_TIMEOUT, delivery)
            .await
            .unwrap_or_else(|_| Err(too_slow()))
    }

    pub(super) async fn check(&self) -> Result<(), SendError> {
        let looked = async {
            let mut connection = self.connect().await?;
            let _ = timeout(QUIT_TIMEOUT, connection.quit()).await;
            Ok(())
        };
        timeout(SEND_TIMEOUT, looked)
            .await
            .unwrap_or_else(|_| Err(too_slow()))
    }

    /// A connection that is encrypted as it has to be, and signed in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let from_the_start = match self.security {
            Security::Tls => self.tls.clone(),
            Security::StartTls | Security::None => None,
        };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(CONNECT_TIMEOUT),
            &self.hello_name,
            from_the_start,
            None,
        )
        .await
        .map_err(|error| not_ready("the connection to the mail server failed", &error))?;
        if let (Security::StartTls, Some(tls)) = (self.security, &self.tls) {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(SendError::temporary(
                    "the mail server does not offer STARTTLS, and mails do not go without",
                ));
            }
            connection
                .starttls(tls.clone(), &self.hello_name)
                .await
                .map_err(|error| not_ready("STARTTLS failed", &error))?;
        }
        if let Some(Credentials { username, password }) = &self.credentials {
            let credentials = SmtpCredentials::new(username.clone(), password.expose().to_owned());
            connection
                .auth(DEFAULT_MECHANISMS, &credentials)
                .await
                .map_err(|error| not_ready("the mail server did not let us sign in", &error))?;
        }
        Ok(connection)
    }
}

fn tls_parameters(config: &SmtpConfig) -> Result<TlsParameters, MailConfigError> {
    let host = config.host.trim_start_matches('[').trim_end_matches(']');
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &config.ca_file {
        let unusable = |problem: String| MailConfigError::CaFile {
            path: path.clone(),
            problem,
        };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        if !pem
            .windows(22)
            .any(|window| window == b"-----BEGIN CERTIFICATE")
        {
            return Err(unusable("there is none in it".to_owned()));
        }
        let certificate = Certificate::from_pem(&pem)
            .map_err(|_| unusable("they are not in PEM form".to_owned()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder
        .build()
        .map_err(|error| MailConfigError::Tls(error.to_string()))
}

fn too_slow() -> SendError {
    SendError::temporary(format!(
        "the mail server took longer than {} s",
        SEND_TIMEOUT.as_secs()
    ))
}

/// Before the mail was offered: always to be tried again.
fn not_ready(what: &str, error: &SmtpError) -> SendError {
    SendError::temporary(format!("{what}: {}", described(error)))
}

/// After the mail was offered: 5xx is the last word on it, everything else is not (RFC 5321 §4.2.1).
fn refused_mail(error: &SmtpError, ascii_address: bool) -> SendError {
    // lettre itself refuses an address that this server's protocol cannot carry (RFC 6531), before it offers anything.
    let never = error.is_permanent() || (error.is_client() && !ascii_address);
    let kind = if never {
        SendErrorKind::Permanent
    } else {
        SendErrorKind::Temporary
    };
    SendError {
        kind,
        reason: format!(
            "the mail server did not take the mail: {}",
            described(error)
        ),
    }
}

/// What happened without the server's words, which may repeat an address.
fn described(error: &SmtpError) -> String {
    if let Some(code) = error.status() {
        return match enhanced_code(error) {
            Some(enhanced) => format!("it answered {code} {enhanced}"),
            None => format!("it answered {code}"),
        };
    }
    if error.is_tls() {
        return format!("TLS: {}", innermost(error));
    }
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    if error.is_client() || error.is_response() {
        return "it does not speak as expected".to_owned();
    }
    innermost(error)
}

/// The enhanced status code of RFC 3463 (`5.1.1`) that an answer starts with.
fn enhanced_code(error: &SmtpError) -> Option<String> {
    let words = std::error::Error::source(error)?.to_string();
    let first = words.split_whitespace().next()?;
    let parts: Vec<_> = first.split('.').collect();
    let is_code = parts.len() == 3
        && parts.iter().all(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        });
    is_code.then(|| first.to_owned())
}

/// The cause at the bottom of a failed connection: an error of the operating system or of the certificate check.
fn innermost(error: &SmtpError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
