//! PostgreSQL: a pool of connections, READ COMMITTED for writes, a snapshot for reads, nothing beyond plain SQL.
//!
//! A transaction that is dropped queues its ROLLBACK on the connection before the pool gets it back: the server answers in
//! order, so the next holder begins after it.
//!
//! What a transaction ends with goes out together with its COMMIT. A statement that decides divides by zero when it wrote too few rows
//! ([`RowsSql::deciding`](crate::rows::RowsSql::deciding)): with a statement that failed, the server takes COMMIT as ROLLBACK.

pub(crate) mod clock;
mod connect;

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::iter::once;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use deadpool_postgres::{Object, Pool, PoolError, TimeoutType};
use futures_util::future::{Either, try_join};
use tokio::time::timeout;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::limits::POSTGRES_ANSWER_TIMEOUT;
use crate::rows::{Ask, Given, Last};
use crate::tx::{Durable, Ended, Next};
use crate::{Conflict, Outage, PostgresConfig, Row, StoreError, Value};

const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The pool of one PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
    config: PostgresConfig,
    is_elsewhere: bool,
}

/// A connection for one transaction, which begins with its first statement.
pub(crate) struct Lease {
    /// Absent once committed.
    client: Option<Object>,
    /// What begins the transaction, until it was sent.
    begin: Option<&'static str>,
    /// The connection does not answer: it must not go back to the pool.
    broken: bool,
}

impl Postgres {
    /// Whether the server is on another machine, for all that its address says.
    pub(crate) const fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Prepares the pool and opens one connection, so that a wrong address is told at once.
    pub(crate) async fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let pool = connect::pool(config)?;
        drop(pool.get().await.map_err(|e| unpooled(&e))?);
        Ok(Self {
            pool,
            config: config.clone(),
            is_elsewhere: connect::is_elsewhere(&config.url)?,
        })
    }

    /// The same database with one connection, which the runtime that this is called in drives.
    pub(crate) fn with_one_here(&self) -> Result<Self, StoreError> {
        let config = PostgresConfig {
            pool_max: 1,
            ..self.config.clone()
        };
        Ok(Self {
            pool: connect::pool(&config)?,
            config,
            is_elsewhere: self.is_elsewhere,
        })
    }

    pub(crate) async fn begin(&self) -> Result<Lease, StoreError> {
        self.lease(BEGIN_WRITE).await
    }

    pub(crate) async fn read(&self) -> Result<Lease, StoreError> {
        self.lease(BEGIN_READ).await
    }

    async fn lease(&self, begin: &'static str) -> Result<Lease, StoreError> {
        let client = self.pool.get().await.map_err(|e| unpooled(&e))?;
        Ok(Lease {
            client: Some(client),
            begin: Some(begin),
            broken: false,
        })
    }
}

impl Lease {
    /// Runs `sql` once for each set of parameters, in order and in one round trip, and answers with the rows of each.
    pub(crate) async fn query_each(
        &mut self,
        sql: &'static str,
        batch: Vec<Vec<Value>>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.start().await?;
        let (client, broken) = self.parts()?;
        bounded(broken, async {
            let statement = prepare(client, sql, &batch).await?;
            let columns = columns_of(&statement);
            in_order(
                batch
                    .iter()
                    .map(|cells| query(client, &statement, each(cells))),
            )
            .await?
            .iter()
            .map(|rows| rows.iter().map(|row| read_row(row, &columns)).collect())
            .collect()
        })
        .await
    }

    /// [`Lease::read_together`] of statements that may write: none of them is sent before the transaction has begun.
    pub(crate) async fn query_together(
        &mut self,
        asks: Vec<Ask>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.start().await?;
        self.read_together(asks).await
    }

