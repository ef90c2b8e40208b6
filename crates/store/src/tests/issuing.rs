//! Drafts, issuances and the attempts of apps.

use warifu_core::id::{IssuanceId, TokenId};
use warifu_core::issuance::IssuanceState;
use warifu_core::time::{DAY_MS, UnixMillis};

use super::sample::{
    NOW, attempt, decoy, issuance, store_contract, store_issuance, store_taro, store_user,
};
use crate::{AttemptState, Draft, Store, StoredAttempt, StoredIssuance, on_both_databases};

on_both_databases! { store:
    a_draft_takes_the_place_of_the_one_before,
    an_issuance_comes_back_as_it_went,
    a_token_user_id_is_taken_once_in_a_service,
    an_issuance_is_written_only_by_who_read_its_last_version,
    cancelling_names_what_was_issued_or_locked,
    the_latest_issuance_is_the_one_asked_for_last,
    issuances_of_the_user_within_the_period_count_whatever_became_of_them,
    records_are_erased_after_their_time_and_the_issuance_stays,
    an_attempt_comes_back_as_it_went,
    an_attempt_id_is_taken_once,
    a_finish_is_judged_once_and_refunds_the_start_when_done,
    only_counted_starts_within_the_period_count,
    attempts_go_when_their_time_is_over,
    the_oldest_decoys_go_first,
}

async fn a_draft_takes_the_place_of_the_one_before(store: Store) {
    let taro = store_taro(&store).await;
    let of = |seed| {
        let issuance = issuance(&taro, seed);
        Draft {
            user_id: issuance.user_id,
            issuance_id: issuance.id,
            token_user_id: issuance.token_user_id,
            mail_address: format!("{seed}@example.jp"),
            created_at: NOW.plus_ms(i64::from(seed)),
        }
    };
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.draft(&taro.id).await.unwrap(), None);
    tx.put_draft(&of(1)).await.unwrap();
    tx.put_draft(&of(2)).await.unwrap();
    assert_eq!(tx.draft(&taro.id).await.unwrap(), Some(of(2)));
    tx.remove_draft(&taro.id).await.unwrap();
    assert_eq!(tx.draft(&taro.id).await.unwrap(), None);
}

async fn an_issuance_comes_back_as_it_went(store: Store) {
    let taro = store_taro(&store).await;
    let mut tx = store.begin().await.unwrap();
    let states = [
        IssuanceState::Issued,
        IssuanceState::Consumed {
            token_id: TokenId::from_stored("token"),
        },
        IssuanceState::Locked,
        IssuanceState::Cancelled,
    ];
    for (seed, state) in (1..).zip(states) {
        let mut went = issuance(&taro, seed);
        went.state = state;
        went.starts = u32::from(seed);
        tx.insert_issuance(&went, b"record").await.unwrap();
        let expected = Some(StoredIssuance {
            issuance: went.clone(),
            version: 1,
            sealed_record: Some(b"record".to_vec()),
        });
        assert_eq!(tx.issuance(&went.id).await.unwrap(), expected);
        let asked = tx
            .issuance_by_token_user(&went.service_id, &went.token_user_id)
            .await;
        assert_eq!(asked.unwrap(), expected);
    }
    let unknown = IssuanceId::from_stored("unknown");
    assert_eq!(tx.issuance(&unknown).await.unwrap(), None);
    let unknown = issuance(&taro, 99).token_user_id;
    let asked = tx.issuance_by_token_user(&taro.service_id, &unknown).await;
    assert_eq!(asked.unwrap(), None);
}

async fn a_token_user_id_is_taken_once_in_a_service(store: Store) {
    let taro = store_taro(&store).await;
    let first = store_issuance(&store, &taro, 1).await;
    let mut second = issuance(&taro, 2);
    second.token_user_id = first.token_user_id;
    let mut tx = store.begin().await.unwrap();
    let refused = tx.insert_issuance(&second, b"record").await;
    assert!(refused.unwrap_err().is_duplicate());
}

