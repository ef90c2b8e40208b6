//! A server for the app to talk to: the server's half of the handshake, with the counting and repeating that PRODUCT.md and
//! the protocol ask for, in memory. And an app that can be killed between any two steps.

use std::collections::BTreeMap;
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use warifu_activation::client::Registration;
use warifu_activation::messages::{
    FinishRequest, FinishResponse, Record, StartRequest, StartResponse,
};
use warifu_activation::server::{self, Attempt, Setup};
use warifu_activation::{ActivationPassword, Binding, Id, Randomness};
use warifu_authenticator::activation::{
    Answer, FINISH_PATH, Next, Order, Progress, Request, START_PATH, Trip,
};
use warifu_authenticator::file::TokenFolder;
use warifu_authenticator::{LocalId, ServerAddress, Tokens};
use warifu_core::id::{ServiceId, TokenUserId};
use warifu_core::oath::{Algorithm, Parameters, Seed};
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;

pub(crate) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
pub(crate) const STARTS_MAX: u32 = 5;

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(crate) fn password(digits: &str) -> ActivationPassword {
    ActivationPassword::new(digits).unwrap()
}

/// Where an issuance stands on the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Issued {
    Open,
    Consumed,
    Over(Refusal),
}

struct Try {
    start: [u8; 32],
    answer: StartResponse,
    state: Vec<u8>,
    reply: Option<([u8; 32], FinishResponse)>,
}

pub(crate) struct Server {
    pub(crate) order: Order,
    pub(crate) state: Issued,
    /// The server's clock, ahead of the app's by so much.
    pub(crate) ahead_ms: i64,
    /// Starts that were counted.
    pub(crate) starts: u32,
    /// What every token that was made is computed from.
    pub(crate) seeds: Vec<Seed>,
    setup: Setup,
    binding: Binding,
    record: Record,
    tries: BTreeMap<String, Try>,
    rng: ChaCha20Rng,
}

impl Server {
    /// A server with one issuance, for which `digits` were chosen.
    pub(crate) fn issuing(digits: &str) -> Self {
        let mut rng = rng(1);
        let service_id = ServiceId::parse("demo-bank").unwrap();
        let token_user_id = TokenUserId::new(&mut rng);
        let setup = Setup::generate(draw(&mut rng));
        let binding = Binding {
            service_id: Id::new(service_id.as_str()).unwrap(),
            token_user_id: Id::new(token_user_id.as_str()).unwrap(),
            issuance_id: Id::new("issuance-1").unwrap(),
            parameters: Parameters::new(Algorithm::Sha256, 6, 60).unwrap(),
        };
        let page = Registration::start(&password(digits), draw(&mut rng)).unwrap();
        let evaluated = setup.register(binding.clone(), &page.request()).unwrap();
        let record = page.finish(&password(digits), &evaluated).unwrap().record;
        Self {
            order: Order {
                server: ServerAddress::parse("https://bank.example").unwrap(),
                service_id,
                token_user_id,
            },
            state: Issued::Open,
            ahead_ms: 0,
            starts: 0,
            seeds: Vec::new(),
            setup,
            binding,
            record,
            tries: BTreeMap::new(),
            rng,
        }
    }

    /// What happens to tries that no finish came for, after some minutes.
    pub(crate) fn forget_unfinished_tries(&mut self) {
        self.tries.retain(|_, one| one.reply.is_some());
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let answer = match request.path {
            START_PATH => self.start(&request.body),
            FINISH_PATH => self.finish(&request.body),
            other => panic!("no such path: {other}"),
        };
        answer.map_or_else(
            |refusal| Answer::Refused(refusal.code().to_owned()),
            Answer::Message,
        )
    }

    fn start(&mut self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request = StartRequest::decode(body).map_err(|_| Refusal::ActivationMessage)?;
        let server_time_ms = NOW.0 + self.ahead_ms;
        if let Some(known) = self.tries.get(request.attempt_id.as_str()) {
            if known.start != request.digest() {
                return Err(Refusal::ActivationMessage);
            }
            return Ok(known.answer.encode());
        }
        let genuine = request.token_user_id == self.binding.token_user_id
            && request.service_id == self.binding.service_id
            && self.starts < STARTS_MAX;
        let (record, binding, randomness) = if genuine {
            self.starts += 1;
            let randomness = draw(&mut self.rng);
            (
                server::Answer::Genuine(&self.record),
                self.binding.clone(),
                randomness,
            )
        } else {
            let (service_id, user_id) = (&request.service_id, &request.token_user_id);
            let decoy = Binding {
                service_id: service_id.clone(),
                token_user_id: user_id.clone(),
                issuance_id: self.setup.public_issuance_id(service_id, user_id, None),
                parameters: self.binding.parameters,
            };
            (
                server::Answer::Unknown,
                decoy,
                self.setup.decoy_randomness(&request),
            )
        };
        let (attempt, answer) = self
            .setup
            .start(record, binding, &request, server_time_ms, randomness)
            .unwrap();
        let body = answer.encode();
        if genuine {
            let known = Try {
                start: request.digest(),
                answer,
                state: attempt.to_bytes().to_vec(),
                reply: None,
            };
            self.tries.insert(request.attempt_id.to_string(), known);
        }
        Ok(body)
    }

