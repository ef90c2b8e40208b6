//! What can go wrong between us and the database. No error carries a parameter or a value of a row.

/// A failure of the database, of its schema, or of a statement.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or did not answer in time. Nothing is known to be committed: a commit that
    /// ends so may or may not have happened.
    #[error("the database is not available: {0}")]
    Unavailable(Outage),
    /// The disk, or the quota, is full.
    #[error("the database has no space left")]
    Full,
    /// Another transaction came first.
    #[error("the transaction lost against another one: {0}")]
    Conflict(Conflict),
    /// A rule of the schema (foreign key, NOT NULL, CHECK) refused the change: a defect of ours.
    #[error("a rule of the schema refused the change ({code})")]
    Constraint {
        /// The database's own code for the kind of rule.
        code: String,
    },
    /// A write was tried in a read transaction, or on a server that only serves reads (a standby).
    #[error("the transaction cannot write")]
    ReadOnly,
    /// The file or the server's data are damaged.
    #[error("the database is damaged ({code})")]
    Corrupt {
        /// The database's own code.
        code: String,
    },
    /// The database was migrated by a later version of this program.
    #[error(
        "the schema of the database is at migration {found}, this program knows {known}: use a newer program"
    )]
    SchemaUnknown {
        /// The highest migration that was applied.
        found: i64,
        /// The highest migration of this program.
        known: i64,
    },
    /// A migration that was applied differs from the one this program carries, or one is missing in between.
    #[error("migration {number} of the database is not the one this program carries")]
    SchemaChanged {
        /// The migration's number.
        number: i64,
    },
    /// Not every migration of this program has been applied.
    #[error(
        "the schema of the database is at migration {found}, this program needs {known}: migrate first"
    )]
    SchemaBehind {
        /// The highest migration that was applied; 0 for an empty database.
        found: i64,
        /// The highest migration of this program.
        known: i64,
    },
    /// The SQLite linked in is older than the one that mended the corruption bug of the write-ahead log's reset.
    #[error("SQLite {found} is too old: 3.51.3 or later is needed")]
    SqliteTooOld {
        /// The version linked in.
        found: &'static str,
    },
    /// The address, the TLS roots or the file of the database cannot be used as given.
    #[error("the configuration of the database cannot be used: {0}")]
    Config(String),
    /// The database refused the text of a statement, or its parameters do not fit: a defect of ours.
    #[error("a statement was refused: {0}")]
    Statement(String),
    /// A row does not have the shape that the code expects: a defect of ours.
    #[error("column {column} {problem}")]
    Row {
        /// The column asked for.
        column: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An earlier statement of the transaction failed or was cut off, so nothing of it can be committed.
    #[error("the transaction failed earlier and was not committed")]
    Aborted,
}

/// Why the database is not available.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// [`TRANSACTIONS_WAITING_MAX`](crate::limits::TRANSACTIONS_WAITING_MAX) transactions wait already.
    #[error("too many transactions are waiting")]
    QueueFull,
    /// No connection came free within [`TURN_TIMEOUT`](crate::limits::TURN_TIMEOUT).
    #[error("no connection came free in time")]
    NoTurn,
    /// A statement or the connection took longer than its limit.
    #[error("it did not answer in time")]
    Timeout,
    /// The connection, the server or the file is gone, or refuses us.
    #[error("it cannot be reached ({0})")]
    Gone(String),
}

/// Why a transaction lost against another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A unique key or primary key exists already. Trying again gives the same answer.
    #[error("the key exists already")]
    Unique,
    /// The database could not put the two in an order. Trying the whole transaction again may succeed.
    #[error("they could not be put in an order")]
    Serialization,
    /// Both waited for each other. Trying the whole transaction again may succeed.
    #[error("they waited for each other")]
    Deadlock,
}

impl StoreError {
    /// Whether the same transaction, tried again from its first statement, may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Conflict(Conflict::Serialization | Conflict::Deadlock)
        )
    }

    /// Whether the transaction lost against another one, so that nothing of it was done and it can be tried again at once.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Conflict(Conflict::Serialization | Conflict::Deadlock)
        )
    }

    /// Whether a unique or primary key exists already.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Conflict(Conflict::Unique))
    }

    pub(crate) fn gone(why: impl Into<String>) -> Self {
        Self::Unavailable(Outage::Gone(why.into()))
    }
}
