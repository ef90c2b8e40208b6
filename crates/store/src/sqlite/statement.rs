//! Statements on one connection, and what SQLite's errors mean to us.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql, ffi};

use crate::rows::{Ask, Last};
use crate::{Conflict, Outage, Row, StoreError, Value};

pub(super) fn execute(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    prepare(connection, sql)?
        .raw_execute()
        .map_err(|e| failed(&e))?;
    Ok(())
}

/// All rows of each of several statements.
pub(super) fn together(
    connection: &Connection,
    asks: Vec<Ask>,
) -> Result<Vec<Vec<Row>>, StoreError> {
    asks.into_iter()
        .map(|ask| {
            let (sql, batch) = ask.one_by_one();
            if batch.is_empty() {
                return Ok(Vec::new());
            }
            Ok(query(connection, sql, &batch)?
                .into_iter()
                .flatten()
                .collect())
        })
        .collect()
}

/// Runs what a transaction ends with before its commit; `false` when a statement that decides gave too few rows.
pub(super) fn finish(connection: &Connection, last: Vec<Last>) -> Result<bool, StoreError> {
    for last in last {
        let decides = last.decides;
        let (sql, batch) = last.one_by_one();
        if batch.is_empty() {
            continue;
        }
        let counted = count(connection, sql, &batch)?;
        if decides && counted < batch.len() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn query(
    connection: &Connection,
    sql: &'static str,
    batch: &[Vec<Value>],
) -> Result<Vec<Vec<Row>>, StoreError> {
    let mut statement = prepare(connection, sql)?;
    let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    batch
        .iter()
        .map(|params| {
            bind(&mut statement, params)?;
            rows(&mut statement, &columns)
        })
        .collect()
}

/// Runs `sql`, which gives no rows, once for each set of parameters, and says how many rows it wrote in all.
fn count(
    connection: &Connection,
    sql: &'static str,
    batch: &[Vec<Value>],
) -> Result<usize, StoreError> {
    let mut statement = prepare(connection, sql)?;
    let mut counted = 0;
    for params in batch {
        bind(&mut statement, params)?;
        counted += statement.raw_execute().map_err(|e| failed(&e))?;
    }
    Ok(counted)
}

pub(super) fn prepare<'c>(
    connection: &'c Connection,
    sql: &'static str,
) -> Result<CachedStatement<'c>, StoreError> {
    connection.prepare_cached(sql).map_err(|e| refused(&e))
}

pub(super) fn bind(
    statement: &mut CachedStatement<'_>,
    params: &[Value],
) -> Result<(), StoreError> {
    if statement.parameter_count() != params.len() {
        return Err(StoreError::Statement(format!(
            "it takes {} parameters, {} were given",
            statement.parameter_count(),
            params.len()
        )));
    }
    for (at, value) in (1..).zip(params) {
        // SQLite numbers named parameters in the order in which they first appear; PostgreSQL by their number.
        debug_assert!(
            statement
                .parameter_name(at)
                .is_some_and(|name| name[1..] == at.to_string()),
            "parameters must be numbered in the order of first use"
        );
        statement
            .raw_bind_parameter(at, value)
            .map_err(|e| failed(&e))?;
    }
    Ok(())
}

fn rows(
    statement: &mut CachedStatement<'_>,
    columns: &Arc<[String]>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|e| failed(&e))? {
        let values =
            (0..columns.len())
                .map(|at| match row.get_ref(at).map_err(|e| failed(&e))? {
                    ValueRef::Null => Ok(Value::Null),
                    ValueRef::Integer(number) => Ok(Value::Int(number)),
                    ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
                    ValueRef::Text(text) => String::from_utf8(text.to_vec())
                        .map(Value::Text)
                        .map_err(|_| StoreError::Row {
                            column: columns[at].clone(),
                            problem: "is not UTF-8",
                        }),
                    ValueRef::Real(_) => Err(StoreError::Row {
                        column: columns[at].clone(),
                        problem: "is a floating-point number",
                    }),
                })
                .collect::<Result<Vec<_>, _>>()?;
        found.push(Row::new(columns.clone(), values));
    }
    Ok(found)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Bool(truth) => ValueRef::Integer(i64::from(*truth)),
        }))
    }
}

/// An error before any parameter was bound: its message speaks of our SQL only and helps to mend it.
pub(super) fn refused(error: &rusqlite::Error) -> StoreError {
    match failed(error) {
        StoreError::Statement(_) => StoreError::Statement(error.to_string()),
        other => other,
    }
}

/// An error while a statement ran: only its code is told, the message might quote a value.
pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return match error {
            rusqlite::Error::SqlInputError { .. } => StoreError::Statement(error.to_string()),
            rusqlite::Error::ExecuteReturnedResults => {
                StoreError::Statement("it answers with rows: use query".to_owned())
            }
            _ => StoreError::Statement("SQLite could not be asked".to_owned()),
        };
    };
    let told = || format!("SQLite {}", code.extended_code);
    match code.code {
        ErrorCode::DiskFull => StoreError::Full,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted => {
            StoreError::Unavailable(Outage::Timeout)
        }
        ErrorCode::ReadOnly => StoreError::ReadOnly,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            StoreError::Corrupt { code: told() }
        }
        ErrorCode::ConstraintViolation
            if matches!(
                code.extended_code,
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            ) =>
        {
            StoreError::Conflict(Conflict::Unique)
        }
        ErrorCode::ConstraintViolation => StoreError::Constraint { code: told() },
        ErrorCode::CannotOpen
        | ErrorCode::SystemIoFailure
        | ErrorCode::OutOfMemory
        | ErrorCode::PermissionDenied => StoreError::gone(told()),
        _ => StoreError::Statement(told()),
    }
}
