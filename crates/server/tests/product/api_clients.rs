//! Who may call the API: keys, their ends and their rotation, scopes, addresses, rates (J10, R26, R41).

use std::net::IpAddr;

use serde_json::json;
use warifu_core::time::{DAY_MS, MINUTE_MS};
use warifu_server::app::api_clients::{ApiKey, ClientError, ClientPlan};
use warifu_server::networks::Networks;
use warifu_server::web::front::Front;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask, Reply, ask, client, node, of, plan};
use crate::bank::SERVICE;

on_both_databases! {
    r26_a_caller_without_a_good_key_is_refused_and_told_nothing,
    a_key_is_shown_once_and_only_its_hash_is_stored,
    while_a_key_is_rotated_both_are_good_and_then_only_the_new_one,
    a_key_that_is_withdrawn_is_refused_at_once_on_every_node,
    a_client_that_is_disabled_is_refused_at_once_on_every_node,
    a_key_ends_at_its_time,
    a_client_calls_only_from_its_networks,
    a_client_is_answered_so_many_requests_a_second,
    the_last_use_of_a_key_is_written_by_the_housekeeping_only,
    plans_that_cannot_be_are_refused,
}

/// Both ways in: the one that asks the database, and the one that remembers.
async fn both_ways(node: &Front, key: &str) -> [Reply; 2] {
    let path = of("nobody", "verify");
    let body = json!({ "code": "123456" });
    [
        ask(node, Ask::get("/services").key(key)).await,
        ask(node, Ask::post(&path, &body).key(key)).await,
    ]
}

/// 401 on both ways.
async fn refused(node: &Front, key: &str) {
    for reply in both_ways(node, key).await {
        assert_eq!(reply.refusal(), (401, "api_key_refused"));
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"warifu\"");
    }
}

/// Answered on both ways: there is no such user, which only those are told who may ask.
async fn good(node: &Front, key: &str) {
    let replies = both_ways(node, key).await;
    assert_eq!(replies.map(|reply| reply.status.as_u16()), [200, 404]);
}

/// What may be seen of a key, and its secret, in which underscores may stand too.
fn parts(key: &str) -> (&str, &str) {
    let secret = key.match_indices('_').nth(1).unwrap().0;
    (&key[..secret], &key[secret + 1..])
}

async fn r26_a_caller_without_a_good_key_is_refused_and_told_nothing(database: TestDatabase) {
    let api = Api::open(database).await;
    let here = node(&api.bank.app);
    let (name, secret) = parts(&api.key);
    let stranger = ApiKey::generate();
    let mixed = format!("{name}_{}", "A".repeat(secret.len()));
    for key in [
        "",
        "nonsense",
        stranger.expose(),
        &mixed,
        &api.key.to_uppercase(),
    ] {
        refused(&here, key).await;
    }
    let bare = api.ask_plain(Ask::get("/services")).await;
    assert_eq!(bare.refusal(), (401, "api_key_refused"));
    let basic = format!("Basic {}", api.key);
    let other_scheme = Ask::get("/services").with("authorization", &basic);
    assert_eq!(
        api.ask_plain(other_scheme).await.refusal(),
        (401, "api_key_refused")
    );
    let in_url = format!("/services?key={}", api.key);
    assert_eq!(
        api.ask_plain(Ask::get(&in_url)).await.refusal(),
        (401, "api_key_refused")
    );
    good(&here, &api.key).await;
}

async fn a_key_is_shown_once_and_only_its_hash_is_stored(database: TestDatabase) {
    let api = Api::open(database).await;
    let listed = api.bank.app.api_clients().await.unwrap();
    let [only] = &listed[..] else {
        panic!("{listed:?}")
    };
    let (_, secret) = parts(&api.key);
    let shown = format!("{listed:?}");
    assert!(!shown.contains(secret) && api.key.contains(&only.keys[0].id));
    let mut tx = api.bank.app.store().read().await.unwrap();
    let events = tx
        .events_of("client", only.client.id.as_str())
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].action, "create_api_client");
}

async fn while_a_key_is_rotated_both_are_good_and_then_only_the_new_one(database: TestDatabase) {
    let api = Api::open(database).await;
    let (here, there) = (node(&api.bank.app), node(&api.bank.node().await));
    good(&here, &api.key).await;
    good(&there, &api.key).await;
    let next = ApiKey::generate();
    api.bank
        .app
        .rotate_api_key("everything", &next, None, DAY_MS)
        .await
        .unwrap();
    for node in [&here, &there] {
        good(node, &api.key).await;
        good(node, next.expose()).await;
    }
    api.bank.clock.advance(DAY_MS - 1);
    good(&there, &api.key).await;
    api.bank.clock.advance(1);
    for node in [&here, &there] {
        refused(node, &api.key).await;
        good(node, next.expose()).await;
    }
    // A rotation never makes an old key live longer.
    let third = ApiKey::generate();
    api.bank
        .app
        .rotate_api_key("everything", &third, None, 0)
        .await
        .unwrap();
    refused(&here, next.expose()).await;
    assert_eq!(
        api.bank.outcomes("key", third.id(), "rotate_api_key").await,
        ["done"]
    );
    for more in 0..3 {
        let key = ApiKey::generate();
        let made = api
            .bank
            .app
            .rotate_api_key("everything", &key, None, DAY_MS)
            .await;
        assert_eq!(made.is_ok(), more < 2);
    }
}

