//! Who is mailed about what (PRODUCT.md §6, R43). The texts are in the server's catalogue.

use serde::{Deserialize, Serialize};

use crate::user::{Role, User};

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The token mail of J2: service id, token user id, address of the download page.
    TokenIssued,
    /// An app activated the user's token.
    Activated,
    /// Another device tried to activate after one had done so (R54).
    ActivatedElsewhere,
    /// The user's one-time password was suspended.
    Suspended,
    /// The suspension was lifted.
    Released,
    /// The token was revoked.
    Revoked,
    /// The app prolonged the token's life.
    Renewed,
    /// The mail address was changed; goes to the old and the new one.
    AddressChanged,
}

impl Notice {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::TokenIssued,
        Self::Activated,
        Self::ActivatedElsewhere,
        Self::Suspended,
        Self::Released,
        Self::Revoked,
        Self::Renewed,
        Self::AddressChanged,
    ];

    /// The name as it is stored and as in the catalogue's ids.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenIssued => "token_issued",
            Self::Activated => "activated",
            Self::ActivatedElsewhere => "activated_elsewhere",
            Self::Suspended => "suspended",
            Self::Released => "released",
            Self::Revoked => "revoked",
            Self::Renewed => "renewed",
            Self::AddressChanged => "address_changed",
        }
    }

    /// Of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.as_str() == name)
    }

    /// Whether master and administrators of the contract are told too.
    #[must_use]
    pub const fn tells_managers(self) -> bool {
        matches!(self, Self::Suspended | Self::Revoked)
    }
}

/// The users to mail about `notice` on `subject`: the subject, and on suspension and revocation the contract's master and
/// administrators. Each once, and only those who have a mail address and are not disabled.
#[must_use]
pub fn recipients<'a>(notice: Notice, subject: &'a User, contract: &'a [User]) -> Vec<&'a User> {
    let managers = contract.iter().filter(|user| {
        notice.tells_managers()
            && user.role != Role::General
            && user.id != subject.id
            && !user.disabled
    });
    core::iter::once(subject)
        .chain(managers)
        .filter(|user| user.mail_address.is_some())
        .collect()
}
