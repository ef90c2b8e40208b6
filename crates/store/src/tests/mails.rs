//! The outbox: every mail is tried by one node at a time until it is sent or given up.

use std::collections::BTreeSet;

use tokio::task::JoinSet;
use warifu_core::id::{IssuanceId, MailId};
use warifu_core::issuance::Issuance;
use warifu_core::notice::Notice;
use warifu_core::time::MINUTE_MS;
use warifu_core::user::Language;

use super::sample::{NOW, store_issuance, store_taro};
use crate::limits::MAILS_OF_ISSUANCE_MAX;
use crate::{ClaimedMail, Mail, MailState, MailStatus, OutboxCounts, Store, on_both_databases};

on_both_databases! { store:
    a_claimed_mail_is_the_one_that_was_queued,
    a_claim_ends_and_then_another_may_claim,
    two_nodes_never_claim_the_same_mail,
    a_failed_try_waits_for_its_next_time_or_is_given_up,
    a_mail_is_sent_once,
    who_lost_the_claim_marks_nothing,
    the_mails_of_an_issuance_are_listed_the_latest_at_the_end,
    the_next_mail_is_due_when_it_is_free_too,
    sent_mails_are_removed_after_their_time,
    mails_that_were_given_up_are_removed_after_their_time,
}

fn mail(issuance: &Issuance, number: u32) -> Mail {
    Mail {
        id: MailId::from_stored(format!("mail-{number:03}")),
        service_id: issuance.service_id.clone(),
        user_id: issuance.user_id.clone(),
        issuance_id: Some(issuance.id.clone()),
        notice: Notice::TokenIssued,
        language: Language::En,
        to_address: "taro@example.jp".to_owned(),
        facts: r#"{"name":"太郎"}"#.to_owned(),
        created_at: NOW,
    }
}

/// As many mails, and the issuance that they tell of.
async fn store_mails(store: &Store, count: u32) -> Issuance {
    let taro = store_taro(store).await;
    let issuance = store_issuance(store, &taro, 1).await;
    let mut tx = store.begin().await.unwrap();
    for number in 0..count {
        tx.enqueue(&mail(&issuance, number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    issuance
}

fn numbers(mails: &[ClaimedMail]) -> Vec<&str> {
    mails
        .iter()
        .map(|claimed| claimed.mail.id.as_str().trim_start_matches("mail-"))
        .collect()
}

async fn a_claimed_mail_is_the_one_that_was_queued(store: Store) {
    let issuance = store_mails(&store, 0).await;
    let with = mail(&issuance, 1);
    let without = Mail {
        issuance_id: None,
        notice: Notice::AddressChanged,
        ..mail(&issuance, 2)
    };
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(MINUTE_MS);
    assert_eq!(tx.claim_due(NOW, until, 10).await.unwrap(), []);
    tx.enqueue(&with).await.unwrap();
    tx.enqueue(&without).await.unwrap();
    let early = tx.claim_due(NOW.plus_ms(-1), until, 10).await.unwrap();
    assert_eq!(early, []);
    let claimed = tx.claim_due(NOW, until, 10).await.unwrap();
    let expected = [with, without].map(|mail| ClaimedMail {
        mail,
        tries: 0,
        claimed_until: until,
    });
    assert_eq!(claimed, expected);
}

async fn a_claim_ends_and_then_another_may_claim(store: Store) {
    store_mails(&store, 3).await;
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(MINUTE_MS);
    let first = tx.claim_due(NOW, until, 2).await.unwrap();
    assert_eq!(numbers(&first), ["000", "001"]);
    let rest = tx.claim_due(NOW, until, 2).await.unwrap();
    assert_eq!(numbers(&rest), ["002"]);
    let held = tx.claim_due(until.plus_ms(-1), until, 9).await.unwrap();
    assert_eq!(held, []);
    let again = tx.claim_due(until, until.plus_ms(1), 9).await.unwrap();
    assert_eq!(numbers(&again), ["000", "001", "002"]);
}

async fn two_nodes_never_claim_the_same_mail(store: Store) {
    const MAILS: u32 = 60;
    store_mails(&store, MAILS).await;
    let until = NOW.plus_ms(MINUTE_MS);
    let mut nodes = JoinSet::new();
    for _ in 0..6 {
        let store = store.clone();
        nodes.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let mut tx = store.begin().await.unwrap();
                let claimed = tx.claim_due(NOW, until, 4).await.unwrap();
                let next = tx.next_due_at().await.unwrap();
                tx.commit().await.unwrap();
                mine.extend(claimed.into_iter().map(|claimed| claimed.mail.id));
                // All are held: what the others took meanwhile, or what this one did.
                if next != Some(NOW) {
                    return mine;
                }
            }
        });
    }
    let claimed = nodes.join_all().await.concat();
    let different: BTreeSet<_> = claimed.iter().collect();
    assert_eq!(claimed.len(), different.len());
    assert_eq!(different.len(), MAILS as usize);
}

