//! Callers that go away: the connection is reset or closed before their request, in the middle of it, and after it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};
use warifu_core::id::TokenId;
use warifu_proof::kill::client::Connection;
use warifu_proof::kill::server::{Running, Server};
use warifu_server::app::verification::BATCH_MAX;
use warifu_store::on_both_databases;
use warifu_store::testing::{TestDatabase, free_address};

use crate::house::{House, PROGRAM, assert_judged, figure};

on_both_databases! {
    a_caller_that_goes_away_at_any_moment_asks_again_and_its_code_is_accepted_once,
    callers_that_go_away_while_they_wait_ask_again_and_their_codes_are_accepted_once,
}

/// Callers that go away, and how many of them at once.
const CALLERS: usize = 240;
const AT_ONCE: usize = 4;
/// More than one batch, and less than are served at once.
const WAITING: usize = BATCH_MAX + 32;
/// Where they come from; whoever asks again comes from 127.0.0.1. So the audit log tells whose request was judged.
const AWAY: &str = "127.0.0.2";
/// How much later after its whole request the next one leaves.
const LATER: Duration = Duration::from_micros(100);
/// Nobody else waits longer than this.
const SOON: Duration = Duration::from_secs(10);
/// The program is another process: what it has come to is asked again after this.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// When a caller goes away.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before it has sent anything.
    Silent,
    /// When it has sent so many bytes.
    Amidst(usize),
    /// So long after the last byte.
    Asked(Duration),
    /// When the answer comes.
    Told,
}

impl Moment {
    /// That of the caller of this number, whose request has `length` bytes.
    fn of(number: usize, length: usize) -> Self {
        let turn = number / 6;
        match number % 6 {
            0 => Self::Silent,
            1 => Self::Amidst(1 + turn * length / CALLERS * 6 % (length - 1)),
            // The body is the last.
            2 => Self::Amidst(length - 1 - turn % 20),
            3 => Self::Asked(Duration::ZERO),
            4 => Self::Asked(LATER * u32::try_from(turn).unwrap()),
            _ => Self::Told,
        }
    }
}

async fn a_caller_that_goes_away_at_any_moment_asks_again_and_its_code_is_accepted_once(
    database: TestDatabase,
) {
    let (house, server, metrics, used, _running) = open(&database, CALLERS + 1).await;
    let enough = Arc::new(AtomicBool::new(false));
    let other = tokio::spawn(answer_others(
        Arc::clone(&house),
        server.address(),
        used,
        Arc::clone(&enough),
    ));
    let mut callers = JoinSet::new();
    for first in 0..AT_ONCE {
        let (house, address) = (Arc::clone(&house), server.address());
        callers.spawn(async move {
            let mut connection = house.connect(address).await;
            let mut moments = Vec::new();
            for number in (first..CALLERS).step_by(AT_ONCE) {
                let code = house.holders[number].code(house.step());
                let name = format!("gone-{number}");
                let login_id = &house.holders[number].login_id;
                let request = connection.request(login_id, &code, Some(&name));
                let moment = Moment::of(number, request.len());
                let stream = leave(address, request.as_bytes(), moment).await;
                part(stream, (number / 6).is_multiple_of(2));
                ask_again(&house, &mut connection, number, &code, &name).await;
                moments.push((number, moment));
            }
            (connection, moments)
        });
    }
    // Open until the others are counted.
    let (connections, moments): (Vec<_>, Vec<_>) = callers.join_all().await.into_iter().unzip();
    enough.store(true, Ordering::Relaxed);
    let (_other, times) = other.await.unwrap();
    assert!(times > 0, "nobody else asked");
    // Nothing of them is left.
    settle(metrics, "warifu_requests_in_flight", 0).await;
    settle(metrics, "warifu_connections", connections.len() + 1).await;

    let judged = judged_for(&house).await;
    let (mut away, mut again) = (0, 0);
    for (number, moment) in moments.into_iter().flatten() {
        let of_those_away = judged[&house.holders[number].token_id];
        match moment {
            Moment::Silent | Moment::Amidst(_) => {
                assert!(!of_those_away, "{moment:?}: it was not asked");
            }
            Moment::Told => assert!(of_those_away, "what was told is so"),
            Moment::Asked(_) if of_those_away => away += 1,
            Moment::Asked(_) => again += 1,
        }
    }
    println!("{away} were judged after their callers had gone, {again} when they were asked again");
    assert!(away > 0, "none was judged for those who went away");
}

