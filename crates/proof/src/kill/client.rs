//! As little HTTP as it takes to ask one question again and again over one connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use warifu_server::app::verification::Verification;

use crate::answer;
use crate::bank::SERVICE;
use crate::race::told;
use crate::spec::Answer;

/// The longest answer that is read.
const ANSWER_MAX: usize = 16 * 1024;
/// How often a connection is tried before it is given up: 30 s.
const TRIES_MAX: usize = 60_000;
const TRY_AGAIN_AFTER: Duration = Duration::from_micros(500);

/// A kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    authorization: String,
    read: Vec<u8>,
}

/// What the program said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 200.
    Judged(Answer),
    /// 429 or 503: nothing was judged, as far as the program knows.
    TurnedAway,
}

impl Connection {
    /// Waits until the program listens. `None` when it does not, or when it is dead before it was reached.
    pub async fn open(address: SocketAddr, api_key: &str, dead: &AtomicBool) -> Option<Self> {
        for _ in 0..TRIES_MAX {
            if dead.load(Ordering::Relaxed) {
                return None;
            }
            if let Ok(stream) = TcpStream::connect(address).await {
                stream.set_nodelay(true).ok()?;
                return Some(Self {
                    stream,
                    address,
                    authorization: format!("Bearer {api_key}"),
                    read: Vec::with_capacity(ANSWER_MAX),
                });
            }
            // The program is another process: there is nothing to wait on but its port.
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        None
    }

    /// Asks; `None` when the connection ended before the answer was whole.
    ///
    /// # Errors
    /// When the answer is none that the API may give.
    pub async fn verify(&mut self, login_id: &str, code: &str) -> Result<Option<Reply>> {
        let Some(answer) = self.ask(login_id, code).await? else {
            return Ok(None);
        };
        match answer.status {
            200 => {
                let verification: Verification =
                    serde_json::from_value(answer.body).context("the answer's JSON")?;
                Ok(Some(Reply::Judged(told(&verification))))
            }
            429 | 503 => Ok(Some(Reply::TurnedAway)),
            other => bail!("status {other}: {}", answer.body),
        }
    }

    /// Asks, and gives the answer as it came; `None` when the connection ended before it was whole.
    ///
    /// # Errors
    /// When the answer is no HTTP with JSON.
    pub async fn ask(&mut self, login_id: &str, code: &str) -> Result<Option<Whole>> {
        self.ask_named(login_id, code, None).await
    }

    /// The same under this idempotency key.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub async fn ask_named(
        &mut self,
        login_id: &str,
        code: &str,
        name: Option<&str>,
    ) -> Result<Option<Whole>> {
        let request = self.request(login_id, code, name);
        if self.stream.write_all(request.as_bytes()).await.is_err() {
            return Ok(None);
        }
        self.read.clear();
        loop {
            if let Some(answer) = whole(&self.read)? {
                return Ok(Some(answer));
            }
            if self.read.len() > ANSWER_MAX {
                bail!("an answer without an end");
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
    }

    /// What is sent for it, byte for byte.
    #[must_use]
    pub fn request(&self, login_id: &str, code: &str, name: Option<&str>) -> String {
        let body = format!("{{\"code\":\"{code}\"}}");
        let name = name.map_or_else(String::new, |name| format!("idempotency-key: {name}\r\n"));
        format!(
            "POST /api/v1/services/{SERVICE}/users/{login_id}/verify HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\
             {name}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.authorization,
            body.len()
        )
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
    /// `Content-Type`; empty without one.
    pub media_type: String,
    /// The JSON.
    pub body: serde_json::Value,
}

/// The answer, once all of it is there.
fn whole(read: &[u8]) -> Result<Option<Whole>> {
    let Some((head, body)) = answer::whole(read)? else {
        return Ok(None);
    };
    Ok(Some(Whole {
        status: head.status,
        retry_after_s: head.number("retry-after"),
        media_type: head.field("content-type").unwrap_or_default().to_owned(),
        body: serde_json::from_slice(body).context("the answer's JSON")?,
    }))
}
