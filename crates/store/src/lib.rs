//! The database: SQLite and PostgreSQL behind one [`Store`] and one [`Tx`].
//!
//! Here live every SQL string of the product, each written once and run on both databases, the migrations, and the
//! mapping between rows and the types of the core. Never here: a rule of the product (the core decides), a clock or
//! randomness (arguments), HTTP, mail, or a secret in clear (blobs that hold secrets come in sealed).
//!
//! A statement is a `&'static str` with parameters `$1..$n`, numbered in the order in which they first appear. The types
//! are TEXT, BIGINT (times are unix milliseconds), BLOB on SQLite and BYTEA on PostgreSQL, and BOOLEAN.

mod config;
mod error;
mod mapping;
mod migrate;
mod numbers;
mod postgres;
mod rows;
mod sqlite;
mod tx;
mod value;

// The queries, one module for each kind of thing that is stored.
mod api_answer;
mod api_client;
mod attempt;
mod audit;
mod backlog;
mod contract;
mod hot;
mod issuance;
mod keys;
mod outbox;
mod service;
mod session;
mod throttle;
mod token;
mod user;
mod webhook;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use api_answer::{NewAnswer, StoredAnswer};
pub use api_client::{KeyStanding, StoredKey};
pub use attempt::{AttemptState, StoredAttempt};
pub use audit::{EventPlace, EventsPart, StoredEvent};
pub use backlog::Backlog;
pub use config::{DatabaseConfig, PostgresConfig};
pub use error::{Conflict, Outage, StoreError};
pub use hot::{
    Ground, HotCounter, Judged, Judgement, Login, Rules, Settlement, StoredBearer, StoredSeed,
    Wanted,
};
pub use issuance::{Draft, StoredIssuance};
pub use keys::StoredDataKey;
pub use numbers::CounterNo;
pub use outbox::{ClaimedMail, Mail, MailState, MailStatus, OutboxCounts};
pub use session::StoredSession;
pub use sqlite::WRITER as SQLITE_WRITER;
pub use token::{StoredDevice, StoredToken};
pub use tx::{Durable, Store, Tx, Wait};
pub use user::PasswordHashes;
pub use value::{Row, Value};
pub use webhook::{
    ClaimedDelivery, Delivery, DeliveryCounts, Person, StoredDelivery, StoredWebhook, Subject,
};

/// Limits and timeouts of this crate. Each bounds a queue, a wait or a cache (ARCHITECTURE.md, invariant 7).
pub mod limits {
    use std::time::Duration;

    /// Transactions that may wait for a connection at once; the next one is told that the database is too busy.
    pub const TRANSACTIONS_WAITING_MAX: usize = 4096;
    /// How long a transaction waits for its turn (SQLite) or for a connection from the pool (PostgreSQL).
    pub const TURN_TIMEOUT: Duration = Duration::from_secs(10);
    /// Reader connections on SQLite, each with a thread of its own. The writer is one more.
    pub const SQLITE_READERS: usize = 4;
    /// Jobs that can stand before one SQLite thread: one statement and the roll-back of a transaction that was dropped
    /// while its statement still ran. The holder of a connection waits for each answer, so there is never a third.
    pub const SQLITE_THREAD_QUEUE: usize = 2;
    /// How long SQLite waits for a lock that another process holds.
    pub const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
    /// Batches on SQLite that may be on their way to the disk when the next one begins.
    pub const SQLITE_COMMITS_AHEAD: u64 = 4;
    /// Policies of services that a thread remembers as it read them.
    pub const POLICIES_KNOWN_MAX: usize = 16;
    /// Prepared statements kept per SQLite connection.
    pub const SQLITE_STATEMENTS_MAX: usize = 256;
    /// Page cache of the SQLite writer, in KiB; the readers keep SQLite's own default of 2 MiB.
    pub const SQLITE_WRITER_CACHE_KIB: usize = 16 * 1024;
    /// The write-ahead log is cut back to this after a checkpoint.
    pub const SQLITE_WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;
    /// Pages in the write-ahead log after which it is carried over into the file: 60 MiB, less than is kept of it. Pages that are written again
    /// and again, as those of counters are, are then carried over once.
    pub const SQLITE_CHECKPOINT_PAGES: u32 = 15 * 1024;
    /// How long PostgreSQL may take to accept a connection.
    pub const POSTGRES_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long one of several servers may take to answer at all, at most; one that says nothing is passed over for the next. Longer than the second after which the
    /// system knocks once more, and shorter than a node may take to say whether it is ready.
    pub const POSTGRES_HOST_TIMEOUT: Duration = Duration::from_millis(1_200);
    /// How long a connection to PostgreSQL may lie idle before the system asks whether the other end is still there.
    pub const POSTGRES_KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
    /// How long PostgreSQL may work on one statement before it gives up.
    pub const POSTGRES_STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long we wait for the answer to a statement; after that the connection is thrown away.
    pub const POSTGRES_ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
    /// How long PostgreSQL lets a transaction sit without a statement before it ends the connection.
    pub const POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);
    /// Executions of one statement in one call ([`crate::Tx::execute_each`], [`crate::Tx::query_each`]).
    pub const EACH_MAX: usize = 1024;
    /// Services in a list ([`crate::Tx::services`]).
    pub const SERVICES_MAX: u32 = 1_000;
    /// Mails, and deliveries to webhooks, that are counted for the measurements.
    pub const BACKLOG_MAX: u32 = 10_000;
    /// Data keys in a list ([`crate::Tx::data_keys`]): those of as many services, each replaced nine times.
    pub const DATA_KEYS_MAX: u32 = 10 * SERVICES_MAX;
    /// Mails in the list of an issuance ([`crate::Tx::mails_of_issuance`]).
    pub const MAILS_OF_ISSUANCE_MAX: u32 = 50;
    /// Events in the list of a thing ([`crate::Tx::events_of`]).
    pub const EVENTS_MAX: u32 = 1_000;
    /// Events that are looked at for each one that may be told ([`crate::Tx::events_of_service_after`]).
    pub const EVENTS_LOOKED_AT: i64 = 20;
    /// But so many at least.
    pub const EVENTS_LOOKED_AT_MIN: i64 = 1_000;
    /// Clients of the API in a list ([`crate::Tx::api_clients`]).
    pub const API_CLIENTS_MAX: u32 = 1_000;
    /// Keys in the list of a client, those that ended included ([`crate::Tx::api_keys_of`]).
    pub const API_KEYS_MAX: u32 = 100;
    /// Webhooks in a list ([`crate::Tx::webhooks`]).
    pub const WEBHOOKS_MAX: u32 = 1_000;
    /// Webhooks of one service that events are looked at for ([`crate::Tx::webhooks_to_tell`]).
    pub const WEBHOOKS_OF_SERVICE_MAX: u32 = 16;
    /// Deliveries in the list of those that were given up ([`crate::Tx::dead_deliveries`]).
    pub const DEAD_DELIVERIES_MAX: u32 = 1_000;
}
