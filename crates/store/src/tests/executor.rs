//! Transactions, types and errors, the same on both databases.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::testing::TestDatabase;
use crate::{Conflict, DatabaseConfig, Store, StoreError, on_both_databases, params};

on_both_databases! {
    a_commit_stays,
    a_dropped_transaction_leaves_nothing,
    a_transaction_dropped_while_its_statement_runs_leaves_nothing,
    a_dropped_transaction_gives_its_connection_back,
    a_failed_statement_spoils_its_transaction,
    a_statement_that_nobody_waited_for_spoils_its_transaction,
    a_reader_sees_one_moment,
    a_reader_cannot_write,
    every_type_comes_back_as_it_went,
    a_getter_refuses_another_type,
    each_runs_in_order,
    errors_tell_their_kind,
    errors_hold_no_values,
    a_wrong_number_of_parameters_is_refused,
    a_second_row_is_refused_where_one_was_asked_for,
    it_answers,
    only_a_server_has_a_clock_of_its_own,
    a_transaction_outlives_the_runtime_that_began_it,
}

pub(super) async fn open(database: &TestDatabase) -> Store {
    let store = database.open().await;
    let mut tx = store.begin().await.unwrap();
    tx.script(
        "CREATE TABLE item (id TEXT NOT NULL PRIMARY KEY, amount BIGINT NOT NULL, sealed {BLOB}, done BOOLEAN NOT NULL);
         CREATE TABLE part (id TEXT NOT NULL PRIMARY KEY, item_id TEXT NOT NULL REFERENCES item (id));",
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    store
}

pub(super) async fn insert(store: &Store, id: &str, amount: i64) {
    let mut tx = store.begin().await.unwrap();
    let sql = "INSERT INTO item (id, amount, done) VALUES ($1, $2, FALSE)";
    assert_eq!(tx.execute(sql, params![id, amount]).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

pub(super) async fn amount(store: &Store, id: &str) -> Option<i64> {
    let mut tx = store.read().await.unwrap();
    let row = tx
        .query_one("SELECT amount FROM item WHERE id = $1", params![id])
        .await
        .unwrap();
    row.map(|row| row.int("amount").unwrap())
}

async fn a_commit_stays(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 1).await;
    assert_eq!(amount(&store, "a").await, Some(1));
    assert_eq!(amount(&database.open().await, "a").await, Some(1));
}

async fn a_dropped_transaction_leaves_nothing(database: TestDatabase) {
    let store = open(&database).await;
    let mut tx = store.begin().await.unwrap();
    tx.execute(
        "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
        params!["a"],
    )
    .await
    .unwrap();
    drop(tx);
    assert_eq!(amount(&store, "a").await, None);
    insert(&store, "a", 2).await;
    assert_eq!(amount(&store, "a").await, Some(2));
}

/// Polls a future once and drops it, as a client that hangs up does. True when it had no answer yet: on a busy machine the
/// answer may be there at once.
async fn abandon(future: impl Future) -> bool {
    let mut future = Box::pin(future);
    std::future::poll_fn(|context| {
        let unanswered = future.as_mut().poll(context).is_pending();
        std::task::Poll::Ready(unanswered)
    })
    .await
}

async fn a_transaction_dropped_while_its_statement_runs_leaves_nothing(database: TestDatabase) {
    let store = open(&database).await;
    for _ in 0..20 {
        let mut tx = store.begin().await.unwrap();
        abandon(tx.execute(
            "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
            params!["a"],
        ))
        .await;
        drop(tx);
        assert_eq!(amount(&store, "a").await, None);
    }
    insert(&store, "a", 2).await;
}

async fn a_dropped_transaction_gives_its_connection_back(database: TestDatabase) {
    let store = open(&database).await;
    for round in 0..100 {
        let mut tx = store.begin().await.unwrap();
        tx.execute(
            "INSERT INTO item (id, amount, done) VALUES ($1, $2, FALSE)",
            params!["a", round],
        )
        .await
        .unwrap();
        drop(tx);
        let mut reader = store.read().await.unwrap();
        assert!(
            reader
                .query("SELECT id FROM item", params![])
                .await
                .unwrap()
                .is_empty()
        );
        drop(reader);
        drop(store.read().await.unwrap());
    }
}

async fn a_failed_statement_spoils_its_transaction(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 1).await;
    let mut tx = store.begin().await.unwrap();
    tx.execute(
        "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
        params!["b"],
    )
    .await
    .unwrap();
    let sql = "INSERT INTO item (id, amount, done) VALUES ($1, 9, TRUE)";
    assert!(
        tx.execute(sql, params!["a"])
            .await
            .unwrap_err()
            .is_duplicate()
    );
    let after = tx
        .execute("UPDATE item SET amount = 5 WHERE id = $1", params!["a"])
        .await;
    assert!(matches!(after, Err(StoreError::Aborted)));
    assert!(matches!(tx.commit().await, Err(StoreError::Aborted)));
    assert_eq!(amount(&store, "a").await, Some(1));
    assert_eq!(amount(&store, "b").await, None);
}

async fn a_statement_that_nobody_waited_for_spoils_its_transaction(database: TestDatabase) {
    const TRIES_MAX: usize = 1_000;
    let store = open(&database).await;
    for _ in 0..TRIES_MAX {
        let mut tx = store.begin().await.unwrap();
        tx.execute(
            "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
            params!["a"],
        )
        .await
        .unwrap();
        let abandoned = abandon(tx.execute(
            "INSERT INTO item (id, amount, done) VALUES ($1, 2, FALSE)",
            params!["b"],
        ))
        .await;
        if abandoned {
            assert!(matches!(tx.commit().await, Err(StoreError::Aborted)));
            assert_eq!(amount(&store, "a").await, None);
            return;
        }
    }
    panic!("every statement was answered at once");
}

async fn a_reader_sees_one_moment(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 1).await;
    let sql = "SELECT amount FROM item WHERE id = $1";
    let mut reader = store.read().await.unwrap();
    assert_eq!(
        reader
            .query_one(sql, params!["a"])
            .await
            .unwrap()
            .unwrap()
            .int("amount")
            .unwrap(),
        1
    );
    let mut tx = store.begin().await.unwrap();
    tx.execute("UPDATE item SET amount = 2 WHERE id = $1", params!["a"])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        reader
            .query_one(sql, params!["a"])
            .await
            .unwrap()
            .unwrap()
            .int("amount")
            .unwrap(),
        1
    );
    reader.commit().await.unwrap();
    assert_eq!(amount(&store, "a").await, Some(2));
}

