//! Ports for servers that die and come back.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below those that the system gives to clients: while a server is dead, nobody may come by its port.
const KEPT: Range<u16> = 20_000..32_000;
/// From one server's place to the next one's.
const APART: usize = 997;

/// A free port, looked for at another place for each server of this process, and of others that run beside it; and not where
/// programs under test begin to look for theirs, at the number of the process.
pub(super) fn kept_port() -> u16 {
    static SERVERS: AtomicUsize = AtomicUsize::new(0);
    let server = SERVERS.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id() as usize;
    let place = (process + KEPT.len() / 2 + APART * server) % KEPT.len();
    KEPT.cycle()
        .skip(place)
        .take(KEPT.len())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
