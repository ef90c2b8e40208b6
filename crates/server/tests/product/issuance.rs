//! J1: asking for a token (R44 to R49, R57).

use std::sync::Arc;

use warifu_activation::client::Registration;
use warifu_activation::messages::RegistrationResponse;
use warifu_core::id::{IssuanceId, TokenUserId};
use warifu_core::issuance::{Issuance, IssuanceState, Phase};
use warifu_core::refusal::Refusal;
use warifu_core::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use warifu_core::token::{RevokedBy, TokenState};
use warifu_server::app::issuance::ISSUANCES_PER_USER_DAY_MAX;
use warifu_server::app::session::Session;
use warifu_server::clock::system_rng;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, MAIL, origin, refused};
use crate::phone::{DIGITS, digits, hollow_record, issue_hollow, random, start, started};

on_both_databases!(
    r44_every_field_is_refused_by_its_name_and_nothing_is_kept,
    r46_a_sign_in_of_a_quarter_of_an_hour_ago_asks_for_no_token,
    r46_a_session_that_is_busy_grows_stale_all_the_same,
    a_record_fits_only_the_draft_of_its_user_and_of_its_page,
    of_two_pages_of_one_user_the_later_one_wins,
    asking_again_cancels_what_was_asked_for_before,
    starting_over_cancels_and_twice_is_as_good_as_once,
    starting_over_waits_for_an_asking_that_is_under_way,
    a_user_asks_for_ten_tokens_a_day_at_most_and_sends_no_more_mails,
    a_page_that_began_before_the_tenth_makes_no_eleventh,
    r51_the_waiting_page_tells_what_is_left_of_the_day,
    r57_whoever_has_a_living_token_cannot_ask_for_another,
    who_is_signed_in_fully_is_no_longer_on_the_way_to_a_token,
    r47_what_was_asked_for_is_open_for_exactly_a_day,
    the_mail_goes_again_after_a_minute_and_five_times_at_most,
    a_new_address_is_told_to_the_old_one_and_to_itself,
);

async fn r44_every_field_is_refused_by_its_name_and_nothing_is_kept(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let good = page.request().encode();
    let truncated = &good[..good.len() - 1];
    let longer = [good.as_slice(), &[0]].concat();
    let mut no_point = good.clone();
    no_point.splice(good.len() - 32.., [0xff; 32]);
    let other_type = started(
        &crate::phone::Mailed {
            service_id: "a".parse().unwrap(),
            token_user_id: "b".parse().unwrap(),
        },
        DIGITS,
    )
    .request()
    .encode();
    let long = format!("{}@company.example", "a".repeat(300));
    let rows: [(&str, &str, &[u8], Refusal); 16] = [
        ("", "", &good, Refusal::MailInvalid),
        ("hanako", "hanako", &good, Refusal::MailInvalid),
        (
            "@company.example",
            "@company.example",
            &good,
            Refusal::MailInvalid,
        ),
        (
            "a b@company.example",
            "a b@company.example",
            &good,
            Refusal::MailInvalid,
        ),
        (
            "a@company.example\r\nBcc: b@x.example",
            MAIL,
            &good,
            Refusal::MailInvalid,
        ),
        (
            "a@company.example,b@x.example",
            MAIL,
            &good,
            Refusal::MailInvalid,
        ),
        (&long, &long, &good, Refusal::MailInvalid),
        (MAIL, "hanaka@company.example", &good, Refusal::MailMismatch),
        (MAIL, "", &good, Refusal::MailMismatch),
        (MAIL, MAIL, &[], Refusal::ActivationMessage),
        (MAIL, MAIL, &[0xff; 100], Refusal::ActivationMessage),
        (MAIL, MAIL, truncated, Refusal::ActivationMessage),
        (MAIL, MAIL, &longer, Refusal::ActivationMessage),
        (MAIL, MAIL, &no_point, Refusal::ActivationMessage),
        (MAIL, MAIL, &other_type, Refusal::ActivationMessage),
        (MAIL, MAIL, &vec![0; 1 << 20], Refusal::ActivationMessage),
    ];
    let before = bank.events().await;
    for (mail, again, request, expected) in rows {
        let done = bank
            .app
            .begin_issuance(&session, (mail, again), request)
            .await;
        assert_eq!(refused(done), expected, "{mail:?}");
    }
    let mut tx = bank.app.store().read().await.unwrap();
    assert_eq!(tx.draft(&session.user.id).await.unwrap(), None);
    drop(tx);
    assert_eq!(bank.events().await, before);
    // The same form without its mistakes, with full-width letters as an input method leaves them.
    let mail = ("\u{3000}ｈanako@company.example ", MAIL);
    bank.app
        .begin_issuance(&session, mail, &good)
        .await
        .unwrap();
}

