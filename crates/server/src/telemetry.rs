//! What the process says about itself while it runs, and when it has to stop.
//!
//! Log lines go to standard error, as text or as JSON. Only this product's own crates speak below `warn`: other libraries are
//! free to log what they handle, and they handle secrets (R24).

use std::panic::PanicHookInfo;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least important level that is still written.
    pub level: Level,
    /// The form of a line.
    pub format: LogFormat,
}

impl LogConfig {
    /// The level of this name.
    #[must_use]
    pub fn parse_level(name: &str) -> Option<Level> {
        Some(match name {
            "error" => Level::ERROR,
            "warn" => Level::WARN,
            "info" => Level::INFO,
            "debug" => Level::DEBUG,
            "trace" => Level::TRACE,
            _ => return None,
        })
    }

    fn filter(self) -> Targets {
        let own = LevelFilter::from_level(self.level);
        Targets::new()
            .with_default(own.min(LevelFilter::WARN))
            .with_target("warifu", own)
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging for the whole process. The second call in one process changes nothing.
pub fn start(config: LogConfig) {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let layer = match config.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(layer.with_filter(config.filter()))
        .try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Panics are events like others (R90). Where it happened is enough; the message may quote what was handled.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(target: "warifu_server::panic", location, "a defect: the program panicked");
}

/// The signals that ask the process to stop: SIGTERM, and SIGINT (Ctrl+C).
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Listens from now on; without this, the first signal ends the process.
    ///
    /// # Errors
    /// When the operating system does not let us listen to signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves at the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signal that asks the process to look at its files again: SIGHUP. Unless somebody listens, it ends the process.
pub struct ReloadSignal(Signal);

impl ReloadSignal {
    /// Listens from now on.
    ///
    /// # Errors
    /// As [`StopSignals::listen`].
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Resolves at the next one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime is going away: there is no next one.
            std::future::pending::<()>().await;
        }
    }
}
