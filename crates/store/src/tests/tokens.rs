//! Tokens and the conditional write on their counters.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use warifu_core::id::{ServiceId, TokenId};
use warifu_core::time::{DAY_MS, UnixMillis};
use warifu_core::token::{RevokedBy, Standing, Token, TokenState};
use warifu_core::verification::Counter;

use super::hot::bearer_of;
use super::sample::{
    NOW, counter_no, service, store_contract, store_issuance, store_taro, store_token, store_user,
    token,
};
use crate::testing::TestDatabase;
use crate::{Store, StoreError, StoredToken, on_both_databases};

on_both_databases! { store:
    a_token_comes_back_as_it_went_in_every_state,
    a_user_has_one_token_that_lives,
    of_tokens_that_are_made_at_once_one_lives,
    the_latest_token_is_the_one_that_lives_or_else_the_last_one,
    a_counter_is_written_only_by_who_read_its_last_version,
    of_many_who_write_the_same_version_one_wins,
    the_states_of_a_token_follow_its_counter,
    a_state_whose_time_is_missing_is_refused,
    unconfirmed_tokens_are_found_when_their_time_is_over,
    r27_tokens_whose_life_is_over_are_found_and_suspended_ones_are_not,
    a_nonce_renews_a_token_once,
    an_apps_token_comes_with_its_user_and_service,
}

const REVOKED: TokenState = TokenState::Revoked {
    revoked_at: NOW,
    by: RevokedBy::Person,
};

async fn a_token_comes_back_as_it_went_in_every_state(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let states = [
        TokenState::Activated,
        TokenState::InUse { confirmed_at: NOW },
        TokenState::Suspended {
            suspended_at: NOW.plus_ms(1),
            confirmed_at: None,
        },
        TokenState::Suspended {
            suspended_at: NOW.plus_ms(1),
            confirmed_at: Some(NOW),
        },
        REVOKED,
        TokenState::Revoked {
            revoked_at: NOW,
            by: RevokedBy::System,
        },
    ];
    for state in states {
        let (mut token, mut counter) = token(&issuance, "token", state);
        token.expires_at = Some(NOW.plus_ms(i64::from(u32::MAX)));
        counter.last_step = i64::from(u32::MAX) * 2;
        counter.failures = 4;
        counter.run_since_success = 29;
        counter.drift = -2;
        let mut tx = store.begin().await.unwrap();
        let inserted = tx
            .insert_token(&token, (counter_no(), &counter), b"seed", b"key")
            .await;
        assert!(inserted.unwrap());
        let expected = StoredToken {
            token: token.clone(),
            counter,
            sealed_device_key: b"key".to_vec(),
        };
        assert_eq!(tx.token(&token.id).await.unwrap(), Some(expected.clone()));
        let live = (state.standing() != Standing::Revoked).then_some(expected.clone());
        assert_eq!(tx.live_token(&taro.id).await.unwrap(), live);
        assert_eq!(tx.latest_token(&taro.id).await.unwrap(), Some(expected));
        let live = bearer_of(&mut tx, &taro).await.token;
        let seed = live.map(|seed| seed.sealed_seed);
        let kept = (state.standing() != Standing::Revoked).then(|| b"seed".to_vec());
        assert_eq!(seed, kept, "of a revoked token no seed is kept");
        drop(tx);
    }
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.latest_token(&taro.id).await.unwrap(), None);
    let unknown = TokenId::from_stored("unknown");
    assert_eq!(tx.token(&unknown).await.unwrap(), None);
}