async fn a_reader_cannot_write(database: TestDatabase) {
    let store = open(&database).await;
    let mut reader = store.read().await.unwrap();
    let refused = reader
        .execute(
            "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
            params!["a"],
        )
        .await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
    drop(reader);
    insert(&store, "a", 1).await;
}

async fn every_type_comes_back_as_it_went(database: TestDatabase) {
    let store = open(&database).await;
    let sql = "INSERT INTO item (id, amount, sealed, done) VALUES ($1, $2, $3, $4)";
    let back = "SELECT id, amount, sealed, done FROM item WHERE id = $1";
    let cases: [(&str, i64, Option<Vec<u8>>, bool); 4] = [
        ("", 0, None, false),
        ("割符 ' \" ; -- 🀄", i64::MAX, Some(vec![]), true),
        ("b", i64::MIN, Some((0..=255).collect()), true),
        ("c", -1, Some(vec![0]), false),
    ];
    for (id, amount, sealed, done) in cases {
        let mut tx = store.begin().await.unwrap();
        tx.execute(sql, params![id, amount, sealed.clone(), done])
            .await
            .unwrap();
        let row = tx.query_one(back, params![id]).await.unwrap().unwrap();
        assert_eq!(row.text("id").unwrap(), id);
        assert_eq!(row.int("amount").unwrap(), amount);
        assert_eq!(row.opt_blob("sealed").unwrap(), sealed.as_deref());
        assert_eq!(row.bool("done").unwrap(), done);
        tx.commit().await.unwrap();
    }
}

async fn a_getter_refuses_another_type(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 300).await;
    let mut tx = store.read().await.unwrap();
    let row = tx
        .query_one("SELECT id, amount, sealed FROM item", params![])
        .await
        .unwrap()
        .unwrap();
    let told = |error: StoreError| error.to_string();
    assert_eq!(
        told(row.int("id").unwrap_err()),
        "column id does not hold a number"
    );
    assert_eq!(
        told(row.text("amount").unwrap_err()),
        "column amount does not hold text"
    );
    assert_eq!(
        told(row.blob("sealed").unwrap_err()),
        "column sealed is NULL"
    );
    assert_eq!(
        told(row.bool("amount").unwrap_err()),
        "column amount does not hold a truth"
    );
    assert_eq!(
        told(row.text("name").unwrap_err()),
        "column name is not in the row"
    );
    assert_eq!(
        told(row.number::<u8>("amount").unwrap_err()),
        "column amount holds a number out of range"
    );
    assert_eq!(row.opt_text("sealed").unwrap(), None);
    assert_eq!(row.number::<u16>("amount").unwrap(), 300);
    assert!(!format!("{row:?}").contains("300"));
}

