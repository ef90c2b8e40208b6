//! The order of the events, and how those of a service are read in parts.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use warifu_core::audit::{Action, Event};
use warifu_core::id::{AuditId, ServiceId};
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;

use super::records::event;
use super::sample::NOW;
use crate::{EventPlace, EventsPart, Store, Tx, on_both_databases, params};

on_both_databases! { store:
    events_that_are_recorded_together_keep_their_order,
    an_event_stands_behind_all_that_its_transaction_saw,
    the_events_of_a_broken_clock_are_numbered_as_well,
    the_events_of_a_service_are_read_in_parts,
    a_service_with_few_events_is_read_past_those_of_others,
    nobody_goes_past_an_event_that_is_not_told_yet,
    a_clock_that_was_wrong_holds_up_no_reader,
    events_of_one_number_are_each_told_once,
    an_id_leads_to_its_event_or_a_little_before,
}

/// What is recorded by now is told.
const TOLD: (UnixMillis, UnixMillis) = (NOW.plus_ms(1_000_000), NOW.plus_ms(2_000_000));

fn service(id: &str) -> ServiceId {
    ServiceId::parse(id).unwrap()
}

/// So many events of a service, recorded `after_ms`; their ids are in another order.
fn events(of: &str, after_ms: i64, count: u8) -> Vec<Event> {
    let named = |number: u8| {
        let mut rng = ChaCha20Rng::from_seed([number; 32]);
        Event {
            id: AuditId::new(NOW.plus_ms(after_ms), &mut rng),
            service_id: Some(service(of)),
            target_id: format!("{of} {after_ms} {number}"),
            ..event("", NOW.plus_ms(after_ms), Actor::System)
        }
    };
    (0..count).map(named).collect()
}

fn targets(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.target_id.clone()).collect()
}

async fn record(store: &Store, events: &[Event]) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_events(events.to_vec()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn part(tx: &mut Tx, of: &str, after: &EventPlace, limit: u32) -> EventsPart {
    let of = service(of);
    let part = tx.events_of_service_after(&of, after, TOLD, None, limit);
    let part = part.await.unwrap();
    // Readers keep a place as text.
    assert_eq!(
        EventPlace::parse(&part.next.to_string()),
        Some(part.next.clone())
    );
    part
}

/// All events of a service, and in how many parts they came.
async fn all(store: &Store, of: &str, limit: u32) -> (Vec<String>, usize) {
    let mut tx = store.read().await.unwrap();
    let (mut read, mut parts) = (Vec::new(), 0);
    let mut after = EventPlace::default();
    loop {
        let part = part(&mut tx, of, &after, limit).await;
        parts += 1;
        assert!(part.events.len() <= limit as usize);
        read.extend(part.events.into_iter().map(|event| event.target_id));
        if !part.more {
            return (read, parts);
        }
        assert_ne!(part.next, after, "it goes on");
        after = part.next;
    }
}

async fn events_that_are_recorded_together_keep_their_order(store: Store) {
    let together = events("bank", 0, 9);
    let mut by_id = together.clone();
    by_id.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    assert_ne!(targets(&by_id), targets(&together), "ids say another order");
    record(&store, &together).await;
    assert_eq!(all(&store, "bank", 100).await.0, targets(&together));
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.last_event_at().await.unwrap(), Some(NOW));
}

async fn an_event_stands_behind_all_that_its_transaction_saw(store: Store) {
    // The clock of the second is behind.
    let (first, second) = (events("bank", 5, 3), events("bank", 0, 3));
    record(&store, &first).await;
    record(&store, &second).await;
    let expected = [targets(&first), targets(&second)].concat();
    assert_eq!(all(&store, "bank", 100).await.0, expected);
    // R19: the clock that was ahead is what a later start compares its own with.
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.last_event_at().await.unwrap(), Some(NOW.plus_ms(5)));
}

/// Years that only a broken clock shows: before 1970, 2019, 2086, and the last.
async fn the_events_of_a_broken_clock_are_numbered_as_well(store: Store) {
    let mut expected = Vec::new();
    for (at, target) in [i64::MAX, 3_690_000_000_000, 1_560_000_000_000, -1]
        .into_iter()
        .zip(0..)
    {
        let broken = Event {
            at: UnixMillis(at),
            target_id: format!("broken {target}"),
            ..events("bank", 0, 1).remove(0)
        };
        for _ in 0..3 {
            record(&store, std::slice::from_ref(&broken)).await;
            expected.push(broken.target_id.clone());
        }
    }
    record(&store, &events("bank", 0, 2)).await;
    expected.extend(targets(&events("bank", 0, 2)));
    assert_eq!(all(&store, "bank", 4).await.0, expected);
}

async fn the_events_of_a_service_are_read_in_parts(store: Store) {
    let (bank, other) = (events("bank", 0, 7), events("other", 0, 4));
    record(&store, &bank[..3]).await;
    record(&store, &other).await;
    record(&store, &bank[3..]).await;
    for limit in [1, 2, 3, 7, 8] {
        assert_eq!(
            all(&store, "bank", limit).await.0,
            targets(&bank),
            "{limit}"
        );
        assert_eq!(
            all(&store, "other", limit).await.0,
            targets(&other),
            "{limit}"
        );
    }
    assert!(all(&store, "none", 3).await.0.is_empty());
    // Of one action.
    let renewed = Event {
        action: Action::Release,
        ..events("bank", 1, 1).remove(0)
    };
    record(&store, std::slice::from_ref(&renewed)).await;
    let mut tx = store.read().await.unwrap();
    let begin = EventPlace::default();
    let found = tx
        .events_of_service_after(&service("bank"), &begin, TOLD, Some(Action::Release), 9)
        .await
        .unwrap();
    let found: Vec<_> = found.events.iter().map(|event| &event.target_id).collect();
    assert_eq!(found, [&renewed.target_id]);
    // Who follows begins where the last part ended.
    let end = part(&mut tx, "bank", &begin, 100).await.next;
    drop(tx);
    let later = events("bank", 2, 2);
    record(&store, &later).await;
    let mut tx = store.read().await.unwrap();
    let part = part(&mut tx, "bank", &end, 100).await;
    let read: Vec<_> = part
        .events
        .into_iter()
        .map(|event| event.target_id)
        .collect();
    assert_eq!(read, targets(&later));
}

