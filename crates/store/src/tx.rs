//! [`Store`] and [`Tx`]: the only way to a database. One type each, whichever database is behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use warifu_core::time::UnixMillis;

use crate::limits::{EACH_MAX, TRANSACTIONS_WAITING_MAX};
use crate::postgres::clock::CLOCK;
use crate::postgres::{self, Postgres};
use crate::rows::{Ask, Last, RowsSql, Sql};
use crate::sqlite::{self, Sqlite};
use crate::{DatabaseConfig, Outage, Row, StoreError, Value};

/// An open database; clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    waiting: AtomicUsize,
}

enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// A transaction. Dropped without [`commit`](Tx::commit), it is rolled back.
///
/// It holds a connection, and on SQLite the only writer: nothing but statements is awaited while it is open
/// (ARCHITECTURE.md, invariant 3). After a statement that failed or was cut off, the transaction cannot be committed.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Tx {
    lease: Lease,
    /// False while a statement runs and after one failed.
    sound: bool,
}

/// What a transaction of [`Store::begin_here`] waits for on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For the lock of the file, not for the disk: once it was committed by [`Tx::judge`], the next one may begin while the commit is on its way to the disk
    /// ([`Durable`]). What it sees may be on its way as well: nothing of it is to be told before its own commit is there.
    ForLock,
    /// For the lock, and in its commit for the disk.
    ForLockAndDisk,
    /// In its commit for the disk. Where another process holds the lock, its first statement fails with a conflict at once.
    ForDisk,
}

enum Lease {
    Sqlite(sqlite::Lease),
    Postgres(Box<postgres::Lease>),
}

/// What is to become of a transaction after it was read in.
pub(crate) enum Next<T> {
    /// It ends with these statements and the commit.
    Finish(Vec<Last>, T),
    /// It stays open.
    Stay(T),
}

/// What became of it.
pub(crate) enum Ended<T> {
    Committed(T, Durable),
    /// A statement that decides gave too few rows: the transaction is to be dropped.
    Lost,
    Open(T),
}

/// The way of a commit to the disk. Nobody is to be told of it before it is there.
#[derive(Default)]
#[must_use = "nobody is to be told of a commit before it is on the disk"]
pub struct Durable(Option<sqlite::OnItsWay>);

impl Durable {
    pub(crate) const fn on_its_way(commit: sqlite::OnItsWay) -> Self {
        Self(Some(commit))
    }

    /// Calls back when it is there: at once, or on a thread of the database, which is not to be held up. [`StoreError::Unavailable`] is told when the disk
    /// failed: then nobody knows whether the commit outlives a loss of power.
    pub fn then(self, told: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        match self.0 {
            Some(commit) => commit.then(told),
            None => told(Ok(())),
        }
    }
}

