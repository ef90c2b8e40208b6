//! The HTTP server over real connections: limits and a clean end (R79).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use warifu_server::config::Limits;
use warifu_server::serve::{Door, serve};

struct Server {
    address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, router, Door::plain(limits), async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop: Some(stop),
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

/// All that the server sends until it closes the connection.
async fn all_of(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

fn routes() -> Router {
    Router::new().route("/", get(|| async { "page" }))
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn connections_that_send_no_whole_head_are_closed_and_others_are_served_meanwhile() {
    let limits = Limits {
        header_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(routes(), limits).await;
    let silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
    let mut kept_alive = server.connect().await;
    kept_alive
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut good = server.connect().await;
    good.write_all(REQUEST).await.unwrap();
    assert!(all_of(good).await.ends_with("page"));
    // Each of these waits until the server closes; without the limit the test would never end.
    assert!(!all_of(silent).await.contains("page"));
    assert!(!all_of(slow).await.contains("page"));
    assert!(all_of(kept_alive).await.ends_with("page"));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::start(routes(), Limits::default()).await;
    for head in [
        format!(
            "GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n",
            "x".repeat(64 * 1024)
        ),
        format!(
            "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
            "a: b\r\n".repeat(100)
        ),
    ] {
        let mut stream = server.connect().await;
        // The server may close before it has read all.
        let _ = stream.write_all(head.as_bytes()).await;
        assert!(!all_of(stream).await.contains("200 OK"));
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_before_the_door() {
    let limits = Limits {
        connections_max: 1,
        header_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(routes(), limits).await;
    let _silent = server.connect().await;
    let mut waiting = server.connect().await;
    waiting.write_all(REQUEST).await.unwrap();
    assert!(
        all_of(waiting).await.ends_with("page"),
        "its turn comes when the silent one is closed"
    );
}

#[tokio::test]
async fn a_request_that_runs_when_the_server_stops_is_answered() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
        get(move || async move {
            entered.notify_one();
            go_on.notified().await;
            "held"
        })
    };
    let mut server = Server::start(Router::new().route("/", held), Limits::default()).await;
    let idle = server.connect().await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    entered.notified().await;
    server.stop();
    go_on.notify_one();
    assert!(all_of(stream).await.ends_with("held"));
    all_of(idle).await;
    server.task.await.unwrap();
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nobody listens any more"
    );
}

/// R79: with so many that ask for nothing, others are served.
const IDLE: usize = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r79_five_thousand_idle_connections_and_slow_ones_keep_nobody_from_being_served() {
    warifu_server::startup::raise_open_files(2 * IDLE);
    // Longer than the test may take: nobody is shown out while others are served.
    let limits = Limits {
        header_timeout: Duration::from_mins(2),
        ..Limits::default()
    };
    let server = Server::start(routes(), limits).await;
    let mut idle = Vec::with_capacity(IDLE);
    for number in 0..IDLE {
        let mut stream = server.connect().await;
        // Every tenth has begun a head that never ends.
        if number % 10 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
        }
        idle.push(stream);
    }
    for _ in 0..100 {
        let mut good = server.connect().await;
        good.write_all(REQUEST).await.unwrap();
        assert!(all_of(good).await.ends_with("page"));
        for slow in idle.iter_mut().step_by(1_000) {
            slow.write_all(b"x").await.unwrap();
        }
    }
    drop(idle);
}
