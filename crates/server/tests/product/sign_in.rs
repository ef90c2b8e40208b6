//! J0: the password (R25, R31, R36, R37).

use std::sync::Arc;

use warifu_core::audit::Origin;
use warifu_core::refusal::Refusal;
use warifu_core::sign_in::Destination;
use warifu_core::suspension::Releasers;
use warifu_core::throttle::{FREE_PER_ADDRESS, FREE_PER_USER, FREE_PER_USER_EVERYWHERE};
use warifu_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use warifu_core::token::TokenState;
use warifu_core::user::Language;
use warifu_server::app::Failure;
use warifu_server::app::passwords::Password;
use warifu_server::app::sign_in::SignedIn;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, origin, password, refused, wrong_password};
use crate::phone::issue_hollow;

on_both_databases!(
    j0_the_password_leads_on_by_the_state_of_the_token,
    r25_a_wrong_password_an_unknown_name_and_a_disabled_user_are_refused_alike,
    r36_wrong_passwords_slow_down_and_the_right_one_clears_them,
    r31_twenty_tries_at_once_are_judged_like_one_after_the_other,
    r37_an_address_with_many_wrong_tries_is_slowed_and_a_few_slow_nobody_else,
    r37_who_only_knows_a_login_id_does_not_slow_its_owner_elsewhere,
    r37_asking_again_while_slowed_costs_the_address_and_not_the_user,
    r36_a_user_is_slowed_for_many_addresses_together,
    r31_right_passwords_side_by_side_cost_their_address_nothing,
    a_password_of_any_length_is_refused_calmly,
);

fn from(address: &str) -> Origin {
    Origin {
        request_id: "test".to_owned(),
        address: Some(address.to_owned()),
    }
}

async fn try_from(
    bank: &Bank,
    login: &str,
    password: &Password,
    address: &str,
) -> Result<SignedIn, Failure> {
    let (language, origin) = (Language::Ja, from(address));
    bank.app
        .sign_in(&bank.service_id, login, password, language, &origin)
        .await
}

async fn j0_the_password_leads_on_by_the_state_of_the_token(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let to = async |login: &str| match bank.sign_in(login, &password()).await.unwrap() {
        SignedIn::On { destination, .. } => destination,
        _ => panic!("{login} was refused"),
    };
    assert_eq!(to("hanako").await, Destination::Issue);
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    assert!(matches!(to("hanako").await, Destination::FinishInApp(_)));
    bank.hollow_token("jiro", TokenState::Activated).await;
    assert_eq!(to("jiro").await, Destination::Verify);
    let expected = [
        ("master", Releasers::Administrator),
        ("admin", Releasers::MasterOrAdministrator),
        ("saburo", Releasers::MasterOrAdministrator),
        ("stranger-boss", Releasers::HelpDesk),
    ];
    for (login, expected) in expected {
        bank.hollow_token(login, bank.suspended()).await;
        let signed_in = bank.sign_in(login, &password()).await.unwrap();
        let SignedIn::Suspended { releasers, .. } = signed_in else {
            panic!("{login} is suspended");
        };
        assert_eq!(releasers, expected, "{login}");
    }
}

async fn r25_a_wrong_password_an_unknown_name_and_a_disabled_user_are_refused_alike(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    bank.sql(
        "UPDATE app_user SET disabled = TRUE WHERE login_id = 'jiro'",
        Vec::new(),
    )
    .await;
    for (login, typed) in [
        ("hanako", wrong_password()),
        ("hanako", Password::new(String::new())),
        ("nobody", password()),
        ("", password()),
        ("jiro", password()),
        ("HANAKO", password()),
        (&"x".repeat(65), password()),
        (&"x".repeat(1 << 20), password()),
    ] {
        let done = bank.sign_in(login, &typed).await;
        assert_eq!(refused(done), Refusal::SignInRefused, "{login:.10}");
    }
    // Nothing in the log tells them apart either, and no name that was typed is in it.
    let outcomes = bank.outcomes("login", "-", "sign_in").await;
    assert_eq!(outcomes, ["sign_in_refused"; 6]);
}

