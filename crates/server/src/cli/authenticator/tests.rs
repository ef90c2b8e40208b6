//! The command as scripts see it: exit status, answers, and what is sent to whom. The journey with a real server stands in
//! the crate's integration tests.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Parser;
use warifu_core::time::UnixMillis;

use super::*;
use crate::text::Language;

const PASSWORD: &str = "604817\n";

#[derive(Parser)]
struct Whole {
    #[command(flatten)]
    args: AuthenticatorArgs,
}

/// How a command ended: its exit status, and what it wrote.
#[derive(Debug)]
struct Ended {
    status: String,
    out: String,
    err: String,
}

impl Ended {
    fn is(&self, exit: failure::Exit) -> bool {
        self.status == format!("{:?}", ExitCode::from(exit))
    }

    fn is_done(&self) -> bool {
        self.status == format!("{:?}", ExitCode::SUCCESS)
    }

    fn error_code(&self) -> String {
        let answer: Json = serde_json::from_str(&self.out).expect("one JSON value");
        answer["error"]["code"].as_str().expect("a code").to_owned()
    }
}

fn command(home: &Path, words: &[&str], typed: &str) -> Ended {
    let home = home.to_str().expect("a path in UTF-8");
    let words = ["authenticator", "--home", home]
        .into_iter()
        .chain(words.iter().copied());
    let whole = Whole::try_parse_from(words).expect("the words fit");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen {
        text: Text::new(Language::En),
        input: &mut typed.as_bytes(),
        out: &mut out,
        err: &mut err,
        interactive: false,
        progress: true,
    };
    let clock = Clock::manual(UnixMillis(1_790_000_000_000));
    let exit = run_at(whole.args, &clock, &mut screen);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        status: format!("{exit:?}"),
        out: text(out),
        err: text(err),
    }
}

fn user_id() -> String {
    TokenUserId::new(&mut system_rng()).grouped()
}

fn add(home: &Path, server: &str, user_id: &str, typed: &str) -> Ended {
    let words = [
        "add",
        "--server",
        server,
        "--service-id",
        "demo-bank",
        "--user-id",
        user_id,
    ];
    let flags = ["--activation-password-stdin", "--json"];
    command(home, &[words.as_slice(), flags.as_slice()].concat(), typed)
}

