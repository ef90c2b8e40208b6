//! J1 and the waiting page: asking for a token, sending its mail again, starting over. The activation password stays in
//! the page; what arrives here is the blinded half of it (R45).

use warifu_activation::Binding;
use warifu_activation::messages::{RegistrationRecord, RegistrationRequest};
use warifu_core::activation::STARTS_PERIOD_MS;
use warifu_core::audit::{Action, Origin};
use warifu_core::id::{IssuanceId, TokenUserId, UserId};
use warifu_core::issuance::{Issuance, IssuanceState, MailAddress, Phase, may_issue};
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::service::Service;
use warifu_core::session::Stage;
use warifu_core::time::{DAY_MS, MINUTE_MS, UnixMillis};
use warifu_core::user::{Actor, Language, User};
use warifu_store::{Draft, MailStatus, Tx};

use super::activation::wire_id;
use super::keys::Column;
use super::life::end_if_over;
use super::notices::{Facts, enqueue};
use super::session::Session;
use super::{App, Failure, Record};
use crate::clock::system_rng;

/// Token mails of one issuance at most, the first one included.
pub const MAILS_PER_ISSUANCE_MAX: usize = 5;
/// The least time between two token mails of one issuance, in milliseconds.
pub const MAIL_AGAIN_AFTER_MS: i64 = MINUTE_MS;

/// Issuances of one user within [`ISSUANCES_PERIOD_MS`] at most, whatever became of them: each sends a mail to an address
/// that the user chooses, and must not be a way to fill somebody's mailbox.
pub const ISSUANCES_PER_USER_DAY_MAX: u32 = 10;
/// How long the issuances of a user are counted together, in milliseconds.
pub const ISSUANCES_PERIOD_MS: i64 = DAY_MS;

/// What the page gets to go on with.
#[derive(Debug)]
pub struct Begun {
    /// The registration response, encoded.
    pub response: Vec<u8>,
}

/// What the waiting page shows.
#[derive(Debug)]
pub struct Waiting {
    /// The issuance that waits for its app.
    pub issuance: Issuance,
    /// Where it is now.
    pub phase: Phase,
    /// Starts that are left to it: of its own (R50), or of the user's for the day (R51), whichever is less.
    pub starts_left: u32,
    /// The newest token mail.
    pub mail: Option<MailStatus>,
}

impl App {
    /// The first half of J1: checks the mail address and answers the blinded activation password. Makes a draft only.
    ///
    /// # Errors
    /// [`Refusal::MailInvalid`], [`Refusal::MailMismatch`], [`Refusal::ActivationMessage`], whatever hinders an issuance
    /// (see [`may_issue`]), and [`Refusal::TooManyRequests`] after [`ISSUANCES_PER_USER_DAY_MAX`] in a day.
    pub async fn begin_issuance(
        &self,
        session: &Session,
        (mail, mail_again): (&str, &str),
        request: &[u8],
    ) -> Result<Begun, Failure> {
        let now = self.now();
        session.fresh(now)?;
        let address = MailAddress::parse_twice(mail, mail_again)?;
        let (draft, response) =
            self.draft(&session.service, &session.user, &address, request, now)?;
        not_past_the_code(session)?;
        let mut tx = self.store.begin().await?;
        check_may_issue(&mut tx, &session.user.id, now).await?;
        tx.put_draft(&draft).await?;
        tx.commit().await?;
        Ok(Begun { response })
    }

    /// A draft for a user, and the answer to the blinded activation password. Nothing is stored yet.
    ///
    /// # Errors
    /// [`Refusal::ActivationMessage`].
    pub(super) fn draft(
        &self,
        service: &Service,
        user: &User,
        address: &MailAddress,
        request: &[u8],
        now: UnixMillis,
    ) -> Result<(Draft, Vec<u8>), Failure> {
        let request =
            RegistrationRequest::decode(request).map_err(|_| Refusal::ActivationMessage)?;
        let draft = Draft {
            user_id: user.id.clone(),
            issuance_id: IssuanceId::new(now, &mut system_rng()),
            token_user_id: TokenUserId::new(&mut system_rng()),
            mail_address: address.as_str().to_owned(),
            created_at: now,
        };
        let response = self
            .keys
            .setup()
            .register(self.binding_of(service, &draft)?, &request)
            .map_err(|_| Failure::fault("a registration was not computed"))?;
        Ok((draft, response.encode()))
    }

    /// The second half: the record is stored sealed, older issuances of the user are cancelled, the mail is queued.
    ///
    /// # Errors
    /// [`Refusal::FormExpired`] when the record is not of the user's draft; otherwise as [`App::begin_issuance`].
    pub async fn finish_issuance(
        &self,
        session: &Session,
        record: &[u8],
        origin: &Origin,
    ) -> Result<(), Failure> {
        let now = self.now();
        session.fresh(now)?;
        let uploaded =
            RegistrationRecord::decode(record).map_err(|_| Refusal::ActivationMessage)?;
        self.keys.ready_for(&session.service.id, now).await?;
        not_past_the_code(session)?;
        let mut tx = self.store.begin().await?;
        let actor = Actor::user(&session.user);
        let record = Record::of(session, &actor, now, origin);
        let asked = Asked {
            service: &session.service,
            user: &session.user,
            language: session.language,
        };
        self.issue(&mut tx, &record, &asked, uploaded).await?;
        tx.commit().await?;
        self.wake_senders();
        Ok(())
    }

