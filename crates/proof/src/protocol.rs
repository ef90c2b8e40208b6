//! A model of the counter protocol: several nodes on one database, callers who lose patience, nodes that crash. Every order of
//! their steps is looked at (stateright). What is decided is decided by `warifu_core` itself: [`decide`], [`release`] and
//! [`revoke`]; only reading, the conditional write, the commit and the answer are modelled.
//!
//! A node takes all that waits at it as one batch, reads the counter, folds the batch, and writes the counter on the condition
//! that its version is the one that was read. A batch that lost the condition is judged again. The write and the commit are one
//! step: what a database does in between is either undone or waits for it.

mod scenarios;
mod world;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use stateright::{Model, Property};
use warifu_core::id::{ContractId, IssuanceId, OperatorId, ServiceId, TokenId, UserId};
use warifu_core::oath::{Code, Seed, totp};
use warifu_core::revocation::revoke;
use warifu_core::service::Policy;
use warifu_core::suspension::release;
use warifu_core::time::UnixMillis;
use warifu_core::token::{RevokedBy, Standing, Token, TokenState};
use warifu_core::user::{Actor, Language, Role, TwoOperators, User};
use warifu_core::verification::{Counter, Verdict, decide};

use crate::spec::{Answer, Limits, Op, State};
pub use scenarios::{Scenario, scenarios};
pub use world::World;
use world::{Caller, Request, Row, Work};

/// The moment at which all of it happens.
const NOW: UnixMillis = UnixMillis(1_790_000_040_000);

/// How a node writes what it decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// As the product does.
    CompareAndSet,
    /// Broken: reads, then writes without a condition.
    ReadThenWrite,
    /// Broken: answers before the commit.
    AnswerFirst,
    /// Broken: looks for a repeated idempotency key in the database only, not in the batch itself.
    KeysOfTheDatabaseOnly,
}

/// Somebody who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asks {
    /// What.
    pub op: Op,
    /// Whether a retry names the same idempotency key (R21); without, a retry is another request.
    pub keyed: bool,
}

/// What is tried.
pub struct Nodes {
    /// How many nodes there are.
    pub nodes: usize,
    /// Who asks what, each once.
    pub callers: Vec<Asks>,
    /// How many crashes there may be, over all nodes.
    pub crashes: u8,
    /// How often each caller may lose patience and ask again.
    pub retries: u8,
    /// How the nodes write.
    pub protocol: Protocol,
    /// Whether what the callers saw is also checked as a history, which costs time in each state.
    pub history: bool,
    bench: Bench,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The caller asks at the node.
    Ask(usize, usize),
    /// The caller loses patience and will ask again.
    GiveUp(usize),
    /// The node takes all that waits, and reads the counter.
    Read(usize),
    /// The node decides, writes and commits; or it has lost and reads again.
    Commit(usize),
    /// The node sends the next answer of its batch.
    Tell(usize),
    /// The node loses what it has in memory, and starts again.
    Crash(usize),
}

/// The token, its user and its codes.
struct Bench {
    policy: Policy,
    seed: Seed,
    user: User,
    token: Token,
    releaser: Actor,
    wrong: Code,
    /// What the core said before: it is pure, and the same question comes up in many states.
    said: RwLock<HashMap<(Op, Row), (Answer, Counter)>>,
}

impl Nodes {
    /// A model of `nodes` nodes and these callers. Three wrong codes without a right one are the end, two in a row suspend.
    ///
    /// # Panics
    /// Never in practice: what it is made of is constant.
    #[must_use]
    pub fn new(nodes: usize, callers: Vec<Asks>) -> Self {
        Self {
            nodes,
            callers,
            crashes: 1,
            retries: 1,
            protocol: Protocol::CompareAndSet,
            history: true,
            bench: Bench::new(),
        }
    }

