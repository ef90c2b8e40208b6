//! Delivery of what the use cases put into the outbox: claimed for a while, written, sent outside of any transaction, marked.
//! A crash between sending and marking sends the same mail once more, under the same Message-ID; nothing is forgotten (J2).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use warifu_core::issuance::Phase;
use warifu_core::notice::Notice;
use warifu_core::service::Service;
use warifu_core::suspension::Releasers;
use warifu_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS, UnixMillis};
use warifu_core::user::{Language, User};
use warifu_store::{Backlog, ClaimedMail, Mail};

use super::notices::Facts;
use super::{App, Failure, time_zone};
use crate::letters::{Letter, Notice as LetterNotice, NoticeLetter, TokenLetter};
use crate::mail::{Mailer, OutgoingMail, SendError, SendErrorKind};
use crate::portal::pages::path;
use crate::text::Text;

/// Mails claimed at once. They go out one after the other.
pub const BATCH_MAX: u32 = 4;
/// How long a claim holds, in milliseconds: longer than all deliveries of a batch can take, each with its timeouts. After it
/// another node may send.
pub const CLAIM_MS: i64 = 10 * MINUTE_MS;
/// Tries after which a mail is given up and shown as failed: with [`wait_ms`], about a day and a half.
pub const TRIES_MAX: u32 = 12;
/// The longest wait between two tries, in milliseconds.
const WAIT_MAX_MS: i64 = 6 * HOUR_MS;

/// What a mail says, or why it need not be sent any more.
enum Written {
    Letter(Letter),
    Pointless(&'static str),
}

/// The wait after so many failed tries: 15 seconds, 30, a minute .. up to six hours.
fn wait_ms(tries: u32) -> i64 {
    ((15 * SECOND_MS) << tries.saturating_sub(1).min(20)).min(WAIT_MAX_MS)
}

impl App {
    /// Woken when a mail was queued by this node.
    #[must_use]
    pub fn mail_waits(&self) -> Arc<Notify> {
        Arc::clone(&self.mail_waits)
    }

    /// Sends what is due, and says how many mails were looked at. Zero means that nothing is due now.
    ///
    /// # Errors
    /// [`Failure::Store`]. A mail that cannot be delivered is no error: it is marked and tried again later.
    pub async fn deliver_due(&self, mailer: &Mailer) -> Result<usize, Failure> {
        // By a wrong clock mails would be given up whose time is not over (R19).
        let Ok(now) = self.clock.steady() else {
            return Ok(0);
        };
        let mut tx = self.store.begin().await?;
        let claimed = tx.claim_due(now, now.plus_ms(CLAIM_MS), BATCH_MAX).await?;
        tx.commit().await?;
        for mail in &claimed {
            self.deliver(mailer, mail).await?;
        }
        Ok(claimed.len())
    }

    /// Tells the measurements what waits to be sent, and how long the oldest has waited.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn measure_outboxes(&self) -> Result<(), Failure> {
        let age = |backlog: &Backlog| {
            let since = |oldest| self.now().since_ms(oldest);
            let age_ms = backlog.oldest_at.map_or(0, since);
            Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
        };
        // Each by itself: none holds a snapshot for long, or hides another that fails.
        let mails = self.store.read().await?.mail_backlog().await?;
        self.metrics.outbox(mails.waiting, age(&mails));
        let webhooks = self.store.read().await?.webhook_backlog().await?;
        self.metrics.webhooks(webhooks.waiting, age(&webhooks));
        let dead = self.store.read().await?.count_dead_deliveries().await?;
        self.metrics.webhooks_dead(dead);
        Ok(())
    }

