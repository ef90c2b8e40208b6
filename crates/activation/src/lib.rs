//! The activation handshake between an authenticator and the server: both halves of OPAQUE (RFC 9807), the key schedule
//! that turns its session key into the token's seed, and the codec of the messages between them. `docs/protocol.md` is the
//! same in prose, for people who write another app.
//!
//! What never lives here: input and output, clocks, randomness of its own ([`Randomness`] is handed in), policy (how often
//! somebody may try, when an issuance expires, which activation passwords are too simple), and storage. The states that
//! have to outlive a crash turn into bytes and back; who keeps them seals them.
//!
//! The activation password never leaves the device it is typed on. The server learns an OPAQUE record at issuance, from
//! which nothing but the handshake can be run, and both halves derive the seed: it is never sent (R45, R09).

mod binding;
mod codec;
mod id;
mod schedule;
mod secret;
mod suite;

pub mod client;
pub mod device;
pub mod messages;
pub mod parameters;
pub mod server;

pub use binding::Binding;
pub use codec::DecodeError;
pub use id::{AttemptId, ID_BYTES_MAX, Id, IdError};
pub use secret::{DeviceKey, Randomness};
pub use suite::{ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, SUITE_ID, stretch};
/// What the user types on the page and once more in the app; every start and finish takes one.
pub use warifu_core::activation_password::ActivationPassword;
