//! The clients: each with a connection and a share of the tokens, asking as fast as it is answered.
//!
//! Each sends the code of its token for the time step it is at; when its share is through, it goes on to the next step. The node's
//! clock follows the slowest, and nobody goes more than one step ahead of it: so every code is right, fresh, and within the window.
//! Codes are computed before they are measured, and written into a request that is there already, as that for the empty handler is: what a turn measures is
//! not to be how fast clients make requests.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use warifu_core::oath::Code;
use warifu_core::service::Policy;

use super::bank::{Bank, SERVICE, login_id};
use super::node::Node;
use super::{BenchError, system};
use crate::lane::Lanes;
use crate::processors::Seats;

/// The longest answer that a client reads, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Header lines of an answer.
const HEADERS_MAX: usize = 32;
/// Codes that are ready before a turn at most, of all clients. A client that has none left computes them one by one.
const READY_MAX: usize = 1_000_000;
/// Codes a second that all clients get ready for before it is known how many they need.
const RATE_AT_FIRST: u128 = 10_000;

/// How the answer to a right code begins. Once in a million, two neighbouring steps have the same digits: then those of the second are
/// used up with those of the first, and the answer is right and as durable.
const RIGHT: &[&[u8]] = &[
    b"{\"verdict\":\"accepted\"",
    b"{\"verdict\":\"already_used\"",
];
/// How that of the empty handler begins, which has the members in the order of the alphabet.
const EMPTY_RIGHT: &[&[u8]] = &[b"{\"activated_at\":"];

/// The time, for durations.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and decides nothing by it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// All clients.
pub(super) struct Load {
    /// Where the clients live: what is measured is not to be how one of them waits for another's look-out for the network.
    lanes: Lanes,
    product: Vec<Client>,
    empty: Vec<Connection>,
    shared: Arc<Shared>,
    bank: Arc<Bank>,
    /// Verifications a second in the last turn.
    rate: u128,
}

/// What the clients of the product have in common.
struct Shared {
    /// The step that the node's clock stands at.
    step: AtomicI64,
    moved: Notify,
    finished: Notify,
    over: AtomicBool,
}

/// Opens a connection where the client of this number lives.
async fn connect(lanes: &Lanes, number: usize, address: &str) -> Result<Connection, BenchError> {
    let address = address.to_owned();
    lanes
        .runtime(number)
        .spawn(async move { Connection::open(&address).await })
        .await
        .map_err(|_| BenchError::Node("a client ended".to_owned()))?
}

struct Client {
    number: usize,
    connection: Connection,
    share: Range<u32>,
    /// The token that is asked for next.
    next: u32,
    /// The step of its code.
    step: Arc<AtomicI64>,
    request: Request,
    /// The next codes.
    ready: VecDeque<Code>,
    /// Token and step of the first code that is not computed yet.
    uncomputed: (u32, i64),
}

/// One turn of one client.
struct Turn {
    latencies: Vec<Duration>,
}

/// What one turn of all clients gave.
pub(super) struct Rate {
    per_s: f64,
    latencies: Vec<Duration>,
}

impl Rate {
    pub(super) fn answers(&self) -> usize {
        self.latencies.len()
    }
}

/// Several turns taken together.
pub(super) struct Turns {
    pub(super) per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) answers: u64,
}

impl Turns {
    /// The median of the rates, and the quantiles over all answers.
    pub(super) fn of(mut rates: Vec<Rate>) -> Self {
        rates.sort_by(|a, b| a.per_s.total_cmp(&b.per_s));
        let per_s = rates.get(rates.len() / 2).map_or(0.0, |rate| rate.per_s);
        let mut all: Vec<_> = rates.into_iter().flat_map(|rate| rate.latencies).collect();
        all.sort_unstable();
        let quantile = |of_100: usize| {
            let at = (all.len() * of_100 / 100).min(all.len().saturating_sub(1));
            all.get(at).map_or(0.0, Duration::as_secs_f64) * 1_000.0
        };
        Self {
            per_s,
            p50_ms: quantile(50),
            p99_ms: quantile(99),
            answers: all.len() as u64,
        }
    }
}

