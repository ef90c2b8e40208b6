//! An endpoint of webhooks on this machine: answers as it is told to, keeps what came, and verifies it by the words of the
//! specification.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// What an endpoint does with a delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Status(u16),
    /// 429 with `Retry-After`, in seconds.
    Later(u32),
    /// A redirection to the endpoint itself.
    Elsewhere,
    /// Nothing, until [`Receiver::let_go`].
    Silence,
}

/// A delivery as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) id: String,
    pub(crate) at_s: i64,
    pub(crate) signatures: Vec<String>,
    pub(crate) body: String,
}

impl Came {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn event(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whether one of the signatures is made with this secret (`whsec_..`).
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").unwrap();
        let key = BASE64.decode(key.as_bytes()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", self.id, self.at_s, self.body).as_bytes());
        let signature = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
        self.signatures.contains(&signature)
    }
}

impl Came {
    /// The id that the Python sample of docs/webhooks.md finds in a genuine delivery.
    pub(crate) fn verified_by_sample(&self, secret: &str) -> Option<String> {
        let page = include_str!("../../../../docs/webhooks.md");
        let sample = page.split("```python\n").nth(1).unwrap();
        let sample = sample.split("```").next().unwrap();
        let delivery = json!({
            "secret": secret,
            "headers": {
                "webhook-id": self.id,
                "webhook-timestamp": self.at_s.to_string(),
                "webhook-signature": self.signatures.join(" "),
            },
            "body": self.body,
        });
        let ask = "import json, sys\nd = json.loads(sys.argv[1])\n\
                   print(verify(d['secret'], d['headers'], d['body'].encode()))";
        let done = Command::new("python3")
            .args(["-c", &format!("{sample}\n{ask}"), &delivery.to_string()])
            .output()
            .expect("python3 is needed");
        let said = String::from_utf8(done.stdout).unwrap();
        done.status.success().then(|| said.trim().to_owned())
    }
}

struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    came: Mutex<Vec<Came>>,
    arrivals: Semaphore,
    silence: Semaphore,
}

/// The endpoint; it answers 200 when it was not told otherwise.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Receiver {
    pub(crate) async fn open() -> Self {
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            came: Mutex::default(),
            arrivals: Semaphore::new(0),
            silence: Semaphore::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks?from=otp", self.address)
    }

    /// The next answers, one for each delivery.
    pub(crate) fn answers(&self, answers: &[Answer]) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    /// Answers 200 from now on.
    pub(crate) fn answers_again(&self) {
        self.shared.answers.lock().unwrap().clear();
    }

    /// Everything that came since the last time.
    pub(crate) fn came(&self) -> Vec<Came> {
        std::mem::take(&mut self.shared.came.lock().unwrap())
    }

    /// Waits until one more delivery is there.
    pub(crate) async fn arrival(&self) {
        self.shared.arrivals.acquire().await.unwrap().forget();
    }

    /// Answers what was met with silence.
    pub(crate) fn let_go(&self) {
        self.shared.silence.add_permits(100);
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    shared.came.lock().unwrap().push(Came {
        id: header("webhook-id"),
        at_s: header("webhook-timestamp").parse().unwrap(),
        signatures: header("webhook-signature")
            .split(' ')
            .map(str::to_owned)
            .collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    shared.arrivals.add_permits(1);
    let answer = shared.answers.lock().unwrap().pop_front();
    match answer.unwrap_or(Answer::Status(200)) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Later(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", seconds.to_string())],
        )
            .into_response(),
        Answer::Elsewhere => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response()
        }
        Answer::Silence => {
            shared.silence.acquire().await.unwrap().forget();
            StatusCode::OK.into_response()
        }
    }
}

/// An endpoint over TLS that answers 204 to everybody; its port.
pub(crate) async fn tls_endpoint(certificate: &Path, key: &Path) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

/// A certificate for `localhost` that vouches for itself.
pub(crate) fn make_certificate(dir: &Path) -> PathBuf {
    let path = dir.join("certificate.pem");
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args("-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '))
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(&path)
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl is needed").success());
    path
}
