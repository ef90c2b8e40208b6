//! The throw-away PostgreSQL cluster of a test process: found, started once, and stopped by a small guard process when
//! this one ends. Its data are not synced to disk: a crash of the machine loses nothing that anybody wants.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tokio_postgres::NoTls;

/// An address of a server on which tests may create databases, `postgres://user:password@host:port/database`; what stands
/// behind the port is not looked at.
const URL_VARIABLE: &str = "WARIFU_TEST_POSTGRES_URL";
const GUARD: &str = include_str!("cluster.sh");
pub(super) const PASSWORD: &str = "only-for-tests";
/// Another process may take the port between our look and PostgreSQL's start.
const START_TRIES_MAX: usize = 5;
pub(super) const INSTALL: &str = "tests of the store need PostgreSQL: install it (Debian: apt-get install postgresql), \
                       put initdb and pg_ctl on PATH, or set WARIFU_TEST_POSTGRES_URL";

/// The server's address, and the guard whose standard input keeps it alive.
struct Cluster {
    url: String,
    _guard: Option<Child>,
}

/// Creates an empty database and gives its address.
pub(super) async fn create_database(name: &str) -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = tokio::task::spawn_blocking(|| CLUSTER.get_or_init(start))
        .await
        .expect("the cluster");
    let base = &cluster.url;
    let admin = format!("{base}/postgres?sslmode=disable");
    let (client, connection) = tokio_postgres::connect(&admin, NoTls)
        .await
        .expect("the cluster's postgres database");
    let connection = tokio::spawn(connection);
    // A process with our number may have been here before. Nobody is connected to template0, so it can always be copied.
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name} TEMPLATE template0"),
    ] {
        client
            .batch_execute(&sql)
            .await
            .expect("a database for the test");
    }
    drop(client);
    connection
        .await
        .expect("the connection's task")
        .expect("the connection");
    format!("{base}/{name}?sslmode=disable")
}

fn start() -> Cluster {
    if let Ok(url) = std::env::var(URL_VARIABLE) {
        return Cluster {
            url: server_of(&url).to_owned(),
            _guard: None,
        };
    }
    let programs = programs().expect(INSTALL);
    let mut told = String::new();
    for _ in 0..START_TRIES_MAX {
        let port = free_port();
        let mut guard = guard(&programs, port).spawn().expect("a shell");
        let output = guard.stdout.take().expect("the guard's output");
        told.clear();
        BufReader::new(output)
            .read_line(&mut told)
            .expect("the guard's answer");
        if told.trim() == "ready" {
            let url = format!("postgres://warifu:{PASSWORD}@127.0.0.1:{port}");
            return Cluster {
                url,
                _guard: Some(guard),
            };
        }
        drop(guard.stdin.take());
        guard.wait().expect("the guard");
    }
    panic!("PostgreSQL did not start: {told}");
}

/// The address without its database and options.
fn server_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[start..]
        .find(['/', '?'])
        .map_or(url.len(), |at| start + at);
    &url[..end]
}

fn guard(programs: &Path, port: u16) -> Command {
    let mut command = as_account(GUARD);
    command.arg(programs).args([&port.to_string(), PASSWORD]);
    command
}

/// A shell that runs a script and keeps watch on its input. PostgreSQL refuses to run as root, so root lends it the account that
/// Debian made for it.
pub(super) fn as_account(script: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command
        .args(["-c", script, "guard"])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // A Ctrl-C at the terminal is for the tests; the guard sees them end.
        .process_group(0);
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.trim_ascii() == b"0"
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    listener.local_addr().expect("its port").port()
}

/// The folder with `initdb` and `pg_ctl`: the newest of Debian's, or one on PATH.
pub(super) fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    let installed = versions.into_iter().rev().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    installed
        .chain(on_path)
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}
