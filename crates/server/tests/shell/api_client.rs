//! `warifu api-client`, as an administrator and a script use it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the command on a database in this folder.
fn api_client(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_warifu"))
        .arg("api-client")
        .args(arguments)
        .args(["--config"])
        .arg(dir.join("warifu.toml"))
        .env_clear()
        .output()
        .unwrap()
}

/// What it printed as JSON.
fn json(dir: &Path, arguments: &[&str]) -> Value {
    let output = api_client(dir, &[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Why it was refused.
fn refusal(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = api_client(dir, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), error)
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let config = format!(
        "listen = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8080\"\nroot_key = \"{root}\"\n[database]\nurl = \"{db}\"\n\
         [mail]\nfrom = \"otp@bank.example\"\neml_dir = \"{mail}\"\n",
        root = path.join("root.key").display(),
        db = path.join("warifu.db").display(),
        mail = path.display(),
    );
    std::fs::write(path.join("warifu.toml"), config).unwrap();
    dir
}

#[test]
fn a_key_is_printed_once_rotated_withdrawn_and_its_client_disabled() {
    let dir = folder();
    let dir = dir.path();
    let made = json(
        dir,
        &[
            "create",
            "--name",
            "core",
            "--scopes",
            "verify,read",
            "--network",
            "10.0.0.0/8",
            "--expires-in",
            "90d",
        ],
    );
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("wfk_{}_", made["key_id"].as_str().unwrap())));
    assert!(made["expires_at"].as_str().unwrap().ends_with('Z'));
    let rotated = json(dir, &["rotate", "--name", "core", "--overlap", "1h"]);
    assert_ne!(rotated["key"], made["key"]);
    let listed = json(dir, &["list"]);
    let shown = listed.to_string();
    assert!(!shown.contains(key) && !shown.contains(rotated["key"].as_str().unwrap()));
    assert_eq!(listed[0]["networks"][0], "10.0.0.0/8");
    assert_eq!(listed[0]["scopes"].as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["keys"].as_array().unwrap().len(), 2);
    let key_id = rotated["key_id"].as_str().unwrap();
    json(dir, &["withdraw", "--name", "core", "--key", key_id]);
    json(dir, &["disable", "--name", "core"]);
    let listed = json(dir, &["list"]);
    assert_eq!(listed[0]["disabled"], true);
    let of = |id: &Value| {
        let keys = listed[0]["keys"].as_array().unwrap();
        keys.iter().find(|key| key["key_id"] == *id).unwrap()["good"].clone()
    };
    assert_eq!(
        (of(&made["key_id"]), of(&rotated["key_id"])),
        (true.into(), false.into())
    );
    let plain = String::from_utf8(api_client(dir, &["list"]).stdout).unwrap();
    assert!(
        plain.contains("core (disabled)") && plain.contains("never used"),
        "{plain}"
    );
    json(dir, &["enable", "--name", "core"]);
    assert_eq!(json(dir, &["list"])[0]["disabled"], false);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let dir = folder();
    let dir = dir.path();
    for (arguments, status, reason) in [
        (
            &["create", "--name", "x", "--scopes", "admin"][..],
            2,
            "no scope",
        ),
        (
            &[
                "create",
                "--name",
                "x",
                "--scopes",
                "verify",
                "--service",
                "nowhere",
            ],
            1,
            "no service nowhere",
        ),
        (
            &[
                "create",
                "--name",
                "x",
                "--scopes",
                "verify",
                "--network",
                "home",
            ],
            1,
            "home",
        ),
        (
            &[
                "create",
                "--name",
                "x",
                "--scopes",
                "verify",
                "--expires-in",
                "soon",
            ],
            2,
            "length of time",
        ),
        (&["rotate", "--name", "nobody"], 1, "no client named"),
        (
            &["withdraw", "--name", "nobody", "--key", "0"],
            1,
            "no client named",
        ),
    ] {
        let (code, said) = refusal(dir, arguments);
        assert_eq!(code, status, "{said}");
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!(json(dir, &["list"]), serde_json::json!([]));
}
