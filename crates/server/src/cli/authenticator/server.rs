//! The app's side of the network: one request, its answer, limits on time and size. What an answer means for a token is the
//! library's business.

use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};
use warifu_authenticator::ServerAddress;
use warifu_authenticator::activation::{Answer, MEDIA_TYPE, MESSAGE_BYTES_MAX, Request, Trip};
use warifu_core::time::UnixMillis;

use crate::clock::Clock;
use crate::portal::pages::path;
use crate::text::Text;

/// How long `add` waits for one answer.
pub(super) const PATIENT: Duration = Duration::from_secs(30);
/// How long a request may take that nobody asked for: finishing an activation, and measuring the clock, on the way to
/// something else.
pub(super) const BRIEF: Duration = Duration::from_secs(3);

const PROBLEM_TYPE: &str = "application/problem+json";
const PROBLEM_BYTES_MAX: u64 = 64 * 1024;
/// The most characters of a server's own sentence that are shown.
const SENTENCE_CHARS_MAX: usize = 500;

/// What came of a request.
pub(super) enum Reply {
    /// The activation's answer, and the server's own sentence about a refusal.
    Answer(Answer, Option<String>, Trip),
    /// No answer, or one that says that there is none now (5xx). The reason is for the person who looks after the
    /// network.
    None(String),
    /// An answer, but not of a Warifu server.
    Strange,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct ServerTime {
    now_ms: i64,
}

/// Posts one message of an activation.
pub(super) fn post(
    server: &ServerAddress,
    request: &Request,
    wait: Duration,
    clock: &Clock,
    text: Text,
) -> Reply {
    let sent_at = clock.now();
    let sent = agent(server, wait)
        .post(server.join(request.path))
        .content_type(MEDIA_TYPE)
        .header("accept", format!("{MEDIA_TYPE}, {PROBLEM_TYPE}"))
        .header("accept-language", text.language().as_str())
        .send(request.body.as_slice());
    let mut response = match sent {
        Ok(response) => response,
        Err(error) => return Reply::None(plain(&error.to_string())),
    };
    let status = response.status();
    if status.is_server_error() {
        return Reply::None(status.to_string());
    }
    let is = |wanted: &str| {
        response
            .body()
            .mime_type()
            .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    };
    let (message, problem) = (is(MEDIA_TYPE), is(PROBLEM_TYPE));
    let bytes_max = if message {
        MESSAGE_BYTES_MAX as u64
    } else {
        PROBLEM_BYTES_MAX
    };
    let body = match response
        .body_mut()
        .with_config()
        .limit(bytes_max)
        .read_to_vec()
    {
        Ok(body) => body,
        Err(ureq::Error::BodyExceedsLimit(_)) => return Reply::Strange,
        Err(error) => return Reply::None(plain(&error.to_string())),
    };
    let trip = Trip {
        sent_at,
        received_at: clock.now(),
    };
    if status == 200 && message {
        return Reply::Answer(Answer::Message(body), None, trip);
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(Problem {
            code,
            detail,
            title,
        }) if problem && status.is_client_error() => {
            let sentence = detail.or(title).map(|sentence| plain(&sentence));
            Reply::Answer(Answer::Refused(plain(&code)), sentence, trip)
        }
        _ => Reply::Strange,
    }
}

/// By how much this device's clock is behind the server's, in milliseconds (J7). `None` when the server does not say.
pub(super) fn clock_offset_ms(server: &ServerAddress, clock: &Clock) -> Option<i64> {
    let sent_at = clock.now();
    let mut response = agent(server, BRIEF)
        .get(server.join(path::TIME))
        .call()
        .ok()?;
    let body = response
        .body_mut()
        .with_config()
        .limit(PROBLEM_BYTES_MAX)
        .read_to_vec()
        .ok()?;
    let ServerTime { now_ms } = serde_json::from_slice(&body)
        .ok()
        .filter(|_| response.status() == 200)?;
    let offset_ms = Trip {
        sent_at,
        received_at: clock.now(),
    }
    .offset_ms(now_ms);
    // Seconds that a TOTP can be computed from; anything else is no clock.
    (UnixMillis(0)..=UnixMillis(i64::from(u32::MAX) * 1000))
        .contains(&UnixMillis(now_ms))
        .then_some(offset_ms)
}

/// Follows no redirection: what is posted is meant for the address that was typed.
fn agent(server: &ServerAddress, wait: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(wait))
        .user_agent(concat!("warifu-authenticator/", env!("CARGO_PKG_VERSION")))
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        );
    // A proxy of the surroundings cannot reach this machine's own address.
    let config = if server.is_loopback() {
        config.proxy(None)
    } else {
        config
    };
    config.build().into()
}

/// Somebody else's words, fit for a terminal: no control characters, not too many.
fn plain(words: &str) -> String {
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(SENTENCE_CHARS_MAX)
        .collect()
}
