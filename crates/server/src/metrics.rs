//! What the service measures of itself, for a Prometheus that asks (R94): counts, durations and depths, never who or what.
//! No label holds an id, an address or anything that a caller chose: verdicts are our own words, routes are templates.
//!
//! Recording is a few atomic steps on series that were made at start (one uncontended lock for a distribution), so the hot path
//! may record each event. Nothing is recorded before [`Metrics::start_recording`]. Reading them out over HTTP is `web::metrics`.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// A series as it is told to Prometheus. The name on the wire is `warifu_`, the name, the unit if there is one, and `_total` for
/// a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name without prefix, unit and suffix.
    pub name: &'static str,
    /// What it tells, in one sentence without its full stop.
    pub help: &'static str,
    /// The unit, where it is not a mere count.
    pub unit: Option<&'static str>,
}

const fn counted(name: &'static str, help: &'static str) -> Description {
    Description {
        name,
        help,
        unit: None,
    }
}

const fn in_seconds(name: &'static str, help: &'static str) -> Description {
    Description {
        name,
        help,
        unit: Some("seconds"),
    }
}

/// `warifu_verifications_total{verdict}`.
pub const VERIFICATIONS: Description =
    counted("verifications", "Codes that were judged, by verdict");
/// `warifu_verification_queue_depth`.
pub const VERIFICATION_QUEUE_DEPTH: Description = counted(
    "verification_queue_depth",
    "Codes that wait for the next transaction",
);
/// `warifu_verification_batch_size`.
pub const VERIFICATION_BATCH_SIZE: Description = counted(
    "verification_batch_size",
    "Codes that one transaction judged",
);
/// `warifu_commit_seconds`.
pub const COMMIT: Description = in_seconds(
    "commit",
    "Duration of the transactions that judge codes, from the first statement to the answer to COMMIT",
);
/// `warifu_request_seconds{route,status}`.
pub const REQUEST: Description = in_seconds(
    "request",
    "Duration of HTTP requests, by route and status of the answer",
);
/// `warifu_requests_in_flight`.
pub const REQUESTS_IN_FLIGHT: Description =
    counted("requests_in_flight", "HTTP requests that run now");
/// `warifu_connections`.
pub const CONNECTIONS: Description = counted("connections", "Connections that are open now");
/// `warifu_outbox_oldest_seconds`.
pub const OUTBOX_OLDEST: Description = in_seconds(
    "outbox_oldest",
    "Age of the oldest mail that waits, of the 10,000 that are due first in the whole installation",
);
/// `warifu_outbox_waiting`.
pub const OUTBOX_WAITING: Description = counted(
    "outbox_waiting",
    "Mails that wait, in the whole installation; 10,000 stands for more",
);
/// `warifu_webhooks_oldest_seconds`.
pub const WEBHOOKS_OLDEST: Description = in_seconds(
    "webhooks_oldest",
    "Age of the oldest delivery to a webhook that waits, of the 10,000 that are due first in the whole installation",
);
/// `warifu_webhooks_waiting`.
pub const WEBHOOKS_WAITING: Description = counted(
    "webhooks_waiting",
    "Deliveries to webhooks that wait, in the whole installation; 10,000 stands for more",
);
/// `warifu_webhooks_dead`.
pub const WEBHOOKS_DEAD: Description = counted(
    "webhooks_dead",
    "Deliveries to webhooks that were given up, in the whole installation; 10,000 stands for more",
);
/// `warifu_clock_offset_seconds`.
pub const CLOCK_OFFSET: Description = in_seconds(
    "clock_offset",
    "How far the clock of this node is ahead of the clock of PostgreSQL's server, and on SQLite of where it would have come by itself",
);
/// `warifu_build_info{version}`, always 1.
pub const BUILD: Description = counted("build", "The version of the program");

/// All series, for the documents and for tests.
pub const ALL: [Description; 14] = [
    VERIFICATIONS,
    VERIFICATION_QUEUE_DEPTH,
    VERIFICATION_BATCH_SIZE,
    COMMIT,
    REQUEST,
    REQUESTS_IN_FLIGHT,
    CONNECTIONS,
    OUTBOX_OLDEST,
    OUTBOX_WAITING,
    WEBHOOKS_OLDEST,
    WEBHOOKS_WAITING,
    WEBHOOKS_DEAD,
    CLOCK_OFFSET,
    BUILD,
];

/// The verdicts that have a series of their own; any other word is counted as `other`, so that nobody can make series.
pub const VERDICTS: [&str; 11] = [
    "accepted",
    "already_used",
    "wrong",
    "suspended_now",
    "suspended",
    "revoked",
    "expired",
    "no_token",
    "disabled",
    "clock_unsure",
    OTHER,
];
const OTHER: &str = "other";

/// Upper bounds of request and commit durations, in seconds: from a tenth of a millisecond, for the bars of speed are in single
/// milliseconds, to the longest that a request may take.
const SECONDS_BOUNDS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    30.0,
];
/// Upper bounds of batch sizes.
const BATCH_BOUNDS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

