//! The bytes of a mail (RFC 5322), the same for every way and every try.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, header};

use super::{OutgoingMail, SendError};

/// The longest name of a mail.
const MAIL_ID_CHARS_MAX: usize = 64;

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): no holiday answer comes back.
#[derive(Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Whether the text is a mail address, or `Name <address>`.
#[must_use]
pub fn is_mailbox(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Builds the message. A mail that cannot be built will never go, so every error is permanent.
pub(super) fn build(mail: &OutgoingMail) -> Result<Message, SendError> {
    let from: Mailbox = mail
        .from
        .parse()
        .map_err(|_| SendError::permanent("the sender's address is none"))?;
    let to: Mailbox = mail
        .to
        .parse()
        .map_err(|_| SendError::permanent("the recipient's address is none"))?;
    if !is_file_name(&mail.mail_id) {
        return Err(SendError::permanent(
            "the mail's id cannot stand in a Message-ID",
        ));
    }
    if mail.subject.chars().any(char::is_control) {
        return Err(SendError::permanent("the subject is not one line"));
    }
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.at.0).unwrap_or_default());
    Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.mail_id, from.email.domain())))
        .header(header::Date::new(date))
        .from(from)
        .to(to)
        .subject(&mail.subject)
        .header(header::MIME_VERSION_1_0)
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.clone())
        .map_err(|_| SendError::permanent("the mail cannot be put together"))
}

/// Letters, digits, `-` and `_`: what a file's name and a Message-ID both take.
fn is_file_name(id: &str) -> bool {
    (1..=MAIL_ID_CHARS_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
