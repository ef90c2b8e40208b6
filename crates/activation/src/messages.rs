//! The messages between app, page and server, and their one binary form (see [`codec`](crate::DecodeError) for how strictly
//! it is read). Points are checked to lie on the curve when a message is decoded, so whatever has been decoded can be used.

use std::fmt;

use opaque_ke::{
    CredentialFinalization, CredentialRequest, CredentialResponse,
    RegistrationRequest as OpaqueRegistrationRequest,
    RegistrationResponse as OpaqueRegistrationResponse, RegistrationUpload,
};
use sha2::{Digest, Sha256};
use warifu_core::oath::Parameters;
use zeroize::ZeroizeOnDrop;

pub use crate::codec::{FORMAT_VERSION, MESSAGE_BYTES_MAX};
use crate::{
    AttemptId, Binding, DecodeError, Id, SUITE_ID,
    codec::{Reader, Writer},
    parameters,
    schedule::HASH_BYTES,
    suite::{Suite, exact},
};

/// The media type of every message here, in both directions.
pub const MEDIA_TYPE: &str = "application/vnd.warifu.activation";

const REGISTRATION_REQUEST: u8 = 0x01;
const REGISTRATION_RESPONSE: u8 = 0x02;
const REGISTRATION_RECORD: u8 = 0x03;
const START_REQUEST: u8 = 0x11;
const START_RESPONSE: u8 = 0x12;
const FINISH_REQUEST: u8 = 0x13;
const FINISH_RESPONSE: u8 = 0x14;

macro_rules! opaque_bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal, $field:literal, $opaque:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
        pub struct $name([u8; $length]);

        impl $name {
            /// The length of every such message in bytes.
            pub const BYTES: usize = $length;

            /// Takes the bytes of RFC 9807's encoding.
            ///
            /// # Errors
            /// [`DecodeError`] when the length is another, a point is not on the curve, or it is spelled in another way than RFC 9807 does.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, DecodeError> {
                let exact: [u8; $length] = bytes.try_into().map_err(|_| DecodeError::Length {
                    field: $field,
                    expected: $length,
                    found: bytes.len(),
                })?;
                let refused = DecodeError::Value { field: $field };
                let read = $opaque::<Suite>::deserialize(&exact).map_err(|_| refused)?;
                // The library also takes SEC 1's compact form of a point, which it never writes.
                let again = Self::of(&read);
                if again.0 == exact { Ok(again) } else { Err(refused) }
            }

            /// The bytes of RFC 9807's encoding.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            pub(crate) fn of(opaque: &$opaque<Suite>) -> Self {
                Self(exact(&opaque.serialize()))
            }

            pub(crate) fn to_opaque(&self) -> $opaque<Suite> {
                $opaque::<Suite>::deserialize(&self.0)
                    .expect("the bytes were checked when the value was made")
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} ({} bytes)", $field, $length)
            }
        }
    };
}

opaque_bytes! {
    /// `RegistrationRequest` of RFC 9807 §5.1: the blinded activation password.
    BlindedPassword, 33, "registration request", OpaqueRegistrationRequest
}
opaque_bytes! {
    /// `RegistrationResponse` of RFC 9807 §5.1.
    EvaluatedPassword, 66, "registration response", OpaqueRegistrationResponse
}
opaque_bytes! {
    /// `RegistrationRecord` of RFC 9807 §5.1: what the server keeps of the activation password. Whoever holds it *and* the
    /// server's [`Setup`](crate::server::Setup) can try passwords against it, so it is sealed at rest.
    Record, 129, "registration record", RegistrationUpload
}
opaque_bytes! {
    /// `KE1` of RFC 9807 §6: the app's first message.
    Ke1, 98, "KE1", CredentialRequest
}
opaque_bytes! {
    /// `KE2` of RFC 9807 §6: the server's answer, real or decoy.
    Ke2, 259, "KE2", CredentialResponse
}
opaque_bytes! {
    /// `KE3` of RFC 9807 §6: the app's proof that the password was right.
    Ke3, 32, "KE3", CredentialFinalization
}

/// The page asks the server to evaluate the blinded activation password (issuance, J1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRequest {
    /// The blinded password.
    pub blinded: BlindedPassword,
}

impl RegistrationRequest {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::new(REGISTRATION_REQUEST)
            .put(SUITE_ID.as_bytes())
            .put(self.blinded.as_bytes())
            .finish()
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, REGISTRATION_REQUEST)?;
        reader.suite()?;
        let message = Self {
            blinded: BlindedPassword::from_slice(reader.take("registration request")?)?,
        };
        reader.end()?;
        Ok(message)
    }
}

/// The server's answer to the page, with everything that the record will be bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationResponse {
    /// The token-to-be.
    pub binding: Binding,
    /// The evaluated password and the server's public key.
    pub evaluated: EvaluatedPassword,
}

impl RegistrationResponse {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        put_binding(Writer::new(REGISTRATION_RESPONSE), &self.binding)
            .put(self.evaluated.as_bytes())
            .finish()
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, REGISTRATION_RESPONSE)?;
        let message = Self {
            binding: take_binding(&mut reader)?,
            evaluated: EvaluatedPassword::from_slice(reader.take("registration response")?)?,
        };
        reader.end()?;
        Ok(message)
    }
}

