//! Webhooks and their deliveries: a delivery is put here in the transaction of the event it tells of, and sent after it
//! (invariant 3). Never here: sending, signatures.
//!
//! A claimed delivery is one whose next try was moved to the end of the claim: until then it is due for nobody else, and a
//! node that dies gives it free by doing nothing.

use warifu_core::id::{ContractId, DeliveryId, ServiceId, UserId, WebhookId};
use warifu_core::time::UnixMillis;
use warifu_core::webhook::Wanted;

use crate::limits::{DEAD_DELIVERIES_MAX, WEBHOOKS_MAX, WEBHOOKS_OF_SERVICE_MAX};
use crate::mapping::at_most;
use crate::{Row, StoreError, Tx, params};

/// An address that is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWebhook {
    /// Names the webhook.
    pub id: WebhookId,
    /// The service whose events it is told of.
    pub service_id: ServiceId,
    /// Where deliveries go.
    pub url: String,
    /// What it is told of.
    pub wanted: Wanted,
    /// What signs, sealed.
    pub sealed_secret: Vec<u8>,
    /// What signed before and still does beside it, sealed, and until when.
    pub old_secret: Option<(Vec<u8>, UnixMillis)>,
    /// Whether it is told of nothing.
    pub disabled: bool,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Raised by every change.
    pub version: i64,
}

/// What is told to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Names the delivery; the same in every try.
    pub id: DeliveryId,
    /// Whom it is for.
    pub webhook_id: WebhookId,
    /// The JSON as it is sent, to the byte.
    pub body: String,
    /// When it was put here; it is due at once.
    pub created_at: UnixMillis,
}

/// A delivery that the caller has claimed and is now the only one to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// What is sent, and whom to.
    pub delivery: Delivery,
    /// Tries before this one; all of them failed.
    pub tries: u32,
    /// Until when the claim holds. It names the claim too: a later one of the same delivery ends later.
    pub claimed_until: UnixMillis,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDelivery {
    /// What was to be sent, and whom to.
    pub delivery: Delivery,
    /// Tries, all of them failed.
    pub tries: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// How many deliveries are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Waiting for their next try.
    pub queued: u64,
    /// Taken by the receiver, as far as they are still kept.
    pub delivered: u64,
    /// Given up, as far as they are still kept.
    pub dead: u64,
}

/// What an event is about, as far as it leads to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A token.
    Token,
    /// An issuance.
    Issuance,
}

/// Whom an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The user.
    pub user_id: UserId,
    /// The user's company.
    pub contract_id: ContractId,
    /// The name that the user signs in with.
    pub login_id: String,
}

/// A webhook, as every query here reads it.
macro_rules! webhook_where {
    ($rest:literal) => {
        concat!(
            "SELECT webhook_id, service_id, url, actions, sealed_secret, sealed_old_secret, old_secret_until_ms, disabled,
                 created_at_ms, version
             FROM webhook ",
            $rest
        )
    };
}