#[tokio::test]
async fn sqlite_wipes_the_seed_of_a_token_that_is_revoked() {
    const TOKENS: u8 = 60;
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let contract = store_contract(&store).await;
    let mut live = Vec::new();
    for number in 0..TOKENS {
        let user = store_user(&store, &contract, &format!("user{number}")).await;
        let issuance = store_issuance(&store, &user, number).await;
        let (token, counter) = token(&issuance, &format!("token{number}"), TokenState::Activated);
        let mut tx = store.begin().await.unwrap();
        let sealed = [&[number][..], &[0xc5; 99]].concat();
        let inserted = tx.insert_token(&token, (counter_no(), &counter), &sealed, b"key");
        assert!(inserted.await.unwrap());
        tx.commit().await.unwrap();
        live.push(token);
    }
    let seeds = async || {
        // The log has everything until it is carried over.
        let file = rusqlite::Connection::open(database.path()).unwrap();
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        let bytes = std::fs::read(database.path()).unwrap();
        bytes.windows(99).filter(|part| *part == [0xc5; 99]).count()
    };
    assert_eq!(seeds().await, usize::from(TOKENS));
    for (token, left) in live.iter().zip((0..usize::from(TOKENS)).rev()) {
        let mut tx = store.begin().await.unwrap();
        tx.set_token_state(&token.id, &REVOKED).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(seeds().await, left);
    }
}

async fn a_user_has_one_token_that_lives(store: Store) {
    let contract = store_contract(&store).await;
    let taro = store_user(&store, &contract, "taro").await;
    let hanako = store_user(&store, &contract, "hanako").await;
    let (first, counter) = store_token(&store, &taro, 1, TokenState::Activated).await;
    store_token(&store, &hanako, 2, TokenState::Activated).await;
    let issuance = store_issuance(&store, &taro, 3).await;
    let (second, fresh) = token(&issuance, "second", TokenState::Activated);
    let mut tx = store.begin().await.unwrap();
    let refused = tx
        .insert_token(&second, (counter_no(), &fresh), b"seed", b"key")
        .await;
    assert!(!refused.unwrap());
    assert_eq!(tx.token(&second.id).await.unwrap(), None);
    let next = Counter {
        version: 2,
        standing: Standing::Revoked,
        ..counter
    };
    assert!(tx.swap_counter(&first.id, 1, &next).await.unwrap());
    tx.set_token_state(&first.id, &REVOKED).await.unwrap();
    assert_eq!(tx.live_token(&taro.id).await.unwrap(), None);
    assert_eq!(bearer_of(&mut tx, &taro).await.token, None);
    let taken = tx
        .insert_token(&second, (counter_no(), &fresh), b"seed", b"key")
        .await;
    assert!(taken.unwrap());
    let live = tx.live_token(&taro.id).await.unwrap().unwrap();
    assert_eq!(live.token, second);
    tx.commit().await.unwrap();
}

async fn of_tokens_that_are_made_at_once_one_lives(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (store, issuance) = (store.clone(), issuance.clone());
        tasks.spawn(async move {
            let (token, counter) =
                token(&issuance, &format!("token-{task}"), TokenState::Activated);
            let mut tx = store.begin().await.unwrap();
            let made = tx
                .insert_token(&token, (counter_no(), &counter), b"seed", b"key")
                .await;
            tx.commit().await.unwrap();
            u32::from(made.unwrap())
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u32>(), 1);
}

async fn the_latest_token_is_the_one_that_lives_or_else_the_last_one(store: Store) {
    let taro = store_taro(&store).await;
    let latest = async |store: &Store| {
        let mut tx = store.read().await.unwrap();
        tx.latest_token(&taro.id).await.unwrap().unwrap().token.id
    };
    store_token(&store, &taro, 1, REVOKED).await;
    let (second, _) = store_token(&store, &taro, 3, REVOKED).await;
    assert_eq!(latest(&store).await, second.id);
    let (live, _) = store_token(&store, &taro, 2, TokenState::Activated).await;
    assert_eq!(latest(&store).await, live.id);
}

async fn a_counter_is_written_only_by_who_read_its_last_version(store: Store) {
    let taro = store_taro(&store).await;
    let (token, counter) = store_token(&store, &taro, 1, TokenState::Activated).await;
    let next = Counter {
        version: 2,
        last_step: 29_833_334,
        failures: 1,
        run_since_success: 2,
        drift: -1,
        ..counter
    };
    let late = Counter {
        version: 2,
        last_step: 29_833_335,
        ..counter
    };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.swap_counter(&token.id, 1, &next).await.unwrap());
    assert!(!tx.swap_counter(&token.id, 1, &late).await.unwrap());
    let found = tx.token(&token.id).await.unwrap().unwrap();
    assert_eq!(found.counter, next);
    let unknown = TokenId::from_stored("unknown");
    assert!(!tx.swap_counter(&unknown, 1, &next).await.unwrap());
}