    /// The step that codes are of when they are neither early nor late.
    #[must_use]
    pub fn here() -> i64 {
        Policy::manual().parameters.time_step(NOW.seconds())
    }

    /// The limits of wrong codes.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::of(&self.bench.policy)
    }

    /// What a node does with its batch: the counter it would write, and the answers. Requests whose key was kept get the
    /// answer of then.
    fn fold(&self, world: &World, read: Counter, batch: &[Request]) -> (Counter, Vec<Answer>) {
        let mut counter = read;
        let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
        for (at, request) in batch.iter().enumerate() {
            let keyed = self.callers[request.caller].keyed
                && self.protocol != Protocol::KeysOfTheDatabaseOnly;
            let earlier = (0..at).find(|earlier| keyed && batch[*earlier].caller == request.caller);
            let known = world
                .kept(*request)
                .or_else(|| earlier.map(|earlier| answers[earlier]));
            answers.push(known.unwrap_or_else(|| {
                let (answer, next) = self.bench.judge(self.callers[request.caller].op, &counter);
                counter = next;
                answer
            }));
        }
        (counter, answers)
    }

    fn commit(&self, world: &mut World, node: usize) {
        let Some(work) = world.nodes[node].work.take() else {
            return;
        };
        let read = work.read.0;
        let (next, answers) = self.fold(world, read, &work.batch);
        let current = world.row.0;
        let lost = next.version != read.version && current.version != read.version;
        if lost && self.protocol != Protocol::ReadThenWrite {
            world.nodes[node]
                .queue
                .splice(0..0, work.batch.iter().copied());
            world.lost_a_race = true;
            return;
        }
        for (request, answer) in work.batch.iter().zip(&answers) {
            let asked = self.callers[request.caller];
            if world.kept(*request).is_some() {
                continue;
            }
            world.book(asked.op, *answer);
            if asked.keyed {
                world.callers[request.caller].kept = Some(*answer);
            }
        }
        if next.version != read.version {
            world.row = Row(next);
        }
        world.nodes[node].work = Some(Work {
            answers,
            committed: true,
            ..work
        });
    }

    /// Sends the next answer. A caller who gave up meanwhile does not hear it.
    fn tell(&self, world: &mut World, node: usize) {
        let Some(mut work) = world.nodes[node].work.take() else {
            return;
        };
        if work.answers.is_empty() {
            work.answers = self.fold(world, work.read.0, &work.batch).1;
        }
        let request = work.batch[work.told];
        world.hear(request, work.answers[work.told], self);
        work.told += 1;
        let over = work.committed && work.told == work.batch.len();
        world.nodes[node].work = (!over).then_some(work);
    }
}

