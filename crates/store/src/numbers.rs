//! Numbers that begin with a time, so that those made later are mostly greater, and rows that are found by them stand in the order of their making.

use warifu_core::time::UnixMillis;

use crate::Value;

/// 2020-01-01, in milliseconds since 1970.
const EPOCH_MS: i64 = 1_577_836_800_000;
/// What is left beside 41 bits of time and the sign.
const OTHER_BITS: u32 = 22;
/// In 2086. Numbers of later times would be used up, and those of 19 digits begin with a nine.
const TIME_MAX: i64 = 2_100_000_000_000;

/// The first number of a millisecond: 41 bits of milliseconds since 2020, then 22 bits of nothing.
pub(crate) fn first_of(at: UnixMillis) -> i64 {
    at.0.saturating_sub(EPOCH_MS).clamp(0, TIME_MAX) << OTHER_BITS
}

/// The millisecond that a number begins with.
pub(crate) const fn time_of(number: i64) -> UnixMillis {
    UnixMillis((number >> OTHER_BITS) + EPOCH_MS)
}

/// The number of a counter, under which a verification finds and writes it.
///
/// Made by the program and never given twice, like an id: 41 bits of milliseconds since 2020, then 22 random bits. A node remembers whose it is; were
/// numbers counted up by the database, one that was lost with an old primary would be given again, to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterNo(pub(crate) i64);

impl CounterNo {
    /// The number of a counter that is made at `now`; of `random` the lowest 22 bits count.
    #[must_use]
    pub fn new(now: UnixMillis, random: u32) -> Self {
        let random = i64::from(random) & ((1 << OTHER_BITS) - 1);
        Self(first_of(now) | random)
    }

    /// The same as bytes, most significant first, for where many are kept in memory.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The number of [`Self::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(i64::from_be_bytes(bytes))
    }
}

impl From<CounterNo> for Value {
    fn from(number: CounterNo) -> Self {
        Self::Int(number.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_counters_follow_the_time_and_differ_by_chance() {
        let at = |ms: i64, random| CounterNo::new(UnixMillis(ms), random).0;
        let now = 1_800_000_000_000;
        assert!(at(now, u32::MAX) < at(now + 1, 0));
        assert_ne!(at(now, 1), at(now, 2));
        // Above all that were numbered one by one, and within what a database takes, whatever the clock says.
        assert!(at(now, 0) > 1 << 40);
        for ms in [i64::MIN / 2, 0, i64::MAX / 2] {
            assert!(at(ms, u32::MAX) >= 0);
        }
    }
}