/// Invariant 5: 64 callers have read the same version and all want to accept the same step.
async fn of_many_who_write_the_same_version_one_wins(store: Store) {
    let taro = store_taro(&store).await;
    let (token, counter) = store_token(&store, &taro, 1, TokenState::Activated).await;
    for version in 1..=4 {
        let start = Arc::new(Barrier::new(64));
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let (store, start, id) = (store.clone(), start.clone(), token.id.clone());
            let next = Counter {
                version: version + 1,
                last_step: version * 10,
                ..counter
            };
            tasks.spawn(async move {
                start.wait().await;
                let mut tx = store.begin().await.unwrap();
                let won = tx.swap_counter(&id, version, &next).await.unwrap();
                tx.commit().await.unwrap();
                u32::from(won)
            });
        }
        assert_eq!(tasks.join_all().await.iter().sum::<u32>(), 1);
        let mut tx = store.read().await.unwrap();
        let found = tx.token(&token.id).await.unwrap().unwrap().counter;
        assert_eq!(
            (found.version, found.last_step),
            (version + 1, version * 10)
        );
    }
}

async fn the_states_of_a_token_follow_its_counter(store: Store) {
    let taro = store_taro(&store).await;
    let (token, mut counter) = store_token(&store, &taro, 1, TokenState::Activated).await;
    let in_use = TokenState::InUse { confirmed_at: NOW };
    let suspended = TokenState::Suspended {
        suspended_at: NOW.plus_ms(1),
        confirmed_at: Some(NOW),
    };
    let mut tx = store.begin().await.unwrap();
    for state in [in_use, suspended, in_use, suspended, REVOKED] {
        let read = counter.version;
        counter.version += 1;
        counter.standing = state.standing();
        assert!(tx.swap_counter(&token.id, read, &counter).await.unwrap());
        tx.set_token_state(&token.id, &state).await.unwrap();
        let found = tx.token(&token.id).await.unwrap().unwrap();
        assert_eq!(found.token.state, state);
        assert_eq!(found.counter, counter);
    }
}

async fn a_state_whose_time_is_missing_is_refused(store: Store) {
    let taro = store_taro(&store).await;
    let (token, counter) = store_token(&store, &taro, 1, TokenState::Activated).await;
    let next = Counter {
        version: 2,
        standing: Standing::InUse,
        ..counter
    };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.swap_counter(&token.id, 1, &next).await.unwrap());
    let refused = tx.token(&token.id).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Row { column, .. } if column == "confirmed_at_ms"),
        "{refused}"
    );
}

async fn unconfirmed_tokens_are_found_when_their_time_is_over(store: Store) {
    let contract = store_contract(&store).await;
    let suspended = |confirmed_at| TokenState::Suspended {
        suspended_at: NOW,
        confirmed_at,
    };
    let states = [
        ("a", TokenState::Activated),
        ("b", TokenState::Activated),
        // A suspension never ends by itself, not even so (R35).
        ("c", suspended(None)),
        ("d", suspended(Some(NOW))),
        ("e", TokenState::InUse { confirmed_at: NOW }),
        ("f", REVOKED),
    ];
    let mut expected = Vec::new();
    for (seed, (login_id, state)) in (1..).zip(states) {
        let user = store_user(&store, &contract, login_id).await;
        let (token, counter) = store_token(&store, &user, seed, state).await;
        expected.push((user, token, counter));
    }
    expected.truncate(2);
    let mut tx = store.read().await.unwrap();
    let bank = contract.service_id;
    let none = tx.unconfirmed_before(&bank, NOW, 10).await.unwrap();
    assert_eq!(none, []);
    let later = NOW.plus_ms(7 * DAY_MS);
    let all = tx.unconfirmed_before(&bank, later, 10).await.unwrap();
    assert_eq!(all, expected);
    let first = tx.unconfirmed_before(&bank, later, 1).await.unwrap();
    assert_eq!(first, expected[..1]);
    let other = ServiceId::parse("other").unwrap();
    let elsewhere = tx.unconfirmed_before(&other, later, 10).await.unwrap();
    assert_eq!(elsewhere, []);
}

