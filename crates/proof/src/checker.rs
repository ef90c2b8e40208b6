//! Whether a history is linearizable: whether its operations can be put in one order, each somewhere between its request and
//! its answer, in which [`Spec`] gives exactly these answers. The search is the one of Wing and Gong with Lowe's memory of
//! what was tried, for one token at a time.

use std::collections::HashSet;
use std::fmt;

use crate::history::Operation;
use crate::spec::{Op, Spec};

/// Orders that one search looks at before it gives up. Giving up is a failure, never a pass.
pub const TRIED_MAX: usize = 2_000_000;

/// Why a history was not passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refuted {
    /// No order explains it.
    NoOrder {
        /// How many operations the best order found explains.
        explained: usize,
        /// The state after them.
        state: Spec,
        /// The operations that come next by time, none of which fits that state.
        stuck: Vec<Operation>,
    },
    /// The search was given up after [`TRIED_MAX`] orders.
    TooHard,
}

impl fmt::Display for Refuted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOrder {
                explained,
                state,
                stuck,
            } => write!(
                f,
                "no order explains the history: after {explained} operations the token is {state:?}, and none of {stuck:?} fits"
            ),
            Self::TooHard => write!(f, "no order found among {TRIED_MAX}"),
        }
    }
}

impl std::error::Error for Refuted {}

/// Looks for an order of `history` that `initial` allows. Operations without an answer may stand anywhere after their request,
/// or nowhere.
///
/// # Errors
/// [`Refuted`], when there is none, or none was found in time.
pub fn check(initial: Spec, history: &[Operation]) -> Result<(), Refuted> {
    let mut operations = history.to_vec();
    operations.sort_by_key(|operation| operation.invoked);
    let answered = operations
        .iter()
        .filter(|operation| operation.returned.is_some())
        .count();
    let mut tried = HashSet::new();
    let mut best = None;
    let mut stack = vec![Order::new(initial, operations.len())];
    while let Some(mut order) = stack.pop() {
        order.take_what_changes_nothing(&operations);
        if order.answered == answered {
            return Ok(());
        }
        if tried.len() >= TRIED_MAX {
            return Err(Refuted::TooHard);
        }
        if !tried.insert((order.taken.clone(), order.state)) {
            continue;
        }
        stack.extend(order.followers(&operations));
        if best
            .as_ref()
            .is_none_or(|best: &Order| best.answered < order.answered)
        {
            best = Some(order);
        }
    }
    let best = best.unwrap_or_else(|| Order::new(initial, operations.len()));
    Err(Refuted::NoOrder {
        explained: best.answered,
        state: best.state,
        stuck: best
            .candidates(&operations)
            .map(|at| operations[at])
            .collect(),
    })
}

/// The beginning of an order: which operations stand in it already, and the state after them.
struct Order {
    state: Spec,
    /// A bit for each operation.
    taken: Vec<u64>,
    /// All operations before this one are taken, or open and of no use any more.
    first: usize,
    /// How many of those taken have an answer.
    answered: usize,
}

impl Order {
    fn new(state: Spec, operations: usize) -> Self {
        Self {
            state,
            taken: vec![0; operations.div_ceil(64)],
            first: 0,
            answered: 0,
        }
    }

    fn has(&self, at: usize) -> bool {
        self.taken[at / 64] & (1 << (at % 64)) != 0
    }

    fn take(&mut self, at: usize, operations: &[Operation]) {
        self.taken[at / 64] |= 1 << (at % 64);
        self.answered += usize::from(operations[at].returned.is_some());
        while self.first < operations.len() && self.has(self.first) {
            self.first += 1;
        }
    }

    /// The operations that may come next: asked before any other that is not taken was answered.
    fn candidates<'a>(&'a self, operations: &'a [Operation]) -> impl Iterator<Item = usize> + 'a {
        let left = move || (self.first..operations.len()).filter(|at| !self.has(*at));
        let mut until = u64::MAX;
        for at in left() {
            if operations[at].invoked > until {
                break;
            }
            if let Some((returned, _)) = operations[at].returned {
                until = until.min(returned);
            }
        }
        left().take_while(move |at| operations[*at].invoked < until)
    }

    /// Takes every operation that fits and leaves the state as it is: where it stands now, it hinders nothing later.
    fn take_what_changes_nothing(&mut self, operations: &[Operation]) {
        loop {
            let fits: Vec<_> = self
                .candidates(operations)
                .filter(|at| {
                    let mut state = self.state;
                    let answer = state.apply(operations[*at].op);
                    state == self.state
                        && operations[*at]
                            .returned
                            .is_some_and(|(_, told)| told == answer)
                })
                .collect();
            if fits.is_empty() {
                return;
            }
            for at in fits {
                self.take(at, operations);
            }
        }
    }

    /// The orders that are longer by one operation that changes the state. Of several that ask and answer the same, only
    /// the one that must come first: an order with another in its place stays one when the two are exchanged.
    fn followers(&self, operations: &[Operation]) -> Vec<Self> {
        let mut choices: Vec<(Op, Option<u64>, usize)> = Vec::new();
        for at in self.candidates(operations) {
            let operation = operations[at];
            let mut state = self.state;
            let answer = state.apply(operation.op);
            let fits = operation.returned.is_none_or(|(_, told)| told == answer);
            if !fits || state == self.state {
                continue;
            }
            let until = operation.returned.map(|(returned, _)| returned);
            let same = choices
                .iter_mut()
                .find(|(op, other, _)| *op == operation.op && other.is_some() == until.is_some());
            match same {
                Some(same) if until < same.1 => *same = (operation.op, until, at),
                Some(_) => {}
                None => choices.push((operation.op, until, at)),
            }
        }
        // The last one pushed is tried first: the operation that is answered first is the likeliest one.
        choices.sort_by_key(|(_, until, _)| std::cmp::Reverse(until.unwrap_or(u64::MAX)));
        choices
            .into_iter()
            .map(|(op, _, at)| {
                let mut next = Self {
                    state: self.state,
                    taken: self.taken.clone(),
                    first: self.first,
                    answered: self.answered,
                };
                next.state.apply(op);
                next.take(at, operations);
                next
            })
            .collect()
    }
}