/// Makes the distribution of each new pair of route and status.
#[derive(Clone)]
struct InSeconds;

impl MetricConstructor<Histogram> for InSeconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(SECONDS_BOUNDS)
    }
}

type Depth = Gauge<i64, AtomicI64>;
type Seconds = Gauge<f64, AtomicU64>;

/// What waits to be sent.
#[derive(Default)]
struct Backlog {
    waiting: Depth,
    oldest: Seconds,
}

impl Backlog {
    fn set(&self, waiting: u64, oldest: Duration) {
        self.waiting.set(as_depth(waiting));
        self.oldest.set(oldest.as_secs_f64());
    }
}

/// The measurements of one node. One per process, shared by all that records.
pub struct Metrics {
    recording: AtomicBool,
    registry: Registry,
    verifications: [Counter; VERDICTS.len()],
    queue_depth: Depth,
    batch_size: Histogram,
    commit: Histogram,
    request: Family<RequestLabels, Histogram, InSeconds>,
    in_flight: Depth,
    connections: Depth,
    mails: Backlog,
    webhooks: Backlog,
    webhooks_dead: Depth,
    clock_offset: Seconds,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All series at zero, and recording off.
    #[must_use]
    pub fn new() -> Self {
        let by_verdict = Family::<VerdictLabel, Counter>::default();
        let verifications =
            VERDICTS.map(|verdict| by_verdict.get_or_create_owned(&VerdictLabel { verdict }));
        let metrics = Self {
            recording: AtomicBool::new(false),
            registry: Registry::with_prefix("warifu"),
            verifications,
            queue_depth: Depth::default(),
            batch_size: Histogram::new(BATCH_BOUNDS),
            commit: InSeconds.new_metric(),
            request: Family::new_with_constructor(InSeconds),
            in_flight: Depth::default(),
            connections: Depth::default(),
            mails: Backlog::default(),
            webhooks: Backlog::default(),
            webhooks_dead: Depth::default(),
            clock_offset: Seconds::default(),
        };
        metrics.registered(by_verdict)
    }

