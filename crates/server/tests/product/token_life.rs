//! The life of a token (R27): its end, its renewal by the app (J7), and what becomes of its user.

use std::sync::Arc;

use serde_json::{Value, json};
use warifu_activation::device::Ask;
use warifu_core::life::RENEWALS_APART_MS;
use warifu_core::refusal::Refusal;
use warifu_core::service::Policy;
use warifu_core::session::Stage;
use warifu_core::sign_in::Destination;
use warifu_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use warifu_core::token::{RevokedBy, Standing, TokenState};
use warifu_server::app::App;
use warifu_server::app::housekeeping::EXPIRED_KEPT_MS;
use warifu_server::app::manage::Task;
use warifu_server::app::sign_in::SignedIn;
use warifu_server::app::verification::Verified;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask as ApiAsk, of};
use crate::bank::{Bank, MAIL, confirmation, origin, password, refused};
use crate::phone::{Phone, finish, issue, issue_hollow, proved};
use crate::phone_device::{NONCE, asked, send, standing};

on_both_databases! {
    a_token_gets_its_end_at_the_activation_and_its_app_is_told,
    a_renewal_opens_30_days_before_the_end_and_gives_a_whole_life,
    a_renewal_whose_answer_was_lost_is_seen_in_the_status,
    a_kept_request_renews_nothing_a_second_time,
    of_two_nodes_that_are_asked_at_once_one_renews,
    a_renewal_that_cannot_be_recorded_is_none,
    a_suspended_or_revoked_token_or_one_without_an_end_is_not_renewed,
    r27_an_expired_code_is_refused_on_the_page_and_not_counted,
    r27_the_relying_bank_is_told_expired_and_nothing_is_counted,
    a_node_that_remembers_the_old_end_sees_the_renewal,
    a_node_that_remembers_a_revoked_token_finds_the_new_one,
    an_expired_token_does_not_block_its_user,
    a_session_from_before_the_end_issues_a_new_token_too,
    a_new_token_after_the_end_is_no_new_set_of_tries,
    r35_a_suspension_is_not_escaped_by_waiting_for_the_end,
    the_housekeeping_revokes_what_expired_a_day_ago,
}

const LIFE_MS: i64 = 365 * DAY_MS;
const OPENS_MS: i64 = 30 * DAY_MS;

async fn a_bank(database: TestDatabase) -> Bank {
    let policy = Policy {
        token_lives_ms: LIFE_MS,
        ..Policy::manual()
    };
    Bank::with_policy(database, policy).await
}

/// A bank, an app, and the end of its token's life.
async fn with_phone(database: TestDatabase) -> (Bank, Phone, UnixMillis) {
    let bank = a_bank(database).await;
    let phone = bank.phone("hanako").await;
    let end = bank.app.now().plus_ms(LIFE_MS);
    (bank, phone, end)
}

/// The code of a refused renewal.
async fn refused_renewal(bank: &Bank, phone: &Phone, nonce: &str) -> (u16, String) {
    send(&bank.app, &phone.asks(Ask::Renew, nonce))
        .await
        .refusal()
}

fn not_open() -> (u16, String) {
    (409, "renewal_not_open".to_owned())
}

async fn expires_at(bank: &Bank) -> Option<UnixMillis> {
    bank.token("hanako").await.unwrap().token.expires_at
}

/// What the page says to the code of this moment.
async fn typed(bank: &Bank, phone: &Phone) -> Verified {
    typed_at(bank, &bank.app, phone).await
}

/// The same of a node.
async fn typed_at(bank: &Bank, node: &App, phone: &Phone) -> Verified {
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    node.verify(&session, &code, &origin()).await.unwrap()
}

async fn suspend(bank: &Bank, phone: &Phone) {
    let session = bank.session("hanako").await;
    let wrong = phone.wrong_code(bank.app.now());
    for _ in 0..5 {
        bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    }
}

async fn manage(bank: &Bank, task: Task) {
    let master = bank.full_session("master").await;
    let target = [bank.user("hanako").await.id];
    let done = bank
        .app
        .perform(&master, task, &target, &confirmation(), &origin())
        .await
        .unwrap();
    assert!(done[0].result.is_ok(), "{:?}", done[0].result);
}

/// Where a sign-in with the right password leads.
async fn leads_to(bank: &Bank) -> Destination {
    match bank.sign_in("hanako", &password()).await.unwrap() {
        SignedIn::On { destination, .. } => destination,
        SignedIn::Suspended { .. } => Destination::Suspended,
        SignedIn::NotYet { open_at, .. } => Destination::ReissueNotYet { open_at },
    }
}