async fn a_service_with_few_events_is_read_past_those_of_others(store: Store) {
    let (first, last) = (events("rare", 0, 1), events("rare", 300, 1));
    record(&store, &first).await;
    for after_ms in 1..=30 {
        record(&store, &events("bank", after_ms, 100)).await;
    }
    record(&store, &last).await;
    let expected = [targets(&first), targets(&last)].concat();
    for (limit, parts) in [(3, 3), (50, 3), (100, 2), (200, 1)] {
        assert_eq!(
            all(&store, "rare", limit).await,
            (expected.clone(), parts),
            "{limit}"
        );
    }
}

async fn nobody_goes_past_an_event_that_is_not_told_yet(store: Store) {
    let (told, fresh) = (events("bank", 0, 2), events("bank", 10, 1));
    // Recorded later, by a clock that is behind; and by others, so many that they are not looked at in one go.
    let (behind, others) = (events("bank", 5, 1), events("other", 10, 200));

    for recorded in [&told, &fresh, &behind] {
        record(&store, recorded).await;
    }
    for _ in 0..6 {
        record(&store, &others).await;
    }
    let mut tx = store.read().await.unwrap();
    let mut read = async |after: &EventPlace, before_ms: i64| {
        let times = (NOW.plus_ms(before_ms), NOW.plus_ms(1_000));
        tx.events_of_service_after(&service("bank"), after, times, None, 4)
            .await
            .unwrap()
    };
    let before = read(&EventPlace::default(), 10).await;
    assert_eq!((before.events.len(), before.more), (2, false));
    let again = read(&before.next, 10).await;
    assert_eq!((again.events.len(), &again.next), (0, &before.next));
    let after = read(&before.next, 11).await;
    let told: Vec<_> = after
        .events
        .into_iter()
        .map(|event| event.target_id)
        .collect();
    assert_eq!(told, [targets(&fresh), targets(&behind)].concat());
    // Nor past those of others, while they are as fresh.
    let other = |before_ms: i64| (NOW.plus_ms(before_ms), NOW.plus_ms(1_000));
    let rare = service("rare");
    let begin = EventPlace::default();
    let fresh = tx.events_of_service_after(&rare, &begin, other(5), None, 4);
    let fresh = fresh.await.unwrap();
    assert_eq!((fresh.next, fresh.more), (begin.clone(), false));
    let settled = tx.events_of_service_after(&rare, &begin, other(11), None, 4);
    let settled = settled.await.unwrap();
    assert!(settled.more && settled.next != begin);
}

async fn a_clock_that_was_wrong_holds_up_no_reader(store: Store) {
    let (ahead, after) = (events("bank", 5_000_000, 1), events("bank", 0, 1));
    record(&store, &ahead).await;
    record(&store, &after).await;
    let expected = [targets(&ahead), targets(&after)].concat();
    assert_eq!(all(&store, "bank", 100).await.0, expected);
}

async fn events_of_one_number_are_each_told_once(store: Store) {
    let twins = events("bank", 0, 5);
    record(&store, &twins).await;
    let mut tx = store.begin().await.unwrap();
    // As nodes on PostgreSQL may give it; on SQLite numbers are never the same.
    let numbered = tx
        .execute("UPDATE audit SET event_no = $1", params![7])
        .await;
    if store.runs_here() {
        assert!(numbered.unwrap_err().is_duplicate());
        return;
    }
    assert_eq!(numbered.unwrap(), 5);
    tx.commit().await.unwrap();
    let mut by_id = twins;
    by_id.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for limit in [1, 2, 5, 6] {
        assert_eq!(
            all(&store, "bank", limit).await.0,
            targets(&by_id),
            "{limit}"
        );
    }
}

async fn an_id_leads_to_its_event_or_a_little_before(store: Store) {
    let (first, second) = (events("bank", 0, 3), events("bank", 1, 3));
    record(&store, &first).await;
    record(&store, &second).await;
    let place = EventPlace::parse(second[1].id.as_str()).unwrap();
    let mut tx = store.read().await.unwrap();
    let part = part(&mut tx, "bank", &place, 100).await;
    let read: Vec<_> = part
        .events
        .into_iter()
        .map(|event| event.target_id)
        .collect();
    assert_eq!(read, targets(&second));
}

#[test]
fn what_is_no_place_is_not_taken_for_one() {
    let id = events("bank", 0, 1).remove(0).id.to_string();
    for place in ["0000000000000000000", &format!("0899999999999999999{id}")] {
        let read = EventPlace::parse(place).unwrap();
        assert_eq!(read.to_string(), place);
    }
    for wrong in [
        "",
        "1",
        "000000000000000000",
        "00000000000000000000",
        "+000000000000000000",
        "9000000000000000000",
        "000000000000000000é",
        &id[1..],
        &format!("{id}0"),
        &format!("000000000000000000{id}"),
        &format!("8{}", &id[1..]),
        &id.to_uppercase(),
    ] {
        assert_eq!(EventPlace::parse(wrong), None, "{wrong}");
    }
}
