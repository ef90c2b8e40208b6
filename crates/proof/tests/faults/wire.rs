//! The wire to the database is cut, or holds everything back, for a while or for longer than anybody waits; or PostgreSQL itself works
//! for too long.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use warifu_proof::kill::client::Connection;
use warifu_proof::kill::server::Server;
use warifu_store::DatabaseConfig;
use warifu_store::limits::{POSTGRES_ANSWER_TIMEOUT, POSTGRES_STATEMENT_TIMEOUT};
use warifu_store::testing::TestDatabase;

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away};

/// What the wire to the database does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    Cut,
    /// Whatever is sent stays on the way.
    Slow,
    /// Whole, until the commit of the request of [`LOST`] passes.
    UntilCommit,
    /// Whatever comes back stays on the way.
    Deaf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

impl Wire {
    fn holds(self, way: Way) -> bool {
        match self {
            Self::Slow => true,
            Self::Deaf => way == Way::Back,
            Self::Whole | Self::Cut | Self::UntilCommit => false,
        }
    }
}

/// The name of the request whose answer is lost.
const LOST: &str = "an-answer-that-is-lost";
/// The longest that a request may take, where the test says so.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// So much later the caller is told at the latest.
const LATER: Duration = Duration::from_secs(15);

/// A wire to the server at `target`, in the test's hand.
async fn wire(target: SocketAddr) -> (SocketAddr, watch::Sender<Wire>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = watch::Sender::new(Wire::Whole);
    let hand = state.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            if *state.borrow() == Wire::Cut {
                continue;
            }
            let (state, mut seen) = (state.clone(), state.subscribe());
            tokio::spawn(async move {
                let far = TcpStream::connect(target).await.unwrap();
                let (near_reads, near_writes) = near.into_split();
                let (far_reads, far_writes) = far.into_split();
                tokio::select! {
                    () = pass_on(near_reads, far_writes, Way::There, &state) => {}
                    () = pass_on(far_reads, near_writes, Way::Back, &state) => {}
                    _ = seen.wait_for(|state| *state == Wire::Cut) => {}
                }
            });
        }
    });
    (address, hand)
}

