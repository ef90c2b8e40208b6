//! F2, F4, F14, F23: the real program is driven over HTTP and killed (SIGKILL) at a random moment, over and over. What it had
//! answered is remembered here, outside of it. While it is dead, its database must say the same: every acknowledged accept is
//! used up, every acknowledged wrong code is counted, each change has its audit row. Answers that never came are counted apart;
//! each may have happened or not, and no third thing.

pub mod client;
mod plan;
pub mod server;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};
use warifu_core::service::Policy;
use warifu_server::clock::Clock;
use warifu_store::{DatabaseConfig, Store};

use crate::bank::{Bank, Holder, Terms, lift};
use crate::checker::check;
use crate::database;
use crate::history::{Operation, Ticks};
use crate::spec::{Answer, Limits, Op, Spec, State};
use crate::watch::Watch;
use client::{Connection, Reply};
use plan::Plan;
use server::Server;

/// How often the database is looked into, in kills.
const KILLS_PER_LOOK: u64 = 50;
/// How often all of the database is checked, in kills.
const KILLS_PER_FULL_CHECK: u64 = 2_000;

/// How long to wait before it is looked again whether a new time step has brought fresh codes.
const BETWEEN_LOOKS_FOR_CODES: Duration = Duration::from_millis(100);

/// How a soak is run.
#[derive(Clone, Debug)]
pub struct KillSize {
    /// The program to run: `warifu`.
    pub program: PathBuf,
    /// How often it is killed.
    pub kills: u64,
    /// Connections at once.
    pub connections: usize,
    /// Tokens. Each gives two codes at first, and one in 30 seconds after that.
    pub tokens: usize,
    /// The kill falls within so many microseconds after the first answer.
    pub within_us: u64,
    /// What is asked and when is killed follow from it.
    pub seed: u64,
}

/// What came of it; violations are not in it, for the first one ends the soak.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KillReport {
    /// How often the program was killed.
    pub kills: u64,
    /// Accepts that were answered, each found used up afterwards.
    pub acknowledged_accepts: u64,
    /// Wrong codes that were answered, each found counted afterwards.
    pub acknowledged_failures: u64,
    /// Other answers: used before, or suspended.
    pub acknowledged_others: u64,
    /// Of the accepts, those that were submitted again after a kill and refused as used.
    pub replays_refused: u64,
    /// Requests whose answer never came.
    pub unknown: u64,
    /// Requests that were told to come again.
    pub turned_away: u64,
    /// Histories that were checked, each ending with a look into the database.
    pub histories: u64,
    /// Suspensions that were lifted to go on.
    pub releases: u64,
    /// Changes of counters, equal to the audit rows about them (F14).
    pub audited_changes: u64,
    /// From the start of the program to its first accept, in microseconds, sorted.
    #[serde(skip)]
    pub recoveries_us: Vec<u64>,
    /// The middle one of them.
    pub recovery_p50_ms: f64,
    /// The 99th of a hundred.
    pub recovery_p99_ms: f64,
    /// The longest.
    pub recovery_max_ms: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Kills until it is enough.
///
/// # Errors
/// The first violation, or what kept the soak from running.
pub async fn kill(
    database: DatabaseConfig,
    folder: PathBuf,
    size: KillSize,
    mut progress: impl FnMut(&KillReport),
) -> Result<KillReport> {
    let mut policy = Policy::manual();
    policy.parameters.step_s = 30;
    let bank = Bank::open(database.clone(), &folder, policy.clone(), Clock::system()).await?;
    let holders: Arc<Vec<Holder>> = Arc::new(bank.holders("kill", size.tokens).await?);
    let server = Server::prepare(&size.program, &bank, &folder)?;
    let limits = Limits::of(&policy);
    let mut soak = Soak {
        database,
        plan: Arc::new(Mutex::new(Plan::new(holders.clone(), &policy, size.seed))),
        states: vec![Spec::new(limits); holders.len()],
        histories: HashMap::new(),
        api_key: Arc::from(bank.api_key.expose()),
        // Nobody else holds the database open while the program is dead, so that it recovers by itself.
        terms: bank.close(),
        server,
        ticks: Arc::default(),
        rng: ChaCha8Rng::seed_from_u64(size.seed),
        report: KillReport::default(),
        holders,
    };
    let began = Watch::start();
    while soak.report.kills < size.kills {
        soak.cycle(&size).await?;
        let kills = soak.report.kills;
        let last = kills == size.kills;
        if last || kills.is_multiple_of(KILLS_PER_LOOK) {
            let everything = last || kills.is_multiple_of(KILLS_PER_FULL_CHECK);
            soak.look(everything).await?;
            soak.report.seconds = began.elapsed().as_secs_f64();
            soak.report.summarise();
            progress(&soak.report);
        }
    }
    Ok(soak.report)
}