    /// Runs several statements that only read over their rows, in order and in one round trip, which begins the transaction too if they are
    /// its first. Answers with all rows of each.
    pub(crate) async fn read_together(
        &mut self,
        asks: Vec<Ask>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let begin = self.begin.take();
        let mut statements = Vec::new();
        let mut counts = Vec::with_capacity(asks.len());
        for ask in asks {
            let asked = ask.for_postgres()?;
            counts.push(asked.len());
            statements.extend(asked);
        }
        debug_assert!(
            begin.is_none() || statements.iter().all(|(sql, _)| sql.starts_with("SELECT")),
            "nothing that may write is sent before the transaction has begun"
        );
        let (client, broken) = self.parts()?;
        bounded(broken, async {
            let prepared = prepare_all(client, &statements).await?;
            let reads = in_order(
                prepared
                    .iter()
                    .map(|(statement, given)| query(client, statement, parameters(given))),
            );
            // Polled in this order, and so sent in it.
            let ((), answers) = try_join(maybe(client, begin), reads).await?;
            let mut answered = prepared.iter().zip(&answers);
            counts
                .iter()
                .map(|&count| {
                    let mut all = Vec::new();
                    for ((statement, _), rows) in answered.by_ref().take(count) {
                        let columns = columns_of(statement);
                        for row in rows {
                            all.push(read_row(row, &columns)?);
                        }
                    }
                    Ok(all)
                })
                .collect()
        })
        .await
    }

    /// Runs several statements that only read in one round trip, gives their rows to `decide`, and does what it says: the statements that it ends
    /// with are another round trip, with the commit in it.
    pub(crate) async fn read_and_finish<T>(
        &mut self,
        asks: Vec<Ask>,
        decide: impl FnOnce(Vec<Vec<Row>>) -> Result<Next<T>, StoreError>,
    ) -> Result<Ended<T>, StoreError> {
        let rows = self.read_together(asks).await?;
        match decide(rows)? {
            Next::Stay(told) => Ok(Ended::Open(told)),
            Next::Finish(last, told) => Ok(if self.finish(last).await? {
                Ended::Committed(told, Durable::default())
            } else {
                Ended::Lost
            }),
        }
    }

    /// Runs what the transaction ends with, and commits it, in one round trip; `false` when a statement that decides wrote too few rows.
    async fn finish(&mut self, last: Vec<Last>) -> Result<bool, StoreError> {
        self.start().await?;
        let mut statements = Vec::with_capacity(last.len());
        for last in last {
            statements.extend(last.for_postgres()?);
        }
        let (client, broken) = self.parts()?;
        let ended = bounded(broken, async {
            let prepared = prepare_all(client, &statements).await?;
            let writes = prepared.iter().map(|(statement, given)| async {
                match client.query(statement, &parameters(given)).await {
                    Ok(_) => Ok(()),
                    Err(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO) => {
                        Err(Stopped::TooFewRows)
                    }
                    Err(error) => Err(Stopped::Failed(failed(&error))),
                }
            });
            let commit = async {
                let committed = client.batch_execute("COMMIT").await;
                committed.map_err(|error| Stopped::Failed(failed(&error)))
            };
            let all = writes.map(Either::Left).chain(once(Either::Right(commit)));
            Ok(in_order(all).await)
        })
        .await?;
        match ended {
            Ok(_) => {
                self.client = None;
                Ok(true)
            }
            Err(Stopped::TooFewRows) => Ok(false),
            Err(Stopped::Failed(error)) => Err(error),
        }
    }

    /// Runs `sql` once for each set of parameters, in order and in one round trip, and answers with the number of rows
    /// each one changed.
    pub(crate) async fn execute_each(
        &mut self,
        sql: &'static str,
        batch: Vec<Vec<Value>>,
    ) -> Result<Vec<u64>, StoreError> {
        self.start().await?;
        let (client, broken) = self.parts()?;
        bounded(broken, async {
            let statement = prepare(client, sql, &batch).await?;
            in_order(
                batch
                    .iter()
                    .map(|cells| execute(client, &statement, each(cells))),
            )
            .await
        })
        .await
    }

