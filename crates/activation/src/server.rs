//! The half of the handshake that holds the record. It decides nothing about who may try how often: it computes, and says
//! whether a proof is right.

use opaque_ke::{Identifiers, ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup};
use warifu_core::oath::Seed;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    AttemptId, Binding, DecodeError, DeviceKey, Id, Randomness,
    binding::credential_identifier,
    codec::{Reader, Writer, put_lp},
    messages::{
        EvaluatedPassword, FinishRequest, FinishResponse, Ke1, Ke2, Record, RegistrationRequest,
        RegistrationResponse, StartRequest, StartResponse, put_binding, take_binding,
    },
    schedule::{HASH_BYTES, Keys, hmac_sha256, transcript},
    suite::{Generator, Suite, exact},
};

const SETUP_STATE: u8 = 0x51;
const ATTEMPT_STATE: u8 = 0x52;

const DECOY_LABEL: &[u8] = b"warifu/1 decoy";
const DECOY_START: &[u8] = b"start";
const DECOY_ISSUANCE: &[u8] = b"issuance";

/// The length of OPAQUE's own encoding of the setup: OPRF seed, private key, public key for decoys.
const SETUP_BYTES: usize = 97;
/// The length of OPAQUE's state between KE2 and KE3: session key and expected MAC.
const LOGIN_BYTES: usize = 64;

/// Why the server's half refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The app's proof is wrong: it did not know the password, or the proof belongs to another try.
    #[error("the proof is not of this attempt")]
    WrongProof,
    /// The message is of another service, user or attempt than the state it was brought together with.
    #[error("the message is about another service, user or attempt")]
    Mismatch,
    /// The cryptography failed on values that had passed every check; not the app's fault.
    #[error("the handshake could not be computed")]
    Internal,
}

/// The server's long-lived secrets: OPRF seed, static private key, and what decoys are made of. One for each installation;
/// without it, no issuance that is open can be activated. Sealed at rest.
pub struct Setup {
    opaque: ServerSetup<Suite>,
    decoy_key: Zeroizing<[u8; HASH_BYTES]>,
}

/// How a start is answered.
///
/// KE2 holds the password of the app evaluated under a key that the credential identifier selects, with or without a record.
/// Whoever has kept a genuine KE2 can check a guess against it with each evaluation under the same key. So a decoy for an
/// issuance whose starts are used up is made under another key; and because that change can be seen by sending the same
/// KE1 twice, ids that nobody knows change their key after as many starts.
#[derive(Clone, Copy)]
pub enum Answer<'a> {
    /// With the record of the issuance.
    Genuine(&'a Record),
    /// For ids that nobody knows, while an issuance would still have starts: under the key that it would have.
    Unknown,
    /// For an issuance that has starts left and may not use them: under a key of its own.
    Closed,
    /// For ids whose starts are used up, whether anybody knows them or not: under yet another key.
    Spent,
}

impl<'a> Answer<'a> {
    fn record(self) -> Option<&'a Record> {
        match self {
            Self::Genuine(record) => Some(record),
            Self::Unknown | Self::Closed | Self::Spent => None,
        }
    }

    fn label(self) -> Option<&'static [u8]> {
        match self {
            Self::Genuine(_) | Self::Unknown => None,
            Self::Closed => Some(b"closed"),
            Self::Spent => Some(b"spent"),
        }
    }
}

impl Setup {
    /// Makes new secrets, once in the life of an installation.
    #[must_use]
    pub fn generate(randomness: Randomness) -> Self {
        let mut generator = Generator::new(&randomness);
        drop(randomness);
        Self::of(ServerSetup::new(&mut generator.0))
    }

    fn of(opaque: ServerSetup<Suite>) -> Self {
        let secret = Zeroizing::new(exact::<SETUP_BYTES>(&opaque.serialize()));
        let decoy_key = Zeroizing::new(hmac_sha256(secret.as_slice(), DECOY_LABEL));
        Self { opaque, decoy_key }
    }

