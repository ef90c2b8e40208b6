//! The handshake seen from outside: both halves against each other, every message bent, and the published vectors.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

mod bad_input;
mod common;
mod journey;
mod resuming;
mod vectors;
