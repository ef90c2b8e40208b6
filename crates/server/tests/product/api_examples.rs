//! What the documents show works as it stands there: the commands of docs/api.md, and the client that was written from the OpenAPI
//! document alone, each as a program of its own over a real connection.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::Router;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use warifu_core::time::MINUTE_MS;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, node};
use crate::bank::SERVICE;

on_both_databases! {
    the_commands_of_the_documents_do_what_they_say,
    a_client_in_another_language_verifies_releases_and_revokes,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Serves the API for as long as the test runs, and gives its address.
async fn serve(api: &Api) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Router::new().fallback_service(node(&api.bank.app));
    let service = site.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}/api/v1")
}

/// Runs a program with the four variables and gives its status and output.
async fn run(api: &Api, url: &str, program: &str, arguments: &[&str], code: &str) -> (i32, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .env("WARIFU_API", url)
        .env("WARIFU_KEY", &api.key)
        .env("SERVICE", SERVICE)
        .env("CODE", code)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().unwrap();
    // A program that reads nothing may be over by now.
    let _ = input.write_all(code.as_bytes()).await;
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap_or(-1), text)
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

async fn the_commands_of_the_documents_do_what_they_say(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let url = serve(&api).await;
    let document = std::fs::read_to_string(root().join("docs/api.md")).unwrap();
    let commands: Vec<_> = document
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [verify, twice, token, release, revoke] = commands[..] else {
        panic!("{} commands", commands.len())
    };
    let sh =
        async |command: &str, code: &str| run(&api, &url, "sh", &["-ec", command], code).await.1;
    let now = api.bank.app.now();
    let answer = read(&sh(verify, &phone.code(now)).await);
    assert_eq!(answer["verdict"], "accepted");
    api.bank.clock.advance(2 * MINUTE_MS);
    let now = api.bank.app.now();
    let answers = sh(twice, &phone.code(now)).await;
    let answers: Vec<_> = answers.lines().map(read).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0]["verdict"], "accepted");
    assert_eq!(answers[0], answers[1]);
    for _ in 0..5 {
        sh(verify, &phone.wrong_code(now)).await;
    }
    assert_eq!(read(&sh(token, "").await)["state"], "suspended");
    assert_eq!(read(&sh(release, "").await)["state"], "in_use");
    assert_eq!(read(&sh(revoke, "").await)["state"], "revoked");
    assert_eq!(read(&sh(verify, "123456").await)["verdict"], "no_token");
}

async fn a_client_in_another_language_verifies_releases_and_revokes(database: TestDatabase) {
    let api = Api::open(database).await;
    let phone = api.bank.phone("hanako").await;
    let url = serve(&api).await;
    let script = root().join("examples/python/warifu_client.py");
    let script = script.to_str().unwrap();
    let python = async |command: &str, code: &str| {
        let arguments = [script, command, SERVICE, "hanako"];
        run(&api, &url, "python3", &arguments, code).await
    };
    let now = api.bank.app.now();
    let (status, answer) = python("verify", &phone.code(now)).await;
    assert_eq!((status, &read(&answer)["verdict"]), (0, &json!("accepted")));
    for left in [4, 3, 2, 1, 0] {
        let (status, answer) = python("verify", &phone.wrong_code(now)).await;
        assert_eq!((status, &read(&answer)["tries_left"]), (1, &json!(left)));
    }
    let (status, answer) = python("status", "").await;
    assert_eq!(
        (status, &read(&answer)["token"]["state"]),
        (0, &json!("suspended"))
    );
    let (status, answer) = python("release", "").await;
    assert_eq!((status, &read(&answer)["state"]), (0, &json!("in_use")));
    assert_eq!(python("release", "").await, (3, String::new()));
    let (status, answer) = python("revoke", "").await;
    assert_eq!((status, &read(&answer)["state"]), (0, &json!("revoked")));
    assert_eq!(python("verify", "no code").await, (3, String::new()));
}