impl Tx {
    /// Makes a webhook.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when its id is taken; else as [`Tx::query`].
    pub async fn insert_webhook(&mut self, webhook: &StoredWebhook) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO webhook (webhook_id, service_id, url, actions, sealed_secret, disabled, created_at_ms, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                &webhook.id,
                &webhook.service_id,
                &webhook.url,
                webhook.wanted.stored(),
                webhook.sealed_secret.as_slice(),
                webhook.disabled,
                webhook.created_at,
                webhook.version
            ],
        )
        .await
        .map(drop)
    }

    /// The webhook of this id.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn webhook(&mut self, id: &WebhookId) -> Result<Option<StoredWebhook>, StoreError> {
        self.query_one(webhook_where!("WHERE webhook_id = $1"), params![id])
            .await?
            .as_ref()
            .map(webhook_of)
            .transpose()
    }

    /// All webhooks, by service, the oldest first; at most [`WEBHOOKS_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn webhooks(&mut self) -> Result<Vec<StoredWebhook>, StoreError> {
        self.query(
            webhook_where!("ORDER BY service_id, webhook_id LIMIT $1"),
            params![WEBHOOKS_MAX],
        )
        .await?
        .iter()
        .map(webhook_of)
        .collect()
    }

    /// How many webhooks a service has, disabled ones included.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn count_webhooks(&mut self, service_id: &ServiceId) -> Result<u64, StoreError> {
        self.query_one(
            "SELECT COUNT(webhook_id) AS webhooks FROM webhook WHERE service_id = $1",
            params![service_id],
        )
        .await?
        .map_or(Ok(0), |row| row.number("webhooks"))
    }

    /// The webhooks of each of these services that are not disabled, with what they want; for each at most
    /// [`WEBHOOKS_OF_SERVICE_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn webhooks_to_tell(
        &mut self,
        services: &[&ServiceId],
    ) -> Result<Vec<Vec<(WebhookId, Wanted)>>, StoreError> {
        let batch = services
            .iter()
            .map(|id| params![*id, WEBHOOKS_OF_SERVICE_MAX])
            .collect();
        self.query_each(
            "SELECT webhook_id, actions FROM webhook WHERE service_id = $1 AND disabled = FALSE
             ORDER BY webhook_id LIMIT $2",
            batch,
        )
        .await?
        .iter()
        .map(|rows| {
            rows.iter()
                .map(|row| Ok((id_of(row)?, wanted_of(row)?)))
                .collect()
        })
        .collect()
    }

    /// Whom each of these things belongs to; `None` for what is not there.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn people_behind(
        &mut self,
        subject: Subject,
        ids: &[&str],
    ) -> Result<Vec<Option<Person>>, StoreError> {
        let sql = match subject {
            Subject::Token => {
                "SELECT u.user_id, u.contract_id, u.login_id FROM token t JOIN app_user u ON u.user_id = t.user_id
                 WHERE t.token_id = $1"
            }
            Subject::Issuance => {
                "SELECT u.user_id, u.contract_id, u.login_id FROM issuance i JOIN app_user u ON u.user_id = i.user_id
                 WHERE i.issuance_id = $1"
            }
        };
        self.query_each(sql, ids.iter().map(|id| params![*id]).collect())
            .await?
            .iter()
            .map(|rows| {
                rows.first()
                    .map(|row| {
                        Ok(Person {
                            user_id: UserId::from_stored(row.text("user_id")?),
                            contract_id: ContractId::from_stored(row.text("contract_id")?),
                            login_id: row.text("login_id")?.to_owned(),
                        })
                    })
                    .transpose()
            })
            .collect()
    }

    /// Gives a webhook another secret, beside which the old one still signs for a while; `false` when it was changed since
    /// it was read.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_webhook_secret(
        &mut self,
        before: &StoredWebhook,
        sealed: &[u8],
        old: &[u8],
        old_until: UnixMillis,
    ) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE webhook SET sealed_secret = $1, sealed_old_secret = $2, old_secret_until_ms = $3, version = version + 1
                 WHERE webhook_id = $4 AND version = $5",
                params![sealed, old, old_until, &before.id, before.version],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Disables a webhook or brings it back; `false` when it was so already.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn set_webhook_disabled(
        &mut self,
        id: &WebhookId,
        disabled: bool,
    ) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE webhook SET disabled = $1, version = version + 1 WHERE webhook_id = $2 AND disabled <> $1",
                params![disabled, id],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Queues deliveries.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when an id is taken; else as [`Tx::query_each`].
    pub async fn insert_deliveries(&mut self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let batch = deliveries
            .iter()
            .map(|one| params![&one.id, &one.webhook_id, &one.body, one.created_at])
            .collect();
        self.execute_each(
            "INSERT INTO webhook_delivery (delivery_id, webhook_id, body, state, tries, next_try_at_ms, created_at_ms)
             VALUES ($1, $2, $3, 'queued', 0, $4, $4)",
            batch,
        )
        .await
        .map(drop)
    }

    /// The webhooks for which something is due at `now`, disabled ones included.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn webhooks_with_due(
        &mut self,
        now: UnixMillis,
    ) -> Result<Vec<WebhookId>, StoreError> {
        self.query(
            "SELECT w.webhook_id FROM webhook w
             WHERE EXISTS (SELECT 1 FROM webhook_delivery d
                           WHERE d.webhook_id = w.webhook_id AND d.state = 'queued' AND d.next_try_at_ms <= $1)
             ORDER BY w.webhook_id LIMIT $2",
            params![now, WEBHOOKS_MAX],
        )
        .await?
        .iter()
        .map(id_of)
        .collect()
    }

    /// Claims up to `limit` deliveries of a webhook that are due at `now`, the oldest due first. They are the caller's until
    /// `until`; after that another node may claim what is still queued.
    ///
    /// Each one is claimed by a write on the condition that it is still due, so two nodes never claim the same.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn claim_deliveries(
        &mut self,
        webhook_id: &WebhookId,
        now: UnixMillis,
        until: UnixMillis,
        limit: u32,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let candidates = self
            .query(
                "SELECT delivery_id FROM webhook_delivery
                 WHERE webhook_id = $1 AND state = 'queued' AND next_try_at_ms <= $2
                 ORDER BY next_try_at_ms, delivery_id LIMIT $3",
                params![webhook_id, now, at_most(limit)],
            )
            .await?
            .iter()
            .map(|row| Ok(params![until, row.text("delivery_id")?, now]))
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.query_each(
            "UPDATE webhook_delivery SET next_try_at_ms = $1
             WHERE delivery_id = $2 AND state = 'queued' AND next_try_at_ms <= $3
             RETURNING delivery_id, webhook_id, body, created_at_ms, tries, next_try_at_ms",
            candidates,
        )
        .await?
        .iter()
        .flatten()
        .map(|row| {
            Ok(ClaimedDelivery {
                delivery: delivery_of(row)?,
                tries: row.number("tries")?,
                claimed_until: row.at("next_try_at_ms")?,
            })
        })
        .collect()
    }

    /// Notes that the receiver took a delivery; `false` when it is not queued any more, or somebody else's by now.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn mark_delivered(
        &mut self,
        claimed: &ClaimedDelivery,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let marked = self
            .execute(
                "UPDATE webhook_delivery SET state = 'delivered', delivered_at_ms = $1, tries = tries + 1, last_error = NULL
                 WHERE delivery_id = $2 AND state = 'queued' AND next_try_at_ms = $3",
                params![now, &claimed.delivery.id, claimed.claimed_until],
            )
            .await?;
        Ok(marked == 1)
    }

    /// Notes that a try failed: the next one is at `next_try_at`, or with `None` never. A delivery that is not queued any
    /// more, or that somebody else has claimed since, stays as it is.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn mark_undelivered(
        &mut self,
        claimed: &ClaimedDelivery,
        next_try_at: Option<UnixMillis>,
        now: UnixMillis,
        last_error: &str,
    ) -> Result<(), StoreError> {
        let state = if next_try_at.is_some() {
            "queued"
        } else {
            "dead"
        };
        self.execute(
            "UPDATE webhook_delivery SET state = $1, tries = tries + 1, next_try_at_ms = $2, last_error = $3
             WHERE delivery_id = $4 AND state = 'queued' AND next_try_at_ms = $5",
            params![
                state,
                next_try_at.unwrap_or(now),
                last_error,
                &claimed.delivery.id,
                claimed.claimed_until
            ],
        )
        .await
        .map(drop)
    }

    /// When the next delivery is due; `None` when nothing is queued.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn next_delivery_due_at(&mut self) -> Result<Option<UnixMillis>, StoreError> {
        self.query_one(
            "SELECT MIN(next_try_at_ms) AS due_at_ms FROM webhook_delivery WHERE state = 'queued'",
            params![],
        )
        .await?
        .map_or(Ok(None), |row| row.opt_at("due_at_ms"))
    }

    /// The deliveries of a webhook that were given up, the latest first; at most [`DEAD_DELIVERIES_MAX`].
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn dead_deliveries(
        &mut self,
        webhook_id: &WebhookId,
    ) -> Result<Vec<StoredDelivery>, StoreError> {
        self.query(
            "SELECT delivery_id, webhook_id, body, created_at_ms, tries, last_error FROM webhook_delivery
             WHERE webhook_id = $1 AND state = 'dead' ORDER BY next_try_at_ms DESC, delivery_id DESC LIMIT $2",
            params![webhook_id, DEAD_DELIVERIES_MAX],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(StoredDelivery {
                delivery: delivery_of(row)?,
                tries: row.number("tries")?,
                last_error: row.opt_text("last_error")?.map(str::to_owned),
            })
        })
        .collect()
    }

    /// Queues deliveries that were given up again, under their old ids and with all their tries, and says how many there
    /// were.
    ///
    /// # Errors
    /// As [`Tx::query_each`].
    pub async fn redeliver(
        &mut self,
        ids: &[DeliveryId],
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let batch = ids.iter().map(|id| params![now, id]).collect();
        let changed = self
            .execute_each(
                "UPDATE webhook_delivery SET state = 'queued', tries = 0, next_try_at_ms = $1
                 WHERE delivery_id = $2 AND state = 'dead'",
                batch,
            )
            .await?;
        Ok(changed.iter().sum())
    }

    /// How many deliveries of a webhook are in each state.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn delivery_counts(
        &mut self,
        webhook_id: &WebhookId,
    ) -> Result<DeliveryCounts, StoreError> {
        let mut counts = DeliveryCounts::default();
        for row in self
            .query(
                "SELECT state, COUNT(delivery_id) AS deliveries FROM webhook_delivery WHERE webhook_id = $1 GROUP BY state",
                params![webhook_id],
            )
            .await?
        {
            let deliveries = row.number("deliveries")?;
            match row.text("state")? {
                "queued" => counts.queued = deliveries,
                "delivered" => counts.delivered = deliveries,
                "dead" => counts.dead = deliveries,
                _ => return Err(row.refuse("state", "holds an unknown word")),
            }
        }
        Ok(counts)
    }

    /// Removes up to `limit` deliveries that were taken before `before`, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_delivered_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT delivery_id FROM webhook_delivery WHERE state = 'delivered' AND delivered_at_ms < $1
             ORDER BY delivered_at_ms, delivery_id LIMIT $2",
            params![before, at_most(limit)],
            "delivery_id",
            "DELETE FROM webhook_delivery WHERE delivery_id = $1 AND state = 'delivered'",
            &[],
        )
        .await
    }

    /// Removes up to `limit` deliveries that were given up before `before`, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_dead_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT delivery_id FROM webhook_delivery WHERE state = 'dead' AND next_try_at_ms < $1
             ORDER BY next_try_at_ms, delivery_id LIMIT $2",
            params![before, at_most(limit)],
            "delivery_id",
            "DELETE FROM webhook_delivery WHERE delivery_id = $1 AND state = 'dead'",
            &[],
        )
        .await
    }
}

