//! A code judged for a relying system: every verdict, what it tells, and what is never judged (J10, R12, R21, R25, R28).

use serde_json::{Value, json};
use warifu_core::service::Policy;
use warifu_core::time::{DAY_MS, MINUTE_MS};
use warifu_core::token::{RevokedBy, TokenState};
use warifu_server::app::api_clients::ClientPlan;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask, Reply, ask, client, node, of, plan};
use crate::bank::Bank;

on_both_databases! {
    every_verdict_tells_what_the_bank_needs_to_know,
    the_short_way_answers_as_the_long_one,
    r28_what_is_no_code_is_neither_judged_nor_counted,
    r21_a_repeated_request_gets_the_same_answer_and_the_code_is_used_once,
    r21_two_requests_at_once_under_one_key_are_judged_once,
    r34_where_only_a_revocation_helps_nobody_is_named,
    r21_a_repeated_suspension_names_who_can_release_as_the_first_one_did,
    r12_a_code_that_many_callers_send_at_once_is_accepted_once,
    r27_a_user_who_is_disabled_or_has_no_token_is_told_as_such,
    a_new_token_is_told_with_its_age_and_its_cool_off,
}

async fn every_verdict_tells_what_the_bank_needs_to_know(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    api.bank.clock.advance(90_000);
    let now = api.bank.app.now();
    let right = phone.code(now);
    let accepted = api.verify("hanako", &right).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(
        accepted.json,
        json!({ "verdict": "accepted", "tries_left": 5, "just_suspended": false, "token_id": phone.token_id,
            "activated_at": "2026-11-20T03:00:00Z", "token_age": 90, "cool_off_until": null, "releasers": null,
            "reopens_at": null })
    );
    let used = api.verify("hanako", &right).await;
    assert_eq!(
        (&used.json["verdict"], &used.json["tries_left"]),
        (&json!("already_used"), &json!(5))
    );
    let wrong = phone.wrong_code(now);
    for left in (1..5).rev() {
        let reply = api.verify("hanako", &wrong).await;
        assert_eq!(
            (&reply.json["verdict"], &reply.json["tries_left"]),
            (&json!("wrong"), &json!(left))
        );
    }
    for just in [true, false] {
        let reply = api.verify("hanako", &wrong).await;
        assert_eq!(reply.json["verdict"], "suspended");
        assert_eq!(reply.json["just_suspended"], just);
        assert_eq!(reply.json["tries_left"], 0);
        assert_eq!(reply.json["releasers"], "master_or_administrator");
    }
    // One event for each (R84), in the name of the client.
    let outcomes = api.bank.outcomes("token", &phone.token_id, "verify").await;
    assert_eq!(
        outcomes,
        [
            "accepted",
            "already_used",
            "suspended",
            "suspended_now",
            "wrong",
            "wrong",
            "wrong",
            "wrong"
        ]
    );
    let mut tx = api.bank.app.store().read().await.unwrap();
    let events = tx.events_of("token", &phone.token_id).await.unwrap();
    let verified = events.iter().filter(|event| event.action == "verify");
    assert!(verified.clone().all(|event| event.actor_kind == "client"
        && event.address.as_deref() == Some("192.0.2.1")
        && event.request_id.len() == 16));
    drop(tx);
    let told: Vec<_> = api
        .bank
        .notices()
        .await
        .into_iter()
        .filter(|(notice, _)| notice == "suspended")
        .collect();
    assert!(!told.is_empty());
}

