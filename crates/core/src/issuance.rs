//! Asking for a token (J1 **[M]**): the mail address, whether the user may ask, and the state of what was asked for.

use crate::id::{IssuanceId, ServiceId, TokenId, TokenUserId, UserId, normalised};
use crate::life;
use crate::oath::Parameters;
use crate::refusal::Refusal;
use crate::revocation::wait_is_over;
use crate::time::UnixMillis;
use crate::token::{Standing, Token};
use crate::user::User;

/// A mail address that can be written to. Its form is checked, its owner is not: only the mail's arrival shows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAddress(String);

impl MailAddress {
    /// The longest address (RFC 5321 §4.5.3.1.3, less the angle brackets), in bytes.
    pub const LENGTH_MAX: usize = 254;

    /// Reads an address as typed; full-width letters and spaces around it are accepted.
    ///
    /// # Errors
    /// [`Refusal::MailInvalid`]: no address, no dot in the domain, a quoted or literal form, or over the length.
    pub fn parse(typed: &str) -> Result<Self, Refusal> {
        if typed.trim().contains(char::is_whitespace) {
            // Leaving them out would write to another address than the one that was typed.
            return Err(Refusal::MailInvalid);
        }
        let text = normalised(typed);
        let options = email_address::Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        let plain = text.len() <= Self::LENGTH_MAX && text.is_ascii() && !text.contains('"');
        match email_address::EmailAddress::parse_with_options(&text, options) {
            Ok(_) if plain => Ok(Self(text)),
            Ok(_) | Err(_) => Err(Refusal::MailInvalid),
        }
    }

    /// Reads the address that was typed twice.
    ///
    /// # Errors
    /// [`Refusal::MailInvalid`], or [`Refusal::MailMismatch`] when the second differs.
    pub fn parse_twice(typed: &str, again: &str) -> Result<Self, Refusal> {
        let address = Self::parse(typed)?;
        if normalised(again) == address.0 {
            Ok(address)
        } else {
            Err(Refusal::MailMismatch)
        }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address with most of its local part covered, `t***@example.jp`: enough for its owner to know it again.
    #[must_use]
    pub fn masked(text: &str) -> String {
        let (local, domain) = text.split_once('@').unwrap_or((text, ""));
        let first = local.chars().next().unwrap_or('*');
        format!("{first}***@{domain}")
    }
}

/// One asking for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuance {
    /// Names the issuance.
    pub id: IssuanceId,
    /// The service of the token.
    pub service_id: ServiceId,
    /// Who asked.
    pub user_id: UserId,
    /// What the app asks for.
    pub token_user_id: TokenUserId,
    /// Where the mail goes.
    pub mail_address: String,
    /// How the token's codes will be computed.
    pub parameters: Parameters,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// From when on it cannot be activated any more (R47).
    pub expires_at: UnixMillis,
    /// Starts of the app that are counted and not refunded (R50).
    pub starts: u32,
    /// What became of it.
    pub state: IssuanceState,
}

/// What became of an issuance, as stored. Expiry is a matter of the clock: see [`Issuance::phase`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuanceState {
    /// Waits for its app.
    Issued,
    /// An app finished; there is a token.
    Consumed {
        /// The token that came of it.
        token_id: TokenId,
    },
    /// Too many starts without a finish.
    Locked,
    /// Replaced by a newer one or withdrawn.
    Cancelled,
}

impl IssuanceState {
    /// The name as it is stored: `issued`, `consumed`, `locked`, `cancelled`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Consumed { .. } => "consumed",
            Self::Locked => "locked",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where an issuance is at one moment, the clock included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// An app may activate it.
    Open,
    /// Its time is over.
    Expired,
    /// Too many starts.
    Locked,
    /// Replaced or withdrawn.
    Cancelled,
    /// Activated.
    Consumed,
}

impl Issuance {
    /// Where the issuance is at `now`.
    #[must_use]
    pub fn phase(&self, now: UnixMillis) -> Phase {
        match self.state {
            IssuanceState::Consumed { .. } => Phase::Consumed,
            IssuanceState::Locked => Phase::Locked,
            IssuanceState::Cancelled => Phase::Cancelled,
            IssuanceState::Issued if now >= self.expires_at => Phase::Expired,
            IssuanceState::Issued => Phase::Open,
        }
    }
}

/// Whether the user may ask for a token at `now`: no live token (an activated one too needs a revocation first **[M]**,
/// R57) but one whose life is over, and no wait after a revocation. An issuance that was not activated is no hindrance: it is
/// cancelled.
///
/// # Errors
/// [`Refusal::TokenAlreadyInUse`], [`Refusal::UserSuspended`] or [`Refusal::ReissueNotYet`].
pub fn may_issue(user: &User, token: Option<&Token>, now: UnixMillis) -> Result<(), Refusal> {
    let live = token.filter(|token| !life::has_ended(token, now));
    match live.map(|token| token.state.standing()) {
        Some(Standing::Suspended) => Err(Refusal::UserSuspended),
        Some(Standing::Activated | Standing::InUse) => Err(Refusal::TokenAlreadyInUse),
        Some(Standing::Revoked) | None => wait_is_over(user, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_address_is_read_as_typed_and_refused_when_it_is_none() {
        assert_eq!(
            MailAddress::parse(" Ｔanaka@example.co.jp ")
                .unwrap()
                .as_str(),
            "Tanaka@example.co.jp"
        );
        let long = format!("{}@example.jp", "a".repeat(250));
        for wrong in [
            "",
            "tanaka",
            "@example.jp",
            "a@b",
            "a@b@example.jp",
            "a b@",
            "a b@example.jp",
            "a\u{3000}b@example.jp",
            "\"a b\"@example.jp",
            "a@[127.0.0.1]",
            "a@例え.jp",
            &long,
            "a\r\nBcc: x@example.jp",
        ] {
            assert_eq!(
                MailAddress::parse(wrong),
                Err(Refusal::MailInvalid),
                "{wrong:?}"
            );
        }
        assert_eq!(
            MailAddress::parse_twice("a@example.jp", "b@example.jp"),
            Err(Refusal::MailMismatch)
        );
        assert!(MailAddress::parse_twice("a@example.jp", "ａ@example.jp ").is_ok());
    }

    #[test]
    fn a_masked_address_shows_its_first_letter_and_its_domain() {
        assert_eq!(MailAddress::masked("tanaka@example.jp"), "t***@example.jp");
    }
}
