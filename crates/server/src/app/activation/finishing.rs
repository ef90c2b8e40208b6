//! The second message of an app: the proof, and the token that is made of it.

use warifu_activation::messages::FinishRequest;
use warifu_activation::server::{Agreed, Attempt, ServerError};
use warifu_core::activation::finish;
use warifu_core::audit::{Action, Origin};
use warifu_core::id::{ServiceId, TokenId};
use warifu_core::issuance::IssuanceState;
use warifu_core::life::end;
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_core::token::{Token, TokenState};
use warifu_core::user::{Actor, User};
use warifu_core::verification::Counter;
use warifu_store::{AttemptState, CounterNo, StoredAttempt, Tx};

use super::{refund_start_from, wire_id};
use crate::app::keys::Column;
use crate::app::notices::{Facts, enqueue_to_all};
use crate::app::{App, Failure, Record};
use crate::clock::{random_bytes, system_rng};

impl App {
    /// The second message of an app, and its answer: the token is made. The same bytes get the same answer as long as the
    /// token lives (R52, R55, R62).
    ///
    /// # Errors
    /// [`Refusal::ActivationAttemptOver`] for an attempt that is unknown or too old, [`Refusal::ActivationRefused`] for a
    /// wrong proof, [`Refusal::ActivationGone`] when the token was revoked, and to somebody who has proved the activation
    /// password, why the issuance is over: see [`finish`].
    pub async fn finish_activation(
        &self,
        request: &[u8],
        origin: &Origin,
    ) -> Result<Vec<u8>, Failure> {
        let request = FinishRequest::decode(request).map_err(|_| Refusal::ActivationMessage)?;
        let now = self.now();
        let mut tx = self.store.read().await?;
        let stored = tx
            .attempt(request.attempt_id.as_str())
            .await?
            .ok_or(Refusal::ActivationAttemptOver)?;
        if let Some(reply) = settled(&mut tx, &stored, &request, now).await? {
            return Ok(reply);
        }
        drop(tx);
        if let Ok(service_id) = ServiceId::parse(&stored.service_id)
            && stored.issuance_id.is_some()
        {
            self.keys.ready_for(&service_id, now).await?;
        }
        let agreed = self.prove(&stored, &request).await?;

        let mut tx = self.store.begin().await?;
        if let Some(user_id) = &stored.user_id {
            tx.lock_user(user_id).await?;
        }
        // The same bytes may have been sent twice, and the first of them may have been judged while we computed.
        let current = tx
            .attempt(&stored.attempt_id)
            .await?
            .ok_or(Refusal::ActivationAttemptOver)?;
        if let Some(reply) = settled(&mut tx, &current, &request, now).await? {
            return Ok(reply);
        }
        let outcome = match agreed {
            None => Err(Refusal::ActivationRefused),
            Some(agreed) => {
                self.make_token(&mut tx, &stored, &request, &agreed, now, origin)
                    .await?
            }
        };
        match outcome {
            Ok(reply) => {
                tx.commit().await?;
                self.wake_senders();
                Ok(reply)
            }
            Err(refusal) => {
                self.fail_attempt(tx, &stored, &request, refusal, now, origin)
                    .await?;
                Err(refusal.into())
            }
        }
    }

    /// Checks the app's proof; `None` when it is wrong.
    async fn prove(
        &self,
        stored: &StoredAttempt,
        request: &FinishRequest,
    ) -> Result<Option<Agreed>, Failure> {
        let sealed = stored
            .sealed_state
            .as_ref()
            .ok_or(Failure::fault("an open attempt without its state"))?;
        let bytes = self
            .keys
            .unseal(
                &Column::AttemptState {
                    row: &stored.attempt_id,
                },
                sealed,
            )
            .await?;
        let attempt = Attempt::from_bytes(&bytes)
            .map_err(|_| Failure::fault("a stored attempt is damaged"))?;
        match attempt.finish(request) {
            Ok(agreed) => Ok(Some(agreed)),
            Err(ServerError::WrongProof | ServerError::Mismatch) => Ok(None),
            Err(ServerError::Internal) => Err(Failure::fault("a finish was not computed")),
        }
    }

