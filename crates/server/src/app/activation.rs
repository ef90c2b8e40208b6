//! J3, the server's side: the two messages of an app (docs/protocol.md). Cryptography runs outside of transactions; what
//! is counted is committed before the answer goes out (R50, invariant 3).

mod finishing;

use warifu_activation::messages::{Record as PasswordRecord, StartRequest};
use warifu_activation::server::{Answer, Attempt};
use warifu_activation::{Binding, Id, Randomness};
use warifu_core::activation::{
    ATTEMPT_LIVES_MS, DecoyKey, DecoyReason, STARTS_PERIOD_MS, Start, decoy_key, start,
    state_after_start,
};
use warifu_core::audit::{Action, Origin};
use warifu_core::id::{ServiceId, TokenUserId};
use warifu_core::issuance::{Issuance, IssuanceState};
use warifu_core::refusal::Refusal;
use warifu_core::service::{Policy, Service};
use warifu_core::throttle::FREE_PER_ADDRESS;
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;
use warifu_store::{AttemptState, StoredAttempt, StoredIssuance, Tx};

use super::keys::Column;
use super::sign_in::network_of;
use super::{App, Failure, Record};
use crate::clock::random_bytes;

/// How often a start is tried again when another one of the same issuance came between.
const RACES_MAX: u32 = 5;

/// Decoy attempts kept at most: a stranger who makes up ids cannot fill the database.
pub const DECOYS_MAX: u64 = 10_000;

/// An id of ours in the protocol's type.
pub(super) fn wire_id(text: &str) -> Result<Id, Failure> {
    Id::new(text).map_err(|_| Failure::fault("an id does not fit the protocol"))
}

/// What a start found in the database.
struct Found {
    service: Option<Service>,
    stored: Option<StoredIssuance>,
    decision: Start,
    /// The key that a decoy is made under.
    decoy_key: DecoyKey,
}

impl App {
    /// The first message of an app, and its answer. The same attempt with the same bytes gets the same answer and is not
    /// counted again; every other start is counted, and a start for ids that do not exist looks like any other (R53).
    ///
    /// # Errors
    /// [`Refusal::ActivationMessage`] for bytes that are no start, or another start under the same attempt;
    /// [`Refusal::TooManyRequests`] when the same address started too often without a right finish.
    pub async fn start_activation(
        &self,
        request: &[u8],
        origin: &Origin,
    ) -> Result<Vec<u8>, Failure> {
        let request = StartRequest::decode(request).map_err(|_| Refusal::ActivationMessage)?;
        for _ in 0..RACES_MAX {
            if let Some(reply) = self.try_start(&request, origin).await? {
                return Ok(reply);
            }
        }
        Err(Refusal::Raced.into())
    }