fn id_of(row: &Row) -> Result<WebhookId, StoreError> {
    Ok(WebhookId::from_stored(row.text("webhook_id")?))
}

fn wanted_of(row: &Row) -> Result<Wanted, StoreError> {
    row.word("actions", |names| {
        Wanted::parse(names.split_whitespace()).ok()
    })
}

fn webhook_of(row: &Row) -> Result<StoredWebhook, StoreError> {
    let old_secret = match (
        row.opt_blob("sealed_old_secret")?,
        row.opt_at("old_secret_until_ms")?,
    ) {
        (Some(sealed), Some(until)) => Some((sealed.to_vec(), until)),
        _ => None,
    };
    Ok(StoredWebhook {
        id: id_of(row)?,
        service_id: row.service_id()?,
        url: row.text("url")?.to_owned(),
        wanted: wanted_of(row)?,
        sealed_secret: row.blob("sealed_secret")?.to_vec(),
        old_secret,
        disabled: row.bool("disabled")?,
        created_at: row.at("created_at_ms")?,
        version: row.int("version")?,
    })
}

fn delivery_of(row: &Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId::from_stored(row.text("delivery_id")?),
        webhook_id: id_of(row)?,
        body: row.text("body")?.to_owned(),
        created_at: row.at("created_at_ms")?,
    })
}
