//! Where the database is. Never here: reading files or the environment (the server's configuration does that).

use std::path::PathBuf;

use crate::sqlite::log_beside;

/// Which database a [`Store`](crate::Store) opens. It has no `Debug`: the address may hold a password.
#[derive(Clone)]
pub enum DatabaseConfig {
    /// The embedded default: one file (and its write-ahead log beside it), for one process on one machine.
    Sqlite {
        /// The file; created with mode 0600 when it is missing. Its folder must exist.
        path: PathBuf,
    },
    /// A PostgreSQL server or cluster, for more than one machine.
    Postgres(PostgresConfig),
}

impl DatabaseConfig {
    /// SQLite's write-ahead log, which is there while the database is open; `None` for PostgreSQL.
    #[must_use]
    pub fn write_ahead_log(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite { path } => Some(log_beside(path.clone())),
            Self::Postgres(_) => None,
        }
    }
}

/// How to reach PostgreSQL.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user:password@host[,host..]:port/database?..`, as libpq writes it.
    ///
    /// Connections are encrypted and the server's certificate is checked, whatever `sslmode` asks for, unless it is
    /// `disable` or every host is a unix socket: a connection that falls back to plain text is no choice here.
    pub url: String,
    /// The most connections that this process opens for its pool; verification has one more ([`Store::with_own_connection`](crate::Store::with_own_connection)).
    pub pool_max: usize,
    /// PEM file with the authorities to trust for the server's certificate; the machine's own when absent.
    pub tls_roots: Option<PathBuf>,
}
