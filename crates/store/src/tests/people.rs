//! Services, contracts and users.

use tokio::task::JoinSet;
use warifu_core::id::{ContractId, ServiceId, UserId};
use warifu_core::service::Policy;
use warifu_core::token::{RevokedBy, TokenState};
use warifu_core::user::{Language, Role};

use super::sample::{
    NOW, attempt, contract, hashes, service, store_contract, store_issuance, store_taro,
    store_token, store_user, user,
};
use crate::{Store, on_both_databases};

on_both_databases! { store:
    a_service_comes_back_as_it_went,
    a_contract_comes_back_as_it_went,
    a_user_comes_back_as_it_went,
    a_login_id_is_taken_once_in_a_service,
    a_contract_has_one_master,
    what_is_set_of_a_user_stays,
    the_users_of_a_contract_are_listed_by_login_id,
    the_list_of_users_shows_the_token_that_lives_or_else_the_last_one,
    what_is_counted_under_the_lock_of_a_user_is_counted_once_on_every_node,
}

async fn a_service_comes_back_as_it_went(store: Store) {
    let (one, mut two) = (service("bank-b"), service("bank-a"));
    two.policy = Policy::manual();
    assert_ne!(one.policy, two.policy);
    let mut tx = store.begin().await.unwrap();
    tx.insert_service(&one, NOW).await.unwrap();
    tx.insert_service(&two, NOW).await.unwrap();
    assert_eq!(tx.service(&one.id).await.unwrap(), Some(one.clone()));
    // By turns: each has its own policy, however often it is read.
    for _ in 0..2 {
        assert_eq!(tx.service(&two.id).await.unwrap(), Some(two.clone()));
        let all = [two.clone(), one.clone()];
        assert_eq!(tx.services().await.unwrap(), all);
    }
    let after = tx.services_after(two.id.as_str(), 9).await.unwrap();
    assert_eq!(after, std::slice::from_ref(&one));
    assert_eq!(tx.services_after("", 1).await.unwrap(), [two]);
    let unknown = ServiceId::parse("unknown").unwrap();
    assert_eq!(tx.service(&unknown).await.unwrap(), None);
    assert!(
        tx.insert_service(&one, NOW)
            .await
            .unwrap_err()
            .is_duplicate()
    );
}

async fn a_contract_comes_back_as_it_went(store: Store) {
    let stored = store_contract(&store).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.contract(&stored.id).await.unwrap(), Some(stored.clone()));
    let by_name = tx.contract_by_name(&stored.service_id, &stored.name).await;
    assert_eq!(by_name.unwrap(), Some(stored.clone()));
    let unknown = ContractId::from_stored("unknown");
    assert_eq!(tx.contract(&unknown).await.unwrap(), None);
    let other = ServiceId::parse("other").unwrap();
    let elsewhere = tx.contract_by_name(&other, &stored.name).await;
    assert_eq!(elsewhere.unwrap(), None);
}

async fn a_user_comes_back_as_it_went(store: Store) {
    let contract = store_contract(&store).await;
    let mut taro = user(&contract, "taro", Role::Administrator);
    taro.language = Language::En;
    taro.mail_address = Some("taro@example.jp".to_owned());
    taro.disabled = true;
    taro.reopens_at = Some(NOW.plus_ms(1));
    let mut tx = store.begin().await.unwrap();
    assert!(tx.insert_user(&taro, &hashes("taro"), NOW).await.unwrap());
    assert_eq!(tx.user(&taro.id).await.unwrap(), Some(taro.clone()));
    let (by_login, kept) = tx
        .user_by_login(&taro.service_id, "taro")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_login, taro);
    assert!(kept == hashes("taro"));
    assert!(tx.password_hashes(&taro.id).await.unwrap() == Some(hashes("taro")));
    let nobody = UserId::from_stored("nobody");
    assert_eq!(tx.user(&nobody).await.unwrap(), None);
    assert!(tx.password_hashes(&nobody).await.unwrap().is_none());
    let no_login = tx.user_by_login(&taro.service_id, "TARO").await.unwrap();
    assert!(no_login.is_none());
}

