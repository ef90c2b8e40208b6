//! J10: other systems are told of events, after the commit, signed, once or again until they answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use warifu_core::id::WebhookId;
use warifu_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use warifu_core::webhook::Wanted;
use warifu_server::app::manage::Task;
use warifu_server::app::webhooks::telling::{CLAIM_MS, RUNNING_OF_WEBHOOK_MAX, TRIES_MAX, Telling};
use warifu_server::app::webhooks::{NewWebhook, WebhookError};
use warifu_server::background;
use warifu_server::webhook::{AllowedNetworks, Message, SendError, Sender, WebhookConfig};
use warifu_store::limits::WEBHOOKS_OF_SERVICE_MAX;
use warifu_store::testing::TestDatabase;
use warifu_store::{DeliveryCounts, on_both_databases};

use crate::bank::{Bank, MAIL, confirmation, origin};
use crate::phone::issue_hollow;
use crate::receiver::{Answer, Came, Receiver, make_certificate, tls_endpoint};

on_both_databases!(
    an_event_is_told_once_signed_and_without_secrets,
    right_codes_are_told_only_when_asked_for_and_the_last_wrong_one_as_the_suspension,
    what_is_rolled_back_is_told_to_nobody,
    two_nodes_tell_each_event_once,
    a_delivery_that_is_not_taken_is_tried_again_under_its_id_and_given_up_at_last,
    a_delivery_of_a_node_that_died_between_claim_and_send_goes_out_later,
    while_a_rotation_lasts_both_secrets_sign,
    an_endpoint_that_is_gone_is_told_nothing_more,
    a_slow_endpoint_holds_up_nobody_else,
    a_running_server_tells_at_once_and_ends_what_is_under_way_when_it_stops,
    a_service_has_a_named_number_of_webhooks,
    deliveries_are_forgotten_after_their_time,
);

fn config() -> WebhookConfig {
    WebhookConfig {
        allow_private: AllowedNetworks::this_machine(),
        timeout: Duration::from_secs(3),
        ..WebhookConfig::default()
    }
}

pub(crate) fn telling(bank: &Bank) -> Telling {
    // What waits for silence in these tests is let go by them; the timeout is for one test.
    let config = WebhookConfig {
        timeout: Duration::from_secs(20),
        ..config()
    };
    Telling::new(
        Arc::clone(&bank.app),
        Arc::new(Sender::open(&config).unwrap()),
    )
}

/// A webhook of the bank at this address.
async fn hook(bank: &Bank, url: &str, names: &[&str]) -> NewWebhook {
    let wanted = Wanted::parse(names.iter().copied()).unwrap();
    let allowed = AllowedNetworks::this_machine();
    bank.app
        .create_webhook(&bank.service_id, url, wanted, &allowed)
        .await
        .unwrap()
}

/// An administrator revokes the token that `login` is given here; the token's id.
pub(crate) async fn revoke(bank: &Bank, login: &str) -> String {
    let token_id = bank.hollow_token(login, bank.suspended()).await;
    let admin = bank.full_session("admin").await;
    let target = bank.user(login).await.id;
    let done = bank
        .app
        .perform(&admin, Task::Revoke, &[target], &confirmation(), &origin())
        .await
        .unwrap();
    assert!(done[0].result.is_ok());
    token_id.to_string()
}

async fn counts(bank: &Bank, id: &WebhookId) -> DeliveryCounts {
    let mut tx = bank.app.store().read().await.unwrap();
    tx.delivery_counts(id).await.unwrap()
}

