//! What a relying system is told when something under the product fails (docs/reliability.md, table of faults): a full queue, a
//! full disk, a lock that another process holds, a caller that goes away. Faults of the clock, of a database that is gone, of a disk
//! that the system calls full, and of a stop are tried with the real program, in `crates/proof/tests/faults`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde_json::json;
use tokio::task::JoinSet;
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_server::app::health::Obstacle;
use warifu_server::app::verification::{BATCH_MAX, WAITING_MAX};
use warifu_server::config::Limits;
use warifu_store::testing::TestDatabase;
use warifu_store::{Store, Tx, on_both_databases};

use crate::api::{Api, Ask, Reply, of};
use crate::bank::{Bank, origin, refused};
use crate::http::Site;

on_both_databases! {
    more_requests_than_are_served_at_once_are_turned_away_and_judge_nothing,
    a_full_queue_turns_codes_away_at_once_and_judges_those_that_wait,
    the_page_of_a_full_queue_says_when_to_come_again_and_counts_nothing,
    a_caller_that_goes_away_leaves_its_code_judged_wholly_or_not_at_all,
}

/// So many too many are asked for.
const TOO_MANY: usize = 32;
/// Codes that wait, and those of the batch on its way: more cannot be in the house.
const IN_THE_HOUSE_MAX: usize = WAITING_MAX + BATCH_MAX;

