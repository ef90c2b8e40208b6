//! How long a token lives, where the policy sets an end (R27), and how its app prolongs it. A renewal is a sign of life of the
//! device: the seed stays, and a new secret needs a new token.

use crate::refusal::Refusal;
use crate::service::Policy;
use crate::time::{HOUR_MS, UnixMillis};
use crate::token::{RevokedBy, Token, TokenState};
use crate::user::User;
use crate::verification::Counter;

/// The least time between two renewals of a token, in milliseconds, whatever the policy: each sends a mail.
pub const RENEWALS_APART_MS: i64 = HOUR_MS;

/// When a token ends that is activated or renewed at `from`; `None` for one without an end.
#[must_use]
pub fn end(from: UnixMillis, policy: &Policy) -> Option<UnixMillis> {
    (policy.token_lives_ms > 0).then(|| from.plus_ms(policy.token_lives_ms))
}

/// Whether a life with this end is over at `now`: its last millisecond is the one before the end.
#[must_use]
pub const fn is_over(expires_at: Option<UnixMillis>, now: UnixMillis) -> bool {
    match expires_at {
        Some(end) => end.0 <= now.0,
        None => false,
    }
}

/// Whether the token's life is over at `now`, so that its codes are refused and its user may have a new one. That of a
/// suspended token is not: a suspension never ends by itself (R35), and waiting is no way out of it.
#[must_use]
pub fn has_ended(token: &Token, now: UnixMillis) -> bool {
    token.state.verifies() && is_over(token.expires_at, now)
}

/// From when on a token with this end can be renewed; `None` for one without an end, or where the policy opens no renewal.
#[must_use]
pub fn renewable_from(expires_at: Option<UnixMillis>, policy: &Policy) -> Option<UnixMillis> {
    let opens_ms = if policy.token_lives_ms > 0 {
        let latest = policy.token_lives_ms - RENEWALS_APART_MS;
        policy.renewal_opens_ms.min(latest)
    } else {
        policy.renewal_opens_ms
    };
    let end = expires_at.filter(|_| opens_ms > 0)?;
    Some(end.plus_ms(-opens_ms))
}

/// Prolongs a token at the wish of its app: it ends a whole life after `now`. Gives the token and the counter to write; only
/// the counter's version changes, so that a suspension or revocation at the same moment is not missed.
///
/// Where the policy sets no life any more, the token has no end from then on.
///
/// # Errors
/// [`Refusal::RenewalNotOpen`] for a token without an end, before [`renewable_from`], from its end on, for one that is
/// suspended or revoked, and for a disabled user.
pub fn renew(
    user: &User,
    token: Token,
    counter: Counter,
    policy: &Policy,
    now: UnixMillis,
) -> Result<(Token, Counter), Refusal> {
    let opens = renewable_from(token.expires_at, policy).ok_or(Refusal::RenewalNotOpen)?;
    let lives = token.state.verifies() && !is_over(token.expires_at, now);
    if user.disabled || !lives || now < opens {
        return Err(Refusal::RenewalNotOpen);
    }
    let expires_at = end(now, policy);
    let counter = Counter {
        version: counter.version + 1,
        ..counter
    };
    Ok((
        Token {
            expires_at,
            ..token
        },
        counter,
    ))
}

/// What an app is told of its token (J7, R61).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStanding {
    /// No code was right yet.
    Activated,
    /// A first code was right.
    InUse,
    /// Too many wrong codes.
    Suspended,
    /// Ended for good.
    Revoked,
    /// Its life is over.
    Expired,
}

impl DeviceStanding {
    /// The word of docs/protocol.md.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::InUse => "in_use",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// Whether there is a renewal to look forward to.
    #[must_use]
    pub const fn may_be_renewed(self) -> bool {
        matches!(self, Self::Activated | Self::InUse)
    }
}

/// What an app is told of its token at `now`, and since when it is suspended, revoked or expired. A token that the product
/// revoked because its life was over is told as expired, as it was before.
#[must_use]
pub fn standing_for_device(token: &Token, now: UnixMillis) -> (DeviceStanding, Option<UnixMillis>) {
    match token.state {
        TokenState::Suspended { suspended_at, .. } => {
            (DeviceStanding::Suspended, Some(suspended_at))
        }
        TokenState::Revoked {
            revoked_at,
            by: RevokedBy::System,
        } if is_over(token.expires_at, revoked_at) => (DeviceStanding::Expired, token.expires_at),
        TokenState::Revoked { revoked_at, .. } => (DeviceStanding::Revoked, Some(revoked_at)),
        TokenState::Activated | TokenState::InUse { .. } if is_over(token.expires_at, now) => {
            (DeviceStanding::Expired, token.expires_at)
        }
        TokenState::Activated => (DeviceStanding::Activated, None),
        TokenState::InUse { .. } => (DeviceStanding::InUse, None),
    }
}

#[cfg(test)]
mod tests;
