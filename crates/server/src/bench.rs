//! `warifu bench`: how fast a real server answers, beside one that does nothing, on this machine in one run.
//!
//! A node with the product's whole stack runs as a process of its own, on a database with as many tokens as asked for. Clients
//! drive it over loopback with right codes only, each verification durable before its answer, and in turns with it an HTTP handler
//! that parses the same request and answers the same JSON. The node's clock is moved by the bench: a token has one code a minute,
//! and the bench has no time.
//!
//! Never here: a rule of the product, or a way to use any of this on a database that holds something.

mod bank;
mod load;
mod node;
mod plots;
mod rounds;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use warifu_store::{DatabaseConfig, PostgresConfig};

use crate::app::Failure;
use crate::clock::Clock;
use crate::processors::{self, Processors, Seats, Work};
pub use bank::TOKENS_MAX;
use node::Used;
pub use node::serve_node;
pub use plots::write_plots;
pub use rounds::{Repeated, Spread, compare};

/// Turns that each of the two is measured in; the median counts, so that a moment's noise does not.
const TURNS: usize = 5;
/// How long each of the two is driven before it is measured; the node as often as it takes until every token had its turn and SQLite's log does not become longer any more, but
/// no more often than [`WARM_UPS_MAX`]. The node remembers whom it has seen. The log grows until it is carried over for the first time (60 MiB), and is written over in place after that. As long as it grows,
/// each commit writes the new size of the file as well, which one client alone waits for.
const WARM_UP: Duration = Duration::from_secs(1);
/// What needs more than this is measured as it is then; `warmed_up_by` and `log_grew_mb` say so.
const WARM_UPS_MAX: usize = 60;
/// What a log that is written over grows by at most, while it is driven once: no carrying over begins at the very same length as the last one.
const LOG_STEADY_BYTES: u64 = 1024 * 1024;
/// Connections to PostgreSQL.
const POOL_MAX: usize = 16;
/// Clients at once, at most.
pub const CLIENTS_MAX: usize = 1_024;

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    /// Durable verifications a second: the median of the turns.
    pub verify_per_s: f64,
    /// Answers a second of the handler that does nothing else.
    pub empty_handler_per_s: f64,
    /// The first by the second.
    pub ratio: f64,
    /// Half of the verifications were answered within this.
    pub p50_ms: f64,
    /// All but one in a hundred.
    pub p99_ms: f64,
    /// The same of the empty handler.
    pub empty_p50_ms: f64,
    /// The same of the empty handler.
    pub empty_p99_ms: f64,
    /// Processor time of the node for one verification, in microseconds; that of PostgreSQL is not in it.
    pub node_us: f64,
    /// What of it SQLite's writing thread used.
    pub writer_us: f64,
    /// Processor time of the client for one verification, in microseconds.
    pub client_us: f64,
    /// The node's for one answer of the empty handler.
    pub empty_node_us: f64,
    /// The client's for one answer of the empty handler.
    pub empty_client_us: f64,
    /// One small write over what stands in a file already, with its fsync, in the folder of the bench: the median.
    pub fsync_ms: f64,
    /// Verifications before it was measured. Where they are fewer than the tokens, some users came for the first time while it was.
    pub warmed_up_by: usize,
    /// How much longer SQLite's log became while it was measured, in MiB. Much more than nothing: the disk was too slow for the warm-up, and had more to do for each commit
    /// than that of a node that has run for a while.
    pub log_grew_mb: f64,
    /// Memory of the node before the load, in MiB.
    pub idle_mb: f64,
    /// Memory of the node after the load, in MiB; the peak is not less.
    pub resident_mb: f64,
    /// Its peak.
    pub peak_mb: f64,
    /// From the start of the process to its first right answer.
    pub start_ms: f64,
    /// Verifications of all turns, all of them accepted.
    pub verified: u64,
    /// Tokens in the database.
    pub tokens: u32,
    /// `sqlite` or `postgresql`.
    pub database: &'static str,
    /// Clients at once.
    pub clients: usize,
    /// Processors of the machine, shared by node, database and clients.
    pub processors: usize,
    /// How the node's busiest threads share them.
    pub processors_are: Processors,
    /// Which of several rounds this was, from 1 on.
    pub round: u16,
    /// The verifications a second by those of the same round and as many clients with the fewest tokens; none for those themselves.
    pub against_fewest_tokens: Option<f64>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The database holds something.
    #[error(
        "the database is not empty: give a new one to the bench, it writes made-up tokens into it"
    )]
    NotEmpty,
    /// The product itself.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Processes, sockets, files.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// An answer that is not the one to a right code.
    #[error("the node answered something else than accepted: {0}")]
    Answer(String),
    /// The node could not be started, or ended.
    #[error("the node: {0}")]
    Node(String),
    /// A plot could not be drawn.
    #[error("the plot {0}")]
    Plot(String),
    /// One database was named, and several numbers of tokens.
    #[error(
        "one database, named by --database or the environment, takes one bank: name one number of --tokens"
    )]
    OneBank,
    /// A number of tokens was named twice: the two could not be told apart.
    #[error("name each number of --tokens once; --rounds measures one again")]
    SameBank,
}

