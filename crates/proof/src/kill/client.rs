//! As little HTTP as it takes to ask one question again and again over one connection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use warifu_server::app::verification::Verification;

use crate::bank::SERVICE;
use crate::race::told;
use crate::spec::Answer;

/// The longest answer that is read.
const ANSWER_MAX: usize = 16 * 1024;
/// How often a connection is tried before it is given up: 30 s.
const TRIES_MAX: usize = 60_000;
const TRY_AGAIN_AFTER: Duration = Duration::from_micros(500);

/// A kept-alive connection.
pub(super) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    authorization: String,
    read: Vec<u8>,
}

/// What the program said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// 200.
    Judged(Answer),
    /// 409, 429 or 503: nothing was judged.
    TurnedAway,
}

impl Connection {
    /// Waits until the program listens. `None` when it does not.
    pub(super) async fn open(address: SocketAddr, api_key: &str) -> Option<Self> {
        for _ in 0..TRIES_MAX {
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
    pub(super) async fn verify(&mut self, login_id: &str, code: &str) -> Result<Option<Reply>> {
        let body = format!("{{\"code\":\"{code}\"}}");
        let request = format!(
            "POST /api/v1/services/{SERVICE}/users/{login_id}/verify HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.authorization,
            body.len()
        );
        if self.stream.write_all(request.as_bytes()).await.is_err() {
            return Ok(None);
        }
        self.read.clear();
        loop {
            if let Some((status, body)) = whole(&self.read)? {
                return match status {
                    200 => {
                        let verification: Verification =
                            serde_json::from_slice(body).context("the answer's JSON")?;
                        Ok(Some(Reply::Judged(told(&verification))))
                    }
                    409 | 429 | 503 => Ok(Some(Reply::TurnedAway)),
                    other => bail!("status {other}: {}", String::from_utf8_lossy(body)),
                };
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
}

/// Status and body, once all of it is there.
fn whole(read: &[u8]) -> Result<Option<(u16, &[u8])>> {
    let Some(head_ends) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&read[..head_ends]).context("the head's text")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("a status line")?;
    let length: usize = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .context("an answer without a length")?;
    let body = &read[head_ends + 4..];
    Ok((body.len() >= length).then(|| (status, &body[..length])))
}
