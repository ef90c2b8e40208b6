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
mod promised;
mod receiver;

mod activation;
mod api_acts;
mod api_clients;
mod api_examples;
mod api_limits;
mod api_verify;
mod audit;
mod clocks;
mod crashes;
mod failover;
mod faults;
mod http;
mod issuance;
mod management;
mod measures;
mod outbox;
mod phone_device;
mod processes;
mod reissue;
mod sessions;
mod sign_in;
mod token_life;
mod verification;
mod webhook_command;
mod webhooks;
