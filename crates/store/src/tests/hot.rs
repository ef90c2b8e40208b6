//! What a batch of verifications reads and writes.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use warifu_core::id::{ServiceId, TokenId, UserId};
use warifu_core::token::{RevokedBy, Standing, TokenState};
use warifu_core::user::{Actor, User};
use warifu_core::verification::Counter;

use super::records::event;
use super::relying::store_client;
use super::sample::{NOW, store_contract, store_taro, store_token, store_user};
use crate::rows::{Last, RowsSql};
use crate::testing::TestDatabase;
use crate::tx::{Ended, Next};
use crate::{
    CounterNo, Ground, HotCounter, Judged, Judgement, Login, NewAnswer, Row, Settlement, Store,
    StoreError, StoredAnswer, StoredBearer, Tx, Wanted, on_both_databases, params,
};

on_both_databases! { store:
    r13_of_a_batch_of_counters_those_that_were_read_too_early_are_left_out,
    r12_of_many_nodes_that_write_the_same_batch_one_wins_each_token,
    a_bearer_comes_with_the_live_token_and_strangers_are_left_out,
    a_disabled_user_is_seen_with_the_counter,
    a_batch_of_any_size_is_taken,
    a_batch_is_written_with_its_events_or_not_at_all,
    a_statement_that_fails_at_the_end_leaves_nothing_behind_and_the_next_batch_is_written,
    what_was_judged_may_stay_open_and_be_committed_later,
    r90_a_judge_with_a_defect_costs_its_transaction_only,
    a_token_without_a_counter_is_left_out_alone,
    each_login_finds_its_own_bearer,
    a_row_that_outlived_its_token_is_passed_over_and_replaced,
    r23_a_fence_only_rises,
}

const TOKENS: usize = 21;

/// A token that a batch may be about.
struct Known {
    token: TokenId,
    number: CounterNo,
    user: UserId,
}

/// So many users with a token each.
async fn store_tokens(store: &Store) -> Vec<Known> {
    let contract = store_contract(store).await;
    let mut made = Vec::new();
    for number in 0..TOKENS {
        let user = store_user(store, &contract, &format!("user{number:02}")).await;
        let seed = u8::try_from(number).unwrap();
        let (token, _) = store_token(store, &user, seed, TokenState::Activated).await;
        made.push(Known {
            number: number_of(store, &token.id).await,
            token: token.id,
            user: user.id,
        });
    }
    made
}

async fn number_of(store: &Store, token: &TokenId) -> CounterNo {
    let sql = "SELECT counter_no FROM token WHERE token_id = $1";
    let mut tx = store.read().await.unwrap();
    let row = tx.query_one(sql, params![token]).await.unwrap().unwrap();
    CounterNo(row.int("counter_no").unwrap())
}

impl Tx {
    /// What a batch would be judged by.
    pub(super) async fn ground(&mut self, wanted: &Wanted<'_>) -> Result<Ground, StoreError> {
        let decide = |rows: Vec<Vec<Row>>| Ok(Next::Stay(Ground::of(rows)?));
        match self.read_and_finish(wanted.asks(), decide).await? {
            Ended::Open(ground) => Ok(ground),
            Ended::Committed(..) | Ended::Lost => panic!("it was to stay open"),
        }
    }
}

/// What a verification reads of a user.
pub(super) async fn bearer_of(tx: &mut Tx, user: &User) -> StoredBearer {
    let login = Login::of(user);
    let wanted = Wanted {
        logins: vec![&login],
        ..Wanted::default()
    };
    let mut bearers = tx.ground(&wanted).await.unwrap().bearers;
    bearers.remove(0).unwrap()
}

async fn read(store: &Store, tokens: &[Known]) -> Vec<HotCounter> {
    let wanted = Wanted {
        counters: tokens
            .iter()
            .map(|known| (known.number, &known.user))
            .collect(),
        ..Wanted::default()
    };
    let found = store.read().await.unwrap().ground(&wanted).await.unwrap();
    tokens
        .iter()
        .map(|known| found.counters[&known.number])
        .collect()
}

fn next(counter: &Counter, last_step: i64) -> Counter {
    Counter {
        version: counter.version + 1,
        last_step,
        ..*counter
    }
}

