//! How SQLite finds what a batch of verifications is judged by.

use crate::hot::{BEARERS, COUNTERS};
use crate::testing::TestDatabase;
use crate::{Value, params};

/// A verification reads no row of `app_user`: those are wide, and almost nobody is disabled. Whose token is not remembered is found with it by one search; and a list of any
/// size is gone through once.
#[tokio::test]
async fn a_verification_reads_narrow_rows_and_finds_each_by_a_key() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let mut tx = store.read().await.unwrap();
    for (statement, given, searched) in [
        (
            &COUNTERS,
            params![0, ""],
            vec![
                ("c", "INTEGER PRIMARY KEY"),
                ("u", "app_user_disabled (user_id=?)"),
            ],
        ),
        (
            &BEARERS,
            params![0, "", ""],
            vec![
                ("b", "PRIMARY KEY (service_id=? AND login_id=?)"),
                ("u", "app_user_login (service_id=? AND login_id=?)"),
                ("d", "app_user_disabled (user_id=?)"),
                ("c", "INTEGER PRIMARY KEY"),
            ],
        ),
    ] {
        for rows in [1, 2, 4, 8, 15, 32, 64] {
            let (text, size) = statement.list_of(rows);
            let sql: &'static str = format!("EXPLAIN QUERY PLAN {text}").leak();
            let given: Vec<Value> = (0..size).flat_map(|_| given.clone()).collect();
            let plan = tx.query(sql, given).await.unwrap();
            let plan: Vec<_> = plan
                .iter()
                .map(|row| row.text("detail").unwrap().to_owned())
                .filter(|line| line.starts_with("SEARCH"))
                .collect();
            assert_eq!(plan.len(), searched.len(), "{plan:?}");
            for (line, (table, key)) in plan.iter().zip(&searched) {
                assert!(
                    line.starts_with(&format!("SEARCH {table} USING")) && line.contains(key),
                    "{plan:?}"
                );
            }
        }
    }
}
