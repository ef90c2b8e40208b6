//! What relying systems change: releases, revocations, issuances. Each is the transaction that the pages use too, in the name of the
//! client, with the answer kept under its idempotency key.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use warifu_activation::messages::RegistrationRecord;
use warifu_core::audit::Origin;
use warifu_core::id::ServiceId;
use warifu_core::issuance::MailAddress;
use warifu_core::refusal::Refusal;
use warifu_core::service::Service;
use warifu_core::user::{Actor, User};
use warifu_store::Tx;

use super::answers::{Acted, CancelledAnswer, Issued, Registration};
use super::{moment, subject};
use crate::app::api_clients::ApiCaller;
use crate::app::idempotency::{Idempotency, keep_answer, known_answer};
use crate::app::issuance::{Asked, check_may_issue, resend, withdraw};
use crate::app::manage::Task;
use crate::app::{App, Failure, Record};

/// How often a write is tried again when another one came between.
const RACES_MAX: u32 = 5;

/// A write of a relying system about one user.
#[derive(Clone, Copy)]
pub struct ApiWrite<'a> {
    /// The service that the user is of.
    pub service_id: &'a ServiceId,
    /// What the user signs in with.
    pub login_id: &'a str,
    /// Who asks.
    pub caller: &'a ApiCaller,
    /// The name of the request, if it has one.
    pub idempotency: Option<&'a Idempotency>,
    /// Where the request came from.
    pub origin: &'a Origin,
}

impl App {
    /// Releases or revokes the token of one user.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41), [`Refusal::IdempotencyKeyReused`], and those of the task, each of which is recorded.
    pub async fn act_for_client(&self, task: Task, asked: ApiWrite<'_>) -> Result<Acted, Failure> {
        for _ in 0..RACES_MAX {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let (service, user) = match asked.taken(&mut tx).await? {
                Taken::Known(before) => return Ok(before),
                Taken::New(service, user) => (service, user),
            };
            let actor = asked.caller.actor();
            let record = self.record(&asked, &service, &actor);
            let done = match self.act(&mut tx, &record, &service, task, &user).await? {
                Some(Ok(done)) => done,
                Some(Err(refusal)) => {
                    tx.commit().await?;
                    return Err(refusal.into());
                }
                None => continue,
            };
            let answer = Acted {
                login_id: user.login_id.clone(),
                token_id: done.token.id.to_string(),
                state: done.token.state.standing().into(),
                reopens_at: done.reopens_at.map(moment),
            };
            if keep_answer(&mut tx, asked.caller, asked.idempotency, &answer, now).await? {
                tx.commit().await?;
                self.wake_senders();
                return Ok(answer);
            }
        }
        Err(Refusal::Raced.into())
    }

    /// The first half of an issuance. The activation password stays in the page of the user (R45, R59): what comes here is the
    /// page's registration request, and what goes back is only of use to that page.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41), [`Refusal::MailInvalid`], [`Refusal::ActivationMessage`], [`Refusal::UserDisabled`], and
    /// whatever hinders an issuance.
    pub async fn begin_issuance_for_client(
        &self,
        asked: ApiWrite<'_>,
        mail_address: &str,
        request: &[u8],
    ) -> Result<Registration, Failure> {
        let now = self.now();
        let (service, user) = asked.subject(&mut self.store.read().await?).await?;
        let address = MailAddress::parse(mail_address)?;
        let (draft, response) = self.draft(&service, &user, &address, request, now)?;
        let answer = Registration {
            issuance_id: draft.issuance_id.to_string(),
            token_user_id: draft.token_user_id.as_str().to_owned(),
            registration_response: BASE64URL_NOPAD.encode(&response),
        };
        for _ in 0..RACES_MAX {
            let mut tx = self.store.begin().await?;
            let user = match asked.taken(&mut tx).await? {
                Taken::Known(before) => return Ok(before),
                Taken::New(_, user) => user,
            };
            not_disabled(&user)?;
            check_may_issue(&mut tx, &user.id, now).await?;
            tx.put_draft(&draft).await?;
            if keep_answer(&mut tx, asked.caller, asked.idempotency, &answer, now).await? {
                tx.commit().await?;
                return Ok(answer);
            }
        }
        Err(Refusal::Raced.into())
    }

