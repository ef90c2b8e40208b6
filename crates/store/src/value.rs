//! Parameters and rows, in the four types that both databases share. Never here: types of the domain.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::StoreError;

/// A parameter or a cell.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// TEXT.
    Text(Cow<'static, str>),
    /// BIGINT.
    Int(i64),
    /// BLOB on SQLite, BYTEA on PostgreSQL.
    Blob(Vec<u8>),
    /// BOOLEAN.
    Bool(bool),
}

impl Value {
    /// A word of the program's own, such as the name of a verdict, which needs no copy.
    #[must_use]
    pub const fn fixed(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }
}

/// Only the type: cells hold what people typed, and the client library of PostgreSQL logs parameters by `Debug`.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Text(_) => "Text",
            Self::Int(_) => "Int",
            Self::Blob(_) => "Blob",
            Self::Bool(_) => "Bool",
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned().into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone().into())
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(i64::from(number))
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}
impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}
impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

/// The parameters of one statement, `$1` first: anything that turns into a [`Value`].
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Value::from($value)),*]
    };
}

/// One row of an answer; its cells are asked for by column name.
///
/// Every getter fails with [`StoreError::Row`] when there is no such column, when it holds another type, or (all but the
/// `opt_` ones) when it is NULL.
#[derive(Clone)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// Only the columns' names: the cells are nobody's business.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl Row {
    pub(crate) fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// The text in `column`.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn text(&self, column: &str) -> Result<&str, StoreError> {
        self.opt_text(column)?.ok_or_else(|| is_null(column))
    }

    /// The text in `column`, or `None` for NULL.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn opt_text(&self, column: &str) -> Result<Option<&str>, StoreError> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            _ => Err(problem(column, "does not hold text")),
        }
    }

    /// The number in `column`.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.opt_int(column)?.ok_or_else(|| is_null(column))
    }

    /// The number in `column`, or `None` for NULL.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            _ => Err(problem(column, "does not hold a number")),
        }
    }

    /// The number in `column` as a type with a smaller range.
    ///
    /// # Errors
    /// See [`Row`]; also when the number is out of that range.
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        T::try_from(self.int(column)?).map_err(|_| problem(column, "holds a number out of range"))
    }

    /// The bytes in `column`.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn blob(&self, column: &str) -> Result<&[u8], StoreError> {
        self.opt_blob(column)?.ok_or_else(|| is_null(column))
    }

    /// The bytes in `column`, or `None` for NULL.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn opt_blob(&self, column: &str) -> Result<Option<&[u8]>, StoreError> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(problem(column, "does not hold bytes")),
        }
    }

    /// The truth in `column`. SQLite keeps it as 0 or 1.
    ///
    /// # Errors
    /// See [`Row`].
    pub fn bool(&self, column: &str) -> Result<bool, StoreError> {
        match self.cell(column)? {
            Value::Bool(truth) => Ok(*truth),
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            Value::Null => Err(is_null(column)),
            _ => Err(problem(column, "does not hold a truth")),
        }
    }

    /// Takes the text out of `column`, which is NULL from then on.
    pub(crate) fn take_text(&mut self, column: &str) -> Result<String, StoreError> {
        match self.take(column)? {
            Value::Null => Err(is_null(column)),
            Value::Text(text) => Ok(text.into_owned()),
            _ => Err(problem(column, "does not hold text")),
        }
    }

    /// Takes the bytes out of `column`, which is NULL from then on.
    pub(crate) fn take_blob(&mut self, column: &str) -> Result<Vec<u8>, StoreError> {
        match self.take(column)? {
            Value::Null => Err(is_null(column)),
            Value::Blob(bytes) => Ok(bytes),
            _ => Err(problem(column, "does not hold bytes")),
        }
    }

    /// Refuses what `column` holds, for a mapping that does not know the word it found there.
    #[must_use]
    pub fn refuse(&self, column: &str, problem: &'static str) -> StoreError {
        StoreError::Row {
            column: column.to_owned(),
            problem,
        }
    }

    pub(crate) fn cell(&self, column: &str) -> Result<&Value, StoreError> {
        self.place(column)
            .and_then(|at| self.values.get(at))
            .ok_or_else(|| problem(column, "is not in the row"))
    }

    fn take(&mut self, column: &str) -> Result<Value, StoreError> {
        self.place(column)
            .and_then(|at| self.values.get_mut(at))
            .map(|value| std::mem::replace(value, Value::Null))
            .ok_or_else(|| problem(column, "is not in the row"))
    }

    fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
}

fn problem(column: &str, problem: &'static str) -> StoreError {
    StoreError::Row {
        column: column.to_owned(),
        problem,
    }
}

fn is_null(column: &str) -> StoreError {
    problem(column, "is NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_of_a_row_is_not_there_any_more() {
        let columns = ["text", "number", "bytes"].map(str::to_owned);
        let values = params!["a", 1, vec![1_u8]];
        let mut row = Row::new(Arc::new(columns), values);
        assert!(row.take_text("number").is_err() && row.take_text("nowhere").is_err());
        assert!(row.take_blob("text").is_err() && row.take_blob("nowhere").is_err());
        let mut row = Row::new(Arc::clone(&row.columns), params!["a", 1, vec![1_u8]]);
        assert_eq!(row.take_text("text").unwrap(), "a");
        assert_eq!(row.take_blob("bytes").unwrap(), [1]);
        assert_eq!(row.int("number").unwrap(), 1);
        assert!(row.take_text("text").is_err() && row.text("text").is_err());
        assert!(row.take_blob("bytes").is_err() && row.blob("bytes").is_err());
    }
}