async fn pass_on(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    state: &watch::Sender<Wire>,
) {
    let mut seen = state.subscribe();
    let mut bytes = vec![0; 16 * 1024];
    // Whether the request went this way.
    let mut named = false;
    while from.readable().await.is_ok() {
        if seen.wait_for(|state| !state.holds(way)).await.is_err() {
            return;
        }
        match from.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                let bytes = &bytes[..read];
                named |= way == Way::There && holds(bytes, LOST.as_bytes());
                if named && holds(bytes, b"COMMIT\0") {
                    state.send_if_modified(|state| {
                        let commits = *state == Wire::UntilCommit;
                        if commits {
                            *state = Wire::Deaf;
                        }
                        commits
                    });
                }
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}

/// A bank on PostgreSQL, and a program between which and the database there is a wire.
async fn behind_a_wire(database: &TestDatabase) -> (House, Server, watch::Sender<Wire>) {
    let house = House::open(database).await;
    let DatabaseConfig::Postgres(postgres) = &house.bank.database else {
        unreachable!("asked for PostgreSQL");
    };
    let at = postgres.url.rfind('@').unwrap() + 1;
    let host = postgres.url[at..].split('/').next().unwrap();
    let (address, state) = wire(host.parse().unwrap()).await;
    let url = postgres.url.replace(host, &address.to_string());
    let server = Server::prepare_on(&url, PROGRAM.as_ref(), &house.bank, house.folder.path());
    let server = server.unwrap();
    (house, server, state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_turns_codes_away_and_one_that_is_back_or_slow_judges_them() {
    let database = TestDatabase::postgres().await;
    let (house, server, state) = behind_a_wire(&database).await;
    let _running = server.start().unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");

    state.send_replace(Wire::Cut);
    assert_turned_away(
        &house.right(&mut connection, 1).await,
        "service_unavailable",
    );
    assert_turned_away(
        &house.wrong(&mut connection, 1).await,
        "service_unavailable",
    );
    state.send_replace(Wire::Whole);
    // Connections that were cut may be found one after the other.
    let mut tries = 0;
    let back = loop {
        let answer = house.right(&mut connection, 1).await;
        tries += 1;
        if answer.status == 200 || tries > 20 {
            break answer;
        }
        assert_turned_away(&answer, "service_unavailable");
    };
    assert_judged(&back, "accepted");

    state.send_replace(Wire::Slow);
    let key = house.bank.api_key.expose().to_owned();
    let (login_id, code) = {
        let holder = &house.holders[2];
        (holder.login_id.clone(), holder.code(house.step()))
    };
    let address = server.address();
    let asked = tokio::spawn(async move {
        let dead = AtomicBool::new(false);
        let connection = Connection::open(address, &key, &dead).await;
        let mut connection = connection.expect("the program listens");
        connection.ask(&login_id, &code).await.unwrap()
    });
    // The program is alive meanwhile: a page that needs no database answers.
    for _ in 0..20 {
        let mut page = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        page.write_all(request).await.unwrap();
        let mut answer = String::new();
        page.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(!asked.is_finished());
    state.send_replace(Wire::Whole);
    assert_judged(&asked.await.unwrap().expect("an answer"), "accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_the_database_that_is_lost_is_told_when_the_same_request_comes_again() {
    let database = TestDatabase::postgres().await;
    let (house, server, state) = behind_a_wire(&database).await;
    let _running = server
        .start_with([(
            "WARIFU_LIMITS_REQUEST_TIMEOUT_S",
            REQUEST_TIMEOUT.as_secs().to_string(),
        )])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");

    for (holder, name, wire) in [(1, "slow", Wire::Slow), (2, LOST, Wire::UntilCommit)] {
        let code = house.holders[holder].code(house.step());
        state.send_replace(wire);
        // The second one is the same request, while the wire is as it was.
        for _ in 0..2 {
            let asked = Instant::now();
            let away = house.ask(&mut connection, holder, &code, Some(name)).await;
            let took = asked.elapsed();
            assert_turned_away(&away, "service_unavailable");
            assert!(
                (REQUEST_TIMEOUT..REQUEST_TIMEOUT + LATER).contains(&took),
                "{took:?}"
            );
        }
        assert_eq!(house.was_judged(holder).await, wire == Wire::UntilCommit);
        state.send_replace(Wire::Whole);
        house
            .accepts_once(&mut connection, holder, &code, name)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_slow_for_too_long_turns_codes_away_and_judges_them_later() {
    let database = TestDatabase::postgres().await;
    let (house, server, state) = behind_a_wire(&database).await;
    let _running = server.start().unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    let code = house.holders[1].code(house.step());
    state.send_replace(Wire::Slow);
    let asked = Instant::now();
    let away = house.ask(&mut connection, 1, &code, Some("slow")).await;
    let took = asked.elapsed();
    assert_turned_away(&away, "service_unavailable");
    assert!(
        (POSTGRES_ANSWER_TIMEOUT..POSTGRES_ANSWER_TIMEOUT + LATER).contains(&took),
        "{took:?}"
    );
    assert!(!house.was_judged(1).await, "it was not even asked for");
    state.send_replace(Wire::Whole);
    house.accepts_once(&mut connection, 1, &code, "slow").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_waits_for_too_long_in_postgresql_turns_codes_away_and_counts_nothing() {
    let database = TestDatabase::postgres().await;
    let house = House::open(&database).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let _running = server.start().unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    let code = house.holders[1].code(house.step());

    let mut held = house.bank.store().begin().await.unwrap();
    let lock = "UPDATE counter SET version = version";
    held.execute(lock, Vec::new()).await.unwrap();
    let asked = Instant::now();
    let away = house.ask(&mut connection, 1, &code, Some("waits")).await;
    let took = asked.elapsed();
    assert_turned_away(&away, "service_unavailable");
    assert!(
        (POSTGRES_STATEMENT_TIMEOUT..POSTGRES_STATEMENT_TIMEOUT + LATER).contains(&took),
        "{took:?}"
    );
    // Its own clock ended it: nothing is left that would be done when the lock is free.
    let waiting = "SELECT COUNT(*) AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut tx = house.bank.store().read().await.unwrap();
    let rows = tx.query(waiting, Vec::new()).await.unwrap();
    assert_eq!(rows[0].int("waiting").unwrap(), 0);
    drop((tx, held));
    assert!(!house.was_judged(1).await, "nothing was counted");
    house.accepts_once(&mut connection, 1, &code, "waits").await;
}
