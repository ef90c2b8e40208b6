//! Every order of what two and three nodes may do with one token. `cargo xtask soak model` looks at more.

use stateright::{Checker, Model as _};
use warifu_proof::protocol::{
    AFTER_COMMIT, ALL_HEARD, Asks, BARRED, COUNTED, FINAL, LIMIT, LINEAR, Nodes, ONCE, Protocol,
    RACED, scenarios,
};
use warifu_proof::spec::Op;

/// The properties that a broken protocol was seen to break.
fn broken_by(protocol: Protocol, callers: &[(Op, bool)]) -> Vec<&'static str> {
    let callers = callers.iter().map(|&(op, keyed)| Asks { op, keyed });
    let mut model = Nodes::new(2, callers.collect());
    model.protocol = protocol;
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker
        .discoveries()
        .into_keys()
        .filter(|name| ![RACED, ALL_HEARD].contains(name))
        .collect()
}

#[track_caller]
fn assert_finds(found: &[&str], expected: &[&str]) {
    for property in expected {
        assert!(found.contains(property), "{property}: only {found:?}");
    }
}

#[test]
fn r12_r31_r34_whatever_the_nodes_do_codes_are_accepted_once_and_wrong_ones_counted() {
    for scenario in scenarios().into_iter().filter(|scenario| scenario.quick) {
        let checker = scenario.model.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        let states = checker.unique_state_count();
        assert!(states > 1_000, "{}: only {states} states", scenario.name);
    }
}

#[test]
fn reading_and_then_writing_without_a_condition_is_found_out() {
    let now = Op::Right(Nodes::here());
    let broken = |ops: [Op; 2]| broken_by(Protocol::ReadThenWrite, &ops.map(|op| (op, false)));
    assert_finds(&broken([now, now]), &[ONCE, LINEAR]);
    assert_finds(&broken([Op::Wrong, Op::Wrong]), &[COUNTED, LIMIT, LINEAR]);
    assert_finds(&broken([Op::Revoke, now]), &[BARRED, FINAL, LINEAR]);
}

#[test]
fn answering_before_the_commit_is_found_out() {
    let now = (Op::Right(Nodes::here()), false);
    let found = broken_by(Protocol::AnswerFirst, &[now, now]);
    assert_finds(&found, &[ONCE, AFTER_COMMIT, LINEAR]);
}

#[test]
fn r21_a_key_that_is_repeated_within_one_batch_is_found_out_when_it_is_judged_twice() {
    let now = (Op::Right(Nodes::here()), true);
    let other = (Op::Wrong, false);
    let found = broken_by(Protocol::KeysOfTheDatabaseOnly, &[now, other]);
    assert_finds(&found, &[LINEAR]);
}