async fn r46_a_sign_in_of_a_quarter_of_an_hour_ago_asks_for_no_token(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    bank.clock.advance(15 * MINUTE_MS - 1);
    let (record, _) = hollow_record(&bank.app, &session).await;
    bank.clock.advance(1);
    let begun = bank
        .app
        .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
        .await;
    assert_eq!(refused(begun), Refusal::SessionExpired);
    let finished = bank
        .app
        .finish_issuance(&session, &record.encode(), &origin())
        .await;
    assert_eq!(refused(finished), Refusal::SessionExpired);
    assert!(bank.notices().await.is_empty());
}

async fn r46_a_session_that_is_busy_grows_stale_all_the_same(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let cookie = bank
        .cookie("hanako", warifu_core::session::Stage::Password)
        .await;
    for _ in 0..3 {
        bank.clock.advance(5 * MINUTE_MS);
        assert!(bank.session_of(&cookie).await.is_some());
    }
    let session = bank.session_of(&cookie).await.unwrap();
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let begun = bank
        .app
        .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
        .await;
    assert_eq!(refused(begun), Refusal::SessionExpired);
}

async fn a_record_fits_only_the_draft_of_its_user_and_of_its_page(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let hanako = bank.session("hanako").await;
    let jiro = bank.session("jiro").await;
    let (of_hanako, _) = hollow_record(&bank.app, &hanako).await;
    let app = &bank.app;
    let finish = async |session, bytes: Vec<u8>| {
        refused(app.finish_issuance(session, &bytes, &origin()).await)
    };
    assert_eq!(
        finish(&jiro, of_hanako.encode()).await,
        Refusal::FormExpired,
        "jiro began nothing"
    );
    let (of_jiro, _) = hollow_record(app, &jiro).await;
    assert_eq!(
        finish(&jiro, of_hanako.encode()).await,
        Refusal::FormExpired,
        "jiro's draft is another"
    );
    let mut bytes = of_jiro.encode();
    bytes.pop();
    assert_eq!(finish(&jiro, bytes).await, Refusal::ActivationMessage);
    assert_eq!(finish(&jiro, Vec::new()).await, Refusal::ActivationMessage);
    assert!(bank.notices().await.is_empty());
    let done = app
        .finish_issuance(&jiro, &of_jiro.encode(), &origin())
        .await;
    done.unwrap();
    assert_eq!(
        finish(&jiro, of_jiro.encode()).await,
        Refusal::FormExpired,
        "a record is good for once"
    );
    assert_eq!(bank.notices().await.len(), 1);
}

async fn of_two_pages_of_one_user_the_later_one_wins(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let (earlier, _) = hollow_record(&bank.app, &session).await;
    let (later, binding) = hollow_record(&bank.app, &session).await;
    let finish = async |record: &warifu_activation::messages::RegistrationRecord| {
        let bytes = record.encode();
        bank.app.finish_issuance(&session, &bytes, &origin()).await
    };
    assert_eq!(refused(finish(&earlier).await), Refusal::FormExpired);
    finish(&later).await.unwrap();
    let issued = bank.issuance("hanako").await;
    assert_eq!(
        issued.token_user_id.as_str(),
        binding.token_user_id.as_str()
    );
}

async fn asking_again_cancels_what_was_asked_for_before(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let first = issue_hollow(&bank.app, &session).await;
    let cancelled = bank.issuance("hanako").await;
    bank.clock.advance(MINUTE_MS);
    let second = issue_hollow(&bank.app, &session).await;
    assert_ne!(first.token_user_id, second.token_user_id);
    let mut tx = bank.app.store().read().await.unwrap();
    let stored = tx.issuance(&cancelled.id).await.unwrap().unwrap();
    assert_eq!(stored.issuance.state, IssuanceState::Cancelled);
    drop(tx);
    let id = cancelled.id.as_str();
    assert_eq!(
        bank.outcomes("issuance", id, "cancel_issuance").await,
        ["done"]
    );
    assert_eq!(bank.issuance("hanako").await.state, IssuanceState::Issued);
}

async fn starting_over_cancels_and_twice_is_as_good_as_once(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    let before = bank.events().await;
    for _ in 0..2 {
        bank.app.cancel_issuance(&session, &origin()).await.unwrap();
        assert_eq!(
            bank.issuance("hanako").await.state,
            IssuanceState::Cancelled
        );
    }
    assert_eq!(bank.events().await, before + 1, "one change, one event");
    let again = bank.app.resend_mail(&session, &origin()).await;
    assert_eq!(refused(again), Refusal::NoIssuance);
    let waiting = bank.app.waiting(&session).await.unwrap();
    assert_eq!(waiting.phase, Phase::Cancelled);
}

