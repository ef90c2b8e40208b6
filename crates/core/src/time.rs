//! Points in time and lengths of time as the product stores them. Never a clock.

use serde::{Deserialize, Serialize};

/// One second in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// One hour in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// One day of 24 hours in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. The unit of every `*_at_ms` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This point moved by `ms` milliseconds (negative: earlier), held at the ends of the range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Whole seconds since the epoch, rounded down: the `T` of RFC 6238 §4.2. 64 bits, so right past 2038 (R03).
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND_MS)
    }

    /// Milliseconds from `earlier` to this point; negative when `earlier` is later.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The wait from `now` until this point in whole seconds, rounded up and at least one: whoever waits so long is not too early.
    #[must_use]
    pub fn wait_s(self, now: Self) -> u32 {
        let seconds = self.since_ms(now).saturating_add(SECOND_MS - 1) / SECOND_MS;
        u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_never_said_too_short() {
        let now = UnixMillis(1_000);
        for (until, wait_s) in [
            (i64::MIN, 1),
            (0, 1),
            (1_000, 1),
            (1_001, 1),
            (2_000, 1),
            (2_001, 2),
            (3_000, 2),
            (i64::MAX, u32::MAX),
        ] {
            assert_eq!(UnixMillis(until).wait_s(now), wait_s, "{until}");
        }
    }
}
