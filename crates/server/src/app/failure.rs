//! Why a use case did not do what was asked: the caller's reason, or ours.

use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_store::StoreError;
use warifu_vault::VaultError;

/// Seconds after which to come again when the database cannot answer, or something else is in the way that passes by itself.
const AGAIN_AFTER_S: u32 = 5;

/// What a use case answers when it did not do what was asked. Nothing was changed then, but for what is counted; of a database that is
/// [`Unavailable`](StoreError::Unavailable) nobody knows.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// A rule of the product said no; the person is told why.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// The database cannot answer now; the same request may work later.
    #[error("the database cannot answer: {0}")]
    Store(#[from] StoreError),
    /// A secret at rest could not be sealed or opened.
    #[error("a stored secret cannot be used: {0}")]
    Vault(#[from] VaultError),
    /// Ours: something that cannot be, is.
    #[error("internal fault: {0}")]
    Fault(&'static str),
}

impl Failure {
    /// A fault of ours, with a word for the log. Never a secret.
    #[must_use]
    pub const fn fault(what: &'static str) -> Self {
        Self::Fault(what)
    }

    /// The rule that said no, if one did.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal) => Some(*refusal),
            Self::Store(_) | Self::Vault(_) | Self::Fault(_) => None,
        }
    }

    /// In how many seconds the same request may work, where that is known.
    #[must_use]
    pub fn retry_after_s(&self, now: UnixMillis) -> Option<u32> {
        match self {
            Self::Refused(
                Refusal::TooManyRequests { open_at } | Refusal::SignInSlowed { open_at },
            ) => Some(open_at.wait_s(now)),
            Self::Refused(refusal) => refusal.is_passing().then_some(AGAIN_AFTER_S),
            Self::Store(_) => Some(AGAIN_AFTER_S),
            Self::Vault(_) | Self::Fault(_) => None,
        }
    }
}