/// A server that gives these answers, one for each request, and then is gone.
fn server_with(answers: &[&str]) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let (mut answers, kept) = (
        answers
            .iter()
            .map(|&answer| answer.to_owned())
            .collect::<VecDeque<_>>(),
        bodies.clone(),
    );
    thread::spawn(move || {
        while let Some(answer) = answers.pop_front() {
            let (mut stream, _) = listener.accept().expect("a request");
            let body = read_request(&stream);
            kept.lock().expect("no panic").push(body);
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    (address, bodies)
}

fn read_request(stream: &TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line of the head");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    body
}

fn http(status: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// An address at which nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

fn states(home: &Path) -> Vec<String> {
    let listed = command(home, &["list", "--json"], "");
    let rows: Vec<Json> = serde_json::from_str(&listed.out).expect("a list");
    rows.iter()
        .map(|row| row["state"].as_str().expect("a state").to_owned())
        .collect()
}

#[test]
fn r48_a_mistyped_user_id_is_found_before_anything_is_sent() {
    let home = tempfile::tempdir().expect("a folder");
    let (server, bodies) = server_with(&[]);
    let right = user_id();
    let last = right
        .chars()
        .last()
        .and_then(|digit| digit.to_digit(10))
        .expect("a digit");
    let mistyped = format!("{}{}", &right[..right.len() - 1], (last + 1) % 10);
    for wrong in [mistyped.as_str(), "123", "abcdefghijklmn"] {
        let ended = add(home.path(), &server, wrong, PASSWORD);
        assert!(ended.is(failure::Exit::Usage), "{wrong}: {ended:?}");
        assert_eq!(ended.error_code(), "usage");
    }
    assert!(bodies.lock().expect("no panic").is_empty());
}

#[test]
fn nothing_is_said_in_clear_to_another_machine() {
    let home = tempfile::tempdir().expect("a folder");
    let ended = add(home.path(), "http://bank.example", &user_id(), PASSWORD);
    assert!(ended.is(failure::Exit::Usage));
    assert!(ended.err.contains("https://"), "{}", ended.err);
}

#[test]
fn an_activation_password_of_the_wrong_form_is_refused_with_its_code() {
    let home = tempfile::tempdir().expect("a folder");
    for (typed, code) in [
        ("123\n", "activation_password_length"),
        ("", "activation_password_length"),
        ("abcdef\n", "activation_password_not_digits"),
    ] {
        let ended = add(home.path(), NOBODY, &user_id(), typed);
        assert!(ended.is(failure::Exit::Refused));
        assert_eq!(ended.error_code(), code, "{typed:?}");
    }
}

#[test]
fn r55_without_a_server_nothing_is_lost_and_the_same_bytes_are_sent_again() {
    let home = tempfile::tempdir().expect("a folder");
    let busy = http("503 Service Unavailable", "text/html", "<p>busy</p>");
    let (server, bodies) = server_with(&[&busy, &busy]);
    let user_id = user_id();
    for _ in 0..3 {
        let ended = add(home.path(), &server, &user_id, PASSWORD);
        assert!(ended.is(failure::Exit::Unreachable), "{ended:?}");
        assert_eq!(ended.error_code(), "unreachable");
        assert_eq!(states(home.path()), ["started"]);
    }
    let bodies = bodies.lock().expect("no panic");
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
}

#[test]
fn a_refusal_is_told_with_its_code_and_the_servers_sentence() {
    let home = tempfile::tempdir().expect("a folder");
    let problem =
        r#"{"code":"too_many_requests","title":"Slow down","detail":"Wait \u001b[2Ja minute."}"#;
    let (server, _) = server_with(&[&http(
        "429 Too Many Requests",
        "application/problem+json",
        problem,
    )]);
    let ended = add(home.path(), &server, &user_id(), PASSWORD);
    assert!(ended.is(failure::Exit::Refused), "{ended:?}");
    assert_eq!(ended.error_code(), "too_many_requests");
    assert!(
        ended.err.contains("Wait [2Ja minute. [too_many_requests]"),
        "{}",
        ended.err
    );
    assert_eq!(
        states(home.path()),
        ["started"],
        "a refusal for now drops nothing"
    );
}

#[test]
fn a_refusal_that_ends_the_try_drops_it() {
    let home = tempfile::tempdir().expect("a folder");
    let problem = r#"{"code":"activation_refused"}"#;
    let (server, _) = server_with(&[&http("403 Forbidden", "application/problem+json", problem)]);
    let ended = add(home.path(), &server, &user_id(), PASSWORD);
    assert!(ended.is(failure::Exit::Refused));
    assert_eq!(ended.error_code(), "activation_refused");
    assert!(states(home.path()).is_empty());
}

#[test]
fn what_is_no_warifu_server_is_said_to_be_none() {
    let long = "x".repeat(100_000);
    for answer in [
        http("200 OK", "text/html", "<p>Sign in to the guest network</p>"),
        http("404 Not Found", "text/html", "<p>nothing here</p>"),
        http(
            "302 Found\r\nlocation: http://bank.example/",
            "text/html",
            "",
        ),
        http("400 Bad Request", "application/problem+json", "no JSON"),
        http("200 OK", "application/vnd.warifu.activation", "no message"),
        http("200 OK", "application/vnd.warifu.activation", &long),
        http("404 Not Found", "application/problem+json", &long),
    ] {
        let home = tempfile::tempdir().expect("a folder");
        let (server, _) = server_with(&[&answer]);
        let ended = add(home.path(), &server, &user_id(), PASSWORD);
        assert!(ended.is(failure::Exit::Refused), "{ended:?}");
        assert_eq!(ended.error_code(), "bad_answer");
        assert_eq!(states(home.path()), ["started"]);
    }
}

#[test]
fn r60_the_eleventh_token_is_refused_before_any_network_call() {
    let home = tempfile::tempdir().expect("a folder");
    for _ in 0..10 {
        assert!(add(home.path(), NOBODY, &user_id(), PASSWORD).is(failure::Exit::Unreachable));
    }
    let (server, bodies) = server_with(&[]);
    let ended = add(home.path(), &server, &user_id(), PASSWORD);
    assert!(ended.is(failure::Exit::Refused));
    assert_eq!(ended.error_code(), "app_full");
    assert!(bodies.lock().expect("no panic").is_empty());
    assert_eq!(states(home.path()).len(), 10);
}

#[test]
fn tokens_are_renamed_and_removed_by_their_id() {
    let home = tempfile::tempdir().expect("a folder");
    add(home.path(), NOBODY, &user_id(), PASSWORD);
    let listed = command(home.path(), &["list", "--json"], "");
    let rows: Vec<Json> = serde_json::from_str(&listed.out).expect("a list");
    assert_eq!(rows[0]["name"], "demo-bank");
    let id = rows[0]["id"].as_str().expect("an id");

    assert!(command(home.path(), &["rename", id, "本番"], "").is_done());
    let listed = command(home.path(), &["list"], "");
    assert!(listed.out.contains("本番"), "{}", listed.out);
    assert!(command(home.path(), &["rename", id, "\u{1b}[2J"], "").is(failure::Exit::Usage));

    assert!(
        command(home.path(), &["remove", id], "y\n").is(failure::Exit::Usage),
        "a script says --yes"
    );
    assert_eq!(states(home.path()).len(), 1);
    assert!(command(home.path(), &["remove", id, "--yes"], "").is_done());
    assert!(states(home.path()).is_empty());
    assert!(command(home.path(), &["remove", id, "--yes"], "").is(failure::Exit::Refused));
}

#[test]
fn code_says_why_there_is_none() {
    let home = tempfile::tempdir().expect("a folder");
    let code = |words: &[&str]| command(home.path(), words, "");
    assert_eq!(code(&["code", "--json"]).error_code(), "no_token");
    add(home.path(), NOBODY, &user_id(), PASSWORD);
    assert_eq!(code(&["code", "--json"]).error_code(), "not_active");
    assert_eq!(
        code(&["code", "--id", "000000", "--json"]).error_code(),
        "not_found"
    );
}

#[test]
fn a_damaged_file_is_an_error_and_stays_as_it_is() {
    let home = tempfile::tempdir().expect("a folder");
    add(home.path(), NOBODY, &user_id(), PASSWORD);
    let path = home.path().join("tokens");
    let damaged = [std::fs::read(&path).expect("the tokens"), vec![0]].concat();
    std::fs::write(&path, &damaged).expect("written");
    let ended = add(home.path(), NOBODY, &user_id(), PASSWORD);
    assert!(ended.is(failure::Exit::Refused));
    assert_eq!(ended.error_code(), "storage");
    assert!(std::fs::read(&path).expect("the tokens") == damaged);
}

#[test]
fn a_length_of_time_is_read_at_a_glance() {
    assert_eq!(amount(Duration::from_secs(21)), "0:21");
    assert_eq!(amount(Duration::from_secs(245)), "4:05");
    assert_eq!(amount(Duration::from_secs(7384)), "2:03:04");
    assert_eq!(
        [
            seconds(1_499),
            seconds(1_500),
            seconds(-1_499),
            seconds(-1_501)
        ],
        [1, 2, -1, -2]
    );
}
