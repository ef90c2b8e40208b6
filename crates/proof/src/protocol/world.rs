//! One state of the model: the database, what each node has in memory, what each caller knows, and the books that are kept
//! beside them to judge by.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester};
use warifu_core::verification::Counter;

use super::{Asks, Nodes};
use crate::spec::{Answer, Op, Spec, State};

/// The whole of it at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The database's row.
    pub(super) row: Row,
    /// In no particular order.
    pub(super) nodes: Vec<Node>,
    pub(super) callers: Vec<Caller>,
    /// Crashes so far.
    pub(super) crashes: u8,
    /// How often each step was accepted, by what was committed.
    pub(super) accepted: Vec<(i64, u8)>,
    /// How often each step was accepted, by what callers heard.
    pub(super) heard_accepted: Vec<(i64, u8)>,
    /// Wrong codes that were judged and committed since the last right one.
    pub(super) wrong_since_success: u32,
    /// The same since the last right one or release.
    pub(super) wrong_in_a_row: u32,
    /// Whether a code was accepted while `state` forbade it.
    pub(super) accepted_while_barred: bool,
    /// Whether codes may be judged, by what was committed.
    pub(super) state: State,
    /// Whether a batch had to be judged again.
    pub(super) lost_a_race: bool,
    told: LinearizabilityTester<usize, Spec>,
}

/// A counter that can be ordered and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row(pub(super) Counter);

/// What a node has in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node {
    pub(super) queue: Vec<Request>,
    pub(super) work: Option<Work>,
}

/// A batch on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Work {
    pub(super) batch: Vec<Request>,
    pub(super) read: Row,
    pub(super) answers: Vec<Answer>,
    pub(super) told: usize,
    pub(super) committed: bool,
}

/// What lies in a node's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Request {
    pub(super) caller: usize,
    /// Which try of the caller it is; the answer to an earlier one is not heard.
    pub(super) attempt: u8,
}

/// What a caller knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    pub(super) waits: bool,
    pub(super) heard: bool,
    pub(super) attempt: u8,
    /// The answer that the database keeps under the caller's idempotency key.
    pub(super) kept: Option<Answer>,
}

impl World {
    pub(super) fn new(model: &Nodes) -> Self {
        let counter = Counter::of_new_token(None);
        Self {
            row: Row(counter),
            nodes: vec![Node::default(); model.nodes],
            callers: vec![Caller::default(); model.callers.len()],
            crashes: 0,
            accepted: Vec::new(),
            heard_accepted: Vec::new(),
            wrong_since_success: 0,
            wrong_in_a_row: 0,
            accepted_while_barred: false,
            state: State::Working,
            lost_a_race: false,
            told: LinearizabilityTester::new(Spec::new(model.limits())),
        }
    }

    /// The name of a try in the history: tries under one key are one operation, others are one each.
    fn operation(caller: usize, attempt: u8, asks: &[Asks]) -> usize {
        let attempt = if asks[caller].keyed { 0 } else { attempt };
        caller + asks.len() * usize::from(attempt)
    }

    pub(super) fn ask(&mut self, caller: usize, node: usize, model: &Nodes) {
        let asks = &model.callers;
        let attempt = self.callers[caller].attempt;
        self.callers[caller].waits = true;
        if model.history && (attempt == 0 || !asks[caller].keyed) {
            let operation = Self::operation(caller, attempt, asks);
            let noted = self.told.on_invoke(operation, asks[caller].op).is_ok();
            debug_assert!(noted, "asked once under each name");
        }
        self.nodes[node].queue.push(Request { caller, attempt });
    }

    pub(super) fn hear(&mut self, request: Request, answer: Answer, model: &Nodes) {
        let asks = &model.callers;
        let caller = &mut self.callers[request.caller];
        if !caller.waits || caller.attempt != request.attempt {
            return;
        }
        caller.waits = false;
        caller.heard = true;
        if model.history {
            let operation = Self::operation(request.caller, request.attempt, asks);
            let noted = self.told.on_return(operation, answer).is_ok();
            debug_assert!(noted, "answered once under each name");
        }
        if let (Op::Right(step), Answer::Accepted) = (asks[request.caller].op, answer) {
            count(&mut self.heard_accepted, step);
        }
    }

    /// The answer that was committed under the request's key.
    pub(super) fn kept(&self, request: Request) -> Option<Answer> {
        self.callers[request.caller].kept
    }

    /// Books what is being committed.
    pub(super) fn book(&mut self, op: Op, answer: Answer) {
        match (op, answer) {
            (Op::Right(step), Answer::Accepted) => {
                self.accepted_while_barred |= self.state != State::Working;
                count(&mut self.accepted, step);
                self.wrong_since_success = 0;
                self.wrong_in_a_row = 0;
            }
            (_, Answer::Wrong { .. }) => {
                self.wrong_since_success += 1;
                self.wrong_in_a_row += 1;
            }
            (_, Answer::SuspendedNow) => {
                self.wrong_since_success += 1;
                self.wrong_in_a_row += 1;
                self.enter(State::Suspended);
            }
            (Op::Release, Answer::Done) => {
                self.wrong_in_a_row = 0;
                self.enter(State::Working);
            }
            (Op::Revoke, Answer::Done) => self.enter(State::Revoked),
            _ => {}
        }
    }

    /// Nothing ends a revocation.
    fn enter(&mut self, state: State) {
        if self.state != State::Revoked {
            self.state = state;
        }
    }

    pub(super) fn is_linearizable(&self) -> bool {
        self.told.is_consistent()
    }
}

fn count(times: &mut Vec<(i64, u8)>, step: i64) {
    if let Some((_, times)) = times.iter_mut().find(|(of, _)| *of == step) {
        *times += 1;
        return;
    }
    times.push((step, 1));
    times.sort_unstable();
}

impl Row {
    fn key(&self) -> (i64, i64, u32, u32, i8, &'static str) {
        let counter = &self.0;
        (
            counter.version,
            counter.last_step,
            counter.failures,
            counter.run_since_success,
            counter.drift,
            counter.standing.as_str(),
        )
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Row {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
