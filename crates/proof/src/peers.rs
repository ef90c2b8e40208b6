//! Other servers of one-time passwords, asked in the way that `warifu bench` asks a node: each client has a connection and sends a
//! fresh right code as soon as its last one was answered, and every answer is looked at. `cargo xtask peers` sets them up and starts
//! this; here are only the clients.

pub mod client;
mod same;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use warifu_core::oath::{Algorithm, Seed, hotp};
use warifu_server::clock::Clock;

use crate::watch::Watch;
use client::Client;
pub use same::{Same, same, same_of_warifu};

/// Whose requests and answers are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The site in `xtask/peers/django_otp_site`.
    DjangoOtp,
    /// `/validate/check` of privacyIDEA.
    PrivacyIdea,
}

/// The tokens of a peer, as the program that made them wrote them down.
#[derive(Serialize, Deserialize)]
pub struct Tokens {
    /// The time step in seconds.
    pub step_s: u32,
    /// Digits of a code.
    pub digits: u8,
    /// One for each user.
    pub tokens: Vec<Token>,
}

/// One user's token. All are SHA-1, as both peers make them.
#[derive(Serialize, Deserialize)]
pub struct Token {
    /// Whom to ask about.
    pub user: String,
    /// The seed in hexadecimal.
    pub seed: String,
    /// The last step whose code was sent; 0 for none.
    #[serde(default)]
    pub used_step: i64,
}

/// What one run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// Right codes that were sent, all of them accepted.
    pub accepted: usize,
    /// Clients at once.
    pub clients: usize,
    /// How long it took, with the answers to the last requests.
    pub seconds: f64,
    /// Accepted codes a second.
    pub verify_per_s: f64,
    /// Half of the answers came within this.
    pub p50_ms: f64,
    /// All but one in a hundred.
    pub p99_ms: f64,
    /// How often a client had to wait for the next step, since all codes of this one were used: more than none, and it was not the peer
    /// that was measured.
    pub waits_for_codes: usize,
}

impl Tokens {
    /// Reads them.
    ///
    /// # Errors
    /// When the file cannot be read, or is none.
    pub fn read(file: &Path) -> Result<Self> {
        let text =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is no list of tokens", file.display()))
    }

    /// Writes them, with what was used.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        std::fs::write(file, serde_json::to_vec(self)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }

    fn step(&self, clock: &Clock) -> i64 {
        clock.now().0.div_euclid(1_000 * i64::from(self.step_s))
    }

    /// How long until the next step.
    fn until_next_step(&self, clock: &Clock) -> Duration {
        let step_ms = 1_000 * i64::from(self.step_s);
        let left_ms = step_ms - clock.now().0.rem_euclid(step_ms);
        Duration::from_millis(left_ms.unsigned_abs())
    }
}

impl Token {
    fn code(&self, step: i64, digits: u8) -> Result<String> {
        let seed = Seed::new(bytes(&self.seed)?, Algorithm::Sha1).context("a seed of 20 bytes")?;
        let code = hotp::code(&seed, u64::try_from(step)?, Algorithm::Sha1, digits);
        Ok(code.expose().to_owned())
    }
}

fn bytes(hexadecimal: &str) -> Result<Vec<u8>> {
    ensure!(
        hexadecimal.is_ascii() && hexadecimal.len().is_multiple_of(2),
        "no hexadecimal"
    );
    (0..hexadecimal.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&hexadecimal[at..at + 2], 16)?))
        .collect()
}

/// Asks as fast as it is answered, with so many clients.
///
/// # Errors
/// The first answer that is not an acceptance.
pub async fn load(
    peer: Peer,
    address: SocketAddr,
    tokens: &mut Tokens,
    clients: usize,
    duration: Duration,
) -> Result<Rate> {
    let clock = Clock::system();
    let queue = Arc::new(Mutex::new(VecDeque::from(std::mem::take(
        &mut tokens.tokens,
    ))));
    let terms = Arc::new(Tokens {
        tokens: Vec::new(),
        ..*tokens
    });
    let mut running = JoinSet::new();
    let began = Watch::start();
    for _ in 0..clients {
        let client = Client::new(peer, address);
        let one = One {
            client,
            queue: Arc::clone(&queue),
            terms: Arc::clone(&terms),
            clock: clock.clone(),
        };
        running.spawn(one.ask_until(began, duration));
    }
    let (mut latencies, mut waits_for_codes) = (Vec::new(), 0);
    while let Some(done) = running.join_next().await {
        let (of_one, waits) = done??;
        latencies.extend(of_one);
        waits_for_codes += waits;
    }
    let seconds = began.elapsed().as_secs_f64();
    tokens.tokens =
        std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner)).into();
    latencies.sort_unstable();
    let quantile = |of_100: usize| {
        let at = (latencies.len() * of_100 / 100).min(latencies.len().saturating_sub(1));
        latencies.get(at).map_or(0.0, Duration::as_secs_f64) * 1_000.0
    };
    let accepted = latencies.len();
    Ok(Rate {
        accepted,
        clients,
        seconds,
        verify_per_s: f64::from(u32::try_from(accepted)?) / seconds,
        p50_ms: quantile(50),
        p99_ms: quantile(99),
        waits_for_codes,
    })
}

/// One client of several.
struct One {
    client: Client,
    /// Who was asked about longest ago stands first.
    queue: Arc<Mutex<VecDeque<Token>>>,
    terms: Arc<Tokens>,
    clock: Clock,
}

impl One {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Token>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latencies of what it asked, and how often it had no code to ask with.
    async fn ask_until(
        mut self,
        began: Watch,
        duration: Duration,
    ) -> Result<(Vec<Duration>, usize)> {
        let (mut latencies, mut waits) = (Vec::new(), 0);
        while began.elapsed() < duration {
            let Some(mut token) = self.queue().pop_front() else {
                anyhow::bail!("there are fewer tokens than clients");
            };
            let step = self.terms.step(&self.clock);
            if token.used_step >= step {
                self.queue().push_front(token);
                waits += 1;
                tokio::time::sleep(self.terms.until_next_step(&self.clock)).await;
                continue;
            }
            token.used_step = step;
            let code = token.code(step, self.terms.digits)?;
            let asked = Watch::start();
            let accepted = self.client.accepts(&token.user, &code).await?;
            latencies.push(asked.elapsed());
            ensure!(
                accepted == Ok(true),
                "a right code of {} was not accepted: {accepted:?}",
                token.user
            );
            self.queue().push_back(token);
        }
        Ok((latencies, waits))
    }
}
