//! What the process says about itself while it runs, and when it has to stop.
//!
//! Log lines go to standard error, as text or as JSON. Only this product's own crates speak below `warn`: other libraries are
//! free to log what they handle, and they handle secrets (R24).

use std::panic::PanicHookInfo;

use tokio::signal::unix::{SignalKind, signal};
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
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
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

/// Resolves when the process is asked to stop: SIGTERM, or SIGINT (Ctrl+C).
///
/// # Errors
/// When the operating system does not let us listen to signals.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
