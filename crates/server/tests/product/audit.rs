//! Every change has its event, in the same transaction (R84, R85).

use warifu_core::refusal::Refusal;
use warifu_core::time::MINUTE_MS;
use warifu_server::app::Failure;
use warifu_server::app::manage::Task;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, confirmation, origin, password, refused, wrong_password};
use crate::phone::{
    DIGITS, Phone, finish, hollow_record, issue, issue_hollow, made_up_proof, proved, start,
    started,
};

on_both_databases!(
    r84_each_use_case_leaves_exactly_one_event_for_each_change,
    r84_an_event_says_who_what_when_where_and_nothing_secret,
    r85_without_its_event_no_change_happens,
    r85_without_its_event_no_token_is_made_and_the_app_finishes_later,
);

/// Counts the events since the last count.
struct Count(u64);

impl Count {
    async fn since(&mut self, bank: &Bank) -> u64 {
        let now = bank.events().await;
        now - std::mem::replace(&mut self.0, now)
    }
}

async fn r84_each_use_case_leaves_exactly_one_event_for_each_change(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let mut count = Count(bank.events().await);
    let app = &bank.app;

    refused(bank.sign_in("hanako", &wrong_password()).await);
    assert_eq!(count.since(&bank).await, 1, "a wrong password");
    bank.sign_in("hanako", &password()).await.unwrap();
    assert_eq!(count.since(&bank).await, 1, "a right password");

    let session = bank.session("hanako").await;
    hollow_record(app, &session).await;
    assert_eq!(count.since(&bank).await, 0, "a draft is no change");
    issue_hollow(app, &session).await;
    assert_eq!(count.since(&bank).await, 1, "issuance");
    bank.clock.advance(MINUTE_MS);
    app.resend_mail(&session, &origin()).await.unwrap();
    assert_eq!(count.since(&bank).await, 1, "the mail again");
    let mailed = issue(app, &session).await;
    assert_eq!(
        count.since(&bank).await,
        2,
        "issuance, and the one before cancelled"
    );

    let wrong = started(&mailed, DIGITS);
    start(app, &wrong).await.unwrap();
    start(app, &wrong).await.unwrap();
    assert_eq!(count.since(&bank).await, 1, "a start, and its repetition");
    let proof = made_up_proof(&wrong);
    refused(app.finish_activation(&proof, &origin()).await);
    refused(app.finish_activation(&proof, &origin()).await);
    assert_eq!(
        count.since(&bank).await,
        1,
        "a wrong proof, and its repetition"
    );
    let pending = proved(app, &mailed).await;
    assert_eq!(count.since(&bank).await, 1, "a start");
    let reply = finish(app, &pending).await.unwrap();
    finish(app, &pending).await.unwrap();
    assert_eq!(
        count.since(&bank).await,
        1,
        "a token, and the finish's repetition"
    );

    let phone = Phone::of(&pending, &reply);
    let wrong = phone.wrong_code(app.now());
    for tries in 1..=5 {
        app.verify(&session, &wrong, &origin()).await.unwrap();
        assert_eq!(count.since(&bank).await, 1, "wrong code {tries}");
    }
    let session = bank.session("hanako").await;
    app.verify(&session, &wrong, &origin()).await.unwrap();
    assert_eq!(count.since(&bank).await, 1, "a code while suspended");

    let master = bank.full_session("master").await;
    let target = [bank.user("hanako").await.id];
    let perform = async |task, password| {
        app.perform(&master, task, &target, &password, &origin())
            .await
    };
    refused(perform(Task::Release, wrong_password()).await);
    assert_eq!(count.since(&bank).await, 1, "a wrong confirmation password");
    perform(Task::Release, confirmation()).await.unwrap();
    assert_eq!(count.since(&bank).await, 2, "a right one, and the release");
    let session = bank.session("hanako").await;
    let right = phone.code(app.now());
    app.verify(&session, &right, &origin()).await.unwrap();
    assert_eq!(count.since(&bank).await, 1, "a right code");
    perform(Task::Revoke, confirmation()).await.unwrap();
    assert_eq!(
        count.since(&bank).await,
        2,
        "a right one, and the revocation"
    );
    app.sign_out(&master, &origin()).await.unwrap();
    assert_eq!(count.since(&bank).await, 1, "signing out");
    app.keep_house().await.unwrap();
    assert_eq!(count.since(&bank).await, 0, "nothing was due");
}

