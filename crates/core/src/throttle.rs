//! How wrong passwords slow down (PRODUCT.md §5, portal password; R36, R37): per user and per address, longer with every
//! wrong one, and never a way to lock somebody else out for good.
//!
//! Three counts, because each alone lets somebody through or keeps somebody out:
//!
//! - of an address, whomever it tries ([`FREE_PER_ADDRESS`]): slows who changes users. A try that another count refuses
//!   unjudged costs its address too, so that asking again and again is not free.
//! - of a user from one address ([`FREE_PER_USER`]): slows who sticks to one user. Whoever only knows a login id slows
//!   nobody but people at the same address: the owner, who comes from elsewhere, has a count of their own.
//! - of a user from everywhere ([`FREE_PER_USER_EVERYWHERE`]): slows who has many addresses. It is loose and eases with
//!   time ([`Tries::eased`]), so that one address, which gets one try a minute at most, never fills it.

use crate::refusal::Refusal;
use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS, UnixMillis};

/// Wrong passwords of one user from one network address that cost nothing: people mistype.
pub const FREE_PER_USER: u32 = 3;

/// Wrong passwords of one user, from whatever addresses, that cost nothing. Far more than one address can bring together.
pub const FREE_PER_USER_EVERYWHERE: u32 = 100;

/// After so long each wrong password of a user from everywhere is taken off the count again, in milliseconds. Half of
/// [`WAIT_MAX_MS`]: two addresses that try as often as they may do not make the count grow either.
pub const EASES_ONE_MS: i64 = WAIT_MAX_MS / 2;

/// Wrong passwords from one network address that cost nothing: a whole company may come from one.
pub const FREE_PER_ADDRESS: u32 = 20;

/// The longest wait between two tries, in milliseconds. Short enough that an attacker who keeps it up cannot keep the
/// owner out.
pub const WAIT_MAX_MS: i64 = MINUTE_MS;

/// After so long without a wrong password the count starts again, in milliseconds.
pub const FORGET_MS: i64 = HOUR_MS;

/// What is remembered of wrong tries under one key: an address, a user from one, or a user from everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Wrong ones in a row.
    pub failures: u32,
    /// When the last one was.
    pub last_at: Option<UnixMillis>,
}

impl Tries {
    /// Refuses a try that comes too early; it is then not judged at all. `free` wrong tries cost nothing.
    ///
    /// # Errors
    /// [`Refusal::SignInSlowed`] with the time when the next try is judged.
    pub fn check(&self, free: u32, now: UnixMillis) -> Result<(), Refusal> {
        let Some(last_at) = self.last_at else {
            return Ok(());
        };
        // Without a wait nothing is early, also where another node's clock is ahead of this one's.
        let wait_ms = wait_ms(self.failures, free);
        let open_at = last_at.plus_ms(wait_ms);
        if wait_ms > 0 && now < open_at {
            Err(Refusal::SignInSlowed { open_at })
        } else {
            Ok(())
        }
    }

    /// What is remembered after one more wrong try.
    #[must_use]
    pub fn after_failure(&self, now: UnixMillis) -> Self {
        let forgotten = self
            .last_at
            .is_none_or(|last_at| now.since_ms(last_at) >= FORGET_MS);
        let failures = if forgotten {
            1
        } else {
            self.failures.saturating_add(1)
        };
        Self {
            failures,
            last_at: Some(now),
        }
    }
}

impl Tries {
    /// What is remembered when a try that was counted before it was judged turns out right (R31): as if it had not been.
    #[must_use]
    pub fn refunded(&self) -> Self {
        Self {
            failures: self.failures.saturating_sub(1),
            last_at: self.last_at,
        }
    }

    /// What is left of the count at `now` when one wrong try is taken off for every [`EASES_ONE_MS`] since the last one.
    #[must_use]
    pub fn eased(&self, now: UnixMillis) -> Self {
        let off = self
            .last_at
            .map_or(0, |last_at| now.since_ms(last_at).max(0) / EASES_ONE_MS);
        Self {
            failures: self
                .failures
                .saturating_sub(u32::try_from(off).unwrap_or(u32::MAX)),
            last_at: self.last_at,
        }
    }
}

/// The wait after so many wrong tries: none for the free ones, then 1, 2, 4 .. seconds, at most [`WAIT_MAX_MS`].
fn wait_ms(failures: u32, free: u32) -> i64 {
    match failures.checked_sub(free) {
        None | Some(0) => 0,
        Some(over) => (SECOND_MS << (over - 1).min(16)).min(WAIT_MAX_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    #[test]
    fn three_wrong_passwords_are_free_and_then_each_waits_longer_up_to_a_minute() {
        let mut tries = Tries::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            tries = tries.after_failure(NOW);
            waits.push(match tries.check(FREE_PER_USER, NOW) {
                Err(Refusal::SignInSlowed { open_at }) => open_at.since_ms(NOW) / SECOND_MS,
                _ => 0,
            });
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn free_tries_stay_free_where_the_last_one_was_written_by_a_clock_that_is_ahead() {
        let tries = Tries {
            failures: FREE_PER_USER,
            last_at: Some(NOW),
        };
        assert_eq!(tries.check(FREE_PER_USER, NOW.plus_ms(-MINUTE_MS)), Ok(()));
    }

    /// The most wrong tries in a row that a user's count from everywhere reaches in a day of tries this far apart.
    fn fullest_after_a_day_of_tries_every(apart_ms: i64) -> u32 {
        let (mut tries, mut now, mut fullest) = (Tries::default(), NOW, 0);
        while now.since_ms(NOW) < 24 * HOUR_MS {
            let eased = tries.eased(now);
            if eased.check(FREE_PER_USER_EVERYWHERE, now).is_ok() {
                tries = eased.after_failure(now);
                fullest = fullest.max(tries.failures);
            }
            now = now.plus_ms(apart_ms);
        }
        fullest
    }

    #[test]
    fn r37_two_addresses_that_never_stop_do_not_slow_a_user_elsewhere() {
        assert!(fullest_after_a_day_of_tries_every(WAIT_MAX_MS) < FREE_PER_USER);
        assert!(fullest_after_a_day_of_tries_every(WAIT_MAX_MS / 2) < FREE_PER_USER);
    }

    #[test]
    fn r36_many_addresses_together_are_slowed() {
        let fullest = fullest_after_a_day_of_tries_every(SECOND_MS);
        assert!(fullest > FREE_PER_USER_EVERYWHERE, "{fullest}");
        // Once it is full, they all together get two or three tries a minute, and it cannot run away.
        assert!(fullest < FREE_PER_USER_EVERYWHERE + 8, "{fullest}");
    }

    #[test]
    fn r37_nobody_is_locked_out_for_good() {
        let tries = Tries {
            failures: u32::MAX,
            last_at: Some(NOW),
        };
        assert!(
            tries
                .check(FREE_PER_USER, NOW.plus_ms(WAIT_MAX_MS - 1))
                .is_err()
        );
        assert_eq!(tries.check(FREE_PER_USER, NOW.plus_ms(WAIT_MAX_MS)), Ok(()));
        assert_eq!(tries.after_failure(NOW.plus_ms(FORGET_MS)).failures, 1);
    }
}
