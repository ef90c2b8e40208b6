//! The token app as a whole: activations against the server's half of the handshake, and what is kept of them.

#![expect(
    clippy::unwrap_used,
    reason = "the parties of a test fail it with a panic"
)]

mod activation;
mod kept;
mod parties;
