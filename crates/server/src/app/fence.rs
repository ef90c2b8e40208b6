//! After a restore or the loss of commits (R23): a fence before each service, behind which nothing is accepted that could have been
//! accepted by then.

use warifu_core::audit::{Action, Origin};
use warifu_core::id::ServiceId;
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;
use warifu_core::verification::fence_ends_at;

use super::{App, Failure, Record};

/// A fence that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// Before this service.
    pub service_id: ServiceId,
    /// When people whose clocks are right can sign in again.
    pub ends_at: UnixMillis,
}

impl App {
    /// Puts up a fence before every service, or before one, at this moment; all at once or not at all. Doing it again moves them on.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such service, [`Refusal::ClockUnsure`],
    /// [`Failure::Store`].
    pub async fn raise_fences(&self, only: Option<&ServiceId>) -> Result<Vec<Fenced>, Failure> {
        let now = self.clock.steady().map_err(|_| Refusal::ClockUnsure)?;
        let mut tx = self.store.begin().await?;
        let mut services = tx.services().await?;
        services.retain(|service| only.is_none_or(|id| *id == service.id));
        if services.is_empty() {
            return Err(Refusal::NotFound.into());
        }
        let origin = Origin::default();
        let mut fenced = Vec::with_capacity(services.len());
        for service in services {
            tx.raise_fence(&service.id, now).await?;
            let record = Record {
                now,
                service_id: Some(&service.id),
                actor: &Actor::System,
                origin: &origin,
            };
            let target = ("service", service.id.as_str());
            record.write(&mut tx, Action::Fence, target, "done").await?;
            fenced.push(Fenced {
                ends_at: fence_ends_at(now, &service.policy),
                service_id: service.id,
            });
        }
        tx.commit().await?;
        Ok(fenced)
    }
}
