//! Webhooks (J10): who is told of what. A delivery is queued in the transaction of the event it tells of, and sent after it
//! ([`telling`]). A body holds ids, the login id and the outcome: never a secret, a code or a mail address.

pub mod telling;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;
use warifu_core::audit::{Action, Event, Origin};
use warifu_core::id::{DeliveryId, ServiceId, WebhookId};
use warifu_core::time::{DAY_MS, HOUR_MS, UnixMillis};
use warifu_core::user::Actor;
use warifu_core::webhook::{EventType, Wanted};
use warifu_store::limits::{EACH_MAX, WEBHOOKS_OF_SERVICE_MAX};
use warifu_store::{Delivery, DeliveryCounts, Person, StoredDelivery, StoredWebhook, Subject, Tx};
use zeroize::Zeroizing;

use super::keys::Column;
use super::{App, Failure, Record};
use crate::clock::system_rng;
use crate::webhook::{AllowedNetworks, Message, Secret, SendError, Sender, Signer, Target};

/// How long the old secret signs beside the new one, if nobody says, in milliseconds.
pub const OVERLAP_MS: i64 = DAY_MS;
/// The longest overlap, in hours: 30 days.
pub const OVERLAP_HOURS_MAX: u32 = 30 * 24;

/// Why a webhook was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address cannot be one of a webhook.
    #[error("{0}")]
    Url(&'static str),
    /// No service of this id.
    #[error("there is no service `{0}`")]
    NoService(ServiceId),
    /// No webhook of this id.
    #[error("there is no webhook `{0}`")]
    NoWebhook(WebhookId),
    /// No delivery of this id was given up.
    #[error("no delivery `{0}` was given up")]
    NoDead(DeliveryId),
    /// The service has as many as it may have.
    #[error("a service has at most {WEBHOOKS_OF_SERVICE_MAX} webhooks, disabled ones included")]
    TooMany,
    /// Somebody else changed it at the same time.
    #[error("the webhook was changed by somebody else at the same time: please look again")]
    Raced,
    /// The database or the keys refuse.
    #[error(transparent)]
    App(#[from] Failure),
}

impl From<warifu_store::StoreError> for WebhookError {
    fn from(error: warifu_store::StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A webhook that was made, with its secret, which nobody sees again.
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// `whsec_...`
    pub secret: Zeroizing<String>,
}

/// The body of a delivery: the form that the Standard Webhooks specification recommends.
#[derive(Serialize)]
struct Body<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: D,
}

#[derive(Serialize)]
struct Data<'a> {
    event_id: &'a str,
    service_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuance_id: Option<&'a str>,
    outcome: &'a str,
    request_id: &'a str,
}

#[derive(Serialize)]
struct TestData<'a> {
    service_id: &'a str,
    webhook_id: &'a str,
}

/// Queues what these events are told by webhook, in the transaction that records them, and says how many deliveries that
/// were. After the commit, [`App::webhook_waits`] is to be woken if there were any.
///
/// The webhooks are read once for all events; a service that has none costs this one look.
pub(super) async fn enqueue_events(tx: &mut Tx, events: &[Event]) -> Result<usize, Failure> {
    let mut queued = 0;
    for events in events.chunks(EACH_MAX) {
        let told: Vec<_> = events
            .iter()
            .filter_map(|event| {
                let one = EventType::of(event.action, event.outcome)?;
                Some((event, one, event.service_id.as_ref()?))
            })
            .collect();
        if told.is_empty() {
            continue;
        }
        let mut services: Vec<_> = told.iter().map(|(_, _, service)| *service).collect();
        services.sort();
        services.dedup();
        let webhooks = tx.webhooks_to_tell(&services).await?;
        let wanting = |one, service| {
            let place = services.binary_search(&service).ok();
            place
                .and_then(|place| webhooks.get(place))
                .into_iter()
                .flatten()
                .filter(move |(_, wanted)| wanted.wants(one))
                .map(|(id, _)| id)
        };
        let wanted: Vec<_> = told
            .into_iter()
            .filter(|(_, one, service)| wanting(*one, *service).next().is_some())
            .collect();
        let people = people_behind(tx, wanted.iter().map(|(event, _, _)| *event)).await?;
        let mut deliveries = Vec::new();
        for ((event, one, service), person) in wanted.into_iter().zip(people) {
            let body = body_of(event, one, service, person.as_ref())?;
            deliveries.extend(wanting(one, service).map(|webhook_id| Delivery {
                id: DeliveryId::new(event.at, &mut system_rng()),
                webhook_id: webhook_id.clone(),
                body: body.clone(),
                created_at: event.at,
            }));
        }
        for some in deliveries.chunks(EACH_MAX) {
            tx.insert_deliveries(some).await?;
        }
        queued += deliveries.len();
    }
    Ok(queued)
}