    /// Runs a migration: several statements without parameters. A large table may need longer than any limit.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.start().await?;
        let (client, _) = self.parts()?;
        let unhurried = format!("SET LOCAL statement_timeout = 0; {sql}");
        client
            .batch_execute(&unhurried)
            .await
            .map_err(|e| refused(&e))
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if self.begin.is_none() {
            self.simple("COMMIT").await?;
        }
        self.client = None;
        Ok(())
    }

    async fn start(&mut self) -> Result<(), StoreError> {
        match self.begin.take() {
            Some(begin) => self.simple(begin).await,
            None => Ok(()),
        }
    }

    async fn simple(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let (client, broken) = self.parts()?;
        bounded(broken, async { maybe(client, Some(sql)).await }).await
    }

    fn parts(&mut self) -> Result<(&Object, &mut bool), StoreError> {
        let client = self.client.as_ref().ok_or(StoreError::Aborted)?;
        Ok((client, &mut self.broken))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if self.begin.is_some() {
            return;
        }
        if !self.broken {
            // The first poll puts the message on the connection's queue, behind whatever this transaction sent; nobody
            // needs the answer.
            let mut rollback = Box::pin(client.batch_execute("ROLLBACK"));
            if rollback
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
            {
                return;
            }
        }
        // Closing the connection ends its transaction too, unless its COMMIT is on the way.
        drop(Object::take(client));
    }
}

/// Waits for an answer within the limit. After that the connection may be stuck, so it is marked.
async fn bounded<T>(
    broken: &mut bool,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(POSTGRES_ANSWER_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| {
            *broken = true;
            Err(StoreError::Unavailable(Outage::Timeout))
        })
}

async fn maybe(client: &Object, sql: Option<&'static str>) -> Result<(), StoreError> {
    match sql {
        Some(sql) => client.batch_execute(sql).await.map_err(|e| failed(&e)),
        None => Ok(()),
    }
}

async fn prepare(
    client: &Object,
    sql: &'static str,
    batch: &[Vec<Value>],
) -> Result<Statement, StoreError> {
    let statement = client.prepare_cached(sql).await.map_err(|e| refused(&e))?;
    let takes = statement.params().len();
    match batch.iter().find(|params| params.len() != takes) {
        Some(params) => Err(StoreError::Statement(format!(
            "it takes {takes} parameters, {} were given",
            params.len()
        ))),
        None => Ok(statement),
    }
}

async fn prepare_all<'g>(
    client: &Object,
    statements: &'g [(&'static str, Given)],
) -> Result<Vec<(Statement, &'g Given)>, StoreError> {
    let mut prepared = Vec::with_capacity(statements.len());
    for (sql, given) in statements {
        let statement = client.prepare_cached(sql).await.map_err(|e| refused(&e))?;
        prepared.push((statement, given));
    }
    Ok(prepared)
}

fn columns_of(statement: &Statement) -> Arc<[String]> {
    let names = statement.columns().iter();
    names.map(|column| column.name().to_owned()).collect()
}

/// What tokio-postgres takes for the parameters of a statement.
type Parameters<'a> = Vec<&'a (dyn ToSql + Sync)>;

fn parameters(given: &Given) -> Parameters<'_> {
    match given {
        Given::Cells(cells) => each(cells),
        Given::Columns(columns) => each(columns),
    }
}

fn each<T: ToSql + Sync>(values: &[T]) -> Parameters<'_> {
    values.iter().map(|value| value as _).collect()
}

async fn query(
    client: &Object,
    statement: &Statement,
    params: Parameters<'_>,
) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    client
        .query(statement, &params)
        .await
        .map_err(|e| failed(&e))
}

async fn execute(
    client: &Object,
    statement: &Statement,
    params: Parameters<'_>,
) -> Result<u64, StoreError> {
    client
        .execute(statement, &params)
        .await
        .map_err(|e| failed(&e))
}

/// Why nothing was committed, as far as is known.
enum Stopped {
    TooFewRows,
    Failed(StoreError),
}