impl Load {
    pub(super) async fn connect(
        node: &Node,
        bank: &Arc<Bank>,
        step: i64,
        clients: usize,
        seats: Seats,
    ) -> Result<Self, BenchError> {
        let lanes =
            Lanes::open(clients, seats).map_err(system("there are no threads for clients"))?;
        let (mut product, mut empty) = (Vec::new(), Vec::new());
        let each = u32::try_from(clients).unwrap_or(u32::MAX);
        for (number, at) in (0..each).zip(0..) {
            let bound = |number: u32| {
                u32::try_from(u64::from(bank.tokens) * u64::from(number) / u64::from(each))
                    .unwrap_or(bank.tokens)
            };
            let share = bound(number)..bound(number + 1);
            product.push(Client {
                number: at,
                connection: connect(&lanes, at, &node.product).await?,
                next: share.start,
                request: Request::new(bank.key.expose()),
                uncomputed: (share.start, step),
                share,
                step: Arc::new(AtomicI64::new(step)),
                ready: VecDeque::new(),
            });
            empty.push(connect(&lanes, at, &node.empty).await?);
        }
        Ok(Self {
            lanes,
            product,
            empty,
            shared: Arc::new(Shared {
                step: AtomicI64::new(step),
                moved: Notify::new(),
                finished: Notify::new(),
                over: AtomicBool::new(false),
            }),
            bank: Arc::clone(bank),
            rate: RATE_AT_FIRST,
        })
    }

    /// The first step whose codes are all unused.
    pub(super) fn fresh_step(&self) -> i64 {
        let steps = self
            .product
            .iter()
            .map(|client| client.step.load(Ordering::Relaxed));
        steps.max().unwrap_or(0) + 2
    }

    /// Whether each token had its turn since `step`.
    pub(super) fn has_asked_for_all(&self, step: i64) -> bool {
        let mut steps = (self.product.iter()).map(|client| client.step.load(Ordering::Relaxed));
        steps.all(|now| now > step)
    }

    /// Lets each client go on from another part of its share. Of more users than a node remembers it knows those who came first, and in all shares those are the first ones.
    pub(super) fn scatter(&mut self) {
        let clients = self.product.len() as u64;
        for (number, client) in (0..).zip(&mut self.product) {
            client.go_on_from(number, clients);
        }
    }

    /// One verification, to see that the node is up.
    pub(super) async fn first_answer(&mut self) -> Result<(), BenchError> {
        if let Some(client) = self.product.first_mut() {
            client.verify(&self.bank).await?;
            client.advance();
        }
        Ok(())
    }

    /// Computes the codes of the next turn: half as many again as it would need at the rate of the last one.
    ///
    /// # Errors
    /// As [`Bank::code`].
    pub(super) fn make_ready(&mut self, turn: Duration) -> Result<(), BenchError> {
        let wanted = self.rate * turn.as_millis() * 3 / 2 / 1_000;
        let wanted = usize::try_from(wanted).unwrap_or(READY_MAX).min(READY_MAX);
        let each = wanted.div_ceil(self.product.len().max(1));
        for client in &mut self.product {
            client.make_ready(&self.bank, each)?;
        }
        Ok(())
    }

    /// Drives the handler that does nothing.
    pub(super) async fn empty(&mut self, duration: Duration) -> Result<Rate, BenchError> {
        let began = now();
        let mut running = JoinSet::new();
        for (number, mut connection) in std::mem::take(&mut self.empty).into_iter().enumerate() {
            let client = async move {
                let request = empty_request();
                let mut latencies = Vec::new();
                while began.elapsed() < duration {
                    let asked = now();
                    connection.accepted(&request, EMPTY_RIGHT).await?;
                    latencies.push(asked.elapsed());
                }
                Ok::<_, BenchError>(((number, connection), Turn { latencies }))
            };
            running.spawn_on(client, self.lanes.runtime(number));
        }
        let (mut connections, rate) = gather(running, began).await?;
        // Each goes on where it lives.
        connections.sort_unstable_by_key(|(number, _)| *number);
        self.empty = connections
            .into_iter()
            .map(|(_, connection)| connection)
            .collect();
        Ok(rate)
    }