    /// Makes the issuance of the user's draft with this record, in the caller's transaction.
    ///
    /// # Errors
    /// As [`App::finish_issuance`].
    pub(super) async fn issue(
        &self,
        tx: &mut Tx,
        record: &Record<'_>,
        asked: &Asked<'_>,
        uploaded: RegistrationRecord,
    ) -> Result<Issuance, Failure> {
        let (now, user) = (record.now, asked.user);
        tx.lock_user(&user.id).await?;
        end_if_over(tx, user, record.origin, &self.clock).await?;
        check_may_issue(tx, &user.id, now).await?;
        let draft = tx.draft(&user.id).await?.ok_or(Refusal::FormExpired)?;
        let binding = self.binding_of(asked.service, &draft)?;
        if uploaded.issuance_id != binding.issuance_id {
            return Err(Refusal::FormExpired.into());
        }
        let policy = &asked.service.policy;
        let issuance = Issuance {
            id: draft.issuance_id,
            service_id: asked.service.id.clone(),
            user_id: user.id.clone(),
            token_user_id: draft.token_user_id,
            mail_address: draft.mail_address,
            parameters: policy.parameters,
            created_at: now,
            expires_at: now.plus_ms(policy.issuance_lives_ms),
            starts: 0,
            state: IssuanceState::Issued,
        };
        let column = Column::IssuanceRecord {
            row: issuance.id.as_str(),
            parameters: &issuance.parameters,
        };
        let sealed = self
            .keys
            .seal(&issuance.service_id, &column, uploaded.record.as_bytes())?;
        withdraw(tx, &user.id, record).await?;
        tx.insert_issuance(&issuance, &sealed).await?;
        tx.remove_draft(&user.id).await?;
        tell_of_new_address(tx, asked, &issuance.mail_address, now).await?;
        tx.set_mail_address(&user.id, &issuance.mail_address)
            .await?;
        tx.set_language(&user.id, asked.language).await?;
        queue_token_mail(tx, asked, &issuance, now).await?;
        let target = ("issuance", issuance.id.as_str());
        record.write(tx, Action::Issue, target, "done").await?;
        Ok(issuance)
    }

    /// Sends the token mail again.
    ///
    /// # Errors
    /// [`Refusal::NoIssuance`] when none waits, [`Refusal::TooManyRequests`] when it went out too often or just now.
    pub async fn resend_mail(&self, session: &Session, origin: &Origin) -> Result<(), Failure> {
        let now = self.now();
        let actor = Actor::user(&session.user);
        let record = Record::of(session, &actor, now, origin);
        let asked = Asked {
            service: &session.service,
            user: &session.user,
            language: session.language,
        };
        let mut tx = self.store.begin().await?;
        resend(&mut tx, &record, &asked).await?;
        tx.commit().await?;
        self.wake_senders();
        Ok(())
    }

    /// Starts over: withdraws what was issued and not activated. Asking twice is as good as once.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn cancel_issuance(&self, session: &Session, origin: &Origin) -> Result<(), Failure> {
        let now = self.now();
        let actor = Actor::user(&session.user);
        let record = Record::of(session, &actor, now, origin);
        let mut tx = self.store.begin().await?;
        tx.lock_user(&session.user.id).await?;
        withdraw(&mut tx, &session.user.id, &record).await?;
        Ok(tx.commit().await?)
    }

    /// What waits for its app.
    ///
    /// # Errors
    /// [`Refusal::NoIssuance`] when nothing does.
    pub async fn waiting(&self, session: &Session) -> Result<Waiting, Failure> {
        let now = self.now();
        let mut tx = self.store.read().await?;
        let (issuance, _) = tx
            .latest_issuance(&session.user.id)
            .await?
            .ok_or(Refusal::NoIssuance)?;
        let mail = tx
            .mails_of_issuance(&issuance.id)
            .await?
            .into_iter()
            .max_by_key(|mail| mail.created_at);
        let phase = issuance.phase(now);
        let starts_today = tx
            .counted_starts(&session.user.id, now.plus_ms(-STARTS_PERIOD_MS))
            .await?;
        let policy = &session.service.policy;
        let of_issuance = policy
            .starts_per_issuance_max
            .saturating_sub(issuance.starts);
        let of_day = policy.starts_per_user_day_max.saturating_sub(starts_today);
        let starts_left = of_issuance.min(of_day);
        Ok(Waiting {
            issuance,
            phase,
            starts_left,
            mail,
        })
    }

    /// What the handshake is bound to. Apps know an issuance by a name that says nothing about it.
    fn binding_of(&self, service: &Service, draft: &Draft) -> Result<Binding, Failure> {
        let service_id = wire_id(service.id.as_str())?;
        let token_user_id = wire_id(draft.token_user_id.as_str())?;
        let issuance_id = self.keys.setup().public_issuance_id(
            &service_id,
            &token_user_id,
            Some(draft.issuance_id.as_str()),
        );
        Ok(Binding {
            service_id,
            token_user_id,
            issuance_id,
            parameters: service.policy.parameters,
        })
    }
}