/// What a caller is told to do: come again.
#[track_caller]
fn assert_turned_away(reply: &Reply, code: &str) {
    assert_eq!(reply.refusal(), (503, code), "{}", reply.text);
    let seconds: u32 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

async fn more_requests_than_are_served_at_once_are_turned_away_and_judge_nothing(
    database: TestDatabase,
) {
    let api = Arc::new(Api::open(database).await);
    let phone = api.bank.phone("hanako").await;
    let code = phone.code(api.bank.app.now());
    let held = lock(api.bank.app.store()).await;
    let mut callers = JoinSet::new();
    let asked = Limits::default().requests_max + TOO_MANY;
    for _ in 0..asked {
        let (api, code) = (Arc::clone(&api), code.clone());
        callers.spawn(async move { api.verify("hanako", &code).await });
    }
    let mut told = Vec::new();
    // While nobody is judged, nobody who comes later finds room.
    for _ in 0..TOO_MANY {
        let away = callers.join_next().await.unwrap().unwrap();
        assert_turned_away(&away, "service_unavailable");
        told.push(away);
    }
    drop(held);
    while let Some(reply) = callers.join_next().await {
        told.push(reply.unwrap());
    }
    let (judged, away): (Vec<_>, Vec<_>) = told.iter().partition(|reply| reply.status == 200);
    assert_eq!(away.len(), TOO_MANY);
    for reply in away {
        assert_turned_away(reply, "service_unavailable");
    }
    let of = |verdict| {
        judged
            .iter()
            .filter(move |reply| reply.json["verdict"] == verdict)
    };
    assert_eq!(
        (of("accepted").count(), of("already_used").count()),
        (1, asked - TOO_MANY - 1)
    );
    let audited = api.bank.outcomes("token", &phone.token_id, "verify").await;
    assert_eq!(
        audited.len(),
        judged.len(),
        "what was turned away was not judged"
    );
}

async fn a_full_queue_turns_codes_away_at_once_and_judges_those_that_wait(database: TestDatabase) {
    // With fewer requests at once the queue is never full.
    let limits = Limits {
        requests_max: IN_THE_HOUSE_MAX + 2 * TOO_MANY,
        ..Limits::default()
    };
    let api = Arc::new(Api::within(Bank::open(database).await, limits).await);
    let now = api.bank.app.now();
    let (waits, late) = (api.bank.phone("hanako").await, api.bank.phone("jiro").await);
    // From here on the node knows the key.
    let wrong = api.verify("hanako", &waits.wrong_code(now)).await;
    assert_eq!(wrong.json["verdict"], "wrong");
    let counter = api.bank.token("jiro").await.unwrap().counter;
    let events = api.bank.events().await;

    let held = lock(api.bank.app.store()).await;
    let mut callers = JoinSet::new();
    for _ in 0..IN_THE_HOUSE_MAX + TOO_MANY {
        let (api, code) = (Arc::clone(&api), waits.code(now));
        callers.spawn(async move { api.verify("hanako", &code).await });
    }
    for _ in 0..TOO_MANY {
        let away = callers.join_next().await.unwrap().unwrap();
        assert_turned_away(&away, "busy");
    }
    // Whoever comes now, by the short way and by the ordinary one.
    let (short, right) = (of("jiro", "verify"), late.code(now));
    for path in [&short, &format!("{short}?long")] {
        for code in [&right, &late.wrong_code(now)] {
            let away = api.ask(Ask::post(path, &json!({ "code": code }))).await;
            assert_turned_away(&away, "busy");
        }
    }
    drop(held);
    let (mut accepted, mut used) = (0, 0);
    while let Some(reply) = callers.join_next().await {
        let reply = reply.unwrap();
        match reply.json["verdict"].as_str() {
            Some("accepted") => accepted += 1,
            Some("already_used") => used += 1,
            _ => assert_turned_away(&reply, "busy"),
        }
    }
    assert_eq!(accepted, 1);
    let judged = accepted + used;
    assert!(judged >= WAITING_MAX, "all that waited: {judged}");
    assert_eq!(
        (
            api.bank.events().await - events,
            api.bank.token("jiro").await.unwrap().counter,
        ),
        (judged as u64, counter),
        "what was turned away was not judged"
    );
    let accepted = api.verify("jiro", &right).await;
    assert_eq!(
        (&accepted.json["verdict"], &accepted.json["tries_left"]),
        (&json!("accepted"), &json!(5))
    );
}

async fn the_page_of_a_full_queue_says_when_to_come_again_and_counts_nothing(
    database: TestDatabase,
) {
    let site = Arc::new(Site::open(database).await);
    let now = site.bank.app.now();
    let (waits, late) = (
        site.bank.phone("hanako").await,
        site.bank.phone("jiro").await,
    );
    let (cookies, csrf) = site.csrf("jiro", Stage::Password).await;
    let session = Arc::new(site.bank.session("hanako").await);
    let held = lock(site.bank.app.store()).await;
    let mut callers = JoinSet::new();
    for _ in 0..=IN_THE_HOUSE_MAX {
        let (site, session, code) = (Arc::clone(&site), Arc::clone(&session), waits.code(now));
        callers.spawn(async move { site.bank.app.verify(&session, &code, &origin()).await });
    }
    let away = callers.join_next().await.unwrap().unwrap();
    assert_eq!(refused(away), Refusal::Busy);
    assert!(site.bank.app.readiness().await.contains(&Obstacle::Queue));
    let typed = async |code: &str| {
        let fields = [("csrf", csrf.as_str()), ("code", code)];
        site.post("/verify", &cookies, &fields).await
    };
    for code in [late.code(now), late.wrong_code(now)] {
        let page = typed(&code).await;
        assert_eq!(page.status, 503);
        assert_eq!(page.header("retry-after"), "5");
        assert!(page.text.contains("busy"), "{}", page.text);
    }
    drop(held);
    while callers.join_next().await.is_some() {}
    let counter = site.bank.token("jiro").await.unwrap().counter;
    assert_eq!(counter.failures, 0);
    assert_eq!(typed(&late.code(now)).await.status, 303);
    assert_eq!(site.bank.app.readiness().await, []);
}

async fn a_caller_that_goes_away_leaves_its_code_judged_wholly_or_not_at_all(
    database: TestDatabase,
) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let version = || async { api.bank.token("hanako").await.unwrap().counter.version };
    let mut judged = 0;
    for polls in 0..12 {
        api.bank.clock.advance(2 * 60_000);
        let code = phone.code(api.bank.app.now());
        let before = version().await;
        let answered = cut(api.verify("hanako", &code), polls).await.is_some();
        // What was begun is over when the next one, which waits behind it, is answered.
        let next = api.verify("hanako", &code).await;
        assert_eq!(next.status, 200, "{}", next.text);
        let used = next.json["verdict"] == "already_used";
        assert!(used || next.json["verdict"] == "accepted", "{}", next.text);
        assert!(used || !answered, "what was told is so");
        assert_eq!(version().await, before + 1, "judged once, whoever was told");
        judged += i64::from(used);
    }
    let outcomes = api.bank.outcomes("token", &phone.token_id, "verify").await;
    let accepted = outcomes.iter().filter(|outcome| *outcome == "accepted");
    assert_eq!(accepted.count(), 12);
    assert!(judged < 12, "a caller that never asked is not judged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_turns_codes_away_counts_nothing_and_is_over_when_there_is_room() {
    let api = Api::open(TestDatabase::sqlite()).await;
    let phone = api.bank.phone("hanako").await;
    let now = api.bank.app.now();
    let store = api.bank.app.store();
    // The one connection that writes may not make the file any larger: SQLite then says what it says on a full disk.
    let mut tx = store.begin().await.unwrap();
    tx.query("PRAGMA max_page_count = 1", Vec::new())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let wrong = phone.wrong_code(now);
    let mut told = 0;
    // Pages that are in use have some room left. A code that fits is judged, or, of a token that is suspended by then, recorded.
    loop {
        let before = api.bank.token("hanako").await.unwrap().counter;
        let events = api.bank.events().await;
        let reply = api.verify("hanako", &wrong).await;
        if reply.status != 200 {
            assert_turned_away(&reply, "service_unavailable");
            let after = api.bank.token("hanako").await.unwrap().counter;
            assert_eq!((after, api.bank.events().await), (before, events));
            break;
        }
        told += 1;
        assert!(told < 2_000, "the disk is never full");
    }
    let mut tx = store.begin().await.unwrap();
    tx.query("PRAGMA max_page_count = 1000000", Vec::new())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(api.verify("hanako", &wrong).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_another_process_holds_makes_codes_wait_and_in_the_end_turns_them_away() {
    let database = TestDatabase::sqlite();
    let other = database.open().await;
    let api = Arc::new(Api::open(database).await);
    let phone = api.bank.phone("hanako").await;
    let ask = |code: String| {
        let api = Arc::clone(&api);
        tokio::spawn(async move { api.verify("hanako", &code).await })
    };
    let right = phone.code(api.bank.app.now());
    let held = lock(&other).await;
    let waits = ask(right.clone());
    drop(held);
    assert_eq!(waits.await.unwrap().json["verdict"], "accepted");
    let held = lock(&other).await;
    let wrong = phone.wrong_code(api.bank.app.now());
    assert_turned_away(&ask(wrong.clone()).await.unwrap(), "service_unavailable");
    drop(held);
    assert_eq!(api.bank.token("hanako").await.unwrap().counter.failures, 0);
    let reply = api.verify("hanako", &wrong).await;
    assert_eq!(reply.json["tries_left"], json!(4));
}

/// Takes the database's one lock for writing.
async fn lock(store: &Store) -> Tx {
    let mut tx = store.begin().await.unwrap();
    // A transaction begins with its first statement.
    let sql = "UPDATE counter SET version = version";
    tx.execute(sql, Vec::new()).await.unwrap();
    tx
}

/// Lets the work be polled so often, then drops it, as the server does when the caller's connection ends. `None` when it was
/// dropped.
async fn cut<T>(work: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}
