//! J5 and J6: who may release and revoke whom, list by list (R34, R38 to R42).

use std::sync::Arc;

use warifu_core::id::UserId;
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_core::suspension::Releasers;
use warifu_core::throttle::FREE_PER_USER;
use warifu_core::time::{MINUTE_MS, SECOND_MS};
use warifu_core::token::{Standing, TokenState};
use warifu_core::verification::Counter;
use warifu_server::app::manage::Task;
use warifu_server::app::sign_in::SignedIn;
use warifu_server::app::verification::Verified;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, confirmation, origin, password, refused, wrong_password};

on_both_databases!(
    r38_every_cell_of_the_release_matrix,
    every_cell_of_the_revocation_matrix,
    r41_users_of_another_company_are_not_found,
    r40_a_list_with_something_of_everything_has_a_result_for_each_user,
    without_the_confirmation_password_nothing_is_done,
    wrong_confirmation_passwords_slow_down_also_side_by_side,
    r42_an_administrator_who_was_demoted_has_no_say_in_an_open_session,
    a_session_without_a_code_manages_nobody,
    r34_releases_do_not_forgive_and_at_thirty_only_revocation_helps,
    a_released_token_works_on_from_where_it_was,
);

const EVERYBODY: [&str; 4] = ["master", "admin", "admin2", "hanako"];

async fn perform(bank: &Bank, actor: &str, task: Task, target: &str) -> Result<(), Refusal> {
    let session = bank.full_session(actor).await;
    let target = bank.user(target).await.id;
    let done = bank
        .app
        .perform(&session, task, &[target], &confirmation(), &origin())
        .await;
    match done {
        Ok(outcomes) => {
            assert_eq!(outcomes.len(), 1);
            outcomes[0].result.map(|_| ())
        }
        Err(failure) => Err(failure.refusal().expect("a refusal")),
    }
}

async fn r38_every_cell_of_the_release_matrix(database: TestDatabase) {
    use Refusal::{NotPermitted, SelfRelease};
    let bank = Bank::open(database).await;
    for login in EVERYBODY {
        bank.hollow_token(login, bank.suspended()).await;
    }
    bank.hollow_token("jiro", bank.suspended()).await;
    let suspend_again = "UPDATE counter SET standing = 'suspended', version = version + 1";
    let suspend = "UPDATE token SET suspended_at_ms = 1";
    let rows: [(&str, [Result<(), Refusal>; 4]); 4] = [
        ("master", [Err(SelfRelease), Ok(()), Ok(()), Ok(())]),
        ("admin", [Ok(()), Err(SelfRelease), Ok(()), Ok(())]),
        ("admin2", [Ok(()), Ok(()), Err(SelfRelease), Ok(())]),
        ("jiro", [Err(NotPermitted); 4]),
    ];
    for (actor, expected) in rows {
        for (target, expected) in EVERYBODY.into_iter().zip(expected) {
            let done = perform(&bank, actor, Task::Release, target).await;
            assert_eq!(done, expected, "{actor} releases {target}");
            let standing = bank.token(target).await.unwrap().counter.standing;
            let released = standing == Standing::InUse;
            assert_eq!(released, done.is_ok(), "{actor} releases {target}");
            bank.sql(suspend_again, Vec::new()).await;
            bank.sql(suspend, Vec::new()).await;
        }
    }
    let itself = perform(&bank, "jiro", Task::Release, "jiro").await;
    assert_eq!(itself, Err(NotPermitted));
}

async fn every_cell_of_the_revocation_matrix(database: TestDatabase) {
    let bank = Bank::open(database).await;
    for actor in ["master", "admin", "jiro"] {
        for target in EVERYBODY {
            bank.clock.advance(SECOND_MS);
            if bank
                .token(target)
                .await
                .is_none_or(|token| token.counter.standing == Standing::Revoked)
            {
                let in_use = TokenState::InUse {
                    confirmed_at: bank.app.now(),
                };
                bank.hollow_token(target, in_use).await;
            }
            let done = perform(&bank, actor, Task::Revoke, target).await;
            let expected = if actor == "jiro" {
                Err(Refusal::NotPermitted)
            } else {
                Ok(())
            };
            assert_eq!(done, expected, "{actor} revokes {target}");
            let standing = bank.token(target).await.unwrap().counter.standing;
            assert_eq!(standing == Standing::Revoked, done.is_ok());
        }
    }
}

async fn r41_users_of_another_company_are_not_found(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.hollow_token("stranger", bank.suspended()).await;
    bank.hollow_token("hanako", bank.suspended()).await;
    for actor in ["master", "admin"] {
        for task in [Task::Release, Task::Revoke] {
            let done = perform(&bank, actor, task, "stranger").await;
            assert_eq!(done, Err(Refusal::NotFound), "{actor} {task:?}");
            let session = bank.full_session(actor).await;
            let made_up = UserId::from_stored("' OR 1=1 --");
            let outcomes = bank
                .app
                .perform(&session, task, &[made_up], &confirmation(), &origin())
                .await
                .unwrap();
            assert!(outcomes[0].user.is_none(), "no name is told");
            assert_eq!(outcomes[0].result, Err(Refusal::NotFound));
            let listed = bank.app.list_for(&session, task).await.unwrap();
            let found = |login: &str| listed.iter().any(|one| one.user.login_id == login);
            assert!(found("hanako") && !found("stranger") && !found("stranger-boss"));
        }
    }
    let standing = bank.token("stranger").await.unwrap().counter.standing;
    assert_eq!(standing, Standing::Suspended);
}

