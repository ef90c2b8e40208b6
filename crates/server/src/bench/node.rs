//! The node under measurement: a process of its own with the product's whole stack, whose clock the bench moves through its standard
//! input; and beside it, on another port of the same process, the handler that does nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use warifu_store::{DatabaseConfig, SQLITE_WRITER};

use super::bank::{self, middle_of};
use super::{BenchError, clock_at, database_at, system};
use crate::app::verification::VERIFIER;
use crate::config::Limits;
use crate::processors::Processors;
use crate::serve::{Door, Site, serve};
use crate::web::caller::TrustedProxies;
use crate::web::{self, Shell};

/// The variable that tells a node what to be, as JSON. It never names a database of yours: the bench refuses one that holds
/// something, and so does the node, for it finds no root key.
const ORDERS: &str = "WARIFU_TEST_BENCH_NODE";

#[derive(Serialize, Deserialize)]
struct Orders {
    database: String,
    ca_file: Option<PathBuf>,
    folder: String,
    step: i64,
    processors: Processors,
}

/// A node that runs.
pub(super) struct Node {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(super) product: String,
    pub(super) empty: String,
}

impl Node {
    pub(super) async fn start(
        database: &DatabaseConfig,
        folder: &Path,
        step: i64,
        processors: Processors,
    ) -> Result<Self, BenchError> {
        let orders = Orders {
            database: match database {
                DatabaseConfig::Sqlite { path } => path.to_string_lossy().into_owned(),
                DatabaseConfig::Postgres(postgres) => postgres.url.clone(),
            },
            ca_file: match database {
                DatabaseConfig::Sqlite { .. } => None,
                DatabaseConfig::Postgres(postgres) => postgres.tls_roots.clone(),
            },
            folder: folder.to_string_lossy().into_owned(),
            step,
            processors,
        };
        let program = std::env::current_exe().map_err(system("cannot find this program"))?;
        let mut child = Command::new(program)
            .args(["bench", "--node"])
            .env(ORDERS, json!(orders).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(system("cannot start the node"))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::Node("it has no standard input".to_owned()));
        };
        let mut node = Self {
            child,
            orders,
            answers: BufReader::new(answers).lines(),
            product: String::new(),
            empty: String::new(),
        };
        let ready = node.answer().await?;
        let (product, empty) = ready
            .split_once(' ')
            .ok_or_else(|| BenchError::Node(format!("it said {ready:?}")))?;
        (node.product, node.empty) = (product.to_owned(), empty.to_owned());
        Ok(node)
    }

    /// Moves the node's clock to the middle of a time step.
    pub(super) async fn move_clock(&mut self, step: i64) -> Result<(), BenchError> {
        self.orders
            .write_all(format!("{step}\n").as_bytes())
            .await
            .map_err(system("cannot move the node's clock"))?;
        self.answer().await.map(drop)
    }

    async fn answer(&mut self) -> Result<String, BenchError> {
        let line = self.answers.next_line().await;
        line.map_err(system("cannot hear the node"))?
            .ok_or_else(|| BenchError::Node("it ended".to_owned()))
    }

    /// Memory that the process holds now, in MiB.
    pub(super) fn resident_mb(&self) -> Result<f64, BenchError> {
        self.memory_mb("VmRSS:")
    }

    /// The most that it ever held.
    pub(super) fn peak_mb(&self) -> Result<f64, BenchError> {
        self.memory_mb("VmHWM:")
    }

    fn memory_mb(&self, name: &str) -> Result<f64, BenchError> {
        let ended = || BenchError::Node("it ended".to_owned());
        let process = self.child.id().ok_or_else(ended)?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))
            .map_err(system("cannot read the node's memory"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|kib| kib.parse::<f64>().ok())
            .ok_or_else(ended)?;
        Ok(kib / 1024.0)
    }

    /// Processor time that the process has used.
    pub(super) fn used(&self) -> Result<Used, BenchError> {
        let ended = || BenchError::Node("it ended".to_owned());
        Used::by(self.child.id().ok_or_else(ended)?)
    }

    /// Ends it by the end of its standard input.
    pub(super) async fn stop(mut self) -> Result<(), BenchError> {
        drop(self.orders);
        let ended = self
            .child
            .wait()
            .await
            .map_err(system("cannot end the node"))?;
        if ended.success() {
            Ok(())
        } else {
            Err(BenchError::Node(format!("it ended with {ended}")))
        }
    }
}