impl Store {
    /// The same database for one who has a thread and a runtime of their own, and does one thing after the other: what they wait for of PostgreSQL is on a connection that
    /// is driven by the runtime that this is called in, and wakes no other thread. It ends with that runtime.
    ///
    /// # Errors
    /// As [`Store::open`]; but whether the database can be reached shows at the first statement.
    pub fn with_own_connection(&self) -> Result<Self, StoreError> {
        let database = match &self.shared.database {
            Database::Sqlite(_) => return Ok(self.clone()),
            Database::Postgres(postgres) => Database::Postgres(postgres.with_one_here()?),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                database,
                waiting: AtomicUsize::new(0),
            }),
        })
    }

    /// Opens the database. The schema is left as it is: see [`Store::migrate`] and [`Store::check_schema`].
    ///
    /// # Errors
    /// When the file, the address or the TLS roots cannot be used, when the database cannot be reached, or when the SQLite
    /// linked in has the corruption bug of versions before 3.51.3.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let database = match config {
            DatabaseConfig::Sqlite { path } => Database::Sqlite(Sqlite::open(path).await?),
            DatabaseConfig::Postgres(config) => Database::Postgres(Postgres::open(config).await?),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                database,
                waiting: AtomicUsize::new(0),
            }),
        })
    }

    /// Starts a transaction that may write: the only one at a time on SQLite, READ COMMITTED on PostgreSQL. Where
    /// transactions have to wait, they are served in the order they came.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when too many wait already, none came free in time, or the database is gone; that it is gone may show
    /// at the first statement only.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let _place = self.queue()?;
        let lease = match &self.shared.database {
            Database::Sqlite(sqlite) => Lease::Sqlite(sqlite.begin().await?),
            Database::Postgres(postgres) => Lease::Postgres(Box::new(postgres.begin().await?)),
        };
        Ok(Tx { lease, sound: true })
    }

    /// As [`Store::begin`], for a caller whose thread may wait: on SQLite all statements run on it, and `wait` says for what.
    ///
    /// # Errors
    /// As [`Store::begin`].
    pub async fn begin_here(&self, wait: Wait) -> Result<Tx, StoreError> {
        match &self.shared.database {
            Database::Sqlite(sqlite) => {
                let _place = self.queue()?;
                let lease = Lease::Sqlite(sqlite.begin_here(wait).await?);
                Ok(Tx { lease, sound: true })
            }
            Database::Postgres(_) => self.begin().await,
        }
    }

    /// Whether the statements of [`Store::begin_here`] run on the caller's thread.
    #[must_use]
    pub fn runs_here(&self) -> bool {
        matches!(self.shared.database, Database::Sqlite(_))
    }

    /// Starts a transaction that only reads. All its statements see the database as it was at the first of them. It makes no writer wait, and
    /// waits for none, but for the way to the disk of what was committed by then.
    ///
    /// # Errors
    /// As [`Store::begin`].
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let _place = self.queue()?;
        let lease = match &self.shared.database {
            Database::Sqlite(sqlite) => Lease::Sqlite(sqlite.read().await?),
            Database::Postgres(postgres) => Lease::Postgres(Box::new(postgres.read().await?)),
        };
        Ok(Tx { lease, sound: true })
    }

    /// Whether the database is on another machine, for all that its address says: only then its clock is another one.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        match &self.shared.database {
            Database::Sqlite(_) => false,
            Database::Postgres(postgres) => postgres.is_elsewhere(),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// As any statement.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read()
            .await?
            .query("SELECT 1 AS one", Vec::new())
            .await
            .map(drop)
    }

    fn queue(&self) -> Result<Place<'_>, StoreError> {
        let place = Place {
            waiting: &self.shared.waiting,
        };
        if place.waiting.fetch_add(1, Ordering::Relaxed) >= TRANSACTIONS_WAITING_MAX {
            return Err(StoreError::Unavailable(Outage::QueueFull));
        }
        Ok(place)
    }
}