async fn r40_a_list_with_something_of_everything_has_a_result_for_each_user(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let session = bank.full_session("admin").await;
    let in_use = TokenState::InUse {
        confirmed_at: bank.app.now(),
    };
    bank.hollow_token("admin", in_use).await;
    bank.hollow_token("master", bank.suspended()).await;
    bank.hollow_token("hanako", bank.suspended()).await;
    bank.hollow_token("jiro", in_use).await;
    let mut targets = Vec::new();
    for login in [
        "hanako", "jiro", "saburo", "admin", "stranger", "master", "hanako", "hanako",
    ] {
        targets.push(bank.user(login).await.id);
    }
    let outcomes = bank
        .app
        .perform(
            &session,
            Task::Release,
            &targets,
            &confirmation(),
            &origin(),
        )
        .await
        .unwrap();
    let mut results: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let login = outcome.user.as_ref().map(|user| user.login_id.as_str());
            (login, outcome.result.map(|_| ()))
        })
        .collect();
    results.sort_by_key(|(login, _)| *login);
    assert_eq!(
        results,
        [
            (None, Err(Refusal::NotFound)),
            (Some("admin"), Err(Refusal::SelfRelease)),
            (Some("hanako"), Ok(())),
            (Some("jiro"), Err(Refusal::NotSuspended)),
            (Some("master"), Ok(())),
            (Some("saburo"), Err(Refusal::NoToken)),
        ]
    );
    let nobody = bank
        .app
        .perform(&session, Task::Release, &[], &confirmation(), &origin())
        .await;
    assert_eq!(refused(nobody), Refusal::NobodySelected);
    let listed = bank.app.list_for(&session, Task::Release).await.unwrap();
    assert!(listed.is_empty(), "all that could be done is done");
    let listed = bank.app.list_for(&session, Task::Revoke).await.unwrap();
    let mut logins: Vec<_> = listed.iter().map(|one| &one.user.login_id).collect();
    logins.sort();
    assert_eq!(logins, ["admin", "hanako", "jiro", "master"]);
    assert!(listed.iter().all(|one| one.hindrance.is_none()));
}

async fn without_the_confirmation_password_nothing_is_done(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.full_session("master").await;
    bank.hollow_token("hanako", bank.suspended()).await;
    let target = [bank.user("hanako").await.id];
    for task in [Task::Release, Task::Revoke] {
        let done = bank
            .app
            .perform(&session, task, &target, &wrong_password(), &origin())
            .await;
        assert_eq!(refused(done), Refusal::ConfirmationPasswordWrong);
    }
    // The other password of the same person is not it.
    let done = bank
        .app
        .perform(
            &session,
            Task::Release,
            &target,
            &crate::bank::password(),
            &origin(),
        )
        .await;
    assert_eq!(refused(done), Refusal::ConfirmationPasswordWrong);
    let standing = bank.token("hanako").await.unwrap().counter.standing;
    assert_eq!(standing, Standing::Suspended);
    assert!(bank.notices().await.is_empty());
    let me = session.user.id.as_str();
    let outcomes = bank.outcomes("user", me, "confirmation_password").await;
    assert_eq!(outcomes, ["confirmation_password_wrong"; 3]);
    // The right one at last clears the row of wrong ones.
    for _ in 0..2 {
        perform(&bank, "master", Task::Release, "hanako").await.ok();
    }
    let standing = bank.token("hanako").await.unwrap().counter.standing;
    assert_eq!(standing, Standing::InUse);
}