impl From<warifu_store::StoreError> for BenchError {
    fn from(error: warifu_store::StoreError) -> Self {
        Self::Failure(error.into())
    }
}

pub(crate) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> BenchError {
    move |error| BenchError::System { what, error }
}

/// A database with made-up tokens, to measure at.
pub struct Bench {
    database: DatabaseConfig,
    folder: PathBuf,
    processors: Processors,
    bank: Arc<bank::Bank>,
    step: i64,
}

impl Bench {
    /// Fills an empty database with so many tokens; `folder` takes the root key. The nodes share the processors as `processors` says. `told` hears how many
    /// tokens there are now and then.
    ///
    /// # Errors
    /// [`BenchError::NotEmpty`], or what the database says.
    pub async fn prepare(
        database: DatabaseConfig,
        folder: &Path,
        tokens: u32,
        processors: Processors,
        told: impl FnMut(u32),
    ) -> Result<Self, BenchError> {
        let bank = bank::fill(&database, folder, tokens, told).await?;
        Ok(Self {
            database,
            folder: folder.to_owned(),
            processors,
            step: bank.first_step,
            bank: Arc::new(bank),
        })
    }

    /// Where the clients run. Of two processors, beside SQLite, that is where codes are judged: connections are busier. PostgreSQL is a third who needs a place, and finds it
    /// best where clients are not tied to any; so do they where there are more processors.
    fn seats(&self) -> Seats {
        match self.database {
            DatabaseConfig::Sqlite { .. } if processors::count() == 2 => {
                self.processors.seats(Work::Verification)
            }
            DatabaseConfig::Sqlite { .. } | DatabaseConfig::Postgres(_) => Seats::default(),
        }
    }

    /// Measures with so many clients.
    ///
    /// # Errors
    /// [`BenchError`]; above all when any answer is not the acceptance of a right code.
    pub async fn measure(
        &mut self,
        clients: usize,
        duration: Duration,
    ) -> Result<Measured, BenchError> {
        let began = load::now();
        let mut node =
            node::Node::start(&self.database, &self.folder, self.step, self.processors).await?;
        let mut load =
            load::Load::connect(&node, &self.bank, self.step, clients, self.seats()).await?;
        load.first_answer().await?;
        let start_ms = began.elapsed().as_secs_f64() * 1_000.0;
        let idle_mb = node.resident_mb()?;
        let turn = duration / u32::try_from(TURNS).unwrap_or(1);
        let warmed_up_by = self.warm_up(&mut load, &mut node).await?;
        let log_bytes = self.log_bytes();
        let (mut empty, mut verified) = (Vec::new(), Vec::new());
        let (mut empty_used, mut used) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let meter = Meter::of(&node)?;
            empty.push(load.empty(turn).await?);
            empty_used.push(meter.each(&node, empty.last())?);
            load.make_ready(turn)?;
            let meter = Meter::of(&node)?;
            verified.push(load.verify(&mut node, turn).await?);
            used.push(meter.each(&node, verified.last())?);
        }
        let (used, empty_used) = (Meter::median(&used), Meter::median(&empty_used));
        self.step = load.fresh_step();
        let (empty, verified) = (load::Turns::of(empty), load::Turns::of(verified));
        let measured = Measured {
            verify_per_s: verified.per_s,
            empty_handler_per_s: empty.per_s,
            ratio: verified.per_s / empty.per_s,
            p50_ms: verified.p50_ms,
            p99_ms: verified.p99_ms,
            empty_p50_ms: empty.p50_ms,
            empty_p99_ms: empty.p99_ms,
            node_us: used.node.all_us,
            writer_us: used.node.writer_us,
            client_us: used.client.all_us,
            empty_node_us: empty_used.node.all_us,
            empty_client_us: empty_used.client.all_us,
            fsync_ms: fsync_ms(&self.folder)?,
            warmed_up_by,
            log_grew_mb: mebibytes(self.log_bytes().saturating_sub(log_bytes)),
            idle_mb,
            resident_mb: node.resident_mb()?,
            peak_mb: node.peak_mb()?,
            start_ms,
            verified: verified.answers,
            tokens: self.bank.tokens,
            database: kind(&self.database),
            clients,
            processors: processors::count(),
            processors_are: self.processors,
            round: 1,
            against_fewest_tokens: None,
        };
        node.stop().await?;
        Ok(measured)
    }

    /// Warms both up, so that neither is measured while the other's caches fill, nor while the node's log grows. Gives how many codes it took.
    async fn warm_up(
        &self,
        load: &mut load::Load,
        node: &mut node::Node,
    ) -> Result<usize, BenchError> {
        load.empty(WARM_UP).await?;
        let mut answers = 0;
        for _ in 0..WARM_UPS_MAX {
            let before = self.log_bytes();
            load.make_ready(WARM_UP)?;
            answers += load.verify(node, WARM_UP).await?.answers();
            if load.has_asked_for_all(self.step) && self.log_bytes() < before + LOG_STEADY_BYTES {
                break;
            }
        }
        load.scatter();
        Ok(answers)
    }

    /// How long SQLite's log is; 0 beside PostgreSQL, and where there is none.
    fn log_bytes(&self) -> u64 {
        let log = self.database.write_ahead_log();
        log.and_then(|log| std::fs::metadata(log).ok())
            .map_or(0, |log| log.len())
    }
}

