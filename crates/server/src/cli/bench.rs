//! `warifu bench`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{DONE, USAGE, failed};
use crate::bench::{
    Bench, BenchError, CLIENTS_MAX, Measured, Repeated, TOKENS_MAX, compare, database_at,
    serve_node, system, write_plots,
};
use crate::processors::Processors;
use crate::telemetry::{self, LogConfig, LogFormat};

/// Numbers of clients that `--all` measures.
const CLIENTS: [usize; 5] = [1, 8, 64, 256, 512];
/// Numbers of tokens that `--all` measures.
const TOKENS: [u32; 3] = [1_000, 100_000, 1_000_000];

/// Measure how fast this machine verifies codes, beside an HTTP handler that does nothing
///
/// Starts a real server on a made-up bank in a new folder (or an empty PostgreSQL database), drives it over loopback with right
/// codes only, each durable before it is answered, and prints what it measured. Nothing else should run meanwhile.
#[derive(Args)]
pub struct BenchArgs {
    /// Tokens in the bank; of several banks, as 1000,1000000, all are made first and then measured in turns
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "2000", value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKENS_MAX)))]
    tokens: Vec<u32>,
    /// Clients that ask at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=i64::try_from(CLIENTS_MAX).unwrap_or(1)))]
    clients: u16,
    /// Seconds that the verifications are driven for, and the empty handler as long
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    seconds: u16,
    /// Measure everything so many times, in turns; of the rounds, the table tells the one with the median rate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    rounds: u16,
    /// An empty PostgreSQL database; left out, SQLite in a new folder
    #[arg(
        long,
        value_name = "URL",
        env = "WARIFU_TEST_BENCH_DATABASE",
        hide_env = true
    )]
    database: Option<String>,
    /// A file with the authorities to trust for PostgreSQL's certificate
    #[arg(long, value_name = "FILE", requires = "database")]
    ca_file: Option<PathBuf>,
    /// How the node shares the processors: divided, as its setting of that name may be where nothing else runs, or shared, as it is by default
    #[arg(long, value_enum, default_value_t = Processors::Divided)]
    processors: Processors,
    /// Measure many numbers of clients, and on SQLite many numbers of tokens too
    #[arg(long, conflicts_with_all = ["tokens", "clients"])]
    all: bool,
    /// Folder for results.json and the plots over several numbers of tokens or clients, written after each round
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder that the made-up bank is put into, and removed from at the end; left out, the system's for such things
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print JSON: one object; a list of them with --all, several numbers of tokens or several rounds
    #[arg(long)]
    json: bool,
    /// Be the server under measurement
    #[arg(long, hide = true)]
    node: bool,
}

/// Runs the command.
pub async fn run(args: BenchArgs) -> u8 {
    telemetry::start(LogConfig {
        level: tracing::Level::WARN,
        format: LogFormat::Text,
    });
    if args.node {
        return match serve_node().await {
            Ok(()) => DONE,
            Err(error) => failed(&error.to_string()),
        };
    }
    match measure(&args)
        .await
        .and_then(|measured| print(&args, &measured))
    {
        Ok(()) => DONE,
        Err(error) => {
            let status = failed(&error.to_string());
            match error {
                BenchError::OneBank | BenchError::SameBank => USAGE,
                _ => status,
            }
        }
    }
}

async fn measure(args: &BenchArgs) -> Result<Vec<Measured>, BenchError> {
    let duration = Duration::from_secs(args.seconds.into());
    let tokens = match (args.all, &args.database) {
        // A database that was named is filled once; else a bank is made for each number of tokens.
        (true, Some(_)) => &TOKENS[1..2],
        (true, None) => &TOKENS,
        (false, Some(_)) if args.tokens.len() > 1 => return Err(BenchError::OneBank),
        (false, _) => args.tokens.as_slice(),
    };
    let distinct: BTreeSet<_> = tokens.iter().collect();
    if distinct.len() < tokens.len() {
        return Err(BenchError::SameBank);
    }
    // Before banks are made: a folder that cannot be is told at once.
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(system("cannot make the folder of --out"))?;
    }
    let mut banks = Vec::with_capacity(tokens.len());
    for &tokens in tokens {
        banks.push((tokens, prepare(args, tokens).await?));
    }
    let mut all = Vec::new();
    for round in 1..=args.rounds {
        let mut measured = Vec::new();
        for (tokens, (bench, _folder)) in &mut banks {
            for clients in args.clients_for(*tokens) {
                tell(&format!(
                    "round {round} of {}: {clients} clients, {tokens} tokens",
                    args.rounds
                ));
                measured.push(Measured {
                    round,
                    ..bench.measure(clients, duration).await?
                });
            }
        }
        compare(&mut measured);
        all.append(&mut measured);
        keep(args, &all)?;
    }
    Ok(all)
}

impl BenchArgs {
    /// One object for one measurement, else a list.
    fn as_json(&self, measured: &[Measured]) -> String {
        let json = match measured {
            [one] if !self.all && self.rounds == 1 => serde_json::to_string_pretty(one),
            several => serde_json::to_string_pretty(several),
        };
        // Numbers and words are always JSON.
        json.unwrap_or_default()
    }

