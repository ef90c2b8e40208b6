//! The bank of these tests, and what they ask of the program that serves it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use warifu_core::service::Policy;
use warifu_proof::bank::{Bank, Holder};
use warifu_proof::database::{audited_changes, counters};
use warifu_proof::kill::client::{Connection, Whole};
use warifu_server::clock::Clock;
use warifu_store::testing::TestDatabase;

/// The program, as a part of this package.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_warifu-under-test");

/// A bank, and the program that serves it.
pub(crate) struct House {
    pub(crate) bank: Bank,
    pub(crate) holders: Vec<Holder>,
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) async fn open(database: &TestDatabase) -> Self {
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

    pub(crate) fn step(&self) -> i64 {
        let terms = self.bank.terms();
        terms
            .policy
            .parameters
            .time_step(terms.clock.now().seconds())
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Connection {
        let dead = AtomicBool::new(false);
        let key = self.bank.api_key.expose();
        Connection::open(address, key, &dead)
            .await
            .expect("the program listens")
    }

    pub(crate) async fn right(&self, connection: &mut Connection, holder: usize) -> Whole {
        let holder = &self.holders[holder];
        let code = holder.code(self.step());
        let answer = connection.ask(&holder.login_id, &code).await.unwrap();
        answer.expect("an answer")
    }

    pub(crate) async fn wrong(&self, connection: &mut Connection, holder: usize) -> Whole {
        let holder = &self.holders[holder];
        let code = holder.code_but(&holder.near(self.step()), 0);
        let answer = connection.ask(&holder.login_id, &code).await.unwrap();
        answer.expect("an answer")
    }

    pub(crate) async fn ask(
        &self,
        connection: &mut Connection,
        holder: usize,
        code: &str,
        name: Option<&str>,
    ) -> Whole {
        let login_id = &self.holders[holder].login_id;
        let answer = connection.ask_named(login_id, code, name).await.unwrap();
        answer.expect("an answer")
    }

    /// The same request under the same name is told that the code was accepted, as soon as the database is found again, and no other
    /// request is.
    pub(crate) async fn accepts_once(
        &self,
        connection: &mut Connection,
        holder: usize,
        code: &str,
        name: &str,
    ) {
        let mut tries = 0;
        let back = loop {
            let answer = self.ask(connection, holder, code, Some(name)).await;
            tries += 1;
            if answer.status == 200 || tries > 20 {
                break answer;
            }
            // Connections that were given up may be found one after the other.
            assert_turned_away(&answer, "service_unavailable");
        };
        assert_judged(&back, "accepted");
        let other = self.ask(connection, holder, code, None).await;
        assert_judged(&other, "already_used");
        let changes = audited_changes(self.bank.store()).await.unwrap();
        assert_eq!(changes[&self.holders[holder].token_id], 1);
    }

    /// Whether a holder's counter was ever written.
    pub(crate) async fn was_judged(&self, holder: usize) -> bool {
        let counters = counters(self.bank.store()).await.unwrap();
        counters[&self.holders[holder].token_id].0 > 1
    }

    pub(crate) async fn failures(&self, holder: usize) -> u32 {
        let counters = counters(self.bank.store()).await.unwrap();
        counters[&self.holders[holder].token_id].1.failures
    }
}

#[track_caller]
pub(crate) fn assert_turned_away(answer: &Whole, code: &str) {
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (503, &code.into()),
        "{answer:?}"
    );
    assert_eq!(answer.media_type, "application/problem+json");
    assert!(
        answer
            .retry_after_s
            .is_some_and(|seconds| (1..=60).contains(&seconds))
    );
}

#[track_caller]
pub(crate) fn assert_judged(answer: &Whole, verdict: &str) {
    assert_eq!(
        (answer.status, &answer.body["verdict"]),
        (200, &verdict.into()),
        "{answer:?}"
    );
}

/// What the program answers to a plain request, head and body, over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// A count of the program's metrics.
pub(crate) async fn figure(metrics: SocketAddr, name: &str) -> usize {
    figure_as(metrics, name).await
}

/// A figure of the program's metrics.
pub(crate) async fn figure_as<T: FromStr>(metrics: SocketAddr, name: &str) -> T {
    let text = get(metrics, "/metrics").await;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}