    /// The secrets as bytes, to be sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let secret = Zeroizing::new(exact::<SETUP_BYTES>(&self.opaque.serialize()));
        Writer::new(SETUP_STATE)
            .put(secret.as_slice())
            .finish_secret()
    }

    /// Reads the secrets back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the bytes of [`Setup::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, SETUP_STATE)?;
        let secret = Zeroizing::new(reader.array::<SETUP_BYTES>("setup")?);
        reader.end()?;
        let setup = ServerSetup::deserialize(secret.as_slice())
            .map(Self::of)
            .map_err(|_| DecodeError::Value { field: "setup" })?;
        // The library takes a second spelling of a public key (SEC 1's compact form).
        if setup.to_bytes().as_slice() == bytes {
            Ok(setup)
        } else {
            Err(DecodeError::Value { field: "setup" })
        }
    }

    /// Evaluates the blinded password of an issuance in the making.
    ///
    /// # Errors
    /// [`ServerError::Internal`].
    pub fn register(
        &self,
        binding: Binding,
        request: &RegistrationRequest,
    ) -> Result<RegistrationResponse, ServerError> {
        let started = ServerRegistration::start(
            &self.opaque,
            request.blinded.to_opaque(),
            &credential_identifier(&binding.service_id, &binding.token_user_id, None),
        )
        .map_err(|_| ServerError::Internal)?;
        Ok(RegistrationResponse {
            binding,
            evaluated: EvaluatedPassword::of(&started.message),
        })
    }

    /// Answers a start, with the record that was registered for `binding` or with a decoy that looks the same and that no
    /// proof can ever fit (R53), made with [`Setup::decoy_randomness`] and [`Setup::public_issuance_id`].
    ///
    /// The app learns from the answer whether its password was right, so the try is counted, and the count committed, before
    /// the answer goes out (R50). The state and the answer's bytes are kept with the attempt: the same start again gets the
    /// same KE2.
    ///
    /// # Errors
    /// [`ServerError::Mismatch`] when `binding` is of another service or user than the request; [`ServerError::Internal`].
    pub fn start(
        &self,
        answer: Answer<'_>,
        binding: Binding,
        request: &StartRequest,
        server_time_ms: i64,
        randomness: Randomness,
    ) -> Result<(Attempt, StartResponse), ServerError> {
        if request.service_id != binding.service_id
            || request.token_user_id != binding.token_user_id
        {
            return Err(ServerError::Mismatch);
        }
        let mut generator = Generator::new(&randomness);
        drop(randomness);
        let client_identity = binding.client_identity();
        let server_identity = binding.server_identity();
        let started = ServerLogin::start(
            &mut generator.0,
            &self.opaque,
            answer
                .record()
                .map(|record| ServerRegistration::finish(record.to_opaque())),
            request.ke1.to_opaque(),
            &credential_identifier(&binding.service_id, &binding.token_user_id, answer.label()),
            ServerLoginParameters {
                context: None,
                identifiers: Identifiers {
                    client: Some(&client_identity),
                    server: Some(&server_identity),
                },
            },
        )
        .map_err(|_| ServerError::Internal)?;
        let response = StartResponse {
            ke2: Ke2::of(&started.message),
            issuance_id: binding.issuance_id.clone(),
            parameters: binding.parameters,
            server_time_ms,
        };
        let attempt = Attempt {
            id: request.attempt_id.clone(),
            binding,
            ke1: request.ke1.clone(),
            ke2: response.ke2.clone(),
            login: exact(&started.state.serialize()),
        };
        Ok((attempt, response))
    }

    /// The randomness for a decoy: always the same for the same start, so that a decoy too answers a repeated start with the
    /// same bytes although nothing is kept of it.
    #[must_use]
    pub fn decoy_randomness(&self, request: &StartRequest) -> Randomness {
        let mut message = Vec::new();
        put_lp(&mut message, DECOY_START);
        message.extend_from_slice(&request.encode());
        Randomness::new(hmac_sha256(self.decoy_key.as_slice(), &message))
    }

    /// The name of an issuance towards apps: 32 hexadecimal digits that say nothing about it, not even when it was made.
    /// With `None`, the name of the issuance that a user nobody knows would have; the two kinds look alike, and both stay the
    /// same from start to start (R53).
    #[must_use]
    pub fn public_issuance_id(
        &self,
        service_id: &Id,
        token_user_id: &Id,
        issuance_id: Option<&str>,
    ) -> Id {
        let mut message = Vec::new();
        put_lp(&mut message, DECOY_ISSUANCE);
        put_lp(&mut message, service_id.as_str().as_bytes());
        put_lp(&mut message, token_user_id.as_str().as_bytes());
        put_lp(&mut message, issuance_id.unwrap_or_default().as_bytes());
        let name = hmac_sha256(self.decoy_key.as_slice(), &message);
        Id::of_bytes(&exact(&name[..16]))
    }
}

