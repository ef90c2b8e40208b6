//! R23: a code that was accepted before a restore is refused after it, whatever was copied when.

use stateright::{Checker as _, Model as _};
use warifu_proof::restore::{ONCE_OVER_A_RESTORE, Restore};

#[test]
fn r23_behind_the_fence_no_code_is_accepted_twice_and_later_ones_are() {
    let checker = Restore::new(true, 9)
        .checker()
        .threads(2)
        .spawn_bfs()
        .join();
    checker.assert_properties();
    let states = checker.unique_state_count();
    println!("{states} states");
    assert!(states > 10_000, "only {states} states");
}

#[test]
fn r23_a_restore_without_a_fence_is_found_out() {
    let checker = Restore::new(false, 2)
        .checker()
        .threads(2)
        .spawn_bfs()
        .join();
    assert!(checker.discovery(ONCE_OVER_A_RESTORE).is_some());
}
