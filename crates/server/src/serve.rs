//! The HTTP server itself: connections, their limits, TLS, and a clean end (R71, R79).
//!
//! HTTP/1.1, with TLS where a certificate is given; otherwise a proxy in front ends it. Never here: routes, pages, or use cases.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::config::Limits;
use crate::lane::Lanes;
use crate::metrics::Metrics;
use crate::processors::{Processors, Seats, Work};
use crate::tls::Tls;

/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines of a request.
const HEADERS_MAX: usize = 64;
/// How long we wait when the operating system has no connection to give, for example when all file handles are used.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The first byte of a TLS connection: a record of the kind "handshake" (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
/// What somebody who speaks plain HTTP to a TLS port is told.
const TLS_ONLY: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    connection: close\r\n\r\nThis port speaks TLS: use https:// instead\n";

/// What connections meet before any page.
#[derive(Clone)]
pub struct Door {
    /// How much of everything.
    pub limits: Limits,
    /// Certificate and key, where this server ends TLS itself.
    pub tls: Option<Tls>,
    /// Where open connections are counted.
    pub metrics: Arc<Metrics>,
    /// Where connections are worked on.
    pub processors: Processors,
}

impl Door {
    /// A door without TLS, whose connections nobody counts.
    #[must_use]
    pub fn plain(limits: Limits) -> Self {
        Self {
            limits,
            tls: None,
            metrics: Arc::default(),
            processors: Processors::default(),
        }
    }
}

/// What all connections of one server share.
struct House<S> {
    site: S,
    http: http1::Builder,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

/// What answers requests: a router, or what stands before one.
pub trait Site:
    Service<Request, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Site for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves `site` until `stop` resolves; then takes no new connections and lets running requests end, for at most
/// [`Limits::shutdown_timeout`].
pub async fn serve(
    listener: TcpListener,
    site: impl Site,
    door: Door,
    stop: impl Future<Output = ()>,
) {
    let limits = door.limits;
    tokio::pin!(stop);
    let lanes = tokio::select! {
        () = &mut stop => return,
        lanes = lanes(limits.connections_max, door.processors.seats(Work::Connections)) => lanes,
    };
    let connections = Arc::new(Semaphore::new(
        limits.connections_max.min(Semaphore::MAX_PERMITS),
    ));
    let house = Arc::new(House {
        site,
        http: http(limits),
        tls: door.tls.map(|tls| TlsAcceptor::from(tls.config())),
        limits,
        metrics: door.metrics,
    });
    let running = GracefulShutdown::new();
    let (closing, closed) = watch::channel(());
    loop {
        let next = async {
            // Whoever comes when all places are taken waits before the door, where the operating system keeps the queue.
            let place = Arc::clone(&connections).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (house, watcher) = (Arc::clone(&house), running.watcher());
                let closed = closed.clone();
                let admitted = lanes.admit(without_delay(stream), move |stream| async move {
                    visit(house, stream, peer, watcher, closed).await;
                    drop(place);
                });
                if let Err(error) = admitted {
                    tracing::warn!(%error, "a connection could not be handed over");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(closing);
    if timeout(limits.shutdown_timeout, running.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still running when the time to stop was over");
    }
}

/// The threads of the connections. Where there are none to be had yet, the operating system keeps the queue.
async fn lanes(connections_max: usize, seats: Seats) -> Lanes {
    loop {
        match Lanes::open(connections_max, seats) {
            Ok(lanes) => return lanes,
            Err(error) => {
                tracing::error!(%error, "there are no threads for connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn http(limits: Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    http
}

/// Answers are small and whole: waiting for more to send would only delay them.
fn without_delay(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    stream
}

/// One connection, from its first byte to its last.
async fn visit(
    house: Arc<House<impl Site>>,
    mut stream: TcpStream,
    peer: SocketAddr,
    watcher: Watcher,
    mut closed: watch::Receiver<()>,
) {
    let _open = house.metrics.connection_opens();
    let Some(acceptor) = house.tls.clone() else {
        return converse(&house, stream, peer, watcher).await;
    };
    let handshake = async {
        let mut first = [0];
        // No byte, or an error: the visitor has left.
        if stream.peek(&mut first).await.unwrap_or(0) == 0 {
            return None;
        }
        if first[0] != HANDSHAKE_RECORD {
            // What was sent is read first: closing on unread bytes would take our answer back.
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(TLS_ONLY).await;
            return None;
        }
        match acceptor.accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
        }
    };
    let shaken = tokio::select! {
        shaken = timeout(house.limits.header_timeout, handshake) => shaken,
        // Nobody waits for those who have not asked for anything yet.
        _ = closed.changed() => return,
    };
    if let Ok(Some(stream)) = shaken {
        converse(&house, stream, peer, watcher).await;
    }
}

async fn converse<S>(house: &House<impl Site>, stream: S, peer: SocketAddr, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let site = house.site.clone();
    let answers = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        site.clone().call(request)
    });
    let connection = house.http.serve_connection(TokioIo::new(stream), answers);
    // A connection that breaks is the visitor's affair.
    let _ = watcher.watch(connection).await;
}
