//! The program is told to stop while many codes wait for the database, and while some wait for longer than it does.

use std::collections::HashMap;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use warifu_proof::database::{audited_changes, counters};
use warifu_proof::kill::server::{Running, Server};
use warifu_server::app::verification::BATCH_MAX;
use warifu_store::on_both_databases;
use warifu_store::testing::{TestDatabase, free_address};

use crate::house::{House, PROGRAM, assert_judged, figure};

on_both_databases! {
    codes_that_wait_when_the_program_is_told_to_stop_are_judged_and_answered,
    a_program_that_is_told_to_stop_waits_no_longer_than_it_may_and_keeps_what_was_answered,
}

/// So many ask: more than one batch, and less than are served at once.
const ASKED: usize = BATCH_MAX + 32;
/// The program is another process: what it has come to is asked again after this.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(2);
/// How long what must happen at once may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the program may wait for requests that run when it is told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// It is gone after this, whatever else the machine does.
const END_MAX: Duration = Duration::from_secs(15);

async fn codes_that_wait_when_the_program_is_told_to_stop_are_judged_and_answered(
    database: TestDatabase,
) {
    let mut house = House::open(&database).await;
    house.holders = house.bank.holders("waits", ASKED).await.unwrap();
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let metrics = free_address();
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

async fn a_program_that_is_told_to_stop_waits_no_longer_than_it_may_and_keeps_what_was_answered(
    database: TestDatabase,
) {
    let house = Arc::new(House::open(&database).await);
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let metrics = free_address();
    let mut running = server
        .start_with([
            ("WARIFU_METRICS_LISTEN", metrics.to_string()),
            ("WARIFU_LOG_LEVEL", "warn".to_owned()),
            (
                "WARIFU_LIMITS_SHUTDOWN_TIMEOUT_S",
                SHUTDOWN_TIMEOUT.as_secs().to_string(),
            ),
        ])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    let codes: Vec<String> = house
        .holders
        .iter()
        .map(|holder| holder.code(house.step()))
        .collect();
    let login = |holder: usize| house.holders[holder].login_id.clone();
    let first = connection.ask(&login(0), &codes[0]).await.unwrap();
    assert_judged(&first.expect("an answer"), "accepted");
    assert_judged(&house.wrong(&mut connection, 1).await, "wrong");

    // One request is never sent to its end, and one waits for the database.
    let request = connection.request(&login(2), &codes[2], Some("half"));
    let mut half = TcpStream::connect(server.address()).await.unwrap();
    half.write_all(&request.as_bytes()[..request.len() - 4])
        .await
        .unwrap();
    let mut held = house.bank.store().begin().await.unwrap();
    let lock = "UPDATE counter SET version = version";
    held.execute(lock, Vec::new()).await.unwrap();
    let waits = tokio::spawn({
        let (login, code) = (login(3), codes[3].clone());
        async move {
            let asked = connection.ask_named(&login, &code, Some("waits"));
            asked.await.unwrap()
        }
    });
    let both = async {
        while figure(metrics, "warifu_requests_in_flight").await < 2 {
            sleep(LOOK_AGAIN_AFTER).await;
        }
    };
    timeout(PATIENCE, both).await.expect("both run");

    let (status, took) = stop(&mut running).await;
    println!("ended after {took:?}");
    assert!(status.success(), "{status}: {}", running.said());
    assert!(took >= SHUTDOWN_TIMEOUT, "it gave them no time: {took:?}");
    let said = running.said();
    assert!(said.contains("requests were still running"), "{said}");
    let mut answer = Vec::new();
    // The end of the connection, or the error that the system makes of it.
    let _ = half.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "what was not all sent is not answered");
    assert!(waits.await.unwrap().is_none(), "nor what was not judged");
    drop(held);

    let _running = server.start().unwrap();
    let mut connection = house.connect(server.address()).await;
    let again = connection.ask(&login(0), &codes[0]).await.unwrap();
    assert_judged(&again.expect("an answer"), "already_used");
    assert_eq!(house.failures(1).await, 1);
    // Whether they were judged meanwhile or are now: once, and it is told under their names.
    for (holder, name) in [(2, "half"), (3, "waits")] {
        let (login, code) = (login(holder), &codes[holder]);
        let asked = connection.ask_named(&login, code, Some(name)).await;
        assert_judged(&asked.unwrap().expect("an answer"), "accepted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_says_nothing_holds_up_no_end() {
    let database = TestDatabase::sqlite();
    let house = House::open(&database).await;
    let mut tx = house.bank.store().begin().await.unwrap();
    let addresses = "UPDATE app_user SET mail_address = login_id || '@bank.example'";
    tx.execute(addresses, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = house.folder.path().join("warifu.toml");
    let folder = format!(
        "eml_dir = \"{}\"",
        house.folder.path().join("mail").display()
    );
    let port = silent.local_addr().unwrap().port();
    let smtp = format!("[mail.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(&folder));
    std::fs::write(&config, text.replace(&folder, &smtp)).unwrap();
    let mut running = server
        .start_with([
            ("WARIFU_LOG_LEVEL", "warn".to_owned()),
            (
                "WARIFU_LIMITS_SHUTDOWN_TIMEOUT_S",
                SHUTDOWN_TIMEOUT.as_secs().to_string(),
            ),
        ])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    // The last of them suspends, of which the user is told by mail.
    for _ in 0..4 {
        assert_judged(&house.wrong(&mut connection, 0).await, "wrong");
    }
    assert_judged(&house.wrong(&mut connection, 0).await, "suspended");
    let sends = timeout(PATIENCE, silent.accept()).await;
    let _sends = sends.expect("a mail is sent").unwrap();

    let (status, took) = stop(&mut running).await;
    println!("ended after {took:?}");
    let said = running.said();
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("were still under way"), "{said}");
}

/// Asks it to stop: how it ended, and after how long.
async fn stop(running: &mut Running) -> (ExitStatus, Duration) {
    running.ask_to_stop().unwrap();
    let told = Instant::now();
    loop {
        if let Some(status) = running.try_end().unwrap() {
            return (status, told.elapsed());
        }
        assert!(told.elapsed() < END_MAX, "it goes on: {}", running.said());
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// Every fourth code is wrong.
const fn is_right(number: usize) -> bool {
    !number.is_multiple_of(4)
}
