//! J2: mails go out after the commit, once, and whatever happens in between none is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use mail_parser::MessageParser;
use warifu_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use warifu_core::token::TokenState;
use warifu_server::app::App;
use warifu_server::app::outbox::{CLAIM_MS, TRIES_MAX};
use warifu_server::mail::{MailConfig, Mailer, Route};
use warifu_store::testing::TestDatabase;
use warifu_store::{MailState, on_both_databases};

use crate::bank::{Bank, MAIL, SERVICE, origin};
use crate::phone::issue_hollow;

on_both_databases!(
    the_token_mail_says_both_ids_and_no_secret,
    a_crash_between_sending_and_marking_sends_the_very_same_mail_again,
    a_mail_that_was_claimed_by_a_node_that_died_goes_out_later,
    a_mail_that_does_not_go_is_tried_later_and_later_and_given_up_at_last,
    a_mail_that_fails_or_cannot_be_written_keeps_no_other_back,
    two_nodes_send_each_mail_once,
    a_mail_is_queued_by_a_commit_only,
    a_token_mail_of_an_issuance_that_is_over_is_not_sent,
    a_mail_that_was_given_up_is_forgotten_after_thirty_days,
);

fn mailer(dir: &Path) -> Mailer {
    Mailer::open(&MailConfig {
        from: "Bank <otp@bank.example>".to_owned(),
        route: Route::Eml {
            dir: dir.to_owned(),
        },
    })
    .unwrap()
}

/// The mails of a folder, by name.
fn mails(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

async fn deliver_all(app: &App, mailer: &Mailer) -> usize {
    let mut looked_at = 0;
    loop {
        match app.deliver_due(mailer).await.unwrap() {
            0 => return looked_at,
            more => looked_at += more,
        }
    }
}

async fn the_token_mail_says_both_ids_and_no_secret(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue_hollow(&bank.app, &session).await;
    let dir = bank.path("mail");
    assert_eq!(deliver_all(&bank.app, &mailer(&dir)).await, 1);
    let sent = mails(&dir);
    assert_eq!(sent.len(), 1);
    let message = MessageParser::default().parse(&sent[0].1).unwrap();
    let to = message.to().unwrap().first().unwrap().address().unwrap();
    assert_eq!(to, MAIL);
    let text = message.body_text(0).unwrap();
    let line = |head: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(head));
        let one = lines.next().unwrap_or_else(|| panic!("no line {head}"));
        assert_eq!(lines.next(), None, "{head} once");
        one.trim().to_owned()
    };
    assert_eq!(line("サービスID: "), SERVICE);
    let user_id = line("ユーザID: ");
    let parsed = warifu_core::id::TokenUserId::parse(&user_id).unwrap();
    assert_eq!(parsed.as_str(), mailed.token_user_id.as_str());
    assert!(text.contains("https://otp.bank.example/download"));
    assert!(!text.contains("hanako"), "no login id: {text}");
    let state = bank.app.waiting(&session).await.unwrap().mail.unwrap();
    assert_eq!(state.state, MailState::Sent);
}

async fn a_crash_between_sending_and_marking_sends_the_very_same_mail_again(
    database: TestDatabase,
) {
    let mut bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    let (before, after) = (bank.path("before"), bank.path("after"));
    assert_eq!(deliver_all(&bank.app, &mailer(&before)).await, 1);
    // The mail was taken, and the process died before it could say so: the row is as the claim left it.
    let claimed_until = bank.app.now().plus_ms(CLAIM_MS);
    let changed = bank
        .sql(
            "UPDATE outbox SET state = 'queued', tries = 0, sent_at_ms = NULL, claimed_until_ms = $1",
            warifu_store::params![claimed_until.0],
        )
        .await;
    assert_eq!(changed, 1);
    bank.restart().await;
    assert_eq!(deliver_all(&bank.app, &mailer(&after)).await, 0, "claimed");
    bank.clock.advance(CLAIM_MS);
    assert_eq!(deliver_all(&bank.app, &mailer(&after)).await, 1);
    assert!(
        mails(&before) == mails(&after),
        "every byte, the Message-ID too"
    );
    let bytes = &mails(&after)[0].1;
    let message = MessageParser::default().parse(bytes).unwrap();
    assert!(
        message
            .message_id()
            .is_some_and(|id| id.ends_with("@bank.example"))
    );
}

