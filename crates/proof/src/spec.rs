//! What one token answers to one request after the other. Written from the words of PRODUCT.md (J4 to J6; R12, R13, R32 to
//! R34), not from the code of `warifu_core`, so that each can be held against the other. Never here: codes and clocks; a
//! right code is its time step, and every step that is asked for lies in the window.

use stateright::semantics::SequentialSpec;
use warifu_core::service::Policy;
use warifu_core::token::Standing;
use warifu_core::verification::Counter;

/// One token, as far as verification goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The last accepted time step; -1 before the first.
    pub last_step: i64,
    /// Wrong codes in a row since the last right one or the last release.
    pub failures: u32,
    /// Wrong codes since the last right one.
    pub run: u32,
    /// Whether codes are judged.
    pub state: State,
    /// What the policy allows.
    pub limits: Limits,
}

/// Whether a token's codes are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// They are.
    Working,
    /// Too many were wrong; a release ends it.
    Suspended,
    /// Ended for good.
    Revoked,
}

/// How many wrong codes a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// In a row (R32).
    pub wrong_codes_max: u32,
    /// Without a right one between, over all releases (R34).
    pub run_max: u32,
}

impl Limits {
    /// Those of a policy.
    #[must_use]
    pub const fn of(policy: &Policy) -> Self {
        Self {
            wrong_codes_max: policy.wrong_codes_max,
            run_max: policy.run_max,
        }
    }
}

/// What somebody asks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// A code is typed: the one of this time step.
    Right(i64),
    /// A code is typed that is the one of no step in the window.
    Wrong,
    /// Somebody who may lifts the suspension.
    Release,
    /// Somebody who may ends the token.
    Revoke,
    /// Looks at the state and changes nothing: what a harness finds in the database.
    Look,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// The code is right, for the first time.
    Accepted,
    /// The code was right, and it or a later one was accepted before.
    AlreadyUsed,
    /// Wrong.
    Wrong {
        /// How many wrong ones are left.
        tries_left: u32,
    },
    /// Wrong, and the last one that is allowed.
    SuspendedNow,
    /// Not judged: suspended before.
    Suspended,
    /// Not judged: revoked before.
    Revoked,
    /// A release or a revocation was done.
    Done,
    /// A release or a revocation was refused.
    Refused,
    /// What a look showed.
    Seen(Seen),
}

/// The parts of a token's state that a look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seen {
    /// See [`Spec::last_step`].
    pub last_step: i64,
    /// See [`Spec::failures`].
    pub failures: u32,
    /// See [`Spec::run`].
    pub run: u32,
    /// See [`Spec::state`].
    pub state: State,
}

impl Seen {
    /// What the database shows of a token.
    #[must_use]
    pub const fn of(counter: &Counter) -> Self {
        Self {
            last_step: counter.last_step,
            failures: counter.failures,
            run: counter.run_since_success,
            state: match counter.standing {
                Standing::Activated | Standing::InUse => State::Working,
                Standing::Suspended => State::Suspended,
                Standing::Revoked => State::Revoked,
            },
        }
    }
}

impl Spec {
    /// A new token.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            last_step: -1,
            failures: 0,
            run: 0,
            state: State::Working,
            limits,
        }
    }

    /// A token as a look showed it.
    #[must_use]
    pub const fn as_seen(seen: Seen, limits: Limits) -> Self {
        Self {
            last_step: seen.last_step,
            failures: seen.failures,
            run: seen.run,
            state: seen.state,
            limits,
        }
    }

    /// What a look at it shows.
    #[must_use]
    pub const fn seen(&self) -> Seen {
        Seen {
            last_step: self.last_step,
            failures: self.failures,
            run: self.run,
            state: self.state,
        }
    }

    /// Does what is asked, and answers.
    pub fn apply(&mut self, op: Op) -> Answer {
        match (op, self.state) {
            (Op::Look, _) => Answer::Seen(self.seen()),
            (Op::Revoke, State::Revoked) => Answer::Refused,
            (Op::Revoke, _) => {
                self.state = State::Revoked;
                Answer::Done
            }
            (Op::Release, State::Suspended) if self.run < self.limits.run_max => {
                self.state = State::Working;
                self.failures = 0;
                Answer::Done
            }
            (Op::Release, _) => Answer::Refused,
            (Op::Right(_) | Op::Wrong, State::Suspended) => Answer::Suspended,
            (Op::Right(_) | Op::Wrong, State::Revoked) => Answer::Revoked,
            (Op::Right(step), State::Working) if step > self.last_step => {
                self.last_step = step;
                self.failures = 0;
                self.run = 0;
                Answer::Accepted
            }
            (Op::Right(_), State::Working) => Answer::AlreadyUsed,
            (Op::Wrong, State::Working) => {
                self.failures += 1;
                self.run += 1;
                let in_a_row = self.limits.wrong_codes_max.saturating_sub(self.failures);
                let tries_left = in_a_row.min(self.limits.run_max.saturating_sub(self.run));
                if tries_left == 0 {
                    self.state = State::Suspended;
                    return Answer::SuspendedNow;
                }
                Answer::Wrong { tries_left }
            }
        }
    }
}

impl SequentialSpec for Spec {
    type Op = Op;
    type Ret = Answer;

    fn invoke(&mut self, op: &Op) -> Answer {
        self.apply(*op)
    }
}