struct Soak {
    database: DatabaseConfig,
    holders: Arc<Vec<Holder>>,
    plan: Arc<Mutex<Plan>>,
    /// What each token was when the database was last looked into.
    states: Vec<Spec>,
    /// What was asked and answered since.
    histories: HashMap<usize, Vec<Operation>>,
    api_key: Arc<str>,
    terms: Terms,
    server: Server,
    ticks: Arc<Ticks>,
    rng: ChaCha8Rng,
    report: KillReport,
}

/// What one request came to.
struct Asked {
    token: usize,
    op: Op,
    invoked: u64,
    /// `None` when no answer came.
    returned: Option<(u64, Reply)>,
    replay: bool,
}

impl Soak {
    /// Starts the program, drives it, and kills it a moment after its first accept.
    async fn cycle(&mut self, size: &KillSize) -> Result<()> {
        while !self.plan.lock().await.has_fresh() {
            tokio::time::sleep(BETWEEN_LOOKS_FOR_CODES).await;
        }
        let started = Watch::start();
        let mut child = self.server.start()?;
        let first_accept = Arc::new(Notify::new());
        let dead = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::with_capacity(size.connections);
        for at in 0..size.connections {
            let driver = Driver {
                address: self.server.address(),
                plan: self.plan.clone(),
                ticks: self.ticks.clone(),
                api_key: self.api_key.clone(),
                first_accept: first_accept.clone(),
                started,
                // One connection begins with what was accepted before the kill.
                begins_with_replay: at == 0,
                dead: dead.clone(),
            };
            tasks.push(tokio::spawn(driver.drive()));
        }
        let up = tokio::time::timeout(Duration::from_secs(30), first_accept.notified()).await;
        ensure!(
            up.is_ok(),
            "no right code was accepted within 30 s of a start: {}",
            child.said()
        );
        let wait_us = self.rng.next_u64() % size.within_us.max(1);
        tokio::time::sleep(Duration::from_micros(wait_us)).await;
        child.kill()?;
        dead.store(true, Ordering::Relaxed);
        self.report.kills += 1;
        let mut first = None;
        for task in tasks {
            let (asked, accepted_after) = task.await.context("a connection's task")??;
            first = [first, accepted_after].into_iter().flatten().min();
            for asked in asked {
                self.note(&asked)?;
            }
        }
        let first = first.context("an accept was told of and not noted")?;
        self.report
            .recoveries_us
            .push(u64::try_from(first.as_micros())?);
        Ok(())
    }

    fn note(&mut self, asked: &Asked) -> Result<()> {
        let operation = match asked.returned {
            None => {
                self.report.unknown += 1;
                Operation::open(asked.op, asked.invoked)
            }
            Some((_, Reply::TurnedAway)) => {
                self.report.turned_away += 1;
                return Ok(());
            }
            Some((returned, Reply::Judged(answer))) => {
                match answer {
                    Answer::Accepted => self.report.acknowledged_accepts += 1,
                    Answer::Wrong { .. } | Answer::SuspendedNow => {
                        self.report.acknowledged_failures += 1;
                    }
                    _ => self.report.acknowledged_others += 1,
                }
                if asked.replay {
                    ensure!(
                        answer != Answer::Accepted,
                        "token {} accepted step {:?} before the kill and after it",
                        self.holders[asked.token].token_id,
                        asked.op
                    );
                    self.report.replays_refused += u64::from(answer == Answer::AlreadyUsed);
                }
                Operation::answered(asked.op, asked.invoked, returned, answer)
            }
        };
        self.histories
            .entry(asked.token)
            .or_default()
            .push(operation);
        Ok(())
    }

