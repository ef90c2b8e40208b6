//! A code that is alone is judged on the lane that it came in on, which nothing may hold up for long.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use warifu_proof::kill::server::Server;
use warifu_server::app::verification::VERIFIER;
use warifu_store::testing::{TestDatabase, free_address};

use crate::house::{House, PROGRAM, assert_judged, figure, get};

/// How long it may take until the disk is quick enough once.
const PATIENCE: Duration = Duration::from_mins(1);
/// What is not held up is answered within this: less than SQLite waits for a lock.
const SOON: Duration = Duration::from_secs(3);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(2);
/// More than there are lanes, so that each has one of them.
const CONNECTIONS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_alone_wakes_no_verifier_and_a_lock_holds_up_no_lane() {
    let database = TestDatabase::sqlite();
    let house = House::open(&database).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let metrics = free_address();
    let running = server
        .start_with([("WARIFU_METRICS_LISTEN", metrics.to_string())])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    let code = house.holders[0].code(house.step());
    let holder = house.holders[0].login_id.clone();
    let answer = connection.ask(&holder, &code).await.unwrap().unwrap();
    assert_judged(&answer, "accepted");
    let verifier = verifier_of(running.process());
    let began = Instant::now();
    loop {
        let before = waits(&verifier);
        let answer = connection.ask(&holder, &code).await.unwrap().unwrap();
        assert_judged(&answer, "already_used");
        if waits(&verifier) == before {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "each code wakes the verifier");
    }

    // Another process holds the lock.
    let mut held = house.bank.store().begin().await.unwrap();
    let lock = "UPDATE counter SET version = version";
    held.execute(lock, Vec::new()).await.unwrap();
    let house = Arc::new(house);
    let asks = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.right(&mut connection, 1).await }
    });
    let waits = async {
        while figure(metrics, "warifu_requests_in_flight").await == 0 {
            sleep(LOOK_AGAIN_AFTER).await;
        }
    };
    timeout(SOON, waits).await.expect("it is asked");
    for _ in 0..CONNECTIONS {
        let answer = timeout(SOON, get(server.address(), "/healthz/live")).await;
        let answer = answer.expect("no lane waits for the lock");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(!asks.is_finished());
    drop(held);
    assert_judged(&asks.await.unwrap(), "accepted");
}

/// Where the system tells of the thread that judges batches.
fn verifier_of(process: u32) -> PathBuf {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut folders = threads.map(|thread| thread.unwrap().path());
    let named = folders.find(|thread| {
        let name = fs::read_to_string(thread.join("comm")).unwrap();
        name.trim() == VERIFIER
    });
    named.expect("it has a thread").join("status")
}

/// How often it waited for something.
fn waits(status: &PathBuf) -> u64 {
    let status = fs::read_to_string(status).unwrap();
    let mut lines = status.lines();
    let waits = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    waits.unwrap().trim().parse().unwrap()
}
