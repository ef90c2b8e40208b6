//! F1 and F5 in a short form: `cargo xtask soak race` and `guess` are the long ones.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

use tempfile::TempDir;
use warifu_core::service::Policy;
use warifu_core::time::UnixMillis;
use warifu_proof::bank::Bank;
use warifu_proof::race::{GuessSize, RaceSize, guess, race};
use warifu_server::clock::Clock;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

on_both_databases!(
    f1_no_code_is_accepted_twice_and_no_wrong_one_is_lost_when_callers_race_on_three_nodes,
    f5_a_thousand_callers_on_three_nodes_get_no_more_guesses_than_one,
);

async fn bank(database: &TestDatabase, folder: &TempDir) -> Bank {
    let clock = Clock::manual(UnixMillis(1_790_000_040_000));
    let config = database.config().clone();
    Bank::open(config, folder.path(), Policy::manual(), clock)
        .await
        .unwrap()
}

async fn f1_no_code_is_accepted_twice_and_no_wrong_one_is_lost_when_callers_race_on_three_nodes(
    database: TestDatabase,
) {
    let folder = TempDir::new().unwrap();
    let bank = bank(&database, &folder).await;
    let size = RaceSize {
        nodes: 3,
        callers: 96,
        tokens: 64,
        submits: 20_000,
        seed: 1,
    };
    let report = race(&bank, size, |_| ()).await.unwrap();
    assert!(report.submits >= size.submits);
    assert_eq!(report.unknown, 0);
    assert!(report.accepted > 0 && report.wrong > 0 && report.releases > 0 && report.repeated > 0);
}

async fn f5_a_thousand_callers_on_three_nodes_get_no_more_guesses_than_one(database: TestDatabase) {
    let folder = TempDir::new().unwrap();
    let bank = bank(&database, &folder).await;
    let size = GuessSize {
        nodes: 3,
        callers: 1_000,
        tokens: 3,
        rounds: 1,
    };
    let report = guess(&bank, size).await.unwrap();
    assert_eq!(report.evaluated_of_one_max, 5);
    assert_eq!(report.evaluated, 15);
}
