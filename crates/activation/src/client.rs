//! The half of the handshake that knows the activation password: the issuance page ([`Registration`]) and the app
//! ([`Started`] → [`Pending`] → [`Activated`]).
//!
//! Each state is a value that turns into bytes and back, and each step is a function of the state and the message alone: an
//! app that is killed at any point and does the step again sends the very same bytes (R55). No state holds the password.
//! [`Started`] allows whoever reads it to try passwords offline, and [`Pending`] and [`Activated`] hold the seed: the app
//! seals all of them before they touch a disk.

use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, Identifiers, errors::ProtocolError,
};
use warifu_core::oath::{Parameters, Seed};
use zeroize::Zeroizing;

use crate::{
    ActivationPassword, AttemptId, Binding, DecodeError, DeviceKey, Id, Randomness,
    codec::{Reader, Writer},
    messages::{
        BlindedPassword, FinishRequest, FinishResponse, Ke1, Ke3, Record, RegistrationRecord,
        RegistrationRequest, RegistrationResponse, StartRequest, StartResponse, put_binding,
        take_binding,
    },
    schedule::{ConfirmationKey, HASH_BYTES, Keys, transcript},
    suite::{Generator, Suite, exact},
};

const REGISTRATION_STATE: u8 = 0x41;
const STARTED_STATE: u8 = 0x42;
const PENDING_STATE: u8 = 0x43;

/// Why the client's half cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The activation password, the service id or the token user id is not the one of an open issuance: which of them, nobody
    /// can tell. (Or somebody in between changed the server's answer.) The try is spent: a new one needs a new start.
    #[error("the activation password or one of the ids is wrong")]
    WrongPasswordOrIds,
    /// Another password than the one this step was begun with. Nothing is spent: the first one may be typed again.
    #[error("the activation password is another than before")]
    AnotherPassword,
    /// The server's answer cannot be part of a handshake.
    #[error("the server's answer does not fit the protocol")]
    BadAnswer,
    /// The server's last message does not prove that it activated this token. Repeat the finish.
    #[error("the server's confirmation is not of this activation")]
    NotConfirmed,
    /// Argon2id could not run: 64 MiB of memory are needed.
    #[error("the password could not be stretched: 64 MiB of memory are needed")]
    Stretching,
}

impl From<ProtocolError> for ClientError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::InvalidLoginError => Self::WrongPasswordOrIds,
            ProtocolError::LibraryError(opaque_ke::errors::InternalError::KsfError) => {
                Self::Stretching
            }
            _ => Self::BadAnswer,
        }
    }
}

/// The page's half of the registration, between its two messages (J1: the activation password never leaves the page).
pub struct Registration {
    randomness: Randomness,
    blinded: BlindedPassword,
}

impl Registration {
    /// Blinds the password.
    ///
    /// # Errors
    /// [`ClientError`] only if the cryptography itself fails.
    pub fn start(
        password: &ActivationPassword,
        randomness: Randomness,
    ) -> Result<Self, ClientError> {
        let (blinded, _) = blind_for_registration(password, &randomness)?;
        Ok(Self {
            randomness,
            blinded,
        })
    }

    /// The message for the server, the same each time.
    #[must_use]
    pub fn request(&self) -> RegistrationRequest {
        RegistrationRequest {
            blinded: self.blinded.clone(),
        }
    }

    /// Makes the record that the server will keep, bound to what the server said the issuance is. Runs Argon2id.
    ///
    /// # Errors
    /// [`ClientError::AnotherPassword`], [`ClientError::BadAnswer`] or [`ClientError::Stretching`].
    pub fn finish(
        &self,
        password: &ActivationPassword,
        response: &RegistrationResponse,
    ) -> Result<RegistrationRecord, ClientError> {
        let (blinded, (state, mut generator)) = blind_for_registration(password, &self.randomness)?;
        if blinded != self.blinded {
            return Err(ClientError::AnotherPassword);
        }
        let client_identity = response.binding.client_identity();
        let server_identity = response.binding.server_identity();
        let finished = state.finish(
            &mut generator.0,
            password.expose(),
            response.evaluated.to_opaque(),
            ClientRegistrationFinishParameters::new(
                Identifiers {
                    client: Some(&client_identity),
                    server: Some(&server_identity),
                },
                None,
            ),
        )?;
        Ok(RegistrationRecord {
            issuance_id: response.binding.issuance_id.clone(),
            record: Record::of(&finished.message),
        })
    }

