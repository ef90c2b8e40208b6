//! Requests that come twice (R21): a write that names an idempotency key keeps its answer in the transaction of the change, and the
//! same request under the same key gets the same answer, whatever happened in between.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_store::{NewAnswer, StoredAnswer, Tx};

use super::Failure;
use super::api_clients::ApiCaller;

/// The longest key, in characters.
pub const KEY_MAX: usize = 255;

/// The name that a caller gave to a write, and what it asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// 1 to [`KEY_MAX`] visible ASCII characters, chosen by the caller.
    pub key: String,
    /// SHA-256 of what was asked: the same key for another request is a mistake of the caller.
    pub request_hash: [u8; 32],
}

impl Idempotency {
    /// A key with the request that came under it: method, path and body.
    ///
    /// # Errors
    /// [`Refusal::IdempotencyKeyFormat`].
    pub fn new(key: &str, method: &str, path: &str, body: &[u8]) -> Result<Self, Refusal> {
        let fits =
            (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(Refusal::IdempotencyKeyFormat);
        }
        // Neither a method nor a path holds a zero byte, so no two requests have the same text.
        let mut request = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes()] {
            request.update(part);
            request.update([0]);
        }
        request.update(body);
        Ok(Self {
            key: key.to_owned(),
            request_hash: request.finalize().into(),
        })
    }
}

/// The answer that was given before to the same request; `None` for a new one.
///
/// # Errors
/// [`Refusal::IdempotencyKeyReused`] when the key was used for another request.
pub(super) async fn known_answer<T: DeserializeOwned>(
    tx: &mut Tx,
    caller: &ApiCaller,
    idempotency: Option<&Idempotency>,
) -> Result<Option<T>, Failure> {
    let Some(asked) = idempotency else {
        return Ok(None);
    };
    let known = tx.api_answer(&caller.client_id, &asked.key).await?;
    known.map(|kept| read_answer(&kept, asked)).transpose()
}

/// Keeps the answer with the change that it tells of. `false` when the same key came first in another transaction: then this
/// one must not be committed, and [`known_answer`] finds what the other one left.
pub(super) async fn keep_answer<T: Serialize>(
    tx: &mut Tx,
    caller: &ApiCaller,
    idempotency: Option<&Idempotency>,
    answer: &T,
    now: UnixMillis,
) -> Result<bool, Failure> {
    let Some(asked) = idempotency else {
        return Ok(true);
    };
    let new = new_answer(caller, asked, answer)?;
    Ok(tx.insert_api_answers(&[new], now).await?)
}

/// Reads what was kept for this request.
///
/// # Errors
/// [`Refusal::IdempotencyKeyReused`] when the key was used for another request.
pub(super) fn read_answer<T: DeserializeOwned>(
    kept: &StoredAnswer,
    asked: &Idempotency,
) -> Result<T, Failure> {
    if kept.request_hash != asked.request_hash {
        return Err(Refusal::IdempotencyKeyReused.into());
    }
    serde_json::from_str(&kept.answer).map_err(|_| Failure::fault("a stored answer cannot be read"))
}

/// An answer to this request, to be kept.
pub(super) fn new_answer<T: Serialize>(
    caller: &ApiCaller,
    asked: &Idempotency,
    answer: &T,
) -> Result<NewAnswer, Failure> {
    Ok(NewAnswer {
        client_id: caller.client_id.clone(),
        key: asked.key.clone(),
        answer: StoredAnswer {
            request_hash: asked.request_hash,
            answer: serde_json::to_string(answer)
                .map_err(|_| Failure::fault("an answer is no JSON"))?,
        },
    })
}
