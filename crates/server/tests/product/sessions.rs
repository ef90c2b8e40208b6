//! Sessions: their cookies, their lives, their ends (R73, R74).

use warifu_core::session::Stage;
use warifu_core::time::{HOUR_MS, MINUTE_MS};
use warifu_server::app::session::Request;
use warifu_server::app::session::SessionCookie;
use warifu_server::app::sign_in::SignedIn;
use warifu_server::app::verification::Verified;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, origin, password};

on_both_databases!(
    r73_the_right_code_begins_a_new_session_and_ends_the_old_one,
    r73_a_sign_in_takes_no_cookie_that_was_there_before,
    r74_a_quarter_of_an_hour_without_use_ends_a_session,
    r74_eight_hours_end_a_session_however_busy,
    signing_out_ends_this_session_on_every_node_and_no_other,
    what_was_never_given_out_is_no_session,
);

async fn cookie_of(bank: &Bank, login: &str) -> SessionCookie {
    match bank.sign_in(login, &password()).await.unwrap() {
        SignedIn::On { cookie, .. } => cookie,
        _ => panic!("{login} was not signed in"),
    }
}

async fn r73_the_right_code_begins_a_new_session_and_ends_the_old_one(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let first = cookie_of(&bank, "hanako").await;
    let session = bank.session_of(&first).await.unwrap();
    assert_eq!(session.stage, Stage::Password);
    let code = phone.code(bank.app.now());
    let done = bank.app.verify(&session, &code, &origin()).await.unwrap();
    let Verified::SignedIn(second) = done else {
        panic!("the code is right");
    };
    assert_ne!(first.expose(), second.expose());
    assert!(bank.session_of(&first).await.is_none());
    let full = bank.session_of(&second).await.unwrap();
    assert_eq!(full.stage, Stage::Full);
    assert_ne!(full.csrf_token, session.csrf_token);
    assert_eq!(full.user.login_id, "hanako");
}

async fn r73_a_sign_in_takes_no_cookie_that_was_there_before(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let first = cookie_of(&bank, "hanako").await;
    let second = cookie_of(&bank, "hanako").await;
    assert_ne!(first.expose(), second.expose());
    assert!(first.expose().len() >= 43, "256 bits");
    assert!(bank.session_of(&first).await.is_some());
    let mut tx = bank.app.store().read().await.unwrap();
    let rows = tx
        .query("SELECT session_hash, csrf_token FROM session", Vec::new())
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let stored = row.blob("session_hash").unwrap();
        for cookie in [&first, &second] {
            assert_ne!(stored, cookie.expose().as_bytes(), "stored hashed");
            assert_ne!(row.text("csrf_token").unwrap(), cookie.expose());
        }
    }
}

async fn r74_a_quarter_of_an_hour_without_use_ends_a_session(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let cookie = bank.cookie("hanako", Stage::Full).await;
    for _ in 0..3 {
        bank.clock.advance(15 * MINUTE_MS - 1);
        assert!(bank.session_of(&cookie).await.is_some());
    }
    bank.clock.advance(15 * MINUTE_MS);
    assert!(bank.session_of(&cookie).await.is_none());
}

async fn r74_eight_hours_end_a_session_however_busy(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let began = bank.app.now();
    let cookie = bank.cookie("hanako", Stage::Full).await;
    for _ in 0..47 {
        bank.clock.advance(10 * MINUTE_MS);
        assert!(bank.session_of(&cookie).await.is_some());
    }
    bank.set_clock(began.plus_ms(8 * HOUR_MS - 1));
    assert!(bank.session_of(&cookie).await.is_some());
    bank.clock.advance(1);
    assert!(bank.session_of(&cookie).await.is_none());
}

async fn signing_out_ends_this_session_on_every_node_and_no_other(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let other_node = bank.node().await;
    let here = bank.cookie("hanako", Stage::Full).await;
    let there = bank.cookie("hanako", Stage::Full).await;
    let session = bank.session_of(&here).await.unwrap();
    bank.app.sign_out(&session, &origin()).await.unwrap();
    assert!(bank.session_of(&here).await.is_none());
    assert!(
        other_node
            .session(&here, Request::Person)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        other_node
            .session(&there, Request::Person)
            .await
            .unwrap()
            .is_some()
    );
}

async fn what_was_never_given_out_is_no_session(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.cookie("hanako", Stage::Full).await;
    for made_up in [
        "",
        "x",
        "'; DROP TABLE session; --",
        &"A".repeat(43),
        &"A".repeat(8192),
    ] {
        let cookie = SessionCookie::received(made_up);
        assert!(bank.session_of(&cookie).await.is_none());
    }
}