async fn wrong_confirmation_passwords_slow_down_also_side_by_side(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.hollow_token("hanako", bank.suspended()).await;
    let target = [bank.user("hanako").await.id];
    let nodes = [Arc::clone(&bank.app), bank.node().await];
    let mut sessions = Vec::new();
    for _ in 0..24 {
        sessions.push(bank.full_session("master").await);
    }
    let tries: Vec<_> = sessions
        .into_iter()
        .enumerate()
        .map(|(number, session)| {
            let (app, target) = (Arc::clone(&nodes[number % 2]), target.clone());
            tokio::spawn(async move {
                let (wrong, from) = (wrong_password(), origin());
                let done = app.perform(&session, Task::Release, &target, &wrong, &from);
                refused(done.await)
            })
        })
        .collect();
    let mut judged = 0;
    for one in tries {
        match one.await.unwrap() {
            Refusal::ConfirmationPasswordWrong => judged += 1,
            Refusal::SignInSlowed { open_at } => assert!(open_at > bank.app.now()),
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        judged,
        FREE_PER_USER + 1,
        "the free ones and the one that begins the waits"
    );
    // Even the right one has to wait then, but never long.
    let done = perform(&bank, "master", Task::Release, "hanako").await;
    assert!(
        matches!(done, Err(Refusal::SignInSlowed { .. })),
        "{done:?}"
    );
    bank.clock.advance(MINUTE_MS);
    assert_eq!(
        perform(&bank, "master", Task::Release, "hanako").await,
        Ok(())
    );
}

async fn r42_an_administrator_who_was_demoted_has_no_say_in_an_open_session(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    bank.hollow_token("hanako", bank.suspended()).await;
    let target = [bank.user("hanako").await.id];
    let cookie = bank.cookie("admin", Stage::Full).await;
    let session = bank.session_of(&cookie).await.unwrap();
    bank.app.list_for(&session, Task::Release).await.unwrap();
    bank.sql(
        "UPDATE app_user SET role = 'general' WHERE login_id = 'admin'",
        Vec::new(),
    )
    .await;
    let session = bank.session_of(&cookie).await.unwrap();
    let list = bank.app.list_for(&session, Task::Release).await;
    assert_eq!(list.err().unwrap().refusal(), Some(Refusal::NotPermitted));
    let done = bank
        .app
        .perform(&session, Task::Release, &target, &confirmation(), &origin())
        .await;
    assert_eq!(refused(done), Refusal::NotPermitted);
    bank.sql(
        "UPDATE app_user SET disabled = TRUE WHERE login_id = 'admin'",
        Vec::new(),
    )
    .await;
    assert!(bank.session_of(&cookie).await.is_none());
}

async fn a_session_without_a_code_manages_nobody(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.hollow_token("hanako", bank.suspended()).await;
    let target = [bank.user("hanako").await.id];
    let session = bank.session("master").await;
    let done = bank
        .app
        .perform(&session, Task::Release, &target, &confirmation(), &origin())
        .await;
    assert_eq!(refused(done), Refusal::SessionExpired);
    assert!(bank.app.list_for(&session, Task::Release).await.is_err());
}

async fn r34_releases_do_not_forgive_and_at_thirty_only_revocation_helps(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let mut suspensions = 0;
    let released = loop {
        let wrong = phone.wrong_code(bank.app.now());
        let session = bank.session("hanako").await;
        for _ in 0..4 {
            bank.app.verify(&session, &wrong, &origin()).await.unwrap();
        }
        suspensions += 1;
        let who = if suspensions < 6 {
            Releasers::MasterOrAdministrator
        } else {
            Releasers::Nobody
        };
        let fifth = bank.app.verify(&session, &wrong, &origin()).await.unwrap();
        assert!(
            matches!(fifth, Verified::Suspended { releasers, just_now: true } if releasers == who),
            "{suspensions}"
        );
        let on = bank.sign_in("hanako", &password()).await.unwrap();
        assert!(
            matches!(on, SignedIn::Suspended { releasers, .. } if releasers == who),
            "{suspensions}"
        );
        bank.clock.advance(MINUTE_MS);
        let done = perform(&bank, "master", Task::Release, "hanako").await;
        let counter = bank.token("hanako").await.unwrap().counter;
        assert_eq!(counter.run_since_success, 5 * suspensions);
        if done.is_err() {
            break done;
        }
        assert_eq!(
            (counter.failures, counter.standing),
            (0, Standing::Activated)
        );
    };
    assert_eq!(suspensions, 6, "thirty wrong codes");
    assert_eq!(released, Err(Refusal::ReleaseOnlyRevocation));
    assert_eq!(
        perform(&bank, "admin", Task::Revoke, "hanako").await,
        Ok(())
    );
    // A person has rebound the user: the next token begins with nothing against it.
    bank.clock.advance(20 * MINUTE_MS);
    bank.phone("hanako").await;
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!(counter, Counter::of_new_token(None));
}

async fn a_released_token_works_on_from_where_it_was(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let session = bank.session("hanako").await;
    let used = phone.code(bank.app.now());
    bank.app.verify(&session, &used, &origin()).await.unwrap();
    let session = bank.session("hanako").await;
    let wrong = phone.wrong_code(bank.app.now());
    for _ in 0..5 {
        bank.app.verify(&session, &wrong, &origin()).await.unwrap();
    }
    assert_eq!(
        perform(&bank, "admin2", Task::Release, "hanako").await,
        Ok(())
    );
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!(counter.standing, Standing::InUse);
    let notices = bank.notices().await;
    assert!(notices.iter().any(|row| row.0 == "released"));
    let session = bank.session("hanako").await;
    let done = bank.app.verify(&session, &used, &origin()).await.unwrap();
    assert!(
        matches!(
            done,
            warifu_server::app::verification::Verified::Refused(Refusal::CodeAlreadyUsed)
        ),
        "a release makes no used code new"
    );
}