    fn registered(mut self, by_verdict: Family<VerdictLabel, Counter>) -> Self {
        let registry = &mut self.registry;
        register(registry, VERIFICATIONS, by_verdict);
        register(registry, VERIFICATION_QUEUE_DEPTH, self.queue_depth.clone());
        register(registry, VERIFICATION_BATCH_SIZE, self.batch_size.clone());
        register(registry, COMMIT, self.commit.clone());
        register(registry, REQUEST, self.request.clone());
        register(registry, REQUESTS_IN_FLIGHT, self.in_flight.clone());
        register(registry, CONNECTIONS, self.connections.clone());
        register(registry, OUTBOX_OLDEST, self.mails.oldest.clone());
        register(registry, OUTBOX_WAITING, self.mails.waiting.clone());
        register(registry, WEBHOOKS_OLDEST, self.webhooks.oldest.clone());
        register(registry, WEBHOOKS_WAITING, self.webhooks.waiting.clone());
        register(registry, WEBHOOKS_DEAD, self.webhooks_dead.clone());
        register(registry, CLOCK_OFFSET, self.clock_offset.clone());
        register(
            registry,
            BUILD,
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        self
    }

    /// From now on, what happens is recorded.
    pub fn start_recording(&self) {
        self.recording.store(true, Ordering::Relaxed);
    }

    /// Whether somebody may ask for the measurements.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    /// A code was judged, and the transaction committed. `verdict` is the word of [`VERDICTS`], which is that of the audit event.
    pub fn verified(&self, verdict: &str) {
        if self.is_recording() {
            let place = VERDICTS.iter().position(|known| *known == verdict);
            self.verifications[place.unwrap_or(VERDICTS.len() - 1)].inc();
        }
    }

    /// So many codes wait for the next transaction.
    pub fn queue_depth(&self, waiting: usize) {
        if self.is_recording() {
            self.queue_depth.set(as_depth(waiting));
        }
    }

    /// One transaction judged so many codes in this time, its commit included.
    pub fn committed(&self, codes: usize, took: Duration) {
        if self.is_recording() {
            self.batch_size
                .observe(f64::from(u32::try_from(codes).unwrap_or(u32::MAX)));
            self.commit.observe(took.as_secs_f64());
        }
    }

    /// A request of this route was answered. `route` is the template of the router, such as `/api/v1/services/{service_id}`, and
    /// `None` where no route fits.
    pub fn answered(&self, route: Option<&str>, status: u16, took: Duration) {
        if self.is_recording() {
            let labels = RequestLabels {
                route: route.unwrap_or(OTHER).to_owned(),
                status,
            };
            self.request
                .get_or_create(&labels)
                .observe(took.as_secs_f64());
        }
    }

    /// A request runs until the answer is dropped.
    #[must_use]
    pub fn request_begins(&self) -> Underway {
        Underway::begin(self, |metrics| &metrics.in_flight)
    }

    /// A connection is open until the answer is dropped.
    #[must_use]
    pub fn connection_opens(&self) -> Underway {
        Underway::begin(self, |metrics| &metrics.connections)
    }

    /// Mails that wait, and for how long the oldest has waited.
    pub fn outbox(&self, waiting: u64, oldest: Duration) {
        if self.is_recording() {
            self.mails.set(waiting, oldest);
        }
    }

    /// Deliveries to webhooks that wait, and for how long the oldest has waited.
    pub fn webhooks(&self, waiting: u64, oldest: Duration) {
        if self.is_recording() {
            self.webhooks.set(waiting, oldest);
        }
    }

    /// Deliveries to webhooks that were given up.
    pub fn webhooks_dead(&self, dead: u64) {
        if self.is_recording() {
            self.webhooks_dead.set(as_depth(dead));
        }
    }

    /// How far the clock is ahead, in seconds; negative when it is behind.
    pub fn clock_offset(&self, ahead_s: f64) {
        if self.is_recording() {
            self.clock_offset.set(ahead_s);
        }
    }

    /// Everything in the text form of `OpenMetrics` 1.0, which Prometheus reads.
    #[must_use]
    pub fn written(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

fn register(
    registry: &mut Registry,
    description: Description,
    metric: impl prometheus_client::registry::Metric,
) {
    match description.unit {
        Some(unit) => registry.register_with_unit(
            description.name,
            description.help,
            Unit::Other(unit.to_owned()),
            metric,
        ),
        None => registry.register(description.name, description.help, metric),
    }
}

fn as_depth(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Something that is counted while it lasts. It counts down only what it counted up, whenever recording began.
#[derive(Debug)]
pub struct Underway {
    counted: Option<Depth>,
}

impl Underway {
    fn begin(metrics: &Metrics, depth: fn(&Metrics) -> &Depth) -> Self {
        if !metrics.is_recording() {
            return Self { counted: None };
        }
        let counted = depth(metrics).clone();
        counted.inc();
        Self {
            counted: Some(counted),
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(depth) = &self.counted {
            depth.dec();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn recording() -> Arc<Metrics> {
        let metrics = Metrics::new();
        metrics.start_recording();
        Arc::new(metrics)
    }

    #[test]
    fn what_is_recorded_is_written_with_name_help_and_unit() {
        let metrics = recording();
        metrics.verified("accepted");
        metrics.verified("a word that nobody knows");
        metrics.queue_depth(7);
        metrics.committed(3, Duration::from_millis(2));
        metrics.answered(Some("/verify"), 303, Duration::from_millis(2));
        metrics.answered(None, 404, Duration::from_millis(2));
        metrics.outbox(2, Duration::from_secs(90));
        metrics.webhooks(3, Duration::from_secs(80));
        metrics.webhooks_dead(4);
        metrics.clock_offset(-0.25);
        let written = metrics.written();
        for line in [
            "warifu_verifications_total{verdict=\"accepted\"} 1",
            "warifu_verifications_total{verdict=\"wrong\"} 0",
            "warifu_verifications_total{verdict=\"other\"} 1",
            "warifu_verification_queue_depth 7",
            "warifu_verification_batch_size_bucket{le=\"4.0\"} 1",
            "warifu_commit_seconds_bucket{le=\"0.0025\"} 1",
            "warifu_request_seconds_count{route=\"/verify\",status=\"303\"} 1",
            "warifu_request_seconds_count{route=\"other\",status=\"404\"} 1",
            "warifu_outbox_oldest_seconds 90.0",
            "warifu_outbox_waiting 2",
            "warifu_webhooks_oldest_seconds 80.0",
            "warifu_webhooks_waiting 3",
            "warifu_webhooks_dead 4",
            "warifu_clock_offset_seconds -0.25",
            "# EOF",
        ] {
            assert!(
                written.lines().any(|written| written == line),
                "{line}\n{written}"
            );
        }
        for series in ALL {
            let unit = series.unit.map_or(String::new(), |unit| format!("_{unit}"));
            let help = format!("# HELP warifu_{}{unit} {}.", series.name, series.help);
            assert!(written.contains(&help), "{help}\n{written}");
        }
    }

    #[test]
    fn nothing_is_recorded_while_it_is_off() {
        let metrics = Arc::new(Metrics::new());
        let before = metrics.written();
        let underway = metrics.connection_opens();
        metrics.verified("accepted");
        metrics.queue_depth(7);
        metrics.committed(3, Duration::from_millis(2));
        metrics.answered(Some("/verify"), 303, Duration::from_millis(2));
        metrics.start_recording();
        drop(underway);
        assert_eq!(before, metrics.written());
    }

    #[test]
    fn what_lasts_is_counted_while_it_lasts() {
        let metrics = recording();
        let (one, other) = (metrics.request_begins(), metrics.request_begins());
        assert!(metrics.written().contains("warifu_requests_in_flight 2\n"));
        drop((one, other));
        assert!(metrics.written().contains("warifu_requests_in_flight 0\n"));
    }
}