    /// Looks into the database while the program is dead, and holds every history against it.
    async fn look(&mut self, everything: bool) -> Result<()> {
        let store = Store::open(&self.database).await?;
        // PostgreSQL may still be at work on what the program sent last.
        database::wait_until_alone(&store, &self.database).await?;
        let counters = database::counters(&store).await?;
        for (token, mut history) in std::mem::take(&mut self.histories) {
            let id = &self.holders[token].token_id;
            let (_, seen) = counters.get(id).context("the token is gone")?;
            let (asked, answered) = (self.ticks.next(), self.ticks.next());
            let look = Operation::answered(Op::Look, asked, answered, Answer::Seen(*seen));
            history.push(look);
            check(self.states[token], &history).with_context(|| {
                format!(
                    "after {} kills, token {id}: {:?} then {history:?}",
                    self.report.kills, self.states[token]
                )
            })?;
            self.states[token] = Spec::as_seen(*seen, self.states[token].limits);
            self.report.histories += 1;
            if seen.state == State::Suspended {
                self.release(&store, token).await?;
            }
        }
        if everything {
            self.check_everything(&store).await?;
        }
        Ok(())
    }

    async fn release(&mut self, store: &Store, token: usize) -> Result<()> {
        let answer = lift(store, &self.terms, &self.holders[token]).await?;
        let expected = self.states[token].apply(Op::Release);
        ensure!(
            answer == expected,
            "a release was {answer:?}, not {expected:?}"
        );
        self.report.releases += 1;
        Ok(())
    }

    /// F14, the database's own checks, and every token against what is remembered of it.
    async fn check_everything(&mut self, store: &Store) -> Result<()> {
        database::is_sound(store, &self.database).await?;
        let counters = database::counters(store).await?;
        let audited = database::audited_changes(store).await?;
        self.report.audited_changes = 0;
        for (holder, state) in self.holders.iter().zip(&self.states) {
            let (version, seen) = counters
                .get(&holder.token_id)
                .context("the token is gone")?;
            ensure!(
                *seen == state.seen(),
                "token {} is {seen:?} and was {state:?} when it was last asked",
                holder.token_id
            );
            let rows = audited.get(&holder.token_id).copied().unwrap_or_default();
            ensure!(
                version - 1 == rows,
                "token {}: {} changes, {rows} audit rows",
                holder.token_id,
                version - 1
            );
            self.report.audited_changes += u64::try_from(rows)?;
        }
        Ok(())
    }
}

/// One connection's work in one life of the program.
struct Driver {
    address: std::net::SocketAddr,
    plan: Arc<Mutex<Plan>>,
    ticks: Arc<Ticks>,
    api_key: Arc<str>,
    first_accept: Arc<Notify>,
    started: Watch,
    begins_with_replay: bool,
    /// Set when the program was killed.
    dead: Arc<AtomicBool>,
}

impl Driver {
    /// Asks until the program is gone. Gives what was asked, and how long after the start the first accept was told.
    async fn drive(self) -> Result<(Vec<Asked>, Option<Duration>)> {
        let mut asked = Vec::new();
        let mut first = None;
        let Some(mut connection) = Connection::open(self.address, &self.api_key, &self.dead).await
        else {
            return Ok((asked, first));
        };
        let mut must_replay = self.begins_with_replay;
        loop {
            let submit = {
                let mut plan = self.plan.lock().await;
                let again = must_replay.then(|| plan.replay()).flatten();
                must_replay = false;
                again.unwrap_or_else(|| plan.next())
            };
            let invoked = self.ticks.next();
            let reply = connection.verify(&submit.login_id, &submit.code).await?;
            let returned = reply.map(|reply| (self.ticks.next(), reply));
            asked.push(Asked {
                token: submit.token,
                op: submit.op,
                invoked,
                returned,
                replay: submit.replay,
            });
            match reply {
                None => return Ok((asked, first)),
                Some(Reply::Judged(Answer::Accepted)) => {
                    self.plan.lock().await.accepted(&submit);
                    if first.is_none() {
                        first = Some(self.started.elapsed());
                        self.first_accept.notify_one();
                    }
                }
                Some(_) => {}
            }
        }
    }
}

impl KillReport {
    fn summarise(&mut self) {
        self.recoveries_us.sort_unstable();
        let at = |share: f64| {
            let count = self.recoveries_us.len();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index below the number of kills"
            )]
            let index = ((count as f64 * share) as usize).min(count.saturating_sub(1));
            self.recoveries_us
                .get(index)
                .map_or(0.0, |us| Duration::from_micros(*us).as_secs_f64() * 1e3)
        };
        (
            self.recovery_p50_ms,
            self.recovery_p99_ms,
            self.recovery_max_ms,
        ) = (at(0.5), at(0.99), at(1.0));
    }
}
