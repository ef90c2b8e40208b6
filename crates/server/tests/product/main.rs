//! The product from the inside: every use case against the words of PRODUCT.md and REQUIREMENTS.md, and the HTTP surface
//! around them, on SQLite and on PostgreSQL. Clocks are moved by hand; nothing here waits for time to pass.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

mod api;
mod bank;
mod phone;

mod activation;
mod api_verify;
mod audit;
mod crashes;
mod failover;
mod http;
mod issuance;
mod management;
mod outbox;
mod processes;
mod reissue;
mod sessions;
mod sign_in;
mod verification;