    async fn try_start(
        &self,
        request: &StartRequest,
        origin: &Origin,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let now = self.now();
        let mut tx = self.store.read().await?;
        if let Some(attempt) = tx.attempt(request.attempt_id.as_str()).await? {
            return known_start(&attempt, request).map(Some);
        }
        let found = look_up(&mut tx, request, now).await?;
        drop(tx);

        self.keys.ready_for_attempts(now).await?;
        let (attempt, reply) = self.answer_start(request, &found, now).await?;
        let issuance = found.stored.as_ref().map(|stored| &stored.issuance);
        let genuine = issuance.filter(|_| found.decision == Start::Genuine);
        let mut stored = StoredAttempt {
            attempt_id: request.attempt_id.as_str().to_owned(),
            service_id: request.service_id.as_str().to_owned(),
            token_user_id: request.token_user_id.as_str().to_owned(),
            issuance_id: genuine.map(|issuance| issuance.id.clone()),
            user_id: genuine.map(|issuance| issuance.user_id.clone()),
            counted: genuine.is_some(),
            ke1_hash: request.digest(),
            start_reply: reply.clone(),
            sealed_state: None,
            state: AttemptState::Open,
            finish_hash: None,
            finish_reply: None,
            started_at: now,
            expires_at: now.plus_ms(ATTEMPT_LIVES_MS),
        };

        let mut tx = self.store.begin().await?;
        if let Some(issuance) = genuine {
            tx.lock_user(&issuance.user_id).await?;
        }
        count_start_from(&mut tx, origin, now).await?;
        // What was read before the computation may have changed: the decision is taken again on what is true now.
        let again = look_up(&mut tx, request, now).await?;
        let version = |found: &Found| found.stored.as_ref().map(|stored| stored.version);
        if (again.decision, again.decoy_key) != (found.decision, found.decoy_key)
            || version(&again) != version(&found)
        {
            return Ok(None);
        }
        stored.sealed_state = Some(
            self.keys
                .seal_attempt(&stored.attempt_id, &attempt.to_bytes())?,
        );
        if !tx.insert_attempt(&stored).await? {
            return Ok(None);
        }
        let service_id = found.service.as_ref().map(|service| &service.id);
        let record = Record {
            now,
            service_id,
            actor: &Actor::System,
            origin,
        };
        match (&found.decision, &found.stored, &found.service) {
            (
                Start::Genuine,
                Some(StoredIssuance {
                    issuance, version, ..
                }),
                Some(service),
            ) => {
                let starts = issuance.starts + 1;
                let state = match issuance.state {
                    IssuanceState::Issued => state_after_start(starts, &service.policy),
                    ref other => other.clone(),
                };
                if !tx
                    .update_issuance(&issuance.id, *version, starts, &state)
                    .await?
                {
                    return Ok(None);
                }
                record
                    .write(
                        &mut tx,
                        Action::StartActivation,
                        ("issuance", issuance.id.as_str()),
                        "done",
                    )
                    .await?;
            }
            (Start::Decoy(reason), _, _) => {
                record
                    .write(
                        &mut tx,
                        Action::StartActivation,
                        ("attempt", &stored.attempt_id),
                        reason.as_str(),
                    )
                    .await?;
            }
            (Start::Genuine, _, _) => {
                return Err(Failure::fault("a genuine start without its issuance"));
            }
        }
        tx.commit().await?;
        Ok(Some(reply))
    }

    /// Computes KE2: with the record, or as a decoy.
    async fn answer_start(
        &self,
        request: &StartRequest,
        found: &Found,
        now: UnixMillis,
    ) -> Result<(Attempt, Vec<u8>), Failure> {
        let setup = self.keys.setup();
        let genuine = found
            .stored
            .as_ref()
            .filter(|_| found.decision == Start::Genuine);
        let known = found.stored.as_ref().map(|stored| &stored.issuance);
        let policy = Policy::manual();
        let parameters = match (known, &found.service) {
            (Some(issuance), _) => issuance.parameters,
            (None, Some(service)) => service.policy.parameters,
            (None, None) => policy.parameters,
        };
        let issuance_id = setup.public_issuance_id(
            &request.service_id,
            &request.token_user_id,
            known.map(|issuance| issuance.id.as_str()),
        );
        let binding = Binding {
            service_id: request.service_id.clone(),
            token_user_id: request.token_user_id.clone(),
            issuance_id,
            parameters,
        };
        let record = match genuine {
            Some(StoredIssuance {
                issuance,
                sealed_record: Some(sealed),
                ..
            }) => {
                let column = Column::IssuanceRecord {
                    row: issuance.id.as_str(),
                    parameters: &issuance.parameters,
                };
                let bytes = self.keys.unseal(&column, sealed).await?;
                Some(
                    PasswordRecord::from_slice(&bytes)
                        .map_err(|_| Failure::fault("a stored record is damaged"))?,
                )
            }
            Some(_) => return Err(Failure::fault("an open issuance without its record")),
            None => None,
        };
        let answer = match (&record, found.decoy_key) {
            (Some(record), _) => Answer::Genuine(record),
            (None, DecoyKey::Unknown) => Answer::Unknown,
            (None, DecoyKey::Closed) => Answer::Closed,
            (None, DecoyKey::Spent) => Answer::Spent,
        };
        let randomness = match record {
            Some(_) => Randomness::new(random_bytes()),
            None => setup.decoy_randomness(request),
        };
        let (attempt, response) = setup
            .start(answer, binding, request, now.0, randomness)
            .map_err(|_| Failure::fault("a start was not computed"))?;
        Ok((attempt, response.encode()))
    }
}

