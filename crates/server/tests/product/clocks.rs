//! Time that went wrong: a token whose clock is off (R17), and a database that was set back (R23).

use serde_json::json;
use warifu_core::time::MINUTE_MS;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask, Reply, of};

on_both_databases! {
    r17_two_consecutive_codes_bring_a_token_back_whose_clock_is_off,
    r17_two_codes_that_are_not_consecutive_count_as_one_wrong_one,
    r23_behind_the_fence_no_code_of_before_is_accepted_and_later_ones_are,
}

async fn resynchronise(api: &Api, codes: [&str; 2]) -> Reply {
    let path = of("hanako", "resynchronise");
    api.ask(Ask::post(&path, &json!({ "codes": codes }))).await
}

async fn r17_two_consecutive_codes_bring_a_token_back_whose_clock_is_off(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let behind = |minutes: i64| api.bank.app.now().plus_ms(-minutes * MINUTE_MS);
    let lone = api.verify("hanako", &phone.code(behind(5))).await;
    assert_eq!(lone.json["verdict"], "wrong");

    let codes = [phone.code(behind(5)), phone.code(behind(4))];
    let (path, body) = (of("hanako", "resynchronise"), json!({ "codes": codes }));
    let named = || Ask::post(&path, &body).with("idempotency-key", "found");
    let found = api.ask(named()).await;
    assert_eq!(found.json["verdict"], "accepted", "{found:?}");
    // R21: the same request under the same key.
    assert_eq!(api.ask(named()).await.json, found.json);
    let again = resynchronise(&api, [&codes[0], &codes[1]]).await;
    assert_eq!(again.json["verdict"], "already_used", "both are used up");

    api.bank.clock.advance(10 * MINUTE_MS);
    let there = api.verify("hanako", &phone.code(behind(4))).await;
    assert_eq!(there.json["verdict"], "accepted", "{there:?}");
}

async fn r17_two_codes_that_are_not_consecutive_count_as_one_wrong_one(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let at = |minutes: i64| phone.code(api.bank.app.now().plus_ms(minutes * MINUTE_MS));
    let (first, third) = (at(2), at(4));
    let reply = resynchronise(&api, [&first, &third]).await;
    assert_eq!(
        (&reply.json["verdict"], &reply.json["tries_left"]),
        (&json!("wrong"), &json!(4))
    );
    let no_code = resynchronise(&api, ["12345", &first]).await;
    assert_eq!(no_code.refusal(), (422, "code_format"));
    let counter = api.bank.token("hanako").await.unwrap().counter;
    assert_eq!((counter.failures, counter.drift), (1, 0));
}

async fn r23_behind_the_fence_no_code_of_before_is_accepted_and_later_ones_are(
    database: TestDatabase,
) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let copy = api.bank.token("hanako").await.unwrap().counter;
    let used = phone.code(api.bank.app.now());
    let reply = api.verify("hanako", &used).await;
    assert_eq!(reply.json["verdict"], "accepted");

    // The database is set back to the copy that was made before.
    let mut tx = api.bank.app.store().begin().await.unwrap();
    let id = warifu_core::id::TokenId::from_stored(phone.token_id.clone());
    let now = api.bank.token("hanako").await.unwrap().counter;
    let restored = warifu_core::verification::Counter {
        version: now.version + 1,
        ..copy
    };
    assert!(tx.swap_counter(&id, now.version, &restored).await.unwrap());
    tx.commit().await.unwrap();

    let fenced = api.bank.app.raise_fences(None).await.unwrap();
    assert_eq!(fenced.len(), 1);
    let reply = api.verify("hanako", &used).await;
    assert_eq!(reply.json["verdict"], "already_used", "{reply:?}");
    let counter = api.bank.token("hanako").await.unwrap().counter;
    assert_eq!(counter.failures, 0, "nobody is suspended by a fence");

    api.bank.set_clock(fenced[0].ends_at);
    let after = api.verify("hanako", &phone.code(api.bank.app.now())).await;
    assert_eq!(after.json["verdict"], "accepted", "{after:?}");
    let recorded = api.bank.outcomes("service", "test-bank", "fence").await;
    assert_eq!(recorded, ["done"]);
}