/// Whom each event is about, in their order.
async fn people_behind<'a>(
    tx: &mut Tx,
    events: impl Iterator<Item = &'a Event> + Clone,
) -> Result<Vec<Option<Person>>, Failure> {
    let mut people: Vec<Option<Person>> = events.clone().map(|_| None).collect();
    for (kind, subject) in [("token", Subject::Token), ("issuance", Subject::Issuance)] {
        let (places, ids): (Vec<_>, Vec<_>) = events
            .clone()
            .enumerate()
            .filter(|(_, event)| event.target_kind == kind)
            .map(|(place, event)| (place, event.target_id.as_str()))
            .unzip();
        if ids.is_empty() {
            continue;
        }
        let found = tx.people_behind(subject, &ids).await?;
        for (place, person) in places.into_iter().zip(found) {
            people[place] = person;
        }
    }
    Ok(people)
}

fn body_of(
    event: &Event,
    one: EventType,
    service: &ServiceId,
    person: Option<&Person>,
) -> Result<String, Failure> {
    let target = |kind| (event.target_kind == kind).then_some(event.target_id.as_str());
    written(
        one.as_str(),
        event.at,
        Data {
            event_id: event.id.as_str(),
            service_id: service.as_str(),
            contract_id: person.map(|person| person.contract_id.as_str()),
            user_id: person.map(|person| person.user_id.as_str()),
            login_id: person.map(|person| person.login_id.as_str()),
            token_id: target("token"),
            issuance_id: target("issuance"),
            outcome: event.outcome,
            request_id: &event.origin.request_id,
        },
    )
}

fn written(name: &str, at: UnixMillis, data: impl Serialize) -> Result<String, Failure> {
    let at = Timestamp::from_millisecond(at.0)
        .map_err(|_| Failure::fault("the time of an event is out of range"))?;
    serde_json::to_string(&Body {
        r#type: name,
        timestamp: format!("{at:.3}"),
        data,
    })
    .map_err(|_| Failure::fault("the body of a webhook was not written"))
}

impl App {
    /// Woken when a delivery may have been queued by this node.
    #[must_use]
    pub fn webhook_waits(&self) -> Arc<Notify> {
        Arc::clone(&self.webhook_waits)
    }

    /// Makes a webhook of a service. What it wants is told from the next event on.
    ///
    /// # Errors
    /// [`WebhookError::Url`], [`WebhookError::NoService`], [`WebhookError::TooMany`].
    pub async fn create_webhook(
        &self,
        service_id: &ServiceId,
        url: &str,
        wanted: Wanted,
        allowed: &AllowedNetworks,
    ) -> Result<NewWebhook, WebhookError> {
        Target::parse(url, allowed).map_err(WebhookError::Url)?;
        if self
            .store
            .read()
            .await?
            .service(service_id)
            .await?
            .is_none()
        {
            return Err(WebhookError::NoService(service_id.clone()));
        }
        let now = self.now();
        self.keys.ready_for(service_id, now).await?;
        let id = WebhookId::new(now, &mut system_rng());
        let secret = Secret::generate();
        let column = Column::WebhookSecret { row: id.as_str() };
        let webhook = StoredWebhook {
            sealed_secret: self.keys.seal(service_id, &column, secret.expose())?,
            id,
            service_id: service_id.clone(),
            url: url.to_owned(),
            wanted,
            old_secret: None,
            disabled: false,
            created_at: now,
            version: 1,
        };
        let mut tx = self.store.begin().await?;
        if tx.count_webhooks(service_id).await? >= u64::from(WEBHOOKS_OF_SERVICE_MAX) {
            return Err(WebhookError::TooMany);
        }
        tx.insert_webhook(&webhook).await?;
        recorded(&mut tx, &webhook, now, "created").await?;
        tx.commit().await?;
        Ok(NewWebhook {
            id: webhook.id,
            secret: secret.shown(),
        })
    }

