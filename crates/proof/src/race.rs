//! F1 and F5: many callers submit the same codes and others at the same moment, at several nodes of one database. What each was
//! told is held against the specification, token by token, and against what the database says afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;
use tokio::sync::Mutex;
use warifu_core::audit::Origin;
use warifu_core::time::SECOND_MS;
use warifu_server::app::api_clients::ApiCaller;
use warifu_server::app::idempotency::Idempotency;
use warifu_server::app::verification::{ApiVerification, AskedCodes, Verification, Word};
use warifu_server::app::{App, Failure};
use warifu_store::{Outage, StoreError};

use crate::bank::{Bank, Holder, lift};
use crate::checker::check;
use crate::database;
use crate::history::{Operation, Ticks};
use crate::spec::{Answer, Limits, Op, Spec, State};

/// Submits that one token gets in one round, all at once.
const SUBMITS_PER_TOKEN: usize = 8;

/// How large a race is.
#[derive(Clone, Copy, Debug)]
pub struct RaceSize {
    /// Nodes on the one database.
    pub nodes: usize,
    /// Callers at once, over all nodes.
    pub callers: usize,
    /// Tokens that are raced for in each round.
    pub tokens: usize,
    /// Submits in all; the last round may go beyond.
    pub submits: u64,
    /// What is submitted follows from it; how the submits meet does not.
    pub seed: u64,
}

/// What came of a race.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RaceReport {
    /// Codes that were submitted.
    pub submits: u64,
    /// How many of them were accepted.
    pub accepted: u64,
    /// Refused as used before.
    pub already_used: u64,
    /// Judged wrong, the suspending ones included.
    pub wrong: u64,
    /// Not judged, because the token was suspended.
    pub suspended: u64,
    /// Not judged, because the node was busy or lost too many races.
    pub turned_away: u64,
    /// Whose outcome nobody knows.
    pub unknown: u64,
    /// Releases of a suspension that raced codes.
    pub releases: u64,
    /// Pairs of requests under one idempotency key.
    pub repeated: u64,
    /// Histories that were checked: one for each token and round.
    pub histories: u64,
    /// Audit rows of codes that changed a counter, equal to the changes of all counters (F14).
    pub audited_changes: u64,
}

/// One submit of a round.
#[derive(Clone)]
struct Submit {
    token: usize,
    op: Op,
    code: String,
    /// Requests of one key are one operation (R21).
    key: Option<Idempotency>,
}

/// What became of it.
enum Outcome {
    /// Told.
    Told(Answer),
    /// Not judged at all.
    TurnedAway,
    Unknown,
}

/// Races until the submits are done; every history is checked as soon as its round is over.
///
/// # Errors
/// The first violation found, with the token's history; or what kept the race from running.
///
/// # Panics
/// When a caller's task panics.
pub async fn race(
    bank: &Bank,
    size: RaceSize,
    mut progress: impl FnMut(&RaceReport),
) -> Result<RaceReport> {
    let mut nodes = Vec::with_capacity(size.nodes);
    for _ in 0..size.nodes {
        let app = bank.node().await?;
        let caller = app.api_caller(&bank.api_key, None).await?;
        nodes.push((app, caller));
    }
    let prefix = format!("race-{}", size.seed);
    let mut course = Course {
        holders: Arc::new(bank.holders(&prefix, size.tokens).await?),
        states: vec![Spec::new(Limits::of(&bank.terms().policy)); size.tokens],
        rng: ChaCha8Rng::seed_from_u64(size.seed),
        round: 0,
        report: RaceReport::default(),
    };
    while course.report.submits < size.submits {
        course.round += 1;
        let step_ms = i64::from(bank.terms().policy.parameters.step_s) * SECOND_MS;
        // Two steps on, so that the codes of the last round are old but those of its future are not all.
        bank.terms().clock.advance(2 * step_ms);
        course.run_round(bank, &nodes, size.callers).await?;
        progress(&course.report);
    }
    course.reconcile(bank).await?;
    Ok(course.report)
}

struct Course {
    holders: Arc<Vec<Holder>>,
    states: Vec<Spec>,
    rng: ChaCha8Rng,
    round: u64,
    report: RaceReport,
}