/// Counts a start from its network address, whatever it is for: whoever makes up ids is slowed, and cannot fill the
/// database. A right finish takes the count back, so that a company behind one address is not.
async fn count_start_from(tx: &mut Tx, origin: &Origin, now: UnixMillis) -> Result<(), Failure> {
    let Some(key) = source_key(origin) else {
        return Ok(());
    };
    let tries = tx.tries_to_change(&key, now).await?;
    tries
        .check(FREE_PER_ADDRESS, now)
        .map_err(|refusal| match refusal {
            Refusal::SignInSlowed { open_at } => Refusal::TooManyRequests { open_at },
            other => other,
        })?;
    Ok(tx.put_tries(&key, &tries.after_failure(now)).await?)
}

async fn refund_start_from(tx: &mut Tx, origin: &Origin, now: UnixMillis) -> Result<(), Failure> {
    let Some(key) = source_key(origin) else {
        return Ok(());
    };
    let tries = tx.tries_to_change(&key, now).await?;
    Ok(tx.put_tries(&key, &tries.refunded()).await?)
}

fn source_key(origin: &Origin) -> Option<String> {
    network_of(origin).map(|network| format!("activation_from/{network}"))
}

/// The stored answer to a start that came before, if it is the same start.
fn known_start(attempt: &StoredAttempt, request: &StartRequest) -> Result<Vec<u8>, Failure> {
    if attempt.ke1_hash == request.digest() {
        Ok(attempt.start_reply.clone())
    } else {
        Err(Refusal::ActivationMessage.into())
    }
}

/// Finds what a start is about and decides how to answer it.
async fn look_up(tx: &mut Tx, request: &StartRequest, now: UnixMillis) -> Result<Found, Failure> {
    // Only the canonical spelling names anything: what is counted and evaluated goes by the bytes that were sent.
    let (sent_service_id, sent_user_id) =
        (request.service_id.as_str(), request.token_user_id.as_str());
    let service_id = ServiceId::parse(sent_service_id)
        .ok()
        .filter(|id| id.as_str() == sent_service_id);
    let token_user_id = TokenUserId::parse(sent_user_id)
        .ok()
        .filter(|id| id.as_str() == sent_user_id);
    let service = match &service_id {
        Some(id) => tx.service(id).await?,
        None => None,
    };
    let stored = match (&service, &token_user_id) {
        (Some(service), Some(token_user_id)) => {
            tx.issuance_by_token_user(&service.id, token_user_id)
                .await?
        }
        _ => None,
    };
    let starts_of_user = match stored.as_ref().map(|stored| &stored.issuance) {
        Some(Issuance { user_id, .. }) => {
            tx.counted_starts(user_id, now.plus_ms(-STARTS_PERIOD_MS))
                .await?
        }
        None => 0,
    };
    let decision = match &service {
        Some(service) => start(
            stored.as_ref().map(|stored| &stored.issuance),
            starts_of_user,
            &service.policy,
            now,
        ),
        None => Start::Decoy(DecoyReason::Unknown),
    };
    let erased = stored
        .as_ref()
        .is_some_and(|stored| stored.sealed_record.is_none());
    let decision = if erased && decision == Start::Genuine {
        Start::Decoy(DecoyReason::Forgotten)
    } else {
        decision
    };
    let starts_with_ids = tx.starts_with_ids(sent_service_id, sent_user_id).await?;
    let default_policy = Policy::manual();
    let policy = service
        .as_ref()
        .map_or(&default_policy, |service| &service.policy);
    let decoy_key = match decision {
        Start::Decoy(reason) => decoy_key(reason, starts_with_ids, policy),
        // Never used: a genuine start has the key of its record.
        Start::Genuine => DecoyKey::Closed,
    };
    Ok(Found {
        service,
        stored,
        decision,
        decoy_key,
    })
}