async fn each_runs_in_order(database: TestDatabase) {
    let store = open(&database).await;
    let mut tx = store.begin().await.unwrap();
    let ids: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let sql = "INSERT INTO item (id, amount, done) VALUES ($1, $2, FALSE)";
    let counts = tx
        .execute_each(sql, ids.iter().map(|id| params![id, 0]).collect())
        .await
        .unwrap();
    assert_eq!(counts, vec![1; 200]);
    // Each one sees what those before it did.
    let step = "UPDATE item SET amount = amount + 1 WHERE id = $1 AND amount = $2 RETURNING amount";
    let rows = tx
        .query_each(
            step,
            (0..200).map(|n| params!["007", i64::from(n)]).collect(),
        )
        .await
        .unwrap();
    let amounts: Vec<i64> = rows
        .iter()
        .map(|rows| rows[0].int("amount").unwrap())
        .collect();
    assert_eq!(amounts, (1..=200).collect::<Vec<i64>>());
    assert!(tx.query_each(step, vec![]).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}

async fn errors_tell_their_kind(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 1).await;
    let attempt = async |sql: &'static str, params| {
        store
            .begin()
            .await
            .unwrap()
            .execute(sql, params)
            .await
            .unwrap_err()
    };
    let error = attempt(
        "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
        params!["a"],
    )
    .await;
    assert!(
        matches!(error, StoreError::Conflict(Conflict::Unique)),
        "{error}"
    );
    assert!(!error.is_retryable());
    let error = attempt(
        "INSERT INTO item (id, amount, done) VALUES ($1, $2, FALSE)",
        params!["b", None::<i64>],
    )
    .await;
    assert!(matches!(error, StoreError::Constraint { .. }), "{error}");
    let error = attempt("INSERT INTO nothing (id) VALUES ($1)", params!["b"]).await;
    assert!(
        matches!(&error, StoreError::Statement(told) if told.contains("nothing")),
        "{error}"
    );

    // A foreign key is checked at once, on both.
    let error = attempt(
        "INSERT INTO part (id, item_id) VALUES ($1, $2)",
        params!["p", "missing"],
    )
    .await;
    assert!(matches!(error, StoreError::Constraint { .. }), "{error}");
}

async fn errors_hold_no_values(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "canary", 1).await;
    let mut tx = store.begin().await.unwrap();
    let error = tx
        .execute(
            "INSERT INTO item (id, amount, done) VALUES ($1, 1, FALSE)",
            params!["canary"],
        )
        .await
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

async fn a_wrong_number_of_parameters_is_refused(database: TestDatabase) {
    let store = open(&database).await;
    let mut tx = store.read().await.unwrap();
    let error = tx
        .query("SELECT id FROM item WHERE id = $1", params![])
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a statement was refused: it takes 1 parameters, 0 were given"
    );
}

async fn a_second_row_is_refused_where_one_was_asked_for(database: TestDatabase) {
    let store = open(&database).await;
    insert(&store, "a", 1).await;
    insert(&store, "b", 1).await;
    let mut tx = store.read().await.unwrap();
    let refused = tx
        .query_one("SELECT id FROM item WHERE amount = $1", params![1])
        .await;
    assert!(matches!(refused, Err(StoreError::Statement(_))));
}

async fn only_a_server_has_a_clock_of_its_own(database: TestDatabase) {
    let mut tx = database.open().await.read().await.unwrap();
    let first = tx.database_clock().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let second = tx.database_clock().await.unwrap();
    match first.zip(second) {
        Some((first, second)) => assert!((15..10_000).contains(&second.since_ms(first))),
        None => assert_eq!((first, second), (None, None)),
    }
    let is_server = matches!(database.config(), DatabaseConfig::Postgres(_));
    assert_eq!(first.is_some(), is_server);
}

async fn it_answers(database: TestDatabase) {
    database.open().await.ping().await.unwrap();
}

