//! The one place that reads the clock and draws randomness. Everything else takes both as arguments.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::{CryptoRng, Rng as _, TryCryptoRng, TryRng, UnwrapErr};
use rustix::time::{ClockId, clock_gettime};
use warifu_core::time::{HOUR_MS, SECOND_MS, UnixMillis};

/// How far the wall clock may part from the one that only counts, in milliseconds, before codes are not judged any more
/// (R19): half of the shortest time step. Corrections of a clock that is kept right are far smaller.
pub const JUMP_MAX_MS: i64 = 30 * SECOND_MS;
/// After so long the two clocks are compared anew, so that small corrections do not add up.
const COMPARED_ANEW_AFTER_MS: i64 = HOUR_MS;
/// How long another clock may take to say its time: half of that is how wrong the comparison may be.
const ANSWERED_WITHIN_MS: i64 = SECOND_MS;

/// What time it is, for all that the server decides (R18: never the client's word).
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Arc<Steadiness>),
    Manual(Arc<AtomicI64>),
    Running(Arc<Mutex<Running>>),
}

/// A clock that was moved, and runs from there.
#[derive(Debug)]
struct Running {
    /// Where it was moved to.
    start: UnixMillis,
    /// When that was, by [`counted_ms`].
    since_ms: i64,
    /// How far it runs before it waits to be moved again.
    most_ms: i64,
}

impl Running {
    fn now(&self) -> UnixMillis {
        let passed_ms = counted_ms() - self.since_ms;
        self.start.plus_ms(passed_ms.clamp(0, self.most_ms))
    }
}

/// The wall clock was put forward or back while the process ran, stands before times that are recorded already, or is far from that of the
/// database's server: no code can be judged (R19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock is {off_by_ms} ms away from where it should be")]
pub struct ClockJumped {
    /// How far the wall clock is ahead of where it should be; negative: behind.
    pub off_by_ms: i64,
}

/// What the wall clock is held against: a clock that nobody can set, and that goes on while the machine sleeps; and that of the database's server.
#[derive(Debug)]
struct Steadiness {
    compared: Mutex<Compared>,
    /// The latest time that was recorded before this process began.
    recorded: AtomicI64,
    alarmed: AtomicBool,
}

/// What another clock said, and when by the one that only counts.
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

#[derive(Debug)]
struct Compared {
    /// The wall clock itself, when it was seen to be steady; `None` while it never was, since it began apart from the other one.
    own: Option<Moment>,
    /// The clock of the database's server, where there is one.
    elsewhere: Option<Moment>,
}

impl Compared {
    /// How far the wall clock is ahead of the database's, or else of itself.
    fn ahead_ms(&self, wall_ms: i64, counted_ms: i64) -> i64 {
        self.elsewhere
            .or(self.own)
            .map_or(0, |moment| moment.ahead_ms(wall_ms, counted_ms))
    }
}

impl Steadiness {
    fn of(wall_ms: i64, counted_ms: i64) -> Self {
        let own = Some(Moment {
            at_ms: wall_ms,
            counted_ms,
        });
        Self {
            compared: Mutex::new(Compared {
                own,
                elsewhere: None,
            }),
            recorded: AtomicI64::new(i64::MIN),
            alarmed: AtomicBool::new(false),
        }
    }

    fn check(&self, wall_ms: i64, counted_ms: i64) -> Result<(), ClockJumped> {
        let mut compared = self.compared();
        let parted_ms = compared
            .own
            .map_or(0, |own| own.ahead_ms(wall_ms, counted_ms));
        let behind_ms = wall_ms.saturating_sub(self.recorded.load(Ordering::Relaxed));
        let off_by_ms = if behind_ms < -JUMP_MAX_MS {
            behind_ms
        } else if parted_ms.abs() > JUMP_MAX_MS {
            parted_ms
        } else {
            compared.ahead_ms(wall_ms, counted_ms)
        };
        let steady = off_by_ms.abs() <= JUMP_MAX_MS;
        let is_old = |own: Moment| counted_ms - own.counted_ms > COMPARED_ANEW_AFTER_MS;
        if steady && compared.own.is_none_or(is_old) {
            compared.own = Some(Moment {
                at_ms: wall_ms,
                counted_ms,
            });
        }
        drop(compared);
        if self.alarmed.swap(!steady, Ordering::Relaxed) == steady {
            if steady {
                tracing::warn!("the clock is right again: codes are judged");
            } else {
                tracing::error!(
                    off_by_ms,
                    "ALARM: the clock jumped, or is not that of the database's server: no code is judged"
                );
            }
        }
        if steady {
            Ok(())
        } else {
            Err(ClockJumped { off_by_ms })
        }
    }

