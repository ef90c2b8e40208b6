//! The outbox: mails are put here in the transaction of the change they tell of, and sent after it (invariant 3). Never
//! here: sending.

use warifu_core::id::{IssuanceId, MailId, ServiceId, UserId};
use warifu_core::notice::Notice;
use warifu_core::time::UnixMillis;
use warifu_core::user::Language;

use crate::limits::MAILS_OF_ISSUANCE_MAX;
use crate::mapping::at_most;
use crate::{Row, StoreError, Tx, params};

/// A mail to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Names the mail; its Message-ID is made of it.
    pub id: MailId,
    /// The service in whose name it is sent.
    pub service_id: ServiceId,
    /// Who is mailed.
    pub user_id: UserId,
    /// The issuance it tells of.
    pub issuance_id: Option<IssuanceId>,
    /// What it is about.
    pub notice: Notice,
    /// The language of its text.
    pub language: Language,
    /// Where it goes.
    pub to_address: String,
    /// What its text needs to know, as JSON.
    pub facts: String,
    /// When it was put here; it is due at once.
    pub created_at: UnixMillis,
}

/// A mail that the caller has claimed and is now the only one to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail itself.
    pub mail: Mail,
    /// Tries before this one; all of them failed.
    pub tries: u32,
    /// Until when the claim holds. It names the claim too: a later one of the same mail ends later.
    pub claimed_until: UnixMillis,
}

/// Where a mail is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Waits for its next try.
    Queued,
    /// The mail server took it.
    Sent,
    /// Given up.
    Failed,
}

impl MailState {
    /// The name as it is stored: `queued`, `sent`, `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// What became of a mail so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailStatus {
    /// Names the mail.
    pub id: MailId,
    /// Where it is on its way.
    pub state: MailState,
    /// Tries so far, the one that succeeded included.
    pub tries: u32,
    /// When it was put into the outbox.
    pub created_at: UnixMillis,
    /// When the mail server took it.
    pub sent_at: Option<UnixMillis>,
    /// Why the last try failed; `None` once it is sent.
    pub last_error: Option<String>,
}

/// How many mails are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// See [`MailState::Queued`].
    pub queued: u64,
    /// See [`MailState::Sent`].
    pub sent: u64,
    /// See [`MailState::Failed`].
    pub failed: u64,
}

