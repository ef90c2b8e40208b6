//! The checker of histories: what it must pass, what it must refuse, and that stateright's own tester agrees with it.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

use proptest::prelude::*;
use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester};
use warifu_proof::checker::{Refuted, check};
use warifu_proof::history::Operation;
use warifu_proof::spec::{Answer, Limits, Op, Spec, State};

const LIMITS: Limits = Limits {
    wrong_codes_max: 3,
    run_max: 5,
};
const TOKEN: Spec = Spec::new(LIMITS);

/// One after the other, without overlap.
fn in_turn(said: &[(Op, Answer)]) -> Vec<Operation> {
    said.iter()
        .zip(0_u64..)
        .map(|(&(op, answer), at)| Operation::answered(op, 2 * at, 2 * at + 1, answer))
        .collect()
}

/// All at once.
fn at_once(said: &[(Op, Answer)]) -> Vec<Operation> {
    said.iter()
        .zip(0_u64..)
        .map(|(&(op, answer), at)| Operation::answered(op, at, 1_000 + at, answer))
        .collect()
}

fn refuted(history: &[Operation]) -> bool {
    matches!(check(TOKEN, history), Err(Refuted::NoOrder { .. }))
}

#[test]
fn r12_a_step_that_was_accepted_twice_is_refused_in_turn_and_at_once() {
    let twice = [
        (Op::Right(7), Answer::Accepted),
        (Op::Right(7), Answer::Accepted),
    ];
    assert!(refuted(&in_turn(&twice)));
    assert!(refuted(&at_once(&twice)));
    let once = [
        (Op::Right(7), Answer::AlreadyUsed),
        (Op::Right(7), Answer::Accepted),
    ];
    assert!(
        refuted(&in_turn(&once)),
        "used before it was accepted: only an answer from the future explains it"
    );
    assert_eq!(check(TOKEN, &at_once(&once)), Ok(()));
}

#[test]
fn r13_an_earlier_step_after_a_later_one_is_refused() {
    let back = [
        (Op::Right(8), Answer::Accepted),
        (Op::Right(7), Answer::Accepted),
    ];
    assert!(refuted(&in_turn(&back)));
    assert_eq!(
        check(TOKEN, &at_once(&back)),
        Ok(()),
        "7 may have been first"
    );
}

#[test]
fn r31_a_wrong_code_that_was_not_counted_is_refused() {
    let lost = [
        (Op::Wrong, Answer::Wrong { tries_left: 2 }),
        (Op::Wrong, Answer::Wrong { tries_left: 2 }),
    ];
    assert!(refuted(&in_turn(&lost)));
    assert!(refuted(&at_once(&lost)));
}

#[test]
fn r31_an_answered_wrong_code_that_the_database_does_not_know_is_refused() {
    let mut after = TOKEN;
    after.apply(Op::Wrong);
    let seen = |state: Spec| (Op::Look, Answer::Seen(state.seen()));
    let wrong = (Op::Wrong, Answer::Wrong { tries_left: 2 });
    assert_eq!(check(TOKEN, &in_turn(&[wrong, seen(after)])), Ok(()));
    assert!(refuted(&in_turn(&[wrong, seen(TOKEN)])));
}

#[test]
fn r32_an_accept_after_the_suspension_is_refused() {
    let suspended = [
        (Op::Wrong, Answer::Wrong { tries_left: 2 }),
        (Op::Wrong, Answer::Wrong { tries_left: 1 }),
        (Op::Wrong, Answer::SuspendedNow),
    ];
    let then = |answer| in_turn(&[suspended.as_slice(), &[(Op::Right(7), answer)]].concat());
    assert!(refuted(&then(Answer::Accepted)));
    assert_eq!(check(TOKEN, &then(Answer::Suspended)), Ok(()));
}

#[test]
fn a_fourth_guess_that_was_judged_is_refused_however_the_guesses_overlap() {
    let guesses = [
        (Op::Wrong, Answer::Wrong { tries_left: 2 }),
        (Op::Wrong, Answer::Wrong { tries_left: 1 }),
        (Op::Wrong, Answer::SuspendedNow),
        (Op::Wrong, Answer::SuspendedNow),
    ];
    assert!(refuted(&at_once(&guesses)));
    assert_eq!(check(TOKEN, &at_once(&guesses[..3])), Ok(()));
}

#[test]
fn a_revoked_token_that_comes_back_is_refused() {
    for back in [
        (Op::Right(7), Answer::Accepted),
        (Op::Right(7), Answer::Suspended),
        (Op::Release, Answer::Done),
        (Op::Wrong, Answer::Wrong { tries_left: 2 }),
        (Op::Look, Answer::Seen(TOKEN.seen())),
    ] {
        assert!(
            refuted(&in_turn(&[(Op::Revoke, Answer::Done), back])),
            "{back:?}"
        );
    }
}

