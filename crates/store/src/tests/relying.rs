//! Clients of the API, their keys, and the answers kept for them.

use warifu_core::id::ClientId;
use warifu_core::relying::{Client, Scopes};
use warifu_core::user::Role;

use super::sample::{NOW, store_contract, store_user, user};
use crate::{KeyStanding, NewAnswer, Store, StoredAnswer, StoredKey, Wanted, on_both_databases};

on_both_databases! { store:
    a_client_comes_back_as_it_went_and_its_name_is_its_own,
    a_key_is_found_with_its_client_and_ends_no_later_than_it_did,
    a_change_of_a_client_shows_in_the_standing_of_its_keys,
    an_answer_is_kept_once_and_removed_by_its_age,
    users_and_contracts_come_in_pages,
}

fn client(name: &str) -> Client {
    Client {
        id: ClientId::from_stored(format!("client-{name}")),
        name: name.to_owned(),
        service_id: None,
        contract_id: None,
        scopes: Scopes::parse("verify read").unwrap(),
        networks: "10.0.0.0/8 192.0.2.7".to_owned(),
        requests_per_s: 7,
        disabled: false,
        created_at: NOW,
        version: 1,
    }
}

fn key(client: &Client, id: &str) -> StoredKey {
    StoredKey {
        id: id.to_owned(),
        client_id: client.id.clone(),
        hash: [7; 32],
        created_at: NOW,
        expires_at: None,
        used_at: None,
    }
}

pub(super) async fn store_client(store: &Store, name: &str) -> Client {
    let client = client(name);
    let mut tx = store.begin().await.unwrap();
    tx.insert_api_client(&client).await.unwrap();
    tx.commit().await.unwrap();
    client
}

