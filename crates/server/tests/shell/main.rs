//! The shell of the server, from outside: connections, mail servers, the demo's folder.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

mod api_client;
mod bench;
mod demo;
mod pair;
mod process;
mod serving;
mod smtp;
mod tls;
