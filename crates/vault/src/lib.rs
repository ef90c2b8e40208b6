//! Secrets at rest: a root key wraps the key-encryption key, that one wraps a data key for each service, and a data key
//! seals columns with AES-256-GCM. What is sealed is bound to its place: another row's blob does not open.
//!
//! Never here: a database, a clock, randomness of our own (it is handed in), or a log line. Types that hold keys have no
//! `Debug` and no `Serialize`, and are wiped when dropped (ARCHITECTURE.md, invariant 6).
//!
//! ```text
//! root (file, mode 0400) ── wraps ──▶ key-encryption key ── wraps ──▶ data key of a service ── seals ──▶ a column
//!                                          └── seals what belongs to the installation itself
//! ```
//!
//! Every wrapped key and every sealed column has the same shape: one format byte, 16 bytes of key id, 12 bytes of nonce,
//! then ciphertext and tag. The nonce is random; a key seals at most [`SEALS_PER_KEY_MAX`] times (NIST SP 800-38D §8.3
//! allows 2^32 with random nonces), which the store counts by handing out budgets ([`SEALS_PER_GRANT`]) before they are
//! used, so that neither a crash nor a second node can seal uncounted (R64).

mod error;
mod key;
mod place;
mod root;
mod vault;

pub use error::VaultError;
pub use key::DataKeyId;
pub use place::{Place, Sealed};
pub use root::Root;
pub use vault::{Vault, WrappedKey};

/// How often one data key may seal in its life (R64).
pub const SEALS_PER_KEY_MAX: u32 = 1 << 31;

/// How many seals of a data key one node takes from the store at a time. What is left of it when the node stops is lost.
pub const SEALS_PER_GRANT: u32 = 1 << 16;