async fn a_key_that_is_withdrawn_is_refused_at_once_on_every_node(database: TestDatabase) {
    let api = Api::open(database).await;
    let (here, there) = (node(&api.bank.app), node(&api.bank.node().await));
    good(&here, &api.key).await;
    good(&there, &api.key).await;
    let id = ApiKey::received(&api.key).unwrap().id().to_owned();
    api.bank
        .app
        .withdraw_api_key("everything", &id)
        .await
        .unwrap();
    refused_for_writes(&api, &there).await;
    refused_for_writes(&api, &here).await;
    assert_eq!(
        api.bank.outcomes("key", &id, "withdraw_api_key").await,
        ["done"]
    );
    let again = api.bank.app.withdraw_api_key("everything", &id).await;
    assert!(matches!(again, Err(ClientError::UnknownKey(_))));
}

/// The remembered way is exact where it counts: in the transaction of a code that would be right.
async fn refused_for_writes(api: &Api, node: &Front) {
    let path = of("hanako", "verify");
    let body = json!({ "code": "123456" });
    let before = api.bank.events().await;
    let reply = ask(node, Ask::post(&path, &body).key(&api.key)).await;
    assert_eq!(reply.refusal(), (401, "api_key_refused"));
    assert_eq!(api.bank.events().await, before);
    refused(node, &api.key).await;
}

async fn a_client_that_is_disabled_is_refused_at_once_on_every_node(database: TestDatabase) {
    let api = Api::open(database).await;
    let (here, there) = (node(&api.bank.app), node(&api.bank.node().await));
    good(&there, &api.key).await;
    api.bank
        .app
        .set_api_client_disabled("everything", true)
        .await
        .unwrap();
    refused_for_writes(&api, &there).await;
    refused_for_writes(&api, &here).await;
    api.bank
        .app
        .set_api_client_disabled("everything", true)
        .await
        .unwrap();
    api.bank
        .app
        .set_api_client_disabled("everything", false)
        .await
        .unwrap();
    good(&here, &api.key).await;
    good(&there, &api.key).await;
    let id = api.bank.app.api_clients().await.unwrap()[0]
        .client
        .id
        .clone();
    for action in ["disable_api_client", "enable_api_client"] {
        assert_eq!(
            api.bank.outcomes("client", id.as_str(), action).await,
            ["done"]
        );
    }
    let unknown = api.bank.app.set_api_client_disabled("nobody", true).await;
    assert!(matches!(unknown, Err(ClientError::Unknown(_))));
}

async fn a_key_ends_at_its_time(database: TestDatabase) {
    let api = Api::open(database).await;
    let here = node(&api.bank.app);
    let plan = ClientPlan {
        expires_at: Some(api.bank.app.now().plus_ms(MINUTE_MS)),
        ..plan("for a minute", "verify read")
    };
    let key = client(&api.bank.app, &plan).await;
    good(&here, &key).await;
    api.bank.clock.advance(MINUTE_MS);
    refused(&here, &key).await;
}

async fn a_client_calls_only_from_its_networks(database: TestDatabase) {
    let api = Api::open(database).await;
    let here = node(&api.bank.app);
    let plan = ClientPlan {
        networks: Networks::parse(&["10.1.0.0/16", "2001:db8::/32"]).unwrap(),
        ..plan("inside", "verify read")
    };
    let key = client(&api.bank.app, &plan).await;
    let path = of("nobody", "verify");
    let body = json!({ "code": "123456" });
    for (address, inside) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("2001:db8::7", true),
        ("10.2.0.1", false),
        ("192.0.2.1", false),
    ] {
        let address: IpAddr = address.parse().unwrap();
        let read = Ask {
            address,
            ..Ask::get("/services").key(&key)
        };
        let verify = Ask {
            address,
            ..Ask::post(&path, &body).key(&key)
        };
        for (asked, answered) in [(read, 200), (verify, 404)] {
            // What the caller says of itself is not looked at.
            let reply = ask(&here, asked.with("x-forwarded-for", "10.1.2.3")).await;
            if inside {
                assert_eq!(reply.status, answered);
            } else {
                assert_eq!(reply.refusal(), (403, "network_not_allowed"));
            }
        }
    }
}

