//! Delivery of what was queued for webhooks: claimed for a while, sent outside of any transaction, marked. A crash between
//! sending and marking sends the same delivery once more, under the same `webhook-id`; nothing is forgotten.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use warifu_core::id::WebhookId;
use warifu_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS, UnixMillis};
use warifu_store::ClaimedDelivery;

use super::recorded;
use crate::app::{App, Failure};
use crate::clock::random_bytes;
use crate::webhook::{SendError, Sender};

/// Deliveries to one webhook that run at once on one node. A slow endpoint delays only what is meant for itself.
pub const RUNNING_OF_WEBHOOK_MAX: usize = 4;
/// Deliveries that run at once on one node.
const RUNNING_MAX: usize = 256;
/// How long a claim holds, in milliseconds: longer than one delivery can take. After it another node may send.
pub const CLAIM_MS: i64 = 2 * MINUTE_MS;
/// The waits after the first, second .. failed try, in milliseconds: the schedule that the specification gives as example,
/// a little more than three days.
const WAITS_MS: [i64; 9] = [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
];
/// Tries after which a delivery is given up.
pub const TRIES_MAX: usize = WAITS_MS.len() + 1;
/// The longest wait that an endpoint may ask for with `Retry-After`, in milliseconds.
const RETRY_AFTER_MS_MAX: i64 = 24 * HOUR_MS;

/// The wait after so many failed tries, longer by up to a fifth so that many do not come back together; `None` when it was
/// the last one. `draw` is random.
fn wait_ms(tries: u32, draw: u8, retry_after: Option<Duration>) -> Option<i64> {
    let place = usize::try_from(tries).ok()?.checked_sub(1)?;
    let wait_ms = *WAITS_MS.get(place)?;
    let asked_ms = retry_after.map_or(0, |wait| {
        i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
    });
    let longer = wait_ms / 5 * i64::from(draw) / i64::from(u8::MAX);
    Some((wait_ms + longer).max(asked_ms.min(RETRY_AFTER_MS_MAX)))
}

/// The deliveries of one node that are under way.
pub struct Telling {
    app: Arc<App>,
    sender: Arc<Sender>,
    running: JoinSet<()>,
    busy: HashMap<Id, WebhookId>,
}

impl Telling {
    /// None yet.
    #[must_use]
    pub fn new(app: Arc<App>, sender: Arc<Sender>) -> Self {
        Self {
            app,
            sender,
            running: JoinSet::new(),
            busy: HashMap::new(),
        }
    }

    /// Whether any delivery is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Starts what is due, as far as there is room, and says how many deliveries that were.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn start_due(&mut self) -> Result<usize, Failure> {
        let now = self.app.now();
        let due = self.app.store.read().await?.webhooks_with_due(now).await?;
        let rooms: Vec<_> = due
            .into_iter()
            .map(|id| {
                let running = self.busy.values().filter(|busy| **busy == id).count();
                (id, RUNNING_OF_WEBHOOK_MAX.saturating_sub(running))
            })
            .filter(|(_, room)| *room > 0)
            .collect();
        let mut room_in_all = RUNNING_MAX.saturating_sub(self.busy.len());
        if rooms.is_empty() || room_in_all == 0 {
            return Ok(0);
        }
        let mut claimed = Vec::new();
        let mut tx = self.app.store.begin().await?;
        for (id, room) in rooms {
            let limit = u32::try_from(room.min(room_in_all)).unwrap_or(u32::MAX);
            let some = tx
                .claim_deliveries(&id, now, now.plus_ms(CLAIM_MS), limit)
                .await?;
            room_in_all = room_in_all.saturating_sub(some.len());
            claimed.extend(some);
            if room_in_all == 0 {
                break;
            }
        }
        tx.commit().await?;
        let started = claimed.len();
        for one in claimed {
            let (app, sender) = (Arc::clone(&self.app), Arc::clone(&self.sender));
            let webhook_id = one.delivery.webhook_id.clone();
            let task = self.running.spawn(async move {
                if let Err(failure) = app.tell(&sender, &one).await {
                    // Its claim ends, and it is sent again.
                    tracing::error!(delivery_id = %one.delivery.id, %failure, "a webhook was not marked");
                }
            });
            self.busy.insert(task.id(), webhook_id);
        }
        Ok(started)
    }

    /// Waits until one delivery has ended; at once when none is under way.
    pub async fn one_ended(&mut self) {
        match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => {
                self.busy.remove(&id);
            }
            Some(Err(error)) => {
                tracing::error!("the delivery of a webhook ended with a defect");
                self.busy.remove(&error.id());
            }
            None => {}
        }
    }

    /// Sends everything that is due and waits for it; says how many deliveries that were.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn tell_all(&mut self) -> Result<usize, Failure> {
        let mut told = 0;
        loop {
            told += self.start_due().await?;
            if !self.is_busy() {
                return Ok(told);
            }
            self.one_ended().await;
        }
    }
}

