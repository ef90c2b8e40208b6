//! J4: a code is accepted once, and guesses are counted wherever they come from (R12 to R37).

use std::sync::Arc;

use warifu_core::oath::{Algorithm, Parameters};
use warifu_core::refusal::Refusal;
use warifu_core::service::Policy;
use warifu_core::session::Stage;
use warifu_core::suspension::Releasers;
use warifu_core::time::{DAY_MS, MINUTE_MS};
use warifu_core::token::{RevokedBy, Standing, TokenState};
use warifu_server::app::verification::Verified;
use warifu_server::app::{App, Failure};
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, origin, refused};
use crate::phone::{Phone, issue_hollow};

on_both_databases!(
    r12_one_code_sent_64_times_at_once_to_two_nodes_is_accepted_once,
    r30_100_guesses_at_once_are_five_guesses,
    r31_the_row_of_wrong_codes_is_shared_by_sessions_and_nodes,
    r32_a_suspension_ends_all_sessions_and_the_right_code_is_refused,
    r28_what_is_typed_is_read_kindly_and_no_code_is_not_counted,
    r22_a_used_code_is_said_as_such_and_not_counted,
    r56_the_first_right_code_confirms_the_token,
    r27_only_an_activated_or_used_token_verifies,
    a_seed_that_another_node_sealed_is_opened_with_the_key_that_it_made,
    a_user_who_came_before_is_not_looked_for_again,
    a_token_of_sha_512_verifies_each_time,
);

/// What became of a try, in a word.
fn word(done: &Result<Verified, Failure>) -> &'static str {
    match done {
        Ok(Verified::SignedIn(_)) => "accepted",
        Ok(Verified::Suspended { just_now: true, .. }) => "suspended_now",
        Ok(Verified::Suspended { .. }) => "suspended",
        Ok(Verified::Refused(refusal)) => refusal.code(),
        Err(failure) => failure.refusal().map_or("fault", |refusal| refusal.code()),
    }
}

async fn r12_one_code_sent_64_times_at_once_to_two_nodes_is_accepted_once(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let nodes = [Arc::clone(&bank.app), bank.node().await];
    // The two nodes do not always meet: over several minutes they do.
    for minute in 1..=6 {
        let code = phone.code(bank.app.now());
        let mut sessions = Vec::new();
        for _ in 0..64 {
            sessions.push(bank.session("hanako").await);
        }
        let tries: Vec<_> = sessions
            .into_iter()
            .enumerate()
            .map(|(number, session)| {
                let (app, code) = (Arc::clone(&nodes[number % 2]), code.clone());
                tokio::spawn(async move { word(&app.verify(&session, &code, &origin()).await) })
            })
            .collect();
        let mut words = Vec::new();
        for one in tries {
            words.push(one.await.unwrap());
        }
        let count = |wanted| words.iter().filter(|word| **word == wanted).count();
        assert_eq!(count("accepted"), 1, "{words:?}");
        let told = count("code_already_used") + count("raced");
        assert_eq!(told, 63, "{words:?}");
        let outcomes = bank.outcomes("token", &phone.token_id, "verify").await;
        let accepted = outcomes.iter().filter(|outcome| *outcome == "accepted");
        assert_eq!(accepted.count(), minute);
        let counter = bank.token("hanako").await.unwrap().counter;
        assert_eq!(counter.failures, 0);
        bank.clock.advance(MINUTE_MS);
    }
}

async fn r30_100_guesses_at_once_are_five_guesses(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let wrong = phone.wrong_code(bank.app.now());
    let nodes = [Arc::clone(&bank.app), bank.node().await];
    let mut sessions = Vec::new();
    for _ in 0..100 {
        sessions.push(bank.session("hanako").await);
    }
    let tries: Vec<_> = sessions
        .into_iter()
        .enumerate()
        .map(|(number, session)| {
            let (app, wrong) = (Arc::clone(&nodes[number % 2]), wrong.clone());
            tokio::spawn(async move { word(&app.verify(&session, &wrong, &origin()).await) })
        })
        .collect();
    let mut words = Vec::new();
    for one in tries {
        words.push(one.await.unwrap());
    }
    let judged = |word: &&&str| matches!(**word, "code_wrong" | "suspended_now");
    assert_eq!(words.iter().filter(judged).count(), 5, "{words:?}");
    let rest = |word: &&str| {
        matches!(
            *word,
            "suspended" | "raced" | "code_wrong" | "suspended_now"
        )
    };
    assert!(words.iter().all(rest), "{words:?}");
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!(counter.standing, Standing::Suspended);
    assert_eq!((counter.failures, counter.run_since_success), (5, 5));
}

