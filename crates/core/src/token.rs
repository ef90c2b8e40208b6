//! A token and its states (PRODUCT.md §3). The states carry their own data; a transition consumes the old state.

use crate::id::{IssuanceId, ServiceId, TokenId, UserId};
use crate::oath::Parameters;
use crate::time::UnixMillis;

/// Tokens that one app holds at most (J3 **[M]**, R60).
pub const TOKENS_PER_APP_MAX: usize = 10;

/// The software authenticator bound to one user. Its seed is elsewhere, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Names the token.
    pub id: TokenId,
    /// The service it is for.
    pub service_id: ServiceId,
    /// The user it belongs to.
    pub user_id: UserId,
    /// The issuance it came from.
    pub issuance_id: IssuanceId,
    /// How its codes are computed.
    pub parameters: Parameters,
    /// When the app finished its activation.
    pub activated_at: UnixMillis,
    /// From when on its codes are not accepted any more (R27); `None` for a token without an end. See [`crate::life`].
    pub expires_at: Option<UnixMillis>,
    /// Where it is in its life.
    pub state: TokenState,
}

/// Where a token is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The app has the seed; no code was right yet (R56).
    Activated,
    /// A first code was right.
    InUse {
        /// When.
        confirmed_at: UnixMillis,
    },
    /// Too many wrong codes. Never ends by itself **[M]** (R35).
    Suspended {
        /// Since when.
        suspended_at: UnixMillis,
        /// When a first code was right; `None` if none ever was, and a release leads back to activated.
        confirmed_at: Option<UnixMillis>,
    },
    /// Ended for good.
    Revoked {
        /// Since when.
        revoked_at: UnixMillis,
        /// By whom.
        by: RevokedBy,
    },
}

/// Who ended a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBy {
    /// A master, an administrator or two operators: a person who rebinds the user (NIST SP 800-63B-4 §3.2.2).
    Person,
    /// The product, because no code was ever right in time, or because the token's life was over.
    System,
}

impl RevokedBy {
    /// The name as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::System => "system",
        }
    }

    /// Of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Person, Self::System]
            .into_iter()
            .find(|by| by.as_str() == name)
    }
}

/// The state without its data, as the hot row and the pages have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// See [`TokenState::Activated`].
    Activated,
    /// See [`TokenState::InUse`].
    InUse,
    /// See [`TokenState::Suspended`].
    Suspended,
    /// See [`TokenState::Revoked`].
    Revoked,
}

impl Standing {
    /// The name as it is stored: `activated`, `in_use`, `suspended`, `revoked`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::InUse => "in_use",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }

    /// Of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Activated, Self::InUse, Self::Suspended, Self::Revoked]
            .into_iter()
            .find(|standing| standing.as_str() == name)
    }
}

impl TokenState {
    /// The state without its data.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        match self {
            Self::Activated => Standing::Activated,
            Self::InUse { .. } => Standing::InUse,
            Self::Suspended { .. } => Standing::Suspended,
            Self::Revoked { .. } => Standing::Revoked,
        }
    }

    /// When a first code was right, where that is known.
    #[must_use]
    pub const fn confirmed_at(&self) -> Option<UnixMillis> {
        match self {
            Self::InUse { confirmed_at } => Some(*confirmed_at),
            Self::Suspended { confirmed_at, .. } => *confirmed_at,
            Self::Activated | Self::Revoked { .. } => None,
        }
    }

    /// Whether codes may be judged at all (R27).
    #[must_use]
    pub const fn verifies(&self) -> bool {
        matches!(self, Self::Activated | Self::InUse { .. })
    }

    /// The state after a code was right (R56). A suspended or revoked token stays as it is: its codes are never judged.
    #[must_use]
    pub const fn after_right_code(self, now: UnixMillis) -> Self {
        match self {
            Self::Activated => Self::InUse { confirmed_at: now },
            other => other,
        }
    }

    /// The state after the last allowed wrong code.
    #[must_use]
    pub const fn suspended(self, now: UnixMillis) -> Self {
        match self {
            Self::Activated => Self::Suspended {
                suspended_at: now,
                confirmed_at: None,
            },
            Self::InUse { confirmed_at } => Self::Suspended {
                suspended_at: now,
                confirmed_at: Some(confirmed_at),
            },
            other => other,
        }
    }

    /// The state after a release; `None` when the token is not suspended.
    #[must_use]
    pub const fn released(self) -> Option<Self> {
        match self {
            Self::Suspended {
                confirmed_at: Some(confirmed_at),
                ..
            } => Some(Self::InUse { confirmed_at }),
            Self::Suspended {
                confirmed_at: None, ..
            } => Some(Self::Activated),
            Self::Activated | Self::InUse { .. } | Self::Revoked { .. } => None,
        }
    }

    /// The state after a revocation; `None` when the token is revoked already.
    #[must_use]
    pub const fn revoked(self, now: UnixMillis, by: RevokedBy) -> Option<Self> {
        match self {
            Self::Revoked { .. } => None,
            _ => Some(Self::Revoked {
                revoked_at: now,
                by,
            }),
        }
    }
}
