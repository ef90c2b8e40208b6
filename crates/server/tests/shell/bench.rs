//! What `warifu bench` prints and leaves behind, not how fast it is: that depends on the machine.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use warifu_store::DatabaseConfig;
use warifu_store::testing::TestDatabase;

/// A bench that is over soon, whose bank is made in `folder`.
fn small_bench(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_warifu"));
    bench
        .args(["bench", "--tokens", "40", "--clients", "3"])
        .args(["--seconds", "1"])
        .args(arguments)
        .arg("--folder")
        .arg(folder)
        .env("NO_COLOR", "1");
    bench
}

fn bench(folder: &std::path::Path, arguments: &[&str]) -> std::process::Output {
    small_bench(folder, arguments).output().unwrap()
}

/// The first of these options is told to be wrong, with this exit status.
fn assert_refused(wrong: &[&str], status: i32) {
    let refused = Command::new(env!("CARGO_BIN_EXE_warifu"))
        .arg("bench")
        .args(wrong)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(status), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains(wrong[0]));
}

/// The names are fixed for scripts.
#[test]
fn its_json_is_one_object_with_what_scripts_read() {
    let folder = tempfile::tempdir().unwrap();
    let results = tempfile::tempdir().unwrap();
    let out = results.path().join("new");
    let output = bench(folder.path(), &["--json", "--out", &out.to_string_lossy()]);
    assert!(output.status.success(), "{output:?}");
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    for figure in [
        "verify_per_s",
        "empty_handler_per_s",
        "ratio",
        "p50_ms",
        "p99_ms",
        "resident_mb",
        "verified",
    ] {
        assert!(
            measured[figure].as_f64() > Some(0.0),
            "{figure}: {measured}"
        );
    }
    assert!(measured["warmed_up_by"].as_u64() >= Some(40), "{measured}");
    assert!(measured["log_grew_mb"].as_f64() >= Some(0.0), "{measured}");
    assert_eq!(measured["tokens"], 40);
    assert_eq!(measured["clients"], 3);
    assert_eq!(measured["database"], "sqlite");
    let ratio = measured["verify_per_s"].as_f64().unwrap()
        / measured["empty_handler_per_s"].as_f64().unwrap();
    assert!((measured["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9);
    let kept = std::fs::read(out.join("results.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), measured);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the made-up bank is removed");
}

/// A database that was named is filled once: whoever names it again is told so, and its bank is not measured as if it were the new one.
#[tokio::test]
async fn an_empty_postgresql_database_is_measured_and_a_full_one_is_refused() {
    let database = TestDatabase::postgres().await;
    let DatabaseConfig::Postgres(config) = database.config() else {
        panic!("no PostgreSQL")
    };
    let folder = tempfile::tempdir().unwrap();
    let measure = || bench(folder.path(), &["--json", "--database", &config.url]);
    let output = measure();
    assert!(output.status.success(), "{output:?}");
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&measured["database"], &measured["tokens"]),
        (&json!("postgresql"), &json!(40))
    );
    assert!(measured["verify_per_s"].as_f64() > Some(0.0), "{measured}");
    let again = measure();
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(again.stdout.is_empty());
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(told.contains("empty"), "{told}");
}

/// Several banks are compared within each round.
#[test]
fn several_numbers_of_tokens_are_measured_in_turns() {
    let folder = tempfile::tempdir().unwrap();
    let several = ["--tokens", "20,40", "--rounds", "2"];
    let output = Command::new(env!("CARGO_BIN_EXE_warifu"))
        .args(["bench", "--clients", "3", "--seconds", "1", "--out"])
        .arg(folder.path().join("out"))
        .args(several)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(
        lines.len(),
        5,
        "two banks and what is told of each: {table}"
    );
    assert!(lines[3].starts_with("20 tokens, 3 clients, 2 rounds: "));
    assert!(!lines[3].contains("fewest") && lines[4].contains("fewest"));
    let kept = std::fs::read(folder.path().join("out/results.json")).unwrap();
    let kept: Vec<Value> = serde_json::from_slice(&kept).unwrap();
    let plot = folder.path().join("out/sqlite-throughput-by-tokens.svg");
    assert!(plot.exists(), "with any number of clients");
    let in_turns: Vec<_> = kept
        .iter()
        .map(|one| json!([one["round"], one["tokens"]]))
        .collect();
    let expected = [[1, 20], [1, 40], [2, 20], [2, 40]].map(|turn| json!(turn));
    assert_eq!(in_turns, expected);
    for pair in kept.chunks(2) {
        let rate = |one: &Value| one["verify_per_s"].as_f64().unwrap();
        let against = pair[1]["against_fewest_tokens"].as_f64().unwrap();
        assert!((against - rate(&pair[1]) / rate(&pair[0])).abs() < 1e-9);
        assert!(pair[0]["against_fewest_tokens"].is_null());
    }
    for wrong in [
        [
            "--tokens",
            "20,40",
            "--database",
            "postgresql://nobody@127.0.0.1:1/none",
        ],
        ["--tokens", "20,40,20", "--clients", "3"],
    ] {
        assert_refused(&wrong, 2);
    }
}

/// Who ends it early keeps the rounds before.
#[test]
fn results_are_there_after_each_round() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let rounds = ["--rounds", "1000", "--out", &out.to_string_lossy()];
    let mut many_rounds = small_bench(folder.path(), &rounds)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let results = out.join("results.json");
    // A minute; all of the rounds would take hours.
    for _ in 0..1_200 {
        if results.exists() {
            break;
        }
        assert!(many_rounds.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    many_rounds.kill().unwrap();
    many_rounds.wait().unwrap();
    let kept: Vec<Value> = serde_json::from_slice(&std::fs::read(results).unwrap()).unwrap();
    assert_eq!(kept[0]["round"], 1);
}

/// Before a bank is made, which takes long.
#[test]
fn a_folder_for_results_that_cannot_be_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("a-file");
    std::fs::write(&taken, "").unwrap();
    // Nor could a bank be made.
    let nowhere = folder.path().join("nowhere");
    let output = bench(&nowhere, &["--out", &taken.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--out"));
}

#[test]
fn without_json_it_prints_a_table_and_bad_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--processors", "shared"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("verify/s") && lines[1].contains("sqlite"),
        "{table}"
    );
    for wrong in [["--seconds", "0"], ["--clients", "0"], ["--tokens", "0"]] {
        assert_refused(&wrong, 2);
    }
}