impl Tx {
    /// Puts a mail into the outbox.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when its id is taken; else as [`Tx::query`].
    pub async fn enqueue(&mut self, mail: &Mail) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO outbox (mail_id, service_id, user_id, issuance_id, notice, language, to_address, facts, state,
                 tries, next_try_at_ms, claimed_until_ms, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', 0, $9, 0, $9)",
            params![
                &mail.id,
                &mail.service_id,
                &mail.user_id,
                mail.issuance_id.as_ref(),
                mail.notice.as_str(),
                mail.language.as_str(),
                &mail.to_address,
                &mail.facts,
                mail.created_at
            ],
        )
        .await
        .map(drop)
    }

    /// Claims up to `limit` mails that are due at `now` and that nobody holds, the oldest first. They are the caller's
    /// until `until`; after that another node may claim what is still queued.
    ///
    /// Each one is claimed by a write on the condition that it is still free, so two nodes never claim the same.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn claim_due(
        &mut self,
        now: UnixMillis,
        until: UnixMillis,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        let candidates = self
            .query(
                "SELECT mail_id FROM outbox
                 WHERE state = 'queued' AND next_try_at_ms <= $1 AND claimed_until_ms <= $1
                 ORDER BY mail_id LIMIT $2",
                params![now, at_most(limit)],
            )
            .await?
            .iter()
            .map(|row| Ok(params![until, row.text("mail_id")?, now]))
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.query_each(
            "UPDATE outbox SET claimed_until_ms = $1
             WHERE mail_id = $2 AND state = 'queued' AND next_try_at_ms <= $3 AND claimed_until_ms <= $3
             RETURNING mail_id, service_id, user_id, issuance_id, notice, language, to_address, facts, created_at_ms, tries,
                 claimed_until_ms",
            candidates,
        )
        .await?
        .iter()
        .flatten()
        .map(claimed_of)
        .collect()
    }

    /// Notes that the mail server took a mail; `false` when it is not queued any more, or somebody else's by now.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn mark_sent(
        &mut self,
        claimed: &ClaimedMail,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let marked = self
            .execute(
                "UPDATE outbox SET state = 'sent', sent_at_ms = $1, tries = tries + 1, claimed_until_ms = 0,
                     last_error = NULL
                 WHERE mail_id = $2 AND state = 'queued' AND claimed_until_ms = $3",
                params![now, &claimed.mail.id, claimed.claimed_until],
            )
            .await?;
        Ok(marked == 1)
    }

    /// Notes that a try failed, and gives the mail free for the next one at `next_try_at`, or gives it up. A mail that is
    /// not queued any more, or that somebody else has claimed since, stays as it is.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn mark_failed_try(
        &mut self,
        claimed: &ClaimedMail,
        next_try_at: UnixMillis,
        last_error: &str,
        give_up: bool,
    ) -> Result<(), StoreError> {
        let state = if give_up {
            MailState::Failed
        } else {
            MailState::Queued
        };
        self.execute(
            "UPDATE outbox SET state = $1, tries = tries + 1, next_try_at_ms = $2, claimed_until_ms = 0, last_error = $3
             WHERE mail_id = $4 AND state = 'queued' AND claimed_until_ms = $5",
            params![state.as_str(), next_try_at, last_error, &claimed.mail.id, claimed.claimed_until],
        )
        .await
        .map(drop)
    }

    /// The mails that tell of an issuance, the oldest first; of more than [`MAILS_OF_ISSUANCE_MAX`], the latest.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn mails_of_issuance(
        &mut self,
        id: &IssuanceId,
    ) -> Result<Vec<MailStatus>, StoreError> {
        self.query(
            "SELECT mail_id, state, tries, created_at_ms, sent_at_ms, last_error FROM outbox WHERE issuance_id = $1
             ORDER BY mail_id DESC LIMIT $2",
            params![id, MAILS_OF_ISSUANCE_MAX],
        )
        .await?
        .iter()
        .rev()
        .map(|row| {
            Ok(MailStatus {
                id: MailId::from_stored(row.text("mail_id")?),
                state: row.word("state", MailState::from_name)?,
                tries: row.number("tries")?,
                created_at: row.at("created_at_ms")?,
                sent_at: row.opt_at("sent_at_ms")?,
                last_error: row.opt_text("last_error")?.map(str::to_owned),
            })
        })
        .collect()
    }

    /// When the next queued mail is due and free; `None` when nothing is queued.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn next_due_at(&mut self) -> Result<Option<UnixMillis>, StoreError> {
        self.query_one(
            "SELECT MIN(CASE WHEN claimed_until_ms > next_try_at_ms THEN claimed_until_ms ELSE next_try_at_ms END)
                 AS due_at_ms
             FROM outbox WHERE state = 'queued'",
            params![],
        )
        .await?
        .map_or(Ok(None), |row| row.opt_at("due_at_ms"))
    }

    /// Removes up to `limit` mails that were sent before `before`, and says how many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_sent_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT mail_id FROM outbox WHERE state = 'sent' AND sent_at_ms < $1 ORDER BY sent_at_ms, mail_id LIMIT $2",
            params![before, at_most(limit)],
            "mail_id",
            "DELETE FROM outbox WHERE mail_id = $1 AND state = 'sent'",
            &[],
        )
        .await
    }

    /// Removes up to `limit` mails that were given up and whose next try would have been before `before`, and says how
    /// many.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn remove_failed_before(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.sweep(
            "SELECT mail_id FROM outbox WHERE state = 'failed' AND next_try_at_ms < $1
             ORDER BY next_try_at_ms, mail_id LIMIT $2",
            params![before, at_most(limit)],
            "mail_id",
            "DELETE FROM outbox WHERE mail_id = $1 AND state = 'failed'",
            &[],
        )
        .await
    }

    /// How many mails are in each state.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError> {
        let mut counts = OutboxCounts::default();
        for row in self
            .query(
                "SELECT state, COUNT(mail_id) AS mails FROM outbox GROUP BY state",
                params![],
            )
            .await?
        {
            let mails = row.number("mails")?;
            match row.word("state", MailState::from_name)? {
                MailState::Queued => counts.queued = mails,
                MailState::Sent => counts.sent = mails,
                MailState::Failed => counts.failed = mails,
            }
        }
        Ok(counts)
    }
}

fn claimed_of(row: &Row) -> Result<ClaimedMail, StoreError> {
    Ok(ClaimedMail {
        mail: Mail {
            id: MailId::from_stored(row.text("mail_id")?),
            service_id: row.service_id()?,
            user_id: UserId::from_stored(row.text("user_id")?),
            issuance_id: row.opt_text("issuance_id")?.map(IssuanceId::from_stored),
            notice: row.word("notice", Notice::from_name)?,
            language: row.language("language")?,
            to_address: row.text("to_address")?.to_owned(),
            facts: row.text("facts")?.to_owned(),
            created_at: row.at("created_at_ms")?,
        },
        tries: row.number("tries")?,
        claimed_until: row.at("claimed_until_ms")?,
    })
}
