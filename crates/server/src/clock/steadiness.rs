//! Whether the machine's clock can be trusted to judge codes by (R19). Pure: what the clocks say is told to it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use warifu_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS, UnixMillis};

use super::ClockTrust;

/// How far the wall clock may be from what it is held against, in milliseconds, before codes are not judged any more
/// (R19): half of the shortest time step. Corrections of a clock that is kept right are far smaller.
pub const APART_MAX_MS: i64 = 30 * SECOND_MS;
/// After so long the wall clock is held anew against the one that only counts, so that small corrections do not add up.
const COMPARED_ANEW_AFTER_MS: i64 = HOUR_MS;
/// How long another clock may take to say its time, or it only shows what is wrong by far: half of that is how wrong the comparison may be.
const ANSWERED_WITHIN_MS: i64 = SECOND_MS;
/// How long what the other clock said counts; it is asked far more often.
const HEARD_COUNTS_MS: i64 = 5 * MINUTE_MS;

/// Why the clock is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It was put forward or back while the process ran.
    Jumped,
    /// It stands before what is recorded, and there is no other clock that says the same.
    BeforeRecords,
    /// It is not that of the database's server.
    NotTheServers,
}

impl Doubt {
    /// What happened, and what to do, for operators.
    const fn told(self) -> &'static str {
        match self {
            Self::Jumped => {
                "it was put forward or back: put it right, or start the program anew if it is right now"
            }
            Self::BeforeRecords => {
                "later times are recorded already: put it right, or wait; if it is right and cannot wait, set clock = \"trusted\" (docs/operations.md)"
            }
            Self::NotTheServers => {
                "it is not that of PostgreSQL's server: find out which of the two is wrong, and put that one right"
            }
        }
    }
}

/// No code can be judged by the wall clock (R19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockUnsure {
    /// Why.
    pub doubt: Doubt,
    /// How far the wall clock is ahead of what it is held against, in milliseconds; negative: behind.
    pub ahead_ms: i64,
}

impl fmt::Display for ClockUnsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ahead_ms, told) = (self.ahead_ms, self.doubt.told());
        write!(f, "the clock is {ahead_ms} ms ahead; {told}")
    }
}

impl std::error::Error for ClockUnsure {}

/// What a clock said, and when by the one that only counts.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Unix milliseconds.
    at_ms: i64,
    /// Milliseconds since the machine started.
    counted_ms: i64,
}

impl Moment {
    /// How far a clock that says `at_ms` now is ahead of where that one has come by now.
    const fn ahead_ms(self, at_ms: i64, counted_ms: i64) -> i64 {
        at_ms - self.at_ms - (counted_ms - self.counted_ms)
    }
}

/// What the wall clock is held against: a clock that nobody can set, and that goes on while the machine sleeps; that of the database's server; and what is recorded.
#[derive(Debug)]
pub(super) struct Steadiness {
    trust: ClockTrust,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The wall clock itself, when it was seen to be steady; `None` while it never was, since it began apart from the server's.
    own: Option<Moment>,
    /// What the clock of the database's server said last, where there is one.
    server: Option<Moment>,
    /// Whether that server is on another machine: one on this has the same clock, and agrees with every mistake of it.
    server_is_elsewhere: bool,
    /// The latest time that was recorded before this process began.
    recorded_ms: i64,
    alarmed: Option<Doubt>,
}

impl Known {
    /// How far the wall clock is ahead of the server's, if that counts still. It always does for a clock that was never seen to be steady.
    fn ahead_of_server_ms(&self, wall_ms: i64, counted_ms: i64) -> Option<i64> {
        let counts =
            |said: &Moment| self.own.is_none() || counted_ms - said.counted_ms <= HEARD_COUNTS_MS;
        let said = self.server.filter(counts)?;
        Some(said.ahead_ms(wall_ms, counted_ms))
    }

    fn parted_ms(&self, wall_ms: i64, counted_ms: i64) -> i64 {
        self.own.map_or(0, |own| own.ahead_ms(wall_ms, counted_ms))
    }

