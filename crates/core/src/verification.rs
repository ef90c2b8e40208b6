//! Whether a code is right, once (J4; R12 to R37). The function [`decide`] is all there is: the hot path folds it over a
//! batch, and one conditional write on [`Counter::version`] makes the decision true (invariant 5).

use crate::oath::{Code, Parameters, Seed, totp};
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
        }
    }
}

/// Judges `code` at the server's time `now` and gives the verdict and the counter to write. The counter differs from
/// the given one in its version if and only if something is to be written.
///
/// All candidate steps are computed and compared in constant time, whatever the state of the token (R20); only steps above
/// `last_step` can win (R13, R14).
#[must_use]
pub fn decide(
    counter: &Counter,
    seed: &Seed,
    parameters: &Parameters,
    code: &Code,
    policy: &Policy,
    now: UnixMillis,
) -> (Verdict, Counter) {
    let here = parameters.time_step(now.seconds());
    let mut fresh = None;
    let mut used = false;
    for step in candidates(counter, policy, here) {
        let right = totp::code(seed, step, parameters).equals(code);
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

/// Judges two consecutive codes of a token whose clock went astray (R17, RFC 4226 §7.4). Right, they set the drift to where
/// the clock is; both are used up. Wrong, they count as one wrong code. One code alone never moves the window.
///
/// Work and comparisons are the same whatever the codes are, as in [`decide`].
#[must_use]
pub fn resynchronise(
    counter: &Counter,
    seed: &Seed,
    parameters: &Parameters,
    codes: &[Code; 2],
    policy: &Policy,
    now: UnixMillis,
) -> (Verdict, Counter) {
    let here = parameters.time_step(now.seconds());
    let reach = i64::from(RESYNCHRONISATION_STEPS);
    let mut found = None;
    let mut used = false;
    let mut before = false;
    for step in here - reach..=here + reach {
        let second = totp::code(seed, step, parameters).equals(&codes[1]);
        let both = before & second;
        // The first of the two must be unused as well.
        if both && step - 1 > counter.last_step {
            found = Some(step);
        }
        used |= both && step <= counter.last_step;
        before = totp::code(seed, step, parameters).equals(&codes[0]);
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
    if next.failures >= policy.wrong_codes_max || next.run_since_success >= policy.run_max {
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
mod tests {
    use super::*;
    use crate::oath::Algorithm;

    const NOW: UnixMillis = UnixMillis(1_790_000_040_000);

    struct Bench {
        counter: Counter,
        seed: Seed,
        policy: Policy,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                counter: Counter::of_new_token(None),
                seed: Seed::new(vec![0x5a; 32], Algorithm::Sha256).unwrap(),
                policy: Policy::manual(),
            }
        }

        fn code(&self, now: UnixMillis, offset: i64) -> Code {
            let step = self.policy.parameters.time_step(now.seconds()) + offset;
            totp::code(&self.seed, step, &self.policy.parameters)
        }

        fn verify(&mut self, now: UnixMillis, code: &Code) -> Verdict {
            let (verdict, next) = decide(
                &self.counter,
                &self.seed,
                &self.policy.parameters,
                code,
                &self.policy,
                now,
            );
            assert!(next.version == self.counter.version + i64::from(next != self.counter));
            self.counter = next;
            verdict
        }

        fn wrong_code(&self, now: UnixMillis) -> Code {
            let near: Vec<_> = (-6..=6)
                .map(|offset| self.code(now, offset).expose().to_owned())
                .collect();
            let wrong = (0..100)
                .map(|n| format!("{n:06}"))
                .find(|text| !near.contains(text))
                .unwrap();
            Code::exact(&wrong, 6).unwrap()
        }
    }

    #[test]
    fn r12_a_code_is_accepted_once() {
        let mut bench = Bench::new();
        let code = bench.code(NOW, 0);
        assert!(matches!(
            bench.verify(NOW, &code),
            Verdict::Accepted {
                confirmation: true,
                ..
            }
        ));
        assert_eq!(
            bench.verify(NOW, &code),
            Verdict::AlreadyUsed { tries_left: 5 }
        );
        let earlier = bench.code(NOW, -1);
        assert!(matches!(
            bench.verify(NOW, &earlier),
            Verdict::AlreadyUsed { .. }
        ));
        let next = bench.code(NOW, 1);
        assert!(matches!(
            bench.verify(NOW, &next),
            Verdict::Accepted {
                confirmation: false,
                ..
            }
        ));
    }

    #[test]
    fn r15_one_step_each_way_is_accepted_and_two_are_not() {
        for (offset, right) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let mut bench = Bench::new();
            let code = bench.code(NOW, offset);
            assert_eq!(
                matches!(bench.verify(NOW, &code), Verdict::Accepted { .. }),
                right,
                "{offset}"
            );
        }
    }

    #[test]
    fn r32_the_fifth_wrong_code_suspends_and_a_right_one_is_refused_then() {
        let mut bench = Bench::new();
        let wrong = bench.wrong_code(NOW);
        for tries_left in [4, 3, 2, 1] {
            assert_eq!(bench.verify(NOW, &wrong), Verdict::Wrong { tries_left });
        }
        assert_eq!(bench.verify(NOW, &wrong), Verdict::SuspendedNow);
        let right = bench.code(NOW, 0);
        assert_eq!(bench.verify(NOW, &right), Verdict::Suspended);
        let year = NOW.plus_ms(365 * crate::time::DAY_MS);
        let right = bench.code(year, 0);
        assert_eq!(
            bench.verify(year, &right),
            Verdict::Suspended,
            "R35: a suspension never ends by itself"
        );
    }

    #[test]
    fn r33_a_right_code_starts_the_row_again() {
        let mut bench = Bench::new();
        let wrong = bench.wrong_code(NOW);
        for _ in 0..4 {
            bench.verify(NOW, &wrong);
        }
        let right = bench.code(NOW, 0);
        bench.verify(NOW, &right);
        assert_eq!(bench.verify(NOW, &wrong), Verdict::Wrong { tries_left: 4 });
    }

    #[test]
    fn r14_a_code_that_equals_a_used_one_by_chance_is_accepted_for_its_own_step() {
        // With one digit, equal codes of neighbouring steps are easily found.
        let mut bench = Bench::new();
        bench.policy.parameters.digits = 1;
        let now = (0..10_000)
            .map(|minute| NOW.plus_ms(minute * 60_000))
            .find(|&now| bench.code(now, 0).equals(&bench.code(now, 1)))
            .unwrap();
        let code = bench.code(now, 0);
        bench.counter.last_step = bench.policy.parameters.time_step(now.seconds());
        assert!(matches!(bench.verify(now, &code), Verdict::Accepted { .. }));
    }

    #[test]
    fn r16_a_clock_that_wanders_two_steps_is_followed_and_no_further() {
        let mut bench = Bench::new();
        let mut now = NOW;
        for offset in [0, 1, 1, 2, 2, 3] {
            now = now.plus_ms(10 * crate::time::MINUTE_MS);
            let code = bench.code(now, offset);
            assert!(
                matches!(bench.verify(now, &code), Verdict::Accepted { .. }),
                "{offset}"
            );
        }
        assert_eq!(bench.counter.drift, 2);
        now = now.plus_ms(10 * crate::time::MINUTE_MS);
        let code = bench.code(now, 4);
        assert!(matches!(bench.verify(now, &code), Verdict::Wrong { .. }));
        let code = bench.code(now, 0);
        assert!(
            matches!(bench.verify(now, &code), Verdict::Accepted { .. }),
            "a clock set right works at once"
        );
    }

    fn resynchronise_at(bench: &mut Bench, now: UnixMillis, codes: &[Code; 2]) -> Verdict {
        let (verdict, next) = resynchronise(
            &bench.counter,
            &bench.seed,
            &bench.policy.parameters,
            codes,
            &bench.policy,
            now,
        );
        bench.counter = next;
        verdict
    }

    #[test]
    fn r17_two_consecutive_codes_find_a_clock_that_went_astray() {
        for astray in [-5, -4, 3, 4] {
            let mut bench = Bench::new();
            let lone = bench.code(NOW, astray);
            assert!(matches!(bench.verify(NOW, &lone), Verdict::Wrong { .. }));
            let codes = [bench.code(NOW, astray), bench.code(NOW, astray + 1)];
            let here = bench.policy.parameters.time_step(NOW.seconds());
            assert_eq!(
                resynchronise_at(&mut bench, NOW, &codes),
                Verdict::Accepted {
                    step: here + astray + 1,
                    confirmation: true
                }
            );
            assert_eq!(bench.counter.failures, 0);
            assert!(
                matches!(
                    resynchronise_at(&mut bench, NOW, &codes),
                    Verdict::AlreadyUsed { .. }
                ),
                "both are used up"
            );
            let later = NOW.plus_ms(10 * crate::time::MINUTE_MS);
            let code = bench.code(later, astray);
            assert!(matches!(
                bench.verify(later, &code),
                Verdict::Accepted { .. }
            ));
            let at_the_right_time = later.plus_ms(10 * crate::time::MINUTE_MS);
            let code = bench.code(at_the_right_time, -astray);
            assert!(
                matches!(
                    bench.verify(at_the_right_time, &code),
                    Verdict::Wrong { .. }
                ),
                "the window was moved, not stretched"
            );
        }
    }

    #[test]
    fn r17_one_right_code_of_two_does_not_move_the_window_and_counts_as_wrong() {
        let mut bench = Bench::new();
        let wrong = bench.wrong_code(NOW);
        for codes in [
            [bench.code(NOW, 4), wrong.clone()],
            [wrong.clone(), bench.code(NOW, 4)],
            [bench.code(NOW, 4), bench.code(NOW, 4)],
            [bench.code(NOW, 5), bench.code(NOW, 4)],
            [bench.code(NOW, 6), bench.code(NOW, 7)],
        ] {
            let failures = bench.counter.failures;
            let verdict = resynchronise_at(&mut bench, NOW, &codes);
            assert!(matches!(
                verdict,
                Verdict::Wrong { .. } | Verdict::SuspendedNow
            ));
            assert_eq!(
                (bench.counter.failures, bench.counter.drift),
                (failures + 1, 0)
            );
        }
        let right = [bench.code(NOW, 3), bench.code(NOW, 4)];
        assert_eq!(
            resynchronise_at(&mut bench, NOW, &right),
            Verdict::Suspended
        );
    }

    #[test]
    fn r23_behind_a_fence_nothing_is_accepted_that_could_have_been_before_it() {
        for policy in [Policy::manual(), Policy::strict()] {
            let mut bench = Bench {
                policy,
                ..Bench::new()
            };
            let old = bench.counter;
            // What a lost copy of the data may have accepted last: the farthest code that any token could give.
            let codes = [
                bench.code(NOW, i64::from(RESYNCHRONISATION_STEPS) - 1),
                bench.code(NOW, i64::from(RESYNCHRONISATION_STEPS)),
            ];
            assert!(matches!(
                resynchronise_at(&mut bench, NOW, &codes),
                Verdict::Accepted { .. }
            ));
            let ahead = i64::from(RESYNCHRONISATION_STEPS) + i64::from(bench.policy.window.ahead);
            let farthest = bench.code(NOW, ahead);
            if bench.policy.window.ahead > 0 {
                assert!(matches!(
                    bench.verify(NOW, &farthest),
                    Verdict::Accepted { .. }
                ));
            }
            let step_ms = i64::from(bench.policy.parameters.step_s) * crate::time::SECOND_MS;
            bench.counter = old.behind(Some(NOW), &bench.policy.parameters, &bench.policy);
            for steps in 0..=ahead + 1 {
                let now = NOW.plus_ms(steps * step_ms);
                assert_ne!(
                    std::mem::discriminant(&bench.verify(now, &farthest)),
                    std::mem::discriminant(&Verdict::Accepted {
                        step: 0,
                        confirmation: false
                    }),
                    "{steps} steps after the fence"
                );
                bench.counter.failures = 0;
                bench.counter.standing = Standing::Activated;
            }
            let after = fence_ends_at(NOW, &bench.policy);
            assert!(after <= NOW.plus_ms((ahead + 2) * step_ms));
            let code = bench.code(after, 0);
            assert!(matches!(
                bench.verify(after, &code),
                Verdict::Accepted { .. }
            ));
        }
    }

    #[test]
    fn r33_wrong_codes_carry_over_to_a_token_unless_a_person_ended_the_one_before() {
        let before = Counter {
            failures: 4,
            run_since_success: 14,
            ..Counter::of_new_token(None)
        };
        let carried = Counter::of_new_token(Some((&before, RevokedBy::System)));
        assert_eq!((carried.failures, carried.run_since_success), (4, 14));
        let rebound = Counter::of_new_token(Some((&before, RevokedBy::Person)));
        assert_eq!((rebound.failures, rebound.run_since_success), (0, 0));
    }

    #[test]
    fn r34_the_run_suspends_at_its_own_limit() {
        let mut bench = Bench::new();
        bench.counter.run_since_success = 29;
        let wrong = bench.wrong_code(NOW);
        assert_eq!(bench.verify(NOW, &wrong), Verdict::SuspendedNow);
    }
}
