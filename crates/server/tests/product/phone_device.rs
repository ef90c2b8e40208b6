//! J7: what an app asks about its token after the activation, over the real router (docs/protocol.md §6).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower_service::Service as _;
use warifu_activation::device::{Ask, MEDIA_TYPE, REQUEST_BYTES_MAX};
use warifu_core::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use warifu_server::api::device::{RENEW, STATUS};
use warifu_server::app::App;
use warifu_server::app::health::Obstacle;
use warifu_server::app::manage::Task;
use warifu_server::clock::Clock;
use warifu_server::web::front::Front;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::node;
use crate::bank::{Bank, confirmation, origin};
use crate::phone::{DeviceRequest, Phone};

on_both_databases! {
    r61_each_standing_of_a_token_is_told_under_its_device_key,
    a_status_writes_nothing,
    an_unknown_token_and_a_wrong_proof_are_refused_alike,
    another_tokens_key_proves_nothing,
    a_request_that_is_sent_again_does_no_harm,
    an_answer_is_good_for_one_nonce_and_one_question,
    what_cannot_be_read_is_told_as_such_and_reaches_no_token,
    r19_no_time_is_signed_while_the_clock_is_unsure,
    r19_a_node_before_what_is_recorded_is_unsure,
}

pub(crate) const NONCE: &str = "00112233445566778899aabbccddeeff";

/// What came back.
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("warifu-proof"), "", "a refusal is not signed");
        let code = self.json()["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }
}