async fn a_user_asks_for_ten_tokens_a_day_at_most_and_sends_no_more_mails(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let first_at = bank.app.now();
    for _ in 0..ISSUANCES_PER_USER_DAY_MAX {
        let session = bank.session("hanako").await;
        issue_hollow(&bank.app, &session).await;
        bank.app.cancel_issuance(&session, &origin()).await.unwrap();
        bank.clock.advance(MINUTE_MS);
    }
    let session = bank.session("hanako").await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let begin = async |session| {
        let request = page.request().encode();
        bank.app
            .begin_issuance(session, (MAIL, MAIL), &request)
            .await
    };
    let open_at = first_at.plus_ms(DAY_MS);
    assert_eq!(
        refused(begin(&session).await),
        Refusal::TooManyRequests { open_at }
    );
    assert_eq!(bank.notices().await.len(), 10);
    let colleague = bank.session("jiro").await;
    begin(&colleague).await.unwrap();
    // A day after the first one, one more.
    bank.set_clock(open_at);
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    assert!(matches!(
        refused(begin(&session).await),
        Refusal::TooManyRequests { .. }
    ));
}

async fn a_page_that_began_before_the_tenth_makes_no_eleventh(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    for _ in 1..ISSUANCES_PER_USER_DAY_MAX {
        issue_hollow(&bank.app, &session).await;
    }
    // A page has begun, and then another one takes the last of the ten.
    let (late, _) = hollow_record(&bank.app, &session).await;
    let mut tx = bank.app.store().begin().await.unwrap();
    let draft = tx.draft(&session.user.id).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    issue_hollow(&bank.app, &session).await;
    let mut tx = bank.app.store().begin().await.unwrap();
    tx.put_draft(&draft).await.unwrap();
    tx.commit().await.unwrap();
    let before = bank.notices().await.len();
    let done = bank
        .app
        .finish_issuance(&session, &late.encode(), &origin())
        .await;
    assert!(matches!(refused(done), Refusal::TooManyRequests { .. }));
    assert_eq!(bank.notices().await.len(), before);
}

async fn r51_the_waiting_page_tells_what_is_left_of_the_day(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let left = async |session: &Session| bank.app.waiting(session).await.unwrap().starts_left;
    let begun = bank.app.now();
    for _ in 0..3 {
        let session = bank.session("hanako").await;
        let mailed = issue_hollow(&bank.app, &session).await;
        assert_eq!(left(&session).await, 5, "the issuance's own, as before");
        for _ in 0..5 {
            start(&bank.app, &started(&mailed, DIGITS)).await.unwrap();
        }
        bank.clock.advance(MINUTE_MS);
    }
    let session = bank.session("hanako").await;
    let mailed = issue_hollow(&bank.app, &session).await;
    for _ in 0..3 {
        start(&bank.app, &started(&mailed, DIGITS)).await.unwrap();
    }
    bank.clock.advance(MINUTE_MS);
    issue_hollow(&bank.app, &session).await;
    assert_eq!(left(&session).await, 2, "two of the day's twenty");
    let mailed = issue_hollow(&bank.app, &session).await;
    for _ in 0..2 {
        start(&bank.app, &started(&mailed, DIGITS)).await.unwrap();
    }
    assert_eq!(left(&session).await, 0);
    let waiting = bank.app.waiting(&session).await.unwrap();
    assert_eq!(
        waiting.phase,
        Phase::Open,
        "used up for the day, not locked"
    );
    bank.set_clock(begun.plus_ms(DAY_MS + 1));
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    assert_eq!(left(&session).await, 5);
}

async fn starting_over_waits_for_an_asking_that_is_under_way(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    let before = bank.issuance("hanako").await;
    let mut asking = bank.app.store().begin().await.unwrap();
    asking.lock_user(&session.user.id).await.unwrap();
    let app = Arc::clone(&bank.app);
    let cancelling = tokio::spawn(async move { app.cancel_issuance(&session, &origin()).await });
    // Far more round trips than the cancellation needs, if nothing holds it.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        asking.issuance(&before.id).await.unwrap();
    }
    let asked = Issuance {
        id: IssuanceId::new(bank.app.now(), &mut system_rng()),
        token_user_id: TokenUserId::new(&mut system_rng()),
        ..before
    };
    asking.insert_issuance(&asked, b"nothing").await.unwrap();
    asking.commit().await.unwrap();
    cancelling.await.unwrap().unwrap();
    let mut tx = bank.app.store().read().await.unwrap();
    let stored = tx.issuance(&asked.id).await.unwrap().unwrap();
    assert_eq!(stored.issuance.state, IssuanceState::Cancelled);
}