/// A plain verification goes past the router; a query, which means nothing here, sends it the ordinary way.
async fn the_short_way_answers_as_the_long_one(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let now = api.bank.app.now();
    let limited = ClientPlan {
        requests_per_s: 5,
        ..plan("limited", "verify")
    };
    let reading = plan("reading", "read");
    let keys = [
        api.key.clone(),
        client(&api.bank.app, &limited).await,
        client(&api.bank.app, &reading).await,
    ];
    let codes = [phone.code(now), phone.wrong_code(now), "12345".to_owned()];
    // The first code is used up before, so that it is the same to both; the first request makes the node remember its key.
    api.verify("hanako", &codes[0]).await;
    for key in &keys {
        for code in &codes {
            for login in ["hanako", "nobody", "ICHIRO"] {
                let path = of(login, "verify");
                let long = format!("{path}?long");
                let body = json!({ "code": code });
                let ask = |path| {
                    let named = Ask::post(path, &body).with("idempotency-key", "one");
                    [Ask::post(path, &body).key(key), named.key(key)]
                };
                for (short, long) in ask(&path).into_iter().zip(ask(&long)) {
                    // A second later, so that both find the same of the limit.
                    api.bank.clock.advance(1_000);
                    let short = api.ask(short.with("accept-language", "ja")).await;
                    api.bank.clock.advance(1_000);
                    let long = api.ask(long.with("accept-language", "ja")).await;
                    assert_eq!(alike(&short), alike(&long));
                }
            }
        }
    }
}

/// An answer without what is another one's each time.
fn alike(reply: &Reply) -> (u16, Vec<(String, String)>, Value) {
    let mut headers: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let mut json = reply.json.clone();
    for changing in [
        "instance",
        "request_id",
        "detail",
        "tries_left",
        "token_age",
    ] {
        if let Some(member) = json.get_mut(changing) {
            *member = Value::Null;
        }
    }
    (reply.status.as_u16(), headers, json)
}

async fn r28_what_is_no_code_is_neither_judged_nor_counted(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let events = api.bank.events().await;
    let right = phone.code(api.bank.app.now());
    let wide: String = right
        .chars()
        .map(|c| char::from_u32(c as u32 + 0xfee0).unwrap())
        .collect();
    for text in [
        "",
        "12345",
        "1234567",
        "12345a",
        " 123456",
        "１２３４５６",
        &wide,
        &format!("{right} "),
    ] {
        let reply = api.verify("hanako", text).await;
        assert_eq!(reply.refusal(), (422, "code_format"), "{text}");
        assert!(!reply.text.contains(&right));
    }
    assert_eq!(api.bank.events().await, events);
    assert_eq!(api.bank.token("hanako").await.unwrap().counter.failures, 0);
    let path = of("hanako", "verify");
    for (body, refusal) in [
        ("", (400, "request_body")),
        ("{\"code\": ", (400, "request_body")),
        ("{\"code\": 123456}", (422, "request_fields")),
        ("{}", (422, "request_fields")),
        (
            "{\"code\": \"123456\", \"more\": 1}",
            (422, "request_fields"),
        ),
        ("[]", (422, "request_fields")),
    ] {
        let asked = Ask {
            body: Some(body.to_owned()),
            ..Ask::post(&path, &Value::Null)
        };
        let reply = api.ask(asked).await;
        assert_eq!(reply.refusal(), refusal, "{body}");
        assert!(!reply.text.contains("123456"));
    }
    let form = Ask {
        headers: vec![("content-type", "text/plain")],
        ..Ask::post(&path, &json!({ "code": right }))
    };
    assert_eq!(api.ask(form).await.refusal(), (415, "media_type"));
    let large = Ask {
        body: Some(" ".repeat(1 << 20)),
        ..Ask::post(&path, &Value::Null)
    };
    assert_eq!(api.ask(large).await.refusal(), (413, "body_too_large"));
    assert_eq!(api.get(&path).await.refusal(), (405, "method_not_allowed"));
    assert_eq!(api.get(&path).await.header("allow"), "POST");
    assert_eq!(api.get("/nowhere").await.refusal(), (404, "not_found"));
    assert_eq!(
        api.verify("nobody", "123456").await.refusal(),
        (404, "not_found")
    );
}

