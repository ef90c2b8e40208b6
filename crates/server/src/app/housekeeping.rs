//! What time alone does: tokens that were never confirmed or whose life is over are revoked, records of issuances long over are erased, and what
//! nobody needs any more is removed. Any node may run it at any time; running it twice does no harm.

use warifu_core::activation::{REASON_KEPT_MS, STARTS_PERIOD_MS};
use warifu_core::audit::Origin;
use warifu_core::relying::ANSWERS_KEPT_MS;
use warifu_core::throttle::FORGET_MS;
use warifu_core::time::{DAY_MS, HOUR_MS, UnixMillis};
use warifu_store::AttemptState;

use super::activation::DECOYS_MAX;
use super::life::{Cause, revoke_by_product};
use super::{App, Failure};

/// Rows of each kind that one run looks at; what is over comes in the next run.
pub const BATCH_MAX: u32 = 500;
/// Batches of answers of the API that one run removes: 1,000 a second for ever.
const ANSWER_BATCHES_MAX: u32 = 120;
/// How long the answer to a finish is kept: longer than any policy lets a token go unconfirmed.
const FINISHES_KEPT_MS: i64 = 40 * DAY_MS;
/// How long a sent mail is kept for the waiting page.
const SENT_MAILS_KEPT_MS: i64 = 7 * DAY_MS;
/// How long a mail that was given up is kept for the operators.
const FAILED_MAILS_KEPT_MS: i64 = 30 * DAY_MS;
/// Batches of deliveries to webhooks that one run removes at most.
const DELIVERY_BATCHES_MAX: u32 = 120;
/// How long a webhook's delivery is kept after the endpoint took it.
const DELIVERED_KEPT_MS: i64 = 7 * DAY_MS;
/// How long a webhook's delivery that was given up can be sent again.
const DEAD_KEPT_MS: i64 = 30 * DAY_MS;
/// How long a token stays after its life was over, if its user does not sign in before: meanwhile pages and relying systems are
/// told that it expired (R27), and afterwards that there is none.
pub const EXPIRED_KEPT_MS: i64 = DAY_MS;
/// How long an attempt that failed or was left is kept beyond the period its start counts in.
const ATTEMPTS_KEPT_MS: i64 = STARTS_PERIOD_MS + HOUR_MS;

impl App {
    /// Does what is due. While the clock cannot be trusted (R19) nothing is revoked or removed by it: that could not be undone.
    ///
    /// # Errors
    /// [`Failure::Store`]; what was done until then stays done.
    pub async fn keep_house(&self) -> Result<(), Failure> {
        self.write_key_uses().await?;
        let mut tx = self.store.begin().await?;
        while tx.count_decoy_attempts().await? > DECOYS_MAX {
            tx.remove_oldest_decoys(DECOYS_MAX).await?;
        }
        tx.commit().await?;
        let Ok(now) = self.clock.steady() else {
            return Ok(());
        };
        self.revoke_unconfirmed(now).await?;
        self.revoke_expired(now).await?;
        let mut tx = self.store.begin().await?;
        tx.erase_records_expired_before(now.plus_ms(-REASON_KEPT_MS), BATCH_MAX)
            .await?;
        tx.remove_attempts_before(
            AttemptState::Open,
            now.plus_ms(-ATTEMPTS_KEPT_MS),
            BATCH_MAX,
        )
        .await?;
        tx.remove_attempts_before(
            AttemptState::Failed,
            now.plus_ms(-ATTEMPTS_KEPT_MS),
            BATCH_MAX,
        )
        .await?;
        tx.remove_attempts_before(
            AttemptState::Done,
            now.plus_ms(-FINISHES_KEPT_MS),
            BATCH_MAX,
        )
        .await?;
        tx.remove_sessions_used_before(now.plus_ms(-DAY_MS), BATCH_MAX)
            .await?;
        tx.remove_tries_before(now.plus_ms(-FORGET_MS), BATCH_MAX)
            .await?;
        tx.remove_sent_before(now.plus_ms(-SENT_MAILS_KEPT_MS), BATCH_MAX)
            .await?;
        tx.remove_failed_before(now.plus_ms(-FAILED_MAILS_KEPT_MS), BATCH_MAX)
            .await?;
        tx.commit().await?;
        self.remove_old_answers(now).await?;
        self.remove_old_deliveries(now).await
    }

    /// As many as there are events: batch after batch too.
    async fn remove_old_deliveries(&self, now: UnixMillis) -> Result<(), Failure> {
        for _ in 0..DELIVERY_BATCHES_MAX {
            let mut tx = self.store.begin().await?;
            let delivered = tx
                .remove_delivered_before(now.plus_ms(-DELIVERED_KEPT_MS), BATCH_MAX)
                .await?;
            let dead = tx
                .remove_dead_before(now.plus_ms(-DEAD_KEPT_MS), BATCH_MAX)
                .await?;
            tx.commit().await?;
            if delivered.max(dead) < u64::from(BATCH_MAX) {
                break;
            }
        }
        Ok(())
    }

    /// Relying systems may leave many a second: batch after batch, each in a transaction of its own, so that nobody waits long.
    async fn remove_old_answers(&self, now: UnixMillis) -> Result<(), Failure> {
        for _ in 0..ANSWER_BATCHES_MAX {
            let mut tx = self.store.begin().await?;
            let removed = tx
                .remove_api_answers_before(now.plus_ms(-ANSWERS_KEPT_MS), BATCH_MAX)
                .await?;
            tx.commit().await?;
            if removed < u64::from(BATCH_MAX) {
                break;
            }
        }
        Ok(())
    }

    async fn revoke_unconfirmed(&self, now: UnixMillis) -> Result<(), Failure> {
        for service in self.services().await? {
            let before = now.plus_ms(-service.policy.unconfirmed_lives_ms);
            let due = self
                .store
                .read()
                .await?
                .unconfirmed_before(&service.id, before, BATCH_MAX)
                .await?;
            for (user, token, counter) in due {
                let mut tx = self.store.begin().await?;
                let origin = Origin::default();
                if revoke_by_product(
                    &mut tx,
                    &user,
                    (token, counter),
                    Cause::Unconfirmed,
                    &origin,
                    now,
                )
                .await?
                {
                    tx.commit().await?;
                }
            }
        }
        Ok(())
    }

    async fn revoke_expired(&self, now: UnixMillis) -> Result<(), Failure> {
        for service in self.services().await? {
            let by = now.plus_ms(-EXPIRED_KEPT_MS);
            let due = self
                .store
                .read()
                .await?
                .expired_by(&service.id, by, BATCH_MAX)
                .await?;
            for (user, token, counter) in due {
                let mut tx = self.store.begin().await?;
                let origin = Origin::default();
                if revoke_by_product(
                    &mut tx,
                    &user,
                    (token, counter),
                    Cause::Expired,
                    &origin,
                    now,
                )
                .await?
                {
                    tx.commit().await?;
                }
            }
        }
        Ok(())
    }
}
