//! R58 through the whole: revoked by a colleague at the edges of the manual's hours, signed in again at exactly the time.

use warifu_activation::client::Registration;
use warifu_core::refusal::Refusal;
use warifu_core::sign_in::Destination;
use warifu_core::token::TokenState;
use warifu_server::app::manage::Task;
use warifu_server::app::session::Request;
use warifu_server::app::sign_in::SignedIn;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, MAIL, confirmation, jst, origin, password, refused};
use crate::phone::{DIGITS, digits, issue_hollow, random};

on_both_databases!(
    r58_sign_in_and_issuance_open_at_the_schedules_time_and_not_before,
    r58_a_revocation_ends_the_token_and_the_sessions_at_once,
);

async fn r58_sign_in_and_issuance_open_at_the_schedules_time_and_not_before(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let rows = [
        ("2026-11-20T20:49:59", "2026-11-20T21:09:59"),
        ("2026-11-20T20:50:00", "2026-11-21T08:10:00"),
        ("2026-11-21T08:09:59", "2026-11-21T08:10:00"),
        ("2026-11-21T08:10:00", "2026-11-21T08:30:00"),
    ];
    let logins = ["hanako", "jiro", "saburo", "admin2"];
    for ((revoked, opens), login) in rows.into_iter().zip(logins) {
        let opens = jst(opens);
        bank.set_clock(jst(revoked));
        let in_use = TokenState::InUse {
            confirmed_at: bank.app.now(),
        };
        bank.hollow_token(login, in_use).await;
        let master = bank.full_session("master").await;
        let target = [bank.user(login).await.id];
        let outcomes = bank
            .app
            .perform(&master, Task::Revoke, &target, &confirmation(), &origin())
            .await
            .unwrap();
        assert_eq!(outcomes[0].result, Ok(Some(opens)), "{revoked}");

        bank.set_clock(opens.plus_ms(-1));
        let early = bank.sign_in(login, &password()).await.unwrap();
        let SignedIn::NotYet { open_at, .. } = early else {
            panic!("{revoked}: a millisecond too early");
        };
        assert_eq!(open_at, opens);
        // A session that is there by some other way gets no further.
        let session = bank.session(login).await;
        let page = Registration::start(&digits(DIGITS), random()).unwrap();
        let begun = bank
            .app
            .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
            .await;
        assert_eq!(refused(begun), Refusal::ReissueNotYet { open_at: opens });
        let destination = bank.app.destination(&session).await.unwrap();
        assert_eq!(destination, Destination::ReissueNotYet { open_at: opens });

        bank.set_clock(opens);
        let on = bank.sign_in(login, &password()).await.unwrap();
        let SignedIn::On { destination, .. } = on else {
            panic!("{revoked}: it is time");
        };
        assert_eq!(destination, Destination::Issue);
        issue_hollow(&bank.app, &session).await;
    }
}

async fn r58_a_revocation_ends_the_token_and_the_sessions_at_once(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let other_node = bank.node().await;
    let cookie = bank
        .cookie("hanako", warifu_core::session::Stage::Full)
        .await;
    let session = bank.session("hanako").await;
    let master = bank.full_session("master").await;
    let target = [bank.user("hanako").await.id];
    bank.app
        .perform(&master, Task::Revoke, &target, &confirmation(), &origin())
        .await
        .unwrap();
    assert!(bank.session_of(&cookie).await.is_none());
    assert!(
        other_node
            .session(&cookie, Request::Person)
            .await
            .unwrap()
            .is_none()
    );
    let code = phone.code(bank.app.now());
    let done = other_node.verify(&session, &code, &origin()).await;
    assert_eq!(refused(done), Refusal::NoToken);
    // Revoked is final: a second time there is nothing to revoke, and the wait does not begin anew.
    let before = bank.user("hanako").await.reopens_at;
    bank.clock.advance(1000);
    let outcomes = bank
        .app
        .perform(&master, Task::Revoke, &target, &confirmation(), &origin())
        .await
        .unwrap();
    assert_eq!(outcomes[0].result, Err(Refusal::NoToken));
    assert_eq!(bank.user("hanako").await.reopens_at, before);
}
