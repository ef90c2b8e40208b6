//! Sessions and throttles.

use warifu_core::id::UserId;
use warifu_core::session::Stage;
use warifu_core::throttle::Tries;
use warifu_core::user::{Language, User};

use super::sample::{NOW, service, store_contract, store_taro, store_user};
use crate::{Store, StoredSession, on_both_databases};

on_both_databases! { store:
    a_session_comes_back_with_its_user_and_service,
    using_a_session_never_turns_its_time_back,
    a_session_that_was_ended_is_gone,
    sessions_that_nobody_used_are_removed_the_oldest_first,
    wrong_tries_are_remembered_under_their_key,
    old_tries_are_forgotten,
}

fn of(user: &User, hash: u8) -> StoredSession {
    StoredSession {
        hash: [hash; 32],
        user_id: user.id.clone(),
        stage: Stage::Password,
        csrf_token: format!("csrf-{hash}"),
        language: Language::En,
        began_at: NOW,
        used_at: NOW.plus_ms(i64::from(hash)),
    }
}

async fn store_session(store: &Store, user: &User, hash: u8) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_session(&of(user, hash)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn exists(store: &Store, hash: u8) -> bool {
    let mut tx = store.read().await.unwrap();
    tx.session(&[hash; 32]).await.unwrap().is_some()
}

async fn a_session_comes_back_with_its_user_and_service(store: Store) {
    let taro = store_taro(&store).await;
    let mut went = of(&taro, 1);
    went.stage = Stage::Full;
    let mut tx = store.begin().await.unwrap();
    tx.insert_session(&went).await.unwrap();
    let (session, user, of_service) = tx.session(&went.hash).await.unwrap().unwrap();
    assert!(session == went);
    assert_eq!(user, taro);
    assert_eq!(of_service, service("bank"));
    tx.set_session_language(&went.hash, Language::Ja)
        .await
        .unwrap();
    let (session, user, _) = tx.session(&went.hash).await.unwrap().unwrap();
    assert_eq!(session.language, Language::Ja);
    assert_eq!(user.language, taro.language, "that of the mails stays");
    assert!(tx.session(&[2; 32]).await.unwrap().is_none());
}

async fn using_a_session_never_turns_its_time_back(store: Store) {
    let taro = store_taro(&store).await;
    store_session(&store, &taro, 1).await;
    let mut tx = store.begin().await.unwrap();
    for (touched, used) in [(50, 50), (20, 50), (51, 51)] {
        let now = NOW.plus_ms(touched);
        tx.touch_session(&[1; 32], now).await.unwrap();
        let (session, ..) = tx.session(&[1; 32]).await.unwrap().unwrap();
        assert_eq!(session.used_at, NOW.plus_ms(used));
        assert_eq!(session.began_at, NOW);
    }
}

async fn a_session_that_was_ended_is_gone(store: Store) {
    let contract = store_contract(&store).await;
    let taro = store_user(&store, &contract, "taro").await;
    let hanako = store_user(&store, &contract, "hanako").await;
    for hash in 1..=3 {
        store_session(&store, &taro, hash).await;
    }
    store_session(&store, &hanako, 4).await;
    let mut tx = store.begin().await.unwrap();
    tx.remove_session(&[1; 32]).await.unwrap();
    assert!(tx.session(&[1; 32]).await.unwrap().is_none());
    assert_eq!(tx.remove_sessions_of(&taro.id).await.unwrap(), 2);
    let nobody = UserId::from_stored("nobody");
    assert_eq!(tx.remove_sessions_of(&nobody).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert!(!exists(&store, 2).await);
    assert!(exists(&store, 4).await, "another user's session stays");
}

async fn sessions_that_nobody_used_are_removed_the_oldest_first(store: Store) {
    let taro = store_taro(&store).await;
    for hash in 1..=4 {
        store_session(&store, &taro, hash).await;
    }
    let mut tx = store.begin().await.unwrap();
    let before = NOW.plus_ms(4);
    let removed = tx.remove_sessions_used_before(before, 2).await.unwrap();
    assert_eq!(removed, 2);
    tx.commit().await.unwrap();
    assert!(!exists(&store, 2).await);
    assert!(exists(&store, 3).await);
    let mut tx = store.begin().await.unwrap();
    let removed = tx.remove_sessions_used_before(before, 2).await.unwrap();
    assert_eq!(removed, 1);
    tx.commit().await.unwrap();
    assert!(exists(&store, 4).await, "not before");
}

async fn wrong_tries_are_remembered_under_their_key(store: Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.tries("user:a").await.unwrap(), Tries::default());
    let once = Tries::default().after_failure(NOW);
    let twice = once.after_failure(NOW.plus_ms(1));
    tx.put_tries("user:a", &once).await.unwrap();
    tx.put_tries("user:a", &twice).await.unwrap();
    tx.put_tries("address:::1", &once).await.unwrap();
    assert_eq!(tx.tries("user:a").await.unwrap(), twice);
    tx.clear_tries("user:a").await.unwrap();
    assert_eq!(tx.tries("user:a").await.unwrap(), Tries::default());
    assert_eq!(tx.tries("address:::1").await.unwrap(), once);
    tx.put_tries("address:::1", &Tries::default())
        .await
        .unwrap();
    assert_eq!(tx.tries("address:::1").await.unwrap(), Tries::default());
}

async fn old_tries_are_forgotten(store: Store) {
    let mut tx = store.begin().await.unwrap();
    for at in 0..4 {
        let tries = Tries::default().after_failure(NOW.plus_ms(at));
        tx.put_tries(&format!("key-{at}"), &tries).await.unwrap();
    }
    let before = NOW.plus_ms(3);
    assert_eq!(tx.remove_tries_before(before, 1).await.unwrap(), 1);
    assert_eq!(tx.tries("key-0").await.unwrap(), Tries::default());
    assert_eq!(tx.remove_tries_before(before, 10).await.unwrap(), 2);
    assert_eq!(tx.tries("key-3").await.unwrap().failures, 1);
}