async fn r36_wrong_passwords_slow_down_and_the_right_one_clears_them(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let wrong = async || refused(bank.sign_in("hanako", &wrong_password()).await);
    for _ in 0..=FREE_PER_USER {
        assert_eq!(wrong().await, Refusal::SignInRefused);
    }
    let open_at = bank.app.now().plus_ms(SECOND_MS);
    assert_eq!(wrong().await, Refusal::SignInSlowed { open_at });
    let early = bank.sign_in("hanako", &password()).await;
    assert_eq!(
        refused(early),
        Refusal::SignInSlowed { open_at },
        "the right one is not judged either, or it could be guessed"
    );
    bank.clock.advance(SECOND_MS - 1);
    assert_eq!(wrong().await, Refusal::SignInSlowed { open_at });
    bank.clock.advance(1);
    assert_eq!(wrong().await, Refusal::SignInRefused);
    let open_at = bank.app.now().plus_ms(2 * SECOND_MS);
    assert_eq!(wrong().await, Refusal::SignInSlowed { open_at });
    bank.clock.advance(2 * SECOND_MS);
    assert!(bank.sign_in("hanako", &password()).await.is_ok());
    for _ in 0..=FREE_PER_USER {
        assert_eq!(wrong().await, Refusal::SignInRefused, "cleared");
    }
    // Whatever an attacker does, the owner waits a minute at most.
    bank.sql("UPDATE throttle SET failures = 1000000", Vec::new())
        .await;
    bank.clock.advance(MINUTE_MS);
    assert!(bank.sign_in("hanako", &password()).await.is_ok());
}