    /// The state for the second step, where the first one's memory is gone by then.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Writer::new(REGISTRATION_STATE)
            .put(self.randomness.as_bytes())
            .put(self.blinded.as_bytes())
            .finish_secret()
    }

    /// Reads the state back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the bytes of [`Registration::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, REGISTRATION_STATE)?;
        let state = Self {
            randomness: Randomness::new(reader.array("randomness")?),
            blinded: BlindedPassword::from_slice(reader.take("registration request")?)?,
        };
        reader.end()?;
        Ok(state)
    }
}

type Blinded = (BlindedPassword, (ClientRegistration<Suite>, Generator));

fn blind_for_registration(
    password: &ActivationPassword,
    randomness: &Randomness,
) -> Result<Blinded, ClientError> {
    let mut generator = Generator::new(randomness);
    let started = ClientRegistration::<Suite>::start(&mut generator.0, password.expose())?;
    Ok((
        BlindedPassword::of(&started.message),
        (started.state, generator),
    ))
}

/// An activation that the app began: keep it *before* the first message goes out.
///
/// If the app dies before the server's answer, the kept bytes make the very same first message again, under the same attempt
/// id, and it does not count as another try. The password has to be typed again.
pub struct Started {
    attempt_id: AttemptId,
    service_id: Id,
    token_user_id: Id,
    randomness: Randomness,
    ke1: Ke1,
}

impl Started {
    /// Begins an activation with what the user typed.
    ///
    /// # Errors
    /// [`ClientError`] only if the cryptography itself fails.
    pub fn new(
        service_id: Id,
        token_user_id: Id,
        password: &ActivationPassword,
        randomness: Randomness,
    ) -> Result<Self, ClientError> {
        let run = blind_for_activation(password, &randomness)?;
        Ok(Self {
            attempt_id: run.attempt_id,
            service_id,
            token_user_id,
            randomness,
            ke1: run.ke1,
        })
    }

    /// The first message, the same each time.
    #[must_use]
    pub fn request(&self) -> StartRequest {
        StartRequest {
            service_id: self.service_id.clone(),
            token_user_id: self.token_user_id.clone(),
            attempt_id: self.attempt_id.clone(),
            ke1: self.ke1.clone(),
        }
    }

    /// The name of this try.
    #[must_use]
    pub fn attempt_id(&self) -> &AttemptId {
        &self.attempt_id
    }

    /// The service id that the user typed.
    #[must_use]
    pub fn service_id(&self) -> &Id {
        &self.service_id
    }

    /// The token user id that the user typed.
    #[must_use]
    pub fn token_user_id(&self) -> &Id {
        &self.token_user_id
    }

    /// Learns from the server's answer whether the password was right, and if so derives the keys. Runs Argon2id.
    ///
    /// # Errors
    /// [`ClientError::WrongPasswordOrIds`] spends the try; after [`ClientError::AnotherPassword`] the password that the try
    /// was begun with may still be typed; [`ClientError::BadAnswer`] and [`ClientError::Stretching`] change nothing.
    pub fn finish(
        &self,
        password: &ActivationPassword,
        response: &StartResponse,
    ) -> Result<Pending, ClientError> {
        let mut run = blind_for_activation(password, &self.randomness)?;
        if run.ke1 != self.ke1 {
            return Err(ClientError::AnotherPassword);
        }
        let binding = Binding {
            service_id: self.service_id.clone(),
            token_user_id: self.token_user_id.clone(),
            issuance_id: response.issuance_id.clone(),
            parameters: response.parameters,
        };
        let client_identity = binding.client_identity();
        let server_identity = binding.server_identity();
        let finished = run.login.finish(
            &mut run.generator.0,
            password.expose(),
            response.ke2.to_opaque(),
            ClientLoginFinishParameters::new(
                None,
                Identifiers {
                    client: Some(&client_identity),
                    server: Some(&server_identity),
                },
                None,
            ),
        )?;
        let session_key = Zeroizing::new(exact::<HASH_BYTES>(&finished.session_key));
        let ke3 = Ke3::of(&finished.message);
        let transcript = transcript(&self.ke1, &response.ke2, &ke3, &binding);
        let keys = Keys::derive(session_key.as_slice(), &binding, &transcript);
        Ok(Pending {
            attempt_id: self.attempt_id.clone(),
            binding,
            server_time_ms: response.server_time_ms,
            ke3,
            transcript,
            keys,
        })
    }

