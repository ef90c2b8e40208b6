//! Many at once: one wins, and everybody gets a turn.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::executor::{amount, insert, open};
use crate::testing::TestDatabase;
use crate::{on_both_databases, params};

on_both_databases! {
    one_of_many_racing_updates_wins,
    one_of_many_racing_inserts_wins,
    no_writer_is_left_waiting,
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
