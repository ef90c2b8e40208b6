//! The program is told to stop while many codes wait for the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use warifu_proof::database::{audited_changes, counters};
use warifu_proof::kill::server::{Server, free_address};
use warifu_server::app::verification::BATCH_MAX;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::house::{House, PROGRAM, assert_judged, figure};

on_both_databases!(codes_that_wait_when_the_program_is_told_to_stop_are_judged_and_answered);

/// So many ask: more than one batch, and less than are served at once.
const ASKED: usize = BATCH_MAX + 32;
/// The program is another process: what it has come to is asked again after this.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(2);
/// How long what must happen at once may take.
const PATIENCE: Duration = Duration::from_secs(30);

async fn codes_that_wait_when_the_program_is_told_to_stop_are_judged_and_answered(
    database: TestDatabase,
) {
    let mut house = House::open(&database).await;
    house.holders = house.bank.holders("waits", ASKED).await.unwrap();
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let metrics = free_address().unwrap();
    let listen = metrics.to_string();
    let mut running = server
        .start_with([("WARIFU_METRICS_LISTEN", &listen)])
        .unwrap();
    let house = Arc::new(house);
    let mut connections = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        connections.push(house.connect(server.address()).await);
    }

    let mut held = house.bank.store().begin().await.unwrap();
    // The file on SQLite, all counters on PostgreSQL: whoever judges waits.
    let lock = "UPDATE counter SET version = version";
    held.execute(lock, Vec::new()).await.unwrap();
    let mut callers = JoinSet::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let house = Arc::clone(&house);
        callers.spawn(async move {
            let answer = if is_right(number) {
                house.right(&mut connection, number).await
            } else {
                house.wrong(&mut connection, number).await
            };
            (number, answer)
        });
    }
    let waits = async {
        while figure(metrics, "warifu_requests_in_flight").await < ASKED
            || figure(metrics, "warifu_verification_queue_depth").await < ASKED - BATCH_MAX
        {
            sleep(LOOK_AGAIN_AFTER).await;
        }
    };
    let all = timeout(PATIENCE, waits).await;
    all.expect("all of them wait, before the database ends their wait");

    running.ask_to_stop().unwrap();
    let closes = async {
        while TcpStream::connect(server.address()).await.is_ok() {
            sleep(LOOK_AGAIN_AFTER).await;
        }
    };
    let turned_away = timeout(PATIENCE, closes).await;
    turned_away.expect("nobody new is let in");
    assert!(callers.try_join_next().is_none(), "all of them still wait");
    drop(held);
    while let Some(told) = callers.join_next().await {
        let (number, answer) = told.unwrap();
        let verdict = if is_right(number) {
            "accepted"
        } else {
            "wrong"
        };
        assert_judged(&answer, verdict);
    }
    let ended = tokio::task::spawn_blocking(move || (running.end().unwrap(), running.said()));
    let (status, said) = ended.await.unwrap();
    assert!(status.success() && said.is_empty(), "{status}: {said}");

    let counters = counters(house.bank.store()).await.unwrap();
    for (number, holder) in house.holders.iter().enumerate() {
        let failures = counters[&holder.token_id].1.failures;
        assert_eq!(failures, u32::from(!is_right(number)));
    }
    let changes = audited_changes(house.bank.store()).await.unwrap();
    let once = house.holders.iter().map(|one| (one.token_id.clone(), 1));
    assert_eq!(changes, once.collect::<HashMap<_, _>>());
}

/// Every fourth code is wrong.
const fn is_right(number: usize) -> bool {
    !number.is_multiple_of(4)
}
