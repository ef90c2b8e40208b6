//! Migrations: applied once, in order, by whoever comes first, and never on a schema that is not ours.

use std::collections::HashMap;

use tokio::task::JoinSet;
use warifu_core::id::{ServiceId, TokenId};
use warifu_core::issuance::Issuance;
use warifu_core::oath::{Algorithm, Parameters};
use warifu_core::time::UnixMillis;
use warifu_core::token::{Standing, TokenState};

use super::hot::bearer_of;
use super::sample::{NOW, store_contract, store_issuance, store_token, store_user};
use crate::migrate::{MIGRATIONS, Migration};
use crate::testing::TestDatabase;
use crate::{CounterNo, EventPlace, Store, StoreError, StoredSeed, Tx, on_both_databases, params};

on_both_databases! {
    migrating_twice_changes_nothing,
    nodes_that_start_together_migrate_once,
    a_later_migration_is_added,
    a_schema_of_a_later_program_is_refused,
    a_changed_migration_is_refused,
    a_schema_that_is_behind_is_told,
    a_failing_migration_leaves_nothing,
    counters_and_events_are_kept_when_counters_get_numbers,
    tokens_that_live_are_found_as_before_when_bearers_come,
    nodes_of_before_touch_no_token_when_bearers_came,
    clients_lose_the_scope_that_opened_nothing_and_no_other,
}

const FIRST: Migration = Migration {
    number: 1,
    name: "first",
    sql: "CREATE TABLE a (id TEXT NOT NULL PRIMARY KEY, b {BLOB});",
};
const SECOND: Migration = Migration {
    number: 2,
    name: "second",
    sql: "CREATE TABLE c (id TEXT NOT NULL PRIMARY KEY); INSERT INTO c (id) VALUES ('one;two');",
};

async fn applied(store: &Store) -> Vec<(i64, i64)> {
    let mut tx = store.read().await.unwrap();
    let rows = tx
        .query(
            "SELECT number, applied_at_ms FROM schema_migration ORDER BY number",
            params![],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.int("number").unwrap(),
                row.int("applied_at_ms").unwrap(),
            )
        })
        .collect()
}

async fn migrating_twice_changes_nothing(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&[FIRST, SECOND], 10).await.unwrap();
    store.migrate_with(&[FIRST, SECOND], 20).await.unwrap();
    assert_eq!(applied(&store).await, [(1, 10), (2, 10)]);
    store.check_schema_with(&[FIRST, SECOND]).await.unwrap();
}

async fn nodes_that_start_together_migrate_once(database: TestDatabase) {
    let mut nodes = JoinSet::new();
    for node in 0..6 {
        let store = database.open().await;
        nodes.spawn(async move { store.migrate_with(&[FIRST, SECOND], node).await });
    }
    for outcome in nodes.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(applied(&database.open().await).await.len(), 2);
}

async fn a_later_migration_is_added(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&[FIRST], 10).await.unwrap();
    store.migrate_with(&[FIRST, SECOND], 20).await.unwrap();
    assert_eq!(applied(&store).await, [(1, 10), (2, 20)]);
    let mut tx = store.read().await.unwrap();
    assert_eq!(
        tx.query_one("SELECT id FROM c", params![])
            .await
            .unwrap()
            .unwrap()
            .text("id")
            .unwrap(),
        "one;two"
    );
}

async fn a_schema_of_a_later_program_is_refused(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&[FIRST, SECOND], 10).await.unwrap();
    let refused = store.migrate_with(&[FIRST], 20).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::SchemaUnknown { found: 2, known: 1 })
        ),
        "{refused:?}"
    );
    assert_eq!(applied(&store).await.len(), 2);
}

async fn a_changed_migration_is_refused(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&[FIRST], 10).await.unwrap();
    let changed = Migration {
        sql: "CREATE TABLE other (id TEXT NOT NULL PRIMARY KEY);",
        ..FIRST
    };
    let refused = store.migrate_with(&[changed, SECOND], 20).await;
    assert!(
        matches!(refused, Err(StoreError::SchemaChanged { number: 1 })),
        "{refused:?}"
    );
    assert_eq!(applied(&store).await.len(), 1);
}

async fn a_schema_that_is_behind_is_told(database: TestDatabase) {
    let store = database.open().await;
    let refused = store.check_schema_with(&[FIRST]).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::SchemaBehind { found: 0, known: 1 })
        ),
        "{refused:?}"
    );
    store.migrate_with(&[FIRST], 10).await.unwrap();
    let refused = store.check_schema_with(&[FIRST, SECOND]).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::SchemaBehind { found: 1, known: 2 })
        ),
        "{refused:?}"
    );
}

async fn a_failing_migration_leaves_nothing(database: TestDatabase) {
    let store = database.open().await;
    let broken = Migration {
        sql: "CREATE TABLE c (id TEXT NOT NULL PRIMARY KEY); INSERT INTO missing (id) VALUES (1);",
        ..SECOND
    };
    store.migrate_with(&[FIRST, broken], 10).await.unwrap_err();
    assert_eq!(applied(&store).await, [(1, 10)]);
    store.migrate_with(&[FIRST, SECOND], 20).await.unwrap();
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    let numbers: Vec<i64> = MIGRATIONS
        .iter()
        .map(|migration| migration.number)
        .collect();
    assert_eq!(numbers, (1..).take(MIGRATIONS.len()).collect::<Vec<i64>>());
}