/// Sends what an app would send, with these headers.
async fn send_with(node: &Front, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    let peer: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = node.clone().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    assert!(!parts.headers.contains_key("set-cookie"));
    assert_eq!(parts.headers["cache-control"], "no-store");
    Told {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

fn path(ask: Ask) -> &'static str {
    match ask {
        Ask::Status => STATUS,
        Ask::Renew => RENEW,
    }
}

/// Sends a device message.
pub(crate) async fn send(app: &Arc<App>, request: &DeviceRequest) -> Told {
    let headers = [
        ("content-type", MEDIA_TYPE),
        ("warifu-proof", request.proof.as_str()),
    ];
    send_with(&node(app), path(request.ask), &headers, &request.body).await
}

/// Asks, and gives the answer if the app believes it.
pub(crate) async fn asked(app: &Arc<App>, phone: &Phone, ask: Ask, nonce: &str) -> Value {
    let told = send(app, &phone.asks(ask, nonce)).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(told.header("content-type"), MEDIA_TYPE);
    let proof = told.header("warifu-proof");
    assert!(phone.believes(ask, nonce, &told.text, proof));
    told.json()
}

/// How the token stands, and since when.
pub(crate) async fn standing(app: &Arc<App>, phone: &Phone) -> (String, Option<i64>) {
    let told = asked(app, phone, Ask::Status, NONCE).await;
    let word = told["standing"].as_str().unwrap().to_owned();
    (word, told["since_ms"].as_i64())
}

async fn r61_each_standing_of_a_token_is_told_under_its_device_key(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    assert_eq!(
        asked(&bank.app, &phone, Ask::Status, NONCE).await,
        json!({ "server_time_ms": bank.app.now().0, "standing": "activated", "since_ms": null,
            "service_name": { "ja": "試験銀行", "en": "Test Bank" }, "user_name": "社員", "help_desk": "0120-000-000",
            "expires_at_ms": null, "renewable_from_ms": null })
    );
    bank.clock.advance(HOUR_MS);
    let session = bank.session("hanako").await;
    let right = phone.code(bank.app.now());
    bank.app.verify(&session, &right, &origin()).await.unwrap();
    assert_eq!(
        standing(&bank.app, &phone).await,
        ("in_use".to_owned(), None)
    );

    bank.clock.advance(MINUTE_MS);
    let suspended_at = bank.app.now();
    let session = bank.session("hanako").await;
    for _ in 0..5 {
        let wrong = phone.wrong_code(suspended_at);
        bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    }
    bank.clock.advance(DAY_MS);
    assert_eq!(
        standing(&bank.app, &phone).await,
        ("suspended".to_owned(), Some(suspended_at.0))
    );

    let master = bank.full_session("master").await;
    let target = [bank.user("hanako").await.id];
    bank.app
        .perform(&master, Task::Revoke, &target, &confirmation(), &origin())
        .await
        .unwrap();
    let revoked = ("revoked".to_owned(), Some(bank.app.now().0));
    bank.clock.advance(365 * DAY_MS);
    assert_eq!(standing(&bank.app, &phone).await, revoked);
    let time = asked(&bank.app, &phone, Ask::Status, NONCE).await;
    assert_eq!(time["server_time_ms"], bank.app.now().0);
}

async fn a_status_writes_nothing(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let before = (bank.events().await, bank.token("hanako").await);
    standing(&bank.app, &phone).await;
    let mut wrong = phone.asks(Ask::Status, NONCE);
    wrong.proof = "0".repeat(64);
    send(&bank.app, &wrong).await;
    assert_eq!((bank.events().await, bank.token("hanako").await), before);
    let throttles = "UPDATE throttle SET failures = failures WHERE throttle_key LIKE 'device%'";
    assert_eq!(bank.sql(throttles, Vec::new()).await, 0);
}

async fn an_unknown_token_and_a_wrong_proof_are_refused_alike(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    for ask in [Ask::Status, Ask::Renew] {
        let mut wrong = phone.asks(ask, NONCE);
        wrong.proof = "0".repeat(64);
        let mut unknown = phone.asks(ask, NONCE);
        unknown.body = unknown.body.replace(&phone.token_id, "unknown");
        let mut answers = Vec::new();
        for request in [wrong, unknown] {
            let mut told = send(&bank.app, &request).await;
            assert_eq!(told.refusal(), (403, "device_refused".to_owned()));
            // Each request has a name of its own, and nothing else differs.
            let name = told.headers.remove("x-request-id").unwrap();
            let text = told.text.replace(name.to_str().unwrap(), "");
            answers.push((told.status, format!("{:?}", told.headers), text));
        }
        assert_eq!(answers[0], answers[1]);
    }
}

async fn another_tokens_key_proves_nothing(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let (mine, other) = (bank.phone("hanako").await, bank.phone("jiro").await);
    let body = other.asks(Ask::Status, NONCE).body;
    let told = send(&bank.app, &mine.asks_so(Ask::Status, body)).await;
    assert_eq!(told.refusal(), (403, "device_refused".to_owned()));
}

async fn a_request_that_is_sent_again_does_no_harm(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let request = phone.asks(Ask::Status, NONCE);
    let before = bank.events().await;
    for _ in 0..2 {
        let told = send(&bank.app, &request).await;
        assert_eq!(told.json()["server_time_ms"], bank.app.now().0);
        bank.clock.advance(DAY_MS);
    }
    assert_eq!(bank.events().await, before);
    // A question is not another one.
    let mut renewal = request;
    renewal.ask = Ask::Renew;
    let told = send(&bank.app, &renewal).await;
    assert_eq!(told.refusal(), (403, "device_refused".to_owned()));
}

async fn an_answer_is_good_for_one_nonce_and_one_question(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let told = send(&bank.app, &phone.asks(Ask::Status, NONCE)).await;
    let proof = told.header("warifu-proof");
    let believes = |ask, nonce: &str| phone.believes(ask, nonce, &told.text, proof);
    assert!(believes(Ask::Status, NONCE));
    assert!(!believes(Ask::Status, &NONCE.replace('f', "e")));
    assert!(!believes(Ask::Renew, NONCE));
    let changed = told.text.replace("activated", "revoked");
    assert!(!phone.believes(Ask::Status, NONCE, &changed, proof));
}

async fn what_cannot_be_read_is_told_as_such_and_reaches_no_token(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let node = node(&bank.app);
    let good = phone.asks(Ask::Status, NONCE);
    let (proof, media) = (
        ("warifu-proof", good.proof.as_str()),
        ("content-type", MEDIA_TYPE),
    );
    let upper = good.proof.to_uppercase();
    for headers in [
        vec![],
        vec![media],
        vec![proof],
        vec![proof, ("content-type", "application/json")],
        vec![media, ("warifu-proof", &good.proof[1..])],
        vec![media, ("warifu-proof", &upper)],
        vec![media, proof, proof],
    ] {
        let told = send_with(&node, STATUS, &headers, &good.body).await;
        assert_eq!(
            told.refusal(),
            (400, "device_message".to_owned()),
            "{headers:?}"
        );
    }
    let id = &phone.token_id;
    let long = " ".repeat(REQUEST_BYTES_MAX);
    for body in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!("{{\"token_id\":\"{id}\"}}"),
        format!("{{\"nonce\":\"{NONCE}\"}}"),
        format!("{{\"token_id\":\"{id}\",\"nonce\":\"{NONCE}\",\"more\":1}}"),
        format!("{{\"token_id\":\"{id}\",\"nonce\":\"{NONCE}\",\"nonce\":\"{NONCE}\"}}"),
        format!("{{\"token_id\":\"{id}\",\"nonce\":\"{}\"}}", &NONCE[2..]),
        format!(
            "{{\"token_id\":\"{id}\",\"nonce\":\"{}\"}}",
            NONCE.to_uppercase()
        ),
        format!("{{\"token_id\":\"\",\"nonce\":\"{NONCE}\"}}"),
        format!("{{\"token_id\":\"{id}' OR '1\",\"nonce\":\"{NONCE}\"}}"),
        format!("{}{long}", good.body),
    ] {
        let told = send(&bank.app, &phone.asks_so(Ask::Status, body.clone())).await;
        assert_eq!(told.refusal(), (400, "device_message".to_owned()), "{body}");
    }
    let most = REQUEST_BYTES_MAX - good.body.len();
    let longest = format!("{}{}", good.body, " ".repeat(most));
    let told = send(&bank.app, &phone.asks_so(Ask::Status, longest)).await;
    assert_eq!(told.status, 200);
}

async fn r19_no_time_is_signed_while_the_clock_is_unsure(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let unsure = bank.node_with_unsure_clock().await;
    for ask in [Ask::Status, Ask::Renew] {
        let told = send(&unsure, &phone.asks(ask, NONCE)).await;
        assert_eq!(told.refusal(), (503, "clock_unsure".to_owned()));
        assert!(told.header("retry-after").parse::<u32>().is_ok());
    }
    assert_eq!(standing(&bank.app, &phone).await.0, "activated");
}

/// Only the clock of another machine could show whose mistake that was: PostgreSQL's server is on this one.
async fn r19_a_node_before_what_is_recorded_is_unsure(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    bank.set_clock(Clock::system().now().plus_ms(DAY_MS));
    let session = bank.session("hanako").await;
    let right = phone.code(bank.app.now());
    bank.app.verify(&session, &right, &origin()).await.unwrap();
    let behind = bank.node_by(&Clock::system()).await;
    assert_eq!(behind.readiness().await, [Obstacle::Clock]);
    let told = send(&behind, &phone.asks(Ask::Status, NONCE)).await;
    assert_eq!(told.refusal(), (503, "clock_unsure".to_owned()));
}