async fn r84_an_event_says_who_what_when_where_and_nothing_secret(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let phone = bank.phone("hanako").await;
    let session = bank.session("hanako").await;
    let code = phone.wrong_code(bank.app.now());
    bank.app.verify(&session, &code, &origin()).await.unwrap();
    let mut tx = bank.app.store().read().await.unwrap();
    let events = tx.events_of("token", &phone.token_id).await.unwrap();
    let last = events
        .iter()
        .find(|event| event.action == "verify")
        .unwrap();
    assert_eq!(last.actor_kind, "user");
    assert_eq!(last.actor_id, session.user.id.as_str());
    assert_eq!(last.outcome, "wrong");
    assert_eq!(last.at, bank.app.now());
    assert_eq!(last.request_id, "test");
    assert_eq!(last.address.as_deref(), Some("192.0.2.1"));
    for event in &events {
        let all = format!("{event:?}");
        assert!(
            !all.contains(&code) && !all.contains(crate::bank::MAIL),
            "{all}"
        );
    }
}

/// The audit log goes away: from now on no event can be written.
async fn break_audit(bank: &Bank) {
    bank.sql("ALTER TABLE audit RENAME TO audit_away", Vec::new())
        .await;
}

async fn mend_audit(bank: &Bank) {
    bank.sql("ALTER TABLE audit_away RENAME TO audit", Vec::new())
        .await;
}

fn is_fault<T>(done: &Result<T, Failure>) -> bool {
    matches!(done, Err(Failure::Store(_)))
}

async fn r85_without_its_event_no_change_happens(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let app = &bank.app;
    let phone = bank.phone("hanako").await;
    bank.hollow_token("jiro", bank.suspended()).await;
    bank.hollow_token("saburo", bank.suspended()).await;
    let asking = bank.session("admin").await;
    let mailed = issue_hollow(app, &asking).await;
    let (record, _) = hollow_record(app, &asking).await;
    let session = bank.session("hanako").await;
    let master = bank.full_session("master").await;
    let notices = bank.notices().await;
    let counter = bank.token("hanako").await.unwrap().counter;

    break_audit(&bank).await;
    let right = phone.code(app.now());
    assert!(is_fault(&app.verify(&session, &right, &origin()).await));
    let wrong = phone.wrong_code(app.now());
    assert!(is_fault(&app.verify(&session, &wrong, &origin()).await));
    assert!(is_fault(&bank.sign_in("hanako", &password()).await));
    assert!(is_fault(&app.sign_out(&master, &origin()).await));
    let target = [bank.user("jiro").await.id];
    for task in [Task::Release, Task::Revoke] {
        let done = app
            .perform(&master, task, &target, &confirmation(), &origin())
            .await;
        assert!(is_fault(&done));
    }
    let bytes = record.encode();
    assert!(is_fault(
        &app.finish_issuance(&asking, &bytes, &origin()).await
    ));
    assert!(is_fault(&app.cancel_issuance(&asking, &origin()).await));
    assert!(is_fault(&start(app, &started(&mailed, DIGITS)).await));
    mend_audit(&bank).await;

    assert_eq!(bank.token("hanako").await.unwrap().counter, counter);
    assert_eq!(bank.notices().await, notices);
    let issuance = bank.issuance("admin").await;
    assert_eq!(issuance.starts, 0);
    assert_eq!(
        issuance.token_user_id.as_str(),
        mailed.token_user_id.as_str()
    );
    assert_eq!(issuance.state.as_str(), "issued");
    let standing = bank.token("jiro").await.unwrap().counter.standing;
    assert_eq!(standing.as_str(), "suspended");
    // The code that was not accepted is still good.
    let session = bank.session("hanako").await;
    let done = app.verify(&session, &right, &origin()).await.unwrap();
    assert!(matches!(
        done,
        warifu_server::app::verification::Verified::SignedIn(_)
    ));
}

async fn r85_without_its_event_no_token_is_made_and_the_app_finishes_later(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let pending = proved(&bank.app, &mailed).await;
    break_audit(&bank).await;
    assert!(is_fault(&finish(&bank.app, &pending).await));
    mend_audit(&bank).await;
    assert!(bank.token("hanako").await.is_none());
    finish(&bank.app, &pending).await.unwrap();
    assert!(bank.token("hanako").await.is_some());
    let other = finish(&bank.app, &pending).await;
    assert_ne!(
        other.err().and_then(|failure| failure.refusal()),
        Some(Refusal::AlreadyActivated)
    );
}