impl Model for Nodes {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (caller, state) in world.callers.iter().enumerate() {
            match state {
                Caller {
                    waits: false,
                    heard: false,
                    ..
                } => steps.extend((0..self.nodes).map(|node| Step::Ask(caller, node))),
                Caller {
                    waits: true,
                    attempt,
                    ..
                } if *attempt < self.retries => steps.push(Step::GiveUp(caller)),
                Caller { .. } => {}
            }
        }
        for (at, node) in world.nodes.iter().enumerate() {
            if node.work.is_none() && !node.queue.is_empty() {
                steps.push(Step::Read(at));
            }
            if let Some(work) = &node.work {
                let may_tell = work.committed || self.protocol == Protocol::AnswerFirst;
                if may_tell && work.told < work.batch.len() {
                    steps.push(Step::Tell(at));
                }
                let must_tell_first =
                    self.protocol == Protocol::AnswerFirst && work.told < work.batch.len();
                if !work.committed && !must_tell_first {
                    steps.push(Step::Commit(at));
                }
            }
            if world.crashes < self.crashes && !(node.work.is_none() && node.queue.is_empty()) {
                steps.push(Step::Crash(at));
            }
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Ask(caller, node) => next.ask(caller, node, self),
            Step::GiveUp(caller) => {
                next.callers[caller].waits = false;
                next.callers[caller].attempt += 1;
            }
            Step::Read(at) => {
                let batch = core::mem::take(&mut next.nodes[at].queue);
                next.nodes[at].work = Some(Work {
                    batch,
                    read: next.row,
                    answers: Vec::new(),
                    told: 0,
                    committed: false,
                });
            }
            Step::Commit(node) => {
                self.commit(&mut next, node);
                let all_told = |work: &Work| work.committed && work.told == work.batch.len();
                if next.nodes[node].work.as_ref().is_some_and(all_told) {
                    next.nodes[node].work = None;
                }
            }
            Step::Tell(node) => self.tell(&mut next, node),
            Step::Crash(node) => {
                next.crashes += 1;
                next.nodes[node] = world::Node::default();
            }
        }
        // Nobody can tell the nodes apart, so their order means nothing.
        next.nodes.sort();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, world: &World| {
                world
                    .accepted
                    .iter()
                    .chain(&world.heard_accepted)
                    .all(|(_, times)| *times <= 1)
            }),
            Property::always(AFTER_COMMIT, |_, world: &World| {
                world.heard_accepted.iter().all(|(step, times)| {
                    world
                        .accepted
                        .iter()
                        .any(|(of, committed)| of == step && committed >= times)
                })
            }),
            Property::always(COUNTED, |_, world: &World| {
                world.row.0.run_since_success == world.wrong_since_success
                    && world.row.0.failures == world.wrong_in_a_row
            }),
            Property::always(BARRED, |_, world: &World| !world.accepted_while_barred),
            Property::always(FINAL, |_, world: &World| {
                world.state != State::Revoked || world.row.0.standing == Standing::Revoked
            }),
            Property::always(LIMIT, |model: &Self, world: &World| {
                let limits = model.limits();
                let reached = world.wrong_in_a_row >= limits.wrong_codes_max
                    || world.wrong_since_success >= limits.run_max;
                let stopped = matches!(
                    world.row.0.standing,
                    Standing::Suspended | Standing::Revoked
                );
                stopped || !reached
            }),
            Property::always(LINEAR, |model: &Self, world: &World| {
                !model.history || world.is_linearizable()
            }),
            Property::sometimes(RACED, |_, world: &World| world.lost_a_race),
            Property::sometimes(ALL_HEARD, |_, world: &World| {
                world.callers.iter().all(|caller| caller.heard)
            }),
        ]
    }
}

/// R12: over all nodes.
pub const ONCE: &str = "a step is accepted at most once";
/// Invariant 3.
pub const AFTER_COMMIT: &str = "an accept is told only when it is committed";
/// R31.
pub const COUNTED: &str = "every wrong code that was judged is counted";
/// R27.
pub const BARRED: &str = "nothing is accepted once a suspension or a revocation is committed";
/// PRODUCT.md §3.
pub const FINAL: &str = "a revoked token stays revoked";
/// R32, R34.
pub const LIMIT: &str = "a token that reached a limit is stopped";
/// All of it together.
pub const LINEAR: &str = "what the callers saw is what one token may answer in some order";
/// That the model is not empty.
pub const RACED: &str = "a batch loses its write to another node";
/// That the model comes to an end.
pub const ALL_HEARD: &str = "everybody has heard an answer";

