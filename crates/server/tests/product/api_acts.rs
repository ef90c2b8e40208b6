//! What relying systems read and change: status, lists, events, releases, revocations, issuances (J10, R21, R40, R84).

use axum::http::Method;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use warifu_activation::client::Registration;
use warifu_activation::messages::RegistrationResponse;
use warifu_core::time::{MINUTE_MS, SECOND_MS};
use warifu_core::token::TokenState;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask, ask, node, of};
use crate::bank::{MAIL, SERVICE};
use crate::phone::{DIGITS, Phone, digits, finish, random};

on_both_databases! {
    the_status_of_a_user_tells_where_the_token_is,
    lists_come_in_pages_and_lose_nobody,
    a_release_is_told_to_all_and_recorded_once,
    a_revocation_ends_the_token_at_once_and_says_from_when_a_new_one_may_be,
    r21_a_repeated_release_or_revocation_gets_the_same_answer,
    r21_two_revocations_at_once_under_one_key_are_one,
    r45_an_issuance_through_the_bank_never_shows_the_password,
    an_issuance_is_mailed_again_and_cancelled,
    what_hinders_an_issuance_is_told,
    events_are_read_by_a_cursor_once_they_have_settled,
}

async fn the_status_of_a_user_tells_where_the_token_is(database: TestDatabase) {
    let api = Api::open(database).await;
    let user = format!("/services/{SERVICE}/users/hanako");
    let none = api.get(&user).await;
    assert_eq!(none.json["token"], Value::Null);
    assert_eq!(none.json["role"], "general");
    assert_eq!(
        api.get(&of("hanako", "token")).await.refusal(),
        (409, "no_token")
    );
    assert_eq!(
        api.get(&of("hanako", "issuance")).await.refusal(),
        (409, "no_issuance")
    );
    let phone = api.bank.phone("hanako").await;
    let token = api.get(&of("hanako", "token")).await;
    assert_eq!(
        (&token.json["state"], &token.json["tries_left"]),
        (&json!("activated"), &json!(5))
    );
    assert_eq!(token.json["token_id"], phone.token_id);
    assert_eq!(
        (
            &token.json["algorithm"],
            &token.json["digits"],
            &token.json["step_s"]
        ),
        (&json!("sha256"), &json!(6), &json!(60))
    );
    assert_eq!(
        api.get(&of("hanako", "issuance")).await.json["state"],
        "consumed"
    );
    let now = api.bank.app.now();
    api.verify("hanako", &phone.code(now)).await;
    let token = api.get(&of("hanako", "token")).await;
    assert_eq!(
        (&token.json["state"], &token.json["confirmed_at"]),
        (&json!("in_use"), &json!("2026-11-20T03:00:00Z"))
    );
    for _ in 0..5 {
        api.verify("hanako", &phone.wrong_code(now)).await;
    }
    let token = api.get(&of("hanako", "token")).await;
    assert_eq!(token.json["state"], "suspended");
    assert_eq!(
        (&token.json["run"], &token.json["tries_left"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(token.json["releasers"], "master_or_administrator");
    assert_eq!(token.json["suspended_at"], "2026-11-20T03:00:00Z");
    assert_eq!(api.get(&user).await.json["token"], token.json);
    api.post(&of("hanako", "revoke")).await;
    let after = api.get(&user).await;
    assert_eq!(after.json["token"]["state"], "revoked");
    assert_eq!(after.json["reopens_at"], "2026-11-20T03:20:00Z");
}

async fn lists_come_in_pages_and_lose_nobody(database: TestDatabase) {
    let api = Api::open(database).await;
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = api
            .get(&format!("/services/{SERVICE}/users?limit=3{after}"))
            .await;
        let users = page.json["users"].as_array().unwrap();
        assert!(users.len() <= 3);
        seen.extend(
            users
                .iter()
                .map(|user| user["login_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page.json["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(
        seen,
        [
            "admin",
            "admin2",
            "hanako",
            "jiro",
            "master",
            "saburo",
            "stranger",
            "stranger-boss"
        ]
    );
    let contracts = api
        .get(&format!("/services/{SERVICE}/contracts?limit=1"))
        .await;
    let first = contracts.json["contracts"][0].clone();
    let next = contracts.json["next"].as_str().unwrap();
    let rest = api
        .get(&format!("/services/{SERVICE}/contracts?after={next}"))
        .await;
    assert_eq!(rest.json["contracts"].as_array().unwrap().len(), 1);
    assert_eq!(rest.json["next"], Value::Null);
    let id = first["contract_id"].as_str().unwrap();
    assert_eq!(
        api.get(&format!("/services/{SERVICE}/contracts/{id}"))
            .await
            .json,
        first
    );
    let id = api.bank.user("hanako").await.contract_id;
    let path = format!("/services/{SERVICE}/contracts/{id}/users");
    let of_one = api.get(&path).await;
    assert_eq!(of_one.json["users"].as_array().unwrap().len(), 6);
    for wrong in [
        "limit=0",
        "limit=501",
        "limit=x",
        "after=%00",
        "more=1",
        "limit=1&limit=2",
    ] {
        let reply = api.get(&format!("/services/{SERVICE}/users?{wrong}")).await;
        assert_eq!(reply.refusal(), (422, "request_query"), "{wrong}");
    }
    for wrong in ["TEST-BANK", "%00", "t%C3%BC", "%FF"] {
        assert_eq!(
            api.get(&format!("/services/{wrong}")).await.refusal(),
            (404, "not_found"),
            "{wrong}"
        );
        let path = format!("/services/{SERVICE}/users/{wrong}");
        assert_eq!(
            api.get(&path).await.refusal(),
            (404, "not_found"),
            "{wrong}"
        );
        let path = format!("/services/{SERVICE}/contracts/{wrong}");
        assert_eq!(
            api.get(&path).await.refusal(),
            (404, "not_found"),
            "{wrong}"
        );
    }
}

async fn a_release_is_told_to_all_and_recorded_once(database: TestDatabase) {
    let api = Api::open(database).await;
    let path = of("hanako", "release");
    assert_eq!(api.post(&path).await.refusal(), (409, "no_token"));
    let token = api.bank.hollow_token("hanako", api.bank.suspended()).await;
    let done = api.post(&path).await;
    assert_eq!(
        done.json,
        json!({ "login_id": "hanako", "token_id": token.as_str(), "state": "in_use", "reopens_at": null })
    );
    assert_eq!(api.post(&path).await.refusal(), (409, "not_suspended"));
    let user = api.bank.user("hanako").await;
    assert_eq!(
        api.bank.outcomes("token", token.as_str(), "release").await,
        ["done"]
    );
    assert_eq!(
        api.bank.outcomes("user", user.id.as_str(), "release").await,
        ["no_token", "not_suspended"]
    );
    let told = api.bank.notices().await;
    assert!(
        told.contains(&("released".to_owned(), "hanako@company.example".to_owned())),
        "{told:?}"
    );
    let body = Ask {
        method: Method::POST,
        body: Some("{\"all\": true}".to_owned()),
        ..Ask::get(&path)
    };
    assert_eq!(api.ask(body).await.refusal(), (422, "request_fields"));
}

async fn a_revocation_ends_the_token_at_once_and_says_from_when_a_new_one_may_be(
    database: TestDatabase,
) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let done = api.post(&of("hanako", "revoke")).await;
    assert_eq!(done.json["state"], "revoked");
    assert_eq!(done.json["reopens_at"], "2026-11-20T03:20:00Z");
    let told = api.verify("hanako", &phone.code(api.bank.app.now())).await;
    assert_eq!(
        (&told.json["verdict"], &told.json["reopens_at"]),
        (&json!("no_token"), &json!("2026-11-20T03:20:00Z"))
    );
    assert_eq!(
        api.post(&of("hanako", "revoke")).await.refusal(),
        (409, "no_token")
    );
    assert_eq!(
        api.bank.outcomes("token", &phone.token_id, "revoke").await,
        ["done"]
    );
}

async fn r21_a_repeated_release_or_revocation_gets_the_same_answer(database: TestDatabase) {
    let api = Api::open(database).await;
    api.bank.hollow_token("hanako", api.bank.suspended()).await;
    for what in ["release", "revoke"] {
        let path = of("hanako", what);
        let asked = || Ask {
            method: Method::POST,
            ..Ask::get(&path).with("idempotency-key", what)
        };
        let first = api.ask(asked()).await;
        assert_eq!(first.status, 200, "{first:?}");
        let events = api.bank.events().await;
        let other = node(&api.bank.node().await);
        assert_eq!(ask(&other, asked().key(&api.key)).await.json, first.json);
        assert_eq!(api.bank.events().await, events);
        let path = of("jiro", what);
        let reused = Ask {
            method: Method::POST,
            ..Ask::get(&path).with("idempotency-key", what)
        };
        assert_eq!(
            api.ask(reused).await.refusal(),
            (422, "idempotency_key_reused")
        );
    }
    // What was refused changed nothing and is judged anew.
    let path = of("hanako", "release");
    let asked = || Ask {
        method: Method::POST,
        ..Ask::get(&path).with("idempotency-key", "later")
    };
    assert_eq!(api.ask(asked()).await.refusal(), (409, "no_token"));
    api.bank.hollow_token("hanako", api.bank.suspended()).await;
    assert_eq!(api.ask(asked()).await.status, 200);
}

async fn r21_two_revocations_at_once_under_one_key_are_one(database: TestDatabase) {
    let api = Api::open(database).await;
    let nodes = [node(&api.bank.app), node(&api.bank.node().await)];
    let path = of("hanako", "revoke");
    for round in 0..4 {
        let now = api.bank.app.now();
        api.bank
            .hollow_token("hanako", TokenState::InUse { confirmed_at: now })
            .await;
        let name = format!("round-{round}");
        let before = api.bank.events().await;
        let asked = |at: usize| {
            let asked = Ask {
                method: Method::POST,
                ..Ask::get(&path)
            };
            ask(
                &nodes[at % 2],
                asked.with("idempotency-key", &name).key(&api.key),
            )
        };
        let replies = tokio::join!(asked(0), asked(1), asked(2), asked(3));
        for reply in [&replies.0, &replies.1, &replies.2, &replies.3] {
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_eq!(reply.json, replies.0.json);
        }
        assert_eq!(api.bank.events().await, before + 1);
        api.bank.clock.advance(SECOND_MS);
    }
}

/// The first half of an issuance, as the bank's own page and server do it.
async fn begin(api: &Api, page: &Registration, name: &str) -> (Value, RegistrationResponse) {
    let path = of("hanako", "issuance/registration");
    let body = json!({ "mail_address": MAIL, "registration_request": BASE64URL_NOPAD.encode(&page.request().encode()) });
    let begun = api
        .ask(Ask::post(&path, &body).with("idempotency-key", name))
        .await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let again = api
        .ask(Ask::post(&path, &body).with("idempotency-key", name))
        .await;
    assert_eq!(again.json, begun.json);
    let response = BASE64URL_NOPAD
        .decode(
            begun.json["registration_response"]
                .as_str()
                .unwrap()
                .as_bytes(),
        )
        .unwrap();
    (begun.json, RegistrationResponse::decode(&response).unwrap())
}

async fn r45_an_issuance_through_the_bank_never_shows_the_password(database: TestDatabase) {
    let api = Api::open(database).await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let (begun, response) = begin(&api, &page, "begin").await;
    let record = page.finish(&digits(DIGITS), &response).unwrap();
    let body = json!({ "record": BASE64URL_NOPAD.encode(&record.encode()) });
    let wrong = of("hanako", &format!("issuance/{}/record", "0".repeat(26)));
    let right = of(
        "hanako",
        &format!("issuance/{}/record", begun["issuance_id"].as_str().unwrap()),
    );
    let put = |path| Ask {
        method: Method::PUT,
        ..Ask::post(path, &body)
    };
    assert_eq!(api.ask(put(&wrong)).await.refusal(), (409, "form_expired"));
    let issued = api.ask(put(&right).with("idempotency-key", "finish")).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    assert_eq!(issued.json["issuance_id"], begun["issuance_id"]);
    assert_eq!(issued.json["expires_at"], "2026-11-21T03:00:00Z");
    let again = api.ask(put(&right).with("idempotency-key", "finish")).await;
    assert_eq!(again.json, issued.json);
    let id = issued.json["issuance_id"].as_str().unwrap();
    assert_eq!(api.bank.outcomes("issuance", id, "issue").await, ["done"]);
    assert!(
        api.bank
            .notices()
            .await
            .contains(&("token_issued".to_owned(), MAIL.to_owned()))
    );
    // The app of the user activates it, and its codes are right.
    let mailed = crate::phone::Mailed {
        service_id: response.binding.service_id.clone(),
        token_user_id: response.binding.token_user_id.clone(),
    };
    assert_eq!(begun["token_user_id"], mailed.token_user_id.as_str());
    let pending = crate::phone::proved(&api.bank.app, &mailed).await;
    let reply = finish(&api.bank.app, &pending).await.unwrap();
    let phone = Phone::of(&pending, &reply);
    let told = api.verify("hanako", &phone.code(api.bank.app.now())).await;
    assert_eq!(told.json["verdict"], "accepted");
}

async fn an_issuance_is_mailed_again_and_cancelled(database: TestDatabase) {
    let api = Api::open(database).await;
    let again = of("hanako", "issuance/mail");
    assert_eq!(api.post(&again).await.refusal(), (409, "no_issuance"));
    let session = api.bank.session("hanako").await;
    crate::phone::issue_hollow(&api.bank.app, &session).await;
    assert_eq!(api.post(&again).await.refusal(), (429, "too_many_requests"));
    api.bank.clock.advance(MINUTE_MS);
    let mails = async || {
        let told = api.bank.notices().await;
        told.iter()
            .filter(|(notice, _)| notice == "token_issued")
            .count()
    };
    let before = mails().await;
    // R21: repeated under its key, each is done once.
    let mailed = || Ask {
        method: Method::POST,
        ..Ask::get(&again).with("idempotency-key", "mail")
    };
    let first = api.ask(mailed()).await;
    assert_eq!(first.status, 200);
    assert_eq!(api.ask(mailed()).await.json, first.json);
    assert_eq!(mails().await, before + 1);
    let path = of("hanako", "issuance");
    assert_eq!(api.get(&path).await.json["state"], "issued");
    for (name, cancelled) in [("cancel", 1), ("cancel", 1), ("anew", 0)] {
        let asked = Ask {
            method: Method::DELETE,
            ..Ask::get(&path).with("idempotency-key", name)
        };
        assert_eq!(api.ask(asked).await.json, json!({ "cancelled": cancelled }));
    }
    assert_eq!(api.get(&path).await.json["state"], "cancelled");
}

async fn what_hinders_an_issuance_is_told(database: TestDatabase) {
    let api = Api::open(database).await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let request = BASE64URL_NOPAD.encode(&page.request().encode());
    let asked = async |login: &str, mail: &str, request: &str| {
        let path = of(login, "issuance/registration");
        let body = json!({ "mail_address": mail, "registration_request": request });
        let reply = api.ask(Ask::post(&path, &body)).await;
        (
            reply.status.as_u16(),
            reply.json["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        asked("hanako", "nobody", &request).await,
        told(422, "mail_invalid")
    );
    assert_eq!(
        asked("hanako", MAIL, "AAAA").await,
        told(400, "activation_message")
    );
    assert_eq!(
        asked("hanako", MAIL, "!").await,
        told(400, "activation_message")
    );
    api.bank.hollow_token("hanako", TokenState::Activated).await;
    assert_eq!(
        asked("hanako", MAIL, &request).await,
        told(409, "token_already_in_use")
    );
    api.post(&of("hanako", "revoke")).await;
    assert_eq!(
        asked("hanako", MAIL, &request).await,
        told(409, "reissue_not_yet")
    );
    let jiro = api.bank.user("jiro").await;
    api.bank
        .sql(
            "UPDATE app_user SET disabled = $1 WHERE user_id = $2",
            warifu_store::params![true, jiro.id.as_str()],
        )
        .await;
    assert_eq!(
        asked("jiro", MAIL, &request).await,
        told(409, "user_disabled")
    );
}

async fn events_are_read_by_a_cursor_once_they_have_settled(database: TestDatabase) {
    let api = Api::open(database).await;
    let path = format!("/services/{SERVICE}/events");
    api.bank.clock.advance(MINUTE_MS);
    let mut before = String::new();
    loop {
        let page = api.get(&format!("{path}?limit=2{before}")).await;
        if let Some(next) = page.json["next"].as_str() {
            before = format!("&after={next}");
        }
        if page.json["more"] == false {
            break;
        }
    }
    api.verify("hanako", "123456").await;
    let fresh = api.get(&format!("{path}?limit=500{before}")).await;
    assert_eq!(fresh.json["events"], json!([]));
    api.bank.clock.advance(2 * SECOND_MS + 1);
    let settled = api.get(&format!("{path}?limit=500{before}")).await;
    let events = settled.json["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{settled:?}");
    assert_eq!(
        (&events[0]["action"], &events[0]["outcome"]),
        (&json!("verify"), &json!("no_token"))
    );
    assert_eq!(events[0]["actor"]["kind"], "client");
    let event_id = events[0]["event_id"].as_str().unwrap();
    let next = settled.json["next"].as_str().unwrap();
    let after = api.get(&format!("{path}?after={next}")).await;
    assert_eq!(
        (&after.json["events"], &after.json["next"]),
        (&json!([]), &settled.json["next"])
    );
    // An event's own id leads to it, or a little before.
    let from = api.get(&format!("{path}?after={event_id}")).await;
    assert_eq!(from.json["events"], settled.json["events"]);
    let none = api.get(&format!("{path}?action=release")).await;
    assert_eq!(none.json["events"], json!([]));
    let some = api.get(&format!("{path}?action=verify")).await;
    assert_eq!(some.json["events"].as_array().unwrap().len(), 1);
    for wrong in ["action=nothing", "after=-", "after=1", "limit=-1"] {
        assert_eq!(
            api.get(&format!("{path}?{wrong}")).await.refusal(),
            (422, "request_query")
        );
    }
}