/// Processor time of both sides, at a moment or for one answer.
#[derive(Clone, Copy)]
struct Meter {
    node: Used,
    client: Used,
}

impl Meter {
    fn of(node: &node::Node) -> Result<Self, BenchError> {
        Ok(Self {
            node: node.used()?,
            client: Used::by(std::process::id())?,
        })
    }

    /// What was used since this moment for each answer of a turn.
    fn each(self, node: &node::Node, turn: Option<&load::Rate>) -> Result<Self, BenchError> {
        let answers = turn.map_or(0, load::Rate::answers);
        let now = Self::of(node)?;
        Ok(Self {
            node: now.node.since(self.node, answers),
            client: now.client.since(self.client, answers),
        })
    }

    /// Of several, each figure's median.
    fn median(several: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            Spread::of(several.iter().map(figure)).map_or(0.0, |figures| figures.median)
        };
        Self {
            node: Used {
                all_us: of(|meter| meter.node.all_us),
                writer_us: of(|meter| meter.node.writer_us),
            },
            client: Used {
                all_us: of(|meter| meter.client.all_us),
                writer_us: 0.0,
            },
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size is told in MiB")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// The median of some small writes, each followed by an fsync, over what stands in a file already, as a commit of a node that has run for a while.
fn fsync_ms(folder: &Path) -> Result<f64, BenchError> {
    use std::os::unix::fs::FileExt as _;
    const WRITES: usize = 64;
    const BYTES: usize = 4096;
    let cannot = || system("cannot write the probe");
    let path = folder.join("fsync.probe");
    std::fs::write(&path, vec![0; WRITES * BYTES]).map_err(cannot())?;
    let file = std::fs::File::options()
        .write(true)
        .open(&path)
        .map_err(cannot())?;
    file.sync_all().map_err(cannot())?;
    let mut times = Vec::with_capacity(WRITES);
    for at in (0..).step_by(BYTES).take(WRITES) {
        let began = load::now();
        file.write_all_at(&[1; BYTES], at)
            .and_then(|()| file.sync_data())
            .map_err(cannot())?;
        times.push(began.elapsed());
    }
    std::fs::remove_file(&path).map_err(system("cannot remove the probe"))?;
    times.sort();
    Ok(times[WRITES / 2].as_secs_f64() * 1_000.0)
}

/// The clock of a node of the bench, which runs from the middle of a time step, but not out of it.
fn clock_at(step: i64) -> Clock {
    let middle = bank::middle_of(step);
    Clock::running(middle, bank::middle_of(step + 1).since_ms(middle) / 2 - 1)
}

/// The database at an address: that of PostgreSQL, or the path of a file.
#[must_use]
pub fn database_at(address: &str, ca_file: Option<PathBuf>) -> DatabaseConfig {
    if address.starts_with("postgres:") || address.starts_with("postgresql:") {
        DatabaseConfig::Postgres(PostgresConfig {
            url: address.to_owned(),
            pool_max: POOL_MAX,
            tls_roots: ca_file,
        })
    } else {
        DatabaseConfig::Sqlite {
            path: address.into(),
        }
    }
}

const fn kind(database: &DatabaseConfig) -> &'static str {
    match database {
        DatabaseConfig::Sqlite { .. } => "sqlite",
        DatabaseConfig::Postgres(_) => "postgresql",
    }
}
