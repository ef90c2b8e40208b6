//! The two databases end up with the same tables, columns, keys and indexes, but for what is named here.

use std::collections::BTreeSet;

use crate::testing::TestDatabase;
use crate::{Store, params};

/// Facts of one of them alone: nodes that write to PostgreSQL at the same moment may give two events the same number (`EventPlace`).
const DIFFER: [&str; 3] = [
    "audit INDEX event_no",
    "audit.event_no BIGINT NOT NULL",
    "audit.event_no BIGINT NOT NULL KEY 1",
];

#[tokio::test]
async fn both_databases_have_the_same_catalogue() {
    let sqlite = TestDatabase::sqlite().store().await;
    let postgres = TestDatabase::postgres().await.store().await;
    let (sqlite, postgres) = (of_sqlite(&sqlite).await, of_postgres(&postgres).await);
    assert!(
        sqlite
            .iter()
            .any(|line| line.starts_with("schema_migration.number BIGINT")),
        "{sqlite:#?}"
    );
    let differ: Vec<_> = sqlite.symmetric_difference(&postgres).collect();
    assert_eq!(differ, DIFFER.each_ref());
}

/// One line per fact, in the words of our SQL.
async fn of_sqlite(store: &Store) -> BTreeSet<String> {
    facts(
        store,
        "SELECT m.name || '.' || c.name || ' ' || CASE c.type WHEN 'INTEGER' THEN 'BIGINT' ELSE c.type END || CASE WHEN c.\"notnull\" = 1 THEN ' NOT NULL' ELSE '' END
             || CASE WHEN c.pk > 0 THEN ' KEY ' || c.pk ELSE '' END AS fact
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
         UNION ALL
         SELECT m.name || ' INDEX ' || CASE WHEN i.\"unique\" = 1 THEN 'UNIQUE ' ELSE '' END
             || (SELECT group_concat(x.name, ',' ORDER BY x.seqno) FROM pragma_index_info(i.name) x)
             || CASE WHEN i.partial = 1 THEN ' PARTIAL' ELSE '' END AS fact
         FROM sqlite_schema m JOIN pragma_index_list(m.name) i
         WHERE m.type = 'table' AND i.origin <> 'pk'
         UNION ALL
         SELECT m.name || '.' || f.\"from\" || ' REFERENCES ' || f.\"table\" || '.' || f.\"to\" AS fact
         FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f
         WHERE m.type = 'table'",
    )
    .await
}

async fn of_postgres(store: &Store) -> BTreeSet<String> {
    facts(
        store,
        "SELECT c.relname || '.' || a.attname || ' '
             || CASE format_type(a.atttypid, a.atttypmod) WHEN 'bytea' THEN 'BLOB' ELSE upper(format_type(a.atttypid, a.atttypmod)) END
             || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
             || coalesce((SELECT ' KEY ' || k.place FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
                          WHERE i.indrelid = c.oid AND i.indisprimary AND k.attnum = a.attnum), '') AS fact
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
         SELECT c.relname || ' INDEX ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END
             || (SELECT string_agg(a.attname, ',' ORDER BY k.place)
                 FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum)
             || CASE WHEN i.indpred IS NOT NULL THEN ' PARTIAL' ELSE '' END AS fact
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
         UNION ALL
         SELECT c.relname || '.' || a.attname || ' REFERENCES ' || t.relname || '.' || b.attname AS fact
         FROM pg_constraint f
         JOIN pg_class c ON c.oid = f.conrelid
         JOIN pg_class t ON t.oid = f.confrelid
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
         JOIN pg_attribute b ON b.attrelid = t.oid AND b.attnum = f.confkey[1]
         WHERE f.contype = 'f'",
    )
    .await
}

async fn facts(store: &Store, sql: &'static str) -> BTreeSet<String> {
    let rows = store
        .read()
        .await
        .unwrap()
        .query(sql, params![])
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.text("fact").unwrap().to_owned())
        .collect()
}
