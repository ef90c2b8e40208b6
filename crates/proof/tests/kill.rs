//! F2, F4, F14 and F23 in a short form: `cargo xtask soak kill` is the long one.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

use tempfile::TempDir;
use warifu_proof::kill::{KillReport, KillSize, kill};
use warifu_store::testing::TestDatabase;

async fn killed(database: TestDatabase, kills: u64) -> KillReport {
    let folder = TempDir::new().unwrap();
    let size = KillSize {
        program: env!("CARGO_BIN_EXE_warifu-under-test").into(),
        kills,
        connections: 4,
        tokens: 400,
        within_us: 20_000,
        seed: 1,
    };
    let report = kill(
        database.config().clone(),
        folder.path().to_owned(),
        size,
        |_| (),
    )
    .await;
    report.unwrap()
}

fn assert_worked(report: &KillReport, kills: u64) {
    assert_eq!(report.kills, kills);
    assert!(
        report.acknowledged_accepts >= kills && report.acknowledged_failures > 0,
        "{report:?}"
    );
    assert!(report.replays_refused > 0, "{report:?}");
    assert!(report.recovery_p99_ms > 0.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_f4_killed_fifty_times_on_sqlite_no_accept_and_no_failure_is_lost() {
    assert_worked(&killed(TestDatabase::sqlite(), 50).await, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_f4_killed_twenty_times_on_postgres_no_accept_and_no_failure_is_lost() {
    assert_worked(&killed(TestDatabase::postgres().await, 20).await, 20);
}