/// A token as it was before counters had numbers.
async fn insert_named_token(tx: &mut Tx, id: &str, issuance: &Issuance) {
    tx.execute(
        "INSERT INTO token (token_id, service_id, user_id, issuance_id, algorithm, digits, step_s, sealed_seed, sealed_device_key,
             activated_at_ms, suspended_at_ms)
         VALUES ($1, $2, $3, $4, 'sha1', 6, 60, $5, $6, 1, 2)",
        params![
            id,
            &issuance.service_id,
            &issuance.user_id,
            &issuance.id,
            id.as_bytes(),
            b"key".as_slice()
        ],
    )
    .await
    .unwrap();
    tx.execute(
        "INSERT INTO counter (token_id, version, last_step, failures, run_since_success, drift, standing)
         VALUES ($1, 5, $2, 2, 3, -1, 'suspended')",
        params![id, i64::from(id.as_bytes()[0])],
    )
    .await
    .unwrap();
}

async fn tokens_that_live_are_found_as_before_when_bearers_come(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&MIGRATIONS[..4], 10).await.unwrap();
    let contract = store_contract(&store).await;
    let mut users = Vec::new();
    for (id, seed) in ["b", "a", "c", "d"].into_iter().zip(0..) {
        let user = store_user(&store, &contract, &format!("user{seed}")).await;
        let issuance = store_issuance(&store, &user, seed).await;
        let mut tx = store.begin().await.unwrap();
        insert_named_token(&mut tx, id, &issuance).await;
        tx.commit().await.unwrap();
        users.push(user);
    }
    store.migrate_with(&MIGRATIONS[..5], 15).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for sql in [
        "UPDATE token SET revoked_at_ms = 3, revoked_by = 'person' WHERE token_id = 'a'",
        "UPDATE token SET counter_no = NULL WHERE token_id = 'c'",
        "UPDATE token SET expires_at_ms = 77, activated_at_ms = 66, digits = 8, step_s = 30, algorithm = 'sha256' WHERE token_id = 'd'",
    ] {
        assert_eq!(tx.execute(sql, params![]).await.unwrap(), 1, "{sql}");
    }
    let mut numbers = HashMap::new();
    for row in tx
        .query("SELECT token_id, counter_no FROM token", params![])
        .await
        .unwrap()
    {
        let number = row.opt_int("counter_no").unwrap().map(CounterNo);
        numbers.insert(row.text("token_id").unwrap().to_owned(), number);
    }
    tx.commit().await.unwrap();

    store.migrate(20).await.unwrap();
    let mut tx = store.read().await.unwrap();
    let parameters = |algorithm, digits, step_s| Parameters {
        algorithm,
        digits,
        step_s,
    };
    let old = parameters(Algorithm::Sha1, 6, 60);
    let other = parameters(Algorithm::Sha256, 8, 30);
    for (user, token) in users.iter().zip([
        Some(("b", old, 1, None)),
        None,
        Some(("c", old, 1, None)),
        Some(("d", other, 66, Some(77))),
    ]) {
        let bearer = bearer_of(&mut tx, user).await;
        assert_eq!(
            (&bearer.user_id, &bearer.contract_id),
            (&user.id, &user.contract_id)
        );
        let expected = token.map(|(id, parameters, activated_at, expires_at)| StoredSeed {
            token_id: TokenId::from_stored(id),
            counter_no: numbers[id],
            parameters,
            activated_at: UnixMillis(activated_at),
            expires_at: expires_at.map(UnixMillis),
            sealed_seed: id.as_bytes().to_vec(),
        });
        assert_eq!(bearer.token, expected);
    }
}

/// What a node of before would do to tokens, on the schema that it does not know.
async fn nodes_of_before_touch_no_token_when_bearers_came(database: TestDatabase) {
    let store = database.store().await;
    for sql in [
        "SELECT token_id, revoked_by FROM token",
        "UPDATE token SET revoked_at_ms = 1, revoked_by = 'person'",
        "INSERT INTO token (token_id, service_id, user_id, issuance_id, algorithm, digits, step_s, sealed_seed, sealed_device_key, activated_at_ms)
         SELECT token_id, service_id, user_id, issuance_id, algorithm, digits, step_s, sealed_device_key, sealed_device_key, 1 FROM token",
        "SELECT token_id, sealed_seed FROM token",
    ] {
        let mut tx = store.begin().await.unwrap();
        let refused = tx.query(sql, params![]).await;
        assert!(matches!(refused, Err(StoreError::Statement(_))), "{sql}: {refused:?}");
    }
}

