//! `cargo xtask peers`: Warifu, django-otp and privacyIDEA measured in turns, on this machine, in one run.
//!
//! The peers are set up as their documentation advises for production, each in several ways; a trial finds the quickest
//! ways, which then take part in the rounds with each number of clients; the best rate of a round counts. Warifu takes part by `warifu bench`.
//! The clients of the peers are those of `crates/proof/src/peers.rs`.

mod quiet;
mod report;
mod setups;
mod tethered;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::Usage;
use crate::machine::{self, cargo, command, target};
use crate::postgres::Cluster;
use crate::test::{POSTGRESQL, PYTHON, PYTHON_VENV};
use setups::{Filled, PEERS, Peer, Setup};
use tethered::Tethered;

const HELP: &str = "\
cargo xtask peers [OPTIONS]

Measures verifications a second of Warifu, django-otp 1.7 and privacyIDEA 3.14, in turns, with right codes only, every answer checked.
Installs Debian's PostgreSQL and Python where they are missing, and the peers with pip into target/peers. With all defaults it takes
about half an hour. Nothing else should run meanwhile: each measurement waits until the processors are idle, a minute at most, and says
when they were not.

  --only PEER      django-otp or privacyidea alone, beside Warifu; may be given more than once
  --rounds N       rounds, of which the median counts (default 3)
  --seconds N      how long each measurement takes (default 5)
  --tokens N       tokens of each (default 2000)
  --json FILE      write all that was measured
  --no-install     install no Debian packages: what is missing is a failure
  --help           print this
";

/// Numbers of clients that each peer is measured with; the best counts.
const CLIENTS: &[u32] = &[2, 4, 8, 16, 64];
/// Clients in the trial of the ways to set a peer up.
const CLIENTS_OF_TRIAL: u32 = 8;
/// How often each way is tried; its best counts, since other work on the machine only lowers it.
const TRIAL_TURNS: usize = 2;
/// How many ways take part in the rounds: the quickest, and the one of an installation that nobody tuned.
const CHOSEN: usize = 2;
/// Numbers of clients that Warifu is measured with: that of its published figures, and more; the best counts, as with the peers.
const CLIENTS_OF_WARIFU: &[u32] = &[64, 128];
/// Codes that are sent by several callers at the same moment, and the callers.
const SAME_CODES: u32 = 50;
const SAME_CALLERS: u32 = 8;

/// Runs it.
///
/// # Errors
/// When the command line is not understood, something needed cannot be had, or any answer is not the one to a right code.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if options.help {
        print!("{HELP}");
        return Ok(());
    }
    machine::provide(&[&POSTGRESQL, &PYTHON, &PYTHON_VENV], options.may_install)?;
    let programs = Programs::build()?;
    let cluster = Cluster::start_durable()?;
    let mut contests = Vec::new();
    for peer in options.peers() {
        println!("\n=== {}: {} tokens", peer.name, options.tokens);
        let filled = peer.prepare(&cluster, options.tokens)?;
        contests.push(Contest::new(&programs, filled, &options)?);
    }
    let mut on_postgresql = Vec::new();
    for round in 1..=options.rounds {
        println!("\n=== round {round} of {}", options.rounds);
        let empty = |clients: u32| cluster.new_database(&format!("warifu_{round}_{clients}"));
        let on = "warifu bench, PostgreSQL";
        on_postgresql.push(programs.bench(&options, on, |clients| empty(clients).map(Some))?);
        for contest in &mut contests {
            contest.round(&programs, &options)?;
        }
    }
    println!("\n=== the same code from {SAME_CALLERS} callers at once, {SAME_CODES} codes");
    let mut same = BTreeMap::from([("Warifu", programs.same_of_warifu()?)]);
    for contest in &mut contests {
        same.insert(contest.filled.peer.name, contest.same(&programs)?);
    }
    let all = report::all(&options, &on_postgresql, &contests, &same);
    report::print(&all);
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&all)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("\nwritten to {}", file.display());
    }
    Ok(())
}