async fn a_token_gets_its_end_at_the_activation_and_its_app_is_told(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    assert_eq!(expires_at(&bank).await, Some(end));
    let told = asked(&bank.app, &phone, Ask::Status, NONCE).await;
    assert_eq!(told["expires_at_ms"], end.0);
    assert_eq!(told["renewable_from_ms"], end.0 - OPENS_MS);
    bank.set_clock(end.plus_ms(-1));
    assert_eq!(standing(&bank.app, &phone).await.0, "activated");
    bank.set_clock(end);
    let expired = ("expired".to_owned(), Some(end.0));
    assert_eq!(standing(&bank.app, &phone).await, expired);
    let told = asked(&bank.app, &phone, Ask::Status, NONCE).await;
    assert_eq!(told["renewable_from_ms"], Value::Null);
}

async fn a_renewal_opens_30_days_before_the_end_and_gives_a_whole_life(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    let opens = end.plus_ms(-OPENS_MS);
    for early in [bank.app.now(), opens.plus_ms(-1)] {
        bank.set_clock(early);
        assert_eq!(refused_renewal(&bank, &phone, NONCE).await, not_open());
    }
    assert_eq!(expires_at(&bank).await, Some(end));
    bank.set_clock(opens);
    let told = asked(&bank.app, &phone, Ask::Renew, NONCE).await;
    let second_end = opens.plus_ms(LIFE_MS);
    assert_eq!(told["expires_at_ms"], second_end.0);
    assert_eq!(told["renewable_from_ms"], second_end.0 - OPENS_MS);
    assert_eq!(told["server_time_ms"], opens.0);
    assert_eq!(expires_at(&bank).await, Some(second_end));

    // Each with its event and its mail (invariant 4).
    let renewed = bank.outcomes("token", &phone.token_id, "renew").await;
    assert_eq!(renewed, ["done"]);
    let told: Vec<_> = bank.notices().await;
    let mails = told.iter().filter(|(notice, _)| notice == "renewed");
    assert_eq!(
        mails.collect::<Vec<_>>(),
        [&("renewed".to_owned(), MAIL.to_owned())]
    );

    let last = second_end.plus_ms(-1);
    bank.set_clock(last);
    let other = NONCE.replace('f', "e");
    let told = asked(&bank.app, &phone, Ask::Renew, &other).await;
    let third_end = last.plus_ms(LIFE_MS);
    assert_eq!(told["expires_at_ms"], third_end.0);
    for late in [third_end, third_end.plus_ms(1)] {
        bank.set_clock(late);
        let refused = refused_renewal(&bank, &phone, &NONCE.replace('f', "d")).await;
        assert_eq!(refused, not_open());
    }
    assert_eq!(expires_at(&bank).await, Some(third_end));
}

async fn a_renewal_whose_answer_was_lost_is_seen_in_the_status(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-DAY_MS));
    let renewed = asked(&bank.app, &phone, Ask::Renew, NONCE).await;
    // The app asks again: the same bytes, and others.
    for nonce in [NONCE, &NONCE.replace('f', "e")] {
        assert_eq!(refused_renewal(&bank, &phone, nonce).await, not_open());
    }
    let told = asked(&bank.app, &phone, Ask::Status, NONCE).await;
    assert_eq!(told["expires_at_ms"], renewed["expires_at_ms"]);
    let events = bank.outcomes("token", &phone.token_id, "renew").await;
    assert_eq!(events, ["done"]);
}

async fn a_kept_request_renews_nothing_a_second_time(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-DAY_MS));
    asked(&bank.app, &phone, Ask::Renew, NONCE).await;
    let second_end = expires_at(&bank).await.unwrap();
    bank.set_clock(second_end.plus_ms(-DAY_MS));
    let version = bank.token("hanako").await.unwrap().counter.version;
    assert_eq!(refused_renewal(&bank, &phone, NONCE).await, not_open());
    let stored = bank.token("hanako").await.unwrap();
    assert_eq!(
        (stored.token.expires_at, stored.counter.version),
        (Some(second_end), version)
    );
    let fresh = NONCE.replace('f', "e");
    asked(&bank.app, &phone, Ask::Renew, &fresh).await;
}

