//! `warifu serve` as a process: health, measurements, signals (R71, R94).

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustls::version::TLS13;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use warifu_store::testing::free_address;

use crate::pair::{Pair, connect};

/// How long a process may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

struct Node {
    process: Child,
    log: Receiver<String>,
    dir: TempDir,
    pair: Pair,
    port: u16,
    operators: u16,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    /// A node with TLS, an operators' address and a log of everything.
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pair = Pair::make(dir.path(), "localhost");
        let (port, operators) = (free_address().port(), free_address().port());
        let config = format!(
            "listen = \"127.0.0.1:{port}\"\npublic_url = \"https://localhost:{port}\"\nroot_key = \"root.key\"\nprocessors = \"divided\"\n\
             [database]\nurl = \"warifu.db\"\n[mail]\nfrom = \"otp@bank.example\"\neml_dir = \"mails\"\n\
             [tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n\
             [metrics]\nlisten = \"127.0.0.1:{operators}\"\n[limits]\ndrain_s = 100\n\
             [log]\nlevel = \"debug\"\nformat = \"json\"\n"
        );
        fs::create_dir(dir.path().join("mails")).unwrap();
        let file = dir.path().join("warifu.toml");
        fs::write(&file, config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_warifu"))
            .args(["serve", "--config"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(process.stderr.take().unwrap());
        let (tell, log) = channel();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                // The test may have seen enough.
                let _ = tell.send(line);
            }
        });
        let node = Self {
            process,
            log,
            dir,
            pair,
            port,
            operators,
        };
        node.says("\"ready\"");
        node
    }

    /// Waits for a line of the log.
    fn says(&self, words: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect(words);
            if line.contains(words) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// What is answered on the operators' address.
    async fn told(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.operators))
            .await
            .unwrap();
        whole(&mut stream, path).await
    }

    /// What is answered to everybody.
    async fn page(&self, path: &str) -> String {
        let mut stream = connect(self.port, &[self.pair.der()], &[&TLS13])
            .await
            .unwrap();
        whole(&mut stream, path).await
    }
}

async fn whole(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
    path: &str,
) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // The end of TLS may be told by the end of the connection.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn health_and_measurements_are_told_and_say_nothing_of_users() {
    let node = Node::start();
    for path in ["/healthz/live", "/healthz/ready"] {
        for answer in [node.told(path).await, node.page(path).await] {
            assert!(
                answer.starts_with("HTTP/1.1 200") && answer.contains("\"status\":"),
                "{answer}"
            );
        }
    }
    let page = node.page("/healthz/live").await;
    assert!(
        page.contains("strict-transport-security: max-age=31536000"),
        "{page}"
    );
    // There is no service yet, which is ours to mend; the style sheet is there.
    for (path, route, message, level) in [
        (
            "/assets/css/style.css?canary",
            "/assets/",
            "answered",
            "DEBUG",
        ),
        ("/download?canary", "/download", "failed", "INFO"),
    ] {
        assert!(node.page(path).await.contains("x-request-id"));
        let line = node.says(&format!("\"message\":\"{message}\""));
        for part in [
            &format!("\"level\":\"{level}\""),
            "\"method\":\"GET\"",
            &format!("\"route\":\"{route}"),
            "\"status\":",
            "\"elapsed_ms\":",
            "\"request_id\":",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("canary"), "{line}");
    }
    assert!(node.page("/nowhere/tanaka").await.starts_with("HTTP/1.1 "));
    let measurements = node.told("/metrics").await;
    assert!(
        measurements.contains("application/openmetrics-text"),
        "{measurements}"
    );
    for series in [
        "warifu_request_seconds_count{route=\"/download\",",
        "warifu_request_seconds_count{route=\"other\",",
        "warifu_build_info{version=",
        "warifu_outbox_waiting 0",
    ] {
        assert!(measurements.contains(series), "{series}\n{measurements}");
    }
    assert!(!measurements.contains("tanaka") && !measurements.contains("canary"));
    assert!(
        !node.page("/metrics").await.contains("warifu_request"),
        "not on the public address"
    );
}

