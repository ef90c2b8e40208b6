//! From settings to the running product: database, schema, keys, use cases; then the server with its background work.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use warifu_store::{DatabaseConfig, Store, StoreError};

use crate::api::problem::cut_short;
use crate::app::{App, Failure, Settings, keys};
use crate::background;
use crate::clock::Clock;
use crate::config::Config;
use crate::demo::DemoSite;
use crate::mail::{MailConfigError, Mailer};
use crate::serve::serve;
use crate::telemetry::stop_signal;
use crate::web::{self, Shell};
use crate::webhook::{Sender, WebhookConfigError};

/// Why the product did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database or the keys refuse.
    #[error(transparent)]
    App(#[from] Failure),
    /// Something of the operating system: the port, signals.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The way of the mails cannot be used.
    #[error("mail: {0}")]
    Mail(#[from] MailConfigError),
    /// The way of the webhooks cannot be used.
    #[error("webhooks: {0}")]
    Webhooks(#[from] WebhookConfigError),
}

impl StartError {
    /// Whether something that the product needs could not be reached: trying again later may help.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::App(Failure::Store(StoreError::Unavailable(_))))
    }
}

/// Opens the use cases on the configured database: brings the schema up to date, makes the keys of an empty database, and
/// refuses a root key that is not the one of existing data (R66).
///
/// # Errors
/// [`StartError::App`].
pub async fn open_app(config: &Config, clock: Clock) -> Result<Arc<App>, StartError> {
    let store = open_store(&config.database, &clock).await?;
    let root = keys::root_key(&store, &config.root_key).await?;
    let settings = Settings {
        public_url: config.public_url.as_str().to_owned(),
        mail_from: config.mail.from.clone(),
        app_store_url: config.links.app_store_url.clone(),
        google_play_url: config.links.google_play_url.clone(),
    };
    Ok(Arc::new(App::open(store, &root, clock, settings).await?))
}

async fn open_store(database: &DatabaseConfig, clock: &Clock) -> Result<Store, Failure> {
    let store = Store::open(database).await?;
    store.migrate(clock.now().0).await?;
    store.check_schema().await?;
    Ok(store)
}

/// Takes the address that the server listens on.
///
/// # Errors
/// [`StartError::System`], when the address is taken or not ours.
pub async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::System {
            what: format!("cannot listen on {address}"),
            error,
        })
}

/// Serves until the process is asked to stop. Mails go out and the house is kept meanwhile.
///
/// # Errors
/// [`StartError`] when the mails' or the webhooks' way or the signals cannot be set up.
pub async fn run(
    app: Arc<App>,
    config: &Config,
    listener: TcpListener,
    demo: Option<Arc<DemoSite>>,
) -> Result<(), StartError> {
    let mailer = Mailer::open(&config.mail)?;
    let sender = Arc::new(Sender::open(&config.webhooks)?);
    let asked_to_stop = stop_signal().map_err(|error| StartError::System {
        what: "cannot listen to signals".to_owned(),
        error,
    })?;
    let router = web::protected(web::router(Arc::clone(&app), demo), shell(config));
    let (stop, stopped) = watch::channel(false);
    let outbox = tokio::spawn(background::send_mails(
        Arc::clone(&app),
        mailer,
        stopped.clone(),
    ));
    let webhooks = tokio::spawn(background::tell_webhooks(
        Arc::clone(&app),
        sender,
        stopped.clone(),
    ));
    let house = tokio::spawn(background::keep_house(app, stopped));
    tracing::info!(public_url = %config.public_url, "ready");
    serve(listener, router, config.limits, asked_to_stop).await;
    tracing::info!("stopping");
    // The receivers are only gone when their tasks are.
    let _ = stop.send(true);
    for task in [outbox, webhooks, house] {
        if task.await.is_err() {
            tracing::error!("background work ended with a defect");
        }
    }
    Ok(())
}

fn shell(config: &Config) -> Shell {
    Shell {
        limits: config.limits,
        trusted_proxies: config.trusted_proxies.clone(),
        https: config.public_url.is_https(),
        problem_page: Arc::new(cut_short),
    }
}