/// Connections belong to the runtime that opened the store, not to the one of whoever asked for one first.
async fn a_transaction_outlives_the_runtime_that_began_it(database: TestDatabase) {
    let store = open(&database).await;
    let elsewhere = store.clone();
    let begun = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut begun = Vec::new();
            for _ in 0..2 {
                let mut tx = elsewhere.read().await.unwrap();
                tx.query("SELECT 1 AS one", params![]).await.unwrap();
                begun.push(tx);
            }
            begun
        })
    });
    for mut tx in begun.await.unwrap() {
        tx.query("SELECT 1 AS one", params![]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

mod file {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn writers_are_served_strictly_in_order_on_sqlite() {
        let database = TestDatabase::sqlite();
        let store = open(&database).await;
        let first = store.begin().await.unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for place in 0..64 {
            let (store, order) = (store.clone(), order.clone());
            tasks.spawn(async move {
                let tx = store.begin().await.unwrap();
                order.lock().unwrap().push(place);
                drop(tx);
            });
            // One thread runs all tasks: after this the new one waits in the queue.
            tokio::task::yield_now().await;
        }
        drop(first);
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), (0..64).collect::<Vec<i32>>());
    }

    #[tokio::test]
    async fn what_was_left_in_the_log_is_carried_over_before_anything_is_told_of_it() {
        let database = TestDatabase::sqlite();
        let store = open(&database).await;
        insert(&store, "a", 1).await;
        let without_log = TestDatabase::sqlite();
        let again = database.open().await;
        std::fs::copy(database.path(), without_log.path()).unwrap();
        let copy = without_log.open().await;
        for store in [&again, &copy] {
            let mut tx = store.read().await.unwrap();
            let items = tx.query("SELECT id FROM item", params![]).await.unwrap();
            assert_eq!(items.len(), 1);
        }
    }

    #[tokio::test]
    async fn the_log_is_where_its_name_says_and_grows() {
        let database = TestDatabase::sqlite();
        let store = open(&database).await;
        let log = database.config().write_ahead_log().unwrap();
        let before = std::fs::metadata(&log).unwrap().len();
        insert(&store, "a", 1).await;
        assert!(std::fs::metadata(&log).unwrap().len() > before);
    }

    #[tokio::test]
    async fn the_file_and_its_log_are_for_the_owner_only() {
        let database = TestDatabase::sqlite();
        let store = open(&database).await;
        insert(&store, "a", 1).await;
        for entry in std::fs::read_dir(database.path().parent().unwrap()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused() {
        let database = TestDatabase::sqlite();
        std::fs::write(database.path(), "nothing that SQLite wrote".repeat(100)).unwrap();
        let refused = Store::open(database.config()).await.err().unwrap();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    }

    #[tokio::test]
    async fn a_missing_folder_is_refused() {
        let config = crate::DatabaseConfig::Sqlite {
            path: "/nowhere/warifu.db".into(),
        };
        assert!(matches!(
            Store::open(&config).await.err().unwrap(),
            StoreError::Config(_)
        ));
    }

    #[tokio::test]
    async fn a_full_disk_is_told() {
        let database = TestDatabase::sqlite();
        let store = open(&database).await;
        let mut tx = store.begin().await.unwrap();
        tx.script("PRAGMA max_page_count = 8;").await.unwrap();
        let big = vec![0_u8; 1 << 20];
        let sql = "INSERT INTO item (id, amount, sealed, done) VALUES ($1, 1, $2, FALSE)";
        assert!(matches!(
            tx.execute(sql, params!["a", big]).await,
            Err(StoreError::Full)
        ));
    }
}

mod address {
    use super::*;
    use crate::{DatabaseConfig, PostgresConfig};

    fn postgres(url: &str) -> DatabaseConfig {
        DatabaseConfig::Postgres(PostgresConfig {
            url: url.to_owned(),
            pool_max: 1,
            tls_roots: None,
        })
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told() {
        // Port 1 of loopback: nothing listens there.
        let refused = Store::open(&postgres(
            "postgres://u:canary@127.0.0.1:1/db?sslmode=disable",
        ))
        .await
        .err()
        .unwrap();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        assert!(!refused.to_string().contains("canary"));
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_read_is_not_quoted() {
        let refused = Store::open(&postgres("postgres://u:canary@127.0.0.1/db?sslmode=maybe"))
            .await
            .err()
            .unwrap();
        assert!(matches!(refused, StoreError::Config(_)), "{refused}");
        assert!(!refused.to_string().contains("canary"));
    }

    #[tokio::test]
    async fn a_server_without_encryption_is_refused_unless_the_address_allows_it() {
        let database = TestDatabase::postgres().await;
        let DatabaseConfig::Postgres(config) = database.config() else {
            panic!("PostgreSQL")
        };
        for mode in [
            "?sslmode=require",
            "?sslmode=verify-full",
            "?sslmode=prefer",
            "",
        ] {
            let url = config.url.replace("?sslmode=disable", mode);
            let refused = Store::open(&postgres(&url)).await.err().unwrap();
            assert!(
                matches!(refused, StoreError::Unavailable(_) | StoreError::Config(_)),
                "{mode}: {refused}"
            );
        }
    }
}
