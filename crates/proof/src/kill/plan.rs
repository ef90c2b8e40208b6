//! What the connections ask: right codes of many tokens, wrong ones, and codes that were accepted before.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use warifu_core::oath::Parameters;
use warifu_core::service::Policy;
use warifu_server::clock::Clock;

use crate::bank::Holder;
use crate::spec::Op;

/// Accepted codes that are remembered for a replay.
const REMEMBERED_MAX: usize = 64;
/// Of a hundred requests, how many are wrong, how many are sent twice at once, how many replays.
const WRONG: u32 = 20;
const TWICE: u32 = 15;
const REPLAYED: u32 = 10;
/// One token of so many has a code that was not asked for yet, or the program is not started: it would seem to take long for its first accept.
const FRESH_ONE_OF: usize = 100;

/// One request. No `Debug`: it holds a code.
#[derive(Clone)]
pub(super) struct Submit {
    pub(super) token: usize,
    pub(super) login_id: String,
    pub(super) op: Op,
    pub(super) code: String,
    /// Whether the code was accepted before.
    pub(super) replay: bool,
}

/// What to ask next, for all connections together.
pub(super) struct Plan {
    holders: Arc<Vec<Holder>>,
    parameters: Parameters,
    clock: Clock,
    rng: ChaCha8Rng,
    /// The step after the last one that was asked for, for each token.
    unused: Vec<i64>,
    next: usize,
    /// The same request for the next connection as well.
    again: Option<Submit>,
    accepted: Vec<Submit>,
}

impl Plan {
    pub(super) fn new(holders: Arc<Vec<Holder>>, policy: &Policy, seed: u64) -> Self {
        Self {
            unused: vec![0; holders.len()],
            holders,
            parameters: policy.parameters,
            clock: Clock::system(),
            rng: ChaCha8Rng::seed_from_u64(seed.wrapping_add(1)),
            next: 0,
            again: None,
            accepted: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Submit {
        if let Some(submit) = self.again.take() {
            return submit;
        }
        let chance = self.rng.next_u32() % 100;
        let submit = if chance < WRONG {
            self.wrong()
        } else if chance < WRONG + REPLAYED {
            self.replay().unwrap_or_else(|| self.right())
        } else {
            self.right()
        };
        if self.rng.next_u32() % 100 < TWICE {
            self.again = Some(submit.clone());
        }
        submit
    }

    /// A code that was accepted and lies in the window still.
    pub(super) fn replay(&mut self) -> Option<Submit> {
        let here = self.here();
        self.accepted
            .retain(|submit| matches!(submit.op, Op::Right(step) if step >= here));
        let count = u32::try_from(self.accepted.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return None;
        }
        let pick = usize::try_from(self.rng.next_u32() % count).unwrap_or(0);
        self.accepted.get(pick).map(|submit| Submit {
            replay: true,
            ..submit.clone()
        })
    }

    pub(super) fn accepted(&mut self, submit: &Submit) {
        if self.accepted.len() >= REMEMBERED_MAX {
            self.accepted.remove(0);
        }
        self.accepted.push(submit.clone());
    }

    /// The time step of now. Codes of it and of the next one are right for longer than a request can take.
    fn here(&self) -> i64 {
        self.parameters.time_step(self.clock.now().seconds())
    }

    fn wrong(&mut self) -> Submit {
        let here = self.here();
        let token = self.turn();
        let holder = &self.holders[token];
        Submit {
            token,
            login_id: holder.login_id.clone(),
            op: Op::Wrong,
            code: holder.code_but(&holder.near(here), self.rng.next_u32()),
            replay: false,
        }
    }

    /// Whether there are enough codes that were not asked for. If not, there are when the next time step begins.
    pub(super) fn has_fresh(&self) -> bool {
        let here = self.here();
        let fresh = self.unused.iter().filter(|&&step| step <= here + 1).count();
        fresh * FRESH_ONE_OF >= self.unused.len()
    }

    /// The next token that has a code that was not asked for; the same code again, when all are used up for now.
    fn right(&mut self) -> Submit {
        let here = self.here();
        for _ in 0..self.holders.len() {
            let token = self.turn();
            let step = self.unused[token].max(here);
            let holder = &self.holders[token];
            let code = holder.code(step);
            if step > here + 1 || !holder.is_alone(step, &code, here) {
                continue;
            }
            self.unused[token] = step + 1;
            return Submit {
                token,
                login_id: holder.login_id.clone(),
                op: Op::Right(step),
                code,
                replay: false,
            };
        }
        self.wrong()
    }

    fn turn(&mut self) -> usize {
        self.next = (self.next + 1) % self.holders.len();
        self.next
    }
}
