//! Webhooks: every delivery is tried by one node at a time until it is taken or given up.

use std::collections::BTreeSet;

use tokio::task::JoinSet;
use warifu_core::id::{DeliveryId, WebhookId};
use warifu_core::time::MINUTE_MS;
use warifu_core::webhook::{EventType, Wanted};

use super::sample::{NOW, store_issuance, store_taro};
use crate::{
    ClaimedDelivery, Delivery, DeliveryCounts, Store, StoredWebhook, Subject, on_both_databases,
};

on_both_databases! { store:
    a_webhook_is_read_as_it_was_made_and_changed,
    a_secret_is_changed_by_the_one_who_read_the_latest,
    only_webhooks_that_are_not_disabled_are_to_tell,
    an_event_leads_to_its_person,
    two_nodes_never_claim_the_same_delivery,
    a_claimed_delivery_is_due_again_when_the_claim_ends,
    who_lost_the_claim_marks_nothing,
    a_delivery_that_was_given_up_can_be_queued_again,
}

fn webhook(name: &str, service: &warifu_core::id::ServiceId) -> StoredWebhook {
    StoredWebhook {
        id: WebhookId::from_stored(name),
        service_id: service.clone(),
        url: "https://bank.example/hooks".to_owned(),
        wanted: Wanted::parse(["token.revoked"]).unwrap(),
        sealed_secret: b"sealed".to_vec(),
        old_secret: None,
        disabled: false,
        created_at: NOW,
        version: 1,
    }
}

/// A webhook with as many deliveries.
async fn store_deliveries(store: &Store, count: u32) -> StoredWebhook {
    let taro = store_taro(store).await;
    let hook = webhook("hook", &taro.service_id);
    let deliveries: Vec<_> = (0..count)
        .map(|number| Delivery {
            id: DeliveryId::from_stored(format!("delivery-{number:03}")),
            webhook_id: hook.id.clone(),
            body: format!("{{\"number\":{number}}}"),
            created_at: NOW,
        })
        .collect();
    let mut tx = store.begin().await.unwrap();
    tx.insert_webhook(&hook).await.unwrap();
    tx.insert_deliveries(&deliveries).await.unwrap();
    tx.commit().await.unwrap();
    hook
}

async fn claim(
    store: &Store,
    hook: &StoredWebhook,
    after_ms: i64,
    limit: u32,
) -> Vec<ClaimedDelivery> {
    let now = NOW.plus_ms(after_ms);
    let mut tx = store.begin().await.unwrap();
    let claimed = tx
        .claim_deliveries(&hook.id, now, now.plus_ms(MINUTE_MS), limit)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    claimed
}

async fn a_webhook_is_read_as_it_was_made_and_changed(store: Store) {
    let taro = store_taro(&store).await;
    let hook = webhook("hook", &taro.service_id);
    let mut tx = store.begin().await.unwrap();
    tx.insert_webhook(&hook).await.unwrap();
    assert_eq!(tx.webhook(&hook.id).await.unwrap(), Some(hook.clone()));
    assert_eq!(tx.webhooks().await.unwrap(), std::slice::from_ref(&hook));
    assert_eq!(tx.count_webhooks(&taro.service_id).await.unwrap(), 1);
    assert!(tx.set_webhook_disabled(&hook.id, true).await.unwrap());
    assert!(!tx.set_webhook_disabled(&hook.id, true).await.unwrap());
    let changed = tx.webhook(&hook.id).await.unwrap().unwrap();
    assert_eq!((changed.disabled, changed.version), (true, 2));
    let nothing = WebhookId::from_stored("nothing");
    assert_eq!(tx.webhook(&nothing).await.unwrap(), None);
    assert!(!tx.set_webhook_disabled(&nothing, true).await.unwrap());
}

async fn a_secret_is_changed_by_the_one_who_read_the_latest(store: Store) {
    let hook = store_deliveries(&store, 0).await;
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(1);
    assert!(
        tx.set_webhook_secret(&hook, b"new", b"old", until)
            .await
            .unwrap()
    );
    assert!(
        !tx.set_webhook_secret(&hook, b"newer", b"old", until)
            .await
            .unwrap()
    );
    let changed = tx.webhook(&hook.id).await.unwrap().unwrap();
    assert_eq!(changed.sealed_secret, b"new");
    assert_eq!(changed.old_secret, Some((b"old".to_vec(), until)));
}

async fn only_webhooks_that_are_not_disabled_are_to_tell(store: Store) {
    let taro = store_taro(&store).await;
    let other = warifu_core::id::ServiceId::parse("other-bank").unwrap();
    let mut tx = store.begin().await.unwrap();
    for name in ["a", "b"] {
        tx.insert_webhook(&webhook(name, &taro.service_id))
            .await
            .unwrap();
    }
    tx.set_webhook_disabled(&WebhookId::from_stored("a"), true)
        .await
        .unwrap();
    let found = tx
        .webhooks_to_tell(&[&other, &taro.service_id])
        .await
        .unwrap();
    assert_eq!((found.len(), found[0].len(), found[1].len()), (2, 0, 1));
    let (id, wanted) = &found[1][0];
    assert_eq!(id.as_str(), "b");
    assert!(wanted.wants(EventType::TokenRevoked) && !wanted.wants(EventType::TokenReleased));
}