async fn r57_whoever_has_a_living_token_cannot_ask_for_another(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let now = bank.app.now();
    let rows = [
        ("hanako", TokenState::Activated, Refusal::TokenAlreadyInUse),
        (
            "jiro",
            TokenState::InUse { confirmed_at: now },
            Refusal::TokenAlreadyInUse,
        ),
        ("saburo", bank.suspended(), Refusal::UserSuspended),
    ];
    for (login, state, expected) in rows {
        let session = bank.session(login).await;
        // A page that was open before the token came to life may not go on either.
        let (record, _) = hollow_record(&bank.app, &session).await;
        bank.hollow_token(login, state).await;
        let page = Registration::start(&digits(DIGITS), random()).unwrap();
        let begun = bank
            .app
            .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
            .await;
        assert_eq!(refused(begun), expected, "{login}");
        let finished = bank
            .app
            .finish_issuance(&session, &record.encode(), &origin())
            .await;
        assert_eq!(refused(finished), expected, "{login}");
    }
    assert!(bank.notices().await.is_empty());
    let revoked = TokenState::Revoked {
        revoked_at: now,
        by: RevokedBy::Person,
    };
    bank.hollow_token("admin", revoked).await;
    let session = bank.session("admin").await;
    issue_hollow(&bank.app, &session).await;
}

async fn who_is_signed_in_fully_is_no_longer_on_the_way_to_a_token(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.full_session("hanako").await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let begun = bank
        .app
        .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
        .await;
    assert_eq!(refused(begun), Refusal::TokenAlreadyInUse);
}

async fn r47_what_was_asked_for_is_open_for_exactly_a_day(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    let phase = async || bank.app.waiting(&session).await.unwrap().phase;
    bank.clock.advance(DAY_MS - 1);
    assert_eq!(phase().await, Phase::Open);
    bank.clock.advance(1);
    assert_eq!(phase().await, Phase::Expired);
    let again = bank.app.resend_mail(&session, &origin()).await;
    assert_eq!(refused(again), Refusal::NoIssuance);
}

async fn the_mail_goes_again_after_a_minute_and_five_times_at_most(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let again = async || bank.app.resend_mail(&session, &origin()).await;
    assert_eq!(refused(again().await), Refusal::NoIssuance);
    issue_hollow(&bank.app, &session).await;
    let issued_at = bank.app.now();
    bank.clock.advance(MINUTE_MS - 1);
    let open_at = issued_at.plus_ms(MINUTE_MS);
    assert_eq!(refused(again().await), Refusal::TooManyRequests { open_at });
    bank.clock.advance(1);
    for sent in 2..=5 {
        again().await.unwrap();
        assert_eq!(bank.notices().await.len(), sent);
        bank.clock.advance(MINUTE_MS + SECOND_MS);
    }
    let open_at = issued_at.plus_ms(DAY_MS);
    assert_eq!(
        refused(again().await),
        Refusal::TooManyRequests { open_at },
        "the sixth"
    );
    assert_eq!(bank.notices().await.len(), 5);
}

async fn a_new_address_is_told_to_the_old_one_and_to_itself(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.hollow_token(
        "hanako",
        TokenState::Revoked {
            revoked_at: bank.app.now(),
            by: RevokedBy::Person,
        },
    )
    .await;
    let session = bank.session("hanako").await;
    let user = session.user.id.clone();
    bank.sql(
        "UPDATE app_user SET mail_address = 'old@company.example' WHERE user_id = $1",
        warifu_store::params![&user],
    )
    .await;
    let session = bank.session("hanako").await;
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let begun = bank
        .app
        .begin_issuance(&session, (MAIL, MAIL), &page.request().encode())
        .await
        .unwrap();
    RegistrationResponse::decode(&begun.response).unwrap();
    assert!(bank.notices().await.is_empty(), "a draft tells nobody");
    issue_hollow(&bank.app, &session).await;
    let notices = bank.notices().await;
    let row = |notice: &str, to: &str| (notice.to_owned(), to.to_owned());
    assert_eq!(
        notices,
        [
            row("address_changed", MAIL),
            row("address_changed", "old@company.example"),
            row("token_issued", MAIL),
        ]
    );
}
