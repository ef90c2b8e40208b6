//! The use cases: what the web pages, the API and the command line ask for. Each loads, lets the core decide, saves with
//! its audit event in one transaction, commits, and answers. No HTTP here, no SQL, no rule of the product.

pub mod activation;
pub mod api_clients;
pub mod device;
mod failure;
pub mod fence;
pub mod health;
pub mod housekeeping;
pub mod idempotency;
pub mod issuance;
pub mod keys;
mod life;
pub mod manage;
mod notices;
pub mod outbox;
pub mod passwords;
pub mod provision;
pub mod relying;
pub mod session;
pub mod sign_in;
pub mod verification;
pub mod webhooks;

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::Notify;
use warifu_core::audit::{Action, Event, Origin};
use warifu_core::id::{AuditId, ServiceId};
use warifu_core::service::Service;
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;
use warifu_store::{Store, Tx};

pub use failure::Failure;
pub use relying::moment;

use crate::clock::{Clock, system_rng};
use crate::metrics::Metrics;
use crate::processors::{Processors, Work};
use keys::Keys;
use passwords::Passwords;
use session::Session;
use verification::{Queue, Remembered, Verifier};

/// What the use cases need to know of how the product is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address under which browsers and apps reach the server, without a slash at the end.
    pub public_url: String,
    /// The sender of all mails.
    pub mail_from: String,
    /// Address of the app in the App Store, where there is one.
    pub app_store_url: Option<String>,
    /// Address of the app in Google Play, where there is one.
    pub google_play_url: Option<String>,
    /// Where codes are judged.
    pub processors: Processors,
}

impl Settings {
    /// The domain that mails come from, which users allow in their spam filters (J1 **[M]**).
    #[must_use]
    pub fn sending_domain(&self) -> &str {
        self.mail_from
            .rsplit_once('@')
            .map_or(self.mail_from.as_str(), |(_, domain)| domain)
            .trim_end_matches('>')
    }
}

/// The product, ready to be asked. Shared by all requests.
pub struct App {
    store: Store,
    keys: Arc<Keys>,
    passwords: Passwords,
    clock: Clock,
    settings: Settings,
    /// Woken when a mail is put into the outbox, so that it goes out at once.
    mail_waits: Arc<Notify>,
    /// The keys of the API that this node has seen.
    seen_keys: api_clients::SeenKeys,
    metrics: Arc<Metrics>,
    /// Where all codes are judged.
    verifications: Queue,
    /// Woken when something may have been queued for a webhook.
    webhook_waits: Arc<Notify>,
    health: health::Health,
}

impl App {
    /// Opens the product on a database whose schema is current, with its keys.
    ///
    /// # Errors
    /// [`Failure`] when the database or the keys refuse.
    pub async fn open(
        store: Store,
        root: &keys::RootKey,
        clock: Clock,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let keys = Arc::new(Keys::open(&store, root, clock.now()).await?);
        let passwords = Passwords::new(keys.password_pepper())?;
        let mail_waits = Arc::new(Notify::new());
        let webhook_waits = Arc::new(Notify::new());
        let metrics = Arc::new(Metrics::new());
        if let Some(recorded) = store.read().await?.last_event_at().await? {
            clock.not_before(recorded);
        }
        health::compare_clocks(&clock, &store).await?;
        let verifier = Verifier {
            store: store.clone(),
            keys: Arc::clone(&keys),
            clock: clock.clone(),
            mail_waits: Arc::clone(&mail_waits),
            webhook_waits: Arc::clone(&webhook_waits),
            metrics: Arc::clone(&metrics),
            remembered: Arc::new(Remembered::default()),
            traffic: Arc::default(),
        };
        let seats = settings.processors.seats(Work::Verification);
        let verifications = Queue::open(verifier, seats).await?;
        Ok(Self {
            store,
            keys,
            passwords,
            clock,
            settings,
            mail_waits,
            seen_keys: api_clients::SeenKeys::default(),
            metrics,
            verifications,
            webhook_waits,
            health: health::Health::default(),
        })
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// How the product is set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What this node measures of itself. Off until somebody may ask for it.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The database, for health checks and tests.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Wakes those who send what a commit has queued: mails and webhooks.
    fn wake_senders(&self) {
        self.mail_waits.notify_one();
        self.webhook_waits.notify_one();
    }

    /// The services that people can sign in to.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn services(&self) -> Result<Vec<Service>, Failure> {
        Ok(self.store.read().await?.services().await?)
    }
}

/// The time zone of a service's hours.
///
/// # Errors
/// [`Failure::Fault`] when the stored name is none; a service cannot be made with such a name.
pub fn time_zone(service: &Service) -> Result<TimeZone, Failure> {
    TimeZone::get(&service.time_zone)
        .map_err(|_| Failure::fault("the service's time zone is unknown"))
}

/// An event in the making: what all events of one use case share.
struct Record<'a> {
    now: UnixMillis,
    service_id: Option<&'a ServiceId>,
    actor: &'a Actor,
    origin: &'a Origin,
}

impl<'a> Record<'a> {
    /// What is done in a session.
    fn of(session: &'a Session, actor: &'a Actor, now: UnixMillis, origin: &'a Origin) -> Self {
        Self {
            now,
            service_id: Some(&session.service.id),
            actor,
            origin,
        }
    }

    /// Writes the event into the transaction of the change (invariant 4), with what webhooks are told of it.
    async fn write(
        &self,
        tx: &mut Tx,
        action: Action,
        (target_kind, target_id): (&'static str, &str),
        outcome: &'static str,
    ) -> Result<(), Failure> {
        let event = Event {
            id: AuditId::new(self.now, &mut system_rng()),
            at: self.now,
            service_id: self.service_id.cloned(),
            actor: self.actor.clone(),
            action,
            target_kind,
            target_id: target_id.to_owned(),
            outcome,
            origin: self.origin.clone(),
        };
        tx.insert_event(&event).await?;
        webhooks::enqueue_events(tx, std::slice::from_ref(&event)).await?;
        Ok(())
    }
}
