//! What is accepted, counted and refused, step by step.

use super::*;
use crate::oath::{Algorithm, Seed};

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
            &totp::Codes::new(&self.seed, &self.policy.parameters),
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

/// 60 days of it, as R16 asks, are ten steps: a window of that many would be for guessing. After the bound it takes two consecutive codes, and after five
/// steps a new token.
#[test]
fn r16_a_clock_that_loses_ten_seconds_a_day_is_followed_for_half_a_month_and_then_resynchronised() {
    let mut bench = Bench::new();
    let shows = |day: i64| {
        let now = NOW.plus_ms(day * crate::time::DAY_MS);
        (now, now.plus_ms(-day * 10 * SECOND_MS))
    };
    let refused = (1..60).find(|day| {
        let (now, theirs) = shows(*day);
        let code = bench.code(theirs, 0);
        !matches!(bench.verify(now, &code), Verdict::Accepted { .. })
    });
    assert_eq!(refused, Some(19), "190 seconds behind");
    for day in [19, 25, 30] {
        let (now, theirs) = shows(day);
        let codes = [0, 1].map(|offset| bench.code(theirs, offset));
        let verdict = resynchronise_at(&mut bench, now, &codes);
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{day}");
    }
}

fn resynchronise_at(bench: &mut Bench, now: UnixMillis, codes: &[Code; 2]) -> Verdict {
    let (verdict, next) = resynchronise(
        &bench.counter,
        &totp::Codes::new(&bench.seed, &bench.policy.parameters),
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

#[test]
fn r13_r20_codes_computed_at_another_moment_change_no_verdict() {
    let mut bench = Bench::new();
    let parameters = bench.policy.parameters;
    let here = parameters.time_step(NOW.seconds());
    for drift in [-2, 0, 1] {
        bench.counter.drift = drift;
        bench.counter.last_step = here - 2;
        for computed in here - 8..=here + 8 {
            let around = totp::Around::new(&bench.seed, &parameters, computed);
            let fresh = || totp::Codes::new(&bench.seed, &parameters);
            let early = || fresh().with(&around);
            for offset in -4..=4 {
                let code = bench.code(NOW, offset);
                let judge = |codes| decide(&bench.counter, &codes, &code, &bench.policy, NOW);
                assert_eq!(
                    judge(early()),
                    judge(fresh()),
                    "{drift}, {computed}, {offset}"
                );
                let two = [bench.code(NOW, offset), bench.code(NOW, offset + 1)];
                let judge = |codes| resynchronise(&bench.counter, &codes, &two, &bench.policy, NOW);
                assert_eq!(
                    judge(early()),
                    judge(fresh()),
                    "{drift}, {computed}, {offset}"
                );
            }
        }
    }
}