async fn r21_a_repeated_request_gets_the_same_answer_and_the_code_is_used_once(
    database: TestDatabase,
) {
    let mut api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let path = of("hanako", "verify");
    let body = json!({ "code": phone.code(api.bank.app.now()) });
    let asked = || Ask::post(&path, &body).with("idempotency-key", "order-1");
    let first = api.ask(asked()).await;
    assert_eq!(first.json["verdict"], "accepted");
    let events = api.bank.events().await;
    api.bank.clock.advance(5 * MINUTE_MS);
    // Also on another node, and after a restart.
    let other = node(&api.bank.node().await);
    assert_eq!(ask(&other, asked().key(&api.key)).await.json, first.json);
    api.bank.restart().await;
    let again = node(&api.bank.app);
    assert_eq!(ask(&again, asked().key(&api.key)).await.json, first.json);
    assert_eq!(api.bank.events().await, events);
    // Another request under the same key is a mistake, and the same code under another key was used.
    let other_body = json!({ "code": "000000" });
    let reused = api
        .ask(Ask::post(&path, &other_body).with("idempotency-key", "order-1"))
        .await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused"));
    let elsewhere = of("jiro", "verify");
    let reused = api
        .ask(Ask::post(&elsewhere, &body).with("idempotency-key", "order-1"))
        .await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused"));
    let used = api
        .ask(Ask::post(&path, &body).with("idempotency-key", "order-2"))
        .await;
    assert_ne!(used.json["verdict"], "accepted");
    let long = "x".repeat(256);
    for wrong in ["", "with space", &long] {
        let reply = api
            .ask(Ask::post(&path, &body).with("idempotency-key", wrong))
            .await;
        assert_eq!(reply.refusal(), (422, "idempotency_key_format"), "{wrong}");
    }
    // After a day the housekeeping forgets the answer; the code stays used.
    api.bank.clock.advance(DAY_MS + MINUTE_MS);
    api.bank.app.keep_house().await.unwrap();
    let late = api.ask(asked()).await;
    assert_eq!(late.json["verdict"], "wrong");
}

async fn r21_a_repeated_suspension_names_who_can_release_as_the_first_one_did(
    database: TestDatabase,
) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let other = node(&api.bank.node().await);
    let body = json!({ "code": phone.wrong_code(api.bank.app.now()) });
    let path = of("hanako", "verify");
    for _ in 0..4 {
        api.ask(Ask::post(&path, &body)).await;
    }
    for (name, just) in [("the-last-try", true), ("one-more", false)] {
        let asked = || Ask::post(&path, &body).with("idempotency-key", name);
        let first = api.ask(asked()).await;
        assert_eq!(first.json["verdict"], "suspended");
        assert_eq!(first.json["just_suspended"], just);
        assert_eq!(first.json["releasers"], "master_or_administrator");
        let repeated = ask(&other, asked().key(&api.key)).await;
        assert_eq!(repeated.json, first.json);
    }
}

async fn r21_two_requests_at_once_under_one_key_are_judged_once(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let nodes = [node(&api.bank.app), node(&api.bank.node().await)];
    let path = of("hanako", "verify");
    for round in 0..4 {
        let now = api.bank.app.now();
        let code = if round % 2 == 0 {
            phone.code(now)
        } else {
            phone.wrong_code(now)
        };
        let body = json!({ "code": code });
        let name = format!("round-{round}");
        let asked = |at: usize| {
            ask(
                &nodes[at % 2],
                Ask::post(&path, &body)
                    .with("idempotency-key", &name)
                    .key(&api.key),
            )
        };
        let before = api.bank.events().await;
        let replies = tokio::join!(asked(0), asked(1), asked(2), asked(3), asked(4), asked(5));
        let replies = [
            replies.0, replies.1, replies.2, replies.3, replies.4, replies.5,
        ];
        for reply in &replies {
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_eq!(reply.json, replies[0].json);
        }
        assert_eq!(api.bank.events().await, before + 1);
        api.bank.clock.advance(2 * MINUTE_MS);
    }
}

async fn r34_where_only_a_revocation_helps_nobody_is_named(database: TestDatabase) {
    let policy = Policy {
        run_max: 5,
        ..Policy::manual()
    };
    let api = Api::of(Bank::with_policy(database, policy).await).await;
    let phone = api.bank.phone("hanako").await;
    let wrong = phone.wrong_code(api.bank.app.now());
    for _ in 0..4 {
        api.verify("hanako", &wrong).await;
    }
    for just in [true, false] {
        let reply = api.verify("hanako", &wrong).await;
        assert_eq!(
            (&reply.json["just_suspended"], &reply.json["releasers"]),
            (&json!(just), &json!("nobody"))
        );
    }
    let told = api.get(&of("hanako", "token")).await;
    assert_eq!(told.json["state"], "suspended", "{told:?}");
    let path = of("hanako", "");
    let user = api.get(path.trim_end_matches('/')).await;
    assert_eq!(user.json["token"]["releasers"], "nobody", "{user:?}");
}