async fn an_issuance_is_written_only_by_who_read_its_last_version(store: Store) {
    let taro = store_taro(&store).await;
    let id = store_issuance(&store, &taro, 1).await.id;
    let consumed = IssuanceState::Consumed {
        token_id: TokenId::from_stored("token"),
    };
    let mut tx = store.begin().await.unwrap();
    let update = tx.update_issuance(&id, 1, 5, &IssuanceState::Locked).await;
    assert!(update.unwrap());
    let late = tx.update_issuance(&id, 1, 6, &consumed).await;
    assert!(!late.unwrap());
    let found = tx.issuance(&id).await.unwrap().unwrap();
    assert_eq!(
        (found.version, found.issuance.starts, found.issuance.state),
        (2, 5, IssuanceState::Locked)
    );
    assert!(tx.update_issuance(&id, 2, 4, &consumed).await.unwrap());
    let found = tx.issuance(&id).await.unwrap().unwrap();
    assert_eq!(
        (found.version, found.issuance.starts, found.issuance.state),
        (3, 4, consumed)
    );
}

async fn cancelling_names_what_was_issued_or_locked(store: Store) {
    let contract = store_contract(&store).await;
    let taro = store_user(&store, &contract, "taro").await;
    let hanako = store_user(&store, &contract, "hanako").await;
    let hers = store_issuance(&store, &hanako, 9).await;
    let mut ids = Vec::new();
    for seed in [3, 1, 2, 4] {
        ids.push(store_issuance(&store, &taro, seed).await.id);
    }
    let mut tx = store.begin().await.unwrap();
    let locked = tx.update_issuance(&ids[0], 1, 5, &IssuanceState::Locked);
    assert!(locked.await.unwrap());
    let consumed = IssuanceState::Consumed {
        token_id: TokenId::from_stored("token"),
    };
    assert!(tx.update_issuance(&ids[1], 1, 0, &consumed).await.unwrap());
    let cancelled = tx.cancel_issuances(&taro.id).await.unwrap();
    assert_eq!(
        cancelled,
        [ids[2].clone(), ids[0].clone(), ids[3].clone()],
        "the oldest first"
    );
    assert_eq!(tx.cancel_issuances(&taro.id).await.unwrap(), []);
    let found = tx.issuance(&ids[2]).await.unwrap().unwrap();
    assert_eq!(
        (found.issuance.state, found.version),
        (IssuanceState::Cancelled, 2)
    );
    let found = tx.issuance(&ids[1]).await.unwrap().unwrap();
    assert_eq!(found.issuance.state, consumed);
    let found = tx.issuance(&hers.id).await.unwrap().unwrap();
    assert_eq!(found.issuance.state, IssuanceState::Issued);
}

async fn the_latest_issuance_is_the_one_asked_for_last(store: Store) {
    let taro = store_taro(&store).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.latest_issuance(&taro.id).await.unwrap(), None);
    let mut later = issuance(&taro, 1);
    later.created_at = NOW.plus_ms(1);
    tx.insert_issuance(&later, b"record").await.unwrap();
    let earlier = issuance(&taro, 2);
    tx.insert_issuance(&earlier, b"record").await.unwrap();
    let latest = tx.latest_issuance(&taro.id).await.unwrap();
    assert_eq!(latest, Some((later.clone(), 1)));
    // Started over within the same millisecond: the cancelled one has the greater id.
    tx.cancel_issuances(&taro.id).await.unwrap();
    let mut same_moment = issuance(&taro, 0);
    same_moment.created_at = later.created_at;
    tx.insert_issuance(&same_moment, b"record").await.unwrap();
    let latest = tx.latest_issuance(&taro.id).await.unwrap();
    assert_eq!(latest, Some((same_moment, 1)));
}

