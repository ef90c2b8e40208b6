//! The client halves: the issuance page and the app, as far as the use cases see them.

use std::sync::OnceLock;

use warifu_activation::client::{ClientError, Pending, Registration, Started};
use warifu_activation::device::{Ask, Proof};
use warifu_activation::messages::{
    FinishRequest, FinishResponse, Ke3, Record, RegistrationRecord, RegistrationResponse,
    StartResponse,
};
use warifu_activation::server::Setup;
use warifu_activation::{ActivationPassword, Binding, DeviceKey, Id, Randomness};
use warifu_core::audit::Origin;
use warifu_core::oath::{self, totp};
use warifu_core::time::UnixMillis;
use warifu_server::app::session::Session;
use warifu_server::app::{App, Failure};
use warifu_server::clock::random_bytes;

use crate::bank::{Bank, MAIL, origin};

/// The activation password of every test.
pub(crate) const DIGITS: &str = "604817";
/// One that is wrong.
pub(crate) const OTHER_DIGITS: &str = "604818";

pub(crate) fn digits(typed: &str) -> ActivationPassword {
    ActivationPassword::new(typed).unwrap()
}

pub(crate) fn random() -> Randomness {
    Randomness::new(random_bytes())
}

/// What the mail says.
#[derive(Clone)]
pub(crate) struct Mailed {
    pub(crate) service_id: Id,
    pub(crate) token_user_id: Id,
}

/// J1 to its end, as the page does it.
pub(crate) async fn issue(app: &App, session: &Session) -> Mailed {
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let response = begin(app, session, &page).await;
    let record = page.finish(&digits(DIGITS), &response).unwrap();
    app.finish_issuance(session, &record.encode(), &origin())
        .await
        .unwrap();
    mailed(&response.binding)
}

/// J1 with a record that no activation password fits: for what ends before a proof, without the page's Argon2id.
pub(crate) async fn issue_hollow(app: &App, session: &Session) -> Mailed {
    let (record, binding) = hollow_record(app, session).await;
    app.finish_issuance(session, &record.encode(), &origin())
        .await
        .unwrap();
    mailed(&binding)
}

/// The first half of J1, and a record for the second that no activation password fits.
pub(crate) async fn hollow_record(app: &App, session: &Session) -> (RegistrationRecord, Binding) {
    static RECORD: OnceLock<Record> = OnceLock::new();
    let page = Registration::start(&digits(DIGITS), random()).unwrap();
    let response = begin(app, session, &page).await;
    let record = RECORD.get_or_init(|| {
        let elsewhere = Setup::generate(random());
        let response = elsewhere
            .register(response.binding.clone(), &page.request())
            .unwrap();
        page.finish(&digits(DIGITS), &response).unwrap().record
    });
    let record = RegistrationRecord {
        issuance_id: response.binding.issuance_id.clone(),
        record: record.clone(),
    };
    (record, response.binding)
}

async fn begin(app: &App, session: &Session, page: &Registration) -> RegistrationResponse {
    let request = page.request().encode();
    let begun = app
        .begin_issuance(session, (MAIL, MAIL), &request)
        .await
        .unwrap();
    RegistrationResponse::decode(&begun.response).unwrap()
}

fn mailed(binding: &Binding) -> Mailed {
    Mailed {
        service_id: binding.service_id.clone(),
        token_user_id: binding.token_user_id.clone(),
    }
}

/// A person begins to add a token.
pub(crate) fn started(mailed: &Mailed, typed: &str) -> Started {
    let (service_id, user_id) = (mailed.service_id.clone(), mailed.token_user_id.clone());
    Started::new(service_id, user_id, &digits(typed), random()).unwrap()
}

/// Sends the app's first message, from no address that could be slowed.
pub(crate) async fn start(app: &App, started: &Started) -> Result<StartResponse, Failure> {
    let nowhere = Origin {
        address: None,
        ..origin()
    };
    start_from(app, started, &nowhere).await
}

/// Sends the app's first message.
pub(crate) async fn start_from(
    app: &App,
    started: &Started,
    origin: &Origin,
) -> Result<StartResponse, Failure> {
    let request = started.request().encode();
    let reply = app.start_activation(&request, origin).await?;
    Ok(StartResponse::decode(&reply).unwrap())
}

