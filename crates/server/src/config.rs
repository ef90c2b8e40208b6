//! How the server is set up: one TOML file, the environment and flags, read once at start.
//!
//! A flag wins over the environment, the environment over the file, the file over the default. A setting that this
//! program does not know is refused with the nearest one it knows, wherever it stands. Secrets (the mail server's
//! password, a password in the database's address) come from the file or the environment, never from a flag.
//!
//! Never here: opening what the settings name (`check` does, when asked), or a setting that nothing reads.

mod check;
mod loading;
mod reading;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use warifu_store::DatabaseConfig;

pub use check::{CheckLine, MailCheck, check};
pub use loading::{Inputs, Loaded, Problem, Problems, Source, load};

use crate::clock::ClockTrust;
use crate::mail::MailConfig;
use crate::processors::Processors;
use crate::telemetry::LogConfig;
use crate::tls::TlsFiles;
use crate::web::caller::TrustedProxies;
use crate::webhook::WebhookConfig;

/// All settings, each checked by itself. It has no `Debug`: the database's address and the mail's password are secrets.
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The address under which browsers and apps reach it, without a slash at the end.
    pub public_url: PublicUrl,
    /// Which database.
    pub database: DatabaseConfig,
    /// The file with the root key (R66, R67).
    pub root_key: PathBuf,
    /// How mails leave.
    pub mail: MailConfig,
    /// Whose word about the visitor's address is taken (R78).
    pub trusted_proxies: TrustedProxies,
    /// How webhooks leave.
    pub webhooks: WebhookConfig,
    /// Certificate and key, where this server ends TLS itself (R71).
    pub tls: Option<TlsFiles>,
    /// Where measurements and health are told to operators; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Where the app is to be had.
    pub links: StoreLinks,
    /// What the machine's clock is held against (R19).
    pub clock: ClockTrust,
    /// How the busiest threads share the processors.
    pub processors: Processors,
    /// How much of everything.
    pub limits: Limits,
}

/// The public address: `https`, or `http` on this machine only. No path, no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    host: String,
}

impl PublicUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence about what such an address has to be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rule = "must be https://HOST[:PORT], or http:// with localhost, 127.0.0.1 or [::1]";
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let uri: http::Uri = trimmed.parse().map_err(|_| rule)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(rule);
        };
        let host = authority.host();
        // An authority may also hold a user; a path or a query would be cut off silently.
        let plain = format!("{scheme}://{authority}").eq_ignore_ascii_case(trimmed)
            && !authority.as_str().contains('@')
            && !host.is_empty();
        let allowed = match scheme {
            "https" => true,
            "http" => is_loopback(host),
            _ => false,
        };
        if !plain || !allowed {
            return Err(rule);
        }
        Ok(Self {
            text: trimmed.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
        })
    }

    /// The address of a server of this machine that has no other.
    #[must_use]
    pub fn loopback(listen: SocketAddr) -> Self {
        Self {
            text: format!("http://{listen}"),
            host: listen.ip().to_string(),
        }
    }

    /// As text, such as `https://otp.bank.example`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether browsers come over TLS, so that strict transport security may be asked for (R71).
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a host's name or address is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Where the download page (J3) sends people; `None` where the app is not offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreLinks {
    /// The app's page in the App Store.
    pub app_store_url: Option<String>,
    /// The app's page in Google Play.
    pub google_play_url: Option<String>,
}

/// The limits that an operator may move (R79); the others are constants beside what they bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Requests that are worked on at once; the next one is told to come again.
    pub requests_max: usize,
    /// Connections that are open at once; the next one waits.
    pub connections_max: usize,
    /// How long one request may take, its body included.
    pub request_timeout: Duration,
    /// How long a connection may take to send the head of a request, and may stay idle between two.
    pub header_timeout: Duration,
    /// How long requests that run when the server is stopped may take to end.
    pub shutdown_timeout: Duration,
    /// How long the server, told to stop, still takes connections, so that a balancer can see that it is not ready.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 * 1024,
            requests_max: 256,
            connections_max: 8192,
            request_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(20),
            drain: Duration::ZERO,
        }
    }
}
