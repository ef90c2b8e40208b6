//! Statements on one connection, and what SQLite's errors mean to us.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql, ffi};

use crate::limits::SQLITE_STATEMENTS_MAX;
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
            // Most of them find one row for each one that is asked for.
            let mut found = Vec::with_capacity(ask.rows.len());
            for (sql, batch) in ask.for_sqlite()? {
                if batch.is_empty() {
                    continue;
                }
                let (mut statement, columns) = prepare_query(connection, sql)?;
                for params in &batch {
                    bind(&mut statement, params)?;
                    rows(&mut statement, &columns, &mut found)?;
                }
            }
            Ok(found)
        })
        .collect()
}

/// Runs what a transaction ends with before its commit; `false` when a statement that decides gave too few rows.
pub(super) fn finish(connection: &Connection, last: Vec<Last>) -> Result<bool, StoreError> {
    for last in last {
        let decides = last.decides;
        let (sql, batch) = last.for_sqlite();
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
    let (mut statement, columns) = prepare_query(connection, sql)?;
    batch
        .iter()
        .map(|params| {
            bind(&mut statement, params)?;
            let mut found = Vec::new();
            rows(&mut statement, &columns, &mut found)?;
            Ok(found)
        })
        .collect()
}

thread_local! {
    /// The names of the columns of each statement that this thread ran, which its text decides; by where that text stands. At most `SQLITE_STATEMENTS_MAX`.
    static COLUMNS: RefCell<HashMap<*const str, Arc<[String]>>> = RefCell::default();
}

/// A statement that gives rows, with the names of their columns.
fn prepare_query<'c>(
    connection: &'c Connection,
    sql: &'static str,
) -> Result<(CachedStatement<'c>, Arc<[String]>), StoreError> {
    let statement = prepare(connection, sql)?;
    let name_all = || statement.column_names().map(str::to_owned).collect();
    let columns = COLUMNS.with_borrow_mut(|known| {
        if known.len() >= SQLITE_STATEMENTS_MAX {
            known.clear();
        }
        Arc::clone(
            known
                .entry(std::ptr::from_ref(sql))
                .or_insert_with(name_all),
        )
    });
    Ok((statement, columns))
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

/// Runs a statement whose parameters are bound, and adds its rows to those that were found.
fn rows(
    statement: &mut CachedStatement<'_>,
    columns: &Arc<[String]>,
    found: &mut Vec<Row>,
) -> Result<(), StoreError> {
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|e| failed(&e))? {
        let mut values = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let refuse = |problem| StoreError::Row {
                column: column.clone(),
                problem,
            };
            values.push(match row.get_ref(at).map_err(|e| failed(&e))? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Int(number),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                ValueRef::Text(text) => {
                    let text = std::str::from_utf8(text).map_err(|_| refuse("is not UTF-8"))?;
                    Value::from(text)
                }
                ValueRef::Real(_) => return Err(refuse("is a floating-point number")),
            });
        }
        found.push(Row::new(Arc::clone(columns), values));
    }
    Ok(())
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