    /// The numbers of clients that a bank is measured with.
    fn clients_for(&self, tokens: u32) -> Vec<usize> {
        match (self.all, tokens) {
            (false, _) => vec![self.clients.into()],
            (true, 100_000) => CLIENTS.to_vec(),
            (true, _) => CLIENTS[2..3].to_vec(),
        }
    }
}

/// The bank, with the folder that goes when it goes.
async fn prepare(args: &BenchArgs, tokens: u32) -> Result<(Bench, tempfile::TempDir), BenchError> {
    let parent = args.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("warifu-bench-")
        .tempdir_in(&parent)
        .map_err(system("cannot make a folder"))?;
    let database = match &args.database {
        Some(address) => database_at(address, args.ca_file.clone()),
        None => database_at(&folder.path().join("bench.db").to_string_lossy(), None),
    };
    let bench = Bench::prepare(database, folder.path(), tokens, args.processors, |made| {
        if made % 100_000 == 0 || made == tokens {
            tell(&format!("{made} of {tokens} tokens made"));
        }
    })
    .await?;
    Ok((bench, folder))
}

/// Progress, for a person who waits.
fn tell(progress: &str) {
    if io::stderr().is_terminal() {
        eprintln!("{progress}");
    }
}

/// Writes what was measured so far into the folder, after each round: whoever ends the bench early keeps the rounds before. The results of an earlier run, or round, are
/// there until the new ones are.
fn keep(args: &BenchArgs, measured: &[Measured]) -> Result<(), BenchError> {
    let Some(folder) = &args.out else {
        return Ok(());
    };
    let json = args.as_json(measured);
    let unfinished = folder.join("results.json.new");
    std::fs::write(&unfinished, format!("{json}\n"))
        .and_then(|()| std::fs::rename(&unfinished, folder.join("results.json")))
        .map_err(system("cannot write the results"))?;
    draw(middles(measured), folder)
}

fn print(args: &BenchArgs, measured: &[Measured]) -> Result<(), BenchError> {
    let text = if args.json {
        args.as_json(measured)
    } else {
        table(measured)
    };
    writeln!(io::stdout(), "{text}").map_err(system("cannot print the results"))
}

/// Of each number of tokens and clients the round in the middle.
fn middles(measured: &[Measured]) -> Vec<Measured> {
    let all = Repeated::of(measured);
    all.iter().map(|group| group.middle().clone()).collect()
}

/// A plot over the clients and one over the tokens, where there are several of them: with the bank that has the most numbers of clients, and with the number of
/// clients that the most banks have.
fn draw(mut measured: Vec<Measured>, folder: &Path) -> Result<(), BenchError> {
    measured.sort_by_key(|one| (one.tokens, one.clients));
    let longest = |same: fn(&Measured) -> usize| -> Vec<Measured> {
        let of = |wanted: &Measured| {
            let points = measured.iter().filter(|one| same(one) == same(wanted));
            points.cloned().collect::<Vec<_>>()
        };
        measured
            .iter()
            .map(of)
            .max_by_key(Vec::len)
            .unwrap_or_default()
    };
    let series = [
        ("clients", longest(|one| one.tokens as usize)),
        ("tokens", longest(|one| one.clients)),
    ];
    for (over, points) in series {
        if points.len() > 1 {
            write_plots(&points, over, folder)?;
        }
    }
    Ok(())
}

fn table(measured: &[Measured]) -> String {
    let mut lines = vec![format!(
        "{:>10} {:>9} {:>7} {:>10} {:>10} {:>6} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9}",
        "database",
        "tokens",
        "clients",
        "verify/s",
        "empty/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "node us",
        "fsync ms",
        "idle MB",
        "peak MB",
        "start ms"
    )];
    lines.extend(middles(measured).iter().map(|one| {
        format!(
            "{:>10} {:>9} {:>7} {:>10.0} {:>10.0} {:>6.2} {:>8.2} {:>8.2} {:>8.1} {:>9.2} {:>8.1} {:>8.1} {:>9.0}",
            one.database,
            one.tokens,
            one.clients,
            one.verify_per_s,
            one.empty_handler_per_s,
            one.ratio,
            one.p50_ms,
            one.p99_ms,
            one.node_us,
            one.fsync_ms,
            one.idle_mb,
            one.peak_mb,
            one.start_ms
        )
    }));
    lines.extend(Repeated::of(measured).iter().filter_map(spread));
    lines.join("\n")
}

/// What several rounds, or several numbers of tokens, have to say beside the round in the middle.
fn spread(group: &Repeated<'_>) -> Option<String> {
    let (one, rounds) = (group.middle(), group.rounds());
    let mut told = Vec::new();
    if rounds > 1
        && let Some(rates) = group.rates()
    {
        told.push(format!("{:.0} to {:.0} verify/s", rates.from, rates.to));
    }
    if let Some(against) = group.against_fewest_tokens() {
        told.push(format!(
            "{:.2} of those with the fewest tokens",
            against.median
        ));
        if rounds > 1 {
            told.push(format!("{:.2} to {:.2}", against.from, against.to));
        }
    }
    let told = (!told.is_empty()).then(|| told.join("; "))?;
    let (tokens, clients) = (one.tokens, one.clients);
    let times = match rounds {
        1 => String::new(),
        several => format!(", {several} rounds"),
    };
    Some(format!("{tokens} tokens, {clients} clients{times}: {told}"))
}
