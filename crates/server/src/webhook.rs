//! Sending of one webhook after the Standard Webhooks specification: where it may go, its signature, one HTTP request, and
//! what the answer means.
//!
//! Queueing and retries are elsewhere (`app::webhooks`). No error holds a path or a query of the endpoint, a secret, or what
//! the endpoint wrote.

mod signature;
mod target;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

pub use signature::{Secret, Signer};
pub use target::{AllowedNetworks, Target};

/// Names that are looked up at once; a slow name server must not take the threads that hash passwords.
const LOOKUPS_MAX: usize = 4;
/// Header lines of an answer.
const ANSWER_HEADERS_MAX: usize = 100;
/// The head of an answer, in bytes. Its body is not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How webhooks leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Networks that are not public and may be told of events all the same.
    pub allow_private: AllowedNetworks,
    /// PEM file with certificates that are trusted beside the machine's own.
    pub ca_file: Option<PathBuf>,
    /// How long one delivery may take, from the look-up of the name to the head of the answer.
    pub timeout: Duration,
}

impl Default for WebhookConfig {
    /// Public addresses only, and 20 s for a delivery: the specification recommends 15 to 30.
    fn default() -> Self {
        Self {
            allow_private: AllowedNetworks::default(),
            ca_file: None,
            timeout: Duration::from_secs(20),
        }
    }
}

/// One delivery, ready to go. It has no `Debug`: the signature is worth as much as the body.
pub struct Message {
    /// Names the delivery; the same in every try.
    pub id: String,
    /// When it is tried, in seconds since 1970.
    pub at_s: i64,
    /// The signatures, separated by spaces.
    pub signatures: String,
    /// The JSON.
    pub body: String,
}

/// Why a delivery was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not now: to be tried again.
    #[error("{reason}")]
    Later {
        /// What happened, for operators and the log.
        reason: String,
        /// How long the endpoint asks us to wait, if it does.
        retry_after: Option<Duration>,
    },
    /// 410: the endpoint wants nothing any more.
    #[error("the endpoint answered 410 Gone: it wants no more deliveries")]
    Gone,
}

impl SendError {
    fn later(reason: impl Into<String>) -> Self {
        Self::Later {
            reason: reason.into(),
            retry_after: None,
        }
    }
}

/// Webhooks cannot be sent as it is set up.
#[derive(Debug, thiserror::Error)]
pub enum WebhookConfigError {
    /// The file with extra certificates.
    #[error("the certificates in {path} cannot be used: {problem}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Sends webhooks. It follows no redirection (R82), knows no proxy, and connects only to an address that it has judged
/// itself: a name that leads elsewhere a moment later gains nothing.
pub struct Sender {
    tls: TlsConnector,
    allowed: AllowedNetworks,
    timeout: Duration,
    lookups: Semaphore,
}

impl Sender {
    /// Prepares sending. Nothing is contacted.
    ///
    /// # Errors
    /// [`WebhookConfigError`] when the file with certificates cannot be used.
    pub fn open(config: &WebhookConfig) -> Result<Self, WebhookConfigError> {
        Ok(Self {
            tls: TlsConnector::from(Arc::new(tls(config)?)),
            allowed: config.allow_private.clone(),
            timeout: config.timeout,
            lookups: Semaphore::new(LOOKUPS_MAX),
        })
    }

    /// Sends one delivery. `Ok` means that the endpoint answered with 2xx.
    ///
    /// # Errors
    /// [`SendError`] says whether to try again.
    pub async fn send(&self, url: &str, message: &Message) -> Result<(), SendError> {
        timeout(self.timeout, self.try_send(url, message))
            .await
            .unwrap_or_else(|_| {
                Err(SendError::later(format!(
                    "the endpoint did not answer within {} ms",
                    self.timeout.as_millis()
                )))
            })
    }

    async fn try_send(&self, url: &str, message: &Message) -> Result<(), SendError> {
        let target = Target::parse(url, &self.allowed).map_err(SendError::later)?;
        let stream = self.connect(&target).await?;
        let request = request(&target, message)?;
        let answer = if target.is_https() {
            let name = ServerName::try_from(target.host().to_owned())
                .map_err(|_| SendError::later("the endpoint's name is none that TLS knows"))?;
            let stream = self
                .tls
                .connect(name, stream)
                .await
                .map_err(|error| SendError::later(format!("TLS: {error}")))?;
            exchange(stream, request).await?
        } else {
            exchange(stream, request).await?
        };
        judge(&answer)
    }

    /// A connection to the first address of the endpoint that answers and may be told.
    async fn connect(&self, target: &Target) -> Result<TcpStream, SendError> {
        let place = self.lookups.acquire().await;
        let found: Vec<SocketAddr> = lookup_host((target.host(), target.port()))
            .await
            .map_err(|_| SendError::later("the endpoint's name was not found"))?
            .collect();
        drop(place);
        let mut last = SendError::later("the endpoint's name leads to no address");
        for address in found {
            if !self.allowed.permit(address.ip()) {
                last = SendError::later(target::NOT_PUBLIC);
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    last = SendError::later(format!("the connection failed: {}", error.kind()));
                }
            }
        }
        Err(last)
    }
}

fn request(target: &Target, message: &Message) -> Result<Request<String>, SendError> {
    Request::post(target.path_and_query())
        .header(HOST, target.authority())
        .header(CONTENT_TYPE, "application/json")
        .header(
            USER_AGENT,
            concat!("warifu-webhooks/", env!("CARGO_PKG_VERSION")),
        )
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", message.at_s)
        .header("webhook-signature", &message.signatures)
        .body(message.body.clone())
        .map_err(|_| SendError::later("the request could not be written"))
}

/// One request and the head of its answer; the connection ends with it.
async fn exchange<S>(stream: S, request: Request<String>) -> Result<Response<()>, SendError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |_| SendError::later("the connection broke before there was an answer");
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(ANSWER_HEADERS_MAX)
        .max_buf_size(ANSWER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Ends with this function, whatever way that goes.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(broken)?;
    Ok(answer.map(drop))
}

/// What the answer means: only 2xx is a success, a redirection is not.
fn judge(answer: &Response<()>) -> Result<(), SendError> {
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(SendError::Gone),
        status => Err(SendError::Later {
            reason: format!("the endpoint answered {}", status.as_u16()),
            retry_after: answer
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs),
        }),
    }
}

fn tls(config: &WebhookConfig) -> Result<ClientConfig, WebhookConfigError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.ca_file {
        let unusable = |problem: String| WebhookConfigError::CaFile {
            path: path.clone(),
            problem,
        };
        let mut found = 0;
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?
        {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| unusable(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(unusable("there is none in it".to_owned()));
        }
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| WebhookConfigError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}