async fn a_mail_that_was_claimed_by_a_node_that_died_goes_out_later(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    let now = bank.app.now();
    let mut tx = bank.app.store().begin().await.unwrap();
    let claimed = tx.claim_due(now, now.plus_ms(CLAIM_MS), 16).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claimed.len(), 1);
    let dir = bank.path("mail");
    let due = bank.app.next_mail_due_at().await.unwrap();
    assert_eq!(due, Some(now.plus_ms(CLAIM_MS)));
    bank.clock.advance(CLAIM_MS - 1);
    assert_eq!(deliver_all(&bank.app, &mailer(&dir)).await, 0);
    bank.clock.advance(1);
    assert_eq!(deliver_all(&bank.app, &mailer(&dir)).await, 1);
    assert_eq!(mails(&dir).len(), 1);
    assert_eq!(bank.app.next_mail_due_at().await.unwrap(), None);
}

async fn a_mail_that_does_not_go_is_tried_later_and_later_and_given_up_at_last(
    database: TestDatabase,
) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    let dir = bank.path("no-folder");
    fs::write(&dir, "a file stands where the folder should be").unwrap();
    let mailer = mailer(&dir);
    let mut waits = Vec::new();
    for tries in 1..=TRIES_MAX {
        assert_eq!(deliver_all(&bank.app, &mailer).await, 1, "try {tries}");
        let Some(due) = bank.app.next_mail_due_at().await.unwrap() else {
            assert_eq!(tries, TRIES_MAX);
            break;
        };
        let wait_ms = due.since_ms(bank.app.now());
        waits.push(wait_ms / SECOND_MS);
        bank.clock.advance(wait_ms - 1);
        assert_eq!(
            deliver_all(&bank.app, &mailer).await,
            0,
            "not before its time"
        );
        bank.clock.advance(1);
    }
    assert_eq!(waits[..4], [15, 30, 60, 120]);
    assert!(waits.is_sorted() && waits.iter().sum::<i64>() > 4 * HOUR_MS / SECOND_MS);
    let issuance = bank.issuance("hanako").await;
    let mut tx = bank.app.store().read().await.unwrap();
    let status = tx.mails_of_issuance(&issuance.id).await.unwrap().remove(0);
    assert_eq!((status.state, status.tries), (MailState::Failed, TRIES_MAX));
    let why = status.last_error.unwrap();
    assert!(
        !why.contains(MAIL) && !why.is_empty(),
        "operators see: {why}"
    );
}

async fn a_mail_that_fails_or_cannot_be_written_keeps_no_other_back(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let mut ids = Vec::new();
    for login in ["hanako", "jiro", "saburo", "admin"] {
        let session = bank.session(login).await;
        issue_hollow(&bank.app, &session).await;
        let issuance = bank.issuance(login).await;
        let mut tx = bank.app.store().read().await.unwrap();
        let status = tx.mails_of_issuance(&issuance.id).await.unwrap().remove(0);
        ids.push(status.id.to_string());
        bank.clock.advance(1);
    }
    // The first one cannot be put where it should go, the second one's facts are damaged.
    let dir = bank.path("mail");
    fs::create_dir_all(dir.join(format!("{}.eml", ids[0]))).unwrap();
    bank.sql(
        "UPDATE outbox SET facts = '{' WHERE mail_id = $1",
        warifu_store::params![&ids[1]],
    )
    .await;
    deliver_all(&bank.app, &mailer(&dir)).await;
    let sent: Vec<_> = mails(&dir).into_iter().map(|(name, _)| name).collect();
    // An unfinished file of the failed one may lie beside them, under a name with a dot in front.
    let whole = sent.iter().filter(|name| !name.starts_with('.'));
    assert_eq!(whole.count(), 2, "{sent:?}");
    // Both are tried again at their time, and the operators see them.
    let mut tx = bank.app.store().read().await.unwrap();
    let counts = tx.outbox_counts().await.unwrap();
    drop(tx);
    assert_eq!((counts.sent, counts.queued), (2, 2));
    fs::remove_dir(dir.join(format!("{}.eml", ids[0]))).unwrap();
    bank.clock.advance(15 * SECOND_MS);
    deliver_all(&bank.app, &mailer(&dir)).await;
    assert!(dir.join(format!("{}.eml", ids[0])).is_file());
}

