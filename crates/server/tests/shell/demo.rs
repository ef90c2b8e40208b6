//! The demo's folder: made once, kept, and refused when half of it is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use warifu_core::relying::Scopes;
use warifu_core::service::Policy;
use warifu_server::app::api_clients::ApiKey;
use warifu_server::clock::Clock;
use warifu_server::demo::{Demo, DemoError};

async fn open(dir: &Path) -> Result<Demo, DemoError> {
    Demo::open(dir, 0, Policy::manual(), Clock::system()).await
}

async fn opened(dir: &Path) -> Demo {
    open(dir).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Why it was refused.
async fn refusal(dir: &Path) -> String {
    match open(dir).await {
        Ok(_) => panic!("the demo started"),
        Err(error) => error.to_string(),
    }
}

fn description(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("demo.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn the_description_is_what_other_programs_rely_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("demo");
    let demo = opened(dir).await;
    let described = description(dir);
    assert_eq!(described["base_url"], demo.base_url());
    assert_eq!(described["service_id"], "demo-bank");
    assert!(Path::new(described["mail_dir"].as_str().unwrap()).is_dir());
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&described),
        ["api", "base_url", "mail_dir", "service_id", "users"]
    );
    assert_eq!(keys(&described["api"]), ["key", "url"]);
    assert_eq!(
        described["api"]["url"],
        format!("{}/api/v1", demo.base_url())
    );
    assert!(
        demo.announcement()
            .contains(described["api"]["key"].as_str().unwrap())
    );
    let users = described["users"].as_array().unwrap();
    let count = |role: &str| users.iter().filter(|user| user["role"] == role).count();
    assert_eq!(
        (
            users.len(),
            count("master"),
            count("administrator"),
            count("general")
        ),
        (8, 1, 2, 5)
    );
    for user in users {
        assert_eq!(
            keys(user),
            ["confirmation_password", "login_id", "password", "role"]
        );
        assert_ne!(user["password"], user["confirmation_password"]);
        for secret in ["password", "confirmation_password", "login_id"] {
            assert!(demo.announcement().contains(user[secret].as_str().unwrap()));
        }
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir), 0o700);
    assert_eq!(mode(&dir.join("demo.json")), 0o600);
    assert_eq!(mode(&dir.join("root.key")), 0o400);
}

#[tokio::test]
async fn a_second_start_keeps_everything_but_the_port() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path()).await;
    assert!(!first.is_kept());
    let before = description(dir.path());
    drop(first);
    assert!(opened(dir.path()).await.is_kept());
    let after = description(dir.path());
    assert_eq!(after["users"], before["users"]);
    assert_eq!(after["api"]["key"], before["api"]["key"]);
}

#[tokio::test]
async fn a_demo_of_before_the_api_gets_a_key_that_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(opened(dir.path()).await);
    let mut before = description(dir.path());
    before.as_object_mut().unwrap().remove("api");
    fs::write(dir.path().join("demo.json"), before.to_string()).unwrap();
    let demo = opened(dir.path()).await;
    let described = description(dir.path());
    let key = described["api"]["key"].as_str().unwrap();
    assert_eq!(demo.site().api.key, key);
    let key = ApiKey::received(key).unwrap();
    let caller = demo.app().api_caller(&key, None).await.unwrap();
    assert_eq!(caller.service_id.as_ref().unwrap().as_str(), "demo-bank");
    assert_eq!(caller.scopes, Scopes::all());
}

#[tokio::test]
async fn passwords_differ_from_demo_to_demo() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    opened(one.path()).await;
    opened(other.path()).await;
    assert_ne!(
        description(one.path())["users"],
        description(other.path())["users"]
    );
}

#[tokio::test]
async fn half_a_demo_is_refused_and_left_alone() {
    for gone in ["demo.json", "warifu.db", "root.key"] {
        let dir = tempfile::tempdir().unwrap();
        drop(opened(dir.path()).await);
        fs::remove_file(dir.path().join(gone)).unwrap();
        let refusal = refusal(dir.path()).await;
        assert!(
            refusal.contains(gone) && refusal.contains("--data"),
            "{refusal}"
        );
        assert!(!dir.path().join(gone).exists());
    }
}

#[tokio::test]
async fn a_damaged_description_is_refused_without_being_shown() {
    let dir = tempfile::tempdir().unwrap();
    drop(opened(dir.path()).await);
    let password = description(dir.path())["users"][0]["password"]
        .as_str()
        .unwrap()
        .to_owned();
    let text = fs::read_to_string(dir.path().join("demo.json")).unwrap();
    for damaged in [
        text[..text.len() / 2].to_owned(),
        text.replace("tanaka", "tanuki"),
        "{}".to_owned(),
    ] {
        fs::write(dir.path().join("demo.json"), damaged).unwrap();
        let refusal = refusal(dir.path()).await;
        assert!(
            refusal.contains("demo.json") && !refusal.contains(&password),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_said_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = Demo::open(dir.path(), port, Policy::manual(), Clock::system()).await else {
        panic!("two servers on one port")
    };
    assert!(
        error.to_string().contains(&port.to_string()) && error.to_string().contains("--port"),
        "{error}"
    );
    assert!(!dir.path().join("demo.json").exists());
}