    /// When the next mail is due, if one waits.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn next_mail_due_at(&self) -> Result<Option<UnixMillis>, Failure> {
        Ok(self.store.read().await?.next_due_at().await?)
    }

    async fn deliver(&self, mailer: &Mailer, claimed: &ClaimedMail) -> Result<(), Failure> {
        let mail = &claimed.mail;
        let letter = match self.write_letter(mail).await {
            Ok(Written::Letter(letter)) => letter,
            Ok(Written::Pointless(reason)) => {
                let mut tx = self.store.begin().await?;
                tx.mark_failed_try(claimed, self.now(), reason, true)
                    .await?;
                return Ok(tx.commit().await?);
            }
            // A mail that we cannot write is ours to mend; the ones behind it must not wait for that.
            Err(Failure::Fault(what)) => {
                let unwritten = SendError {
                    kind: SendErrorKind::Temporary,
                    reason: what.to_owned(),
                };
                return self.failed(claimed, &unwritten).await;
            }
            Err(failure) => return Err(failure),
        };
        let outgoing = OutgoingMail {
            mail_id: mail.id.as_str().to_owned(),
            at: mail.created_at,
            from: self.settings.mail_from.clone(),
            to: mail.to_address.clone(),
            subject: letter.subject,
            body: letter.body,
        };
        let sent = mailer.send(&outgoing).await;
        if let Err(error) = sent {
            return self.failed(claimed, &error).await;
        }
        let mut tx = self.store.begin().await?;
        tx.mark_sent(claimed, self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Notes a try that failed: later again, or never.
    async fn failed(&self, claimed: &ClaimedMail, error: &SendError) -> Result<(), Failure> {
        let tries = claimed.tries + 1;
        let give_up = error.kind == SendErrorKind::Permanent || tries >= TRIES_MAX;
        tracing::warn!(mail_id = %claimed.mail.id, tries, give_up, reason = %error.reason, "a mail was not delivered");
        let next = self.now().plus_ms(wait_ms(tries));
        let mut tx = self.store.begin().await?;
        tx.mark_failed_try(claimed, next, &error.reason, give_up)
            .await?;
        Ok(tx.commit().await?)
    }

    /// The words of a mail. Of an issuance that is over nothing is mailed: its ids lead nowhere any more.
    async fn write_letter(&self, mail: &Mail) -> Result<Written, Failure> {
        let gone = Written::Pointless("what the mail is about is gone");
        let mut tx = self.store.read().await?;
        let Some(user) = tx.user(&mail.user_id).await? else {
            return Ok(gone);
        };
        let Some(service) = tx.service(&mail.service_id).await? else {
            return Ok(gone);
        };
        let issuance = match &mail.issuance_id {
            Some(id) => tx.issuance(id).await?.map(|stored| stored.issuance),
            None => None,
        };
        drop(tx);
        let text = Text::new(mail.language);
        let facts: Facts = serde_json::from_str(&mail.facts)
            .map_err(|_| Failure::fault("the facts of a mail cannot be read"))?;
        let letter = match (mail.notice, issuance) {
            (Notice::TokenIssued, Some(issuance)) if issuance.phase(self.now()) != Phase::Open => {
                return Ok(Written::Pointless("the issuance of the mail is over"));
            }
            (Notice::TokenIssued, Some(issuance)) => TokenLetter {
                text,
                name: user.name,
                service_name: service_name(&service, mail.language),
                service_id: service.id.to_string(),
                token_user_id: issuance.token_user_id.grouped(),
                download_url: format!("{}{}", self.settings.public_url, path::DOWNLOAD),
                expires_at: moment(text, &service, issuance.expires_at)?,
                help_desk: service.help_desk,
            }
            .letter(),
            (Notice::TokenIssued, None) => return Ok(gone),
            (notice, _) => NoticeLetter {
                text,
                name: user.name.clone(),
                service_name: service_name(&service, mail.language),
                help_desk: service.help_desk.clone(),
                at: moment(text, &service, UnixMillis(facts.at_ms))?,
                notice: words(notice, &facts, text, &service, &user)?,
            }
            .letter(),
        };
        letter
            .map(Written::Letter)
            .map_err(|_| Failure::fault("a mail was not written"))
    }
}

/// The name of a service in a language.
#[must_use]
pub fn service_name(service: &Service, language: Language) -> String {
    match language {
        Language::Ja => service.name_ja.clone(),
        Language::En => service.name_en.clone(),
    }
}

/// A moment as people of the service read it.
///
/// # Errors
/// [`Failure::Fault`] for a time or zone that cannot be.
pub fn moment(text: Text, service: &Service, at: UnixMillis) -> Result<String, Failure> {
    let at = Timestamp::from_millisecond(at.0)
        .map_err(|_| Failure::fault("a stored time is out of range"))?;
    Ok(text.moment(&at.to_zoned(time_zone(service)?)))
}

fn words(
    notice: Notice,
    facts: &Facts,
    text: Text,
    service: &Service,
    reader: &User,
) -> Result<LetterNotice, Failure> {
    let named = facts.releasers.as_deref().and_then(Releasers::from_name);
    let who = named.unwrap_or(Releasers::HelpDesk);
    let opens = match facts.reopens_at_ms.filter(|&ms| ms > facts.at_ms) {
        Some(ms) => Some(moment(text, service, UnixMillis(ms))?),
        None => None,
    };
    Ok(match (notice, facts.about.clone()) {
        (Notice::Suspended, Some(user)) => LetterNotice::ColleagueSuspended {
            user,
            releasable: who != Releasers::Nobody,
        },
        (Notice::Revoked, Some(user)) => LetterNotice::ColleagueRevoked { user },
        (Notice::Suspended, None) => LetterNotice::Suspended(who),
        (Notice::Revoked, None) => LetterNotice::Revoked { opens },
        (Notice::Renewed, _) => LetterNotice::Renewed {
            ends: match facts.ends_at_ms {
                Some(ms) => Some(moment(text, service, UnixMillis(ms))?),
                None => None,
            },
        },
        (Notice::Released, _) => LetterNotice::Released,
        (Notice::ActivatedElsewhere, _) => LetterNotice::SecondDevice,
        (Notice::AddressChanged, _) => LetterNotice::AddressChanged,
        (Notice::Activated | Notice::TokenIssued, _) => {
            debug_assert_eq!(
                notice,
                Notice::Activated,
                "the token mail of {} has a letter of its own",
                reader.id
            );
            LetterNotice::Activated
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_from_seconds_to_hours() {
        let waits: Vec<_> = (1..=TRIES_MAX)
            .map(|tries| wait_ms(tries) / SECOND_MS)
            .collect();
        assert_eq!(
            waits,
            [
                15, 30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600
            ]
        );
    }
}