async fn an_event_is_told_once_signed_and_without_secrets(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &[]).await;
    let token_id = revoke(&bank, "hanako").await;
    let session = bank.session("jiro").await;
    issue_hollow(&bank.app, &session).await;
    let mut telling = telling(&bank);
    assert_eq!(telling.tell_all().await.unwrap(), 2);
    assert_eq!(telling.tell_all().await.unwrap(), 0, "once");
    let mut came = receiver.came();
    came.sort_by_key(Came::event);
    assert_eq!(came.len(), 2);
    for one in &came {
        assert!(one.is_signed_with(&made.secret), "{one:?}");
        assert_eq!(one.signatures.len(), 1);
        assert_eq!(one.at_s, bank.app.now().seconds());
        assert!(!one.body.contains(MAIL) && !one.body.contains('@'));
        assert!(!one.body.contains("whsec_"));
    }
    let (issued, revoked) = (came[0].json(), came[1].json());
    assert_eq!(issued["type"], "issuance.created");
    assert_eq!(issued["data"]["login_id"], "jiro");
    let issuance = bank.issuance("jiro").await;
    assert_eq!(issued["data"]["issuance_id"], issuance.id.as_str());
    let hanako = bank.user("hanako").await;
    let mut data = revoked["data"].clone();
    assert!(
        data["event_id"]
            .take()
            .as_str()
            .is_some_and(|id| id.len() == 26)
    );
    assert_eq!(
        revoked["timestamp"], "2026-11-20T03:00:00.000Z",
        "{revoked}"
    );
    assert_eq!(
        data,
        serde_json::json!({
            "event_id": null,
            "service_id": bank.service_id.as_str(),
            "contract_id": hanako.contract_id.as_str(),
            "user_id": hanako.id.as_str(),
            "login_id": "hanako",
            "token_id": token_id,
            "outcome": "done",
            "request_id": "test",
        })
    );
    assert_ne!(came[0].id, came[1].id);
    let expected = DeliveryCounts {
        delivered: 2,
        ..DeliveryCounts::default()
    };
    assert_eq!(counts(&bank, &made.id).await, expected);
}

async fn right_codes_are_told_only_when_asked_for_and_the_last_wrong_one_as_the_suspension(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let (all, asked) = (Receiver::open().await, Receiver::open().await);
    hook(&bank, &all.url(), &[]).await;
    hook(&bank, &asked.url(), &["verification.accepted"]).await;
    let phone = bank.phone("hanako").await;
    let right = phone.code(bank.app.now());
    let session = bank.session("hanako").await;
    bank.app.verify(&session, &right, &origin()).await.unwrap();
    let wrong = phone.wrong_code(bank.app.now());
    for _ in 0..5 {
        let session = bank.session("hanako").await;
        bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    }
    telling(&bank).tell_all().await.unwrap();
    let types = |receiver: &Receiver| {
        let mut types: Vec<_> = receiver.came().iter().map(Came::event).collect();
        types.sort();
        types
    };
    let mut expected = vec!["issuance.created", "token.activated", "token.suspended"];
    expected.extend(["verification.refused"; 4]);
    assert_eq!(types(&all), expected);
    assert_eq!(types(&asked), ["verification.accepted"]);
}

async fn what_is_rolled_back_is_told_to_nobody(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &[]).await;
    let session = bank.session("hanako").await;
    // The event is written and told first, the mails' outbox fails the transaction; and the other way round.
    for away in [
        "ALTER TABLE outbox RENAME TO outbox_away",
        "ALTER TABLE webhook_delivery RENAME TO webhook_delivery_away",
    ] {
        bank.sql(away, Vec::new()).await;
        let record = crate::phone::hollow_record(&bank.app, &session).await.0;
        bank.app
            .finish_issuance(&session, &record.encode(), &origin())
            .await
            .unwrap_err();
        if away.contains("webhook") {
            let mut tx = bank.app.store().read().await.unwrap();
            let user = bank.user("hanako").await;
            let none = tx.latest_issuance(&user.id).await.unwrap();
            assert!(none.is_none(), "no change without what is told of it");
            drop(tx);
            bank.sql(
                "ALTER TABLE webhook_delivery_away RENAME TO webhook_delivery",
                Vec::new(),
            )
            .await;
        } else {
            bank.sql("ALTER TABLE outbox_away RENAME TO outbox", Vec::new())
                .await;
        }
    }
    assert_eq!(telling(&bank).tell_all().await.unwrap(), 0);
    assert_eq!(counts(&bank, &made.id).await, DeliveryCounts::default());
}

