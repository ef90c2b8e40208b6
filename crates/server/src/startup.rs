//! From settings to the running product: database, schema, keys, use cases; then the server with its background work.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use warifu_store::{DatabaseConfig, Store, StoreError};

use crate::app::{App, Failure, Settings, keys};
use crate::background;
use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::demo::DemoSite;
use crate::mail::{MailConfigError, Mailer};
use crate::serve::{Door, serve};
use crate::telemetry::{ReloadSignal, StopSignals};
use crate::tls::{LOOK_INTERVAL, Tls, TlsError};
use crate::web::{self, Shell};
use crate::webhook::{Sender, WebhookConfigError};

/// Files that are open beside those of connections: the database, the log, what starts and stops.
const FILES_BESIDE_CONNECTIONS: u64 = 256;
/// Connections on the address of the operators.
const OPERATORS_CONNECTIONS_MAX: usize = 64;
/// What the background work has to end in, at least, when requests took all of [`Limits::shutdown_timeout`].
const BACKGROUND_END: Duration = Duration::from_secs(1);

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
    /// Certificate and key cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
}

impl StartError {
    /// Whether something that the product needs could not be reached: trying again later may help.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::App(Failure::Store(StoreError::Unavailable(_))))
    }
}

/// Opens the use cases on the configured database, by the machine's clock as it is configured: brings the schema up to date, makes the keys of an empty database, and
/// refuses a root key that is not the one of existing data (R66).
///
/// # Errors
/// [`StartError::App`].
pub async fn open_app(config: &Config) -> Result<Arc<App>, StartError> {
    open_app_by(config, Clock::system_with(config.clock)).await
}