async fn two_nodes_send_each_mail_once(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let other_node = bank.node().await;
    let logins = [
        "hanako", "jiro", "saburo", "admin", "admin2", "master", "stranger",
    ];
    for again in 0..5 {
        for login in logins {
            let session = bank.session(login).await;
            if again == 0 {
                issue_hollow(&bank.app, &session).await;
            } else {
                bank.app.resend_mail(&session, &origin()).await.unwrap();
            }
        }
        bank.clock.advance(MINUTE_MS);
    }
    let queued = bank.notices().await.len();
    assert!(queued >= 30);
    let dirs = [bank.path("one"), bank.path("two")];
    let nodes = [Arc::clone(&bank.app), other_node];
    let mut tasks = Vec::new();
    for (dir, app) in dirs.iter().zip(nodes) {
        let mailer = mailer(dir);
        tasks.push(tokio::spawn(
            async move { deliver_all(&app, &mailer).await },
        ));
    }
    let mut looked_at = 0;
    for task in tasks {
        looked_at += task.await.unwrap();
    }
    assert_eq!(looked_at, queued);
    let names = dirs.iter().flat_map(|dir| mails(dir)).map(|mail| mail.0);
    let all: Vec<_> = names.collect();
    assert_eq!(all.len(), queued, "none is missing, none is there twice");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), queued);
}

async fn a_mail_is_queued_by_a_commit_only(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    bank.app.resend_mail(&session, &origin()).await.unwrap_err();
    bank.sql("ALTER TABLE audit RENAME TO audit_away", Vec::new())
        .await;
    bank.clock.advance(HOUR_MS);
    bank.app.resend_mail(&session, &origin()).await.unwrap_err();
    assert_eq!(bank.notices().await.len(), 1);
}

async fn a_token_mail_of_an_issuance_that_is_over_is_not_sent(database: TestDatabase) {
    let bank = Bank::open(database).await;
    // Three that are over in their own ways before the mail goes out.
    let expired = bank.session("saburo").await;
    issue_hollow(&bank.app, &expired).await;
    bank.clock.advance(DAY_MS);
    let cancelled = bank.session("hanako").await;
    issue_hollow(&bank.app, &cancelled).await;
    bank.app
        .cancel_issuance(&cancelled, &origin())
        .await
        .unwrap();
    let activated = bank.session("jiro").await;
    issue_hollow(&bank.app, &activated).await;
    let consumed = bank.issuance("jiro").await;
    let token = bank.hollow_token("admin", TokenState::Activated).await;
    bank.sql(
        "UPDATE issuance SET state = 'consumed', token_id = $1 WHERE issuance_id = $2",
        warifu_store::params![&token, &consumed.id],
    )
    .await;
    let dir = bank.path("mail");
    assert_eq!(deliver_all(&bank.app, &mailer(&dir)).await, 3);
    assert_eq!(mails(&dir), []);
    for login in ["saburo", "hanako", "jiro"] {
        let issuance = bank.issuance(login).await;
        let mut tx = bank.app.store().read().await.unwrap();
        let status = tx.mails_of_issuance(&issuance.id).await.unwrap().remove(0);
        assert_eq!(status.state, MailState::Failed, "{login}");
        assert_eq!(
            status.last_error.as_deref(),
            Some("the issuance of the mail is over"),
            "operators see why"
        );
    }
    assert_eq!(bank.app.next_mail_due_at().await.unwrap(), None);
    // One that is open goes out as ever.
    bank.clock.advance(MINUTE_MS);
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    assert_eq!(deliver_all(&bank.app, &mailer(&dir)).await, 1);
    assert_eq!(mails(&dir).len(), 1);
}

async fn a_mail_that_was_given_up_is_forgotten_after_thirty_days(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    issue_hollow(&bank.app, &session).await;
    bank.app.cancel_issuance(&session, &origin()).await.unwrap();
    deliver_all(&bank.app, &mailer(&bank.path("mail"))).await;
    bank.clock.advance(30 * DAY_MS);
    bank.app.keep_house().await.unwrap();
    assert_eq!(bank.notices().await.len(), 1);
    bank.clock.advance(1);
    bank.app.keep_house().await.unwrap();
    assert_eq!(bank.notices().await.len(), 0);
}