async fn two_nodes_tell_each_event_once(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    hook(&bank, &receiver.url(), &[]).await;
    let logins = ["hanako", "jiro", "saburo", "admin2", "hanako", "jiro"];
    for login in logins {
        revoke(&bank, login).await;
        bank.clock.advance(1);
    }
    let sender = Arc::new(Sender::open(&config()).unwrap());
    let mut nodes = [
        Telling::new(Arc::clone(&bank.app), Arc::clone(&sender)),
        Telling::new(bank.node().await, sender),
    ];
    let [one, two] = &mut nodes;
    let (one, two) = tokio::join!(one.tell_all(), two.tell_all());
    assert_eq!(one.unwrap() + two.unwrap(), logins.len());
    let mut ids: Vec<_> = receiver.came().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), logins.len());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), logins.len());
}

async fn a_delivery_that_is_not_taken_is_tried_again_under_its_id_and_given_up_at_last(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &[]).await;
    revoke(&bank, "hanako").await;
    let begun = bank.app.now();
    receiver.answers(&[
        Answer::Status(500),
        Answer::Silence,
        Answer::Elsewhere,
        Answer::Later(6 * 3600),
    ]);
    receiver.answers(&[Answer::Status(404); TRIES_MAX]);
    // This one does not wait for an endpoint that says nothing.
    let sender = Arc::new(Sender::open(&config()).unwrap());
    let mut telling = Telling::new(Arc::clone(&bank.app), sender);
    let mut waits = Vec::new();
    for tries in 1..=TRIES_MAX {
        assert_eq!(telling.tell_all().await.unwrap(), 1, "try {tries}");
        let Some(due) = bank.app.next_webhook_due_at().await.unwrap() else {
            assert_eq!(tries, TRIES_MAX);
            break;
        };
        let wait_ms = due.since_ms(bank.app.now());
        waits.push(wait_ms);
        bank.clock.advance(wait_ms - 1);
        assert_eq!(telling.tell_all().await.unwrap(), 0, "not before its time");
        bank.clock.advance(1);
    }
    assert!((5 * SECOND_MS..=6 * SECOND_MS).contains(&waits[0]));
    assert!((5 * MINUTE_MS..=6 * MINUTE_MS).contains(&waits[1]));
    assert_eq!(waits[3], 6 * HOUR_MS, "as the endpoint asked");
    assert!(bank.app.now().since_ms(begun) > 3 * DAY_MS);
    let came = receiver.came();
    assert_eq!(came.len(), TRIES_MAX, "the redirection was not followed");
    for one in &came {
        assert_eq!((&one.id, &one.body), (&came[0].id, &came[0].body));
        assert!(one.is_signed_with(&made.secret), "each try anew: {one:?}");
    }
    assert!(came.is_sorted_by_key(|one| one.at_s) && came[0].at_s < came[1].at_s);
    // Given up, seen by operators, and sent again by their word.
    let dead = bank.app.dead_deliveries(Some(&made.id)).await.unwrap();
    assert_eq!((dead.len(), dead[0].tries), (1, 10));
    let why = dead[0].last_error.as_deref().unwrap();
    assert_eq!(why, "the endpoint answered 404");
    bank.app.redeliver(&dead[0]).await.unwrap();
    let again = bank.app.redeliver(&dead[0]).await;
    assert!(matches!(again, Err(WebhookError::NoDead(_))));
    receiver.answers_again();
    assert_eq!(telling.tell_all().await.unwrap(), 1);
    assert_eq!(receiver.came()[0].id, came[0].id);
    assert_eq!(counts(&bank, &made.id).await.delivered, 1);
}

async fn a_delivery_of_a_node_that_died_between_claim_and_send_goes_out_later(
    database: TestDatabase,
) {
    let mut bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &[]).await;
    revoke(&bank, "hanako").await;
    let now = bank.app.now();
    let mut tx = bank.app.store().begin().await.unwrap();
    let until = now.plus_ms(CLAIM_MS);
    let claimed = tx.claim_deliveries(&made.id, now, until, 8).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claimed.len(), 1);
    bank.restart().await;
    let mut telling = telling(&bank);
    assert_eq!(bank.app.next_webhook_due_at().await.unwrap(), Some(until));
    bank.clock.advance(CLAIM_MS - 1);
    assert_eq!(telling.tell_all().await.unwrap(), 0);
    bank.clock.advance(1);
    assert_eq!(telling.tell_all().await.unwrap(), 1);
    assert_eq!(receiver.came()[0].id, claimed[0].delivery.id.as_str());
    // The dead node's word comes too late to count.
    let mut tx = bank.app.store().begin().await.unwrap();
    assert!(!tx.mark_delivered(&claimed[0], now).await.unwrap());
}

