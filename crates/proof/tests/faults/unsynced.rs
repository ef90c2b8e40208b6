//! The disk of SQLite's log is behind, or fails: a batch that was committed, but is not on the disk yet, is told to nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use warifu_proof::bank::SERVICE;
use warifu_proof::database::{audited_changes, counters};
use warifu_proof::kill::client::{Connection, Whole};
use warifu_proof::kill::server::{Running, Server};
use warifu_store::limits::TURN_TIMEOUT;
use warifu_store::testing::{Disk, DiskFault, TestDatabase};

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away};

/// So many codes at once that some of them are judged in one batch.
const AT_ONCE: usize = 24;
/// The holder of none of those codes.
const LAST: usize = 2 * AT_ONCE;
/// What would be told at all is told within this.
const A_WHILE: Duration = Duration::from_millis(400);
/// The longest that a request may take, where the test says so.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// So much later the callers are told at the latest.
const LATER: Duration = Duration::from_secs(15);
/// How long the program may take to commit a batch.
const PATIENCE: Duration = Duration::from_secs(8);
/// The version of a counter that was never used.
const FIRST: i64 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_a_batch_that_the_disk_does_not_have_yet() {
    let disk = Disk::sound();
    let database = TestDatabase::sqlite();
    let (house, server, _running) = house(&database, &disk).await;
    disk.begin(DiskFault::Held);
    let told = AtomicUsize::new(0);
    let asked = ask_at_once(&house, &server, (0, house.step()), &told);
    tokio::pin!(asked);
    let looked_at = async {
        committed_and_not_told(&house, &told).await;
        // Who only asks is not told of it either.
        let status = timeout(A_WHILE, status_of(&house, &server, 0)).await;
        assert!(status.is_err(), "{status:?}");
    };
    tokio::select! {
        _ = &mut asked => panic!("all were told before the disk had it"),
        () = looked_at => {}
    }

    disk.end(DiskFault::Held);
    for answer in asked.await {
        assert_judged(&answer, "accepted");
    }
    let status = status_of(&house, &server, 0).await;
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_sync_that_failed_nothing_is_told_until_the_program_is_started_again() {
    let disk = Disk::sound();
    let database = TestDatabase::sqlite();
    let (house, server, running) = house(&database, &disk).await;
    disk.begin(DiskFault::Broken);
    let told = AtomicUsize::new(0);
    let answers = ask_at_once(&house, &server, (0, house.step()), &told).await;
    let refused = answers.iter().filter(|answer| answer.status != 200);
    assert!(refused.clone().count() > 1, "no batch was synced");
    for answer in refused {
        assert_turned_away(answer, "service_unavailable");
    }
    disk.end(DiskFault::Broken);
    // The disk seems to be well again, but what it lost it does not have.
    for answer in ask_at_once(&house, &server, (AT_ONCE, house.step()), &told).await {
        assert_turned_away(&answer, "service_unavailable");
    }
    let status = status_of(&house, &server, 0).await;
    assert!(status.starts_with("HTTP/1.1 503"), "{status}");

    drop(running);
    let _running = server.start_with(disk.variables()).unwrap();
    for answer in ask_at_once(&house, &server, (AT_ONCE, house.step()), &told).await {
        assert_judged(&answer, "accepted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_slow_for_too_long_turns_codes_away_that_are_told_when_they_come_again() {
    let disk = Disk::sound();
    let database = TestDatabase::sqlite();
    let (house, server, running) = house(&database, &disk).await;
    drop(running);
    let mut variables = disk.variables();
    let seconds = REQUEST_TIMEOUT.as_secs().to_string();
    variables.push(("WARIFU_LIMITS_REQUEST_TIMEOUT_S", seconds.into()));
    let _running = server.start_with(variables).unwrap();
    let told = AtomicUsize::new(0);
    for answer in ask_at_once(&house, &server, (0, house.step()), &told).await {
        assert_judged(&answer, "accepted");
    }

    disk.begin(DiskFault::Held);
    let step = house.step();
    let begun = Instant::now();
    let answers = ask_at_once(&house, &server, (AT_ONCE, step), &told).await;
    // Their first batch may be of one code: that one waits for SQLite's own sync, whose file the fault does not hold.
    let (judged, turned_away): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert!(judged.len() <= 1, "{} were judged", judged.len());
    for answer in judged {
        assert_judged(answer, "accepted");
    }
    for answer in turned_away {
        assert_turned_away(answer, "service_unavailable");
    }
    let took = begun.elapsed();
    assert!(
        (REQUEST_TIMEOUT..REQUEST_TIMEOUT + LATER).contains(&took),
        "{took:?}"
    );
    disk.end(DiskFault::Held);
    // The same requests.
    for answer in ask_at_once(&house, &server, (AT_ONCE, step), &told).await {
        assert_judged(&answer, "accepted");
    }
    let changes = audited_changes(house.bank.store()).await.unwrap();
    for holder in &house.holders[AT_ONCE..LAST] {
        assert_eq!(changes[&holder.token_id], 1, "accepted once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_only_asks_waits_for_a_slow_disk_as_long_as_for_a_turn() {
    let disk = Disk::sound();
    let database = TestDatabase::sqlite();
    let (house, server, _running) = house(&database, &disk).await;
    let told = AtomicUsize::new(0);
    for answer in ask_at_once(&house, &server, (0, house.step()), &told).await {
        assert_judged(&answer, "accepted");
    }

    disk.begin(DiskFault::Held);
    let step = house.step();
    let asked = ask_at_once(&house, &server, (AT_ONCE, step), &told);
    tokio::pin!(asked);
    let turned_away = async {
        committed(&house, AT_ONCE + 1).await;
        let begun = Instant::now();
        let status = timeout(TURN_TIMEOUT + LATER, status_of(&house, &server, AT_ONCE)).await;
        let status = status.expect("it is told at last");
        assert!(status.starts_with("HTTP/1.1 503"), "{status}");
        assert!(
            status.to_lowercase().contains("\r\nretry-after: "),
            "{status}"
        );
        assert!(begun.elapsed() >= TURN_TIMEOUT);
    };
    tokio::select! {
        _ = &mut asked => panic!("all were told before the disk had it"),
        () = turned_away => {}
    }
    disk.end(DiskFault::Held);
    // Those whose batch never got its turn were turned away meanwhile.
    for answer in asked.await {
        if answer.status == 200 {
            assert_judged(&answer, "accepted");
        } else {
            assert_turned_away(&answer, "service_unavailable");
        }
    }
    for answer in ask_at_once(&house, &server, (AT_ONCE, step), &told).await {
        assert_judged(&answer, "accepted");
    }
}

async fn house(database: &TestDatabase, disk: &Disk) -> (House, Server, Running) {
    let mut house = House::open(database).await;
    house.holders = house.bank.holders("unsynced", LAST + 1).await.unwrap();
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let running = server.start_with(disk.variables()).unwrap();
    // The API key is looked up by whoever uses it first.
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, LAST).await, "accepted");
    (house, server, running)
}

/// The right codes of so many holders, each by a connection of its own and under a name of its own; `told` counts the answers.
async fn ask_at_once(
    house: &House,
    server: &Server,
    (first, step): (usize, i64),
    told: &AtomicUsize,
) -> Vec<Whole> {
    let mut connections: Vec<Connection> = Vec::with_capacity(AT_ONCE);
    for _ in 0..AT_ONCE {
        connections.push(house.connect(server.address()).await);
    }
    let asked = connections
        .iter_mut()
        .zip(first..)
        .map(async |(connection, holder)| {
            let holder = &house.holders[holder];
            let (login_id, code) = (&holder.login_id, holder.code(step));
            let answer = connection.ask_named(login_id, &code, Some(login_id)).await;
            let answer = answer.unwrap().expect("an answer");
            told.fetch_add(1, Ordering::SeqCst);
            answer
        });
    join_all(asked).await
}

/// Waits until codes were committed whose askers are not told of it for a while.
async fn committed_and_not_told(house: &House, told: &AtomicUsize) {
    let begun = Instant::now();
    loop {
        sleep(A_WHILE).await;
        let told = told.load(Ordering::SeqCst);
        // That of the first of all, who was told, is among them.
        let used = used(house).await - 1;
        if used > told {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{used} committed, {told} told");
    }
}

/// Waits until more codes than so many were committed.
async fn committed(house: &House, before: usize) {
    let begun = Instant::now();
    while used(house).await <= before {
        assert!(begun.elapsed() < PATIENCE, "nothing was committed");
        sleep(A_WHILE).await;
    }
}

/// How many tokens were ever used.
async fn used(house: &House) -> usize {
    let counters = counters(house.bank.store()).await.unwrap();
    let used = counters.values().filter(|(version, _)| *version > FIRST);
    used.count()
}

/// The answer to a question about a user's token, head and all.
async fn status_of(house: &House, server: &Server, holder: usize) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "GET /api/v1/services/{SERVICE}/users/{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        house.holders[holder].login_id,
        house.bank.api_key.expose()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