/// Gives the token this end.
async fn end_at(store: &Store, token: &Token, expires_at: UnixMillis) -> Token {
    let ending = Token {
        expires_at: Some(expires_at),
        ..token.clone()
    };
    let mut tx = store.begin().await.unwrap();
    let nonce = format!("sample {expires_at:?}");
    assert!(tx.renew_token(&ending, &nonce, NOW).await.unwrap());
    tx.commit().await.unwrap();
    ending
}

async fn r27_tokens_whose_life_is_over_are_found_and_suspended_ones_are_not(store: Store) {
    let contract = store_contract(&store).await;
    let states = [
        ("a", TokenState::InUse { confirmed_at: NOW }),
        ("b", TokenState::Activated),
        (
            "c",
            TokenState::Suspended {
                suspended_at: NOW,
                confirmed_at: Some(NOW),
            },
        ),
        ("d", REVOKED),
    ];
    let mut expected = Vec::new();
    for (seed, (login_id, state)) in (1..).zip(states) {
        let user = store_user(&store, &contract, login_id).await;
        let (token, counter) = store_token(&store, &user, seed, state).await;
        let ends = NOW.plus_ms(i64::from(seed) * DAY_MS);
        expected.push((user, end_at(&store, &token, ends).await, counter));
    }
    let endless = store_user(&store, &contract, "e").await;
    store_token(&store, &endless, 5, TokenState::Activated).await;
    let mut tx = store.read().await.unwrap();
    let bank = contract.service_id;
    for (by, limit, found) in [
        (NOW.plus_ms(DAY_MS - 1), 10, 0),
        (NOW.plus_ms(DAY_MS), 10, 1),
        (NOW.plus_ms(365 * DAY_MS), 10, 2),
        (NOW.plus_ms(365 * DAY_MS), 1, 1),
    ] {
        let over = tx.expired_by(&bank, by, limit).await.unwrap();
        assert_eq!(over, expected[..found]);
    }
    let other = ServiceId::parse("other").unwrap();
    let elsewhere = tx.expired_by(&other, NOW.plus_ms(365 * DAY_MS), 10).await;
    assert_eq!(elsewhere.unwrap(), []);
}

async fn a_nonce_renews_a_token_once(store: Store) {
    let taro = store_taro(&store).await;
    let (token, _) = store_token(&store, &taro, 1, TokenState::Activated).await;
    for (nonce, expires_at, fresh) in [
        ("first", Some(NOW), true),
        ("second", None, true),
        ("first", Some(NOW.plus_ms(1)), false),
    ] {
        let ending = Token {
            expires_at,
            ..token.clone()
        };
        let mut tx = store.begin().await.unwrap();
        assert_eq!(
            tx.renew_token(&ending, nonce, NOW).await.unwrap(),
            fresh,
            "{nonce}"
        );
        if fresh {
            tx.commit().await.unwrap();
            let mut tx = store.read().await.unwrap();
            let read = bearer_of(&mut tx, &taro).await.token.unwrap();
            assert_eq!(read.expires_at, expires_at, "{nonce}");
            let stored = tx.token(&token.id).await.unwrap().unwrap();
            assert_eq!(stored.token, ending);
        }
    }
}

async fn an_apps_token_comes_with_its_user_and_service(store: Store) {
    let taro = store_taro(&store).await;
    let unknown = TokenId::from_stored("unknown");
    for (seed, state) in [(1, REVOKED), (2, TokenState::InUse { confirmed_at: NOW })] {
        let (token, counter) = store_token(&store, &taro, seed, state).await;
        let mut tx = store.read().await.unwrap();
        let device = tx.device(&token.id).await.unwrap().unwrap();
        assert_eq!((device.token, device.counter), (token, counter));
        assert_eq!(device.user, taro);
        assert_eq!(device.service, service("bank"));
        assert_eq!(device.sealed_device_key, b"sealed key");
        assert_eq!(tx.device(&unknown).await.unwrap(), None);
    }
}