async fn a_failed_try_waits_for_its_next_time_or_is_given_up(store: Store) {
    let issuance = store_mails(&store, 1).await;
    let id = mail(&issuance, 0).id;
    let until = NOW.plus_ms(MINUTE_MS);
    let later = NOW.plus_ms(5 * MINUTE_MS);
    let mut tx = store.begin().await.unwrap();
    let claimed = tx.claim_due(NOW, until, 1).await.unwrap();
    tx.mark_failed_try(&claimed[0], later, "451 try later", false)
        .await
        .unwrap();
    assert_eq!(tx.next_due_at().await.unwrap(), Some(later));
    assert_eq!(tx.claim_due(until, later, 1).await.unwrap(), []);
    let claimed = tx.claim_due(later, later.plus_ms(1), 1).await.unwrap();
    assert_eq!(claimed[0].tries, 1);
    tx.mark_failed_try(&claimed[0], later, "550 no such user", true)
        .await
        .unwrap();
    let expected = MailStatus {
        id: id.clone(),
        state: MailState::Failed,
        tries: 2,
        created_at: NOW,
        sent_at: None,
        last_error: Some("550 no such user".to_owned()),
    };
    let mails = tx.mails_of_issuance(&issuance.id).await.unwrap();
    assert_eq!(mails, [expected]);
    assert_eq!(tx.claim_due(later, later, 1).await.unwrap(), []);
    assert_eq!(tx.next_due_at().await.unwrap(), None);
    assert!(!tx.mark_sent(&claimed[0], later).await.unwrap());
}

async fn a_mail_is_sent_once(store: Store) {
    let issuance = store_mails(&store, 3).await;
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(MINUTE_MS);
    let claimed = tx.claim_due(NOW, until, 1).await.unwrap();
    tx.mark_failed_try(&claimed[0], NOW, "421 busy", false)
        .await
        .unwrap();
    let claimed = tx.claim_due(NOW, until, 2).await.unwrap();
    let (first, second) = (&claimed[0], &claimed[1]);
    assert!(tx.mark_sent(first, NOW.plus_ms(1)).await.unwrap());
    assert!(!tx.mark_sent(first, NOW.plus_ms(2)).await.unwrap());
    tx.mark_failed_try(first, NOW, "421 busy", true)
        .await
        .unwrap();
    let mails = tx.mails_of_issuance(&issuance.id).await.unwrap();
    let expected = MailStatus {
        id: first.mail.id.clone(),
        state: MailState::Sent,
        tries: 2,
        created_at: NOW,
        sent_at: Some(NOW.plus_ms(1)),
        last_error: None,
    };
    assert_eq!(mails[0], expected);
    tx.mark_failed_try(second, NOW, "550", true).await.unwrap();
    let counts = OutboxCounts {
        queued: 1,
        sent: 1,
        failed: 1,
    };
    assert_eq!(tx.outbox_counts().await.unwrap(), counts);
}