    /// Another clock said this between two moments; what took too long says too little.
    fn heard(&self, elsewhere: UnixMillis, asked_ms: i64, answered_ms: i64) {
        if answered_ms - asked_ms > ANSWERED_WITHIN_MS {
            return;
        }
        let heard = Moment {
            at_ms: elsewhere.0,
            counted_ms: i64::midpoint(asked_ms, answered_ms),
        };
        let mut compared = self.compared();
        let is_first = compared.elsewhere.replace(heard).is_none();
        let is_apart =
            |own: &mut Moment| own.ahead_ms(heard.at_ms, heard.counted_ms).abs() > JUMP_MAX_MS;
        if is_first {
            // One of the two was wrong from the beginning: when they agree, it was put right and did not jump.
            compared.own.take_if(is_apart);
        }
    }

    fn compared(&self) -> MutexGuard<'_, Compared> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since the machine started, sleep included.
fn counted_ms() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * SECOND_MS + now.tv_nsec / 1_000_000
}

fn wall_ms() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module is the one place that reads the clock"
    )]
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Clock {
    /// The operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(Arc::new(Steadiness::of(
            wall_ms(),
            counted_ms(),
        ))))
    }

    /// A clock that stands still until it is moved: for tests of what happens at a certain minute.
    #[must_use]
    pub fn manual(start: UnixMillis) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// A clock that runs as the machine's do, but at most `most_ms` milliseconds from where it was moved to last: for benchmarks, which judge the codes of many
    /// minutes in one. What is made one after the other has to bear times one after the other, as ids do.
    #[must_use]
    pub fn running(start: UnixMillis, most_ms: i64) -> Self {
        Self(Source::Running(Arc::new(Mutex::new(Running {
            start,
            since_ms: counted_ms(),
            most_ms,
        }))))
    }

    /// The time now. A system clock before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Source::System(_) => UnixMillis(wall_ms()),
            Source::Manual(ms) => UnixMillis(ms.load(Ordering::SeqCst)),
            Source::Running(running) => {
                running.lock().unwrap_or_else(PoisonError::into_inner).now()
            }
        }
    }

    /// The time now, if the clock can be trusted to judge codes by (R19). It cannot after it was put forward or back by more
    /// than [`JUMP_MAX_MS`], until it is put right again or the process is started anew.
    ///
    /// # Errors
    /// [`ClockJumped`].
    pub fn steady(&self) -> Result<UnixMillis, ClockJumped> {
        match &self.0 {
            Source::System(steadiness) => {
                let wall_ms = wall_ms();
                steadiness.check(wall_ms, counted_ms())?;
                Ok(UnixMillis(wall_ms))
            }
            Source::Manual(_) | Source::Running(_) => Ok(self.now()),
        }
    }

    /// Tells the clock what was recorded last: it is not before that. A node that starts with a clock behind the records
    /// judges no code until the clock has come so far.
    pub fn not_before(&self, recorded: UnixMillis) {
        if let Source::System(steadiness) = &self.0 {
            steadiness.recorded.fetch_max(recorded.0, Ordering::Relaxed);
        }
    }

    /// Asks another clock, that of the database's server, and goes by it from then on: where the two are further apart than [`JUMP_MAX_MS`], nobody knows which one is right
    /// (R19). `ask` gives `None` where there is no other clock. A clock that can be moved asks nobody.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn compare_with<E>(
        &self,
        ask: impl Future<Output = Result<Option<UnixMillis>, E>>,
    ) -> Result<(), E> {
        if let Source::System(steadiness) = &self.0 {
            let asked_ms = counted_ms();
            if let Some(elsewhere) = ask.await? {
                steadiness.heard(elsewhere, asked_ms, counted_ms());
            }
        }
        Ok(())
    }

    /// How far the wall clock is ahead, in milliseconds; negative: behind. On PostgreSQL of its server's clock, as it was heard last; else of where the wall clock itself would have come since
    /// it was seen to be steady. Zero for a clock that can be moved.
    #[must_use]
    pub fn ahead_ms(&self) -> i64 {
        match &self.0 {
            Source::System(steadiness) => steadiness.compared().ahead_ms(wall_ms(), counted_ms()),
            Source::Manual(_) | Source::Running(_) => 0,
        }
    }

    /// Moves a manual or running clock; a system clock cannot be moved, and stays as it is.
    pub fn advance(&self, ms: i64) {
        match &self.0 {
            Source::System(_) => {}
            Source::Manual(at) => {
                at.fetch_add(ms, Ordering::SeqCst);
            }
            Source::Running(running) => {
                let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                running.start = running.now().plus_ms(ms);
                running.since_ms = counted_ms();
            }
        }
    }
}