async fn a_login_id_is_taken_once_in_a_service(store: Store) {
    let first = store_contract(&store).await;
    store_user(&store, &first, "taro").await;
    let other_service = service("other");
    let elsewhere = contract(&other_service, "elsewhere");
    let mut again = user(&first, "taro", Role::General);
    again.id = UserId::from_stored("another");
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.insert_user(&again, &hashes("x"), NOW).await.unwrap());
    assert_eq!(tx.user(&again.id).await.unwrap(), None);
    tx.insert_service(&other_service, NOW).await.unwrap();
    tx.insert_contract(&elsewhere, NOW).await.unwrap();
    let namesake = user(&elsewhere, "taro", Role::General);
    assert!(tx.insert_user(&namesake, &hashes("x"), NOW).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_contract_has_one_master(store: Store) {
    let contract = store_contract(&store).await;
    let mut tx = store.begin().await.unwrap();
    for login_id in ["general-1", "general-2"] {
        let general = user(&contract, login_id, Role::General);
        assert!(tx.insert_user(&general, &hashes("x"), NOW).await.unwrap());
    }
    let master = user(&contract, "master", Role::Master);
    assert!(tx.insert_user(&master, &hashes("x"), NOW).await.unwrap());
    let second = user(&contract, "second", Role::Master);
    let refused = tx.insert_user(&second, &hashes("x"), NOW).await;
    assert!(refused.unwrap_err().is_duplicate());
}

async fn what_is_set_of_a_user_stays(store: Store) {
    let taro = store_taro(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.set_mail_address(&taro.id, "new@example.jp")
        .await
        .unwrap();
    tx.set_language(&taro.id, Language::En).await.unwrap();
    tx.set_reopens_at(&taro.id, Some(NOW)).await.unwrap();
    let changed = tx.user(&taro.id).await.unwrap().unwrap();
    assert_eq!(changed.mail_address.as_deref(), Some("new@example.jp"));
    assert_eq!(changed.language, Language::En);
    assert_eq!(changed.reopens_at, Some(NOW));
    tx.set_reopens_at(&taro.id, None).await.unwrap();
    assert_eq!(tx.user(&taro.id).await.unwrap().unwrap().reopens_at, None);
    assert!(tx.lock_user(&taro.id).await.unwrap());
    let nobody = UserId::from_stored("nobody");
    assert!(!tx.lock_user(&nobody).await.unwrap());
}

async fn the_users_of_a_contract_are_listed_by_login_id(store: Store) {
    let contract = store_contract(&store).await;
    let (b, a) = (
        store_user(&store, &contract, "b").await,
        store_user(&store, &contract, "a").await,
    );
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.users_of_contract(&contract.id).await.unwrap(), [a, b]);
    let unknown = ContractId::from_stored("unknown");
    assert_eq!(tx.users_of_contract(&unknown).await.unwrap(), []);
}

async fn the_list_of_users_shows_the_token_that_lives_or_else_the_last_one(store: Store) {
    let revoked = TokenState::Revoked {
        revoked_at: NOW,
        by: RevokedBy::Person,
    };
    let contract = store_contract(&store).await;
    let none = store_user(&store, &contract, "a").await;
    let over = store_user(&store, &contract, "b").await;
    let (_, last) = (
        store_token(&store, &over, 1, revoked).await,
        store_token(&store, &over, 2, revoked).await,
    );
    let alive = store_user(&store, &contract, "c").await;
    let live = store_token(&store, &alive, 3, TokenState::Activated).await;
    store_token(&store, &alive, 4, revoked).await;
    let mut tx = store.read().await.unwrap();
    assert_eq!(
        tx.users_with_tokens(&contract.id).await.unwrap(),
        [(none, None), (over, Some(last)), (alive, Some(live))]
    );
}

/// R51: sixteen starts at once, five allowed. Each counts what is there and adds one more.
async fn what_is_counted_under_the_lock_of_a_user_is_counted_once_on_every_node(store: Store) {
    const ALLOWED: u32 = 5;
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (store, taro, issuance) = (store.clone(), taro.clone(), issuance.clone());
        tasks.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            assert!(tx.lock_user(&taro.id).await.unwrap());
            let allowed = tx.counted_starts(&taro.id, NOW).await.unwrap() < ALLOWED;
            if allowed {
                let start = attempt(&issuance, &format!("attempt-{task}"), NOW);
                assert!(tx.insert_attempt(&start).await.unwrap());
            }
            tx.commit().await.unwrap();
            u32::from(allowed)
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u32>(), ALLOWED);
}
