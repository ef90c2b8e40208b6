//! The long forms: `cargo xtask soak …` starts this. Every command prints what it does while it runs, one JSON object at the end,
//! and leaves with 1 at the first violation.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, ValueEnum};
use serde::Serialize;
use serde_json::json;
use stateright::{Checker as _, Model as _};
use tempfile::TempDir;
use warifu_core::service::Policy;
use warifu_core::time::UnixMillis;
use warifu_proof::bank::Bank;
use warifu_proof::kill::{KillSize, kill};
use warifu_proof::protocol::scenarios;
use warifu_proof::race::{GuessSize, RaceSize, guess, race};
use warifu_proof::watch::Watch;
use warifu_server::clock::Clock;
use warifu_store::testing::TestDatabase;

/// Try for long what the tests try for seconds
#[derive(Parser)]
enum Soak {
    /// Look at every state of the models of the counter protocol
    Model,
    /// F1: submit the same and other codes at once at several nodes
    Race(RaceArgs),
    /// F5: guess at the same tokens at once at several nodes
    Guess(GuessArgs),
    /// F2, F4, F14, F23: kill the program over and over
    Kill(KillArgs),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

#[derive(Args)]
struct Common {
    /// Where the state is kept; PostgreSQL's cluster is made for the run
    #[arg(long, default_value = "sqlite")]
    database: Database,
    /// What is asked follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct RaceArgs {
    #[command(flatten)]
    common: Common,
    /// Codes to submit
    #[arg(long, default_value_t = 10_000_000)]
    submits: u64,
    /// Nodes on the one database
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// Callers at once, over all nodes
    #[arg(long, default_value_t = 384)]
    callers: usize,
    /// Tokens that are raced for in each round
    #[arg(long, default_value_t = 512)]
    tokens: usize,
}

#[derive(Args)]
struct GuessArgs {
    #[command(flatten)]
    common: Common,
    /// Rounds, each with tokens of its own
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Nodes on the one database
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// Callers at once, over all nodes
    #[arg(long, default_value_t = 1_000)]
    callers: usize,
    /// Tokens that all of them guess at in a round
    #[arg(long, default_value_t = 10)]
    tokens: usize,
}

#[derive(Args)]
struct KillArgs {
    #[command(flatten)]
    common: Common,
    /// How often to kill
    #[arg(long, default_value_t = 100_000)]
    kills: u64,
    /// The program to kill
    #[arg(long)]
    program: PathBuf,
    /// Connections at once
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Tokens; each gives one fresh code in 30 seconds
    #[arg(long, default_value_t = 20_000)]
    tokens: usize,
    /// The kill falls within so many microseconds after the first answer
    #[arg(long, default_value_t = 20_000)]
    within_us: u64,
}

fn main() -> ExitCode {
    let soak = Soak::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(soak)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(soak: Soak) -> Result<()> {
    match soak {
        Soak::Model => look_at_models(),
        Soak::Race(args) => run_race(args).await,
        Soak::Guess(args) => run_guess(args).await,
        Soak::Kill(args) => run_kill(args).await,
    }
}

fn look_at_models() -> Result<()> {
    let mut counts = Vec::new();
    for scenario in scenarios() {
        let began = Watch::start();
        let checker = scenario.model.checker().threads(2).spawn_bfs().join();
        let broken: Vec<_> = checker
            .model()
            .properties()
            .into_iter()
            .filter(|property| {
                let found = checker.discovery(property.name).is_some();
                let expected = matches!(property.expectation, stateright::Expectation::Sometimes);
                found != expected
            })
            .map(|property| property.name)
            .collect();
        if !broken.is_empty() {
            bail!("{}: {broken:?}", scenario.name);
        }
        let count = json!({
            "model": scenario.name,
            "states": checker.unique_state_count(),
            "steps": checker.state_count(),
            "depth": checker.max_depth(),
            "seconds": began.elapsed().as_secs_f64(),
        });
        eprintln!("{count}");
        counts.push(count);
    }
    print(&json!({ "soak": "model", "models": counts }))
}

async fn run_race(args: RaceArgs) -> Result<()> {
    let (bank, _folder, _database) = bank(args.common.database).await?;
    let size = RaceSize {
        nodes: args.nodes,
        callers: args.callers,
        tokens: args.tokens,
        submits: args.submits,
        seed: args.common.seed,
    };
    let began = Watch::start();
    let mut told = Duration::ZERO;
    let report = race(&bank, size, |report| {
        if began.elapsed() > told + Duration::from_secs(10) {
            told = began.elapsed();
            eprintln!("{:>6.0} s  {} submits", told.as_secs_f64(), report.submits);
        }
    })
    .await?;
    finish("race", &args.common, began, &report)
}

async fn run_guess(args: GuessArgs) -> Result<()> {
    let (bank, _folder, _database) = bank(args.common.database).await?;
    let size = GuessSize {
        nodes: args.nodes,
        callers: args.callers,
        tokens: args.tokens,
        rounds: args.rounds,
    };
    let began = Watch::start();
    let report = guess(&bank, size).await?;
    finish("guess", &args.common, began, &report)
}

async fn run_kill(args: KillArgs) -> Result<()> {
    let (database, folder) = (database(args.common.database).await, TempDir::new()?);
    let program = std::path::absolute(&args.program)?;
    let size = KillSize {
        program,
        kills: args.kills,
        connections: args.connections,
        tokens: args.tokens,
        within_us: args.within_us,
        seed: args.common.seed,
    };
    let began = Watch::start();
    let mut told = Duration::ZERO;
    let config = database.config().clone();
    let report = kill(config, folder.path().to_owned(), size, |report| {
        if began.elapsed() > told + Duration::from_secs(10) {
            told = began.elapsed();
            eprintln!(
                "{:>6.0} s  {} kills, {} accepts, {} failures, {} unknown, recovery p99 {:.0} ms",
                told.as_secs_f64(),
                report.kills,
                report.acknowledged_accepts,
                report.acknowledged_failures,
                report.unknown,
                report.recovery_p99_ms
            );
        }
    })
    .await?;
    finish("kill", &args.common, began, &report)
}

async fn database(kind: Database) -> TestDatabase {
    match kind {
        Database::Sqlite => TestDatabase::sqlite(),
        Database::Postgres => TestDatabase::postgres().await,
    }
}

/// A bank whose time is moved by hand. What comes beside it is removed when it is dropped.
async fn bank(kind: Database) -> Result<(Bank, TempDir, TestDatabase)> {
    let (database, folder) = (database(kind).await, TempDir::new()?);
    let clock = Clock::manual(UnixMillis(1_790_000_040_000));
    let config = database.config().clone();
    let bank = Bank::open(config, folder.path(), Policy::manual(), clock).await?;
    Ok((bank, folder, database))
}

fn finish(soak: &str, common: &Common, began: Watch, report: &impl Serialize) -> Result<()> {
    print(&json!({
        "soak": soak,
        "database": format!("{:?}", common.database).to_lowercase(),
        "seed": common.seed,
        "seconds": began.elapsed().as_secs_f64(),
        "violations": 0,
        "report": report,
    }))
}

fn print(value: &serde_json::Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("JSON")?);
    Ok(())
}