/// The operating system's generator (R07). A generator that fails panics: the request ends with an internal fault, and no
/// weak secret is ever made.
#[must_use]
pub fn system_rng() -> impl CryptoRng {
    UnwrapErr(SysRng)
}

/// `N` random bytes from the operating system.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    system_rng().fill_bytes(&mut bytes);
    bytes
}

/// Random bytes of the operating system that one thread draws at once for names.
const NAMES_BLOCK: usize = 1024;

thread_local! {
    /// Random bytes that were drawn and not given away yet, and where they begin.
    static NAMES: RefCell<([u8; NAMES_BLOCK], usize)> = const { RefCell::new(([0; NAMES_BLOCK], NAMES_BLOCK)) };
}

/// Randomness of the operating system for names of requests and events: drawn in blocks, because a call for each costs more than
/// what it names. Never for anything secret: what is still to be given away lies in memory.
#[must_use]
pub fn naming_rng() -> impl CryptoRng {
    UnwrapErr(Names)
}

struct Names;

impl TryRng for Names {
    type Error = <SysRng as TryRng>::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), Self::Error> {
        NAMES.with_borrow_mut(|(block, given)| {
            if wanted.len() > NAMES_BLOCK {
                return SysRng.try_fill_bytes(wanted);
            }
            if wanted.len() > NAMES_BLOCK - *given {
                SysRng.try_fill_bytes(block)?;
                *given = 0;
            }
            let end = *given + wanted.len();
            wanted.copy_from_slice(&block[*given..end]);
            *given = end;
            Ok(())
        })
    }
}

