//! As much HTTP as it takes to ask a peer about one code, over a connection that is kept where the peer keeps it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Peer;
use crate::answer;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A kept connection may have been closed by the peer while it was not in use: then one more is opened, once.
const TRIES_MAX: usize = 2;

/// A client of a peer.
pub struct Client {
    peer: Peer,
    address: SocketAddr,
    /// `None` before the first request, and after an answer that the peer closed the connection with.
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

/// An answer as it came.
struct Whole {
    status: u16,
    closes: bool,
    body: Value,
}

impl Client {
    /// A client that is not connected yet.
    #[must_use]
    pub const fn new(peer: Peer, address: SocketAddr) -> Self {
        Self {
            peer,
            address,
            stream: None,
            read: Vec::new(),
        }
    }

    /// Opens the connection, if there is none.
    ///
    /// # Errors
    /// When the peer does not listen.
    pub async fn connect(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address)
                .await
                .with_context(|| format!("nobody listens at {}", self.address))?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Whether the peer accepts the code; the answer in words where it gives no verdict.
    ///
    /// # Errors
    /// When the peer does not answer.
    pub async fn accepts(&mut self, user: &str, code: &str) -> Result<Result<bool, String>> {
        let request = self.request(user, code);
        let answer = self.ask(&request).await?;
        if answer.closes {
            self.stream = None;
        }
        let verdict = match self.peer {
            Peer::DjangoOtp => answer.body["accepted"].as_bool(),
            Peer::PrivacyIdea => answer.body["result"]["value"].as_bool(),
        };
        Ok(match (answer.status, verdict) {
            (200, Some(verdict)) => Ok(verdict),
            (status, _) => Err(format!("status {status}: {}", answer.body)),
        })
    }

    fn request(&self, user: &str, code: &str) -> String {
        let (path, body) = match self.peer {
            Peer::DjangoOtp => ("/verify", json!({ "user": user, "code": code })),
            Peer::PrivacyIdea => ("/validate/check", json!({ "user": user, "pass": code })),
        };
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn ask(&mut self, request: &str) -> Result<Whole> {
        for _ in 0..TRIES_MAX {
            let kept = self.stream.is_some();
            self.connect().await?;
            match self.once(request).await? {
                Some(answer) => return Ok(answer),
                // Closed before anything of an answer came: it was closed before the request, if it had been kept.
                None if kept && self.read.is_empty() => self.stream = None,
                None => bail!("the peer closed the connection without an answer"),
            }
        }
        bail!("the peer closed a new connection without an answer")
    }

    /// `None` when the connection ended before the answer was whole.
    async fn once(&mut self, request: &str) -> Result<Option<Whole>> {
        let stream = self.stream.as_mut().context("a connection")?;
        self.read.clear();
        if stream.write_all(request.as_bytes()).await.is_err() {
            return Ok(None);
        }
        loop {
            if let Some(answer) = whole(&self.read)? {
                return Ok(Some(answer));
            }
            ensure!(
                self.read.len() <= ANSWER_BYTES_MAX,
                "an answer without an end"
            );
            match stream.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
    }
}

/// The answer, once all of it is there.
fn whole(read: &[u8]) -> Result<Option<Whole>> {
    let Some((head, body)) = answer::whole(read)? else {
        return Ok(None);
    };
    let closes = |value: &str| value.eq_ignore_ascii_case("close");
    Ok(Some(Whole {
        status: head.status,
        closes: head.field("connection").is_some_and(closes),
        body: serde_json::from_slice(body).unwrap_or_else(|_| {
            Value::String(String::from_utf8_lossy(&body[..body.len().min(2_000)]).into_owned())
        }),
    }))
}