/// One peer's part.
struct Contest {
    filled: Filled,
    /// Each way to set it up, and the best that the trial found.
    trial: Vec<(&'static Setup, Value)>,
    /// The ways that take part in the rounds, the quickest first.
    chosen: Vec<&'static Setup>,
    /// Warifu in each round, right before the peer.
    warifu: Vec<Value>,
    /// For each round and chosen way, what was measured with each number of clients.
    rounds: Vec<Vec<Vec<Value>>>,
}

impl Contest {
    /// Tries all ways to set the peer up.
    fn new(programs: &Programs, filled: Filled, options: &Options) -> Result<Self> {
        let mut trial: Vec<(&Setup, Value)> = Vec::new();
        for turn in 0..TRIAL_TURNS {
            for (at, setup) in filled.peer.setups.iter().enumerate() {
                let server = filled.serve(setup)?;
                programs.drive(
                    &filled,
                    setup,
                    &server,
                    CLIENTS_OF_TRIAL,
                    filled.peer.warm_up_s,
                )?;
                let rate =
                    programs.drive(&filled, setup, &server, CLIENTS_OF_TRIAL, options.seconds)?;
                println!("{}", report::line(filled.peer.name, setup.name, &rate));
                if turn == 0 {
                    trial.push((setup, rate));
                } else if report::per_s(&rate) > report::per_s(&trial[at].1) {
                    trial[at].1 = rate;
                }
            }
        }
        let mut quickest: Vec<_> = trial.iter().collect();
        quickest.sort_by(|(_, a), (_, b)| report::per_s(b).total_cmp(&report::per_s(a)));
        let mut chosen: Vec<_> = quickest
            .iter()
            .map(|(setup, _)| *setup)
            .take(CHOSEN)
            .collect();
        let as_it_comes = filled.peer.setups.iter().find(|setup| setup.as_it_comes);
        chosen.extend(as_it_comes.filter(|setup| chosen.iter().all(|of| of.name != setup.name)));
        Ok(Self {
            filled,
            trial,
            chosen,
            warifu: Vec::new(),
            rounds: Vec::new(),
        })
    }

    fn round(&mut self, programs: &Programs, options: &Options) -> Result<()> {
        let on_sqlite = programs.bench(options, "warifu bench, SQLite", |_| Ok(None))?;
        self.warifu.push(on_sqlite);
        let mut of_round = Vec::new();
        for setup in &self.chosen {
            let server = self.filled.serve(setup)?;
            let warm_up_s = self.filled.peer.warm_up_s;
            programs.drive(&self.filled, setup, &server, CLIENTS_OF_TRIAL, warm_up_s)?;
            let mut rates = Vec::new();
            for clients in CLIENTS {
                let rate =
                    programs.drive(&self.filled, setup, &server, *clients, options.seconds)?;
                println!("{}", report::line(self.filled.peer.name, setup.name, &rate));
                rates.push(rate);
            }
            of_round.push(rates);
        }
        self.rounds.push(of_round);
        Ok(())
    }

    /// The same code from several callers, of the quickest way.
    fn same(&self, programs: &Programs) -> Result<Value> {
        let setup = self.chosen.first().context("a set-up")?;
        let server = self.filled.serve(setup)?;
        let codes = SAME_CODES.to_string();
        let found = programs.client(
            &self.filled,
            setup,
            &server,
            &["--clients", &SAME_CALLERS.to_string(), "--same", &codes],
        )?;
        println!("{}", report::same_line(self.filled.peer.name, &found));
        Ok(found)
    }
}

/// Our own programs.
struct Programs {
    warifu: PathBuf,
    clients: PathBuf,
}

impl Programs {
    fn build() -> Result<Self> {
        // As it ships, apart from the clients, whose features would otherwise get into it.
        machine::run(cargo().args(["build", "--release", "--locked", "--package", "warifu"]))?;
        machine::run(cargo().args([
            "build",
            "--release",
            "--locked",
            "--package",
            "warifu-proof",
            "--bin",
            "peers",
        ]))?;
        let folder = target().join("release");
        Ok(Self {
            warifu: folder.join("warifu"),
            clients: folder.join("peers"),
        })
    }

    /// The best of all numbers of clients; `database` gives an empty one for each, or none for SQLite.
    fn bench(
        &self,
        options: &Options,
        on: &str,
        database: impl Fn(u32) -> Result<Option<String>>,
    ) -> Result<Value> {
        let mut best: Option<Value> = None;
        for clients in CLIENTS_OF_WARIFU {
            let database = database(*clients)?;
            let mut bench = command(&self.warifu);
            bench.args(["bench", "--json", "--tokens", &options.tokens.to_string()]);
            bench.args(["--clients", &clients.to_string()]);
            bench.args(["--seconds", &options.seconds.to_string()]);
            // The address has a password in it.
            bench.envs(database.map(|address| ("WARIFU_TEST_BENCH_DATABASE", address)));
            let measured = measure(&bench)?;
            println!("{}", report::line("Warifu", on, &measured));
            let is_best = |best: &Value| report::per_s(&measured) > report::per_s(best);
            if best.as_ref().is_none_or(is_best) {
                best = Some(measured);
            }
        }
        best.context("no number of clients")
    }

