//! The audit log, the values of the installation and the data keys.

use tokio::task::JoinSet;
use warifu_core::audit::{Action, Event, Origin};
use warifu_core::id::{AuditId, OperatorId, ServiceId};
use warifu_core::time::UnixMillis;
use warifu_core::user::{Actor, TwoOperators};

use super::sample::{NOW, store_taro};
use crate::{Store, StoredDataKey, on_both_databases};

on_both_databases! { store:
    an_event_names_who_did_it,
    an_event_comes_back_as_it_went,
    the_events_of_a_thing_are_told_in_their_order,
    the_time_before_the_last_is_that_of_the_same_action_and_outcome,
    a_value_of_the_installation_is_never_replaced,
    a_data_key_is_never_replaced,
    a_data_key_grants_no_more_seals_than_it_may,
}

pub(super) fn event(id: &str, at: UnixMillis, actor: Actor) -> Event {
    Event {
        id: AuditId::from_stored(id),
        at,
        service_id: None,
        actor,
        action: Action::Revoke,
        target_kind: "token",
        target_id: "t".to_owned(),
        outcome: "done",
        origin: Origin::default(),
    }
}

async fn an_event_names_who_did_it(store: Store) {
    let taro = store_taro(&store).await;
    let operator = |id: &str| OperatorId::from_stored(id);
    let both = TwoOperators::new(operator("b"), operator("a")).unwrap();
    let actors = [
        (Actor::user(&taro), "user", taro.id.as_str()),
        (Actor::Operator(operator("a")), "operator", "a"),
        (Actor::Operators(both), "operators", "b+a"),
        (Actor::System, "system", "system"),
    ];
    let mut tx = store.begin().await.unwrap();
    for (number, (actor, ..)) in (0..).zip(&actors) {
        let event = event(&number.to_string(), NOW, actor.clone());
        tx.insert_event(&event).await.unwrap();
    }
    let events = tx.events_of("token", "t").await.unwrap();
    let found: Vec<_> = events
        .iter()
        .map(|event| (event.actor_kind.as_str(), event.actor_id.as_str()))
        .collect();
    let expected: Vec<_> = actors.iter().map(|(_, kind, id)| (*kind, *id)).collect();
    assert_eq!(found, expected);
    assert_eq!(tx.count_events().await.unwrap(), 4);
}

async fn an_event_comes_back_as_it_went(store: Store) {
    let went = Event {
        service_id: Some(ServiceId::parse("bank").unwrap()),
        action: Action::Verify,
        outcome: "already_used",
        origin: Origin {
            request_id: "request".to_owned(),
            address: Some("192.0.2.1".to_owned()),
        },
        ..event("e", NOW, Actor::System)
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_event(&went).await.unwrap();
    let back = tx.events_of("token", "t").await.unwrap().remove(0);
    assert_eq!(
        (back.id, back.at, back.service_id),
        (went.id.clone(), went.at, went.service_id.clone())
    );
    assert_eq!(
        (back.action.as_str(), back.outcome.as_str()),
        ("verify", went.outcome)
    );
    assert_eq!(
        (back.target_kind.as_str(), back.target_id),
        (went.target_kind, went.target_id.clone())
    );
    let origin = Origin {
        request_id: back.request_id,
        address: back.address,
    };
    assert_eq!(origin, went.origin);
}

async fn the_events_of_a_thing_are_told_in_their_order(store: Store) {
    let mut tx = store.begin().await.unwrap();
    for (id, after_ms) in [("c", 0), ("b", 2), ("a", 1), ("d", 2)] {
        let event = event(id, NOW.plus_ms(after_ms), Actor::System);
        tx.insert_event(&event).await.unwrap();
    }
    let elsewhere = [("token", "another"), ("user", "t")];
    for (id, (kind, target)) in ["x", "y"].into_iter().zip(elsewhere) {
        let event = Event {
            target_kind: kind,
            target_id: target.to_owned(),
            ..event(id, NOW, Actor::System)
        };
        tx.insert_event(&event).await.unwrap();
    }
    let told = tx.events_of("token", "t").await.unwrap();
    let told: Vec<_> = told.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(told, ["c", "a", "b", "d"]);
}

async fn the_time_before_the_last_is_that_of_the_same_action_and_outcome(store: Store) {
    let mut tx = store.begin().await.unwrap();
    for (id, after_ms, action, outcome) in [
        ("a", 0, Action::Revoke, "done"),
        ("b", 1, Action::Revoke, "done"),
        ("c", 2, Action::Revoke, "not_permitted"),
        ("d", 3, Action::Release, "done"),
    ] {
        let event = Event {
            action,
            outcome,
            target_kind: "user",
            ..event(id, NOW.plus_ms(after_ms), Actor::System)
        };
        tx.insert_event(&event).await.unwrap();
    }
    let before = tx.last_but_one_event_at(Action::Revoke, "user", "t", "done");
    assert_eq!(before.await.unwrap(), Some(NOW));
    let once = tx.last_but_one_event_at(Action::Release, "user", "t", "done");
    assert_eq!(once.await.unwrap(), None);
    let elsewhere = tx.last_but_one_event_at(Action::Revoke, "user", "u", "done");
    assert_eq!(elsewhere.await.unwrap(), None);
}

async fn a_value_of_the_installation_is_never_replaced(store: Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.installation_value("canary").await.unwrap(), None);
    let first = tx.insert_installation_value("canary", b"first").await;
    assert!(first.unwrap());
    let second = tx.insert_installation_value("canary", b"second").await;
    assert!(!second.unwrap());
    let kept = tx.installation_value("canary").await.unwrap();
    assert_eq!(kept.as_deref(), Some(b"first".as_slice()));
}

fn data_key(id: &str, wrapped: &[u8]) -> StoredDataKey {
    StoredDataKey {
        id: id.to_owned(),
        owner: "bank".to_owned(),
        wrapped: wrapped.to_vec(),
    }
}

async fn a_data_key_is_never_replaced(store: Store) {
    let (first, second) = (data_key("b", b"first"), data_key("a", b"second"));
    let mut tx = store.begin().await.unwrap();
    assert!(tx.insert_data_key(&first, 1, NOW).await.unwrap());
    let later = NOW.plus_ms(1);
    assert!(tx.insert_data_key(&second, 1, later).await.unwrap());
    let again = data_key("b", b"another");
    assert!(!tx.insert_data_key(&again, 1, later).await.unwrap());
    let kept = tx.data_keys().await.unwrap();
    assert!(kept == [first, second], "in the order they were made");
}

/// R64: a key seals so many times and no more, however many nodes ask for their share.
async fn a_data_key_grants_no_more_seals_than_it_may(store: Store) {
    const GRANT: u32 = 10;
    const SEALS_MAX: u32 = 55;
    let mut tx = store.begin().await.unwrap();
    let key = data_key("key", b"wrapped");
    assert!(tx.insert_data_key(&key, GRANT, NOW).await.unwrap());
    tx.commit().await.unwrap();
    let mut nodes = JoinSet::new();
    for _ in 0..12 {
        let store = store.clone();
        nodes.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let granted = tx.grant_seals("key", GRANT, SEALS_MAX).await.unwrap();
            tx.commit().await.unwrap();
            u32::from(granted)
        });
    }
    assert_eq!(nodes.join_all().await.iter().sum::<u32>(), 4);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.grant_seals("unknown", GRANT, SEALS_MAX).await.unwrap());
    assert!(!tx.grant_seals("key", 6, SEALS_MAX).await.unwrap());
    assert!(tx.grant_seals("key", 5, SEALS_MAX).await.unwrap());
}
