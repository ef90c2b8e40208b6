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

/// A statement in which `{ROWS}` stands for `VALUES (..), (..)`. In a FROM clause the columns of such a list are called
/// `column1`, `column2` .. by both databases.
pub(crate) struct RowsSql {
    template: &'static str,
    /// The type of each column, for PostgreSQL infers none from a list.
    types: &'static [&'static str],
    /// The text for 1, 2, 4 .. rows, made when it is first asked for.
    sized: [OnceLock<String>; SIZES],
}

impl RowsSql {
    pub(crate) const fn new(template: &'static str, types: &'static [&'static str]) -> Self {
        Self {
            template,
            types,
            sized: [const { OnceLock::new() }; SIZES],
        }
    }

    /// The text for one row.
    pub(crate) fn one(&'static self) -> &'static str {
        self.of(0)
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
            self.template
                .replace("{ROWS}", &format!("VALUES {}", rows.join(", ")))
        })
    }
}