impl TryCryptoRng for Names {}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000_000;

    #[test]
    fn no_name_is_given_twice() {
        let names: std::collections::HashSet<[u8; 8]> = (0..10 * NAMES_BLOCK)
            .map(|_| {
                let mut name = [0; 8];
                naming_rng().fill_bytes(&mut name);
                name
            })
            .collect();
        assert_eq!(names.len(), 10 * NAMES_BLOCK);
    }

    #[test]
    fn r19_a_clock_that_jumps_is_not_trusted_until_it_is_put_right() {
        let steadiness = Steadiness::of(START, 1_000);
        let after = |passed_ms: i64, jump_ms: i64| {
            steadiness.check(START + passed_ms + jump_ms, 1_000 + passed_ms)
        };
        assert_eq!(after(60_000, 0), Ok(()));
        for jump_ms in [HOUR_MS, -HOUR_MS, JUMP_MAX_MS + 1, -JUMP_MAX_MS - 1] {
            let jumped = Err(ClockJumped { off_by_ms: jump_ms });
            assert_eq!(after(120_000, jump_ms), jumped);
            assert_eq!(
                after(2 * HOUR_MS, jump_ms),
                jumped,
                "waiting does not mend it"
            );
            assert_eq!(after(180_000, 0), Ok(()));
        }
        for jump_ms in [JUMP_MAX_MS, -JUMP_MAX_MS] {
            assert_eq!(after(240_000, jump_ms), Ok(()));
        }
    }

    #[test]
    fn r19_small_corrections_do_not_add_up_over_the_years() {
        let steadiness = Steadiness::of(START, 0);
        for hours in 1..1_000 {
            let drift_ms = hours * SECOND_MS;
            let counted_ms = hours * (HOUR_MS + 1);
            assert_eq!(
                steadiness.check(START + counted_ms + drift_ms, counted_ms),
                Ok(())
            );
        }
    }

    #[test]
    fn r19_a_clock_behind_the_records_is_not_trusted() {
        let steadiness = Steadiness::of(START, 0);
        steadiness
            .recorded
            .store(START + HOUR_MS, Ordering::Relaxed);
        assert!(steadiness.check(START, 0).is_err());
        assert_eq!(steadiness.check(START + HOUR_MS, HOUR_MS), Ok(()));
    }

    #[test]
    fn r19_a_clock_that_is_not_the_databases_is_not_trusted_until_it_is() {
        let steadiness = Steadiness::of(START, 0);
        let hour = UnixMillis(START + HOUR_MS);
        // What took too long to come says nothing.
        steadiness.heard(hour, 0, ANSWERED_WITHIN_MS + 1);
        assert_eq!(steadiness.check(START, 0), Ok(()));
        steadiness.heard(hour, 1_000, 1_000 + ANSWERED_WITHIN_MS);
        let off_by_ms = 1_500 - HOUR_MS;
        let jumped = Err(ClockJumped { off_by_ms });
        assert_eq!(steadiness.check(START + 5_000, 5_000), jumped);
        assert_eq!(
            steadiness.compared().ahead_ms(START + 5_000, 5_000),
            off_by_ms
        );
        // Whichever of the two is put right: here the database's.
        for apart_ms in [JUMP_MAX_MS, -JUMP_MAX_MS] {
            steadiness.heard(UnixMillis(START + 9_000 + apart_ms), 9_000, 9_000);
            assert_eq!(steadiness.check(START + 9_500, 9_500), Ok(()));
            let further = UnixMillis(START + 9_000 + apart_ms + apart_ms.signum());
            steadiness.heard(further, 9_000, 9_000);
            assert!(steadiness.check(START + 9_500, 9_500).is_err());
        }
    }

    #[test]
    fn r19_a_clock_that_was_wrong_from_the_beginning_is_trusted_when_it_is_put_right() {
        let steadiness = Steadiness::of(START + HOUR_MS, 0);
        steadiness.heard(UnixMillis(START), 0, 0);
        assert!(steadiness.check(START + HOUR_MS, 0).is_err());
        assert_eq!(steadiness.check(START + 1_000, 1_000), Ok(()));
        // From then on it may not jump, not together with the other one either.
        steadiness.heard(UnixMillis(START + HOUR_MS + 2_000), 2_000, 2_000);
        assert!(steadiness.check(START + HOUR_MS + 2_000, 2_000).is_err());
    }

    #[test]
    fn a_running_clock_runs_and_waits_to_be_moved() {
        let start = UnixMillis(1_790_000_040_000);
        let clock = Clock::running(start, 20);
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!((5..=20).contains(&clock.now().since_ms(start)));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(clock.now().since_ms(start), 20);
        clock.advance(HOUR_MS - 20);
        assert!((0..=20).contains(&(clock.now().since_ms(start) - HOUR_MS)));
        assert_eq!(clock.steady().map(|now| now > start), Ok(true));
    }

    #[test]
    fn r19_the_systems_clock_is_steady() {
        let clock = Clock::system();
        assert!(clock.steady().is_ok());
        clock.not_before(clock.now().plus_ms(HOUR_MS));
        assert!(clock.steady().is_err());
    }
}