impl Bench {
    fn new() -> Self {
        let mut policy = Policy::manual();
        policy.wrong_codes_max = 2;
        policy.run_max = 3;
        let seed = Seed::new(vec![0x5a; 32], policy.parameters.algorithm).expect("32 bytes");
        let here = policy.parameters.time_step(NOW.seconds());
        let near: Vec<_> = (-4..=4)
            .map(|offset| totp::code(&seed, here + offset, &policy.parameters))
            .collect();
        let wrong = (0..100)
            .filter_map(|n| Code::exact(&format!("{n:06}"), 6).ok())
            .find(|code| !near.iter().any(|right| right.equals(code)))
            .expect("a code that is none");
        let service_id = ServiceId::parse("proof").expect("a service id");
        let user = User {
            id: UserId::from_stored("user"),
            service_id: service_id.clone(),
            contract_id: ContractId::from_stored("contract"),
            login_id: "user".to_owned(),
            name: "user".to_owned(),
            role: Role::General,
            language: Language::Ja,
            mail_address: None,
            disabled: false,
            reopens_at: None,
        };
        let token = Token {
            id: TokenId::from_stored("token"),
            service_id,
            user_id: user.id.clone(),
            issuance_id: IssuanceId::from_stored("issuance"),
            parameters: policy.parameters,
            activated_at: NOW,
            expires_at: None,
            state: TokenState::Activated,
        };
        let operators = ["one", "two"].map(OperatorId::from_stored);
        let [first, second] = operators;
        let releaser = Actor::Operators(TwoOperators::new(first, second).expect("two operators"));
        Self {
            policy,
            seed,
            user,
            token,
            releaser,
            wrong,
            said: RwLock::default(),
        }
    }

    /// Asks the core, each question once.
    fn judge(&self, op: Op, counter: &Counter) -> (Answer, Counter) {
        let question = (op, Row(*counter));
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = said.get(&question) {
            return *answer;
        }
        drop(said);
        let answer = self.ask_core(op, counter);
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        *said.entry(question).or_insert(answer)
    }

    fn ask_core(&self, op: Op, counter: &Counter) -> (Answer, Counter) {
        let stored = || Some((self.token_of(counter), *counter));
        match op {
            Op::Right(step) => {
                let code = totp::code(&self.seed, step, &self.policy.parameters);
                self.verify(&code, counter)
            }
            Op::Wrong => self.verify(&self.wrong, counter),
            Op::Release => done(
                release(&self.releaser, &self.user, stored(), &self.policy),
                counter,
            ),
            Op::Revoke => done(revoke(&self.releaser, &self.user, stored(), NOW), counter),
            Op::Look => (Answer::Seen(crate::spec::Seen::of(counter)), *counter),
        }
    }

    fn verify(&self, code: &Code, counter: &Counter) -> (Answer, Counter) {
        let codes = totp::Codes::new(&self.seed, &self.policy.parameters);
        let (verdict, next) = decide(counter, &codes, code, &self.policy, NOW);
        (answer(verdict), next)
    }

    /// The token as its row beside the counter has it.
    fn token_of(&self, counter: &Counter) -> Token {
        let confirmed_at = (counter.last_step >= 0).then_some(NOW);
        let state = match counter.standing {
            Standing::Activated => TokenState::Activated,
            Standing::InUse => TokenState::InUse { confirmed_at: NOW },
            Standing::Suspended => TokenState::Suspended {
                suspended_at: NOW,
                confirmed_at,
            },
            Standing::Revoked => TokenState::Revoked {
                revoked_at: NOW,
                by: RevokedBy::Person,
            },
        };
        Token {
            state,
            ..self.token.clone()
        }
    }
}

fn done<E>(outcome: Result<(Token, Counter), E>, counter: &Counter) -> (Answer, Counter) {
    outcome.map_or((Answer::Refused, *counter), |(_, next)| {
        (Answer::Done, next)
    })
}

/// A verdict of the core in the words of the specification.
#[must_use]
pub const fn answer(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Accepted { .. } => Answer::Accepted,
        Verdict::AlreadyUsed { .. } => Answer::AlreadyUsed,
        Verdict::Wrong { tries_left } => Answer::Wrong { tries_left },
        Verdict::SuspendedNow => Answer::SuspendedNow,
        Verdict::Suspended => Answer::Suspended,
        // The tokens of the proof have no end; a code past one is not judged, as past a revocation.
        Verdict::Revoked | Verdict::Expired => Answer::Revoked,
    }
}
