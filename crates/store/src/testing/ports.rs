//! Ports for servers that die and come back, and for programs under test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below those that the system gives to clients: a client that tries again and again while nobody listens would one day be given
/// the very port that it knocks at, and talk to itself; and nobody else may come by the port of a server that is dead.
const KEPT: Range<u16> = 20_000..32_000;
/// From one server's place to the next one's.
const APART: usize = 997;

/// A free port, looked for at another place for each server of this process, and of others that run beside it.
pub(super) fn kept_port() -> u16 {
    static SERVERS: AtomicUsize = AtomicUsize::new(0);
    let server = SERVERS.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id() as usize;
    let place = (process + APART * server) % KEPT.len();
    KEPT.cycle()
        .skip(place)
        .take(KEPT.len())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

/// An address on loopback where nobody listens, and that the system gives to no client.
///
/// # Panics
/// When all ports are taken.
#[must_use]
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, kept_port()))
}