async fn callers_that_go_away_while_they_wait_ask_again_and_their_codes_are_accepted_once(
    database: TestDatabase,
) {
    let (house, server, metrics, _, _running) = open(&database, WAITING + 1).await;
    let connection = house.connect(server.address()).await;
    let codes: Vec<String> = house.holders[..WAITING]
        .iter()
        .map(|holder| holder.code(house.step()))
        .collect();
    let name = |number: usize| format!("gone-{number}");

    let mut held = house.bank.store().begin().await.unwrap();
    // The file on SQLite, all counters on PostgreSQL: whoever judges waits.
    let lock = "UPDATE counter SET version = version";
    held.execute(lock, Vec::new()).await.unwrap();
    let mut gone = Vec::with_capacity(WAITING);
    for (number, code) in codes.iter().enumerate() {
        let login_id = &house.holders[number].login_id;
        let request = connection.request(login_id, code, Some(&name(number)));
        let moment = Moment::Asked(Duration::ZERO);
        gone.push(leave(server.address(), request.as_bytes(), moment).await);
    }
    settle(metrics, "warifu_requests_in_flight", WAITING).await;
    for (number, stream) in gone.into_iter().enumerate() {
        part(stream, number.is_multiple_of(2));
    }
    // It is noticed while they wait.
    settle(metrics, "warifu_requests_in_flight", 0).await;
    drop(held);

    let mut callers = JoinSet::new();
    for (number, code) in codes.into_iter().enumerate() {
        let (house, address) = (Arc::clone(&house), server.address());
        callers.spawn(async move {
            let mut connection = house.connect(address).await;
            ask_again(&house, &mut connection, number, &code, &name(number)).await;
        });
    }
    callers.join_all().await;
    let judged = judged_for(&house).await;
    let away = judged.values().filter(|away| **away).count();
    println!("{away} were judged for those who had gone");
    assert!(
        away <= BATCH_MAX,
        "what waited behind the batch was judged for nobody"
    );
}

/// A program whose API key is known, with so many holders, where its metrics are, and the last holder's code, which is used up.
async fn open(
    database: &TestDatabase,
    holders: usize,
) -> (Arc<House>, Server, SocketAddr, String, Running) {
    let mut house = House::open(database).await;
    house.holders = house.bank.holders("gone", holders).await.unwrap();
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let metrics = free_address();
    let running = server
        .start_with([("WARIFU_METRICS_LISTEN", metrics.to_string())])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    let last = &house.holders[holders - 1];
    let used = last.code(house.step());
    let answer = connection.ask(&last.login_id, &used).await.unwrap();
    assert_judged(&answer.expect("an answer"), "accepted");
    (Arc::new(house), server, metrics, used, running)
}

/// Sends as much as is sent until `moment`. The connection is still open.
async fn leave(server: SocketAddr, request: &[u8], moment: Moment) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::new(AWAY.parse().unwrap(), 0))
        .unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    match moment {
        Moment::Silent => {}
        Moment::Amidst(bytes) => stream.write_all(&request[..bytes]).await.unwrap(),
        Moment::Asked(later) => {
            stream.write_all(request).await.unwrap();
            let asked = Instant::now();
            // Timers are too coarse.
            while asked.elapsed() < later {
                yield_now().await;
            }
        }
        Moment::Told => {
            stream.write_all(request).await.unwrap();
            stream.read_u8().await.unwrap();
        }
    }
    stream
}

/// Ends the connection: as a program that was killed, or as one that gives up.
fn part(stream: TcpStream, by_reset: bool) {
    if by_reset {
        stream.set_zero_linger().unwrap();
    }
    drop(stream);
}

/// The same request under the same name is accepted, whoever's was judged; the code under any other is used up.
async fn ask_again(
    house: &House,
    connection: &mut Connection,
    number: usize,
    code: &str,
    name: &str,
) {
    let login_id = &house.holders[number].login_id;
    let mut kept = None;
    for name in [Some(name), Some(name), None] {
        let asked = timeout(SOON, connection.ask_named(login_id, code, name)).await;
        let answer = asked.expect("soon").unwrap().expect("an answer");
        if name.is_some() {
            assert_judged(&answer, "accepted");
            let first = kept.get_or_insert_with(|| answer.body.clone());
            assert_eq!(*first, answer.body, "the same answer");
        } else {
            assert_judged(&answer, "already_used");
        }
    }
}

/// Asks what the answer is known of, until `enough`. The connection, and how often.
async fn answer_others(
    house: Arc<House>,
    address: SocketAddr,
    used: String,
    enough: Arc<AtomicBool>,
) -> (Connection, u32) {
    let mut connection = house.connect(address).await;
    let last = &house.holders[CALLERS];
    let mut times = 0;
    while !enough.load(Ordering::Relaxed) {
        let asked = timeout(SOON, connection.ask(&last.login_id, &used)).await;
        let answer = asked.expect("others are answered").unwrap();
        assert_judged(&answer.expect("an answer"), "already_used");
        times += 1;
    }
    (connection, times)
}

/// Waits until a figure of the program's metrics is `expected`.
async fn settle(metrics: SocketAddr, name: &str, expected: usize) {
    let begun = Instant::now();
    loop {
        let found = figure(metrics, name).await;
        if found == expected {
            return;
        }
        assert!(begun.elapsed() < SOON, "{name} is {found}, not {expected}");
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// Whether each token's one acceptance was that of a caller that went away.
async fn judged_for(house: &House) -> HashMap<TokenId, bool> {
    let sql =
        "SELECT target_id, address FROM audit WHERE target_kind = 'token' AND outcome = 'accepted'";
    let mut tx = house.bank.store().read().await.unwrap();
    let rows = tx.query(sql, Vec::new()).await.unwrap();
    let judged: HashMap<_, _> = rows
        .iter()
        .map(|row| {
            let token = TokenId::from_stored(row.text("target_id").unwrap());
            (token, row.text("address").unwrap() == AWAY)
        })
        .collect();
    assert_eq!(rows.len(), house.holders.len(), "one acceptance per code");
    assert_eq!(judged.len(), rows.len());
    judged
}