async fn of_two_nodes_that_are_asked_at_once_one_renews(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-RENEWALS_APART_MS));
    let nodes = [Arc::clone(&bank.app), bank.node().await];
    let tries: Vec<_> = (0..8)
        .map(|number| {
            let app = Arc::clone(&nodes[number % 2]);
            let request = phone.asks(Ask::Renew, &format!("{number:032x}"));
            tokio::spawn(async move { send(&app, &request).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in tries {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    let events = bank.outcomes("token", &phone.token_id, "renew").await;
    assert_eq!(events, ["done"]);
}

async fn a_renewal_that_cannot_be_recorded_is_none(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-DAY_MS));
    bank.sql("ALTER TABLE audit RENAME TO elsewhere", Vec::new())
        .await;
    let told = send(&bank.app, &phone.asks(Ask::Renew, NONCE)).await;
    assert!(told.status.is_server_error(), "{}", told.text);
    bank.sql("ALTER TABLE elsewhere RENAME TO audit", Vec::new())
        .await;
    assert_eq!(expires_at(&bank).await, Some(end));
    let told = bank.notices().await;
    assert!(told.iter().all(|(notice, _)| notice != "renewed"));
    asked(&bank.app, &phone, Ask::Renew, NONCE).await;
}

async fn a_suspended_or_revoked_token_or_one_without_an_end_is_not_renewed(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-DAY_MS));
    suspend(&bank, &phone).await;
    assert_eq!(refused_renewal(&bank, &phone, NONCE).await, not_open());
    manage(&bank, Task::Release).await;
    bank.sql(
        "UPDATE token SET expires_at_ms = NULL WHERE token_id = $1",
        warifu_store::params![phone.token_id.as_str()],
    )
    .await;
    assert_eq!(refused_renewal(&bank, &phone, NONCE).await, not_open());
    bank.sql(
        "UPDATE token SET expires_at_ms = $1 WHERE token_id = $2",
        warifu_store::params![end, phone.token_id.as_str()],
    )
    .await;
    manage(&bank, Task::Revoke).await;
    assert_eq!(refused_renewal(&bank, &phone, NONCE).await, not_open());
    assert_eq!(standing(&bank.app, &phone).await.0, "revoked");
}

async fn r27_an_expired_code_is_refused_on_the_page_and_not_counted(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-1));
    assert!(matches!(typed(&bank, &phone).await, Verified::SignedIn(_)));
    bank.set_clock(end);
    let before = bank.token("hanako").await.unwrap();
    let session = bank.session("hanako").await;
    let codes = [phone.code(end), phone.wrong_code(end)];
    for _ in 0..3 {
        for code in &codes {
            let done = bank.app.verify(&session, code, &origin()).await.unwrap();
            assert!(
                matches!(done, Verified::Refused(Refusal::TokenExpired)),
                "right and wrong codes alike"
            );
        }
    }
    assert_eq!(bank.token("hanako").await.unwrap(), before);
    let outcomes = bank.outcomes("token", &phone.token_id, "verify").await;
    assert_eq!(outcomes[1..], ["expired"; 6]);
}

async fn r27_the_relying_bank_is_told_expired_and_nothing_is_counted(database: TestDatabase) {
    let api = Api::of(a_bank(database).await).await;
    let phone = api.bank.phone("hanako").await;
    let end = api.bank.app.now().plus_ms(LIFE_MS);
    let status = api.get(&of("hanako", "token")).await;
    assert_eq!(status.json["expires_at"], "2027-11-20T03:00:00Z");
    assert_eq!(status.json["tries_left"], 5);
    api.bank.set_clock(end);
    let before = api.bank.token("hanako").await.unwrap();
    for code in [phone.code(end), phone.wrong_code(end)] {
        let reply = api.verify("hanako", &code).await;
        assert_eq!(
            (
                reply.status.as_u16(),
                &reply.json["verdict"],
                &reply.json["token_id"]
            ),
            (200, &json!("expired"), &json!(phone.token_id))
        );
        assert_eq!(reply.json["tries_left"], 0);
    }
    let pair = [phone.code(end), phone.code(end.plus_ms(60_000))];
    let path = of("hanako", "resynchronise");
    let reply = api
        .ask(ApiAsk::post(&path, &json!({ "codes": pair })))
        .await;
    assert_eq!(reply.json["verdict"], "expired");
    assert_eq!(api.bank.token("hanako").await.unwrap(), before);
    let status = api.get(&of("hanako", "token")).await;
    assert_eq!(status.json["tries_left"], 0);
}

async fn a_node_that_remembers_the_old_end_sees_the_renewal(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    let other = bank.node().await;
    bank.set_clock(end.plus_ms(-HOUR_MS));
    assert!(matches!(typed(&bank, &phone).await, Verified::SignedIn(_)));
    asked(&other, &phone, Ask::Renew, NONCE).await;
    bank.set_clock(end);
    assert!(matches!(typed(&bank, &phone).await, Verified::SignedIn(_)));
}

async fn a_node_that_remembers_a_revoked_token_finds_the_new_one(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let old = bank.phone("hanako").await;
    let node = bank.node().await;
    bank.clock.advance(MINUTE_MS);
    assert!(matches!(
        typed_at(&bank, &node, &old).await,
        Verified::SignedIn(_)
    ));
    manage(&bank, Task::Revoke).await;
    bank.clock.advance(2 * DAY_MS);
    let new = bank.phone("hanako").await;
    let refused = typed_at(&bank, &node, &old).await;
    assert!(matches!(
        refused,
        Verified::Refused(Refusal::CodeWrong { .. })
    ));
    let right = typed_at(&bank, &node, &new).await;
    assert!(matches!(right, Verified::SignedIn(_)));
}

