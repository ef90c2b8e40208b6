//! Where a right password leads (J0): by the state of the user's token and of what the user asked for.

use crate::issuance::{Issuance, Phase};
use crate::life;
use crate::time::UnixMillis;
use crate::token::{Standing, Token};
use crate::user::User;

/// The page that a user who passed the first factor comes to. Only [`Destination::Verify`] leads on to a full sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// No token: ask for one (J1).
    Issue,
    /// Asked for, not activated yet: finish in the app, send the mail again, or start over.
    FinishInApp(Phase),
    /// Activated or in use: type the code (J4).
    Verify,
    /// Refused: told who can release (J5).
    Suspended,
    /// Refused: told from when (R58).
    ReissueNotYet {
        /// When sign-in and issuance open again.
        open_at: UnixMillis,
    },
}

/// Where the user goes at `now`. `token` and `issuance` are the latest ones.
#[must_use]
pub fn destination(
    user: &User,
    token: Option<&Token>,
    issuance: Option<&Issuance>,
    now: UnixMillis,
) -> Destination {
    match token.map(|token| token.state.standing()) {
        // A token whose life is over is treated like none (R27); a suspension stays what it is.
        Some(_) if token.is_some_and(|token| life::has_ended(token, now)) => {}
        Some(Standing::Activated | Standing::InUse) => return Destination::Verify,
        Some(Standing::Suspended) => return Destination::Suspended,
        Some(Standing::Revoked) | None => {}
    }
    if let Some(open_at) = user.reopens_at
        && now < open_at
    {
        return Destination::ReissueNotYet { open_at };
    }
    match issuance.map(|issuance| issuance.phase(now)) {
        Some(phase @ (Phase::Open | Phase::Expired | Phase::Locked)) => {
            Destination::FinishInApp(phase)
        }
        Some(Phase::Cancelled | Phase::Consumed) | None => Destination::Issue,
    }
}
