//! Statements over a list of rows. PostgreSQL takes many rows in one statement, which is what a batch of verifications costs
//! least with; SQLite takes them one by one in one visit, which costs it least. The text is the same.

use std::sync::OnceLock;

use crate::{StoreError, Value};

/// A statement takes 1, 2, 4 .. 128 rows; other numbers are put together from these, so that few have to be prepared.
const SIZES: usize = 8;

/// A statement with the rows of parameters it is to run over, as one of several in one visit to the database.
pub(crate) struct Ask {
    pub(crate) sql: Sql,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// A statement that a transaction ends with.
pub(crate) struct Last {
    pub(crate) ask: Ask,
    /// Whether it must give a row for each of its rows of parameters, or else nothing of the transaction may stay.
    pub(crate) decides: bool,
}

/// How a statement takes several rows of parameters.
#[derive(Clone, Copy)]
pub(crate) enum Sql {
    /// Run once for each.
    Each(&'static str),
    /// Run over a list of them.
    Rows(&'static RowsSql),
}

impl Ask {
    /// The statements that SQLite runs one by one.
    pub(crate) fn one_by_one(self) -> (&'static str, Vec<Vec<Value>>) {
        match self.sql {
            Sql::Each(sql) => (sql, self.rows),
            Sql::Rows(rows) => (rows.one(), self.rows),
        }
    }

    /// The statements that PostgreSQL runs, each with its parameters.
    ///
    /// # Errors
    /// As [`RowsSql::chunks`].
    pub(crate) fn chunks(self) -> Result<Vec<(&'static str, Vec<Value>)>, StoreError> {
        match self.sql {
            Sql::Each(sql) => Ok(self.rows.into_iter().map(|params| (sql, params)).collect()),
            Sql::Rows(rows) => rows.chunks(self.rows),
        }
    }
}

/// A statement over a list of rows, whose text is rendered in two ways: for a list, where its places stand for the columns of the
/// list, and for one row, where the list is gone and they stand for the parameters.
///
/// | in the text | for a list | for one row |
/// |---|---|---|
/// | `{ROWS}` | `VALUES (..), (..)` | `VALUES (..)` |
/// | `{LIST}`, first in a FROM clause | `(VALUES ..) AS v,` | nothing |
/// | `{FROM}`, before the WHERE of an UPDATE | `FROM (VALUES ..) AS v` | nothing |
/// | `v.column3` | so both databases call the third column of a list | the third parameter |
pub(crate) struct RowsSql {
    template: &'static str,
    /// The type of each column, for PostgreSQL infers none from a list.
    types: &'static [&'static str],
    single: OnceLock<String>,
    /// The text for 1, 2, 4 .. rows, made when it is first asked for.
    sized: [OnceLock<String>; SIZES],
}

impl RowsSql {
    pub(crate) const fn new(template: &'static str, types: &'static [&'static str]) -> Self {
        Self {
            template,
            types,
            single: OnceLock::new(),
            sized: [const { OnceLock::new() }; SIZES],
        }
    }

    /// The text for one row, for SQLite, which knows parameters by their numbers.
    pub(crate) fn one(&'static self) -> &'static str {
        self.single.get_or_init(|| {
            let numbers = 1..=self.types.len();
            let places: Vec<_> = numbers.clone().map(|number| format!("?{number}")).collect();
            let mut text = self
                .template
                .replace("{ROWS}", &format!("VALUES ({})", places.join(", ")))
                .replace("{LIST}", "")
                .replace("{FROM}", "");
            // From the last on: `v.column1` is also how `v.column10` begins.
            for number in numbers.rev() {
                text = text.replace(&format!("v.column{number}"), &format!("?{number}"));
            }
            text
        })
    }

    /// The statements that take all of `rows`, in their order, each with its parameters.
    ///
    /// # Errors
    /// [`StoreError::Statement`] for a row of another number of columns.
    pub(crate) fn chunks(
        &'static self,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<(&'static str, Vec<Value>)>, StoreError> {
        if rows.iter().any(|row| row.len() != self.types.len()) {
            return Err(StoreError::Statement(
                "a row has another number of columns than the statement".to_owned(),
            ));
        }
        let mut chunks = Vec::new();
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        while left > 0 {
            let power = (left.ilog2() as usize).min(SIZES - 1);
            let params = rows.by_ref().take(1 << power).flatten().collect();
            chunks.push((self.of(power), params));
            left -= 1 << power;
        }
        Ok(chunks)
    }

    fn of(&'static self, power: usize) -> &'static str {
        self.sized[power].get_or_init(|| {
            let mut number = 0;
            let mut row = || {
                let cells: Vec<_> = self
                    .types
                    .iter()
                    .map(|kind| {
                        number += 1;
                        format!("CAST(${number} AS {kind})")
                    })
                    .collect();
                format!("({})", cells.join(", "))
            };
            let rows: Vec<_> = (0..1_usize << power).map(|_| row()).collect();
            let rows = format!("VALUES {}", rows.join(", "));
            self.template
                .replace("{LIST}", &format!("({rows}) AS v,"))
                .replace("{FROM}", &format!("FROM ({rows}) AS v"))
                .replace("{ROWS}", &rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static STATEMENT: RowsSql = RowsSql::new(
        "UPDATE a SET b = v.column2 {FROM} WHERE c = v.column1",
        &["TEXT", "BIGINT"],
    );

    #[test]
    fn one_row_needs_no_list() {
        assert_eq!(STATEMENT.one(), "UPDATE a SET b = ?2  WHERE c = ?1");
    }

    #[test]
    fn three_rows_are_two_and_one() {
        let rows = (0..3).map(|n| vec![Value::Int(n), Value::Int(n)]).collect();
        let chunks = STATEMENT.chunks(rows).unwrap();
        let texts: Vec<_> = chunks.iter().map(|(sql, _)| *sql).collect();
        assert_eq!(
            texts,
            [
                "UPDATE a SET b = v.column2 FROM (VALUES (CAST($1 AS TEXT), CAST($2 AS BIGINT)), \
                 (CAST($3 AS TEXT), CAST($4 AS BIGINT))) AS v WHERE c = v.column1",
                "UPDATE a SET b = v.column2 FROM (VALUES (CAST($1 AS TEXT), CAST($2 AS BIGINT))) AS v \
                 WHERE c = v.column1",
            ]
        );
        assert!(STATEMENT.chunks(vec![vec![Value::Int(1)]]).is_err());
    }
}