/// The app with the right password, ready to send its proof.
pub(crate) async fn proved(app: &App, mailed: &Mailed) -> Pending {
    let started = started(mailed, DIGITS);
    let response = start(app, &started).await.unwrap();
    started.finish(&digits(DIGITS), &response).unwrap()
}

/// Sends the app's second message.
pub(crate) async fn finish(app: &App, pending: &Pending) -> Result<Vec<u8>, Failure> {
    app.finish_activation(&pending.request().encode(), &origin())
        .await
}

/// A proof that fits nothing.
pub(crate) fn made_up_proof(started: &Started) -> Vec<u8> {
    FinishRequest {
        attempt_id: started.attempt_id().clone(),
        ke3: Ke3::from_slice(&[7; 32]).unwrap(),
    }
    .encode()
}

/// Whether the app finds its password wrong.
pub(crate) fn finds_it_wrong(started: &Started, typed: &str, response: &StartResponse) -> bool {
    matches!(
        started.finish(&digits(typed), response),
        Err(ClientError::WrongPasswordOrIds)
    )
}

/// A device message as an app sends it.
#[derive(Clone)]
pub(crate) struct DeviceRequest {
    pub(crate) ask: Ask,
    pub(crate) body: String,
    pub(crate) proof: String,
}

/// An app with its token.
pub(crate) struct Phone {
    pub(crate) token_id: String,
    device_key: DeviceKey,
    seed: oath::Seed,
    parameters: oath::Parameters,
}

impl Phone {
    /// From the server's last message.
    pub(crate) fn of(pending: &Pending, reply: &[u8]) -> Self {
        let response = FinishResponse::decode(reply).unwrap();
        let activated = pending.confirm(&response).unwrap();
        let parameters = activated.parameters;
        let seed = activated.seed.expose().to_vec();
        Self {
            token_id: activated.token_id.as_str().to_owned(),
            device_key: activated.device_key.clone(),
            seed: oath::Seed::new(seed, parameters.algorithm).unwrap(),
            parameters,
        }
    }

    /// What the app asks about its token, with its proof.
    pub(crate) fn asks(&self, ask: Ask, nonce: &str) -> DeviceRequest {
        let token_id = &self.token_id;
        let body = format!("{{\"token_id\":\"{token_id}\",\"nonce\":\"{nonce}\"}}");
        self.asks_so(ask, body)
    }

    /// Any body with the app's proof.
    pub(crate) fn asks_so(&self, ask: Ask, body: String) -> DeviceRequest {
        let proof = Proof::of_request(&self.device_key, ask, body.as_bytes());
        DeviceRequest {
            ask,
            body,
            proof: proof.to_string(),
        }
    }

    /// Whether the app believes an answer to what it asked under this nonce.
    pub(crate) fn believes(&self, ask: Ask, nonce: &str, body: &str, proof: &str) -> bool {
        let right = Proof::of_answer(
            &self.device_key,
            ask,
            &self.token_id,
            nonce,
            body.as_bytes(),
        );
        Proof::parse(proof).is_some_and(|proof| proof.equals(&right))
    }

    /// The code of a time.
    pub(crate) fn code(&self, at: UnixMillis) -> String {
        let step = self.parameters.time_step(at.seconds());
        self.code_of_step(step)
    }

    fn code_of_step(&self, step: i64) -> String {
        totp::code(&self.seed, step, &self.parameters)
            .expose()
            .to_owned()
    }

    /// A code that is none of those around a time.
    pub(crate) fn wrong_code(&self, at: UnixMillis) -> String {
        let here = self.parameters.time_step(at.seconds());
        let near: Vec<_> = (-6..=6)
            .map(|offset| self.code_of_step(here + offset))
            .collect();
        (0..100)
            .map(|number| format!("{number:06}"))
            .find(|code| !near.contains(code))
            .unwrap()
    }
}

impl Bank {
    /// J1 and J3 for a user: from nothing to a token that was activated.
    pub(crate) async fn phone(&self, login: &str) -> Phone {
        let session = self.session(login).await;
        let mailed = issue(&self.app, &session).await;
        let pending = proved(&self.app, &mailed).await;
        let reply = finish(&self.app, &pending).await.unwrap();
        Phone::of(&pending, &reply)
    }
}