    /// The proof is right: makes the token, all in the caller's transaction, or says why not.
    async fn make_token(
        &self,
        tx: &mut Tx,
        stored: &StoredAttempt,
        request: &FinishRequest,
        agreed: &Agreed,
        now: UnixMillis,
        origin: &Origin,
    ) -> Result<Result<Vec<u8>, Refusal>, Failure> {
        let issuance_id = stored
            .issuance_id
            .as_ref()
            .ok_or(Failure::fault("a decoy was proved"))?;
        let found = tx
            .issuance(issuance_id)
            .await?
            .ok_or(Failure::fault("an attempt without its issuance"))?;
        let issuance = found.issuance;
        if let Err(refusal) = finish(&issuance, now) {
            return Ok(Err(refusal));
        }
        let user = tx
            .user(&issuance.user_id)
            .await?
            .ok_or(Failure::fault("an issuance without its user"))?;
        let service = tx
            .service(&issuance.service_id)
            .await?
            .ok_or(Failure::fault("an issuance without its service"))?;
        let token = Token {
            id: TokenId::new(now, &mut system_rng()),
            service_id: issuance.service_id.clone(),
            user_id: issuance.user_id.clone(),
            issuance_id: issuance.id.clone(),
            parameters: issuance.parameters,
            activated_at: now,
            expires_at: end(now, &service.policy),
            state: TokenState::Activated,
        };
        let before = tx.latest_token(&user.id).await?;
        let counter =
            Counter::of_new_token(before.as_ref().and_then(|before| match before.token.state {
                TokenState::Revoked { by, .. } => Some((&before.counter, by)),
                _ => None,
            }));
        let service_id = &issuance.service_id;
        let seed = Column::TokenSeed {
            row: token.id.as_str(),
            parameters: &token.parameters,
        };
        let counter_no = CounterNo::new(now, u32::from_le_bytes(random_bytes()));
        let sealed_seed = self.keys.seal(service_id, &seed, agreed.seed().expose())?;
        let device = Column::TokenDeviceKey {
            row: token.id.as_str(),
        };
        let sealed_device_key =
            self.keys
                .seal(service_id, &device, agreed.device_key().expose())?;
        let reply = agreed.confirm(wire_id(token.id.as_str())?).encode();

        let consumed = IssuanceState::Consumed {
            token_id: token.id.clone(),
        };
        let starts = issuance.starts.saturating_sub(1);
        let won = tx
            .update_issuance(&issuance.id, found.version, starts, &consumed)
            .await?
            && tx
                .insert_token(
                    &token,
                    (counter_no, &counter),
                    &sealed_seed,
                    &sealed_device_key,
                )
                .await?
            && tx
                .finish_attempt(
                    &stored.attempt_id,
                    AttemptState::Done,
                    &request.digest(),
                    Some(&reply),
                )
                .await?;
        if !won {
            // Nobody can have come between under the user's lock; if somebody did, the same bytes are judged anew.
            return Err(Refusal::Raced.into());
        }
        refund_start_from(tx, origin, now).await?;
        tell_user(tx, Notice::Activated, &user, now).await?;
        let actor = Actor::user(&user);
        let record = Record {
            now,
            service_id: Some(service_id),
            actor: &actor,
            origin,
        };
        record
            .write(
                tx,
                Action::FinishActivation,
                ("token", token.id.as_str()),
                "done",
            )
            .await?;
        Ok(Ok(reply))
    }

    /// A finish that made nothing ends its attempt, so that no second proof is judged under it.
    async fn fail_attempt(
        &self,
        tx: Tx,
        stored: &StoredAttempt,
        request: &FinishRequest,
        refusal: Refusal,
        now: UnixMillis,
        origin: &Origin,
    ) -> Result<(), Failure> {
        drop(tx);
        let mut tx = self.store.begin().await?;
        if !tx
            .finish_attempt(
                &stored.attempt_id,
                AttemptState::Failed,
                &request.digest(),
                None,
            )
            .await?
        {
            return Ok(());
        }
        let service = ServiceId::parse(&stored.service_id).ok();
        let service_id = service.as_ref().filter(|_| stored.issuance_id.is_some());
        let record = Record {
            now,
            service_id,
            actor: &Actor::System,
            origin,
        };
        if refusal == Refusal::AlreadyActivated
            && let Some(user_id) = &stored.user_id
            && let Some(user) = tx.user(user_id).await?
        {
            tell_user(&mut tx, Notice::ActivatedElsewhere, &user, now).await?;
        }
        record
            .write(
                &mut tx,
                Action::FinishActivation,
                ("attempt", &stored.attempt_id),
                refusal.code(),
            )
            .await?;
        tx.commit().await?;
        self.wake_senders();
        Ok(())
    }
}

/// What became of an attempt; `None` while it is open.
async fn settled(
    tx: &mut Tx,
    attempt: &StoredAttempt,
    request: &FinishRequest,
    now: UnixMillis,
) -> Result<Option<Vec<u8>>, Failure> {
    match attempt.state {
        AttemptState::Done => known_finish(tx, attempt, request).await.map(Some),
        AttemptState::Failed => Err(Refusal::ActivationRefused.into()),
        AttemptState::Open if now >= attempt.expires_at => {
            Err(Refusal::ActivationAttemptOver.into())
        }
        AttemptState::Open => Ok(None),
    }
}

/// The stored answer to a finish that came before, if it is the same finish and its token still lives.
async fn known_finish(
    tx: &mut Tx,
    attempt: &StoredAttempt,
    request: &FinishRequest,
) -> Result<Vec<u8>, Failure> {
    if attempt.finish_hash != Some(request.digest()) {
        return Err(Refusal::ActivationRefused.into());
    }
    if let Some(user_id) = &attempt.user_id {
        let token = tx.latest_token(user_id).await?.map(|stored| stored.token);
        let lives = token.is_some_and(|token| {
            Some(&token.issuance_id) == attempt.issuance_id.as_ref()
                && !matches!(token.state, TokenState::Revoked { .. })
        });
        if !lives {
            return Err(Refusal::ActivationGone.into());
        }
    }
    attempt
        .finish_reply
        .clone()
        .ok_or(Failure::fault("a finished attempt without its answer"))
}

/// A mail to the user about the user's own token.
async fn tell_user(
    tx: &mut Tx,
    notice: Notice,
    user: &User,
    now: UnixMillis,
) -> Result<(), Failure> {
    let facts = Facts {
        at_ms: now.0,
        ..Facts::default()
    };
    enqueue_to_all(tx, notice, user, &[], &facts, now).await
}
