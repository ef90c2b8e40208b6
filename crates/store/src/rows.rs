//! Statements over a list of rows. PostgreSQL takes all rows in one statement, which is what a batch of verifications costs least with. SQLite takes what is looked
//! for in lists of a few sizes, since it begins and ends a statement once for each of them, and writes row by row. The text is the same.

use std::sync::OnceLock;

use crate::{StoreError, Value};

/// A statement with the rows of parameters it is to run over, as one of several in one visit to the database.
pub(crate) struct Ask {
    pub(crate) sql: Sql,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// A statement over a list of rows that a transaction ends with.
pub(crate) struct Last {
    pub(crate) sql: &'static RowsSql,
    pub(crate) rows: Vec<Vec<Value>>,
    /// Whether it must write a row for each of its rows of parameters, or else nothing of the transaction may stay.
    pub(crate) decides: bool,
}

/// A statement for SQLite, with the sets of parameters that it is run with, one after the other.
pub(crate) type Runs = (&'static str, Vec<Vec<Value>>);

/// How a statement takes several rows of parameters.
#[derive(Clone, Copy)]
pub(crate) enum Sql {
    /// Run once for each.
    Each(&'static str),
    /// Run over a list of them.
    Rows(&'static RowsSql),
}

impl Ask {
    /// The statements that SQLite runs, each once for each of its sets of parameters.
    ///
    /// # Errors
    /// As [`RowsSql::columns`].
    pub(crate) fn for_sqlite(self) -> Result<Vec<Runs>, StoreError> {
        match self.sql {
            Sql::Each(sql) => Ok(vec![(sql, self.rows)]),
            Sql::Rows(rows) if rows.looks() => rows.in_lists(self.rows),
            Sql::Rows(rows) => Ok(vec![(rows.one(), self.rows)]),
        }
    }

    /// The statements that PostgreSQL runs, each with its parameters.
    ///
    /// # Errors
    /// As [`RowsSql::columns`].
    pub(crate) fn for_postgres(self) -> Result<Vec<(&'static str, Given)>, StoreError> {
        match self.sql {
            Sql::Each(sql) => Ok(self
                .rows
                .into_iter()
                .map(|params| (sql, Given::Cells(params)))
                .collect()),
            Sql::Rows(rows) => Ok(rows
                .given_by_columns(RowsSql::list, self.rows)?
                .into_iter()
                .collect()),
        }
    }
}

impl Last {
    /// The statement for SQLite, to be run for each row, which says only how many rows it wrote: giving them too would cost SQLite a table of its own for each.
    pub(crate) fn for_sqlite(self) -> Runs {
        (self.sql.one_unread(), self.rows)
    }

    /// The statement for PostgreSQL with its parameters; one that decides fails if it wrote too few rows. None for no rows.
    ///
    /// # Errors
    /// As [`RowsSql::columns`].
    pub(crate) fn for_postgres(self) -> Result<Option<(&'static str, Given)>, StoreError> {
        let text = if self.decides {
            RowsSql::deciding
        } else {
            RowsSql::list
        };
        self.sql.given_by_columns(text, self.rows)
    }
}

/// The parameters of a statement for PostgreSQL.
pub(crate) enum Given {
    /// One value for each.
    Cells(Vec<Value>),
    /// A column of a list for each.
    Columns(Vec<Vec<Value>>),
}

/// For how many rows a statement that looks for something has a text for SQLite, beside that for one row. What is missing is filled up with rows of NULL.
const LISTS: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// A statement over a list of rows, whose text is rendered for a list, whose columns are PostgreSQL's parameters and whose cells are SQLite's; and for one row, where the
/// list is gone and its places stand for the parameters; for one row also without the rows that it gives.
///
/// | in the text | for a list, PostgreSQL | for a list, SQLite | for one row |
/// |---|---|---|---|
/// | `{ROWS}` | `SELECT .. FROM unnest(..) AS v (..)` | | `VALUES (..)` |
/// | `{ROWS a, b}` | `SELECT a, b FROM unnest(..) AS v (..)` | | `VALUES (a, b)` |
/// | `{LIST} CROSS JOIN`, first in a FROM clause | `unnest(..) AS v (..) CROSS JOIN` | `(VALUES (..), ..) AS v CROSS JOIN` | nothing |
/// | `{LIST}`, the same before another join | `unnest(..) AS v (..)` | `(VALUES (..), ..) AS v` | `(SELECT 1) AS v` |
/// | `{FROM}`, before the WHERE of an UPDATE | `FROM unnest(..) AS v (..)` | | nothing |
/// | `{RETURNING ..}`, at the end | `RETURNING ..` | | the same, or nothing where the rows are not read |
/// | `v.column3` | the third column of the list | the same | the third parameter |
///
/// A statement with `{LIST}` has nothing else in braces, and must give nothing for a row of NULL.
pub(crate) struct RowsSql {
    template: &'static str,
    /// The type of each column, which PostgreSQL has to be told.
    types: &'static [&'static str],
    single: OnceLock<String>,
    /// For SQLite, by the places in [`LISTS`].
    lists: [OnceLock<String>; LISTS.len()],
    unread: OnceLock<String>,
    list: OnceLock<String>,
    deciding: OnceLock<String>,
}

impl RowsSql {
    pub(crate) const fn new(template: &'static str, types: &'static [&'static str]) -> Self {
        Self {
            template,
            types,
            single: OnceLock::new(),
            lists: [const { OnceLock::new() }; LISTS.len()],
            unread: OnceLock::new(),
            list: OnceLock::new(),
            deciding: OnceLock::new(),
        }
    }

    /// The text for one row, for SQLite, which knows parameters by their numbers.
    pub(crate) fn one(&'static self) -> &'static str {
        self.single.get_or_init(|| self.for_one(self.parts().1))
    }

    /// The same without the rows that it gives.
    fn one_unread(&'static self) -> &'static str {
        self.unread.get_or_init(|| self.for_one(""))
    }

    fn for_one(&self, returning: &str) -> String {
        let numbers = 1..=self.types.len();
        let text = self.with_rows(|columns| format!("VALUES ({columns})"));
        let mut text = text
            .replace("{LIST} CROSS JOIN", "")
            .replace("{LIST}", "(SELECT 1) AS v")
            .replace("{FROM}", "");
        // From the last on: `v.column1` is also how `v.column10` begins.
        for number in numbers.rev() {
            text = text.replace(&format!("v.column{number}"), &format!("?{number}"));
        }
        text + returning
    }

    /// Whether it looks for something, by a list that stands first in its FROM clause.
    fn looks(&self) -> bool {
        self.template.contains("{LIST}")
    }

    /// The text for so many rows or more, for SQLite, and for how many; if there is none, that for the most.
    pub(crate) fn list_of(&'static self, rows: usize) -> (&'static str, usize) {
        if rows <= 1 {
            return (self.one(), 1);
        }
        let at = LISTS.iter().position(|&size| size >= rows);
        let at = at.unwrap_or(LISTS.len() - 1);
        let (size, width) = (LISTS[at], self.types.len());
        let text = self.lists[at].get_or_init(|| {
            let row = |first: usize| {
                let numbers: Vec<_> = (first..first + width).map(|n| format!("?{n}")).collect();
                format!("({})", numbers.join(", "))
            };
            let rows: Vec<_> = (1..).step_by(width).take(size).map(row).collect();
            let list = format!("(VALUES {}) AS v", rows.join(", "));
            let text = self.template.replace("{LIST}", &list);
            debug_assert!(!text.contains('{'), "{text}");
            text
        });
        (text, size)
    }

    /// The statements for SQLite that look for all of `rows`, each with its parameters.
    ///
    /// # Errors
    /// As [`RowsSql::columns`].
    fn in_lists(&'static self, rows: Vec<Vec<Value>>) -> Result<Vec<Runs>, StoreError> {
        let mut lists = Vec::new();
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let (text, size) = self.list_of(rows.len());
            let cells = size * self.types.len();
            let mut params = Vec::with_capacity(cells);
            for row in rows.by_ref().take(size) {
                self.fits(&row)?;
                params.extend(row);
            }
            params.resize(cells, Value::Null);
            lists.push((text, vec![params]));
        }
        Ok(lists)
    }

    /// Whether a row has the columns of the list.
    fn fits(&self, row: &[Value]) -> Result<(), StoreError> {
        if row.len() == self.types.len() {
            return Ok(());
        }
        Err(StoreError::Statement(
            "a row has another number of columns than the statement".to_owned(),
        ))
    }

    /// The text without its last part, with what `rows` makes of the columns in place of `{ROWS ..}`.
    fn with_rows(&self, rows: impl FnOnce(&str) -> String) -> String {
        let text = self.parts().0;
        let Some((before, (columns, after))) = text
            .split_once("{ROWS")
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        else {
            return text.to_owned();
        };
        let rows = match columns.trim() {
            "" => {
                let all = (1..=self.types.len()).map(|number| format!("v.column{number}"));
                rows(&all.collect::<Vec<_>>().join(", "))
            }
            columns => rows(columns),
        };
        format!("{before}{rows}{after}")
    }

    /// The text without its last part, and that one, which is empty or begins with `RETURNING`.
    fn parts(&self) -> (&'static str, &'static str) {
        match self.template.split_once("{RETURNING") {
            Some((text, _)) => {
                let returning = &self.template[text.len()..];
                (text, returning.trim_matches(['{', '}']))
            }
            None => (self.template, ""),
        }
    }

    /// The text for a list, for PostgreSQL: the same for any number of rows, so that it is prepared and planned once.
    fn list(&'static self) -> &'static str {
        self.list.get_or_init(|| {
            let arrays: Vec<_> = (1..)
                .zip(self.types)
                .map(|(number, kind)| format!("CAST(${number} AS {kind}[])"))
                .collect();
            let columns: Vec<_> = (1..=self.types.len())
                .map(|number| format!("column{number}"))
                .collect();
            let (arrays, columns) = (arrays.join(", "), columns.join(", "));
            let list = format!("unnest({arrays}) AS v ({columns})");
            self.with_rows(|columns| format!("SELECT {columns} FROM {list}"))
                .replace("{LIST}", &list)
                .replace("{FROM}", &format!("FROM {list}"))
                + self.parts().1
        })
    }

    /// The text for a list, for PostgreSQL, that divides by zero if fewer rows are written than the list has: then the transaction cannot be committed, also
    /// where COMMIT is sent before that is known. For statements that give the rows that they write.
    pub(crate) fn deciding(&'static self) -> &'static str {
        self.deciding.get_or_init(|| {
            let (list, kind) = (self.list(), self.types[0]);
            format!(
                "WITH written AS ({list}) SELECT 1 / (CASE WHEN COUNT(1) = CARDINALITY(CAST($1 AS {kind}[])) THEN 1 ELSE 0 END) AS all_written FROM written"
            )
        })
    }

    /// One of the texts for a list, with its parameters; none for no rows.
    fn given_by_columns(
        &'static self,
        text: impl FnOnce(&'static Self) -> &'static str,
        rows: Vec<Vec<Value>>,
    ) -> Result<Option<(&'static str, Given)>, StoreError> {
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some((text(self), Given::Columns(self.columns(rows)?))))
    }

    /// The columns of `rows`.
    ///
    /// # Errors
    /// [`StoreError::Statement`] for a row of another number of columns.
    fn columns(&self, rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut columns: Vec<_> = self
            .types
            .iter()
            .map(|_| Vec::with_capacity(rows.len()))
            .collect();
        for row in rows {
            self.fits(&row)?;
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    static STATEMENT: RowsSql = RowsSql::new(
        "UPDATE a SET b = v.column2 {FROM} WHERE c = v.column1 {RETURNING c, b}",
        &["TEXT", "BIGINT"],
    );

    #[test]
    fn one_row_needs_no_list() {
        let one = "UPDATE a SET b = ?2  WHERE c = ?1 ";
        assert_eq!(STATEMENT.one(), format!("{one}RETURNING c, b"));
        assert_eq!(STATEMENT.one_unread(), one);
    }

    #[test]
    fn rows_are_written_as_they_are_or_as_the_statement_makes_them() {
        static PLAIN: RowsSql = RowsSql::new("INSERT INTO a (b, c) {ROWS}", &["TEXT", "BIGINT"]);
        static MADE: RowsSql = RowsSql::new(
            "INSERT INTO a (b, c) {ROWS v.column1, (SELECT MAX(c) FROM a) + v.column2} ON CONFLICT DO NOTHING",
            &["TEXT", "BIGINT"],
        );
        assert_eq!(PLAIN.one(), "INSERT INTO a (b, c) VALUES (?1, ?2)");
        assert_eq!(
            MADE.one(),
            "INSERT INTO a (b, c) VALUES (?1, (SELECT MAX(c) FROM a) + ?2) ON CONFLICT DO NOTHING"
        );
        let list = "unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])) AS v (column1, column2)";
        assert_eq!(
            PLAIN.list(),
            format!("INSERT INTO a (b, c) SELECT v.column1, v.column2 FROM {list}")
        );
        assert_eq!(
            MADE.list(),
            format!(
                "INSERT INTO a (b, c) SELECT v.column1, (SELECT MAX(c) FROM a) + v.column2 FROM {list} ON CONFLICT DO NOTHING"
            )
        );
    }

    #[test]
    fn sqlite_looks_for_several_rows_at_once_and_fills_the_list_up() {
        static LOOK: RowsSql = RowsSql::new(
            "SELECT c FROM {LIST} CROSS JOIN a WHERE a.b = v.column1 AND a.d = v.column2",
            &["BIGINT", "TEXT"],
        );
        static JOIN: RowsSql = RowsSql::new(
            "SELECT c FROM {LIST} LEFT JOIN a ON a.b = v.column1 WHERE v.column1 IS NOT NULL",
            &["BIGINT"],
        );
        assert_eq!(LOOK.one(), "SELECT c FROM  a WHERE a.b = ?1 AND a.d = ?2");
        assert_eq!(
            JOIN.one(),
            "SELECT c FROM (SELECT 1) AS v LEFT JOIN a ON a.b = ?1 WHERE ?1 IS NOT NULL"
        );
        let ask = |count| Ask {
            sql: Sql::Rows(&LOOK),
            rows: (0..count).map(|n| params![n, n.to_string()]).collect(),
        };
        let lists = ask(67).for_sqlite().unwrap();
        let sizes: Vec<_> = lists.iter().map(|(_, sets)| sets[0].len() / 2).collect();
        assert_eq!(sizes, [64, 4]);
        assert_eq!(
            lists[1].0,
            "SELECT c FROM (VALUES (?1, ?2), (?3, ?4), (?5, ?6), (?7, ?8)) AS v CROSS JOIN a WHERE a.b = v.column1 AND a.d = v.column2"
        );
        let [ref rest] = lists[1].1[..] else {
            panic!("one set of parameters");
        };
        assert_eq!(rest[..6], params![64, "64", 65, "65", 66, "66"]);
        assert_eq!(rest[6..], [Value::Null, Value::Null]);
        let alone = ask(1).for_sqlite().unwrap();
        assert_eq!(alone, [(LOOK.one(), vec![params![0, "0"]])]);
        assert!(ask(0).for_sqlite().unwrap().is_empty());
        let misfit = Ask {
            sql: Sql::Rows(&LOOK),
            rows: vec![params![1], params![1, "1", "1"]],
        };
        assert!(misfit.for_sqlite().is_err());
    }

    #[test]
    fn a_list_is_given_by_its_columns() {
        let ask = |rows| Ask {
            sql: Sql::Rows(&STATEMENT),
            rows,
        };
        let rows = (0..3).map(|n| vec![Value::Int(n), Value::Int(10 * n)]);
        let statements = ask(rows.collect()).for_postgres().unwrap();
        let [(text, Given::Columns(columns))] = statements.as_slice() else {
            panic!("it is one statement");
        };
        assert_eq!(
            *text,
            "UPDATE a SET b = v.column2 FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])) AS v (column1, column2) WHERE c = v.column1 RETURNING c, b",
        );
        let tens = vec![Value::Int(0), Value::Int(10), Value::Int(20)];
        assert_eq!(columns[1], tens);
        assert!(ask(Vec::new()).for_postgres().unwrap().is_empty());
        assert!(ask(vec![vec![Value::Int(1)]]).for_postgres().is_err());
    }

    #[test]
    fn a_list_that_decides_fails_when_it_wrote_too_few_rows() {
        let last = |rows| Last {
            sql: &STATEMENT,
            rows,
            decides: true,
        };
        assert!(last(Vec::new()).for_postgres().unwrap().is_none());
        let rows = vec![vec![Value::Int(1), Value::Int(10)]];
        let (text, Given::Columns(columns)) = last(rows).for_postgres().unwrap().unwrap() else {
            panic!("a list is given by its columns");
        };
        assert_eq!(columns.len(), 2);
        let written = STATEMENT.list();
        assert!(text.starts_with(&format!("WITH written AS ({written}) SELECT 1 / ")));
        assert!(text.contains("COUNT(1) = CARDINALITY(CAST($1 AS TEXT[]))"));
    }
}
