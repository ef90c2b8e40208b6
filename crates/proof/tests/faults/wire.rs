//! The wire to the database is cut, or holds everything back.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use warifu_proof::kill::client::Connection;
use warifu_proof::kill::server::Server;
use warifu_store::DatabaseConfig;
use warifu_store::testing::TestDatabase;

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away};

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
    for _ in 0..20 {
        let mut page = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        page.write_all(request).await.unwrap();
        let mut answer = String::new();
        page.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(!asked.is_finished());
    state.send(Wire::Whole).unwrap();
    assert_judged(&asked.await.unwrap().expect("an answer"), "accepted");
}