async fn r12_a_code_that_many_callers_send_at_once_is_accepted_once(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let nodes = [node(&api.bank.app), node(&api.bank.node().await)];
    let path = of("hanako", "verify");
    let body = json!({ "code": phone.code(api.bank.app.now()) });
    let asked = |at: usize| ask(&nodes[at % 2], Ask::post(&path, &body).key(&api.key));
    let replies = tokio::join!(asked(0), asked(1), asked(2), asked(3));
    let verdicts =
        [replies.0, replies.1, replies.2, replies.3].map(|reply| reply.json["verdict"].clone());
    let accepted = verdicts
        .iter()
        .filter(|verdict| **verdict == "accepted")
        .count();
    let used = verdicts
        .iter()
        .filter(|verdict| **verdict == "already_used")
        .count();
    assert_eq!((accepted, used), (1, 3), "{verdicts:?}");
}

async fn r27_a_user_who_is_disabled_or_has_no_token_is_told_as_such(database: TestDatabase) {
    let api = Api::open(database).await;
    let none = api.verify("jiro", "123456").await;
    assert_eq!(
        (&none.json["verdict"], &none.json["reopens_at"]),
        (&json!("no_token"), &Value::Null)
    );
    let now = api.bank.app.now();
    let revoked = TokenState::Revoked {
        revoked_at: now,
        by: RevokedBy::Person,
    };
    api.bank.hollow_token("jiro", revoked).await;
    let user = api.bank.user("jiro").await;
    api.bank
        .sql(
            "UPDATE app_user SET reopens_at_ms = $1 WHERE user_id = $2",
            warifu_store::params![now.plus_ms(20 * MINUTE_MS).0, user.id.as_str()],
        )
        .await;
    let none = api.verify("jiro", "123456").await;
    assert_eq!(none.json["verdict"], "no_token");
    assert_eq!(none.json["reopens_at"], "2026-11-20T03:20:00Z");
    assert_eq!(none.json["tries_left"], 0, "no try helps");
    let phone = api.bank.phone("hanako").await;
    let hanako = api.bank.user("hanako").await;
    api.bank
        .sql(
            "UPDATE app_user SET disabled = $1 WHERE user_id = $2",
            warifu_store::params![true, hanako.id.as_str()],
        )
        .await;
    let disabled = api.verify("hanako", &phone.code(now)).await;
    assert_eq!(disabled.json["verdict"], "disabled");
    assert_eq!(
        (&disabled.json["tries_left"], &disabled.json["token_id"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(
        api.bank
            .outcomes("user", hanako.id.as_str(), "verify")
            .await,
        ["disabled"]
    );
    assert_eq!(
        api.bank.outcomes("user", user.id.as_str(), "verify").await,
        ["no_token", "no_token"]
    );
}

async fn a_new_token_is_told_with_its_age_and_its_cool_off(database: TestDatabase) {
    let policy = Policy {
        cool_off_ms: DAY_MS,
        ..Policy::manual()
    };
    let api = Api::of(Bank::with_policy(database, policy).await).await;
    let phone = api.bank.phone("hanako").await;
    let told = api.verify("hanako", &phone.code(api.bank.app.now())).await;
    assert_eq!(told.json["cool_off_until"], "2026-11-21T03:00:00Z");
    api.bank.clock.advance(DAY_MS);
    let told = api.verify("hanako", &phone.code(api.bank.app.now())).await;
    assert_eq!(
        (
            &told.json["verdict"],
            &told.json["cool_off_until"],
            &told.json["token_age"]
        ),
        (&json!("accepted"), &Value::Null, &json!(86_400))
    );
}
