//! J7, the server's side: what an app asks about its token after the activation (docs/protocol.md §6). The token's device key
//! proves who asks and who answers; whoever does not have it cannot tell an unknown token from somebody else's.

use serde::{Deserialize, Serialize};
use warifu_activation::DeviceKey;
use warifu_activation::Id;
use warifu_activation::device::{Ask, Proof, REQUEST_BYTES_MAX, is_nonce};
use warifu_core::audit::{Action, Origin};
use warifu_core::id::TokenId;
use warifu_core::life::{renew, renewable_from, standing_for_device};
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;
use warifu_store::StoredDevice;

use super::keys::Column;
use super::notices::{Facts, enqueue_to_all};
use super::{App, Failure, Record};
use crate::clock::random_bytes;

/// How often a renewal is tried again when another write came between.
const RACES_MAX: u32 = 5;

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    token_id: String,
    nonce: String,
}

impl Question {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal::DeviceMessage`] when it is too long, no such JSON, or holds what is no id or no nonce.
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(Refusal::DeviceMessage);
        }
        let question: Self = serde_json::from_slice(body).map_err(|_| Refusal::DeviceMessage)?;
        if Id::new(&question.token_id).is_err() || !is_nonce(&question.nonce) {
            return Err(Refusal::DeviceMessage);
        }
        Ok(question)
    }
}

/// The body of an answer, as docs/protocol.md has it.
#[derive(Serialize)]
struct Told<'a> {
    server_time_ms: i64,
    standing: &'static str,
    since_ms: Option<i64>,
    service_name: ServiceName<'a>,
    user_name: &'a str,
    help_desk: &'a str,
    expires_at_ms: Option<i64>,
    renewable_from_ms: Option<i64>,
}

#[derive(Serialize)]
struct ServiceName<'a> {
    ja: &'a str,
    en: &'a str,
}

/// An answer under the token's device key.
#[derive(Debug)]
pub struct SignedAnswer {
    /// The JSON as it is sent.
    pub body: Vec<u8>,
    /// The proof over it.
    pub proof: Proof,
}

impl App {
    /// Answers an app that asks about its token, or renews the token at its wish. A status writes nothing.
    ///
    /// # Errors
    /// [`Refusal::DeviceMessage`]; [`Refusal::DeviceRefused`] for a token that is not there and for a wrong proof alike;
    /// [`Refusal::ClockUnsure`] while no time can be signed (R19); [`Refusal::RenewalNotOpen`]: see [`renew`].
    pub async fn device(
        &self,
        ask: Ask,
        body: &[u8],
        proof: &Proof,
        origin: &Origin,
    ) -> Result<SignedAnswer, Failure> {
        let question = Question::read(body)?;
        let now = self.clock.steady().map_err(|_| Refusal::ClockUnsure)?;
        let token_id = TokenId::from_stored(&question.token_id);
        let found = self.store.read().await?.device(&token_id).await?;
        // The answer is the same when there is no such token; that it takes the time of one decryption less tells who has already
        // guessed a random id.
        let key = match &found {
            Some(device) => self.device_key(device).await?,
            None => DeviceKey::new(random_bytes()),
        };
        let proved = Proof::of_request(&key, ask, body).equals(proof);
        let device = found.filter(|_| proved).ok_or(Refusal::DeviceRefused)?;
        let device = match ask {
            Ask::Status => device,
            Ask::Renew => self.renew(device, &question.nonce, now, origin).await?,
        };
        answer(ask, &question, &device, &key, now)
    }

    async fn device_key(&self, device: &StoredDevice) -> Result<DeviceKey, Failure> {
        let column = Column::TokenDeviceKey {
            row: device.token.id.as_str(),
        };
        let bytes = self.keys.unseal(&column, &device.sealed_device_key).await?;
        let bytes = bytes.as_slice().try_into();
        Ok(DeviceKey::new(bytes.map_err(|_| {
            Failure::fault("a stored device key has the wrong length")
        })?))
    }

    /// Renews a token whose app has proved itself; gives it as it is then.
    ///
    /// # Errors
    /// [`Refusal::RenewalNotOpen`]; [`Refusal::Raced`].
    async fn renew(
        &self,
        device: StoredDevice,
        nonce: &str,
        now: UnixMillis,
        origin: &Origin,
    ) -> Result<StoredDevice, Failure> {
        for _ in 0..RACES_MAX {
            let mut tx = self.store.begin().await?;
            tx.lock_user(&device.user.id).await?;
            let device = tx
                .device(&device.token.id)
                .await?
                .ok_or(Refusal::DeviceRefused)?;
            let (user, policy) = (&device.user, &device.service.policy);
            let before = device.counter.version;
            let (token, counter) = renew(user, device.token, device.counter, policy, now)?;
            if !tx.swap_counter(&token.id, before, &counter).await? {
                continue;
            }
            if !tx.renew_token(&token, nonce, now).await? {
                // Somebody kept the request of an earlier renewal.
                return Err(Refusal::RenewalNotOpen.into());
            }
            let facts = Facts {
                at_ms: now.0,
                ends_at_ms: token.expires_at.map(|end| end.0),
                ..Facts::default()
            };
            enqueue_to_all(&mut tx, Notice::Renewed, user, &[], &facts, now).await?;
            let actor = Actor::user(user);
            let record = Record {
                now,
                service_id: Some(&user.service_id),
                actor: &actor,
                origin,
            };
            let target = ("token", token.id.as_str());
            record.write(&mut tx, Action::Renew, target, "done").await?;
            tx.commit().await?;
            self.wake_senders();
            return Ok(StoredDevice {
                token,
                counter,
                ..device
            });
        }
        Err(Refusal::Raced.into())
    }
}

fn answer(
    ask: Ask,
    question: &Question,
    device: &StoredDevice,
    key: &DeviceKey,
    now: UnixMillis,
) -> Result<SignedAnswer, Failure> {
    let StoredDevice {
        token,
        user,
        service,
        ..
    } = device;
    let (standing, since) = standing_for_device(token, now);
    let renewable_from = renewable_from(token.expires_at, &service.policy)
        .filter(|_| standing.may_be_renewed() && !user.disabled);
    let told = Told {
        server_time_ms: now.0,
        standing: standing.as_str(),
        since_ms: since.map(|at| at.0),
        service_name: ServiceName {
            ja: &service.name_ja,
            en: &service.name_en,
        },
        user_name: &user.name,
        help_desk: &service.help_desk,
        expires_at_ms: token.expires_at.map(|at| at.0),
        renewable_from_ms: renewable_from.map(|at| at.0),
    };
    let body =
        serde_json::to_vec(&told).map_err(|_| Failure::fault("a device answer is no JSON"))?;
    if u16::try_from(body.len()).is_err() {
        return Err(Failure::fault("a name is too long for a device answer"));
    }
    let (token_id, nonce) = (&question.token_id, &question.nonce);
    let proof = Proof::of_answer(key, ask, token_id, nonce, &body);
    Ok(SignedAnswer { body, proof })
}