async fn r31_twenty_tries_at_once_are_judged_like_one_after_the_other(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let nodes = [Arc::clone(&bank.app), bank.node().await];
    let mut tries = Vec::new();
    for number in 0..20 {
        let app = Arc::clone(&nodes[number % 2]);
        let service_id = bank.service_id.clone();
        tries.push(tokio::spawn(async move {
            let (wrong, origin) = (wrong_password(), origin());
            let done = app
                .sign_in(&service_id, "hanako", &wrong, Language::Ja, &origin)
                .await;
            refused(done)
        }));
    }
    let mut judged = 0;
    for one in tries {
        match one.await.unwrap() {
            Refusal::SignInRefused => judged += 1,
            Refusal::SignInSlowed { .. } => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        judged,
        FREE_PER_USER + 1,
        "the free ones and the one that begins the waits"
    );
}

async fn r37_an_address_with_many_wrong_tries_is_slowed_and_a_few_slow_nobody_else(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let (office, elsewhere) = ("198.51.100.7", "203.0.113.9");
    for number in 0..FREE_PER_ADDRESS {
        let name = format!("guess{}", number / 3);
        let done = try_from(&bank, &name, &wrong_password(), office).await;
        assert_eq!(refused(done), Refusal::SignInRefused);
        if number == 5 {
            let colleague = try_from(&bank, "hanako", &password(), office).await;
            assert!(colleague.is_ok(), "a few wrong ones slow nobody else");
        }
    }
    let last = try_from(&bank, "guess-last", &wrong_password(), office).await;
    assert_eq!(refused(last), Refusal::SignInRefused);
    let slowed = try_from(&bank, "hanako", &password(), office).await;
    assert!(matches!(refused(slowed), Refusal::SignInSlowed { .. }));
    let other_way = try_from(&bank, "hanako", &password(), elsewhere).await;
    assert!(other_way.is_ok(), "the owner comes from somewhere else");
    bank.clock.advance(SECOND_MS);
    assert!(try_from(&bank, "hanako", &password(), office).await.is_ok());
    bank.clock.advance(HOUR_MS);
    bank.app.keep_house().await.unwrap();
}

async fn r37_who_only_knows_a_login_id_does_not_slow_its_owner_elsewhere(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let (attacker, owner) = ("198.51.100.7", "203.0.113.9");
    // Long enough that the waits of the attacker's address are at their longest.
    for _ in 0..40 {
        for _ in 0..2 {
            let done = try_from(&bank, "hanako", &wrong_password(), attacker).await;
            assert!(matches!(
                refused(done),
                Refusal::SignInRefused | Refusal::SignInSlowed { .. }
            ));
        }
        bank.clock.advance(MINUTE_MS);
    }
    let there = try_from(&bank, "hanako", &wrong_password(), attacker).await;
    assert_eq!(refused(there), Refusal::SignInRefused);
    let there = try_from(&bank, "hanako", &password(), attacker).await;
    assert!(matches!(refused(there), Refusal::SignInSlowed { .. }));
    let here = try_from(&bank, "hanako", &password(), owner).await;
    assert!(here.is_ok(), "the owner does not notice");
}

async fn r37_asking_again_while_slowed_costs_the_address_and_not_the_user(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let (attacker, colleague) = ("198.51.100.7", "jiro");
    for _ in 0..=FREE_PER_USER {
        let done = try_from(&bank, "hanako", &wrong_password(), attacker).await;
        assert_eq!(refused(done), Refusal::SignInRefused);
    }
    let open_at = bank.app.now().plus_ms(SECOND_MS);
    for _ in FREE_PER_USER..FREE_PER_ADDRESS {
        let done = try_from(&bank, "hanako", &wrong_password(), attacker).await;
        assert_eq!(
            refused(done),
            Refusal::SignInSlowed { open_at },
            "the wait grows no longer by asking"
        );
    }
    let other = try_from(&bank, colleague, &password(), attacker).await;
    assert_eq!(
        refused(other),
        Refusal::SignInSlowed { open_at },
        "the address has used up what is free"
    );
    bank.clock.advance(SECOND_MS);
    let owner = try_from(&bank, "hanako", &password(), attacker).await;
    assert!(owner.is_ok(), "a second, as it was said at first");
}

async fn r36_a_user_is_slowed_for_many_addresses_together(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.sql(
        "INSERT INTO throttle (throttle_key, failures, last_at_ms) VALUES ($1, $2, $3)",
        warifu_store::params![
            "sign_in_everywhere/test-bank/hanako",
            FREE_PER_USER_EVERYWHERE,
            bank.app.now()
        ],
    )
    .await;
    let done = try_from(&bank, "hanako", &wrong_password(), "198.51.100.7").await;
    assert_eq!(refused(done), Refusal::SignInRefused);
    let elsewhere = try_from(&bank, "hanako", &wrong_password(), "203.0.113.9").await;
    let open_at = bank.app.now().plus_ms(SECOND_MS);
    assert_eq!(refused(elsewhere), Refusal::SignInSlowed { open_at });
    let other_user = try_from(&bank, "jiro", &password(), "203.0.113.9").await;
    assert!(other_user.is_ok());
    bank.clock.advance(SECOND_MS);
    let owner = try_from(&bank, "hanako", &password(), "203.0.113.9").await;
    assert!(owner.is_ok());
}

async fn r31_right_passwords_side_by_side_cost_their_address_nothing(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let nodes = [Arc::clone(&bank.app), bank.node().await];
    let mut tries = Vec::new();
    for (number, login) in ["hanako", "jiro", "saburo", "admin", "admin2", "master"]
        .into_iter()
        .enumerate()
    {
        let app = Arc::clone(&nodes[number % 2]);
        let service_id = bank.service_id.clone();
        tries.push(tokio::spawn(async move {
            let (right, origin) = (password(), origin());
            let done = app
                .sign_in(&service_id, login, &right, Language::Ja, &origin)
                .await;
            done.is_ok()
        }));
    }
    for one in tries {
        assert!(one.await.unwrap());
    }
    let mut tx = bank.app.store().read().await.unwrap();
    let rows = tx
        .query("SELECT throttle_key, failures FROM throttle", Vec::new())
        .await
        .unwrap();
    assert!(!rows.is_empty(), "the address is known");
    for row in rows {
        let key = row.text("throttle_key").unwrap();
        assert_eq!(row.int("failures").unwrap(), 0, "{key}");
    }
}

async fn a_password_of_any_length_is_refused_calmly(database: TestDatabase) {
    let bank = Bank::open(database).await;
    for typed in ["", "\0", &"a".repeat(256), &"a".repeat(1 << 20)] {
        bank.clock.advance(MINUTE_MS);
        let done = bank
            .sign_in("hanako", &Password::new(typed.to_owned()))
            .await;
        assert_eq!(refused(done), Refusal::SignInRefused);
    }
    // What is right up to the longest length, and goes on, is not right.
    bank.clock.advance(MINUTE_MS);
    let longer = Password::new(format!("{}{}", crate::bank::PASSWORD, "x".repeat(300)));
    assert_eq!(
        refused(bank.sign_in("hanako", &longer).await),
        Refusal::SignInRefused
    );
}