    fn same_of_warifu(&self) -> Result<Value> {
        let mut clients = command(&self.clients);
        clients.arg("warifu").arg("--program").arg(&self.warifu);
        clients.args([
            "--clients",
            &SAME_CALLERS.to_string(),
            "--same",
            &SAME_CODES.to_string(),
        ]);
        let found = Tethered::output(&clients)?;
        println!("{}", report::same_line("Warifu", &found));
        Ok(found)
    }

    /// Right codes as fast as they are answered.
    fn drive(
        &self,
        filled: &Filled,
        setup: &Setup,
        server: &setups::Server,
        clients: u32,
        seconds: u32,
    ) -> Result<Value> {
        let rate = self.client(
            filled,
            setup,
            server,
            &[
                "--clients",
                &clients.to_string(),
                "--seconds",
                &seconds.to_string(),
            ],
        )?;
        Ok(rate)
    }

    fn client(
        &self,
        filled: &Filled,
        setup: &Setup,
        server: &setups::Server,
        more: &[&str],
    ) -> Result<Value> {
        let mut clients = command(&self.clients);
        clients.args([
            filled.peer.name,
            "--address",
            &server.address.to_string(),
            "--tokens",
        ]);
        clients.arg(filled.tokens(setup)).args(more);
        measure(&clients).with_context(|| {
            format!(
                "{} ({}) said:\n{}",
                filled.peer.name,
                setup.name,
                server.said()
            )
        })
    }
}

/// The JSON of what is measured, and how busy the machine was with others right before.
fn measure(program: &std::process::Command) -> Result<Value> {
    let others = quiet::wait()?;
    let mut measured = Tethered::output(program)?;
    measured["busy_before"] = json!(others);
    Ok(measured)
}

struct Options {
    only: Vec<String>,
    rounds: u32,
    seconds: u32,
    tokens: u32,
    json: Option<PathBuf>,
    may_install: bool,
    help: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            only: Vec::new(),
            rounds: 3,
            seconds: 5,
            tokens: 2_000,
            json: None,
            may_install: true,
            help: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| Usage(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--only" => {
                    let name = value()?;
                    if !PEERS.iter().any(|peer| peer.name == name) {
                        return Err(Usage(format!(
                            "no peer {name}: there are django-otp and privacyidea"
                        ))
                        .into());
                    }
                    options.only.push(name.clone());
                }
                "--rounds" => options.rounds = count(argument, value()?)?,
                "--seconds" => options.seconds = count(argument, value()?)?,
                "--tokens" => options.tokens = count(argument, value()?)?,
                "--json" => options.json = Some(std::path::absolute(value()?)?),
                "--no-install" => options.may_install = false,
                "--help" | "-h" => options.help = true,
                other => return Err(Usage(format!("unknown argument {other}\n\n{HELP}")).into()),
            }
        }
        // Each code of the same step can be sent once, and some wait for an answer.
        ensure!(
            options.tokens >= 2 * SAME_CODES,
            Usage(format!("--tokens needs at least {}", 2 * SAME_CODES))
        );
        Ok(options)
    }

    fn peers(&self) -> impl Iterator<Item = &'static Peer> {
        PEERS
            .iter()
            .filter(|peer| self.only.is_empty() || self.only.iter().any(|name| name == peer.name))
    }

    fn to_json(&self) -> Value {
        json!({ "rounds": self.rounds, "seconds": self.seconds, "tokens": self.tokens })
    }
}

fn count(argument: &str, value: &str) -> Result<u32> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Usage(format!("{argument} needs a whole number, not {value}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn without_arguments_both_peers_are_measured_in_three_rounds() {
        let options = parse("").expect("options");
        assert_eq!(options.rounds, 3);
        let names: Vec<_> = options.peers().map(|peer| peer.name).collect();
        assert_eq!(names, ["django-otp", "privacyidea"]);
    }

    #[test]
    fn one_peer_alone_can_be_measured() {
        let options = parse("--only privacyidea --rounds 5 --seconds 2").expect("options");
        let names: Vec<_> = options.peers().map(|peer| peer.name).collect();
        assert_eq!(
            (names, options.rounds, options.seconds),
            (vec!["privacyidea"], 5, 2)
        );
    }

    #[test]
    fn a_command_line_that_is_not_understood_is_said_to_be_so() {
        for line in [
            "--only keycloak",
            "--only",
            "--rounds 0",
            "--seconds soon",
            "--tokens 10",
            "--fast",
        ] {
            let refused = parse(line).err().expect(line);
            assert!(refused.is::<Usage>(), "{line}: {refused}");
        }
    }
}
