//! What a relying system is told by the real program when its clock jumps, or its database is gone or slow (docs/reliability.md,
//! table of faults). The other lines of the table: `crates/server/tests/product/faults.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use warifu_core::service::Policy;
use warifu_proof::bank::{Bank, Holder};
use warifu_proof::database::counters;
use warifu_proof::kill::client::{Connection, Whole};
use warifu_proof::kill::server::{Running, Server};
use warifu_server::clock::Clock;
use warifu_store::DatabaseConfig;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

on_both_databases!(
    r19_a_clock_an_hour_on_or_back_turns_codes_away_and_counts_nothing_until_it_is_right,
);

const PROGRAM: &str = env!("CARGO_BIN_EXE_warifu-under-test");

/// A bank, and the program that serves it.
struct House {
    bank: Bank,
    holders: Vec<Holder>,
    folder: TempDir,
}

impl House {
    async fn open(database: &TestDatabase) -> Self {
        let folder = TempDir::new().unwrap();
        let config = database.config().clone();
        let bank = Bank::open(config, folder.path(), Policy::manual(), Clock::system());
        let bank = bank.await.unwrap();
        let holders = bank.holders("fault", 4).await.unwrap();
        Self {
            bank,
            holders,
            folder,
        }
    }

    fn step(&self) -> i64 {
        let terms = self.bank.terms();
        terms
            .policy
            .parameters
            .time_step(terms.clock.now().seconds())
    }

    async fn connect(&self, address: SocketAddr) -> Connection {
        let dead = AtomicBool::new(false);
        let key = self.bank.api_key.expose();
        Connection::open(address, key, &dead)
            .await
            .expect("the program listens")
    }

    async fn right(&self, connection: &mut Connection, holder: usize) -> Whole {
        let holder = &self.holders[holder];
        let code = holder.code(self.step());
        let answer = connection.ask(&holder.login_id, &code).await.unwrap();
        answer.expect("an answer")
    }

    async fn wrong(&self, connection: &mut Connection, holder: usize) -> Whole {
        let holder = &self.holders[holder];
        let code = holder.code_but(&holder.near(self.step()), 0);
        let answer = connection.ask(&holder.login_id, &code).await.unwrap();
        answer.expect("an answer")
    }

    async fn failures(&self, holder: usize) -> u32 {
        let counters = counters(self.bank.store()).await.unwrap();
        counters[&self.holders[holder].token_id].1.failures
    }
}

#[track_caller]
fn assert_turned_away(answer: &Whole, code: &str) {
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (503, &code.into()),
        "{answer:?}"
    );
    assert!(
        answer
            .retry_after_s
            .is_some_and(|seconds| (1..=60).contains(&seconds))
    );
}

#[track_caller]
fn assert_judged(answer: &Whole, verdict: &str) {
    assert_eq!(
        (answer.status, &answer.body["verdict"]),
        (200, &verdict.into()),
        "{answer:?}"
    );
}

/// A clock that another program may be shown: libfaketime.
fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("this test needs libfaketime (Debian: apt-get install libfaketime)")
}

async fn r19_a_clock_an_hour_on_or_back_turns_codes_away_and_counts_nothing_until_it_is_right(
    database: TestDatabase,
) {
    let house = House::open(&database).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let clock = house.folder.path().join("clock");
    // Put in place as a whole: the program looks at it all the time.
    let put = |offset: &str| {
        let next = clock.with_extension("next");
        std::fs::write(&next, offset).unwrap();
        std::fs::rename(&next, &clock).unwrap();
    };
    put("+0");
    let _running: Running = server
        .start_with(&[
            ("LD_PRELOAD", libfaketime().as_os_str()),
            ("FAKETIME_TIMESTAMP_FILE", clock.as_os_str()),
            ("FAKETIME_NO_CACHE", "1".as_ref()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
        ])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    for offset in ["+3600", "-3600"] {
        put(offset);
        assert_turned_away(&house.right(&mut connection, 1).await, "clock_unsure");
        assert_turned_away(&house.wrong(&mut connection, 1).await, "clock_unsure");
    }
    put("+0");
    assert_eq!(house.failures(1).await, 0);
    assert_judged(&house.right(&mut connection, 1).await, "accepted");
}

/// What the wire to the database does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    Cut,
    /// Whatever is sent stays on the way.
    Slow,
}

/// A wire to the server at `target`, in the test's hand.
async fn wire(target: SocketAddr) -> (SocketAddr, watch::Sender<Wire>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (state, seen) = watch::channel(Wire::Whole);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let mut seen = seen.clone();
            if *seen.borrow() == Wire::Cut {
                continue;
            }
            tokio::spawn(async move {
                let far = TcpStream::connect(target).await.unwrap();
                let (near_reads, near_writes) = near.into_split();
                let (far_reads, far_writes) = far.into_split();
                let there = pass_on(near_reads, far_writes, seen.clone());
                let back = pass_on(far_reads, near_writes, seen.clone());
                tokio::select! {
                    () = there => {}
                    () = back => {}
                    _ = seen.wait_for(|state| *state == Wire::Cut) => {}
                }
            });
        }
    });
    (address, state)
}

async fn pass_on(
    from: tokio::net::tcp::OwnedReadHalf,
    to: tokio::net::tcp::OwnedWriteHalf,
    mut seen: watch::Receiver<Wire>,
) {
    use tokio::io::AsyncWriteExt as _;
    let (from, mut to) = (from, to);
    let mut bytes = vec![0; 16 * 1024];
    while from.readable().await.is_ok() {
        if seen.wait_for(|state| *state != Wire::Slow).await.is_err() {
            return;
        }
        match from.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                if to.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_turns_codes_away_and_one_that_is_back_or_slow_judges_them() {
    let database = TestDatabase::postgres().await;
    let house = House::open(&database).await;
    let DatabaseConfig::Postgres(postgres) = &house.bank.database else {
        unreachable!("asked for PostgreSQL");
    };
    let at = postgres.url.rfind('@').unwrap() + 1;
    let host = postgres.url[at..].split('/').next().unwrap();
    let (address, state) = wire(host.parse().unwrap()).await;
    let url = postgres.url.replace(host, &address.to_string());
    let server = Server::prepare_on(&url, PROGRAM.as_ref(), &house.bank, house.folder.path());
    let server = server.unwrap();
    let _running = server.start().unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");

    state.send(Wire::Cut).unwrap();
    assert_turned_away(
        &house.right(&mut connection, 1).await,
        "service_unavailable",
    );
    assert_turned_away(
        &house.wrong(&mut connection, 1).await,
        "service_unavailable",
    );
    state.send(Wire::Whole).unwrap();
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

    state.send(Wire::Slow).unwrap();
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
    let alive = TcpStream::connect(address).await;
    assert!(alive.is_ok() && !asked.is_finished());
    state.send(Wire::Whole).unwrap();
    assert_judged(&asked.await.unwrap().expect("an answer"), "accepted");
}
