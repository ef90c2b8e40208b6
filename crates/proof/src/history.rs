//! What callers saw of one token: what was asked when, and what was answered when. Tokens are independent of each other, so
//! each has a history of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::spec::{Answer, Op};

/// One request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What was asked.
    pub op: Op,
    /// The tick before it was asked.
    pub invoked: u64,
    /// The tick after the answer and the answer; `None` when it never came: it may have happened at any time after
    /// `invoked`, or never (Jepsen's `:info`).
    pub returned: Option<(u64, Answer)>,
}

impl Operation {
    /// One that was answered.
    #[must_use]
    pub const fn answered(op: Op, invoked: u64, returned: u64, answer: Answer) -> Self {
        Self {
            op,
            invoked,
            returned: Some((returned, answer)),
        }
    }

    /// One whose outcome nobody knows.
    #[must_use]
    pub const fn open(op: Op, invoked: u64) -> Self {
        Self {
            op,
            invoked,
            returned: None,
        }
    }
}

/// Ticks of one process: of two of them, the one that was taken later is the greater one.
#[derive(Debug, Default)]
pub struct Ticks(AtomicU64);

impl Ticks {
    /// The next one.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