async fn an_expired_token_does_not_block_its_user(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    typed(&bank, &phone).await;
    bank.set_clock(end.plus_ms(-1));
    assert_eq!(leads_to(&bank).await, Destination::Verify);
    bank.set_clock(end);
    assert_eq!(leads_to(&bank).await, Destination::Issue);

    let old = bank.token("hanako").await.unwrap();
    let revoked = TokenState::Revoked {
        revoked_at: end,
        by: RevokedBy::System,
    };
    assert_eq!(old.token.state, revoked);
    assert_eq!(old.counter.standing, Standing::Revoked);
    assert_eq!(bank.user("hanako").await.reopens_at, None, "no wait");
    let events = bank.outcomes("token", &phone.token_id, "revoke").await;
    assert_eq!(events, ["expired"]);
    let mut told = bank.notices().await;
    told.retain(|(notice, _)| notice == "revoked");
    assert_eq!(told, [("revoked".to_owned(), MAIL.to_owned())]);
    // The app is told what it was told before.
    let expired = ("expired".to_owned(), Some(end.0));
    assert_eq!(standing(&bank.app, &phone).await, expired);

    assert_eq!(leads_to(&bank).await, Destination::Issue, "and again");
    let fresh = bank.phone("hanako").await;
    assert!(matches!(typed(&bank, &fresh).await, Verified::SignedIn(_)));
    assert_eq!(expires_at(&bank).await, Some(end.plus_ms(LIFE_MS)));
}

async fn a_session_from_before_the_end_issues_a_new_token_too(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    bank.set_clock(end.plus_ms(-1));
    let cookie = bank.cookie("hanako", Stage::Password).await;
    let session = bank.session_of(&cookie).await.unwrap();
    bank.set_clock(end);
    let leads_to = bank.app.destination(&session).await.unwrap();
    assert_eq!(leads_to, Destination::Issue);
    let mailed = issue(&bank.app, &session).await;
    let events = bank.outcomes("token", &phone.token_id, "revoke").await;
    assert_eq!(events, ["expired"]);
    let pending = proved(&bank.app, &mailed).await;
    let reply = finish(&bank.app, &pending).await.unwrap();
    let fresh = Phone::of(&pending, &reply);
    assert!(matches!(typed(&bank, &fresh).await, Verified::SignedIn(_)));
}

async fn a_new_token_after_the_end_is_no_new_set_of_tries(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    let session = bank.session("hanako").await;
    let wrong = phone.wrong_code(bank.app.now());
    for _ in 0..4 {
        bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    }
    bank.set_clock(end);
    bank.phone("hanako").await;
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!((counter.failures, counter.run_since_success), (4, 4));
}

async fn r35_a_suspension_is_not_escaped_by_waiting_for_the_end(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    let suspended = ("suspended".to_owned(), Some(bank.app.now().0));
    suspend(&bank, &phone).await;
    bank.set_clock(end.plus_ms(10 * DAY_MS));
    bank.app.keep_house().await.unwrap();
    assert_eq!(standing(&bank.app, &phone).await, suspended);
    assert_eq!(leads_to(&bank).await, Destination::Suspended);
    let done = typed(&bank, &phone).await;
    assert!(matches!(
        done,
        Verified::Suspended {
            just_now: false,
            ..
        }
    ));
    let session = bank.session("hanako").await;
    let page = warifu_activation::client::Registration::start(
        &crate::phone::digits(crate::phone::DIGITS),
        crate::phone::random(),
    )
    .unwrap();
    let begun = bank
        .app
        .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
        .await;
    assert_eq!(refused(begun), Refusal::UserSuspended);

    manage(&bank, Task::Release).await;
    assert_eq!(standing(&bank.app, &phone).await.0, "expired");
    assert_eq!(leads_to(&bank).await, Destination::Issue);
}

async fn the_housekeeping_revokes_what_expired_a_day_ago(database: TestDatabase) {
    let (bank, phone, end) = with_phone(database).await;
    typed(&bank, &phone).await;
    bank.set_clock(end.plus_ms(EXPIRED_KEPT_MS - 1));
    bank.app.keep_house().await.unwrap();
    let live = bank.token("hanako").await.unwrap();
    assert_eq!(live.counter.standing, Standing::InUse);
    bank.set_clock(end.plus_ms(EXPIRED_KEPT_MS));
    bank.app.keep_house().await.unwrap();
    bank.app.keep_house().await.unwrap();
    let gone = bank.token("hanako").await.unwrap();
    assert_eq!(gone.counter.standing, Standing::Revoked);
    let events = bank.outcomes("token", &phone.token_id, "revoke").await;
    assert_eq!(events, ["expired"]);
    assert_eq!(standing(&bank.app, &phone).await.0, "expired");
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
}
