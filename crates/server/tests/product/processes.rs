//! F6 with the real programs: `warifu demo` and `warifu authenticator add`, with a wire between them that the test holds.
//! At a chosen moment on the wire one of the two is killed (SIGKILL); started again, the same `add` finishes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use warifu_activation::client::Registration;
use warifu_activation::messages::RegistrationResponse;

use crate::phone::{DIGITS, digits, random};

const WARIFU: &str = env!("CARGO_BIN_EXE_warifu");

/// Which program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    App,
}

/// When, seen from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The n-th message of the app is on the wire, and does not arrive.
    RequestOut(u32),
    /// It has arrived; nobody waits for what the server does with it.
    RequestIn(u32),
    /// The server's answer is on the wire, and does not arrive.
    AnswerOut(u32),
}

#[test]
fn f6_the_server_is_killed_at_any_moment_and_the_app_finishes() {
    rounds(
        Victim::Server,
        &[
            Moment::RequestOut(1),
            Moment::RequestIn(1),
            Moment::AnswerOut(1),
            Moment::RequestOut(2),
            Moment::RequestIn(2),
            Moment::AnswerOut(2),
        ],
    );
}

#[test]
fn f6_the_app_is_killed_at_any_moment_and_finishes_later() {
    rounds(
        Victim::App,
        &[
            Moment::RequestOut(1),
            Moment::RequestIn(1),
            Moment::AnswerOut(1),
            Moment::RequestOut(2),
            Moment::AnswerOut(2),
        ],
    );
}

fn rounds(victim: Victim, moments: &[Moment]) {
    let folder = TempDir::new().unwrap();
    let mut demo = Demo::start(folder.path());
    let wire = Wire::open(demo.address);
    for (number, moment) in moments.iter().enumerate() {
        let login = demo.logins[number].clone();
        let visitor = Visitor::sign_in(&demo, &login);
        let user_id = visitor.issue(&demo);
        let home = folder.path().join(format!("phone-{number}"));

        wire.plan(Some(*moment));
        let mut app = App::add(&home, wire.address, &user_id);
        wire.reached();
        match victim {
            Victim::Server => demo.kill(),
            Victim::App => app.kill(),
        }
        wire.go_on();
        let stopped = app.end();
        assert_ne!(stopped, Some(0), "{moment:?}: it was interrupted");
        if victim == Victim::Server {
            assert_eq!(stopped, Some(3), "{moment:?}: no answer is no refusal");
            demo = Demo::start(folder.path());
        }
        wire.lead_to(demo.address);

        wire.plan(None);
        let mut again = App::add(&home, wire.address, &user_id);
        assert_eq!(
            again.end(),
            Some(0),
            "{moment:?}: the same command finishes"
        );
        let listed = authenticator(&home, &["list", "--json"]);
        assert_eq!(
            listed.to_string().matches("\"active\"").count(),
            1,
            "{listed}"
        );
        let code = authenticator(&home, &["code", "--json"]);
        let code = code["code"].as_str().unwrap().to_owned();
        Visitor::sign_in(&demo, &login).verify(&demo, &code);
    }
    demo.kill();
    println!(
        "{victim:?} killed {} times: every app finished, every code was right",
        moments.len()
    );
}

/// `warifu demo` as a process.
struct Demo {
    process: Child,
    address: SocketAddr,
    logins: Vec<String>,
    passwords: Vec<String>,
    service_id: String,
}

