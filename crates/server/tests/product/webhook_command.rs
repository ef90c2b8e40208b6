//! `warifu webhook`, as operators run it beside a server.

use std::process::Command;

use serde_json::Value as Json;
use warifu_store::testing::TestDatabase;
use warifu_store::{DatabaseConfig, on_both_databases, params};

use crate::bank::Bank;
use crate::receiver::{Answer, Came, Receiver};
use crate::webhooks::{revoke, telling};

on_both_databases!(the_command_line_makes_tests_disables_and_sends_again);

const WARIFU: &str = env!("CARGO_BIN_EXE_warifu");

/// Runs `warifu webhook ..` on the bank's database: the exit status and what it printed.
fn command(bank: &Bank, arguments: &[&str]) -> (Option<i32>, Json, String) {
    let database = match bank.database() {
        DatabaseConfig::Sqlite { path } => path.display().to_string(),
        DatabaseConfig::Postgres(config) => config.url.clone(),
    };
    let done = Command::new(WARIFU)
        .arg("webhook")
        .args(arguments)
        .arg("--json")
        .env("WARIFU_DATABASE_URL", database)
        .env("WARIFU_ROOT_KEY", bank.path("root.key"))
        .env("WARIFU_PUBLIC_URL", "https://otp.bank.example")
        .env("WARIFU_MAIL_FROM", "otp@bank.example")
        .env("WARIFU_MAIL_EML_DIR", bank.path("mail"))
        .env("WARIFU_WEBHOOKS_ALLOW_PRIVATE", "127.0.0.1")
        .output()
        .unwrap();
    (
        done.status.code(),
        serde_json::from_slice(&done.stdout).unwrap_or(Json::Null),
        String::from_utf8_lossy(&done.stderr).into_owned(),
    )
}

async fn the_command_line_makes_tests_disables_and_sends_again(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let receiver = Receiver::open().await;
    let done = |arguments: &[&str]| {
        let (status, printed, problem) = command(&bank, arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {problem}");
        printed
    };
    let url = receiver.url();
    let made = done(&["create", &url, "--event", "token.revoked"]);
    let id = made["webhook_id"].as_str().unwrap();
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(done(&["test", id])["delivered"], true);
    let came = receiver.came().remove(0);
    assert_eq!(came.event(), "webhook.test");
    assert!(came.is_signed_with(secret));
    // The sample of docs/webhooks.md, which knows the real time, says the same.
    assert_eq!(came.verified_by_sample(secret).as_deref(), Some(&*came.id));
    let changed = Came {
        body: came.body.replace("test", "text"),
        ..came.clone()
    };
    assert_eq!(changed.verified_by_sample(secret), None);
    let late = Came {
        at_s: came.at_s - 600,
        ..came
    };
    assert_eq!(late.verified_by_sample(secret), None);
    let listed = &done(&["list"])[0];
    assert_eq!(
        (&listed["webhook_id"], &listed["url"]),
        (&made["webhook_id"], &Json::from(url))
    );
    assert!(!listed.to_string().contains("whsec_"), "shown once");
    // The endpoint is gone, comes back, and gets what it missed.
    receiver.answers(&[Answer::Status(410)]);
    revoke(&bank, "hanako").await;
    telling(&bank).tell_all().await.unwrap();
    let missed = receiver.came().remove(0);
    assert_eq!(done(&["dead"])[0]["delivery_id"], missed.id);
    assert_eq!(done(&["enable", id])["changed"], true);
    assert_eq!(done(&["dead", "--redeliver", &missed.id])["redelivered"], 1);
    assert_eq!(done(&["dead"]), serde_json::json!([]));
    // The commands went by the machine's clock.
    bank.sql(
        "UPDATE webhook_delivery SET next_try_at_ms = 0 WHERE delivery_id = $1",
        params![&missed.id],
    )
    .await;
    telling(&bank).tell_all().await.unwrap();
    assert_eq!(receiver.came()[0].id, missed.id);
    let rotated = done(&["rotate", id, "--overlap-hours", "0"]);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(done(&["disable", id])["changed"], true);
    assert_eq!(done(&["disable", id])["changed"], false);
    for (arguments, said) in [
        (&["create", "http://bank.example/"][..], "https://HOST"),
        (&["create", "https://10.0.0.1/"], "webhooks.allow_private"),
        (
            &["create", "https://bank.example/", "--event", "token.eaten"],
            "token.revoked",
        ),
        (
            &["create", "https://bank.example/", "--service", "other"],
            "no service `other`",
        ),
        (&["rotate", "nothing"], "no webhook `nothing`"),
        (&["dead", "--redeliver"], "--all"),
        (&["dead", "--redeliver", "nothing"], "no delivery `nothing`"),
    ] {
        let (status, _, problem) = command(&bank, arguments);
        assert_eq!(status, Some(1), "{arguments:?}");
        assert!(problem.contains(said), "{arguments:?}: {problem}");
    }
}