/// A place among those who wait for a connection.
struct Place<'a> {
    waiting: &'a AtomicUsize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tx {
    /// What time the server of the database has, to hold this machine's clock against; `None` on SQLite, which has no other clock.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn database_clock(&mut self) -> Result<Option<UnixMillis>, StoreError> {
        if matches!(self.lease, Lease::Sqlite(_)) {
            return Ok(None);
        }
        let row = self.query_one(CLOCK, Vec::new()).await?;
        row.map(|row| row.at("clock_ms")).transpose()
    }

    /// The rows that `sql` answers with.
    ///
    /// # Errors
    /// [`StoreError`]; after any, the transaction cannot be committed.
    pub async fn query(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(self
            .query_each(sql, vec![params])
            .await?
            .pop()
            .unwrap_or_default())
    }

    /// The one row that `sql` answers with, or none.
    ///
    /// # Errors
    /// [`StoreError::Statement`] when there are several; else as [`Tx::query`].
    pub async fn query_one(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        let mut rows = self.query(sql, params).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            _ => Err(StoreError::Statement(
                "it answers with several rows where one was asked for".to_owned(),
            )),
        }
    }

    /// Runs `sql`, which answers with no rows, and says how many rows it changed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn execute(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<u64, StoreError> {
        Ok(self
            .execute_each(sql, vec![params])
            .await?
            .pop()
            .unwrap_or_default())
    }

    /// [`Tx::query`] once for each set of parameters, in their order, for the price of one visit to the database.
    ///
    /// # Errors
    /// As [`Tx::query`]; also when there are more than [`EACH_MAX`] sets.
    pub async fn query_each(
        &mut self,
        sql: &'static str,
        batch: Vec<Vec<Value>>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        Self::check_batch(&batch)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.start()?;
        let answer = match &mut self.lease {
            Lease::Sqlite(lease) => lease.query_each(sql, batch).await,
            Lease::Postgres(lease) => lease.query_each(sql, batch).await,
        };
        self.sound = answer.is_ok();
        answer
    }

    /// [`Tx::execute`] once for each set of parameters, in their order, for the price of one visit to the database.
    ///
    /// # Errors
    /// As [`Tx::query_each`].
    pub async fn execute_each(
        &mut self,
        sql: &'static str,
        batch: Vec<Vec<Value>>,
    ) -> Result<Vec<u64>, StoreError> {
        Self::check_batch(&batch)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.start()?;
        let answer = match &mut self.lease {
            Lease::Sqlite(lease) => lease.execute_each(sql, batch).await,
            Lease::Postgres(lease) => lease.execute_each(sql, batch).await,
        };
        self.sound = answer.is_ok();
        answer
    }

    /// Runs a statement over a list of rows and answers with all rows that it gives, in any order.
    ///
    /// # Errors
    /// As [`Tx::query_each`].
    pub(crate) async fn query_rows(
        &mut self,
        sql: &'static RowsSql,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Self::check_batch(&rows)?;
        let asks = vec![Ask {
            sql: Sql::Rows(sql),
            rows,
        }];
        self.start()?;
        let answer = match &mut self.lease {
            Lease::Sqlite(lease) => lease.query_together(asks).await,
            Lease::Postgres(lease) => lease.query_together(asks).await,
        };
        self.sound = answer.is_ok();
        Ok(answer?.pop().unwrap_or_default())
    }

    /// Makes everything permanent. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Aborted`] when a statement failed before. With [`StoreError::Unavailable`] nobody knows whether it was
    /// committed; every other error means that it was not.
    pub async fn commit(self) -> Result<(), StoreError> {
        if !self.sound {
            return Err(StoreError::Aborted);
        }
        match self.lease {
            Lease::Sqlite(lease) => lease.commit().await,
            Lease::Postgres(lease) => lease.commit().await,
        }
    }

    /// Runs several statements that only read, gives their rows to `decide`, and does what it says; on SQLite in one visit to the database, for
    /// which `decide` runs on its thread. Nothing can be done with the transaction any more unless it stayed open.
    ///
    /// # Errors
    /// As [`Tx::query_each`] and [`Tx::commit`], and those of `decide`.
    pub(crate) async fn read_and_finish<T: Send + 'static>(
        &mut self,
        asks: Vec<Ask>,
        decide: impl FnOnce(Vec<Vec<Row>>) -> Result<Next<T>, StoreError> + Send + 'static,
    ) -> Result<Ended<T>, StoreError> {
        for ask in &asks {
            Self::check_batch(&ask.rows)?;
        }
        self.start()?;
        let decide = |rows: Vec<Vec<Row>>| {
            let next = decide(rows)?;
            if let Next::Finish(last, _) = &next {
                for last in last {
                    Self::check_batch(&last.rows)?;
                }
            }
            Ok(next)
        };
        let ended = match &mut self.lease {
            Lease::Sqlite(lease) => lease.read_and_finish(asks, decide).await?,
            Lease::Postgres(lease) => lease.read_and_finish(asks, decide).await?,
        };
        self.sound = matches!(ended, Ended::Open(_));
        Ok(ended)
    }

    /// Runs a migration, as [`Migration`](crate::migrate::Migration) says.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.start()?;
        let answer = match &mut self.lease {
            Lease::Sqlite(lease) => {
                let types = [("{BLOB}", "BLOB"), ("{NUMBER}", "INTEGER")];
                lease.script(rendered(sql, "SQLITE", types)).await
            }
            Lease::Postgres(lease) => {
                let types = [("{BLOB}", "BYTEA"), ("{NUMBER}", "BIGINT")];
                lease.script(&rendered(sql, "POSTGRESQL", types)).await
            }
        };
        self.sound = answer.is_ok();
        answer
    }

    /// Until the answer is there the transaction is unsound: a caller that stops waiting cannot commit the half of it.
    fn start(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.sound, false) {
            Ok(())
        } else {
            Err(StoreError::Aborted)
        }
    }

    fn check_batch(batch: &[Vec<Value>]) -> Result<(), StoreError> {
        if batch.len() > EACH_MAX {
            return Err(StoreError::Statement(format!(
                "it was to run {} times at once",
                batch.len()
            )));
        }
        Ok(())
    }
}

/// A migration as one database is to have it.
fn rendered(sql: &str, database: &str, types: [(&str, &str); 2]) -> String {
    let mut ours = true;
    let mut text = String::with_capacity(sql.len());
    for line in sql.lines() {
        if line == "-- BOTH" {
            ours = true;
        } else if let Some(only) = line.strip_prefix("-- ONLY ") {
            ours = only == database;
        } else if ours {
            text.push_str(line);
            text.push('\n');
        }
    }
    types
        .iter()
        .fold(text, |text, (place, name)| text.replace(place, name))
}