impl Demo {
    fn start(folder: &Path) -> Self {
        let data = folder.join("demo");
        let mut process = Command::new(WARIFU)
            .args(["demo", "--port", "0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        let url = first.trim().rsplit_once("http://").expect("an address").1;
        let address = url.parse().unwrap();
        // The rest of what it says is read, so that it never waits for a reader.
        thread::spawn(move || out.read_to_end(&mut Vec::new()));
        let text = std::fs::read_to_string(data.join("demo.json")).unwrap();
        let description: Json = serde_json::from_str(&text).unwrap();
        let of_users = |key: &str| {
            let users = description["users"].as_array().unwrap();
            let texts = users.iter().map(|user| user[key].as_str().unwrap());
            texts.map(str::to_owned).collect()
        };
        Self {
            process,
            address,
            logins: of_users("login_id"),
            passwords: of_users("password"),
            service_id: description["service_id"].as_str().unwrap().to_owned(),
        }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It is gone already where the test came to its end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `warifu authenticator add` as a process.
struct App(Child);

impl App {
    fn add(home: &Path, server: SocketAddr, user_id: &str) -> Self {
        let mut process = Command::new(WARIFU)
            .args(["authenticator", "--home"])
            .arg(home)
            .args(["add", "--server", &format!("http://{server}")])
            .args(["--service-id", "demo-bank", "--user-id", user_id])
            .arg("--activation-password-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        input.write_all(DIGITS.as_bytes()).unwrap();
        Self(process)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    /// Its exit status; `None` when it was killed.
    fn end(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn authenticator(home: &Path, args: &[&str]) -> Json {
    let output = Command::new(WARIFU)
        .args(["authenticator", "--home"])
        .arg(home)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The connection between app and server. It stops at the planned moment, tells, and goes on when told; what was on it then
/// is lost.
struct Wire {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    reached: Receiver<()>,
    go_on: Sender<()>,
}

struct Plan {
    moment: Option<Moment>,
    legs: u32,
    server: SocketAddr,
}

impl Wire {
    fn open(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan {
            moment: None,
            legs: 0,
            server,
        }));
        let (tell, reached) = channel();
        let (go_on, told) = channel();
        let of_wire = Arc::clone(&plan);
        thread::spawn(move || {
            for app in listener.incoming() {
                // An end that breaks off is what this wire is for.
                let _ = carry(app.unwrap(), &of_wire, &tell, &told);
            }
        });
        Self {
            address,
            plan,
            reached,
            go_on,
        }
    }

    fn plan(&self, moment: Option<Moment>) {
        let mut plan = self.plan.lock().unwrap();
        (plan.moment, plan.legs) = (moment, 0);
    }

    fn lead_to(&self, server: SocketAddr) {
        self.plan.lock().unwrap().server = server;
    }

    fn reached(&self) {
        self.reached.recv().unwrap();
    }

    fn go_on(&self) {
        self.go_on.send(()).unwrap();
    }
}

/// Carries the messages of one connection, one after the other, up to its end.
fn carry(
    mut app: TcpStream,
    plan: &Mutex<Plan>,
    tell: &Sender<()>,
    told: &Receiver<()>,
) -> std::io::Result<()> {
    loop {
        let request = message(&mut app)?;
        let counts = request.starts_with(b"POST /activation/");
        let (moment, leg, server) = {
            let mut plan = plan.lock().unwrap();
            plan.legs += u32::from(counts);
            (plan.moment.filter(|_| counts), plan.legs, plan.server)
        };
        let stop = |at: Moment| {
            let now = moment == Some(at);
            if now {
                tell.send(()).unwrap();
                told.recv().unwrap();
            }
            now
        };
        if stop(Moment::RequestOut(leg)) {
            return Ok(());
        }
        let mut upstream = TcpStream::connect(server)?;
        upstream.write_all(&request)?;
        if stop(Moment::RequestIn(leg)) {
            return Ok(());
        }
        let answer = message(&mut upstream)?;
        if stop(Moment::AnswerOut(leg)) {
            return Ok(());
        }
        app.write_all(&answer)?;
    }
}

/// One HTTP message, whole.
fn message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// A person at a browser, as far as the pages' forms and scripts go.
struct Visitor {
    session: String,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Visitor {
    fn sign_in(demo: &Demo, login: &str) -> Self {
        let place = demo.logins.iter().position(|known| known == login).unwrap();
        let page = ask(demo, "GET", "/sign-in", &[], "");
        let cookie = cookie_of(&page, "warifu-form");
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &csrf_of(&page))
            .append_pair("login_id", login)
            .append_pair("password", &demo.passwords[place]);
        let cookie = format!("warifu-form={cookie}");
        let reply = ask(
            demo,
            "POST",
            "/sign-in",
            &[("cookie", &cookie)],
            &form.finish(),
        );
        assert_eq!(reply.status, 303, "{login}: {}", reply.body);
        Self {
            session: format!("warifu={}", cookie_of(&reply, "warifu")),
        }
    }

    /// J1; gives the user id of the mail.
    fn issue(&self, demo: &Demo) -> String {
        let csrf = csrf_of(&ask(
            demo,
            "GET",
            "/issue",
            &[("cookie", &self.session)],
            "",
        ));
        let headers = [("cookie", self.session.as_str()), ("x-csrf-token", &csrf)];
        let page = Registration::start(&digits(DIGITS), random()).unwrap();
        let start = json!({
            "mail_address": "a@company.example", "mail_address_again": "a@company.example",
            "registration_request": BASE64URL_NOPAD.encode(&page.request().encode()),
        });
        let reply = ask(demo, "POST", "/issue/start", &headers, &start.to_string());
        let reply: Json = serde_json::from_str(&reply.body).unwrap();
        let response = reply["registration_response"].as_str().unwrap();
        let response = BASE64URL_NOPAD.decode(response.as_bytes()).unwrap();
        let response = RegistrationResponse::decode(&response).unwrap();
        let record = page.finish(&digits(DIGITS), &response).unwrap();
        let record = BASE64URL_NOPAD.encode(&record.encode());
        let finish = json!({ "registration_record": record });
        let reply = ask(demo, "POST", "/issue/finish", &headers, &finish.to_string());
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(response.binding.service_id.as_str(), demo.service_id);
        response.binding.token_user_id.as_str().to_owned()
    }

    /// J4 with the right code.
    fn verify(&self, demo: &Demo, code: &str) {
        let cookie = [("cookie", self.session.as_str())];
        let csrf = csrf_of(&ask(demo, "GET", "/verify", &cookie, ""));
        let form = format!("csrf={csrf}&code={code}");
        let reply = ask(demo, "POST", "/verify", &cookie, &form);
        assert_eq!(reply.status, 303, "the code is right");
    }
}

fn ask(demo: &Demo, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(demo.address).unwrap();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
        demo.address,
        body.len()
    );
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).unwrap();
    let bytes = message(&mut stream).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn cookie_of(reply: &Reply, name: &str) -> String {
    let start = format!("set-cookie: {name}=");
    let line = reply
        .head
        .lines()
        .find_map(|line| line.strip_prefix(&start));
    let value = line.unwrap_or_else(|| panic!("no cookie {name}"));
    value.split(';').next().unwrap().to_owned()
}

fn csrf_of(reply: &Reply) -> String {
    let rest = reply.body.split("name=\"csrf\"").nth(1).expect("a form");
    let value = rest.split("value=\"").nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}
