//! Whether a code is right, once (J4; R12 to R37). The function [`decide`] is all there is: the hot path folds it over a
//! batch, and one conditional write on [`Counter::version`] makes the decision true (invariant 5).

use crate::life;
use crate::oath::{Code, Parameters, totp};
use crate::service::Policy;
use crate::time::{SECOND_MS, UnixMillis};
use crate::token::{RevokedBy, Standing};

/// The narrow row of a token that every verification reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Grows by one with every write, of a verification, a release or a revocation; a write names the version it read.
    pub version: i64,
    /// The last accepted time step; -1 before the first.
    pub last_step: i64,
    /// Wrong codes in a row since the last right one or the last release.
    pub failures: u32,
    /// Wrong codes since the last right one, over all releases (R34).
    pub run_since_success: u32,
    /// How many steps the token's clock was seen away from ours (R16); negative: behind.
    pub drift: i8,
    /// The token's state.
    pub standing: Standing,
}

impl Counter {
    /// Whether there were so many wrong codes since the last right one that nobody can release any more: what helps is a revocation (R34).
    #[must_use]
    pub const fn run_is_over(&self, policy: &Policy) -> bool {
        self.run_since_success >= policy.run_max
    }

    /// The counter of a token that was activated just now. Wrong codes of the user's token before carry over, for a new
    /// token is no new set of tries (R33), unless a person ended that token: that rebinds the user (R34).
    #[must_use]
    pub fn of_new_token(before: Option<(&Self, RevokedBy)>) -> Self {
        let (failures, run_since_success) = match before {
            Some((counter, RevokedBy::System)) => (counter.failures, counter.run_since_success),
            Some((_, RevokedBy::Person)) | None => (0, 0),
        };
        Self {
            version: 1,
            last_step: -1,
            failures,
            run_since_success,
            drift: 0,
            standing: Standing::Activated,
        }
    }
}

/// How far a guided resynchronisation looks, in steps each way (R17). Codes of this many steps are compared at once, so two
/// consecutive ones are asked for.
pub const RESYNCHRONISATION_STEPS: i8 = 5;

impl Counter {
    /// The counter behind a fence that was put up at `fence` (R23): after a restore, codes may have been accepted that this
    /// copy of the data knows nothing of. Every step whose code could have been accepted by then counts as used.
    ///
    /// [`fence_ends_at`] tells when people can sign in again.
    #[must_use]
    pub fn behind(
        self,
        fence: Option<UnixMillis>,
        parameters: &Parameters,
        policy: &Policy,
    ) -> Self {
        let Some(fence) = fence else {
            return self;
        };
        Self {
            last_step: self.last_step.max(last_used(fence, *parameters, policy)),
            ..self
        }
    }
}

/// The last step whose code any token could have had accepted by `fence`.
fn last_used(fence: UnixMillis, parameters: Parameters, policy: &Policy) -> i64 {
    let farthest = i64::from(policy.window.drift_max).max(RESYNCHRONISATION_STEPS.into());
    parameters.time_step(fence.seconds()) + i64::from(policy.window.ahead) + farthest
}

/// When the code that a token with a right clock shows is accepted again behind a fence (R23).
#[must_use]
pub fn fence_ends_at(fence: UnixMillis, policy: &Policy) -> UnixMillis {
    let parameters = policy.parameters;
    let first = last_used(fence, parameters, policy) + 1;
    UnixMillis(first * i64::from(parameters.step_s) * SECOND_MS)
}

/// What came of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right, for the first time.
    Accepted {
        /// The time step it belongs to.
        step: i64,
        /// Whether it was the token's first right code: the confirmation (R56).
        confirmation: bool,
    },
    /// It was right, and was accepted before (R22). Counts as nothing: the person may have clicked twice.
    AlreadyUsed {
        /// Wrong codes that are left before suspension.
        tries_left: u32,
    },
    /// Wrong, and tries are left.
    Wrong {
        /// How many, at least 1.
        tries_left: u32,
    },
    /// Wrong, and the last one: the token is suspended now.
    SuspendedNow,
    /// The token was suspended before; the code was not judged.
    Suspended,
    /// The token is revoked; the code was not judged.
    Revoked,
    /// The token's life is over; the code was not judged (R27).
    Expired,
}