    /// All webhooks with what became of their deliveries.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn webhooks(&self) -> Result<Vec<(StoredWebhook, DeliveryCounts)>, Failure> {
        let mut tx = self.store.read().await?;
        let mut all = Vec::new();
        for webhook in tx.webhooks().await? {
            let counts = tx.delivery_counts(&webhook.id).await?;
            all.push((webhook, counts));
        }
        Ok(all)
    }

    /// Gives a webhook a new secret. The one before signs beside it for `overlap_hours` (at most [`OVERLAP_HOURS_MAX`]);
    /// with 0, for example because it was betrayed, not at all.
    ///
    /// # Errors
    /// [`WebhookError::NoWebhook`], [`WebhookError::Raced`].
    pub async fn rotate_webhook(
        &self,
        id: &WebhookId,
        overlap_hours: u32,
    ) -> Result<Zeroizing<String>, WebhookError> {
        let now = self.now();
        let webhook = self.webhook(id).await?;
        self.keys.ready_for(&webhook.service_id, now).await?;
        let current = self
            .keys
            .unseal(
                &Column::WebhookSecret { row: id.as_str() },
                &webhook.sealed_secret,
            )
            .await?;
        let secret = Secret::generate();
        let seal = |column, bytes: &[u8]| self.keys.seal(&webhook.service_id, &column, bytes);
        let sealed = seal(Column::WebhookSecret { row: id.as_str() }, secret.expose())?;
        let old = seal(Column::WebhookOldSecret { row: id.as_str() }, &current)?;
        let until = now.plus_ms(i64::from(overlap_hours.min(OVERLAP_HOURS_MAX)) * HOUR_MS);
        let mut tx = self.store.begin().await?;
        if !tx
            .set_webhook_secret(&webhook, &sealed, &old, until)
            .await?
        {
            return Err(WebhookError::Raced);
        }
        recorded(&mut tx, &webhook, now, "rotated").await?;
        tx.commit().await?;
        Ok(secret.shown())
    }

    /// Disables a webhook or brings it back, and says whether that changed anything. While it is disabled it is told of
    /// nothing, and what is queued for it is given up when its time comes.
    ///
    /// # Errors
    /// [`WebhookError::NoWebhook`].
    pub async fn set_webhook_disabled(
        &self,
        id: &WebhookId,
        disabled: bool,
    ) -> Result<bool, WebhookError> {
        let webhook = self.webhook(id).await?;
        let mut tx = self.store.begin().await?;
        let changed = tx.set_webhook_disabled(id, disabled).await?;
        if changed {
            let outcome = if disabled { "disabled" } else { "enabled" };
            recorded(&mut tx, &webhook, self.now(), outcome).await?;
            tx.commit().await?;
        }
        Ok(changed)
    }

    /// The deliveries that were given up: of one webhook or of all.
    ///
    /// # Errors
    /// [`WebhookError::NoWebhook`].
    pub async fn dead_deliveries(
        &self,
        id: Option<&WebhookId>,
    ) -> Result<Vec<StoredDelivery>, WebhookError> {
        if let Some(id) = id {
            self.webhook(id).await?;
        }
        let mut tx = self.store.read().await?;
        let mut all = Vec::new();
        for webhook in tx.webhooks().await? {
            if id.is_none_or(|id| *id == webhook.id) {
                all.extend(tx.dead_deliveries(&webhook.id).await?);
            }
        }
        Ok(all)
    }

    /// Queues a delivery that was given up again, under its old id.
    ///
    /// # Errors
    /// [`WebhookError::NoDead`].
    pub async fn redeliver(&self, dead: &StoredDelivery) -> Result<(), WebhookError> {
        let webhook = self.webhook(&dead.delivery.webhook_id).await?;
        let now = self.now();
        let id = &dead.delivery.id;
        let mut tx = self.store.begin().await?;
        if tx.redeliver(std::slice::from_ref(id), now).await? == 0 {
            return Err(WebhookError::NoDead(id.clone()));
        }
        recorded(&mut tx, &webhook, now, "redelivered").await?;
        tx.commit().await?;
        self.webhook_waits.notify_one();
        Ok(())
    }

    /// Sends a webhook a delivery of type `webhook.test` now, outside of the queue. The inner result is the endpoint's.
    ///
    /// # Errors
    /// [`WebhookError::NoWebhook`].
    pub async fn test_webhook(
        &self,
        id: &WebhookId,
        sender: &Sender,
    ) -> Result<Result<(), SendError>, WebhookError> {
        let webhook = self.webhook(id).await?;
        let now = self.now();
        let body = written(
            "webhook.test",
            now,
            TestData {
                service_id: webhook.service_id.as_str(),
                webhook_id: id.as_str(),
            },
        )?;
        let delivery_id = DeliveryId::new(now, &mut system_rng());
        let message = self.signed(&webhook, &delivery_id, body).await?;
        Ok(sender.send(&webhook.url, &message).await)
    }

    async fn webhook(&self, id: &WebhookId) -> Result<StoredWebhook, WebhookError> {
        let found = self.store.read().await?.webhook(id).await?;
        found.ok_or_else(|| WebhookError::NoWebhook(id.clone()))
    }

    /// One try of a delivery, signed with what signs now.
    async fn signed(
        &self,
        webhook: &StoredWebhook,
        id: &DeliveryId,
        body: String,
    ) -> Result<Message, Failure> {
        let now = self.now();
        let row = webhook.id.as_str();
        let current = self
            .keys
            .unseal(&Column::WebhookSecret { row }, &webhook.sealed_secret)
            .await?;
        let old = match &webhook.old_secret {
            Some((sealed, until)) if now < *until => Some(
                self.keys
                    .unseal(&Column::WebhookOldSecret { row }, sealed)
                    .await?,
            ),
            _ => None,
        };
        let signer = Signer {
            current: Secret::from_bytes(current),
            old: old.map(Secret::from_bytes),
        };
        let at_s = now.0.div_euclid(1000);
        Ok(Message {
            signatures: signer.sign(id.as_str(), at_s, &body),
            id: id.to_string(),
            at_s,
            body,
        })
    }
}

/// What operators and endpoints do to a webhook is recorded with it.
async fn recorded(
    tx: &mut Tx,
    webhook: &StoredWebhook,
    now: UnixMillis,
    outcome: &'static str,
) -> Result<(), Failure> {
    let origin = Origin::default();
    let record = Record {
        now,
        service_id: Some(&webhook.service_id),
        actor: &Actor::System,
        origin: &origin,
    };
    let target = ("webhook", webhook.id.as_str());
    record.write(tx, Action::Webhook, target, outcome).await
}
