//! Many at once: one wins, and everybody gets a turn.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::executor::{amount, insert, open};
use crate::limits::SQLITE_BUSY_TIMEOUT;
use crate::testing::TestDatabase;
use crate::{Wait, on_both_databases, params};

on_both_databases! {
    one_of_many_racing_updates_wins,
    one_of_many_racing_inserts_wins,
    no_writer_is_left_waiting,
}

/// On SQLite, where another process may hold the lock of the file.
#[tokio::test]
async fn who_waits_for_no_lock_is_told_of_a_conflict_at_once() {
    let database = TestDatabase::sqlite();
    let (store, elsewhere) = (open(&database).await, database.open().await);
    let mut holds = elsewhere.begin().await.unwrap();
    let write = "INSERT INTO item (id, amount, done) VALUES ($1, $2, FALSE)";
    holds.execute(write, params!["a", 1]).await.unwrap();
    let began = Instant::now();
    let mut hurries = store.begin_here(Wait::ForDisk).await.unwrap();
    let refused = hurries.execute(write, params!["b", 2]).await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    assert!(began.elapsed() < SQLITE_BUSY_TIMEOUT / 2);
    drop(hurries);
    holds.commit().await.unwrap();
    // The same connection waits again, if it is to.
    let mut waits = store.begin().await.unwrap();
    let row = waits.query_one("PRAGMA busy_timeout", params![]).await;
    let most = row.unwrap().unwrap().int("timeout").unwrap();
    assert_eq!(u128::try_from(most), Ok(SQLITE_BUSY_TIMEOUT.as_millis()));
    waits.execute(write, params!["b", 2]).await.unwrap();
    waits.commit().await.unwrap();
    assert_eq!(amount(&store, "b").await, Some(2));
}

/// What decides that a code is accepted once (R12, R13): each of 64 tasks, half of them on another node, tries to move the
/// same row from the same state.
async fn one_of_many_racing_updates_wins(database: TestDatabase) {
    let first = open(&database).await;
    let second = database.open().await;
    insert(&first, "a", 0).await;
    for round in 0..5 {
        let start = Arc::new(Barrier::new(64));
        let mut tasks = JoinSet::new();
        for task in 0..64 {
            let store = if task % 2 == 0 {
                first.clone()
            } else {
                second.clone()
            };
            let start = start.clone();
            tasks.spawn(async move {
                start.wait().await;
                let mut tx = store.begin().await.unwrap();
                let sql = "UPDATE item SET amount = $1 WHERE id = $2 AND amount = $3 RETURNING id";
                let won = tx.query(sql, params![round + 1, "a", round]).await.unwrap();
                tx.commit().await.unwrap();
                won.len()
            });
        }
        assert_eq!(tasks.join_all().await.iter().sum::<usize>(), 1);
        assert_eq!(amount(&first, "a").await, Some(round + 1));
    }
}

async fn one_of_many_racing_inserts_wins(database: TestDatabase) {
    let store = open(&database).await;
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let sql = "INSERT INTO item (id, amount, done) VALUES ($1, $2, FALSE) ON CONFLICT (id) DO NOTHING";
            let won = tx.execute(sql, params!["a", i64::from(task)]).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u64>(), 1);
}

/// On SQLite all wait for the one writer; on PostgreSQL, where eight write at a time, for the row that the first one holds.
async fn no_writer_is_left_waiting(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 0).await;
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            tx.execute(
                "UPDATE item SET amount = amount + 1 WHERE id = $1",
                params!["a"],
            )
            .await
            .unwrap();
            tx.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(amount(&store, "a").await, Some(32));
}
