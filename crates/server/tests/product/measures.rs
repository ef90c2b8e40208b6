//! What a node tells of itself: the series of its metrics, and whether it is ready.

use serde_json::json;
use warifu_core::time::{DAY_MS, SECOND_MS};
use warifu_core::token::{Standing, TokenState};
use warifu_core::webhook::Wanted;
use warifu_server::app::health::Obstacle;
use warifu_server::clock::Clock;
use warifu_server::webhook::AllowedNetworks;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask, of};
use crate::bank::Bank;
use crate::webhooks::revoke;

on_both_databases! {
    every_code_that_was_judged_is_counted_under_its_verdict,
    what_waits_to_be_sent_is_measured_with_its_age,
    a_node_that_stops_or_does_not_know_the_schema_is_not_ready,
    r19_a_node_whose_clock_cannot_be_trusted_revokes_and_removes_nothing,
}

/// Whether all these lines are told.
fn assert_told(bank: &Bank, lines: &[&str]) {
    let written = bank.app.metrics().written();
    for line in lines {
        assert!(
            written.lines().any(|told| told == *line),
            "{line}\n{written}"
        );
    }
}

async fn every_code_that_was_judged_is_counted_under_its_verdict(database: TestDatabase) {
    let api = Api::open(database).await;
    api.bank.app.metrics().start_recording();
    let phone = api.bank.phone("hanako").await;
    let now = api.bank.app.now();
    for code in [phone.code(now), phone.code(now), phone.wrong_code(now)] {
        api.verify("hanako", &code).await;
    }
    api.verify("jiro", "123456").await;
    api.bank
        .sql(
            "UPDATE app_user SET disabled = $1 WHERE login_id = $2",
            warifu_store::params![true, "hanako"],
        )
        .await;
    api.verify("hanako", &phone.code(now)).await;
    // What is no code is not judged, and what is kept is not judged again.
    api.verify("hanako", "12345").await;
    let path = of("jiro", "verify");
    for _ in 0..2 {
        let asked = Ask::post(&path, &json!({ "code": "123456" })).with("idempotency-key", "once");
        assert_eq!(api.ask(asked).await.status, 200);
    }
    assert_told(
        &api.bank,
        &[
            "warifu_verifications_total{verdict=\"accepted\"} 1",
            "warifu_verifications_total{verdict=\"already_used\"} 1",
            "warifu_verifications_total{verdict=\"wrong\"} 1",
            "warifu_verifications_total{verdict=\"no_token\"} 2",
            "warifu_verifications_total{verdict=\"disabled\"} 1",
            "warifu_verifications_total{verdict=\"other\"} 0",
            "warifu_verification_queue_depth 0",
        ],
    );
}

async fn what_waits_to_be_sent_is_measured_with_its_age(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.app.metrics().start_recording();
    let nothing = [
        "warifu_outbox_waiting 0",
        "warifu_outbox_oldest_seconds 0.0",
        "warifu_webhooks_waiting 0",
        "warifu_webhooks_oldest_seconds 0.0",
        "warifu_webhooks_dead 0",
    ];
    bank.app.measure_outboxes().await.unwrap();
    assert_told(&bank, &nothing);
    let wanted = Wanted::parse([]).unwrap();
    let here = AllowedNetworks::this_machine();
    let url = "http://127.0.0.1:9/hooks";
    bank.app
        .create_webhook(&bank.service_id, url, wanted, &here)
        .await
        .unwrap();
    revoke(&bank, "hanako").await;
    bank.clock.advance(90 * SECOND_MS);
    bank.app.measure_outboxes().await.unwrap();
    let mails = format!("warifu_outbox_waiting {}", bank.notices().await.len());
    assert_ne!(mails, nothing[0]);
    assert_told(
        &bank,
        &[
            &mails,
            "warifu_outbox_oldest_seconds 90.0",
            "warifu_webhooks_waiting 1",
            "warifu_webhooks_oldest_seconds 90.0",
        ],
    );
    bank.sql(
        "UPDATE webhook_delivery SET state = $1",
        warifu_store::params!["dead"],
    )
    .await;
    bank.app.measure_outboxes().await.unwrap();
    assert_told(
        &bank,
        &["warifu_webhooks_waiting 0", "warifu_webhooks_dead 1"],
    );
}

async fn a_node_that_stops_or_does_not_know_the_schema_is_not_ready(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let other = bank.node().await;
    assert_eq!(bank.app.readiness().await, []);
    bank.app.begin_to_stop();
    assert_eq!(bank.app.readiness().await, [Obstacle::Stopping]);
    // A later program was here.
    bank.sql(
        "INSERT INTO schema_migration (number, name, sha256, applied_at_ms) VALUES (1000, 'later', '', 0)",
        Vec::new(),
    )
    .await;
    assert_eq!(other.readiness().await, [Obstacle::Schema]);
}

/// What is removed or revoked by a wrong clock does not come back (R19).
async fn r19_a_node_whose_clock_cannot_be_trusted_revokes_and_removes_nothing(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    // Longer ago than the week that a first code may take.
    bank.set_clock(Clock::system().now().plus_ms(-8 * DAY_MS));
    let token_id = bank.hollow_token("hanako", TokenState::Activated).await;
    let node = bank.node_with_unsure_clock().await;
    assert_eq!(node.readiness().await, [Obstacle::Clock]);
    node.keep_house().await.unwrap();
    let standing = async || {
        let mut tx = bank.app.store().read().await.unwrap();
        let token = tx.token(&token_id).await.unwrap().unwrap();
        token.token.state.standing()
    };
    assert_eq!(standing().await, Standing::Activated);
    let right = bank.node_by(&Clock::system()).await;
    right.keep_house().await.unwrap();
    assert_eq!(standing().await, Standing::Revoked);
}