async fn a_client_comes_back_as_it_went_and_its_name_is_its_own(store: Store) {
    let contract = store_contract(&store).await;
    let limited = Client {
        service_id: Some(contract.service_id.clone()),
        contract_id: Some(contract.id.clone()),
        ..client("limited")
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_api_client(&limited).await.unwrap();
    tx.insert_api_client(&client("a")).await.unwrap();
    assert_eq!(tx.api_clients().await.unwrap(), [client("a"), limited]);
    assert_eq!(tx.api_client_by_name("b").await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let again = Client {
        id: ClientId::from_stored("another"),
        ..client("a")
    };
    let taken = tx.insert_api_client(&again).await.unwrap_err();
    assert!(taken.is_duplicate());
}

async fn a_key_is_found_with_its_client_and_ends_no_later_than_it_did(store: Store) {
    let client = store_client(&store, "a").await;
    let mut tx = store.begin().await.unwrap();
    let first = key(&client, "k1");
    assert!(tx.insert_api_key(&first).await.unwrap());
    assert!(!tx.insert_api_key(&first).await.unwrap());
    let found = tx.api_key("k1").await.unwrap().unwrap();
    assert_eq!(found, (first.clone(), client.clone()));
    assert_eq!(tx.api_key("k2").await.unwrap(), None);
    assert!(tx.end_api_key("k1", NOW.plus_ms(10)).await.unwrap());
    assert!(!tx.end_api_key("k1", NOW.plus_ms(20)).await.unwrap());
    assert!(tx.end_api_key("k1", NOW.plus_ms(5)).await.unwrap());
    let later = StoredKey {
        created_at: NOW.plus_ms(1),
        ..key(&client, "k0")
    };
    assert!(tx.insert_api_key(&later).await.unwrap());
    for at in [3, 9, 4] {
        let uses = [("k1".to_owned(), NOW.plus_ms(at))];
        tx.touch_api_keys(&uses).await.unwrap();
    }
    let ended = StoredKey {
        expires_at: Some(NOW.plus_ms(5)),
        used_at: Some(NOW.plus_ms(9)),
        ..first
    };
    assert_eq!(tx.api_keys_of(&client.id).await.unwrap(), [later, ended]);
}

async fn a_change_of_a_client_shows_in_the_standing_of_its_keys(store: Store) {
    let client = store_client(&store, "a").await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_api_key(&key(&client, "k1")).await.unwrap();
    let standing = KeyStanding {
        key_id: "k1".to_owned(),
        client_version: 1,
        disabled: false,
        expires_at: None,
    };
    let wanted = Wanted {
        key_ids: vec!["k1", "nobody"],
        ..Wanted::default()
    };
    let found = tx.ground(&wanted).await.unwrap().standings;
    assert_eq!(found, [("k1".to_owned(), standing.clone())].into());
    assert!(tx.set_api_client_disabled(&client.id, true).await.unwrap());
    assert!(!tx.set_api_client_disabled(&client.id, true).await.unwrap());
    assert!(tx.lock_api_client(&client.id).await.unwrap());
    let changed = KeyStanding {
        client_version: 3,
        disabled: true,
        ..standing
    };
    let found = tx.ground(&wanted).await.unwrap().standings;
    assert_eq!(found, [("k1".to_owned(), changed)].into());
}

async fn an_answer_is_kept_once_and_removed_by_its_age(store: Store) {
    let (one, other) = (
        store_client(&store, "a").await,
        store_client(&store, "b").await,
    );
    let kept = |text: &str| StoredAnswer {
        request_hash: [1; 32],
        answer: text.to_owned(),
    };
    let new = |client: &Client, key: &str, text: &str| NewAnswer {
        client_id: client.id.clone(),
        key: key.to_owned(),
        answer: kept(text),
    };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.insert_api_answers(&[], NOW).await.unwrap());
    for (answers, all_kept) in [
        (vec![new(&one, "key", "1"), new(&other, "key", "2")], true),
        (vec![new(&one, "key", "3")], false),
    ] {
        let inserted = tx.insert_api_answers(&answers, NOW).await;
        assert_eq!(inserted.unwrap(), all_kept);
    }
    let later = NOW.plus_ms(1);
    let newer = [new(&one, "later", "4")];
    assert!(tx.insert_api_answers(&newer, later).await.unwrap());
    let wanted = Wanted {
        answers: vec![
            (&one.id, "later"),
            (&other.id, "later"),
            (&one.id, "key"),
            (&other.id, "key"),
        ],
        ..Wanted::default()
    };
    let found = tx.ground(&wanted).await.unwrap().answers;
    let expected = [
        ((one.id.clone(), "later".to_owned()), kept("4")),
        ((one.id.clone(), "key".to_owned()), kept("1")),
        ((other.id.clone(), "key".to_owned()), kept("2")),
    ];
    assert_eq!(found, expected.into());
    assert_eq!(tx.remove_api_answers_before(later, 1).await.unwrap(), 1);
    assert_eq!(tx.remove_api_answers_before(later, 9).await.unwrap(), 1);
    let left = tx.ground(&wanted).await.unwrap().answers;
    assert_eq!(tx.api_answer(&one.id, "key").await.unwrap(), None);
    assert_eq!(
        left,
        [((one.id.clone(), "later".to_owned()), kept("4"))].into()
    );
}

async fn users_and_contracts_come_in_pages(store: Store) {
    let contract = store_contract(&store).await;
    for login in ["c", "a", "b"] {
        store_user(&store, &contract, login).await;
    }
    let mut tx = store.begin().await.unwrap();
    let service_id = &contract.service_id;
    for only in [None, Some(&contract.id)] {
        let page = tx
            .users_of_service_after(service_id, only, "a", 5)
            .await
            .unwrap();
        let users: Vec<_> = page.into_iter().map(|(user, _)| user).collect();
        assert_eq!(
            users,
            ["b", "c"].map(|login| user(&contract, login, Role::General))
        );
        let first = tx
            .users_of_service_after(service_id, only, "", 1)
            .await
            .unwrap();
        assert_eq!(first[0].0.login_id, "a");
    }
    let id = contract.id.as_str();
    assert_eq!(tx.contracts_after(service_id, id, 5).await.unwrap(), []);
    let all = tx.contracts_after(service_id, "", 5).await.unwrap();
    assert_eq!(all, [contract]);
}
