//! Several servers in one address: a node finds the one that takes writes, whatever became of the others.

use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::testing::TestDatabase;
use crate::{DatabaseConfig, PostgresConfig, Store, Wait};

/// So long nothing comes from somebody who says nothing.
const SILENCE: Duration = Duration::from_millis(300);

/// A server that says nothing, not even no: who knocks is not heard. Held by what is given.
struct Silent {
    port: u16,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    async fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Nobody is let in: once the few places before the door are taken, the system answers nobody any more.
        while let Ok(connected) = timeout(SILENCE, TcpStream::connect(address)).await {
            waiting.push(connected.unwrap());
            assert!(waiting.len() < 100, "a door with no end of places");
        }
        Self {
            port: address.port(),
            _listener: listener,
            _waiting: waiting,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_passed_over_for_the_next() {
    let database = TestDatabase::postgres().await;
    database.store().await;
    let DatabaseConfig::Postgres(config) = database.config() else {
        panic!("no PostgreSQL")
    };
    let silent = [Silent::open().await, Silent::open().await];
    let (scheme_and_user, rest) = config.url.split_once('@').unwrap();
    let [first, second] = silent.each_ref().map(|silent| silent.port);
    let url = format!("{scheme_and_user}@127.0.0.1:{first},127.0.0.1:{second},{rest}");
    let behind = DatabaseConfig::Postgres(PostgresConfig {
        url,
        ..config.clone()
    });
    let store = Store::open(&behind).await.unwrap();
    store.ping().await.unwrap();
    // The connection of verification too.
    let mut tx = store.begin_here(Wait::ForDisk).await.unwrap();
    assert!(tx.database_clock().await.unwrap().is_some());
}