/// Drives all calls at once, which sends them in one go; polled from the first to the last, so the server runs them in
/// that order (locks are taken in the order the caller chose). Of several that fail, the first one tells why: the rest fail for its sake. Behind one that
/// cannot even be sent nothing is sent, COMMIT least of all.
async fn in_order<T, E>(
    calls: impl Iterator<Item = impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let mut calls: Vec<Pin<Box<_>>> = calls.map(Box::pin).collect();
    let mut answers: Vec<Option<Result<T, E>>> = calls.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (call, answer) in calls.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match call.as_mut().poll(context) {
                    Poll::Ready(result) => *answer = Some(result),
                    Poll::Pending => waiting = true,
                }
            }
            if matches!(answer, Some(Err(_))) {
                break;
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

fn read_row(row: &tokio_postgres::Row, columns: &Arc<[String]>) -> Result<Row, StoreError> {
    let values = row
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let value = match *column.type_() {
                Type::TEXT | Type::VARCHAR | Type::NAME => {
                    row.try_get(at).map(|v: Option<String>| v.into())
                }
                Type::INT8 => row.try_get(at).map(|v: Option<i64>| v.into()),
                Type::INT4 => row
                    .try_get(at)
                    .map(|v: Option<i32>| v.map(i64::from).into()),
                Type::BYTEA => row.try_get(at).map(|v: Option<Vec<u8>>| v.into()),
                Type::BOOL => row.try_get(at).map(|v: Option<bool>| v.into()),
                _ => return Err(cell(column.name(), "has a type outside the four we use")),
            };
            value.map_err(|_| cell(column.name(), "cannot be read"))
        })
        .collect::<Result<Vec<Value>, StoreError>>()?;
    Ok(Row::new(columns.clone(), values))
}

fn cell(column: &str, problem: &'static str) -> StoreError {
    StoreError::Row {
        column: column.to_owned(),
        problem,
    }
}

/// Why a parameter cannot be sent; it names types, never the value.
#[derive(Debug, thiserror::Error)]
#[error("a parameter does not fit the type {0}")]
struct Misfit(String);

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Text(text), &(Type::TEXT | Type::VARCHAR)) => text.to_sql(ty, out),
            (Self::Int(number), &Type::INT8) => number.to_sql(ty, out),
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)
                .map_err(|_| Misfit(ty.to_string()))?
                .to_sql(ty, out),
            (Self::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (Self::Bool(truth), &Type::BOOL) => truth.to_sql(ty, out),
            _ => Err(Box::new(Misfit(ty.to_string()))),
        }
    }

    /// Whether the value fits is decided per value, above.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn unpooled(error: &PoolError) -> StoreError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Unavailable(Outage::NoTurn),
        PoolError::Timeout(_) => StoreError::Unavailable(Outage::Timeout),
        PoolError::Backend(error) => match failed(error) {
            // Before any statement every failure means that we cannot get in.
            StoreError::Statement(told) => StoreError::gone(told),
            other => other,
        },
        _ => StoreError::gone("the pool is closed"),
    }
}

/// An error before any parameter was bound: its message speaks of our SQL only and helps to mend it.
fn refused(error: &tokio_postgres::Error) -> StoreError {
    match (failed(error), error.as_db_error()) {
        (StoreError::Statement(code), Some(told)) => {
            StoreError::Statement(format!("{code}: {}", told.message()))
        }
        (other, _) => other,
    }
}

/// An error while a statement ran: only its code is told, the message might quote a value.
fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(code) = error.code() else {
        return match error.source() {
            Some(source) if source.is::<Misfit>() => StoreError::Statement(source.to_string()),
            // These speak of sockets and certificates.
            Some(source) => StoreError::gone(source.to_string()),
            None => StoreError::gone(error.to_string()),
        };
    };
    let told = || format!("PostgreSQL {}", code.code());
    match *code {
        SqlState::UNIQUE_VIOLATION => StoreError::Conflict(Conflict::Unique),
        SqlState::T_R_SERIALIZATION_FAILURE => StoreError::Conflict(Conflict::Serialization),
        SqlState::T_R_DEADLOCK_DETECTED => StoreError::Conflict(Conflict::Deadlock),
        SqlState::DISK_FULL => StoreError::Full,
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            StoreError::Corrupt { code: told() }
        }
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => {
            StoreError::Unavailable(Outage::Timeout)
        }
        _ => match &code.code()[..2] {
            "23" => StoreError::Constraint { code: told() },
            // Connection, authorisation, resources, the operator's doing, the server's machine.
            "08" | "28" | "3D" | "53" | "57" | "58" => StoreError::gone(told()),
            _ if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => StoreError::gone(told()),
            _ => StoreError::Statement(told()),
        },
    }
}
