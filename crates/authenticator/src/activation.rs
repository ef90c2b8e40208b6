//! One activation as a loop of steps (J3, R50 to R55): begin, save, send, take the answer, save, send, take the answer, save.
//! Nothing is sent or saved here. Killed between any two steps, the next run goes on with what was saved, and sends the
//! same bytes again.

use rand_core::CryptoRng;
use warifu_activation::client::{ClientError, Started};
use warifu_activation::messages::{FinishResponse, StartResponse};
use warifu_activation::{ActivationPassword, Id, Randomness};
use warifu_core::activation::{Consequence, consequence};
use warifu_core::id::{ServiceId, TokenUserId};
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;

use crate::tokens::{Active, TOKENS_PER_APP_MAX, first_name};
use crate::{LocalId, ServerAddress, State, Token, Tokens};

pub use warifu_activation::messages::{MEDIA_TYPE, MESSAGE_BYTES_MAX};

/// Where the first message goes, under the server's address.
pub const START_PATH: &str = "/activation/v1/start";

/// Where the second message goes, under the server's address.
pub const FINISH_PATH: &str = "/activation/v1/finish";

/// What a person types to add a token, beside the activation password. The user id's check digit is right: a typing mistake
/// does not come this far (R48).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The server.
    pub server: ServerAddress,
    /// サービスID.
    pub service_id: ServiceId,
    /// ユーザID.
    pub token_user_id: TokenUserId,
}

impl Order {
    fn is_of(&self, token: &Token) -> bool {
        token.server == self.server && self.is_about(token)
    }

    fn is_about(&self, token: &Token) -> bool {
        token.service_id == self.service_id && token.user_id == self.token_user_id
    }
}

/// What comes next for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Post this. The tokens are saved before, whatever happens after.
    Send(Request),
    /// Nothing: the token is active.
    Done,
}

/// A message to post to the token's server, with [`MEDIA_TYPE`] as its content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// [`START_PATH`] or [`FINISH_PATH`].
    pub path: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// What the server said. No answer at all, and an answer of somebody who is not the server's activation (a proxy's page, any
/// 5xx), is none of these: then nothing is done, and the same is sent another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200, with this body of [`MEDIA_TYPE`], at most [`MESSAGE_BYTES_MAX`] bytes.
    Message(Vec<u8>),
    /// A problem document (RFC 9457) with this `code` (PRODUCT.md §7).
    Refused(String),
}

/// When a request went out and when its answer came in, by this device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Before the first byte went out.
    pub sent_at: UnixMillis,
    /// After the last byte came in.
    pub received_at: UnixMillis,
}

impl Trip {
    /// What has to be added to this device's clock to get the server's, in milliseconds, taking the server to have read its
    /// clock halfway through (J7).
    #[must_use]
    pub fn offset_ms(self, server_time_ms: i64) -> i64 {
        let halfway_ms = self.received_at.since_ms(self.sent_at) / 2;
        UnixMillis(server_time_ms).since_ms(self.sent_at.plus_ms(halfway_ms))
    }
}

/// What an answer made of the token. Save the tokens after every one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// One step further: ask [`Tokens::next`] again.
    Forward,
    /// The try of an earlier run cannot go on (the server forgot it, or another password was typed); it is dropped. With the
    /// password at hand, [`Tokens::begin`] begins a new one, which is right and will not come back here.
    BeginAgain,
    /// Over: the token is dropped, it never became one. The person has to do something.
    Ended(Refusal),
    /// The server refuses for now, with this code; nothing changed.
    Refused(String),
}

/// Why an answer could not be taken, or an activation not be begun. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActivationError {
    /// The app holds its ten tokens already (R60).
    #[error("this app holds {TOKENS_PER_APP_MAX} tokens already")]
    AppFull,
    /// A try of an earlier run needs its password again.
    #[error("the activation password is needed again")]
    PasswordNeeded,
    /// No token has this id, or it waits for no answer.
    #[error("no activation waits for an answer under this id")]
    NotExpected,
    /// The server's answer is not part of this activation.
    #[error("the server's answer does not fit the protocol")]
    BadAnswer,
    /// 64 MiB of memory are needed and were not there, or the cryptography failed.
    #[error("the activation could not be computed: 64 MiB of memory are needed")]
    NotComputed,
}

impl ActivationError {
    fn of(error: ClientError) -> Self {
        match error {
            ClientError::Stretching => Self::NotComputed,
            _ => Self::BadAnswer,
        }
    }
}