    fn finish(&mut self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request = FinishRequest::decode(body).map_err(|_| Refusal::ActivationMessage)?;
        let known = self
            .tries
            .get_mut(request.attempt_id.as_str())
            .ok_or(Refusal::ActivationAttemptOver)?;
        if let Some((digest, reply)) = &known.reply {
            let same = *digest == request.digest();
            return same
                .then(|| reply.encode())
                .ok_or(Refusal::ActivationRefused);
        }
        let agreed = Attempt::from_bytes(&known.state)
            .unwrap()
            .finish(&request)
            .map_err(|_| Refusal::ActivationRefused)?;
        match self.state {
            Issued::Open => {}
            Issued::Consumed => return Err(Refusal::AlreadyActivated),
            Issued::Over(refusal) => return Err(refusal),
        }
        self.state = Issued::Consumed;
        self.seeds.push(agreed.seed().clone());
        let reply = agreed.confirm(Id::new("token-1").unwrap());
        known.reply = Some((request.digest(), reply.clone()));
        Ok(reply.encode())
    }
}

fn draw(rng: &mut ChaCha20Rng) -> Randomness {
    let mut bytes = [0; Randomness::BYTES];
    rng.fill_bytes(&mut bytes);
    Randomness::new(bytes)
}

/// Where a run of the app ends before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Killed {
    /// Before the tokens are saved for the n-th time.
    BeforeSave(u32),
    /// After the n-th save: before the request goes out, or the request is lost.
    AfterSave(u32),
    /// After the server handled the n-th request: the answer is lost, or comes to an app that is gone.
    AfterServer(u32),
    /// Not at all.
    Never,
}

impl Killed {
    /// All places of a run without trouble, which saves three times and sends twice.
    pub(crate) const PLACES: [Self; 8] = [
        Self::BeforeSave(1),
        Self::AfterSave(1),
        Self::AfterServer(1),
        Self::BeforeSave(2),
        Self::AfterSave(2),
        Self::AfterServer(2),
        Self::BeforeSave(3),
        Self::AfterSave(3),
    ];
}

/// How a run of the app ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Run {
    Killed,
    Active(LocalId),
    Ended(Refusal),
    Refused(String),
}

/// One run of `add`, as an app does it, up to its end or to where it is killed.
pub(crate) fn add(
    server: &mut Server,
    folder: &Path,
    digits: &str,
    killed: Killed,
    seed: u8,
) -> Run {
    let mut rng = rng(seed);
    let password = password(digits);
    let order = server.order.clone();
    let (folder, mut tokens) = TokenFolder::open(folder, &mut rng, || {}).unwrap();
    let mut id = tokens.begin(&order, &password, &mut rng).unwrap();
    let (mut saves, mut sends) = (0, 0);
    loop {
        saves += 1;
        if killed == Killed::BeforeSave(saves) {
            return Run::Killed;
        }
        folder.save(&tokens, &mut rng).unwrap();
        if killed == Killed::AfterSave(saves) {
            return Run::Killed;
        }
        let Next::Send(request) = tokens.next(&id) else {
            return Run::Active(id);
        };
        let answer = server.answer(&request);
        sends += 1;
        if killed == Killed::AfterServer(sends) {
            return Run::Killed;
        }
        let progress = tokens
            .answered(&id, &answer, trip(0), Some(&password))
            .unwrap();
        match progress {
            Progress::Forward => {}
            Progress::BeginAgain => id = tokens.begin(&order, &password, &mut rng).unwrap(),
            Progress::Ended(refusal) => {
                folder.save(&tokens, &mut rng).unwrap();
                return Run::Ended(refusal);
            }
            Progress::Refused(code) => return Run::Refused(code),
        }
    }
}

/// A request that took so many milliseconds.
pub(crate) fn trip(ms: i64) -> Trip {
    Trip {
        sent_at: NOW,
        received_at: NOW.plus_ms(ms),
    }
}

/// What the folder holds.
pub(crate) fn kept(folder: &Path) -> Tokens {
    TokenFolder::open(folder, &mut rng(99), || {}).unwrap().1
}