    fn doubt(&self, trust: ClockTrust, wall_ms: i64, counted_ms: i64) -> Option<ClockUnsure> {
        let unsure = |doubt, ahead_ms| Some(ClockUnsure { doubt, ahead_ms });
        let server = self
            .ahead_of_server_ms(wall_ms, counted_ms)
            .filter(|_| trust == ClockTrust::Compared);
        if self.is_confirmed(server) {
            return None;
        }
        let parted_ms = self.parted_ms(wall_ms, counted_ms);
        if is_apart(parted_ms) {
            return unsure(Doubt::Jumped, parted_ms);
        }
        if let Some(ahead_ms) = server.filter(|ahead_ms| is_apart(*ahead_ms)) {
            return unsure(Doubt::NotTheServers, ahead_ms);
        }
        let ahead_ms = wall_ms.saturating_sub(self.recorded_ms);
        if trust == ClockTrust::Compared && ahead_ms < -APART_MAX_MS {
            return unsure(Doubt::BeforeRecords, ahead_ms);
        }
        None
    }

    /// Whether the clock of another machine says the same: then nothing that was seen or recorded before speaks against it.
    fn is_confirmed(&self, ahead_of_server_ms: Option<i64>) -> bool {
        self.server_is_elsewhere && ahead_of_server_ms.is_some_and(|ahead_ms| !is_apart(ahead_ms))
    }
}

const fn is_apart(ahead_ms: i64) -> bool {
    ahead_ms.abs() > APART_MAX_MS
}

impl Steadiness {
    pub(super) fn of(trust: ClockTrust, wall_ms: i64, counted_ms: i64) -> Self {
        let own = Moment {
            at_ms: wall_ms,
            counted_ms,
        };
        Self {
            trust,
            known: Mutex::new(Known {
                own: Some(own),
                server: None,
                server_is_elsewhere: false,
                recorded_ms: i64::MIN,
                alarmed: None,
            }),
        }
    }

    /// # Errors
    /// Why the clock is not trusted at this moment.
    pub(super) fn check(&self, wall_ms: i64, counted_ms: i64) -> Result<(), ClockUnsure> {
        let mut known = self.known();
        let unsure = known.doubt(self.trust, wall_ms, counted_ms);
        let doubt = unsure.map(|unsure| unsure.doubt);
        let server = known.ahead_of_server_ms(wall_ms, counted_ms);
        if doubt.is_none() && self.trust == ClockTrust::Compared && known.is_confirmed(server) {
            known.recorded_ms = i64::MIN;
        }
        let is_old = |own: Moment| {
            counted_ms - own.counted_ms > COMPARED_ANEW_AFTER_MS
                || is_apart(own.ahead_ms(wall_ms, counted_ms))
        };
        if doubt.is_none() && known.own.is_none_or(is_old) {
            known.own = Some(Moment {
                at_ms: wall_ms,
                counted_ms,
            });
        } else if doubt == Some(Doubt::NotTheServers) {
            // Which of the two is wrong is not known: whichever is put right, that is no jump. Only the server's word ends it.
            known.own = None;
        }
        let is_new = std::mem::replace(&mut known.alarmed, doubt) != doubt;
        drop(known);
        match unsure {
            Some(unsure) if is_new => tracing::error!("ALARM: no code is judged: {unsure}"),
            None if is_new => tracing::warn!("the clock is right again: codes are judged"),
            _ => {}
        }
        unsure.map_or(Ok(()), Err)
    }

    /// The server's clock, on another machine or on this one, said this between two moments. Whether that counts: what took too long does only if the clocks are apart all the same.
    pub(super) fn heard(
        &self,
        (server, is_elsewhere): (UnixMillis, bool),
        (asked_ms, answered_ms): (i64, i64),
        wall_ms: i64,
    ) -> bool {
        let took_ms = answered_ms - asked_ms;
        let said = Moment {
            at_ms: server.0,
            counted_ms: i64::midpoint(asked_ms, answered_ms),
        };
        let surely_ms = said.ahead_ms(wall_ms, answered_ms).abs() - took_ms;
        if took_ms > ANSWERED_WITHIN_MS && !is_apart(surely_ms.max(0)) {
            return false;
        }
        let mut known = self.known();
        known.server = Some(said);
        known.server_is_elsewhere = is_elsewhere;
        true
    }