async fn a_client_is_answered_so_many_requests_a_second(database: TestDatabase) {
    let api = Api::open(database).await;
    let here = node(&api.bank.app);
    let plan = ClientPlan {
        requests_per_s: 5,
        ..plan("slow", "verify read")
    };
    let key = client(&api.bank.app, &plan).await;
    let path = of("nobody", "verify");
    let body = json!({ "code": "123456" });
    for left in (0..5).rev() {
        let asked = if left % 2 == 0 {
            Ask::get("/services")
        } else {
            Ask::post(&path, &body)
        };
        let reply = ask(&here, asked.key(&key)).await;
        assert_ne!(reply.status, 429);
        assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=5;w=1");
        assert_eq!(
            reply.header("ratelimit"),
            format!("\"default\";r={left};t=1")
        );
    }
    let reply = ask(&here, Ask::get("/services").key(&key)).await;
    assert_eq!(reply.refusal(), (429, "too_many_requests"));
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.header("ratelimit"), "\"default\";r=0;t=1");
    assert!(reply.json["detail"].as_str().unwrap().contains('1'));
    // Others are not slowed by it, and it may go on when its time comes.
    assert_eq!(api.get("/services").await.header("ratelimit"), "");
    api.bank.clock.advance(200);
    assert_eq!(
        ask(&here, Ask::get("/services").key(&key)).await.status,
        200
    );
    assert_eq!(
        ask(&here, Ask::get("/services").key(&key)).await.status,
        429
    );
}

async fn the_last_use_of_a_key_is_written_by_the_housekeeping_only(database: TestDatabase) {
    let api = Api::open(database).await;
    let used_at = async || api.bank.app.api_clients().await.unwrap()[0].keys[0].used_at;
    assert_eq!(used_at().await, None);
    assert_eq!(api.get("/services").await.status, 200);
    api.verify("hanako", "123456").await;
    assert_eq!(used_at().await, None);
    api.bank.app.keep_house().await.unwrap();
    let first = api.bank.app.now();
    assert_eq!(used_at().await, Some(first));
    api.bank.clock.advance(MINUTE_MS);
    api.bank.app.keep_house().await.unwrap();
    assert_eq!(used_at().await, Some(first));
    api.verify("hanako", "123456").await;
    api.bank.app.keep_house().await.unwrap();
    assert_eq!(used_at().await, Some(first.plus_ms(MINUTE_MS)));
}

async fn plans_that_cannot_be_are_refused(database: TestDatabase) {
    let api = Api::open(database).await;
    let bank = &api.bank;
    let refused = async |plan: ClientPlan| {
        bank.app
            .create_api_client(&plan, &ApiKey::generate())
            .await
            .unwrap_err()
    };
    assert!(matches!(
        refused(plan("", "verify")).await,
        ClientError::Name
    ));
    assert!(matches!(
        refused(plan("a\nb", "verify")).await,
        ClientError::Name
    ));
    assert!(matches!(
        refused(plan("new", "")).await,
        ClientError::NoScope
    ));
    assert!(matches!(
        refused(plan("everything", "verify")).await,
        ClientError::NameTaken(_)
    ));
    let contract = bank.user("master").await.contract_id.to_string();
    let limited = |scopes: &str, contract: &str| ClientPlan {
        contract: Some(contract.to_owned()),
        ..plan("new", scopes)
    };
    assert!(matches!(
        refused(limited("events", &contract)).await,
        ClientError::EventsOfContract
    ));
    assert!(matches!(
        refused(limited("verify", "nothing")).await,
        ClientError::Contract(_)
    ));
    let elsewhere = ClientPlan {
        service_id: warifu_core::id::ServiceId::parse("elsewhere").ok(),
        ..plan("new", "verify")
    };
    assert!(matches!(refused(elsewhere).await, ClientError::Service(_)));
    let fast = ClientPlan {
        requests_per_s: u32::MAX,
        ..plan("new", "verify")
    };
    assert!(matches!(refused(fast).await, ClientError::Rate));
    // A contract is found by its id alone, or by its name at the service.
    let key = ApiKey::generate();
    let by_id = bank
        .app
        .create_api_client(&limited("verify", &contract), &key)
        .await
        .unwrap();
    assert_eq!(by_id.service_id.unwrap().as_str(), SERVICE);
    let by_name = ClientPlan {
        service_id: Some(bank.service_id.clone()),
        contract: Some("株式会社いろは".to_owned()),
        ..plan("by name", "verify")
    };
    let made = bank
        .app
        .create_api_client(&by_name, &ApiKey::generate())
        .await
        .unwrap();
    assert_eq!(made.contract_id.unwrap().as_str(), contract);
}