    /// The state to seal and keep before the first message goes out.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Writer::new(STARTED_STATE)
            .put(self.attempt_id.as_str().as_bytes())
            .put(self.service_id.as_str().as_bytes())
            .put(self.token_user_id.as_str().as_bytes())
            .put(self.randomness.as_bytes())
            .put(self.ke1.as_bytes())
            .finish_secret()
    }

    /// Reads the state back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the bytes of [`Started::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, STARTED_STATE)?;
        let state = Self {
            attempt_id: reader.attempt_id()?,
            service_id: reader.id("service id")?,
            token_user_id: reader.id("token user id")?,
            randomness: Randomness::new(reader.array("randomness")?),
            ke1: Ke1::from_slice(reader.take("KE1")?)?,
        };
        reader.end()?;
        Ok(state)
    }
}

struct ActivationRun {
    attempt_id: AttemptId,
    ke1: Ke1,
    login: ClientLogin<Suite>,
    generator: Generator,
}

fn blind_for_activation(
    password: &ActivationPassword,
    randomness: &Randomness,
) -> Result<ActivationRun, ClientError> {
    let mut generator = Generator::new(randomness);
    let attempt_id = AttemptId::draw(&mut generator);
    let started = ClientLogin::<Suite>::start(&mut generator.0, password.expose())?;
    Ok(ActivationRun {
        attempt_id,
        ke1: Ke1::of(&started.message),
        login: started.state,
        generator,
    })
}

/// The password was right and the seed is there; the server does not know yet. Keep it *before* the second message goes out:
/// from then on the kept bytes alone lead to the end, however often the message has to be repeated.
pub struct Pending {
    attempt_id: AttemptId,
    binding: Binding,
    server_time_ms: i64,
    ke3: Ke3,
    transcript: [u8; HASH_BYTES],
    keys: Keys,
}

impl Pending {
    /// The second message, the same each time.
    #[must_use]
    pub fn request(&self) -> FinishRequest {
        FinishRequest {
            attempt_id: self.attempt_id.clone(),
            ke3: self.ke3.clone(),
        }
    }

    /// The name of this try.
    #[must_use]
    pub fn attempt_id(&self) -> &AttemptId {
        &self.attempt_id
    }

    /// What the handshake was about.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The server's clock when it answered the start, in Unix milliseconds (J7).
    #[must_use]
    pub fn server_time_ms(&self) -> i64 {
        self.server_time_ms
    }

    /// Checks the server's last message.
    ///
    /// # Errors
    /// [`ClientError::NotConfirmed`] when it is not about this activation; the state stays as it is.
    pub fn confirm(&self, response: &FinishResponse) -> Result<Activated, ClientError> {
        if !self.keys.confirmation_key.confirms(
            &response.token_id,
            &self.transcript,
            &response.confirmation,
        ) {
            return Err(ClientError::NotConfirmed);
        }
        Ok(Activated {
            token_id: response.token_id.clone(),
            service_id: self.binding.service_id.clone(),
            token_user_id: self.binding.token_user_id.clone(),
            parameters: self.binding.parameters,
            seed: self.keys.seed.clone(),
            device_key: self.keys.device_key.clone(),
        })
    }

    /// The state to seal and keep before the second message goes out.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        put_binding(
            Writer::new(PENDING_STATE).put(self.attempt_id.as_str().as_bytes()),
            &self.binding,
        )
        .put(&self.server_time_ms.to_be_bytes())
        .put(self.ke3.as_bytes())
        .put(&self.transcript)
        .put(self.keys.seed.expose())
        .put(self.keys.device_key.expose())
        .put(self.keys.confirmation_key.as_bytes())
        .finish_secret()
    }

    /// Reads the state back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the bytes of [`Pending::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, PENDING_STATE)?;
        let attempt_id = reader.attempt_id()?;
        let binding = take_binding(&mut reader)?;
        let algorithm = binding.parameters.algorithm;
        let state = Self {
            attempt_id,
            binding,
            server_time_ms: reader.time_ms("server time")?,
            ke3: Ke3::from_slice(reader.take("KE3")?)?,
            transcript: reader.array("transcript")?,
            keys: Keys {
                seed: Seed::new(reader.take("seed")?.to_vec(), algorithm)
                    .ok_or(DecodeError::Value { field: "seed" })?,
                device_key: DeviceKey::new(reader.array("device key")?),
                confirmation_key: ConfirmationKey::new(reader.array("confirmation key")?),
            },
        };
        reader.end()?;
        Ok(state)
    }
}

/// A token that both sides know to be activated.
pub struct Activated {
    /// The new token.
    pub token_id: Id,
    /// The protected site.
    pub service_id: Id,
    /// The id that the mail named.
    pub token_user_id: Id,
    /// What its codes look like.
    pub parameters: Parameters,
    /// What its codes are computed from.
    pub seed: Seed,
    /// For messages about this token.
    pub device_key: DeviceKey,
}