/// Of each thread of a process, its name and the processors that it may run on, as the system writes them.
fn threads(process: u32) -> Vec<(String, String)> {
    let of_thread = |folder: PathBuf| {
        // One that has ended meanwhile has no files any more.
        let read = |name| fs::read_to_string(folder.join(name)).ok();
        let (name, status) = (read("comm")?, read("status")?);
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        Some((name.trim().to_owned(), allowed.trim().to_owned()))
    };
    fs::read_dir(format!("/proc/{process}/task"))
        .unwrap()
        .filter_map(|thread| of_thread(thread.unwrap().path()))
        .collect()
}

fn numbers(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        from.parse::<usize>().unwrap()..=to.parse().unwrap()
    };
    list.split(',').flat_map(range).collect()
}

#[tokio::test]
async fn divided_processors_keep_requests_from_verification() {
    let node = Node::start();
    // Whoever has been served has met a thread for connections.
    assert!(node.page("/healthz/live").await.starts_with("HTTP/1.1 200"));
    let threads = threads(node.process.id());
    let of = |wanted: &str| -> Vec<_> {
        let named = threads.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, allowed)| allowed.as_str()).collect()
    };
    let (all, http, verifier) = (of("warifu"), of("http"), of("verifier"));
    assert_eq!(of("sqlite-log"), [all[0]; 2]);
    assert_eq!(verifier.len(), 1);
    // Those of the operators' address are anywhere.
    let seated = http.iter().filter(|allowed| **allowed != all[0]);
    let processors = thread::available_parallelism().unwrap().get();
    // By the system's list, such as 0-3,6: all of them, if no quota takes some of their time away.
    let listed = numbers(all[0]);
    if processors > 1 && processors == listed.len() {
        assert_ne!(verifier[0], all[0]);
        let connections: HashSet<_> = seated.collect();
        assert_eq!(connections.len(), 1, "{threads:?}");
        let lists = connections.into_iter().chain(&verifier);
        let together: Vec<_> = lists.flat_map(|list| numbers(list)).collect();
        assert_eq!(together, listed);
    } else {
        assert_eq!(seated.count(), 0, "{threads:?}");
    }
}

#[tokio::test]
async fn told_to_stop_it_is_not_ready_while_it_still_serves_and_told_again_it_ends_at_once() {
    let mut node = Node::start();
    node.signal("TERM");
    node.says("\"stopping\"");
    let answer = node.told("/healthz/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("\"because\":[\"stopping\"]"),
        "{answer}"
    );
    assert!(node.page("/healthz/live").await.starts_with("HTTP/1.1 200"));
    assert!(
        node.page("/healthz/ready")
            .await
            .starts_with("HTTP/1.1 503")
    );
    // It would wait for its hundred seconds; the test's own time limit is shorter.
    node.signal("TERM");
    node.says("ending at once");
    assert!(node.process.wait().unwrap().success());
}

#[tokio::test]
async fn a_hang_up_takes_new_files_into_force_and_says_loudly_when_it_cannot() {
    let node = Node::start();
    let certificate = fs::read(&node.pair.certificate).unwrap();
    fs::write(&node.pair.certificate, "nothing").unwrap();
    node.signal("HUP");
    let line = node.says("stays in force");
    assert!(
        line.contains("\"level\":\"ERROR\"") && line.contains("certificate.pem"),
        "{line}"
    );
    fs::write(&node.pair.certificate, certificate).unwrap();
    assert!(node.page("/healthz/live").await.starts_with("HTTP/1.1 200"));
    Pair::make(node.dir.path(), "localhost");
    node.signal("HUP");
    node.says("a new certificate is in force");
    assert!(node.page("/healthz/live").await.starts_with("HTTP/1.1 200"));
}

#[test]
fn the_check_of_the_configuration_reads_the_pair() {
    let dir = tempfile::tempdir().unwrap();
    Pair::make(dir.path(), "otp.other.example");
    fs::create_dir(dir.path().join("mails")).unwrap();
    let file = dir.path().join("warifu.toml");
    fs::write(
        &file,
        "public_url = \"https://otp.bank.example\"\nroot_key = \"root.key\"\n[database]\nurl = \"warifu.db\"\n\
         [mail]\nfrom = \"otp@bank.example\"\neml_dir = \"mails\"\n\
         [tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n",
    )
    .unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_warifu"))
        .args(["serve", "--check", "--config"])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    check
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(check.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("for otp.other.example, until "), "{said}");
    assert!(
        said.contains("BROKEN") && said.contains("is not for otp.bank.example"),
        "{said}"
    );
}