async fn r31_the_row_of_wrong_codes_is_shared_by_sessions_and_nodes(database: TestDatabase) {
    let mut bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let other_node = bank.node().await;
    for (number, tries_left) in [4, 3, 2, 1].into_iter().enumerate() {
        let session = bank.session("hanako").await;
        let wrong = phone.wrong_code(bank.app.now());
        let app = if number % 2 == 0 {
            &bank.app
        } else {
            &other_node
        };
        let done = app.verify(&session, &wrong, &origin()).await.unwrap();
        assert!(
            matches!(done, Verified::Refused(refusal) if refusal == Refusal::CodeWrong { tries_left })
        );
        bank.restart().await;
        // Neither another day nor another sign-in forgives one (R33, R36).
        bank.clock.advance(DAY_MS);
    }
    let session = bank.session("hanako").await;
    let wrong = phone.wrong_code(bank.app.now());
    let done = other_node.verify(&session, &wrong, &origin()).await;
    assert_eq!(word(&done), "suspended_now");
}

async fn r32_a_suspension_ends_all_sessions_and_the_right_code_is_refused(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    for manager in ["master", "admin"] {
        let in_use = TokenState::InUse {
            confirmed_at: bank.app.now(),
        };
        bank.hollow_token(manager, in_use).await;
    }
    let earlier = bank.cookie("hanako", Stage::Full).await;
    let now = bank.cookie("hanako", Stage::Password).await;
    let colleague = bank.cookie("jiro", Stage::Full).await;
    let session = bank.session_of(&now).await.unwrap();
    let wrong = phone.wrong_code(bank.app.now());
    for _ in 0..4 {
        bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    }
    let last = bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    let Verified::Suspended {
        releasers,
        just_now: true,
    } = last
    else {
        panic!("the fifth wrong code suspends");
    };
    assert_eq!(releasers, Releasers::MasterOrAdministrator);
    assert!(bank.session_of(&earlier).await.is_none());
    assert!(bank.session_of(&now).await.is_none());
    assert!(bank.session_of(&colleague).await.is_some());
    let mut told = bank.notices().await;
    told.retain(|(notice, _)| notice == "suspended");
    let readers: Vec<_> = told.iter().map(|(_, to)| to.as_str()).collect();
    assert_eq!(
        readers,
        [
            "admin@company.example",
            "hanako@company.example",
            "master@company.example"
        ]
    );
    for later_ms in [0, 365 * DAY_MS] {
        bank.clock.advance(later_ms);
        let session = bank.session("hanako").await;
        let right = phone.code(bank.app.now());
        let done = bank.app.verify(&session, &right, &origin()).await;
        assert_eq!(word(&done), "suspended", "R35");
    }
}

async fn r28_what_is_typed_is_read_kindly_and_no_code_is_not_counted(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let session = bank.session("hanako").await;
    let before = bank.events().await;
    let arabic = "\u{0661}\u{0662}\u{0663}\u{0664}\u{0665}\u{0666}";
    let long = "1".repeat(100_000);
    let typed = [
        "",
        "12345",
        "1234567",
        "12345a",
        "1234.5",
        arabic,
        "１２３４５",
        &long,
        "\0",
    ];
    for text in typed {
        let done = bank.app.verify(&session, text, &origin()).await;
        assert_eq!(
            refused(done),
            Refusal::CodeFormat { digits: 6 },
            "{text:.10?}"
        );
    }
    assert_eq!(bank.events().await, before);
    assert_eq!(bank.token("hanako").await.unwrap().counter.version, 1);
    let code = phone.code(bank.app.now());
    let wide: String = code
        .chars()
        .map(|digit| char::from_u32(u32::from(digit) - 0x30 + 0xff10).unwrap())
        .collect();
    let spaced = format!("\u{3000}{} {}　", &wide[..9], &wide[9..]);
    let done = bank.app.verify(&session, &spaced, &origin()).await;
    assert_eq!(word(&done), "accepted");
}

async fn r22_a_used_code_is_said_as_such_and_not_counted(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let code = phone.code(bank.app.now());
    let session = bank.session("hanako").await;
    let done = bank.app.verify(&session, &code, &origin()).await;
    assert_eq!(word(&done), "accepted");
    for _ in 0..6 {
        let session = bank.session("hanako").await;
        let done = bank.app.verify(&session, &code, &origin()).await;
        assert_eq!(word(&done), "code_already_used");
    }
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!(counter.failures, 0);
    let outcomes = bank.outcomes("token", &phone.token_id, "verify").await;
    assert_eq!(outcomes.len(), 7);
    assert!(
        outcomes[1..]
            .iter()
            .all(|outcome| outcome == "already_used")
    );
    // The next minute's code works.
    bank.clock.advance(MINUTE_MS);
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    let done = bank.app.verify(&session, &code, &origin()).await;
    assert_eq!(word(&done), "accepted");
}

async fn r56_the_first_right_code_confirms_the_token(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let state = async || bank.token("hanako").await.unwrap().token.state;
    assert_eq!(state().await, TokenState::Activated);
    let session = bank.session("hanako").await;
    let wrong = phone.wrong_code(bank.app.now());
    bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    assert_eq!(state().await, TokenState::Activated);
    bank.clock.advance(MINUTE_MS);
    let confirmed_at = bank.app.now();
    let code = phone.code(confirmed_at);
    let done = bank.app.verify(&session, &code, &origin()).await;
    assert_eq!(word(&done), "accepted");
    assert_eq!(state().await, TokenState::InUse { confirmed_at });
    bank.clock.advance(MINUTE_MS);
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    let done = bank.app.verify(&session, &code, &origin()).await;
    assert_eq!(word(&done), "accepted");
    assert_eq!(state().await, TokenState::InUse { confirmed_at }, "once");
}