async fn who_lost_the_claim_marks_nothing(store: Store) {
    let issuance = store_mails(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(MINUTE_MS);
    let slow = tx.claim_due(NOW, until, 1).await.unwrap().remove(0);
    let again = until.plus_ms(MINUTE_MS);
    let later = tx.claim_due(until, again, 1).await.unwrap().remove(0);
    assert_eq!(slow.mail.id, later.mail.id);
    assert!(!tx.mark_sent(&slow, until).await.unwrap());
    tx.mark_failed_try(&slow, until, "421 busy", true)
        .await
        .unwrap();
    let mails = tx.mails_of_issuance(&issuance.id).await.unwrap();
    assert_eq!((mails[0].state, mails[0].tries), (MailState::Queued, 0));
    assert_eq!(
        tx.claim_due(until, again, 1).await.unwrap(),
        [],
        "the later claim holds"
    );
    assert!(tx.mark_sent(&later, until).await.unwrap());
}

async fn the_mails_of_an_issuance_are_listed_the_latest_at_the_end(store: Store) {
    let issuance = store_mails(&store, MAILS_OF_ISSUANCE_MAX + 2).await;
    let mut tx = store.begin().await.unwrap();
    let other = Mail {
        issuance_id: None,
        ..mail(&issuance, 900)
    };
    tx.enqueue(&other).await.unwrap();
    let listed: Vec<_> = tx
        .mails_of_issuance(&issuance.id)
        .await
        .unwrap()
        .into_iter()
        .map(|status| status.id)
        .collect();
    let latest: Vec<_> = (2..MAILS_OF_ISSUANCE_MAX + 2)
        .map(|number| mail(&issuance, number).id)
        .collect();
    assert_eq!(listed, latest);
    let unknown = IssuanceId::from_stored("unknown");
    assert_eq!(tx.mails_of_issuance(&unknown).await.unwrap(), []);
}

async fn the_next_mail_is_due_when_it_is_free_too(store: Store) {
    store_mails(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.next_due_at().await.unwrap(), Some(NOW));
    let until = NOW.plus_ms(MINUTE_MS);
    tx.claim_due(NOW, until, 1).await.unwrap();
    assert_eq!(tx.next_due_at().await.unwrap(), Some(NOW));
    tx.claim_due(NOW, until.plus_ms(1), 1).await.unwrap();
    assert_eq!(tx.next_due_at().await.unwrap(), Some(until));
}

async fn sent_mails_are_removed_after_their_time(store: Store) {
    let issuance = store_mails(&store, 4).await;
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(MINUTE_MS);
    let claimed = tx.claim_due(NOW, until, 3).await.unwrap();
    for (number, mail) in (0..).zip(&claimed) {
        let sent_at = NOW.plus_ms(number);
        assert!(tx.mark_sent(mail, sent_at).await.unwrap());
    }
    let before = NOW.plus_ms(2);
    assert_eq!(tx.remove_sent_before(before, 1).await.unwrap(), 1);
    assert_eq!(tx.remove_sent_before(before, 10).await.unwrap(), 1);
    let left = tx.mails_of_issuance(&issuance.id).await.unwrap();
    let left: Vec<_> = left.iter().map(|mail| mail.state).collect();
    assert_eq!(left, [MailState::Sent, MailState::Queued]);
}

async fn mails_that_were_given_up_are_removed_after_their_time(store: Store) {
    let issuance = store_mails(&store, 5).await;
    let mut tx = store.begin().await.unwrap();
    let until = NOW.plus_ms(MINUTE_MS);
    let claimed = tx.claim_due(NOW, until, 4).await.unwrap();
    for (number, mail) in (0..).zip(&claimed) {
        let (at, give_up) = (NOW.plus_ms(number), number < 3);
        tx.mark_failed_try(mail, at, "550", give_up).await.unwrap();
    }
    let before = NOW.plus_ms(2);
    assert_eq!(tx.remove_failed_before(before, 1).await.unwrap(), 1);
    assert_eq!(tx.remove_failed_before(before, 10).await.unwrap(), 1);
    let far = NOW.plus_ms(MINUTE_MS);
    assert_eq!(tx.remove_sent_before(far, 10).await.unwrap(), 0);
    let left = tx.mails_of_issuance(&issuance.id).await.unwrap();
    let left: Vec<_> = left.iter().map(|mail| mail.state).collect();
    assert_eq!(
        left,
        [MailState::Failed, MailState::Queued, MailState::Queued]
    );
}