/// The same by another clock.
///
/// # Errors
/// [`StartError::App`].
pub async fn open_app_by(config: &Config, clock: Clock) -> Result<Arc<App>, StartError> {
    let store = open_store(&config.database, &clock).await?;
    let root = keys::root_key(&store, &config.root_key).await?;
    let settings = Settings {
        public_url: config.public_url.as_str().to_owned(),
        mail_from: config.mail.from.clone(),
        app_store_url: config.links.app_store_url.clone(),
        google_play_url: config.links.google_play_url.clone(),
        processors: config.processors,
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

/// Raises the number of files that this process may have open, connections included, as far as the system lets it, and says
/// so when that is too few for `connections_max` (R79).
pub fn raise_open_files(connections_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if limit.current != raised.current
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the number of open files was not raised");
    }
    let needed = u64::try_from(connections_max)
        .unwrap_or(u64::MAX)
        .saturating_add(FILES_BESIDE_CONNECTIONS);
    if let Some(open_files_max) = getrlimit(Resource::Nofile).current
        && open_files_max < needed
    {
        tracing::warn!(
            open_files_max,
            needed,
            "too few open files for limits.connections_max: raise LimitNOFILE, or ulimit -n"
        );
    }
}

/// Serves until the process is asked to stop, and then ends what runs; asked once more, it ends at once. Mails go out and the
/// house is kept meanwhile.
///
/// # Errors
/// [`StartError`] when the mails' or the webhooks' way, TLS, the address of the metrics or the signals cannot be set up.
pub async fn run(
    app: Arc<App>,
    config: &Config,
    listener: TcpListener,
    demo: Option<Arc<DemoSite>>,
) -> Result<(), StartError> {
    let mailer = Mailer::open(&config.mail)?;
    let sender = Arc::new(Sender::open(&config.webhooks)?);
    let tls = config.tls.clone().map(Tls::open).transpose()?;
    let operators = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let signals = |error| StartError::System {
        what: "cannot listen to signals".to_owned(),
        error,
    };
    let mut stop_signals = StopSignals::listen().map_err(signals)?;
    let reload_signal = ReloadSignal::listen().map_err(signals)?;
    raise_open_files(config.limits.connections_max);
    if operators.is_some() {
        app.metrics().start_recording();
    }

    let (stop, stopped) = watch::channel(false);
    let background =
        Background::start(&app, (mailer, sender), tls.clone(), reload_signal, &stopped);
    let (close, closed) = watch::channel(false);
    let public = serve(
        listener,
        web::public(Arc::clone(&app), demo, shell(&app, config)),
        Door {
            limits: config.limits,
            tls,
            metrics: Arc::clone(app.metrics()),
            processors: config.processors,
        },
        until(closed),
    );
    let work = async {
        public.await;
        // The receivers are only gone when their tasks are.
        let _ = stop.send(true);
        background.end().await;
    };
    let for_operators = serve_operators(&app, operators);
    tracing::info!(public_url = %config.public_url, "ready");
    let running = async {
        tokio::select! {
            () = work => {}
            () = for_operators => {}
        }
    };
    tokio::pin!(running);
    tokio::select! {
        () = &mut running => {}
        () = stop_signals.next() => {}
    }
    tracing::info!("stopping");
    app.begin_to_stop();
    let ending = async {
        tokio::select! {
            () = &mut running => return,
            () = sleep(config.limits.drain) => {}
        }
        let _ = close.send(true);
        // A mail or a webhook that is cut off is sent again, as after a crash.
        let most = config.limits.shutdown_timeout + BACKGROUND_END;
        if timeout(most, running).await.is_err() {
            tracing::warn!(
                "mails, webhooks or a statement were still under way when the time to stop was over"
            );
        }
    };
    tokio::select! {
        () = ending => {}
        () = stop_signals.next() => tracing::warn!("told to stop once more: ending at once"),
    }
    Ok(())
}

/// Resolves when the value is true, or nobody can set it any more.
async fn until(mut told: watch::Receiver<bool>) {
    let _ = told.wait_for(|told| *told).await;
}

/// Answers operators until the future is dropped: they look at a node that stops, too.
async fn serve_operators(app: &Arc<App>, listener: Option<TcpListener>) {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let router = web::metrics::routes(Arc::clone(app));
    let limits = Limits {
        connections_max: OPERATORS_CONNECTIONS_MAX,
        ..Limits::default()
    };
    serve(
        listener,
        router,
        Door::plain(limits),
        std::future::pending(),
    )
    .await;
}

/// The work that nobody waits for.
struct Background(JoinSet<()>);

impl Background {
    fn start(
        app: &Arc<App>,
        (mailer, sender): (Mailer, Arc<Sender>),
        tls: Option<Tls>,
        mut reload_signal: ReloadSignal,
        stopped: &watch::Receiver<bool>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(background::send_mails(
            Arc::clone(app),
            mailer,
            stopped.clone(),
        ));
        tasks.spawn(background::tell_webhooks(
            Arc::clone(app),
            sender,
            stopped.clone(),
        ));
        tasks.spawn(background::keep_house(Arc::clone(app), stopped.clone()));
        tasks.spawn(background::compare_clocks(Arc::clone(app), stopped.clone()));
        if app.metrics().is_recording() {
            tasks.spawn(background::measure(Arc::clone(app), stopped.clone()));
        }
        let reload = Arc::new(Notify::new());
        if let Some(tls) = tls {
            tasks.spawn(tls.watch(
                Clock::system(),
                LOOK_INTERVAL,
                Arc::clone(&reload),
                stopped.clone(),
            ));
        }
        let mut ended = stopped.clone();
        tasks.spawn(async move {
            // Also without TLS: who sends it expects a reload, not an end.
            let forward = async {
                loop {
                    reload_signal.next().await;
                    reload.notify_one();
                }
            };
            tokio::select! {
                () = forward => {}
                _ = ended.wait_for(|stopped| *stopped) => {}
            }
        });
        Self(tasks)
    }

    async fn end(mut self) {
        while let Some(ended) = self.0.join_next().await {
            if ended.is_err() {
                tracing::error!("background work ended with a defect");
            }
        }
    }
}

fn shell(app: &App, config: &Config) -> Shell {
    Shell {
        limits: config.limits,
        trusted_proxies: config.trusted_proxies.clone(),
        https: config.public_url.is_https(),
        metrics: Arc::clone(app.metrics()),
    }
}
