//! TLS with a real client: versions, a new pair while connections are open, pairs that cannot be used (R71).

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use warifu_server::clock::Clock;
use warifu_server::config::Limits;
use warifu_server::metrics::Metrics;
use warifu_server::processors::Processors;
use warifu_server::serve::{Door, serve};
use warifu_server::tls::{Tls, TlsError, TlsFiles};

use crate::pair::{Pair, connect};

/// How often these servers look at their files.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// What is looked for so often is seen within this.
const SOON: Duration = Duration::from_secs(10);

struct Server {
    dir: TempDir,
    pair: Pair,
    port: u16,
    reload: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    _watched: watch::Sender<bool>,
}

fn files(dir: &Path) -> TlsFiles {
    TlsFiles {
        certificate: dir.join("certificate.pem"),
        key: dir.join("key.pem"),
    }
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pair = Pair::make(dir.path(), "localhost");
        let tls = Tls::open(files(dir.path())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (watched, stopped) = watch::channel(false);
        let reload = Arc::new(Notify::new());
        tokio::spawn(tls.clone().watch(
            Clock::system(),
            LOOK_INTERVAL,
            Arc::clone(&reload),
            stopped,
        ));
        let door = Door {
            limits,
            tls: Some(tls),
            metrics: Arc::new(Metrics::new()),
            processors: Processors::Shared,
        };
        let router = Router::new().route("/", get(|| async { "page" }));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, router, door, async {
            let _ = stopped.await;
        }));
        Self {
            dir,
            pair,
            port,
            reload,
            stop: Some(stop),
            task,
            _watched: watched,
        }
    }

    /// Waits until new connections get this certificate.
    async fn shows(&self, expected: &CertificateDer<'static>, others: &[CertificateDer<'static>]) {
        let mut believed = others.to_vec();
        believed.push(expected.clone());
        loop {
            let stream = connect(self.port, &believed, &[&TLS13]).await.unwrap();
            let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            if shown == *expected {
                return;
            }
            self.reload.notify_one();
            tokio::task::yield_now().await;
        }
    }

    /// Waits until new connections get this certificate and no longer the old one, and asks for nothing.
    async fn comes_to_show(
        &self,
        expected: &CertificateDer<'static>,
        old: &CertificateDer<'static>,
    ) {
        let believed = [expected.clone(), old.clone()];
        loop {
            let stream = connect(self.port, &believed, &[&TLS13]).await.unwrap();
            if stream.get_ref().1.peer_certificates().unwrap()[0] == *expected {
                return;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }
}

/// Asks for the page and reads the answer; the connection stays open.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"page") {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "it was closed"
        );
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn r71_tls_1_3_and_1_2_carry_http_1_1_with_forward_secrecy() {
    let server = Server::start().await;
    for (version, suite) in [(&TLS13, "TLS13_"), (&TLS12, "TLS_ECDHE_")] {
        let mut stream = connect(server.port, &[server.pair.der()], &[version])
            .await
            .unwrap();
        let session = stream.get_ref().1;
        let spoken = format!("{:?}", session.negotiated_cipher_suite().unwrap().suite());
        assert!(spoken.starts_with(suite), "{spoken}");
        assert_eq!(session.alpn_protocol(), Some(b"http/1.1".as_slice()));
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn r71_older_versions_and_ciphers_without_forward_secrecy_are_refused() {
    let server = Server::start().await;
    for args in [
        ["-tls1_1", "DEFAULT@SECLEVEL=0"],
        ["-tls1_2", "AES128-GCM-SHA256"],
    ] {
        let output = Command::new("openssl")
            .args(["s_client", args[0], "-cipher", args[1], "-connect"])
            .arg(format!("127.0.0.1:{}", server.port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = tokio::task::spawn_blocking(|| output.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("alert handshake failure"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_new_pair_serves_new_connections_and_drops_none() {
    let server = Server::start().await;
    let old = server.pair.der();
    let mut open = connect(server.port, std::slice::from_ref(&old), &[&TLS13])
        .await
        .unwrap();
    ask(&mut open).await;
    let new = Pair::make(server.dir.path(), "localhost").der();
    assert_ne!(old, new);
    server.shows(&new, &[old]).await;
    ask(&mut open).await;
}

#[tokio::test]
async fn a_new_pair_that_cannot_be_used_leaves_the_old_one_in_force() {
    let server = Server::start().await;
    let old = server.pair.der();
    // The new certificate is there, its key is not yet: every renewal passes through this.
    let elsewhere = tempfile::tempdir().unwrap();
    let new = Pair::make(elsewhere.path(), "localhost");
    fs::copy(&new.certificate, &server.pair.certificate).unwrap();
    server.reload.notify_one();
    for _ in 0..20 {
        server.shows(&old, &[]).await;
    }
    fs::write(&server.pair.certificate, "nothing").unwrap();
    server.reload.notify_one();
    server.shows(&old, &[]).await;
    fs::copy(&new.certificate, &server.pair.certificate).unwrap();
    fs::copy(&new.key, &server.pair.key).unwrap();
    server.shows(&new.der(), &[old]).await;
}

/// Nobody asks for it: the files are looked at.
#[tokio::test]
async fn r71_a_pair_that_is_put_in_the_place_of_the_old_one_is_shown_soon_by_itself() {
    let server = Server::start().await;
    let mut folders = Vec::new();
    let mut old = server.pair.der();
    // Behind links, as certbot keeps them, it is another one that a link leads to: at first in place of a file, then of a link.
    for put in [write_over, put_in_place, link_to, link_to] {
        let folder = tempfile::tempdir_in(server.dir.path()).unwrap();
        let new = Pair::make(folder.path(), "localhost");
        let der = new.der();
        put(&new.key, &server.pair.key);
        put(&new.certificate, &server.pair.certificate);
        let shown = server.comes_to_show(&der, &old);
        timeout(SOON, shown).await.expect("it is seen");
        old = der;
        folders.push(folder);
    }
}

fn write_over(new: &Path, place: &Path) {
    fs::copy(new, place).unwrap();
}

fn put_in_place(new: &Path, place: &Path) {
    fs::rename(new, place).unwrap();
}

fn link_to(new: &Path, place: &Path) {
    let link = place.with_extension("link");
    symlink(new, &link).unwrap();
    fs::rename(link, place).unwrap();
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_with_the_file_that_is_to_blame() {
    let dir = tempfile::tempdir().unwrap();
    let pair = Pair::make(dir.path(), "localhost");
    let open = || Tls::open(files(dir.path()));
    let refused = || match open() {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    };
    let validity = open().unwrap().validity().clone();
    assert_eq!(validity.names, ["localhost"]);
    assert!(validity.is_for("localhost") && !validity.is_for("otp.bank.example"));

    fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused();
    assert!(matches!(error, TlsError::Exposed { .. }), "{error}");
    assert!(error.to_string().contains("key.pem"), "{error}");
    fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(open().is_ok(), "a group may share the key");

    let elsewhere = tempfile::tempdir().unwrap();
    let other = Pair::make(elsewhere.path(), "localhost");
    fs::copy(&other.key, &pair.key).unwrap();
    assert!(matches!(refused(), TlsError::NoPair { .. }));

    fs::write(&pair.key, "-----BEGIN PRIVATE KEY-----\ncanary\n").unwrap();
    let error = refused().to_string();
    assert!(
        error.contains("key.pem") && !error.contains("canary"),
        "{error}"
    );
    fs::remove_file(&pair.certificate).unwrap();
    assert!(refused().to_string().contains("certificate.pem"));
}

#[tokio::test]
async fn plain_http_to_the_tls_port_is_told_so() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(
        said.starts_with("HTTP/1.1 400") && said.contains("https://"),
        "{said}"
    );
    assert!(!said.contains("page"));
}

#[tokio::test]
async fn r79_who_begins_no_handshake_is_shown_out_and_holds_up_no_end() {
    let mut server = Server::start_with(Limits {
        header_timeout: Duration::from_millis(500),
        ..Limits::default()
    })
    .await;
    let mut silent = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    let mut half = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    half.write_all(&[0x16, 3, 1]).await.unwrap();
    // Each waits until the server closes; without the limit the test would never end.
    let mut bytes = Vec::new();
    let _ = silent.read_to_end(&mut bytes).await;
    let _ = half.read_to_end(&mut bytes).await;

    let mut stream = connect(server.port, &[server.pair.der()], &[&TLS13])
        .await
        .unwrap();
    ask(&mut stream).await;
    let _silent = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    server.task.await.unwrap();
}