impl Course {
    async fn run_round(
        &mut self,
        bank: &Bank,
        nodes: &[(Arc<App>, Arc<ApiCaller>)],
        callers: usize,
    ) -> Result<()> {
        let step = bank
            .terms()
            .policy
            .parameters
            .time_step(bank.terms().clock.now().seconds());
        let submits: Arc<Vec<Submit>> = Arc::new(self.plan(step));
        let ticks = Arc::new(Ticks::default());
        let next = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(Mutex::new(Vec::with_capacity(submits.len())));
        let mut tasks = Vec::with_capacity(callers + 1);
        for at in 0..callers {
            let (app, caller) = nodes[at % nodes.len()].clone();
            let (submits, ticks, next, done) =
                (submits.clone(), ticks.clone(), next.clone(), done.clone());
            let (holders, service_id) = (self.holders.clone(), bank.terms().service_id.clone());
            tasks.push(tokio::spawn(async move {
                loop {
                    let mine = next.fetch_add(1, Ordering::Relaxed);
                    let Some(submit) = submits.get(mine) else {
                        return;
                    };
                    let origin = Origin::default();
                    let asked = ApiVerification {
                        service_id: &service_id,
                        login_id: &holders[submit.token].login_id,
                        codes: AskedCodes::One(&submit.code),
                        caller: &caller,
                        idempotency: submit.key.as_ref(),
                        origin: &origin,
                    };
                    let invoked = ticks.next();
                    let answer = app.verify_for_client(asked).await;
                    let returned = ticks.next();
                    let outcome = match answer {
                        Ok(verification) => Outcome::Told(told(&verification)),
                        Err(failure) if failure.refusal().is_some() => Outcome::TurnedAway,
                        Err(_) => Outcome::Unknown,
                    };
                    done.lock().await.push((mine, invoked, returned, outcome));
                }
            }));
        }
        let suspended: Vec<_> = (0..self.states.len())
            .filter(|token| self.states[*token].state == State::Suspended)
            .collect();
        let mut histories: HashMap<usize, Vec<Operation>> = HashMap::new();
        for token in suspended {
            let invoked = ticks.next();
            let answer = lift(bank.store(), bank.terms(), &self.holders[token]).await?;
            let operation = Operation::answered(Op::Release, invoked, ticks.next(), answer);
            histories.entry(token).or_default().push(operation);
            self.report.releases += 1;
        }
        for task in tasks {
            task.await.context("a caller")?;
        }
        let done = std::mem::take(&mut *done.lock().await);
        ensure!(done.len() == submits.len(), "a submit was lost");
        self.gather(&submits, done, &mut histories)?;
        self.judge(bank, &ticks, histories).await
    }

    /// Who submits what: for each token one of a few mixes, side by side, so that they meet.
    fn plan(&mut self, step: i64) -> Vec<Submit> {
        let mut submits = Vec::with_capacity(self.holders.len() * SUBMITS_PER_TOKEN);
        for token in 0..self.holders.len() {
            let mix = self.rng.next_u32() % 8;
            let first = submits.len();
            let near = self.holders[token].near(step);
            for at in 0..SUBMITS_PER_TOKEN {
                let pick = i64::from(self.rng.next_u32() % 3);
                let op = match mix {
                    // Everybody has the same code, as when a phone's code is phished.
                    0..=2 => Op::Right(step),
                    3 => Op::Right(step - 1 + pick),
                    4 | 5 if pick > 0 => Op::Wrong,
                    4 | 5 => Op::Right(step + pick),
                    6 => Op::Wrong,
                    _ if at % 2 == 0 => Op::Right(step + 1),
                    _ => Op::Wrong,
                };
                submits.push(self.submit(token, op, &near));
            }
            // A request that is sent again before its answer came, perhaps to another node.
            if self.rng.next_u32().is_multiple_of(4) {
                let key = Idempotency {
                    key: format!("{}-{token}", self.round),
                    request_hash: [7; 32],
                };
                submits[first].key = Some(key);
                submits[first + 1] = submits[first].clone();
            }
        }
        submits
    }

    /// A submit of a token whose codes around now are `near`. A code that is short may be that of two steps; such a one is not
    /// asked for, because nobody could say which step it stands for.
    fn submit(&mut self, token: usize, op: Op, near: &[(i64, String)]) -> Submit {
        let right = near.iter().find(|(step, _)| Op::Right(*step) == op);
        let alone = |code: &str| near.iter().filter(|(_, other)| other == code).count() == 1;
        if let Some((_, code)) = right.filter(|(_, code)| alone(code)) {
            let code = code.clone();
            return Submit {
                token,
                op,
                code,
                key: None,
            };
        }
        Submit {
            token,
            op: Op::Wrong,
            code: self.holders[token].code_but(near, self.rng.next_u32()),
            key: None,
        }
    }