async fn while_a_rotation_lasts_both_secrets_sign(database: TestDatabase) {
    let mut bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let NewWebhook { id, secret: old } = hook(&bank, &receiver.url(), &[]).await;
    let new = bank.app.rotate_webhook(&id, 24).await.unwrap();
    bank.restart().await;
    let mut signed = Vec::new();
    for login in ["hanako", "jiro"] {
        revoke(&bank, login).await;
        telling(&bank).tell_all().await.unwrap();
        let came = receiver.came().remove(0);
        let by = (came.is_signed_with(&old), came.is_signed_with(&new));
        signed.push((came.signatures.len(), by));
        bank.clock.advance(DAY_MS);
    }
    assert_eq!(signed, [(2, (true, true)), (1, (false, true))]);
    // One that was betrayed ends at once.
    let newest = bank.app.rotate_webhook(&id, 0).await.unwrap();
    revoke(&bank, "saburo").await;
    telling(&bank).tell_all().await.unwrap();
    let came = receiver.came().remove(0);
    assert!(came.is_signed_with(&newest) && !came.is_signed_with(&new));
}

async fn an_endpoint_that_is_gone_is_told_nothing_more(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &[]).await;
    receiver.answers(&[Answer::Status(410)]);
    revoke(&bank, "hanako").await;
    let mut telling = telling(&bank);
    telling.tell_all().await.unwrap();
    revoke(&bank, "jiro").await;
    assert_eq!(telling.tell_all().await.unwrap(), 0);
    assert_eq!(receiver.came().len(), 1);
    let (webhook, counts) = bank.app.webhooks().await.unwrap().remove(0);
    assert!(webhook.disabled);
    assert_eq!((counts.dead, counts.queued), (1, 0));
    let told = bank.outcomes("webhook", made.id.as_str(), "webhook").await;
    assert_eq!(told, ["created", "gone"]);
    // What was queued before the end is given up when its time comes, and can be sent again.
    assert!(
        bank.app
            .set_webhook_disabled(&made.id, false)
            .await
            .unwrap()
    );
    revoke(&bank, "saburo").await;
    assert!(bank.app.set_webhook_disabled(&made.id, true).await.unwrap());
    assert_eq!(telling.tell_all().await.unwrap(), 1);
    assert_eq!(receiver.came().len(), 0);
    let dead = bank.app.dead_deliveries(None).await.unwrap();
    let reasons: Vec<_> = dead.iter().map(|one| one.last_error.as_deref()).collect();
    assert!(
        reasons.contains(&Some("the webhook is disabled")),
        "{reasons:?}"
    );
}

async fn a_slow_endpoint_holds_up_nobody_else(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let (slow, quick) = (Receiver::open().await, Receiver::open().await);
    slow.answers(&[Answer::Silence; 20]);
    let slow_hook = hook(&bank, &slow.url(), &[]).await;
    hook(&bank, &quick.url(), &[]).await;
    let logins = [
        "hanako", "jiro", "saburo", "admin2", "hanako", "jiro", "saburo",
    ];
    for login in logins {
        revoke(&bank, login).await;
        bank.clock.advance(1);
    }
    let mut telling = telling(&bank);
    let task = tokio::spawn(async move { telling.tell_all().await.unwrap() });
    for _ in logins {
        quick.arrival().await;
    }
    for _ in 0..RUNNING_OF_WEBHOOK_MAX {
        slow.arrival().await;
    }
    assert_eq!(slow.came().len(), RUNNING_OF_WEBHOOK_MAX, "at once");
    slow.let_go();
    assert_eq!(task.await.unwrap(), 2 * logins.len());
    assert_eq!(counts(&bank, &slow_hook.id).await.delivered, 7);
}