impl Tokens {
    /// Begins the activation of what was typed, or takes up the unfinished one of the same order. Ends with the id of a token
    /// in any state; if it is active already, there is nothing left to do.
    ///
    /// # Errors
    /// [`ActivationError::AppFull`], before anything is sent, or [`ActivationError::NotComputed`].
    pub fn begin(
        &mut self,
        order: &Order,
        password: &ActivationPassword,
        rng: &mut impl CryptoRng,
    ) -> Result<LocalId, ActivationError> {
        if let Some(token) = self.0.iter().find(|token| order.is_of(token)) {
            return Ok(token.id.clone());
        }
        // The same ids begun at another server: the server's address had a typing mistake.
        let mistaken =
            |token: &Token| order.is_about(token) && matches!(token.state, State::Started(_));
        if self.0.iter().filter(|&token| !mistaken(token)).count() >= TOKENS_PER_APP_MAX {
            return Err(ActivationError::AppFull);
        }
        let mut randomness = [0_u8; Randomness::BYTES];
        rng.fill_bytes(&mut randomness);
        let started = Started::new(
            protocol_id(order.service_id.as_str()),
            protocol_id(order.token_user_id.as_str()),
            password,
            Randomness::new(randomness),
        )
        .map_err(|_| ActivationError::NotComputed)?;
        self.0.retain(|token| !mistaken(token));
        let id = self.unused_id(rng);
        self.0.push(Token {
            id: id.clone(),
            server: order.server.clone(),
            service_id: order.service_id.clone(),
            user_id: order.token_user_id.clone(),
            name: first_name(&order.service_id),
            offset_ms: 0,
            state: State::Started(started),
            of_an_earlier_run: false,
        });
        Ok(id)
    }

    /// What comes next for the token; [`Next::Done`] also when there is no such token.
    #[must_use]
    pub fn next(&self, id: &LocalId) -> Next {
        match self.find(id).map(|token| &token.state) {
            Some(State::Started(started)) => Next::Send(Request {
                path: START_PATH,
                body: started.request().encode(),
            }),
            Some(State::Pending(pending)) => Next::Send(Request {
                path: FINISH_PATH,
                body: pending.request().encode(),
            }),
            Some(State::Active(_)) | None => Next::Done,
        }
    }

    /// Takes the server's answer to what [`Tokens::next`] said to send. The answer to the first message needs the password;
    /// checking it runs Argon2id (a fraction of a second, 64 MiB).
    ///
    /// # Errors
    /// [`ActivationError`]; nothing changed, and the same may be sent again.
    pub fn answered(
        &mut self,
        id: &LocalId,
        answer: &Answer,
        trip: Trip,
        password: Option<&ActivationPassword>,
    ) -> Result<Progress, ActivationError> {
        let token = self.find_mut(id).ok_or(ActivationError::NotExpected)?;
        let message = match answer {
            Answer::Message(message) => message,
            Answer::Refused(code) => {
                let progress = match consequence(code, token.of_an_earlier_run, password.is_some())
                {
                    Consequence::Ended(refusal) => Progress::Ended(refusal),
                    Consequence::BeginAgain => Progress::BeginAgain,
                    Consequence::Refused => Progress::Refused(code.clone()),
                };
                return Ok(self.dropping(id, progress));
            }
        };
        match &token.state {
            State::Started(started) => {
                let password = password.ok_or(ActivationError::PasswordNeeded)?;
                let response =
                    StartResponse::decode(message).map_err(|_| ActivationError::BadAnswer)?;
                match started.finish(password, &response) {
                    Ok(pending) => {
                        // The answer to a repeated start may be the first one's very bytes, with its old time.
                        if !token.of_an_earlier_run {
                            token.offset_ms = trip.offset_ms(response.server_time_ms);
                        }
                        token.state = State::Pending(pending);
                        Ok(Progress::Forward)
                    }
                    Err(ClientError::WrongPasswordOrIds) => {
                        Ok(self.dropping(id, Progress::Ended(Refusal::ActivationRefused)))
                    }
                    Err(ClientError::AnotherPassword) => {
                        Ok(self.dropping(id, Progress::BeginAgain))
                    }
                    Err(error) => Err(ActivationError::of(error)),
                }
            }
            State::Pending(pending) => {
                let response =
                    FinishResponse::decode(message).map_err(|_| ActivationError::BadAnswer)?;
                let activated = pending.confirm(&response).map_err(ActivationError::of)?;
                token.state = State::Active(Active::of(&activated));
                Ok(Progress::Forward)
            }
            State::Active(_) => Err(ActivationError::NotExpected),
        }
    }

    fn dropping(&mut self, id: &LocalId, progress: Progress) -> Progress {
        if matches!(progress, Progress::BeginAgain | Progress::Ended(_)) {
            self.remove(id);
        }
        progress
    }
}

/// Service ids and token user ids are short and of letters, digits and hyphens: always ids of the protocol.
fn protocol_id(text: &str) -> Id {
    Id::new(text).unwrap_or_else(|_| unreachable!("an id of the core is one of the protocol"))
}
