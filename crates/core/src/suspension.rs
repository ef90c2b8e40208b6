//! Release of a suspension (J5 **[M]**). The suspension itself happens in [`crate::verification::decide`].

use crate::refusal::Refusal;
use crate::service::Policy;
use crate::token::{Standing, Token};
use crate::user::{Actor, User, may_release};
use crate::verification::Counter;

/// Lifts the suspension of `target`'s token: gives the token and the counter to write, on the condition that nobody wrote
/// the counter meanwhile. The row of wrong codes starts again, the run since the last right code does not (R34).
///
/// # Errors
/// Who may not: see [`may_release`]. [`Refusal::NoToken`], [`Refusal::NotSuspended`], and
/// [`Refusal::ReleaseOnlyRevocation`] when the run has reached its limit.
pub fn release(
    actor: &Actor,
    target: &User,
    token: Option<(Token, Counter)>,
    policy: &Policy,
) -> Result<(Token, Counter), Refusal> {
    may_release(actor, target)?;
    let (token, counter) = token.ok_or(Refusal::NoToken)?;
    if token.state.standing() == Standing::Revoked {
        return Err(Refusal::NoToken);
    }
    let state = token.state.released().ok_or(Refusal::NotSuspended)?;
    if counter.run_is_over(policy) {
        return Err(Refusal::ReleaseOnlyRevocation);
    }
    let counter = Counter {
        version: counter.version + 1,
        failures: 0,
        standing: state.standing(),
        ..counter
    };
    Ok((Token { state, ..token }, counter))
}

/// Who can lift the suspension of a user of this role, to be told to the user (J5 **[M]**).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Releasers {
    /// A master is released by an administrator.
    Administrator,
    /// An administrator or general user is released by the master or another administrator.
    MasterOrAdministrator,
    /// Only the help desk (お問合せ先) can: a master without administrators.
    HelpDesk,
    /// Nobody can: the run of wrong codes is over ([`Counter::run_is_over`]).
    Nobody,
}

impl Releasers {
    /// The name as it is stored with a mail and as the catalogue's argument `who`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::MasterOrAdministrator => "master_or_administrator",
            Self::HelpDesk => "help_desk",
            Self::Nobody => "nobody",
        }
    }

    /// Of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Administrator,
            Self::MasterOrAdministrator,
            Self::HelpDesk,
            Self::Nobody,
        ]
        .into_iter()
        .find(|releasers| releasers.as_str() == name)
    }
}

/// Who can release `user`, whose token has this counter, given the users of the contract.
#[must_use]
pub fn releasers(user: &User, contract: &[User], counter: &Counter, policy: &Policy) -> Releasers {
    if counter.run_is_over(policy) {
        return Releasers::Nobody;
    }
    let administrator = contract.iter().any(|other| {
        other.role == crate::user::Role::Administrator && !other.disabled && other.id != user.id
    });
    let master = contract.iter().any(|other| {
        other.role == crate::user::Role::Master && !other.disabled && other.id != user.id
    });
    match (user.role, administrator, master) {
        (crate::user::Role::Master, true, _) => Releasers::Administrator,
        (crate::user::Role::Master, false, _) | (_, false, false) => Releasers::HelpDesk,
        (_, _, true) | (_, true, false) => Releasers::MasterOrAdministrator,
    }
}