async fn a_running_server_tells_at_once_and_ends_what_is_under_way_when_it_stops(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &[]).await;
    let sender = Arc::new(
        Sender::open(&WebhookConfig {
            timeout: Duration::from_secs(20),
            ..config()
        })
        .unwrap(),
    );
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(background::tell_webhooks(
        Arc::clone(&bank.app),
        sender,
        stopped,
    ));
    // Far less than the loop's own rest: it is woken by the commit.
    let soon = Duration::from_secs(5);
    revoke(&bank, "hanako").await;
    timeout(soon, receiver.arrival()).await.unwrap();
    receiver.answers(&[Answer::Silence]);
    revoke(&bank, "jiro").await;
    timeout(soon, receiver.arrival()).await.unwrap();
    stop.send(true).unwrap();
    receiver.let_go();
    timeout(soon, running).await.unwrap().unwrap();
    assert_eq!(counts(&bank, &made.id).await.delivered, 2);
}

async fn a_service_has_a_named_number_of_webhooks(database: TestDatabase) {
    let bank = Bank::open(database).await;
    for _ in 0..WEBHOOKS_OF_SERVICE_MAX {
        hook(&bank, "http://127.0.0.1:9/", &[]).await;
    }
    let allowed = AllowedNetworks::this_machine();
    let create = |url| {
        bank.app
            .create_webhook(&bank.service_id, url, Wanted::default(), &allowed)
    };
    let more = create("http://127.0.0.1:9/").await;
    assert!(matches!(more, Err(WebhookError::TooMany)));
    let wrong = create("http://bank.example/").await;
    assert!(matches!(wrong, Err(WebhookError::Url(_))));
}

async fn deliveries_are_forgotten_after_their_time(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let made = hook(&bank, &receiver.url(), &["token.revoked"]).await;
    revoke(&bank, "hanako").await;
    receiver.answers(&[Answer::Status(200), Answer::Status(410)]);
    let mut telling = telling(&bank);
    telling.tell_all().await.unwrap();
    revoke(&bank, "jiro").await;
    telling.tell_all().await.unwrap();
    for (after_ms, delivered, dead) in [(7 * DAY_MS, 1, 1), (1, 0, 1), (23 * DAY_MS, 0, 0)] {
        bank.clock.advance(after_ms);
        bank.app.keep_house().await.unwrap();
        let counts = counts(&bank, &made.id).await;
        assert_eq!((counts.delivered, counts.dead), (delivered, dead));
    }
}

fn message() -> Message {
    Message {
        id: "0123456789abcdefghjkmnpqrs".to_owned(),
        at_s: 1,
        signatures: "v1,x".to_owned(),
        body: "{}".to_owned(),
    }
}

#[tokio::test]
async fn r82_an_address_is_judged_where_it_leads_and_not_how_it_is_written() {
    // Both are this machine to the resolver, and no address to a parser.
    let sender = Sender::open(&WebhookConfig::default()).unwrap();
    for url in ["https://2130706433:9/", "https://0x7f000001:9/"] {
        let sent = sender.send(url, &message()).await;
        let Err(SendError::Later { reason, .. }) = sent else {
            panic!("{url} was told");
        };
        assert!(reason.contains("webhooks.allow_private"), "{url}: {reason}");
    }
}

#[tokio::test]
async fn over_tls_the_endpoints_certificate_is_checked() {
    let folder = tempfile::TempDir::new().unwrap();
    let certificate = make_certificate(folder.path());
    let port = tls_endpoint(&certificate, &folder.path().join("key.pem")).await;
    let url = format!("https://localhost:{port}/hooks");
    let trusting = WebhookConfig {
        ca_file: Some(certificate),
        timeout: Duration::from_secs(20),
        ..config()
    };
    let sent = Sender::open(&trusting)
        .unwrap()
        .send(&url, &message())
        .await;
    assert_eq!(sent, Ok(()));
    let strict = WebhookConfig {
        ca_file: None,
        ..trusting
    };
    let sent = Sender::open(&strict).unwrap().send(&url, &message()).await;
    assert!(
        matches!(&sent, Err(SendError::Later { reason, .. }) if reason.starts_with("TLS: ")),
        "{sent:?}"
    );
}