    /// This was recorded before the process began.
    pub(super) fn not_before(&self, recorded: UnixMillis) {
        let mut known = self.known();
        known.recorded_ms = known.recorded_ms.max(recorded.0);
    }

    /// How far the wall clock is ahead: of what makes it doubtful, if anything does; else of the server's clock, or of where it would have come by itself.
    pub(super) fn ahead_ms(&self, wall_ms: i64, counted_ms: i64) -> i64 {
        let known = self.known();
        match known.doubt(self.trust, wall_ms, counted_ms) {
            Some(unsure) => unsure.ahead_ms,
            None => known
                .ahead_of_server_ms(wall_ms, counted_ms)
                .unwrap_or_else(|| known.parted_ms(wall_ms, counted_ms)),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000_000;

    fn compared() -> Steadiness {
        Steadiness::of(ClockTrust::Compared, START, 0)
    }

    /// The doubt at so many milliseconds after the start, by a wall clock that is so far ahead.
    fn doubt(steadiness: &Steadiness, counted_ms: i64, ahead_ms: i64) -> Option<(Doubt, i64)> {
        let wall_ms = START + counted_ms + ahead_ms;
        let unsure = steadiness.check(wall_ms, counted_ms).err();
        if let Some(unsure) = unsure {
            assert_eq!(steadiness.ahead_ms(wall_ms, counted_ms), unsure.ahead_ms);
        }
        unsure.map(|unsure| (unsure.doubt, unsure.ahead_ms))
    }

    /// The clock of a server on this machine is so far ahead, or of one on another.
    fn hear_from(steadiness: &Steadiness, is_elsewhere: bool, counted_ms: i64, ahead_ms: i64) {
        let said = (UnixMillis(START + counted_ms + ahead_ms), is_elsewhere);
        let moment = (counted_ms, counted_ms);
        assert!(steadiness.heard(said, moment, START + counted_ms));
    }

    fn hear(steadiness: &Steadiness, counted_ms: i64, ahead_ms: i64) {
        hear_from(steadiness, false, counted_ms, ahead_ms);
    }

    #[test]
    fn r19_a_clock_that_jumps_is_not_trusted_until_it_is_put_right() {
        let steadiness = compared();
        assert_eq!(doubt(&steadiness, 60_000, 0), None);
        for jump_ms in [HOUR_MS, -HOUR_MS, APART_MAX_MS + 1, -APART_MAX_MS - 1] {
            let jumped = Some((Doubt::Jumped, jump_ms));
            assert_eq!(doubt(&steadiness, 120_000, jump_ms), jumped);
            let later = doubt(&steadiness, 2 * HOUR_MS, jump_ms);
            assert_eq!(later, jumped, "waiting does not mend it");
            assert_eq!(doubt(&steadiness, 180_000, 0), None);
        }
        for jump_ms in [APART_MAX_MS, -APART_MAX_MS] {
            assert_eq!(doubt(&steadiness, 240_000, jump_ms), None);
        }
    }

    #[test]
    fn r19_small_corrections_do_not_add_up_over_the_years() {
        let steadiness = compared();
        for hours in 1..1_000 {
            let (counted_ms, ahead_ms) = (hours * (HOUR_MS + 1), hours * SECOND_MS);
            assert_eq!(doubt(&steadiness, counted_ms, ahead_ms), None);
        }
    }

    #[test]
    fn r19_a_clock_behind_the_records_is_not_trusted_unless_another_machine_says_the_same() {
        let before = |steadiness: &Steadiness| {
            steadiness.not_before(UnixMillis(START + HOUR_MS));
            doubt(steadiness, 0, 0)
        };
        let alone = compared();
        let doubtful = Some((Doubt::BeforeRecords, -HOUR_MS));
        assert_eq!(before(&alone), doubtful);
        assert_eq!(doubt(&alone, HOUR_MS, 0), None, "it has come so far");
        let beside = compared();
        hear(&beside, 0, 10);
        assert_eq!(before(&beside), doubtful, "that is the same clock");
        let of_two = compared();
        hear_from(&of_two, true, 0, 10);
        assert_eq!(before(&of_two), None);
        let much_later = 2 * HEARD_COUNTS_MS;
        assert_eq!(doubt(&of_two, much_later, 0), None, "said once and for all");
        let trusted = Steadiness::of(ClockTrust::Trusted, START, 0);
        assert_eq!(before(&trusted), None);
    }

    #[test]
    fn r19_a_clock_that_is_not_the_servers_is_not_trusted_until_one_of_the_two_is_put_right() {
        let steadiness = compared();
        let late = (0, ANSWERED_WITHIN_MS + 1);
        let near = (UnixMillis(START + APART_MAX_MS + 500), false);
        assert!(
            !steadiness.heard(near, late, START),
            "what took too long to come says nothing"
        );
        assert_eq!(doubt(&steadiness, 0, 0), None);
        let far = (UnixMillis(START + HOUR_MS), false);
        assert!(steadiness.heard(far, late, START), "unless it is by far");
        assert!(doubt(&steadiness, 0, 0).is_some());
        hear(&steadiness, 1_000, HOUR_MS);
        let apart = Some((Doubt::NotTheServers, -HOUR_MS));
        assert_eq!(doubt(&steadiness, 5_000, 0), apart);
        let silence = 2 * HEARD_COUNTS_MS;
        assert_eq!(
            doubt(&steadiness, silence, 0),
            apart,
            "silence mends nothing"
        );
        for edge_ms in [APART_MAX_MS, -APART_MAX_MS] {
            hear(&steadiness, silence, edge_ms);
            assert_eq!(doubt(&steadiness, silence, 0), None);
            hear(&steadiness, silence, edge_ms + edge_ms.signum());
            assert!(doubt(&steadiness, silence, 0).is_some());
        }
    }

    #[test]
    fn r19_a_clock_that_went_astray_from_the_servers_is_trusted_when_it_is_put_right() {
        let steadiness = compared();
        // An hour and more for each second: never a jump.
        let mut counted_ms = 0;
        for ahead_s in 0..=31 {
            counted_ms += HOUR_MS + 1;
            hear(&steadiness, counted_ms, 0);
            let is_doubtful = doubt(&steadiness, counted_ms, ahead_s * SECOND_MS).is_some();
            assert_eq!(is_doubtful, ahead_s == 31);
        }
        assert_eq!(doubt(&steadiness, counted_ms + 1_000, 0), None);
        // From then on it may not jump, not together with the server's on the same machine either.
        let later = counted_ms + 2_000;
        hear(&steadiness, later, HOUR_MS);
        let jumped = Some((Doubt::Jumped, HOUR_MS));
        assert_eq!(doubt(&steadiness, later, HOUR_MS), jumped);
        // But what another machine says as well is so: this one was frozen, and its clock was set.
        hear_from(&steadiness, true, later, HOUR_MS);
        assert_eq!(doubt(&steadiness, later, HOUR_MS), None);
    }

    #[test]
    fn r19_a_clock_that_was_wrong_from_the_beginning_is_trusted_when_it_is_put_right() {
        let steadiness = compared();
        hear(&steadiness, 0, -HOUR_MS);
        let apart = Some((Doubt::NotTheServers, HOUR_MS));
        assert_eq!(doubt(&steadiness, 0, 0), apart);
        assert_eq!(doubt(&steadiness, 1_000, -HOUR_MS), None);
    }

    #[test]
    fn what_the_server_said_long_ago_does_not_count() {
        let steadiness = compared();
        hear(&steadiness, 0, 0);
        // It is asked no more, and small corrections go on.
        let mut ahead_ms = 0;
        for hours in 1..200 {
            ahead_ms += SECOND_MS;
            assert_eq!(doubt(&steadiness, hours * (HOUR_MS + 1), ahead_ms), None);
        }
    }

    #[test]
    fn r19_a_trusted_clock_may_not_jump_either() {
        let steadiness = Steadiness::of(ClockTrust::Trusted, START, 0);
        hear(&steadiness, 0, HOUR_MS);
        assert_eq!(doubt(&steadiness, 1_000, 0), None);
        assert_eq!(
            doubt(&steadiness, 1_000, HOUR_MS),
            Some((Doubt::Jumped, HOUR_MS))
        );
    }
}