async fn r27_only_an_activated_or_used_token_verifies(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let token_id = warifu_core::id::TokenId::from_stored(phone.token_id.as_str());
    let now = bank.app.now();
    let revoked = |by| TokenState::Revoked {
        revoked_at: now,
        by,
    };
    let rows = [
        (TokenState::Activated, "accepted"),
        (TokenState::InUse { confirmed_at: now }, "accepted"),
        (bank.suspended(), "suspended"),
        (
            TokenState::Suspended {
                suspended_at: now,
                confirmed_at: None,
            },
            "suspended",
        ),
        (revoked(RevokedBy::Person), "no_token"),
        (revoked(RevokedBy::System), "no_token"),
    ];
    for (state, expected) in rows {
        bank.clock.advance(MINUTE_MS);
        let counter = bank.token("hanako").await.unwrap().counter;
        let mut tx = bank.app.store().begin().await.unwrap();
        let next = warifu_core::verification::Counter {
            version: counter.version + 1,
            standing: state.standing(),
            ..counter
        };
        assert!(
            tx.swap_counter(&token_id, counter.version, &next)
                .await
                .unwrap()
        );
        tx.set_token_state(&token_id, &state).await.unwrap();
        tx.commit().await.unwrap();
        let session = bank.session("hanako").await;
        let code = phone.code(bank.app.now());
        let done = bank.app.verify(&session, &code, &origin()).await;
        assert_eq!(word(&done), expected, "{state:?}");
    }
    let session = bank.session("jiro").await;
    let none = bank.app.verify(&session, "123456", &origin()).await;
    assert_eq!(word(&none), "no_token", "never asked for one");
    issue_hollow(&bank.app, &session).await;
    let none = bank.app.verify(&session, "123456", &origin()).await;
    assert_eq!(word(&none), "no_token", "not activated yet");
}

async fn a_seed_that_another_node_sealed_is_opened_with_the_key_that_it_made(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    // Before the first issuance: this node knows no data key of the service.
    let other = bank.node().await;
    let phone = bank.phone("hanako").await;
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    let done = other.verify(&session, &code, &origin()).await;
    assert_eq!(word(&done), "accepted");

    // A key that is gone is looked for once; it is a fault of ours, and not a wrong code.
    let sql = "DELETE FROM data_key WHERE owner = $1";
    assert_eq!(
        bank.sql(sql, vec![bank.service_id.as_str().into()]).await,
        1
    );
    let without_key = bank.node().await;
    bank.clock.advance(MINUTE_MS);
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    let failed = without_key.verify(&session, &code, &origin()).await;
    assert!(
        matches!(failed, Err(Failure::Vault(_))),
        "{}",
        word(&failed)
    );
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!(counter.failures, 0);
    // Who has the key still verifies.
    let done = other.verify(&session, &code, &origin()).await;
    assert_eq!(word(&done), "accepted");
}

async fn a_user_who_came_before_is_not_looked_for_again(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let other = bank.node().await;
    assert_eq!(type_at(&bank, &bank.app, &phone).await, "accepted");
    // From now on it cannot be opened any more.
    let sql = "UPDATE bearer SET sealed_seed = $1";
    assert_eq!(bank.sql(sql, vec![vec![0_u8].into()]).await, 1);
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    let failed = other.verify(&session, &code, &origin()).await;
    assert!(
        matches!(failed, Err(Failure::Vault(_))),
        "{}",
        word(&failed)
    );
    assert_eq!(type_at(&bank, &bank.app, &phone).await, "accepted");
}

/// No node keeps a seed that is so long in its memory.
async fn a_token_of_sha_512_verifies_each_time(database: TestDatabase) {
    let manual = Policy::manual();
    let policy = Policy {
        parameters: Parameters {
            algorithm: Algorithm::Sha512,
            ..manual.parameters
        },
        ..manual
    };
    let bank = Bank::with_policy(database, policy).await;
    let phone = bank.phone("hanako").await;
    for _ in 0..3 {
        assert_eq!(type_at(&bank, &bank.app, &phone).await, "accepted");
    }
    bank.clock.advance(-MINUTE_MS);
    assert_eq!(type_at(&bank, &bank.app, &phone).await, "code_already_used");
}

/// What becomes of the right code, a minute after the one before.
async fn type_at(bank: &Bank, node: &App, phone: &Phone) -> &'static str {
    bank.clock.advance(MINUTE_MS);
    let session = bank.session("hanako").await;
    let code = phone.code(bank.app.now());
    word(&node.verify(&session, &code, &origin()).await)
}
