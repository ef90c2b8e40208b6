//! TLS in front of the pages (R71): a certificate and its key from files, looked at again while the server runs.
//!
//! TLS 1.3, and 1.2 with forward secrecy; nothing older, and no choice of ciphers to get wrong. A new pair takes the place of the
//! old one for new connections only. A new pair that cannot be used leaves the old one in force, and is an error in the log.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};
use warifu_core::time::UnixMillis;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use zeroize::Zeroizing;

use crate::clock::Clock;

/// How often the files are looked at. Whoever renews a certificate does so days before the old one ends; SIGHUP looks at once.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// The longest file of certificates or of a key that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// From so long before its end a certificate is a warning in the log.
const EXPIRY_WARNING: Duration = Duration::from_hours(14 * 24);
/// How often that warning is repeated.
const EXPIRY_WARNING_INTERVAL: Duration = Duration::from_hours(12);
/// What is spoken inside; nobody offers HTTP/2 here.
const APPLICATION_PROTOCOL: &[u8] = b"http/1.1";
/// Permission bits of everybody but owner and group. A group such as Debian's `ssl-cert` may share a key.
const OTHERS: u32 = 0o007;

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those between it and the authority, as PEM.
    pub certificate: PathBuf,
    /// The key of the first certificate, as PEM: PKCS#8, PKCS#1 or SEC 1.
    pub key: PathBuf,
}

/// Why a pair of files cannot be used. It names the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// Everybody on the machine may read the key.
    #[error("{}: others may use this file (mode {mode:04o}): take away their permissions, `chmod o= FILE`", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file holds something else.
    #[error("{}: {what}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The two files are no pair.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    NoPair {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// TLS itself refuses to be set up.
    #[error("TLS: {0}")]
    Refused(#[from] rustls::Error),
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The names and addresses it is for.
    pub names: Vec<String>,
    /// Before this it is not valid.
    pub begins_at: UnixMillis,
    /// After this it is not valid.
    pub ends_at: UnixMillis,
    der: Vec<u8>,
}

impl Validity {
    /// Whether `host`, a name or an address without brackets, is one that browsers accept this certificate for.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let der = CertificateDer::from(self.der.as_slice());
        let Ok(certificate) = rustls::server::ParsedCertificate::try_from(&der) else {
            return false;
        };
        rustls::pki_types::ServerName::try_from(host)
            .is_ok_and(|name| rustls::client::verify_server_name(&certificate, &name).is_ok())
    }
}

/// A pair of files that fit each other.
struct Pair {
    certified: Arc<CertifiedKey>,
    validity: Validity,
}

impl Pair {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let unusable = |path: &Path, what| TlsError::Unusable {
            path: path.to_owned(),
            what,
        };
        let text = read(&files.certificate, u32::MAX)?;
        let chain = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| unusable(&files.certificate, "it is damaged: PEM was expected"))?;
        let first = chain
            .first()
            .ok_or_else(|| unusable(&files.certificate, "there is no certificate in it"))?;
        let validity = validity(first)
            .ok_or_else(|| unusable(&files.certificate, "its first certificate is damaged"))?;
        let text = read(&files.key, !OTHERS)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| unusable(&files.key, "there is no private key in it"))?;
        let certified =
            CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => TlsError::NoPair {
                    key: files.key.clone(),
                    certificate: files.certificate.clone(),
                },
                rustls::Error::General(_) => {
                    unusable(&files.key, "this kind of key is not supported")
                }
                other => TlsError::Refused(other),
            })?;
        Ok(Self {
            certified: Arc::new(certified),
            validity,
        })
    }
}

/// A file of modest size whose permission bits lie within `mode_max`.
fn read(path: &Path, mode_max: u32) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |error| TlsError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & !mode_max != 0 {
        return Err(TlsError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other("it is too long")));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len()).unwrap_or(0),
    ));
    (&mut file)
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// What the certificate says of itself; `None` when it cannot be read.
fn validity(der: &CertificateDer<'_>) -> Option<Validity> {
    let certificate = Certificate::from_der(der).ok()?;
    let told = &certificate.tbs_certificate;
    let at = |time: x509_cert::time::Time| {
        i64::try_from(time.to_unix_duration().as_millis())
            .ok()
            .map(UnixMillis)
    };
    let names = told
        .get::<SubjectAltName>()
        .ok()?
        .map_or_else(Vec::new, |(_, names)| {
            names.0.iter().filter_map(shown).collect()
        });
    Some(Validity {
        names,
        begins_at: at(told.validity.not_before)?,
        ends_at: at(told.validity.not_after)?,
        der: der.to_vec(),
    })
}

fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            <[u8; 4]>::try_from(bytes)
                .map(|four| std::net::IpAddr::from(four).to_string())
                .or_else(|_| {
                    <[u8; 16]>::try_from(bytes)
                        .map(|sixteen| std::net::IpAddr::from(sixteen).to_string())
                })
                .ok()
        }
        _ => None,
    }
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// The pair in force. New connections ask for it; those that are open do not notice a change.
struct InForce(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InForce").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Nothing can panic while it is held, and a pair is whole or not there.
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&pair))
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed_s: i64,
    changed_ns: i64,
}

impl Stamp {
    /// `None` while there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed_s: metadata.ctime(),
            changed_ns: metadata.ctime_nsec(),
        })
    }
}

/// TLS, ready for connections.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    in_force: Arc<InForce>,
    config: Arc<ServerConfig>,
    validity: Validity,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let pair = Pair::load(&files)?;
        let in_force = Arc::new(InForce(RwLock::new(pair.certified)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&in_force) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![APPLICATION_PROTOCOL.to_vec()];
        Ok(Self {
            files,
            in_force,
            config: Arc::new(config),
            validity: pair.validity,
        })
    }

    /// What the certificate that was read at first says of itself.
    #[must_use]
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// What a connection is accepted with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Takes the pair of the files into force.
    ///
    /// # Errors
    /// [`TlsError`]; the pair that was in force stays.
    pub fn reload(&self) -> Result<Validity, TlsError> {
        let pair = Pair::load(&self.files)?;
        let mut in_force = self
            .in_force
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *in_force = pair.certified;
        Ok(pair.validity)
    }

    fn stamps(&self) -> [Option<Stamp>; 2] {
        [
            Stamp::of(&self.files.certificate),
            Stamp::of(&self.files.key),
        ]
    }

    /// Looks at the files every `look_interval`, and when `asked` is notified, until `stopped`.
    pub async fn watch(
        self,
        clock: Clock,
        look_interval: Duration,
        asked: Arc<Notify>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut looks = interval(look_interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut expiry_warnings = interval(EXPIRY_WARNING_INTERVAL);
        expiry_warnings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whatever changed between opening and here is seen by the first look.
        let mut seen = [None; 2];
        let mut validity = self.validity.clone();
        while !*stopped.borrow() {
            let told = tokio::select! {
                _ = looks.tick() => false,
                () = asked.notified() => true,
                _ = expiry_warnings.tick() => {
                    warn_of_expiry(&validity, clock.now());
                    continue;
                }
                _ = stopped.changed() => return,
            };
            let stamps = self.stamps();
            if stamps == seen && !told {
                continue;
            }
            seen = stamps;
            match self.reload() {
                Ok(new) if new != validity => {
                    tracing::info!(
                        names = new.names.join(" "),
                        ends_at = %day(new.ends_at),
                        "a new certificate is in force"
                    );
                    validity = new;
                    expiry_warnings.reset_immediately();
                }
                Ok(_) => {}
                Err(error) => tracing::error!(
                    %error,
                    old_ends_at = %day(validity.ends_at),
                    "the new certificate or key cannot be used: the old pair stays in force"
                ),
            }
        }
    }
}

fn warn_of_expiry(validity: &Validity, now: UnixMillis) {
    let left_ms = validity.ends_at.since_ms(now);
    let ends_at = day(validity.ends_at);
    if left_ms <= 0 {
        tracing::error!(%ends_at, "the certificate has expired: browsers and apps refuse this server");
    } else if u128::from(left_ms.unsigned_abs()) < EXPIRY_WARNING.as_millis() {
        tracing::warn!(%ends_at, "the certificate expires soon");
    }
}

/// The day of a point in time, in UTC.
#[must_use]
pub fn day(at: UnixMillis) -> String {
    Timestamp::from_millisecond(at.0)
        .unwrap_or(Timestamp::MAX)
        .strftime("%Y-%m-%d")
        .to_string()
}
