//! How connections to PostgreSQL are made.

use std::future::{Future, pending};
use std::net::IpAddr;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;

use deadpool_postgres::{
    ConfigConnectImpl, Connect, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod,
    Runtime,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::limits::{
    POSTGRES_ANSWER_TIMEOUT, POSTGRES_CONNECT_TIMEOUT, POSTGRES_HOST_TIMEOUT,
    POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT, POSTGRES_KEEPALIVE_IDLE, POSTGRES_STATEMENT_TIMEOUT,
    TURN_TIMEOUT,
};
use crate::{PostgresConfig, StoreError};

/// Every statement of ours finds its rows by an index. While tables are small, PostgreSQL would rather read the whole of them for each batch, and of rows
/// that are written again and again there are more than it knows of.
const BY_INDEX: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// The pool. Its connections are driven by the runtime that this is called in, whoever asks for one: they outlive the threads of HTTP connections.
///
/// # Errors
/// [`StoreError::Config`] when address or roots cannot be used.
pub(super) fn pool(config: &PostgresConfig) -> Result<Pool, StoreError> {
    let parsed = parse(&config.url)?;
    let manager_config = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = if parsed.get_ssl_mode() == SslMode::Disable {
        let plain = ConfigConnectImpl { tls: NoTls };
        Manager::from_connect(parsed, Here::of(plain), manager_config)
    } else {
        let tls = MakeRustlsConnect::new(tls(config)?);
        let secured = ConfigConnectImpl { tls };
        Manager::from_connect(parsed, Here::of(secured), manager_config)
    };
    Pool::builder(manager)
        .max_size(config.pool_max)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(TURN_TIMEOUT))
        .create_timeout(Some(POSTGRES_CONNECT_TIMEOUT))
        .recycle_timeout(Some(POSTGRES_CONNECT_TIMEOUT))
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move {
                // Set here and not in the start-up packet, which connection poolers refuse.
                let settings = format!(
                    "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}",
                    POSTGRES_STATEMENT_TIMEOUT.as_millis(),
                    POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT.as_millis()
                );
                client
                    .batch_execute(&settings)
                    .await
                    .map_err(HookError::Backend)?;
                // An engine that does not know these plans in its own way.
                let _ = client.batch_execute(BY_INDEX).await;
                Ok(())
            })
        }))
        .build()
        .map_err(|error| StoreError::Config(error.to_string()))
}

/// Makes connections on one runtime.
struct Here<C> {
    runtime: Handle,
    connect: Arc<C>,
}

impl<C> Here<C> {
    fn of(connect: C) -> Self {
        Self {
            runtime: Handle::current(),
            connect: Arc::new(connect),
        }
    }
}

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl<C: Connect + 'static> Connect for Here<C> {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let (connect, config) = (Arc::clone(&self.connect), config.clone());
        let connecting = self
            .runtime
            .spawn(async move { connect.connect(&config).await });
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // The runtime ends, and with it whoever waits here.
                    Err(_) => pending().await,
                },
            }
        })
    }
}

fn parse(url: &str) -> Result<Config, StoreError> {
    // What libpq calls `verify-full` is what `require` means here: the certificate is always checked.
    let mut config: Config = url
        .replace("sslmode=verify-full", "sslmode=require")
        .parse()
        // The parser's own words may quote the address, and with it the password.
        .map_err(|_| {
            StoreError::Config(
                "the address of PostgreSQL is not written as libpq wants it".to_owned(),
            )
        })?;
    let local = config
        .get_hosts()
        .iter()
        .all(|host| matches!(host, Host::Unix(_)));
    if local {
        config.ssl_mode(SslMode::Disable);
    } else if config.get_ssl_mode() != SslMode::Disable {
        config.ssl_mode(SslMode::Require);
    }
    let mut host_timeout = POSTGRES_CONNECT_TIMEOUT;
    if let hosts @ 2.. = config.get_hosts().len() {
        // Of a cluster's members, the one that takes writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        // They are asked in turn, and the last of them has to have its time too.
        let share = POSTGRES_CONNECT_TIMEOUT / u32::try_from(hosts).unwrap_or(u32::MAX);
        host_timeout = (share * 3 / 4).min(POSTGRES_HOST_TIMEOUT);
    }
    config
        .connect_timeout(host_timeout)
        .tcp_user_timeout(POSTGRES_ANSWER_TIMEOUT)
        // A connection that lies idle and was forgotten on the way is found out before anybody wants it.
        .keepalives_idle(POSTGRES_KEEPALIVE_IDLE);
    if config.get_application_name().is_none() {
        config.application_name("warifu");
    }
    Ok(config)
}

/// Whether the server is on another machine, for all that the address says.
///
/// # Errors
/// [`StoreError::Config`] when it cannot be read.
pub(super) fn is_elsewhere(url: &str) -> Result<bool, StoreError> {
    let is_here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    };
    Ok(!parse(url)?.get_hosts().iter().all(is_here))
}

fn tls(config: &PostgresConfig) -> Result<ClientConfig, StoreError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &config.tls_roots {
        let unusable = |error: &dyn std::fmt::Display| {
            StoreError::Config(format!("{}: {error}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
            roots
                .add(certificate.map_err(|e| unusable(&e))?)
                .map_err(|e| unusable(&e))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(StoreError::Config(
            "there is no authority to check the certificate of PostgreSQL with".to_owned(),
        ));
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| StoreError::Config(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_on_another_machine_if_any_of_its_addresses_is() {
        for (hosts, expected) in [
            ("localhost", false),
            ("127.0.0.2", false),
            ("127.0.0.1,localhost:5433", false),
            ("%2Fvar%2Frun%2Fpostgresql", false),
            ("db1.bank.example", true),
            ("10.0.1.11", true),
            ("127.0.0.1,db2.bank.example", true),
        ] {
            let url = format!("postgresql://warifu@{hosts}/warifu");
            assert_eq!(is_elsewhere(&url).unwrap(), expected, "{hosts}");
        }
    }
}