    /// Drives the product with right codes, and moves the node's clock along.
    pub(super) async fn verify(
        &mut self,
        node: &mut Node,
        duration: Duration,
    ) -> Result<Rate, BenchError> {
        let began = now();
        let steps: Vec<_> = self
            .product
            .iter()
            .map(|client| Arc::clone(&client.step))
            .collect();
        self.shared.over.store(false, Ordering::Relaxed);
        let mut running = JoinSet::new();
        for client in std::mem::take(&mut self.product) {
            let (shared, bank) = (Arc::clone(&self.shared), Arc::clone(&self.bank));
            let home = self.lanes.runtime(client.number).clone();
            running.spawn_on(client.turn(shared, bank, began, duration), &home);
        }
        let gathering = gather(running, began);
        tokio::pin!(gathering);
        loop {
            let finished = self.shared.finished.notified();
            let slowest = steps.iter().map(|step| step.load(Ordering::Acquire)).min();
            if let Some(slowest) = slowest
                && slowest > self.shared.step.load(Ordering::Relaxed)
            {
                node.move_clock(slowest).await?;
                self.shared.step.store(slowest, Ordering::Release);
                self.shared.moved.notify_waiters();
            }
            tokio::select! {
                gathered = &mut gathering => {
                    let (clients, rate) = gathered?;
                    self.rate = rate.answers() as u128 * 1_000 / began.elapsed().as_millis().max(1);
                    self.product = clients;
                    return Ok(rate);
                }
                () = finished => {}
                () = tokio::time::sleep_until((began + duration).into()), if !self.shared.over.load(Ordering::Relaxed) => {
                    // Who waits for the clock waits no more.
                    self.shared.over.store(true, Ordering::Relaxed);
                    self.shared.moved.notify_waiters();
                }
            }
        }
    }
}

async fn gather<C: 'static>(
    mut running: JoinSet<Result<(C, Turn), BenchError>>,
    began: Instant,
) -> Result<(Vec<C>, Rate), BenchError> {
    let (mut clients, mut latencies) = (Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (client, turn) = done.map_err(|_| BenchError::Node("a client ended".to_owned()))??;
        clients.push(client);
        latencies.extend(turn.latencies);
    }
    let answers = u32::try_from(latencies.len()).unwrap_or(u32::MAX);
    let per_s = f64::from(answers) / began.elapsed().as_secs_f64();
    Ok((clients, Rate { per_s, latencies }))
}

impl Client {
    async fn turn(
        mut self,
        shared: Arc<Shared>,
        bank: Arc<Bank>,
        began: Instant,
        duration: Duration,
    ) -> Result<(Self, Turn), BenchError> {
        let mut latencies = Vec::new();
        while began.elapsed() < duration {
            let step = self.step.load(Ordering::Relaxed);
            loop {
                let moved = shared.moved.notified();
                if step <= shared.step.load(Ordering::Acquire) + 1
                    || shared.over.load(Ordering::Relaxed)
                {
                    break;
                }
                moved.await;
            }
            if step > shared.step.load(Ordering::Acquire) + 1 {
                break;
            }
            latencies.push(self.verify(&bank).await?);
            if self.advance() {
                shared.finished.notify_one();
            }
        }
        Ok((self, Turn { latencies }))
    }

    /// Goes on from the token that this part of the share is before, at the next step.
    fn go_on_from(&mut self, part: u64, parts: u64) {
        let length = u64::from(self.share.end - self.share.start);
        let skipped = u32::try_from(length * part / parts).unwrap_or(0);
        let step = self.step.load(Ordering::Relaxed) + 1;
        self.next = self.share.start + skipped;
        self.step.store(step, Ordering::Release);
        self.uncomputed = (self.next, step);
        self.ready.clear();
    }

    /// Computes codes until so many are ready.
    fn make_ready(&mut self, bank: &Bank, count: usize) -> Result<(), BenchError> {
        while self.ready.len() < count {
            let code = self.compute(bank)?;
            self.ready.push_back(code);
        }
        Ok(())
    }