async fn issuances_of_the_user_within_the_period_count_whatever_became_of_them(store: Store) {
    let contract = store_contract(&store).await;
    let taro = store_user(&store, &contract, "taro").await;
    let hanako = store_user(&store, &contract, "hanako").await;
    let mut tx = store.begin().await.unwrap();
    let since = NOW.plus_ms(-DAY_MS);
    assert_eq!(
        tx.issuances_since(&taro.id, since).await.unwrap(),
        (0, None)
    );
    let rows = [
        (&taro, since, IssuanceState::Issued),
        (&taro, since.plus_ms(1), IssuanceState::Cancelled),
        (&taro, NOW, IssuanceState::Locked),
        (&hanako, NOW, IssuanceState::Issued),
    ];
    for (seed, (user, created_at, state)) in (1..).zip(rows) {
        let asked = warifu_core::issuance::Issuance {
            created_at,
            state,
            ..issuance(user, seed)
        };
        tx.insert_issuance(&asked, b"record").await.unwrap();
    }
    assert_eq!(
        tx.issuances_since(&taro.id, since).await.unwrap(),
        (2, Some(since.plus_ms(1)))
    );
}

async fn records_are_erased_after_their_time_and_the_issuance_stays(store: Store) {
    let taro = store_taro(&store).await;
    let mut tx = store.begin().await.unwrap();
    for (seed, expires_at) in [(1, NOW), (2, NOW.plus_ms(1)), (3, NOW.plus_ms(2))] {
        let mut issuance = issuance(&taro, seed);
        issuance.expires_at = expires_at;
        tx.insert_issuance(&issuance, b"record").await.unwrap();
    }
    let before = NOW.plus_ms(2);
    let erase = async |tx: &mut crate::Tx, limit| {
        tx.erase_records_expired_before(before, limit)
            .await
            .unwrap()
    };
    assert_eq!(erase(&mut tx, 1).await, 1);
    let has_record = async |tx: &mut crate::Tx, seed| {
        let id = issuance(&taro, seed).id;
        tx.issuance(&id)
            .await
            .unwrap()
            .unwrap()
            .sealed_record
            .is_some()
    };
    assert!(
        !has_record(&mut tx, 1).await,
        "the first one over goes first"
    );
    assert!(has_record(&mut tx, 2).await);
    assert_eq!(erase(&mut tx, 100).await, 1);
    assert_eq!(erase(&mut tx, 100).await, 0);
    assert!(!has_record(&mut tx, 2).await);
    assert!(has_record(&mut tx, 3).await);
}

async fn an_attempt_comes_back_as_it_went(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let full = StoredAttempt {
        sealed_state: None,
        state: AttemptState::Failed,
        finish_hash: Some([9; 32]),
        finish_reply: Some(vec![7, 8]),
        ..attempt(&issuance, "full", NOW)
    };
    let mut tx = store.begin().await.unwrap();
    for went in [full, attempt(&issuance, "open", NOW), decoy("decoy", NOW)] {
        assert!(tx.insert_attempt(&went).await.unwrap());
        let back = tx.attempt(&went.attempt_id).await.unwrap();
        assert_eq!(back, Some(went));
    }
    assert_eq!(tx.attempt("unknown").await.unwrap(), None);
}

async fn an_attempt_id_is_taken_once(store: Store) {
    let mut tx = store.begin().await.unwrap();
    let first = decoy("a", NOW);
    assert!(tx.insert_attempt(&first).await.unwrap());
    let again = decoy("a", NOW.plus_ms(1));
    assert!(!tx.insert_attempt(&again).await.unwrap());
    assert_eq!(tx.attempt("a").await.unwrap(), Some(first));
}

async fn a_finish_is_judged_once_and_refunds_the_start_when_done(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let mut tx = store.begin().await.unwrap();
    for (id, state, counts) in [
        ("done", AttemptState::Done, false),
        ("failed", AttemptState::Failed, true),
    ] {
        let open = attempt(&issuance, id, NOW);
        assert!(tx.insert_attempt(&open).await.unwrap());
        let finish = tx.finish_attempt(id, state, &[5; 32], Some(b"reply")).await;
        assert!(finish.unwrap());
        let expected = StoredAttempt {
            counted: counts,
            sealed_state: None,
            state,
            finish_hash: Some([5; 32]),
            finish_reply: Some(b"reply".to_vec()),
            ..open
        };
        assert_eq!(tx.attempt(id).await.unwrap(), Some(expected.clone()));
        let again = tx.finish_attempt(id, AttemptState::Done, &[6; 32], None);
        assert!(!again.await.unwrap());
        assert_eq!(tx.attempt(id).await.unwrap(), Some(expected));
    }
    let unknown = tx.finish_attempt("unknown", AttemptState::Done, &[6; 32], None);
    assert!(!unknown.await.unwrap());
}

