//! How long a sign-in lives and how far it has come (R73, R74). Cookies and storage are elsewhere.

use crate::service::SessionLife;
use crate::time::UnixMillis;

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The password was right; only the way to a code is open.
    Password,
    /// A code was right too: fully signed in (J0).
    Full,
}

impl Stage {
    /// The name as it is stored: `password`, `full`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Full => "full",
        }
    }

    /// Of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Password, Self::Full]
            .into_iter()
            .find(|stage| stage.as_str() == name)
    }
}

/// Whether a session begun at `began_at` and last used at `used_at` is still alive at `now`.
#[must_use]
pub const fn lives(
    began_at: UnixMillis,
    used_at: UnixMillis,
    now: UnixMillis,
    life: &SessionLife,
) -> bool {
    now.since_ms(used_at) < life.idle_ms && now.since_ms(began_at) < life.absolute_ms
}

/// Whether a sign-in is recent enough to ask for a token (R46): within the idle time of the policy from its beginning,
/// however busy the session was since.
#[must_use]
pub const fn is_fresh(began_at: UnixMillis, now: UnixMillis, life: &SessionLife) -> bool {
    now.since_ms(began_at) < life.idle_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Policy;
    use crate::time::{HOUR_MS, MINUTE_MS};

    #[test]
    fn r74_fifteen_minutes_idle_and_eight_hours_in_all() {
        let life = Policy::manual().session;
        let began = UnixMillis(1_790_000_000_000);
        let at = |ms| began.plus_ms(ms);
        assert!(lives(began, began, at(15 * MINUTE_MS - 1), &life));
        assert!(!lives(began, began, at(15 * MINUTE_MS), &life));
        assert!(lives(
            began,
            at(8 * HOUR_MS - 2),
            at(8 * HOUR_MS - 1),
            &life
        ));
        assert!(!lives(began, at(8 * HOUR_MS - 1), at(8 * HOUR_MS), &life));
    }
}