    /// The next code that is not computed yet.
    fn compute(&mut self, bank: &Bank) -> Result<Code, BenchError> {
        let (token, step) = self.uncomputed;
        self.uncomputed = self.after(token, step);
        bank.code(token, step)
    }

    async fn verify(&mut self, bank: &Bank) -> Result<Duration, BenchError> {
        let code = match self.ready.pop_front() {
            Some(code) => code,
            None => self.compute(bank)?,
        };
        let request = self.request.of(self.next, &code);
        let asked = now();
        self.connection.accepted(request, RIGHT).await?;
        Ok(asked.elapsed())
    }

    /// What is asked for after a token's code of a time step: the next token's of the share, or the first one's of the next step.
    const fn after(&self, token: u32, step: i64) -> (u32, i64) {
        if token + 1 < self.share.end {
            (token + 1, step)
        } else {
            (self.share.start, step + 1)
        }
    }

    /// Goes on to the next token; whether the share is through, and another step begins.
    fn advance(&mut self) -> bool {
        let before = self.step.load(Ordering::Relaxed);
        let (next, step) = self.after(self.next, before);
        self.next = next;
        self.step.store(step, Ordering::Release);
        step > before
    }
}

/// A request to verify a code. Login and code always have the same lengths, and stand at the same places.
struct Request {
    text: Vec<u8>,
    login: Range<usize>,
    code: Range<usize>,
}

impl Request {
    fn new(key: &str) -> Self {
        let (login, code) = (
            login_id(0),
            "0".repeat(Policy::manual().parameters.digits.into()),
        );
        let path = format!("POST /api/v1/services/{SERVICE}/users/");
        let body = format!("{{\"code\":\"{code}\"}}");
        let text = format!(
            "{path}{login}/verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let code_at = text.len() - "\"}".len() - code.len();
        Self {
            login: path.len()..path.len() + login.len(),
            code: code_at..code_at + code.len(),
            text: text.into_bytes(),
        }
    }

    /// The request with this token's code.
    fn of(&mut self, token: u32, code: &Code) -> &[u8] {
        self.text[self.login.clone()].copy_from_slice(login_id(token).as_bytes());
        self.text[self.code.clone()].copy_from_slice(code.expose().as_bytes());
        &self.text
    }
}

fn empty_request() -> Vec<u8> {
    let body = "{\"code\":\"123456\"}";
    format!(
        "POST /empty HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection that is kept open.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(system("cannot reach the node"))?;
        stream
            .set_nodelay(true)
            .map_err(system("cannot reach the node"))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(ANSWER_BYTES_MAX),
        })
    }

    /// Sends a request and reads the whole answer, which must be the right one to a right code.
    async fn accepted(&mut self, request: &[u8], right: &[&[u8]]) -> Result<(), BenchError> {
        let lost = || system("the node's connection broke");
        self.stream.write_all(request).await.map_err(lost())?;
        self.buffer.clear();
        loop {
            let read = self
                .stream
                .read_buf(&mut self.buffer)
                .await
                .map_err(lost())?;
            if read == 0 || self.buffer.len() > ANSWER_BYTES_MAX {
                return Err(self.unexpected());
            }
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut answer = httparse::Response::new(&mut headers);
            let Ok(httparse::Status::Complete(head)) = answer.parse(&self.buffer) else {
                continue;
            };
            let length = answer
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"))
                .and_then(|header| {
                    std::str::from_utf8(header.value)
                        .ok()?
                        .parse::<usize>()
                        .ok()
                });
            let (Some(200), Some(length)) = (answer.code, length) else {
                return Err(self.unexpected());
            };
            if self.buffer.len() >= head + length {
                let body = &self.buffer[head..];
                let right = right.iter().any(|words| body.starts_with(words));
                return if right {
                    Ok(())
                } else {
                    Err(self.unexpected())
                };
            }
        }
    }

    fn unexpected(&self) -> BenchError {
        BenchError::Answer(String::from_utf8_lossy(&self.buffer).into_owned())
    }
}