    fn gather(
        &mut self,
        submits: &[Submit],
        done: Vec<(usize, u64, u64, Outcome)>,
        histories: &mut HashMap<usize, Vec<Operation>>,
    ) -> Result<()> {
        let mut under_key: HashMap<&str, Operation> = HashMap::new();
        for (at, invoked, returned, outcome) in done {
            let submit = &submits[at];
            let operation = match outcome {
                Outcome::Told(answer) => Operation::answered(submit.op, invoked, returned, answer),
                Outcome::Unknown => Operation::open(submit.op, invoked),
                Outcome::TurnedAway => {
                    self.report.submits += 1;
                    self.report.turned_away += 1;
                    continue;
                }
            };
            self.count(&operation);
            match &submit.key {
                None => histories.entry(submit.token).or_default().push(operation),
                Some(key) => match under_key.get_mut(key.key.as_str()) {
                    None => {
                        under_key.insert(&key.key, operation);
                    }
                    Some(other) => {
                        self.report.repeated += 1;
                        *other = as_one(*other, operation)?;
                    }
                },
            }
        }
        for submit in submits {
            if let Some(operation) = submit
                .key
                .as_ref()
                .and_then(|key| under_key.remove(key.key.as_str()))
            {
                histories.entry(submit.token).or_default().push(operation);
            }
        }
        Ok(())
    }

    fn count(&mut self, operation: &Operation) {
        let report = &mut self.report;
        report.submits += 1;
        match operation.returned.map(|(_, answer)| answer) {
            Some(Answer::Accepted) => report.accepted += 1,
            Some(Answer::AlreadyUsed) => report.already_used += 1,
            Some(Answer::Wrong { .. } | Answer::SuspendedNow) => report.wrong += 1,
            Some(_) => report.suspended += 1,
            None => report.unknown += 1,
        }
    }

    /// Looks into the database, and checks each token's history with that look at its end.
    async fn judge(
        &mut self,
        bank: &Bank,
        ticks: &Ticks,
        histories: HashMap<usize, Vec<Operation>>,
    ) -> Result<()> {
        let seen = database::counters(bank.store()).await?;
        for (token, mut history) in histories {
            let holder = &self.holders[token];
            let (_, seen) = seen.get(&holder.token_id).context("the token is gone")?;
            let (asked, answered) = (ticks.next(), ticks.next());
            let look = Operation::answered(Op::Look, asked, answered, Answer::Seen(*seen));
            history.push(look);
            check(self.states[token], &history).with_context(|| {
                format!(
                    "round {}, token {}: {:?} then {history:?}",
                    self.round, holder.token_id, self.states[token]
                )
            })?;
            self.states[token] = Spec::as_seen(*seen, self.states[token].limits);
            self.report.histories += 1;
        }
        Ok(())
    }