/// One try at activation between KE2 and KE3. Sealed at rest: it holds the session key.
#[derive(ZeroizeOnDrop)]
pub struct Attempt {
    #[zeroize(skip)]
    id: AttemptId,
    #[zeroize(skip)]
    binding: Binding,
    #[zeroize(skip)]
    ke1: Ke1,
    #[zeroize(skip)]
    ke2: Ke2,
    login: [u8; LOGIN_BYTES],
}

impl Attempt {
    /// The app's name for the try.
    #[must_use]
    pub fn attempt_id(&self) -> &AttemptId {
        &self.id
    }

    /// What the try is about.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Checks the app's proof, in constant time, and derives the token's keys.
    ///
    /// # Errors
    /// [`ServerError::Mismatch`] for the message of another attempt, [`ServerError::WrongProof`].
    pub fn finish(&self, request: &FinishRequest) -> Result<Agreed, ServerError> {
        if request.attempt_id != self.id {
            return Err(ServerError::Mismatch);
        }
        let finished = ServerLogin::<Suite>::deserialize(&self.login)
            .map_err(|_| ServerError::Internal)?
            .finish(request.ke3.to_opaque(), ServerLoginParameters::default())
            .map_err(|_| ServerError::WrongProof)?;
        let session_key = Zeroizing::new(exact::<HASH_BYTES>(&finished.session_key));
        let transcript = transcript(&self.ke1, &self.ke2, &request.ke3, &self.binding);
        Ok(Agreed {
            keys: Keys::derive(session_key.as_slice(), &self.binding, &transcript),
            transcript,
        })
    }

    /// The state as bytes, to be sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        put_binding(
            Writer::new(ATTEMPT_STATE).put(self.id.as_str().as_bytes()),
            &self.binding,
        )
        .put(self.ke1.as_bytes())
        .put(self.ke2.as_bytes())
        .put(&self.login)
        .finish_secret()
    }

    /// Reads the state back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the bytes of [`Attempt::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, ATTEMPT_STATE)?;
        let state = Self {
            id: reader.attempt_id()?,
            binding: take_binding(&mut reader)?,
            ke1: Ke1::from_slice(reader.take("KE1")?)?,
            ke2: Ke2::from_slice(reader.take("KE2")?)?,
            login: reader.array("login state")?,
        };
        reader.end()?;
        Ok(state)
    }
}

/// The proof was right: the token's keys, equal to the app's.
pub struct Agreed {
    keys: Keys,
    transcript: [u8; HASH_BYTES],
}

impl Agreed {
    /// What the token's codes are computed from.
    #[must_use]
    pub fn seed(&self) -> &Seed {
        &self.keys.seed
    }

    /// For messages about this token.
    #[must_use]
    pub fn device_key(&self) -> &DeviceKey {
        &self.keys.device_key
    }

    /// The last message. It is kept with the attempt, and goes out after the commit that activates the token.
    #[must_use]
    pub fn confirm(&self, token_id: Id) -> FinishResponse {
        let confirmation = self
            .keys
            .confirmation_key
            .confirm(&token_id, &self.transcript);
        FinishResponse {
            token_id,
            confirmation,
        }
    }
}