    /// The second half: the record is stored sealed, older issuances of the user are cancelled, the mail is queued.
    ///
    /// # Errors
    /// [`Refusal::FormExpired`] when the record is not of the user's last registration; else as
    /// [`App::begin_issuance_for_client`].
    pub async fn finish_issuance_for_client(
        &self,
        asked: ApiWrite<'_>,
        issuance_id: &str,
        uploaded: &[u8],
    ) -> Result<Issued, Failure> {
        let now = self.now();
        let (service, _) = asked.subject(&mut self.store.read().await?).await?;
        let uploaded =
            RegistrationRecord::decode(uploaded).map_err(|_| Refusal::ActivationMessage)?;
        self.keys.ready_for(&service.id, now).await?;
        for _ in 0..RACES_MAX {
            let mut tx = self.store.begin().await?;
            let (service, user) = match asked.taken(&mut tx).await? {
                Taken::Known(before) => return Ok(before),
                Taken::New(service, user) => (service, user),
            };
            not_disabled(&user)?;
            let draft = tx.draft(&user.id).await?;
            if draft.is_none_or(|draft| draft.issuance_id.as_str() != issuance_id) {
                return Err(Refusal::FormExpired.into());
            }
            let actor = asked.caller.actor();
            let record = self.record(&asked, &service, &actor);
            let whom = of(&service, &user);
            let issuance = self
                .issue(&mut tx, &record, &whom, uploaded.clone())
                .await?;
            let answer = Issued::from(&issuance);
            if keep_answer(&mut tx, asked.caller, asked.idempotency, &answer, now).await? {
                tx.commit().await?;
                self.wake_senders();
                return Ok(answer);
            }
        }
        Err(Refusal::Raced.into())
    }

    /// Sends the token mail again.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41), and as [`App::resend_mail`].
    pub async fn resend_mail_for_client(&self, asked: ApiWrite<'_>) -> Result<Issued, Failure> {
        for _ in 0..RACES_MAX {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let (service, user) = match asked.taken(&mut tx).await? {
                Taken::Known(before) => return Ok(before),
                Taken::New(service, user) => (service, user),
            };
            let actor = asked.caller.actor();
            let record = self.record(&asked, &service, &actor);
            let issuance = resend(&mut tx, &record, &of(&service, &user)).await?;
            let answer = Issued::from(&issuance);
            if keep_answer(&mut tx, asked.caller, asked.idempotency, &answer, now).await? {
                tx.commit().await?;
                self.wake_senders();
                return Ok(answer);
            }
        }
        Err(Refusal::Raced.into())
    }

    /// Cancels what the user was issued and has not activated. Asking twice is as good as once.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn cancel_issuance_for_client(
        &self,
        asked: ApiWrite<'_>,
    ) -> Result<CancelledAnswer, Failure> {
        for _ in 0..RACES_MAX {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            let (service, user) = match asked.taken(&mut tx).await? {
                Taken::Known(before) => return Ok(before),
                Taken::New(service, user) => (service, user),
            };
            let actor = asked.caller.actor();
            let record = self.record(&asked, &service, &actor);
            tx.remove_draft(&user.id).await?;
            let answer = CancelledAnswer {
                cancelled: withdraw(&mut tx, &user.id, &record).await?,
            };
            if keep_answer(&mut tx, asked.caller, asked.idempotency, &answer, now).await? {
                tx.commit().await?;
                return Ok(answer);
            }
        }
        Err(Refusal::Raced.into())
    }

    fn record<'a>(
        &self,
        asked: &ApiWrite<'a>,
        service: &'a Service,
        actor: &'a Actor,
    ) -> Record<'a> {
        Record {
            now: self.now(),
            service_id: Some(&service.id),
            actor,
            origin: asked.origin,
        }
    }
}

/// What a write finds when it has its user.
enum Taken<T> {
    /// It was done before, with this answer.
    Known(T),
    /// It is new.
    New(Box<Service>, Box<User>),
}

impl ApiWrite<'_> {
    /// Takes the user for the rest of the transaction, and only then looks for the answer to the same request: of two that
    /// come at once, the second waits here and finds what the first one left.
    async fn taken<T: DeserializeOwned>(&self, tx: &mut Tx) -> Result<Taken<T>, Failure> {
        let (service, user) = self.subject(tx).await?;
        tx.lock_user(&user.id).await?;
        if let Some(before) = known_answer(tx, self.caller, self.idempotency).await? {
            return Ok(Taken::Known(before));
        }
        // Read again: the first reading was before the wait.
        let user = tx.user(&user.id).await?.ok_or(Refusal::NotFound)?;
        Ok(Taken::New(Box::new(service), Box::new(user)))
    }

    async fn subject(&self, tx: &mut Tx) -> Result<(Service, User), Failure> {
        subject(tx, self.caller, self.service_id, self.login_id).await
    }
}

/// Mails go out in the user's own language: no page was read.
fn of<'a>(service: &'a Service, user: &'a User) -> Asked<'a> {
    Asked {
        service,
        user,
        language: user.language,
    }
}

fn not_disabled(user: &User) -> Result<(), Refusal> {
    if user.disabled {
        Err(Refusal::UserDisabled)
    } else {
        Ok(())
    }
}