impl App {
    /// When the next delivery is due, if one waits.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn next_webhook_due_at(&self) -> Result<Option<UnixMillis>, Failure> {
        Ok(self.store.read().await?.next_delivery_due_at().await?)
    }

    /// Tries one delivery and notes what came of it.
    async fn tell(&self, sender: &Sender, claimed: &ClaimedDelivery) -> Result<(), Failure> {
        let delivery = &claimed.delivery;
        let webhook = self
            .store
            .read()
            .await?
            .webhook(&delivery.webhook_id)
            .await?
            .ok_or(Failure::fault("a delivery is for no webhook"))?;
        if webhook.disabled {
            let mut tx = self.store.begin().await?;
            tx.mark_undelivered(claimed, None, self.now(), "the webhook is disabled")
                .await?;
            return Ok(tx.commit().await?);
        }
        let message = self
            .signed(&webhook, &delivery.id, delivery.body.clone())
            .await?;
        let sent = sender.send(&webhook.url, &message).await;
        let now = self.now();
        let mut tx = self.store.begin().await?;
        match sent {
            Ok(()) => {
                tx.mark_delivered(claimed, now).await?;
            }
            Err(error) => {
                let tries = claimed.tries + 1;
                let wait_ms = match &error {
                    SendError::Gone => None,
                    SendError::Later { retry_after, .. } => {
                        let [draw] = random_bytes();
                        wait_ms(tries, draw, *retry_after)
                    }
                };
                let next = wait_ms.map(|wait_ms| now.plus_ms(wait_ms));
                tracing::warn!(webhook_id = %webhook.id, delivery_id = %delivery.id, tries, given_up = next.is_none(), reason = %error, "a webhook was not delivered");
                tx.mark_undelivered(claimed, next, now, &error.to_string())
                    .await?;
                if error == SendError::Gone && tx.set_webhook_disabled(&webhook.id, true).await? {
                    recorded(&mut tx, &webhook, now, "gone").await?;
                }
            }
        }
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_follow_the_schedule_of_the_specification_and_are_spread() {
        let waits: Vec<_> = (1..=9).map(|tries| wait_ms(tries, 0, None)).collect();
        assert_eq!(waits, WAITS_MS.map(Some));
        assert_eq!(wait_ms(10, 0, None), None, "ten tries in all");
        assert_eq!(wait_ms(2, u8::MAX, None), Some(6 * MINUTE_MS));
    }

    #[test]
    fn an_endpoint_may_ask_for_more_time_up_to_a_day() {
        let asked = |seconds| wait_ms(1, 0, Some(Duration::from_secs(seconds)));
        assert_eq!(asked(1), Some(5 * SECOND_MS));
        assert_eq!(asked(60), Some(MINUTE_MS));
        assert_eq!(asked(u64::MAX), Some(24 * HOUR_MS));
    }
}