impl Verdict {
    /// The stable name of the verdict in audit events and, later, in the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::AlreadyUsed { .. } => "already_used",
            Self::Wrong { .. } => "wrong",
            Self::SuspendedNow => "suspended_now",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Judges `code`, where the token shows `codes`, at the server's time `now` and gives the verdict and the counter to write. The counter differs from
/// the given one in its version if and only if something is to be written.
///
/// All candidate steps are compared in constant time, whatever the code and the state of the token (R20); only steps above
/// `last_step` can win (R13, R14).
#[must_use]
pub fn decide(
    counter: &Counter,
    codes: &totp::Codes,
    code: &Code,
    policy: &Policy,
    now: UnixMillis,
) -> (Verdict, Counter) {
    let here = codes.parameters().time_step(now.seconds());
    let mut fresh = None;
    let mut used = false;
    for step in candidates(counter, policy, here) {
        let right = codes.shows(code, step);
        if right && step > counter.last_step {
            fresh = Some(step);
        }
        used |= right && step <= counter.last_step;
    }
    if let Some(unjudged) = unjudged(counter) {
        return (unjudged, *counter);
    }
    if let Some(step) = fresh {
        return accepted(counter, step, learned(counter.drift, step - here, policy));
    }
    if used {
        return (already_used(counter, policy), *counter);
    }
    wrong(counter, policy)
}

/// Judges two consecutive codes of a token, which shows `shown`, whose clock went astray (R17, RFC 4226 §7.4). Right, they set the drift to where
/// the clock is; both are used up. Wrong, they count as one wrong code. One code alone never moves the window.
///
/// Work and comparisons are the same whatever the codes are, as in [`decide`].
#[must_use]
pub fn resynchronise(
    counter: &Counter,
    shown: &totp::Codes,
    codes: &[Code; 2],
    policy: &Policy,
    now: UnixMillis,
) -> (Verdict, Counter) {
    let here = shown.parameters().time_step(now.seconds());
    let reach = i64::from(RESYNCHRONISATION_STEPS);
    let mut found = None;
    let mut used = false;
    let mut before = false;
    for step in here - reach..=here + reach {
        let second = shown.shows(&codes[1], step);
        let both = before & second;
        // The first of the two must be unused as well.
        if both && step - 1 > counter.last_step {
            found = Some(step);
        }
        used |= both && step <= counter.last_step;
        before = shown.shows(&codes[0], step);
    }
    if let Some(unjudged) = unjudged(counter) {
        return (unjudged, *counter);
    }
    match found {
        // No more than the reach of the search.
        Some(step) => accepted(counter, step, i8::try_from(step - here).unwrap_or_default()),
        None if used => (already_used(counter, policy), *counter),
        None => wrong(counter, policy),
    }
}

/// People click twice, and callers ask again: that is told, and not counted.
fn already_used(counter: &Counter, policy: &Policy) -> Verdict {
    let left = policy.wrong_codes_max.saturating_sub(counter.failures);
    Verdict::AlreadyUsed {
        tries_left: left.max(1),
    }
}

/// The verdict on every code of a token in this state, if its codes are not judged at all (R27).
const fn unjudged(counter: &Counter) -> Option<Verdict> {
    match counter.standing {
        Standing::Suspended => Some(Verdict::Suspended),
        Standing::Revoked => Some(Verdict::Revoked),
        Standing::Activated | Standing::InUse => None,
    }
}

/// The verdict on every code of a token whose life is over at `now` (R27): such codes are neither judged nor counted. `None`
/// while it lives, and for one that is suspended or revoked: that is what its owner is told, and [`decide`] says it.
#[must_use]
pub const fn expired(
    counter: &Counter,
    expires_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Option<Verdict> {
    match counter.standing {
        Standing::Activated | Standing::InUse if life::is_over(expires_at, now) => {
            Some(Verdict::Expired)
        }
        _ => None,
    }
}

fn accepted(counter: &Counter, step: i64, drift: i8) -> (Verdict, Counter) {
    let next = Counter {
        version: counter.version + 1,
        last_step: step,
        failures: 0,
        run_since_success: 0,
        drift,
        standing: Standing::InUse,
    };
    let verdict = Verdict::Accepted {
        step,
        confirmation: counter.standing == Standing::Activated,
    };
    (verdict, next)
}

fn wrong(counter: &Counter, policy: &Policy) -> (Verdict, Counter) {
    let mut next = Counter {
        version: counter.version + 1,
        failures: counter.failures.saturating_add(1),
        run_since_success: counter.run_since_success.saturating_add(1),
        ..*counter
    };
    if next.failures >= policy.wrong_codes_max || next.run_is_over(policy) {
        next.standing = Standing::Suspended;
        return (Verdict::SuspendedNow, next);
    }
    let in_a_row = policy.wrong_codes_max - next.failures;
    let in_all = policy.run_max - next.run_since_success;
    (
        Verdict::Wrong {
            tries_left: in_a_row.min(in_all),
        },
        next,
    )
}

/// The steps whose codes are looked at, oldest first: the policy's window around the server's step, stretched to where
/// the token's clock was last seen (R15, R16). Around a clock that was found farther away by a resynchronisation the window
/// stands alone: it is moved and not stretched, so that guessing gets no easier.
fn candidates(counter: &Counter, policy: &Policy, here: i64) -> core::ops::RangeInclusive<i64> {
    let drift = i64::from(counter.drift);
    let (behind, ahead) = (
        i64::from(policy.window.behind),
        i64::from(policy.window.ahead),
    );
    if drift.abs() > i64::from(policy.window.drift_max) {
        return here + drift - behind..=here + drift + ahead;
    }
    here - behind + drift.min(0)..=here + ahead + drift.max(0)
}

/// The drift after an accepted code that lay `offset` steps away: one step nearer to it at a time, so that one late
/// entry does not stretch the window far. It never grows beyond the policy's limit, or beyond what a resynchronisation set.
fn learned(drift: i8, offset: i64, policy: &Policy) -> i8 {
    let limit = policy
        .window
        .drift_max
        .cast_signed()
        .max(drift.saturating_abs());
    let towards = i8::try_from((offset - i64::from(drift)).signum()).unwrap_or(0);
    (drift + towards).clamp(-limit, limit)
}

#[cfg(test)]
mod tests;