async fn only_counted_starts_within_the_period_count(store: Store) {
    let contract = store_contract(&store).await;
    let taro = store_user(&store, &contract, "taro").await;
    let hanako = store_user(&store, &contract, "hanako").await;
    let first = store_issuance(&store, &taro, 1).await;
    let second = store_issuance(&store, &taro, 2).await;
    let hers = store_issuance(&store, &hanako, 3).await;
    let since = NOW.plus_ms(-DAY_MS);
    let mut tx = store.begin().await.unwrap();
    let starts = [
        attempt(&first, "too old", since.plus_ms(-1)),
        attempt(&first, "just in", since),
        attempt(&second, "of another issuance", NOW),
        attempt(&second, "finished", NOW),
        attempt(&hers, "of another user", NOW),
        decoy("decoy", NOW),
    ];
    for start in &starts {
        assert!(tx.insert_attempt(start).await.unwrap());
    }
    assert_eq!(tx.counted_starts(&taro.id, since).await.unwrap(), 3);
    let finish = tx.finish_attempt("finished", AttemptState::Done, &[0; 32], None);
    assert!(finish.await.unwrap());
    assert_eq!(tx.counted_starts(&taro.id, since).await.unwrap(), 2);
}

async fn attempts_go_when_their_time_is_over(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let mut tx = store.begin().await.unwrap();
    for (id, age_ms) in [("a", 3), ("b", 2), ("c", 1), ("d", 0)] {
        let start = attempt(&issuance, id, NOW.plus_ms(-age_ms));
        assert!(tx.insert_attempt(&start).await.unwrap());
    }
    let finish = tx.finish_attempt("a", AttemptState::Done, &[0; 32], None);
    assert!(finish.await.unwrap());
    let remove = async |tx: &mut crate::Tx, state, limit| {
        tx.remove_attempts_before(state, NOW, limit).await.unwrap()
    };
    assert_eq!(remove(&mut tx, AttemptState::Failed, 10).await, 0);
    assert_eq!(remove(&mut tx, AttemptState::Open, 1).await, 1);
    assert_eq!(tx.attempt("b").await.unwrap(), None, "the oldest first");
    assert_eq!(remove(&mut tx, AttemptState::Open, 10).await, 1);
    assert!(tx.attempt("d").await.unwrap().is_some(), "not before");
    assert_eq!(remove(&mut tx, AttemptState::Done, 10).await, 1);
    assert_eq!(tx.attempt("a").await.unwrap(), None);
}

async fn the_oldest_decoys_go_first(store: Store) {
    let taro = store_taro(&store).await;
    let issuance = store_issuance(&store, &taro, 1).await;
    let mut tx = store.begin().await.unwrap();
    let genuine = attempt(&issuance, "genuine", UnixMillis(0));
    assert!(tx.insert_attempt(&genuine).await.unwrap());
    for age_ms in 0..5 {
        let start = decoy(&format!("decoy-{age_ms}"), NOW.plus_ms(-age_ms));
        assert!(tx.insert_attempt(&start).await.unwrap());
    }
    assert_eq!(tx.count_decoy_attempts().await.unwrap(), 5);
    assert_eq!(tx.remove_oldest_decoys(5).await.unwrap(), 0);
    assert_eq!(tx.remove_oldest_decoys(2).await.unwrap(), 3);
    assert_eq!(tx.count_decoy_attempts().await.unwrap(), 2);
    for (id, stays) in [("decoy-1", true), ("decoy-2", false), ("genuine", true)] {
        assert_eq!(tx.attempt(id).await.unwrap().is_some(), stays, "{id}");
    }
}
