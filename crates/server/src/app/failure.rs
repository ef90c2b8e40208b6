//! Why a use case did not do what was asked: the caller's reason, or ours.

use warifu_core::refusal::Refusal;
use warifu_store::StoreError;
use warifu_vault::VaultError;

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
}