async fn an_event_leads_to_its_person(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let mut tx = store.read().await.unwrap();
    let people = tx
        .people_behind(Subject::Issuance, &["nothing", issuance.id.as_str()])
        .await
        .unwrap();
    assert_eq!(people[0], None);
    let person = people[1].clone().unwrap();
    assert_eq!(
        (&person.user_id, &person.login_id),
        (&taro.id, &taro.login_id)
    );
    assert_eq!(person.contract_id, taro.contract_id);
    let none = tx
        .people_behind(Subject::Token, &["nothing"])
        .await
        .unwrap();
    assert_eq!(none, [None]);
}

async fn two_nodes_never_claim_the_same_delivery(store: Store) {
    let hook = store_deliveries(&store, 60).await;
    let mut nodes = JoinSet::new();
    for _ in 0..4 {
        let (store, hook) = (store.clone(), hook.clone());
        nodes.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = claim(&store, &hook, 0, 7).await;
                let mut tx = store.read().await.unwrap();
                if claimed.is_empty() && tx.webhooks_with_due(NOW).await.unwrap().is_empty() {
                    return mine;
                }
                mine.extend(claimed);
            }
        });
    }
    let claimed: Vec<_> = nodes.join_all().await.into_iter().flatten().collect();
    let ids: BTreeSet<_> = claimed.iter().map(|one| &one.delivery.id).collect();
    assert_eq!((claimed.len(), ids.len()), (60, 60));
}

async fn a_claimed_delivery_is_due_again_when_the_claim_ends(store: Store) {
    let hook = store_deliveries(&store, 1).await;
    let first = claim(&store, &hook, 0, 9).await.remove(0);
    assert_eq!(
        (first.tries, first.claimed_until),
        (0, NOW.plus_ms(MINUTE_MS))
    );
    assert_eq!(claim(&store, &hook, MINUTE_MS - 1, 9).await, []);
    let mut tx = store.read().await.unwrap();
    let due = tx.next_delivery_due_at().await.unwrap();
    assert_eq!(due, Some(first.claimed_until));
    let just_before = NOW.plus_ms(MINUTE_MS - 1);
    assert_eq!(tx.webhooks_with_due(just_before).await.unwrap(), []);
    drop(tx);
    let second = claim(&store, &hook, MINUTE_MS, 9).await.remove(0);
    assert_eq!(second.delivery, first.delivery);
}

async fn who_lost_the_claim_marks_nothing(store: Store) {
    let hook = store_deliveries(&store, 1).await;
    let first = claim(&store, &hook, 0, 9).await.remove(0);
    let second = claim(&store, &hook, MINUTE_MS, 9).await.remove(0);
    let mut tx = store.begin().await.unwrap();
    tx.mark_undelivered(&first, None, NOW, "late")
        .await
        .unwrap();
    assert!(!tx.mark_delivered(&first, NOW).await.unwrap());
    assert!(tx.mark_delivered(&second, NOW).await.unwrap());
    assert!(!tx.mark_delivered(&second, NOW).await.unwrap());
    let delivered = DeliveryCounts {
        delivered: 1,
        ..DeliveryCounts::default()
    };
    assert_eq!(tx.delivery_counts(&hook.id).await.unwrap(), delivered);
    assert_eq!(tx.next_delivery_due_at().await.unwrap(), None);
    assert_eq!(tx.remove_delivered_before(NOW, 9).await.unwrap(), 0);
    let later = NOW.plus_ms(1);
    assert_eq!(tx.remove_delivered_before(later, 9).await.unwrap(), 1);
}

async fn a_delivery_that_was_given_up_can_be_queued_again(store: Store) {
    let hook = store_deliveries(&store, 2).await;
    let claimed = claim(&store, &hook, 0, 9).await;
    let mut tx = store.begin().await.unwrap();
    let later = NOW.plus_ms(2 * MINUTE_MS);
    tx.mark_undelivered(&claimed[0], Some(later), NOW, "not now")
        .await
        .unwrap();
    tx.mark_undelivered(&claimed[1], None, NOW, "never")
        .await
        .unwrap();
    let waiting = tx.webhook_backlog().await.unwrap();
    assert_eq!((waiting.waiting, waiting.oldest_at), (1, Some(NOW)));
    assert_eq!(tx.count_dead_deliveries().await.unwrap(), 1);
    let dead = tx.dead_deliveries(&hook.id).await.unwrap();
    assert_eq!((dead.len(), dead[0].tries), (1, 1));
    assert_eq!(dead[0].delivery, claimed[1].delivery);
    assert_eq!(dead[0].last_error.as_deref(), Some("never"));
    let both = [&claimed[0], &claimed[1]].map(|one| one.delivery.id.clone());
    assert_eq!(
        tx.redeliver(&both, NOW).await.unwrap(),
        1,
        "only what was given up"
    );
    assert_eq!(tx.dead_deliveries(&hook.id).await.unwrap(), []);
    tx.commit().await.unwrap();
    let again = claim(&store, &hook, 0, 9).await;
    assert_eq!((again.len(), again[0].tries), (1, 0));
    let mut tx = store.begin().await.unwrap();
    tx.mark_undelivered(&again[0], None, NOW, "never")
        .await
        .unwrap();
    assert_eq!(tx.remove_dead_before(NOW, 9).await.unwrap(), 0);
    assert_eq!(tx.remove_dead_before(NOW.plus_ms(1), 9).await.unwrap(), 1);
}
