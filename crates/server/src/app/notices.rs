//! Puts the mails of an event into the outbox, in the transaction of the event (PRODUCT.md §6, R43). Delivery is
//! elsewhere, after the commit (invariant 3).

use serde::{Deserialize, Serialize};
use warifu_core::id::{IssuanceId, MailId};
use warifu_core::notice::{Notice, recipients};
use warifu_core::time::UnixMillis;
use warifu_core::user::{Language, User};
use warifu_store::{Mail, Tx};

use super::Failure;
use crate::clock::system_rng;

/// What a mail tells beyond its kind, as stored with it. Nothing secret: ids are looked up when the mail is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Facts {
    /// When what it tells of happened, Unix milliseconds.
    pub at_ms: i64,
    /// The name of the user it is about, where that is not the reader.
    pub about: Option<String>,
    /// When sign-in opens again, Unix milliseconds.
    pub reopens_at_ms: Option<i64>,
    /// When the token's life ends now, Unix milliseconds.
    pub ends_at_ms: Option<i64>,
    /// Who can release, by its stored name.
    pub releasers: Option<String>,
}

/// A mail to one user about the user's own token.
pub(super) async fn enqueue(
    tx: &mut Tx,
    notice: Notice,
    user: &User,
    (to_address, language): (&str, Language),
    issuance_id: Option<&IssuanceId>,
    facts: &Facts,
    now: UnixMillis,
) -> Result<(), Failure> {
    let mail = Mail {
        id: MailId::new(now, &mut system_rng()),
        service_id: user.service_id.clone(),
        user_id: user.id.clone(),
        issuance_id: issuance_id.cloned(),
        notice,
        language,
        to_address: to_address.to_owned(),
        facts: serde_json::to_string(facts)
            .map_err(|_| Failure::fault("the facts of a mail are no JSON"))?,
        created_at: now,
    };
    Ok(tx.enqueue(&mail).await?)
}

/// Mails to everybody whom the event concerns: see [`recipients`].
pub(super) async fn enqueue_to_all(
    tx: &mut Tx,
    notice: Notice,
    subject: &User,
    contract: &[User],
    facts: &Facts,
    now: UnixMillis,
) -> Result<(), Failure> {
    for user in recipients(notice, subject, contract) {
        let Some(address) = &user.mail_address else {
            continue;
        };
        let about = (user.id != subject.id).then(|| subject.name.clone());
        let facts = Facts {
            about,
            ..facts.clone()
        };
        enqueue(
            tx,
            notice,
            user,
            (address, user.language),
            None,
            &facts,
            now,
        )
        .await?;
    }
    Ok(())
}