    /// F14: each change of a counter has its audit row, and each such row its change.
    async fn reconcile(&mut self, bank: &Bank) -> Result<()> {
        let counters = database::counters(bank.store()).await?;
        let audited = database::audited_changes(bank.store()).await?;
        for holder in self.holders.iter() {
            let (version, _) = counters
                .get(&holder.token_id)
                .context("the token is gone")?;
            let rows = audited.get(&holder.token_id).copied().unwrap_or_default();
            // The first version is that of the new token.
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

/// Two requests under one key are one operation, between the first request and the first answer; their answers are the same.
fn as_one(one: Operation, other: Operation) -> Result<Operation> {
    let returned = match (one.returned, other.returned) {
        (Some((at, answer)), Some((other_at, other_answer))) => {
            ensure!(
                answer == other_answer,
                "one key, two answers: {one:?} and {other:?}"
            );
            Some((at.min(other_at), answer))
        }
        (known, None) | (None, known) => known,
    };
    Ok(Operation {
        op: one.op,
        invoked: one.invoked.min(other.invoked),
        returned,
    })
}

/// What the product said, in the words of the specification.
#[must_use]
pub fn told(verification: &Verification) -> Answer {
    match verification.verdict {
        Word::Accepted => Answer::Accepted,
        Word::AlreadyUsed => Answer::AlreadyUsed,
        Word::Wrong => Answer::Wrong {
            tries_left: verification.tries_left,
        },
        Word::Suspended if verification.just_suspended => Answer::SuspendedNow,
        Word::Suspended => Answer::Suspended,
        Word::NoToken | Word::Disabled | Word::Expired => Answer::Revoked,
    }
}

/// How large a guessing attack is.
#[derive(Clone, Copy, Debug)]
pub struct GuessSize {
    /// Nodes on the one database.
    pub nodes: usize,
    /// Callers at once, over all nodes.
    pub callers: usize,
    /// Tokens that every caller guesses at, once in each round.
    pub tokens: usize,
    /// Rounds, each with tokens of its own.
    pub rounds: u64,
}

/// What came of guessing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GuessReport {
    /// Wrong codes that were submitted.
    pub submits: u64,
    /// Tokens that were guessed at.
    pub tokens: u64,
    /// How many of the guesses were judged, by the audit rows.
    pub evaluated: u64,
    /// The most that were judged of one token; never more than the policy allows.
    pub evaluated_of_one_max: u64,
    /// Told no verdict, because the node was busy, lost too many races or waited for the database for too long.
    pub turned_away: u64,
}

/// F5: everybody guesses at the same tokens at the same moment. However many they are, a token's guesses are judged as often as the
/// policy allows, and no more.
///
/// # Errors
/// The first token that was judged too often or not suspended, or what kept the attack from running.
pub async fn guess(bank: &Bank, size: GuessSize) -> Result<GuessReport> {
    let mut nodes = Vec::with_capacity(size.nodes);
    for _ in 0..size.nodes {
        let app = bank.node().await?;
        let caller = app.api_caller(&bank.api_key, None).await?;
        nodes.push((app, caller));
    }
    let terms = bank.terms();
    let limit = i64::from(terms.policy.wrong_codes_max);
    let step = terms
        .policy
        .parameters
        .time_step(terms.clock.now().seconds());
    let mut report = GuessReport::default();
    for round in 0..size.rounds {
        let holders = bank.holders(&format!("guess-{round}"), size.tokens).await?;
        let guesses = holders.iter().map(|holder| {
            let code = holder.code_but(&holder.near(step), u32::try_from(round).unwrap_or(0));
            (holder.login_id.clone(), code)
        });
        let guesses: Arc<Vec<_>> = Arc::new(guesses.collect());
        let start = Arc::new(tokio::sync::Barrier::new(size.callers));
        let tasks: Vec<_> = (0..size.callers)
            .map(|at| {
                let (app, caller) = nodes[at % nodes.len()].clone();
                let (guesses, start) = (guesses.clone(), start.clone());
                let service_id = terms.service_id.clone();
                tokio::spawn(async move {
                    let mut turned_away = 0_u64;
                    start.wait().await;
                    for (login_id, code) in guesses.iter() {
                        let origin = Origin::default();
                        let asked = ApiVerification {
                            service_id: &service_id,
                            login_id,
                            codes: AskedCodes::One(code),
                            caller: &caller,
                            idempotency: None,
                            origin: &origin,
                        };
                        match app.verify_for_client(asked).await {
                            Ok(verification) => ensure!(
                                verification.verdict != Word::Accepted,
                                "a wrong code was accepted"
                            ),
                            Err(failure) if failure.refusal().is_some() => turned_away += 1,
                            // On a slow machine a node waits for the file of SQLite for longer than it may.
                            Err(Failure::Store(StoreError::Unavailable(
                                Outage::NoTurn | Outage::Timeout,
                            ))) => turned_away += 1,
                            Err(failure) => return Err(failure.into()),
                        }
                    }
                    Ok(turned_away)
                })
            })
            .collect();
        for task in tasks {
            report.turned_away += task.await.context("a caller")??;
        }
        let judged = database::judged_wrong(bank.store()).await?;
        let seen = database::counters(bank.store()).await?;
        for holder in &holders {
            let guesses = judged.get(&holder.token_id).copied().unwrap_or_default();
            let (_, seen) = seen.get(&holder.token_id).context("the token is gone")?;
            ensure!(
                guesses == limit && seen.state == State::Suspended,
                "token {}: {guesses} guesses were judged, {limit} are allowed; {seen:?}",
                holder.token_id
            );
            let guesses = u64::try_from(guesses)?;
            report.evaluated += guesses;
            report.evaluated_of_one_max = report.evaluated_of_one_max.max(guesses);
        }
        report.tokens += u64::try_from(size.tokens)?;
        report.submits += u64::try_from(size.tokens * size.callers)?;
    }
    Ok(report)
}