#[test]
fn r34_a_release_past_the_limit_of_the_run_is_refused() {
    let mut token = TOKEN;
    let mut said = Vec::new();
    for op in [
        Op::Wrong,
        Op::Wrong,
        Op::Wrong,
        Op::Release,
        Op::Wrong,
        Op::Wrong,
    ] {
        said.push((op, token.apply(op)));
    }
    assert_eq!(token.state, State::Suspended);
    assert_eq!(check(TOKEN, &in_turn(&said)), Ok(()));
    said.push((Op::Release, Answer::Done));
    assert!(refuted(&in_turn(&said)));
}

#[test]
fn r21_an_answer_that_never_came_explains_a_used_code_and_nothing_before_it_was_asked() {
    let used = Operation::answered(Op::Right(7), 4, 5, Answer::AlreadyUsed);
    assert!(refuted(&[used]));
    assert_eq!(
        check(TOKEN, &[Operation::open(Op::Right(7), 0), used]),
        Ok(())
    );
    assert!(refuted(&[Operation::open(Op::Right(7), 6), used]));
    let accepted = Operation::answered(Op::Right(7), 4, 5, Answer::Accepted);
    assert_eq!(
        check(TOKEN, &[Operation::open(Op::Right(7), 0), accepted]),
        Ok(()),
        "it may have happened never"
    );
    assert!(refuted(&[
        Operation::open(Op::Right(7), 0),
        used,
        Operation {
            invoked: 6,
            returned: Some((7, Answer::Accepted)),
            ..accepted
        }
    ]));
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0_i64..4).prop_map(Op::Right),
        4 => Just(Op::Wrong),
        2 => Just(Op::Release),
        1 => Just(Op::Revoke),
        1 => Just(Op::Look),
    ]
}

/// What a linear execution gives: each operation takes effect at one moment, and is asked and answered around it.
fn execution(callers: u64) -> impl Strategy<Value = Vec<Operation>> {
    let one = (
        op(),
        0..callers * 10,
        0..callers * 10,
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, 1..40).prop_map(|all| {
        let mut token = TOKEN;
        let mut history: Vec<Operation> = Vec::new();
        for ((op, before, after, open), at) in all.into_iter().zip(1_u64..) {
            let moment = 1_000 * at;
            // Odd and even, so that no request and no answer fall together.
            let invoked = (moment.saturating_sub(before * 100)) * 4 + at % 2;
            let returned = (moment + after * 100) * 4 + 2 + at % 2;
            let answer = token.apply(op);
            history.push(if open {
                Operation::open(op, invoked)
            } else {
                Operation::answered(op, invoked, returned, answer)
            });
        }
        history
    })
}

/// The same history for stateright: an operation of each is its own caller.
fn stateright_agrees(history: &[Operation]) -> bool {
    let mut events: Vec<(u64, usize, Option<Answer>)> = Vec::new();
    for (caller, operation) in history.iter().enumerate() {
        events.push((operation.invoked, caller, None));
        if let Some((at, answer)) = operation.returned {
            events.push((at, caller, Some(answer)));
        }
    }
    events.sort_by_key(|(at, _, answer)| (*at, answer.is_some()));
    let mut tester = LinearizabilityTester::new(TOKEN);
    for (_, caller, answer) in events {
        match answer {
            None => tester.on_invoke(caller, history[caller].op).unwrap(),
            Some(answer) => tester.on_return(caller, answer).unwrap(),
        };
    }
    tester.is_consistent()
}

proptest! {
    // Three of ten histories hold no accept.
    #![proptest_config(ProptestConfig { max_global_rejects: 20_000, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn what_a_linear_execution_gives_is_passed(history in execution(3)) {
        prop_assert_eq!(check(TOKEN, &history), Ok(()));
    }

    /// An accept that is told a second time is explained by nothing, wherever it stands, as long as no look or other answer
    /// is needed to see it.
    #[test]
    fn an_accept_told_once_more_is_refused(history in execution(3), pick in any::<prop::sample::Index>(), late in 0_u64..50) {
        let accepted: Vec<_> = history
            .iter()
            .filter(|operation| operation.returned.is_some_and(|(_, answer)| answer == Answer::Accepted))
            .copied()
            .collect();
        prop_assume!(!accepted.is_empty());
        let mut again = accepted[pick.index(accepted.len())];
        again.invoked += late * 4;
        again.returned = again.returned.map(|(at, answer)| (at + late * 4, answer));
        let mut history = history;
        history.push(again);
        prop_assert!(refuted(&history));
    }

    /// One answer is exchanged for another. Whether some order explains the result is not known beforehand; two searches
    /// that were written apart must say the same.
    #[test]
    fn stateright_and_this_checker_agree(
        history in execution(2).prop_map(|mut history| { history.truncate(9); history }),
        pick in any::<prop::sample::Index>(),
        other in prop_oneof![
            Just(Answer::Accepted), Just(Answer::AlreadyUsed), Just(Answer::SuspendedNow), Just(Answer::Suspended),
            Just(Answer::Revoked), (1_u32..3).prop_map(|tries_left| Answer::Wrong { tries_left }), Just(Answer::Done),
            Just(Answer::Refused),
        ],
    ) {
        let mut history = history;
        let at = pick.index(history.len());
        history[at].returned = history[at].returned.map(|(when, _)| (when, other));
        prop_assert_eq!(check(TOKEN, &history).is_ok(), stateright_agrees(&history));
    }
}