/// For whom an issuance is made.
pub(super) struct Asked<'a> {
    /// The service.
    pub(super) service: &'a Service,
    /// The user.
    pub(super) user: &'a User,
    /// The language of the user's mails from now on.
    pub(super) language: Language,
}

/// After a right code there is a token already.
fn not_past_the_code(session: &Session) -> Result<(), Refusal> {
    if session.stage == Stage::Password {
        Ok(())
    } else {
        Err(Refusal::TokenAlreadyInUse)
    }
}

/// Whether the user may be issued a token now.
///
/// # Errors
/// See [`may_issue`]; [`Refusal::TooManyRequests`] after [`ISSUANCES_PER_USER_DAY_MAX`] in a day.
pub(super) async fn check_may_issue(
    tx: &mut Tx,
    user_id: &UserId,
    now: UnixMillis,
) -> Result<(), Failure> {
    let user = tx.user(user_id).await?.ok_or(Refusal::NotFound)?;
    let token = tx.latest_token(&user.id).await?;
    may_issue(&user, token.as_ref().map(|stored| &stored.token), now)?;
    let since = now.plus_ms(-ISSUANCES_PERIOD_MS);
    match tx.issuances_since(&user.id, since).await? {
        (ISSUANCES_PER_USER_DAY_MAX.., Some(oldest)) => Err(Refusal::TooManyRequests {
            open_at: oldest.plus_ms(ISSUANCES_PERIOD_MS),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Sends the token mail again, in the caller's transaction.
///
/// # Errors
/// As [`App::resend_mail`].
pub(super) async fn resend(
    tx: &mut Tx,
    record: &Record<'_>,
    asked: &Asked<'_>,
) -> Result<Issuance, Failure> {
    let now = record.now;
    tx.lock_user(&asked.user.id).await?;
    let (issuance, _) = tx
        .latest_issuance(&asked.user.id)
        .await?
        .ok_or(Refusal::NoIssuance)?;
    if issuance.phase(now) != Phase::Open {
        return Err(Refusal::NoIssuance.into());
    }
    let mails = tx.mails_of_issuance(&issuance.id).await?;
    let newest = mails
        .iter()
        .map(|mail| mail.created_at)
        .max()
        .unwrap_or(UnixMillis(0));
    if mails.len() >= MAILS_PER_ISSUANCE_MAX {
        return Err(Refusal::TooManyRequests {
            open_at: issuance.expires_at,
        }
        .into());
    }
    if now < newest.plus_ms(MAIL_AGAIN_AFTER_MS) {
        return Err(Refusal::TooManyRequests {
            open_at: newest.plus_ms(MAIL_AGAIN_AFTER_MS),
        }
        .into());
    }
    queue_token_mail(tx, asked, &issuance, now).await?;
    let target = ("issuance", issuance.id.as_str());
    record.write(tx, Action::ResendMail, target, "done").await?;
    Ok(issuance)
}

/// Cancels what the user was issued and has not activated; gives how many there were.
pub(super) async fn withdraw(
    tx: &mut Tx,
    user_id: &UserId,
    record: &Record<'_>,
) -> Result<usize, Failure> {
    let withdrawn = tx.cancel_issuances(user_id).await?;
    for cancelled in &withdrawn {
        let target = ("issuance", cancelled.as_str());
        record
            .write(tx, Action::CancelIssuance, target, "done")
            .await?;
    }
    Ok(withdrawn.len())
}

/// A change of address is told to the old and the new one (PRODUCT.md §6).
async fn tell_of_new_address(
    tx: &mut Tx,
    asked: &Asked<'_>,
    new: &str,
    now: UnixMillis,
) -> Result<(), Failure> {
    let before = asked.user.mail_address.as_deref();
    let Some(old) = before.filter(|old| *old != new) else {
        return Ok(());
    };
    let facts = Facts {
        at_ms: now.0,
        ..Facts::default()
    };
    for address in [old, new] {
        let to = (address, asked.language);
        let notice = Notice::AddressChanged;
        enqueue(tx, notice, asked.user, to, None, &facts, now).await?;
    }
    Ok(())
}

async fn queue_token_mail(
    tx: &mut Tx,
    asked: &Asked<'_>,
    issuance: &Issuance,
    now: UnixMillis,
) -> Result<(), Failure> {
    let facts = Facts {
        at_ms: now.0,
        ..Facts::default()
    };
    let to = (issuance.mail_address.as_str(), asked.language);
    let (notice, id) = (Notice::TokenIssued, Some(&issuance.id));
    enqueue(tx, notice, asked.user, to, id, &facts, now).await
}