/// Serves a site until the process ends, and gives its address.
async fn open_door(site: impl Site, door: Door) -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(system("cannot listen"))?;
    let address = listener.local_addr().map_err(system("cannot listen"))?;
    tokio::spawn(serve(listener, site, door, std::future::pending()));
    Ok(address)
}

/// Processor time of a process, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    /// Of all its threads.
    pub(super) all_us: f64,
    /// Of it, the threads that judge codes and write to SQLite.
    pub(super) writer_us: f64,
}

impl Used {
    /// What a process has used so far, by the scheduler's account of its threads.
    pub(super) fn by(process: u32) -> Result<Self, BenchError> {
        let unread = || system("cannot read the processor time");
        let mut used = Self::default();
        for thread in std::fs::read_dir(format!("/proc/{process}/task")).map_err(unread())? {
            let folder = thread.map_err(unread())?.path();
            // A thread that ended meanwhile has no files any more.
            let read = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            let ran_ns = read("schedstat")
                .split_whitespace()
                .next()
                .and_then(|ns| ns.parse::<f64>().ok())
                .unwrap_or_default();
            used.all_us += ran_ns / 1_000.0;
            if [SQLITE_WRITER, VERIFIER].contains(&read("comm").trim_end()) {
                used.writer_us += ran_ns / 1_000.0;
            }
        }
        Ok(used)
    }

    /// What was used since `before`, for each of so many answers.
    pub(super) fn since(self, before: Self, answers: usize) -> Self {
        let answers = u32::try_from(answers.max(1)).unwrap_or(u32::MAX);
        let each = |now: f64, then: f64| (now - then) / f64::from(answers);
        Self {
            all_us: each(self.all_us, before.all_us),
            writer_us: each(self.writer_us, before.writer_us),
        }
    }
}

/// Is the node, in the process that [`Node::start`] starts.
///
/// # Errors
/// [`BenchError`].
pub async fn serve_node() -> Result<(), BenchError> {
    let orders = std::env::var(ORDERS).unwrap_or_default();
    let orders: Orders = serde_json::from_str(&orders)
        .map_err(|_| BenchError::Node("only `warifu bench` starts it".to_owned()))?;
    let clock = clock_at(orders.step);
    let database = database_at(&orders.database, orders.ca_file);
    let folder = Path::new(&orders.folder);
    let app = Arc::new(bank::open(&database, folder, clock.clone(), orders.processors).await?);
    let limits = Limits {
        requests_max: super::CLIENTS_MAX,
        // The clients of the one rest while the other is driven.
        header_timeout: Duration::from_hours(1),
        ..Limits::default()
    };
    let shell = Shell {
        limits,
        trusted_proxies: TrustedProxies::default(),
        https: false,
        metrics: Arc::clone(app.metrics()),
    };
    let metrics = Arc::clone(app.metrics());
    let product = web::public(app, None, shell);
    let empty = web::empty::routes();
    let door = Door {
        limits,
        tls: None,
        metrics,
        processors: orders.processors,
    };
    println!(
        "{} {}",
        open_door(product, door.clone()).await?,
        open_door(empty, door).await?
    );
    let mut orders = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = orders.next_line().await {
        if let Ok(step) = line.trim().parse() {
            clock.advance(middle_of(step).since_ms(clock.now()));
        }
        println!("moved");
    }
    Ok(())
}