async fn clients_lose_the_scope_that_opened_nothing_and_no_other(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&MIGRATIONS[..7], 10).await.unwrap();
    let given = ["verify events webhooks", "webhooks", "read"];
    let mut tx = store.begin().await.unwrap();
    for scopes in given {
        tx.execute(
            "INSERT INTO api_client (client_id, name, scopes, networks, requests_per_s, disabled, created_at_ms, version)
             VALUES ($1, $1, $1, '', 0, FALSE, 1, 1)",
            params![scopes],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();

    store.migrate(20).await.unwrap();
    let mut tx = store.read().await.unwrap();
    for (name, scopes, version) in [
        (given[0], "verify events", 2),
        (given[1], "", 2),
        (given[2], "read", 1),
    ] {
        let client = tx.api_client_by_name(name).await.unwrap().unwrap();
        assert_eq!(
            (client.scopes.to_string().as_str(), client.version),
            (scopes, version)
        );
    }
}

/// A node of before is at work while another one migrates: what it commits is not lost, whenever that is.
#[tokio::test]
async fn r13_what_another_node_accepts_meanwhile_is_kept_when_counters_get_numbers() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    store.migrate_with(&MIGRATIONS[..4], 10).await.unwrap();
    let contract = store_contract(&store).await;
    let user = store_user(&store, &contract, "user").await;
    let issuance = store_issuance(&store, &user, 1).await;
    let mut tx = store.begin().await.unwrap();
    insert_named_token(&mut tx, "a", &issuance).await;
    tx.commit().await.unwrap();

    let mut accepts = store.begin().await.unwrap();
    let accept = "UPDATE counter SET last_step = 700, version = 6 WHERE token_id = 'a'";
    assert_eq!(accepts.execute(accept, params![]).await.unwrap(), 1);
    let migrates = tokio::spawn({
        let store = store.clone();
        async move { store.migrate(20).await }
    });
    // Until it waits for the node that accepts.
    let waits = "SELECT COUNT(pid) AS waiting FROM pg_locks WHERE NOT granted";
    let mut waiting = 0;
    while waiting == 0 {
        let mut look = store.read().await.unwrap();
        let row = look.query_one(waits, params![]).await.unwrap().unwrap();
        waiting = row.int("waiting").unwrap();
    }
    accepts.commit().await.unwrap();
    migrates.await.unwrap().unwrap();
    let mut tx = store.read().await.unwrap();
    let stored = tx.token(&TokenId::from_stored("a")).await.unwrap().unwrap();
    assert_eq!((stored.counter.last_step, stored.counter.version), (700, 6));
}

async fn counters_and_events_are_kept_when_counters_get_numbers(database: TestDatabase) {
    let store = database.open().await;
    store.migrate_with(&MIGRATIONS[..4], 10).await.unwrap();
    let contract = store_contract(&store).await;
    let mut issuances = Vec::new();
    for seed in 0..3 {
        let user = store_user(&store, &contract, &format!("user{seed}")).await;
        issuances.push(store_issuance(&store, &user, seed).await);
    }
    let mut tx = store.begin().await.unwrap();
    // Activated in another order than the ids have.
    for (id, issuance) in ["b", "c", "a"].into_iter().zip(&issuances) {
        insert_named_token(&mut tx, id, issuance).await;
    }
    // Two of one millisecond, and those of broken clocks.
    let bank = Some(&contract.service_id);
    for (id, at_ms, service) in [
        ("1", NOW.0, bank),
        ("2", NOW.0, None),
        ("3", NOW.0, bank),
        ("4", 0, bank),
        ("5", 1, bank),
        ("6", i64::MAX, bank),
    ] {
        tx.execute(
            "INSERT INTO audit (audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id)
             VALUES ($1, $2, $3, 'system', 'system', 'verify', 'token', 'a', 'wrong', 'r')",
            params![id, at_ms, service],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();

    store.migrate(20).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for id in ["a", "b", "c"] {
        let stored = tx.token(&TokenId::from_stored(id)).await.unwrap().unwrap();
        let counter = stored.counter;
        assert_eq!(
            (counter.version, counter.last_step, counter.failures),
            (5, i64::from(id.as_bytes()[0]), 2)
        );
        assert_eq!((counter.run_since_success, counter.drift), (3, -1));
        assert_eq!(counter.standing, Standing::Suspended);
    }
    assert_eq!(tx.count_events().await.unwrap(), 6);
    let last = tx.last_event_at().await.unwrap();
    assert_eq!(last, Some(UnixMillis(i64::MAX)));
    let none = ServiceId::parse("other").unwrap();
    let told = (NOW.plus_ms(1), NOW.plus_ms(1));
    let begin = EventPlace::default();
    for (service, events) in [
        (&contract.service_id, vec!["4", "5", "1", "3", "6"]),
        (&none, vec![]),
    ] {
        let found = tx.events_of_service_after(service, &begin, told, None, 9);
        let found = found.await.unwrap().events;
        let found: Vec<_> = found.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(found, events);
    }
    tx.commit().await.unwrap();
    // New numbers stand beside those that were given.
    let user = store_user(&store, &contract, "user9").await;
    store_token(&store, &user, 9, TokenState::Activated).await;
}