/// The page's last message: the record for the server to keep, and the issuance that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRecord {
    /// The issuance, as the server named it.
    pub issuance_id: Id,
    /// What the server keeps.
    pub record: Record,
}

impl RegistrationRecord {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::new(REGISTRATION_RECORD)
            .put(self.issuance_id.as_str().as_bytes())
            .put(self.record.as_bytes())
            .finish()
    }

    /// Reads the message. The record is checked in full: its length and that its public key is a point of the curve.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, REGISTRATION_RECORD)?;
        let message = Self {
            issuance_id: reader.id("issuance id")?,
            record: Record::from_slice(reader.take("registration record")?)?,
        };
        reader.end()?;
        Ok(message)
    }
}

/// The app's first message of an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRequest {
    /// The service id that the user typed.
    pub service_id: Id,
    /// The token user id that the user typed.
    pub token_user_id: Id,
    /// This try.
    pub attempt_id: AttemptId,
    /// OPAQUE's first message.
    pub ke1: Ke1,
}

impl StartRequest {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::new(START_REQUEST)
            .put(SUITE_ID.as_bytes())
            .put(self.service_id.as_str().as_bytes())
            .put(self.token_user_id.as_str().as_bytes())
            .put(self.attempt_id.as_str().as_bytes())
            .put(self.ke1.as_bytes())
            .finish()
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, START_REQUEST)?;
        reader.suite()?;
        let message = Self {
            service_id: reader.id("service id")?,
            token_user_id: reader.id("token user id")?,
            attempt_id: reader.attempt_id()?,
            ke1: Ke1::from_slice(reader.take("KE1")?)?,
        };
        reader.end()?;
        Ok(message)
    }

    /// SHA-256 over the encoded message: a second start under the same attempt id is the same one if and only if this is
    /// equal (R52).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

/// The server's answer to a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartResponse {
    /// OPAQUE's second message.
    pub ke2: Ke2,
    /// The issuance, as the server names it.
    pub issuance_id: Id,
    /// What the codes will look like.
    pub parameters: Parameters,
    /// The server's clock when it answered, in Unix milliseconds: a hint for the app's clock check (J7), protected by TLS
    /// alone. The other fields are bound by the handshake.
    pub server_time_ms: i64,
}

impl StartResponse {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::new(START_RESPONSE)
            .put(self.ke2.as_bytes())
            .put(self.issuance_id.as_str().as_bytes())
            .put(&parameters::encode(self.parameters))
            .put(&self.server_time_ms.to_be_bytes())
            .finish()
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, START_RESPONSE)?;
        let message = Self {
            ke2: Ke2::from_slice(reader.take("KE2")?)?,
            issuance_id: reader.id("issuance id")?,
            parameters: reader.parameters()?,
            server_time_ms: reader.time_ms("server time")?,
        };
        reader.end()?;
        Ok(message)
    }
}

/// The app's second message: the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishRequest {
    /// The try that was started.
    pub attempt_id: AttemptId,
    /// OPAQUE's third message.
    pub ke3: Ke3,
}

impl FinishRequest {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::new(FINISH_REQUEST)
            .put(self.attempt_id.as_str().as_bytes())
            .put(self.ke3.as_bytes())
            .finish()
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, FINISH_REQUEST)?;
        let message = Self {
            attempt_id: reader.attempt_id()?,
            ke3: Ke3::from_slice(reader.take("KE3")?)?,
        };
        reader.end()?;
        Ok(message)
    }

    /// SHA-256 over the encoded message, kept beside the reply: a second finish with the same digest gets the same reply
    /// (R52), any other is refused.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

/// The server's last message: the token is activated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishResponse {
    /// The new token.
    pub token_id: Id,
    /// HMAC-SHA-256 under the confirmation key, over "fin" | lp(token id) | transcript hash.
    pub confirmation: [u8; HASH_BYTES],
}

impl FinishResponse {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::new(FINISH_RESPONSE)
            .put(self.token_id.as_str().as_bytes())
            .put(&self.confirmation)
            .finish()
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but this message, whole and alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, FINISH_RESPONSE)?;
        let message = Self {
            token_id: reader.id("token id")?,
            confirmation: reader.array("confirmation")?,
        };
        reader.end()?;
        Ok(message)
    }
}

pub(crate) fn put_binding(writer: Writer, binding: &Binding) -> Writer {
    writer
        .put(binding.service_id.as_str().as_bytes())
        .put(binding.token_user_id.as_str().as_bytes())
        .put(binding.issuance_id.as_str().as_bytes())
        .put(&parameters::encode(binding.parameters))
}

pub(crate) fn take_binding(reader: &mut Reader<'_>) -> Result<Binding, DecodeError> {
    Ok(Binding {
        service_id: reader.id("service id")?,
        token_user_id: reader.id("token user id")?,
        issuance_id: reader.id("issuance id")?,
        parameters: reader.parameters()?,
    })
}