async fn r13_of_a_batch_of_counters_those_that_were_read_too_early_are_left_out(store: Store) {
    let tokens = store_tokens(&store).await;
    let before = read(&store, &tokens).await;
    let late = [3, 4, 20];
    for place in late {
        let mut tx = store.begin().await.unwrap();
        let counter = next(&before[place].counter, 1);
        let version = before[place].counter.version;
        assert!(
            tx.swap_counter(&tokens[place].token, version, &counter)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
    }
    let swaps: Vec<_> = tokens
        .iter()
        .zip(&before)
        .map(|(known, hot)| {
            let next = next(&hot.counter, 7);
            (known.number, hot.counter.version, next)
        })
        .collect();
    let mut tx = store.begin().await.unwrap();
    let mut won = tx.swap_counters(&swaps).await.unwrap();
    tx.commit().await.unwrap();
    won.sort();
    let expected: Vec<_> = (0..TOKENS)
        .filter(|place| !late.contains(place))
        .map(|place| tokens[place].number)
        .collect();
    assert_eq!(won, expected);
    for (place, hot) in read(&store, &tokens).await.iter().enumerate() {
        let last_step = if late.contains(&place) { 1 } else { 7 };
        assert_eq!(hot.counter, next(&before[place].counter, last_step));
    }
}

async fn r12_of_many_nodes_that_write_the_same_batch_one_wins_each_token(store: Store) {
    let tokens = Arc::new(store_tokens(&store).await);
    let before = Arc::new(read(&store, &tokens).await);
    let start = Arc::new(Barrier::new(8));
    let mut nodes = JoinSet::new();
    for node in 0..8 {
        let (store, tokens, before, start) =
            (store.clone(), tokens.clone(), before.clone(), start.clone());
        nodes.spawn(async move {
            start.wait().await;
            let swaps: Vec<_> = tokens
                .iter()
                .zip(before.iter())
                .map(|(known, hot)| {
                    let next = next(&hot.counter, node);
                    (known.number, hot.counter.version, next)
                })
                .collect();
            let mut tx = store.begin().await.unwrap();
            let won = tx.swap_counters(&swaps).await.unwrap();
            tx.commit().await.unwrap();
            won.len()
        });
    }
    assert_eq!(nodes.join_all().await.iter().sum::<usize>(), TOKENS);
}

async fn a_bearer_comes_with_the_live_token_and_strangers_are_left_out(store: Store) {
    let taro = store_taro(&store).await;
    let revoked = TokenState::Revoked {
        revoked_at: NOW,
        by: RevokedBy::Person,
    };
    store_token(&store, &taro, 1, revoked).await;
    let login = Login::of(&taro);
    let nobody = Login {
        login_id: "nobody".to_owned(),
        ..login.clone()
    };
    let elsewhere = Login {
        service_id: ServiceId::parse("other").unwrap(),
        ..login.clone()
    };
    let wanted = Wanted {
        logins: vec![&nobody, &login, &elsewhere],
        ..Wanted::default()
    };
    let ground = async || store.read().await.unwrap().ground(&wanted).await.unwrap();
    let found = ground().await;
    assert!(found.counters.is_empty());
    let [None, Some(bearer), None] = found.bearers.as_slice() else {
        panic!("one of three is there");
    };
    assert_eq!((&bearer.user_id, &bearer.token), (&taro.id, &None));

    let (token, counter) = store_token(&store, &taro, 2, TokenState::Activated).await;
    let found = ground().await;
    let hot = HotCounter {
        counter,
        user_disabled: false,
    };
    let number = number_of(&store, &token.id).await;
    assert_eq!(found.counters, [(number, hot)].into());
    let seed = found.bearers[1].as_ref().unwrap().token.as_ref().unwrap();
    assert_eq!(
        (&seed.token_id, seed.counter_no, seed.parameters),
        (&token.id, Some(number), token.parameters)
    );
    assert_eq!(seed.activated_at, token.activated_at);
}

async fn disable(store: &Store, known: &Known) {
    let mut tx = store.begin().await.unwrap();
    let disable = "UPDATE app_user SET disabled = TRUE WHERE user_id = $1";
    let changed = tx.execute(disable, params![&known.user]).await.unwrap();
    assert_eq!(changed, 1);
    tx.commit().await.unwrap();
}

async fn a_disabled_user_is_seen_with_the_counter(store: Store) {
    let tokens = store_tokens(&store).await;
    disable(&store, &tokens[5]).await;
    for (place, hot) in read(&store, &tokens).await.iter().enumerate() {
        assert_eq!(hot.user_disabled, place == 5);
    }
}

async fn a_batch_of_any_size_is_taken(store: Store) {
    let tokens = store_tokens(&store).await;
    disable(&store, &tokens[5]).await;
    let mut tx = store.read().await.unwrap();
    let login = |place: usize| Login {
        service_id: ServiceId::parse("bank").unwrap(),
        login_id: format!("user{place:02}"),
    };
    let logins: Vec<_> = (0..TOKENS).map(login).collect();
    for size in [0, 1, 2, 3, 7, 8, TOKENS, 64, 66, 127, 128, 129, 300] {
        let places = || (0..size).map(|place| place % TOKENS);
        let wanted = Wanted {
            counters: places()
                .map(|place| (tokens[place].number, &tokens[place].user))
                .collect(),
            ..Wanted::default()
        };
        let found = tx.ground(&wanted).await.unwrap();
        assert_eq!(found.counters.len(), size.min(TOKENS));
        let wanted = Wanted {
            logins: places().map(|place| &logins[place]).collect(),
            ..Wanted::default()
        };
        let named = tx.ground(&wanted).await.unwrap();
        assert_eq!(named.counters, found.counters);
        for (number, hot) in &named.counters {
            assert_eq!(hot.user_disabled, *number == tokens[5].number);
        }
        let users = |bearer: &Option<StoredBearer>| bearer.as_ref().map(|one| one.user_id.clone());
        let found: Vec<_> = named.bearers.iter().map(users).collect();
        let expected: Vec<_> = places()
            .map(|place| Some(tokens[place].user.clone()))
            .collect();
        assert_eq!(found, expected);
    }
}

/// What was recorded and kept, in numbers.
async fn written(store: &Store) -> (u64, u64) {
    let mut tx = store.read().await.unwrap();
    let answers = "SELECT COUNT(idempotency_key) AS kept FROM api_answer";
    let row = tx.query_one(answers, crate::params![]).await.unwrap();
    let kept = row.unwrap().number("kept").unwrap();
    (tx.count_events().await.unwrap(), kept)
}

async fn a_batch_is_written_with_its_events_or_not_at_all(store: Store) {
    let tokens = store_tokens(&store).await;
    let client = store_client(&store, "bank").await.id;
    let before = read(&store, &tokens).await;
    let swaps = |steps: i64, of: &[HotCounter]| -> Vec<(CounterNo, i64, Counter)> {
        let counters = tokens.iter().zip(of);
        counters
            .map(|(known, hot)| (known.number, hot.counter.version, next(&hot.counter, steps)))
            .collect()
    };
    let answers = |key: &str| {
        vec![NewAnswer {
            client_id: client.clone(),
            key: key.to_owned(),
            answer: StoredAnswer {
                request_hash: [1; 32],
                answer: "{}".to_owned(),
            },
        }]
    };
    let settle = async |swaps: &[(CounterNo, i64, Counter)], number: u8, answers: &[NewAnswer]| {
        let settlement = Settlement {
            swaps: swaps.to_vec(),
            events: vec![event(&number.to_string(), NOW, Actor::System)],
            answers: answers.to_vec(),
        };
        let tx = store.begin().await.unwrap();
        let judge = move |_| Judgement::Settle(settlement, number);
        match tx.judge(&Wanted::default(), NOW, judge).await.unwrap() {
            Judged::Settled(told, durable) => {
                let (tell, there) = tokio::sync::oneshot::channel();
                durable.then(|arrived| tell.send(arrived).unwrap());
                there.await.unwrap().unwrap();
                assert_eq!(told, number);
                true
            }
            Judged::Lost => false,
            Judged::Open(..) => panic!("it was to end"),
        }
    };
    assert!(settle(&swaps(1, &before), 1, &answers("one")).await);
    assert_eq!(written(&store).await, (1, 1));
    // Another node was faster with one counter.
    let mut late = swaps(2, &read(&store, &tokens).await);
    late[7].1 -= 1;
    assert!(!settle(&late, 2, &answers("two")).await);
    // Or with one answer.
    let current = read(&store, &tokens).await;
    assert!(!settle(&swaps(2, &current), 3, &answers("one")).await);
    assert_eq!(written(&store).await, (1, 1));
    assert_eq!(read(&store, &tokens).await, current);
    assert!(settle(&swaps(2, &current), 4, &[]).await);
    assert_eq!(written(&store).await, (2, 1));
    assert!(settle(&[], 5, &[]).await);
}

async fn a_statement_that_fails_at_the_end_leaves_nothing_behind_and_the_next_batch_is_written(
    store: Store,
) {
    let tokens = store_tokens(&store).await;
    let settle = async |of: &[HotCounter], event_id: &str| {
        let counters = tokens.iter().zip(of);
        let settlement = Settlement {
            swaps: counters
                .map(|(known, hot)| (known.number, hot.counter.version, next(&hot.counter, 1)))
                .collect(),
            events: vec![event(event_id, NOW, Actor::System)],
            answers: Vec::new(),
        };
        let tx = store.begin().await.unwrap();
        tx.judge(&Wanted::default(), NOW, move |_| {
            Judgement::Settle(settlement, ())
        })
        .await
    };
    let before = read(&store, &tokens).await;
    assert!(matches!(
        settle(&before, "1").await,
        Ok(Judged::Settled(..))
    ));
    let current = read(&store, &tokens).await;
    let rename = async |sql| {
        let mut tx = store.begin().await.unwrap();
        tx.execute(sql, Vec::new()).await.unwrap();
        tx.commit().await.unwrap();
    };
    rename("ALTER TABLE audit RENAME TO audit_away").await;
    for _ in 0..3 {
        // The counters could be written, but not the event.
        let failed = settle(&current, "1").await.err().unwrap();
        assert!(matches!(failed, StoreError::Statement(_)), "{failed}");
        assert_eq!(read(&store, &tokens).await, current);
    }
    rename("ALTER TABLE audit_away RENAME TO audit").await;
    assert!(matches!(
        settle(&current, "2").await,
        Ok(Judged::Settled(..))
    ));
    assert_ne!(read(&store, &tokens).await, current);
}

async fn what_was_judged_may_stay_open_and_be_committed_later(store: Store) {
    let tokens = store_tokens(&store).await;
    let before = read(&store, &tokens).await;
    let Known {
        token,
        number,
        user,
    } = &tokens[0];
    let wanted = Wanted {
        counters: vec![(*number, user)],
        ..Wanted::default()
    };
    for commits in [false, true] {
        let tx = store.begin().await.unwrap();
        let judge = |ground: Ground| Judgement::Stay(ground.counters);
        let judged = tx.judge(&wanted, NOW, judge).await.unwrap();
        let Judged::Open(mut tx, counters) = judged else {
            panic!("it was to stay open");
        };
        let counter = counters[number].counter;
        let next = next(&counter, 9);
        let swap = tx.swap_counter(token, counter.version, &next);
        assert!(swap.await.unwrap());
        if commits {
            tx.commit().await.unwrap();
        }
    }
    let after = read(&store, &tokens[..1]).await;
    assert_eq!(after[0].counter, next(&before[0].counter, 9));
}

async fn r90_a_judge_with_a_defect_costs_its_transaction_only(store: Store) {
    for _ in 0..2 {
        let mut tx = store.begin().await.unwrap();
        let lost = event("lost", NOW, Actor::System);
        tx.insert_event(&lost).await.unwrap();
        let judge = |_: Ground| -> Judgement<()> { panic!("a defect") };
        let judged =
            tokio::spawn(async move { tx.judge(&Wanted::default(), NOW, judge).await.map(drop) });
        // SQLite's thread tells it as an error; on PostgreSQL it stays with the task.
        assert!(!matches!(judged.await, Ok(Ok(()))));
    }
    let mut tx = store.begin().await.unwrap();
    let kept = event("kept", NOW, Actor::System);
    tx.insert_event(&kept).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(written(&store).await, (1, 0));
}

async fn a_token_without_a_counter_is_left_out_alone(store: Store) {
    let contract = store_contract(&store).await;
    let mut logins = Vec::new();
    for number in 0..2 {
        let user = store_user(&store, &contract, &format!("user{number}")).await;
        let (token, _) = store_token(&store, &user, number, TokenState::Activated).await;
        logins.push((Login::of(&user), token));
    }
    let mut tx = store.begin().await.unwrap();
    let damage = "UPDATE bearer SET counter_no = NULL WHERE token_id = $1";
    tx.execute(damage, crate::params![&logins[0].1.id])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let wanted = Wanted {
        logins: logins.iter().map(|(login, _)| login).collect(),
        ..Wanted::default()
    };
    let found = store.read().await.unwrap().ground(&wanted).await.unwrap();
    assert!(found.bearers.iter().all(Option::is_some) && found.bearers.len() == 2);
    let with_counter: Vec<_> = found.counters.keys().copied().collect();
    assert_eq!(with_counter, [number_of(&store, &logins[1].1.id).await]);
}

/// In whatever order the database gives the rows: nobody gets another's token.
async fn each_login_finds_its_own_bearer(store: Store) {
    let contract = store_contract(&store).await;
    let mut bearers = Vec::new();
    for number in 0..3 {
        let user = store_user(&store, &contract, &format!("user{number}")).await;
        let (token, _) = store_token(&store, &user, number, TokenState::Activated).await;
        bearers.push((Login::of(&user), token.id));
    }
    let nobody = Login {
        login_id: "nobody".to_owned(),
        ..bearers[0].0.clone()
    };
    let [(a, of_a), (b, of_b), (c, of_c)] = bearers.as_slice() else {
        panic!("they are three");
    };
    let wanted = Wanted {
        logins: vec![a, &nobody, b, a, c],
        ..Wanted::default()
    };
    let expected = [Some(of_a), None, Some(of_b), Some(of_a), Some(of_c)];
    for reversed in [false, true] {
        let decide = move |mut rows: Vec<Vec<Row>>| {
            if reversed {
                for rows in &mut rows {
                    rows.reverse();
                }
            }
            Ok(Next::Stay(Ground::of(rows)?))
        };
        let mut tx = store.read().await.unwrap();
        let ended = tx.read_and_finish(wanted.asks(), decide).await.unwrap();
        let Ended::Open(ground) = ended else {
            panic!("it was to stay open");
        };
        let found: Vec<_> = (ground.bearers.iter())
            .map(|bearer| Some(&bearer.as_ref()?.token.as_ref()?.token_id))
            .collect();
        assert_eq!(found, expected);
    }
}

async fn a_row_that_outlived_its_token_is_passed_over_and_replaced(store: Store) {
    let taro = store_taro(&store).await;
    let (first, counter) = store_token(&store, &taro, 1, TokenState::Activated).await;
    let mut tx = store.begin().await.unwrap();
    let over = Counter {
        standing: Standing::Revoked,
        ..next(&counter, 1)
    };
    assert!(
        tx.swap_counter(&first.id, counter.version, &over)
            .await
            .unwrap()
    );
    let damage = "UPDATE token SET revoked_at_ms = 1, revoker = 'person' WHERE token_id = $1";
    tx.execute(damage, params![&first.id]).await.unwrap();
    assert_eq!(bearer_of(&mut tx, &taro).await.token, None);
    tx.commit().await.unwrap();
    let (second, _) = store_token(&store, &taro, 2, TokenState::Activated).await;
    let mut tx = store.read().await.unwrap();
    let found = bearer_of(&mut tx, &taro).await.token;
    assert_eq!(found.map(|seed| seed.token_id), Some(second.id));
}

async fn r23_a_fence_only_rises(store: Store) {
    let contract = store_contract(&store).await;
    let mut tx = store.begin().await.unwrap();
    let id = &contract.service_id;
    let unknown = ServiceId::parse("unknown").unwrap();
    let wanted = Wanted {
        services: vec![id, &unknown],
        ..Wanted::default()
    };
    assert_eq!(tx.ground(&wanted).await.unwrap().rules[id].fence, None);
    assert!(tx.raise_fence(id, NOW).await.unwrap());
    assert!(!tx.raise_fence(id, NOW.plus_ms(-1)).await.unwrap());
    assert_eq!(tx.ground(&wanted).await.unwrap().rules[id].fence, Some(NOW));
    assert!(tx.raise_fence(id, NOW.plus_ms(1)).await.unwrap());
    assert_eq!(tx.ground(&wanted).await.unwrap().rules.len(), 1);
}

/// A statement that cannot be sent must keep its COMMIT from being sent too.
#[tokio::test]
async fn what_cannot_be_sent_to_postgresql_keeps_the_commit_back() {
    static MISFIT: RowsSql = RowsSql::new(
        "INSERT INTO contract (contract_id, name) {ROWS}",
        &["TEXT", "TEXT"],
    );
    let store = TestDatabase::postgres().await.store().await;
    let tokens = store_tokens(&store).await;
    let before = read(&store, &tokens).await;
    let settlement = Settlement {
        swaps: tokens
            .iter()
            .zip(&before)
            .map(|(known, hot)| (known.number, hot.counter.version, next(&hot.counter, 1)))
            .collect(),
        ..Settlement::default()
    };
    for _ in 0..2 {
        let mut last = settlement.clone().last(NOW);
        last.push(Last {
            sql: &MISFIT,
            // A number where a text is due.
            rows: vec![params!["a", 1]],
            decides: false,
        });
        let mut tx = store.begin().await.unwrap();
        let ended = tx.read_and_finish(Vec::new(), |_| Ok(Next::Finish(last, ())));
        let failed = ended.await.err().unwrap();
        assert!(matches!(failed, StoreError::Statement(_)), "{failed}");
        drop(tx);
        assert_eq!(read(&store, &tokens).await, before);
    }
}
