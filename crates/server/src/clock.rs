//! The one place that reads the clock and draws randomness. Everything else takes both as arguments.

use std::cell::RefCell;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use getrandom::SysRng;
use rand_core::{CryptoRng, Rng as _, TryCryptoRng, TryRng, UnwrapErr};
use rustix::time::{ClockId, clock_gettime};
use warifu_core::time::{SECOND_MS, UnixMillis};

mod steadiness;

use steadiness::Steadiness;
pub use steadiness::{APART_MAX_MS, ClockUnsure, Doubt};

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

/// What the machine's clock is held against before codes are judged by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ClockTrust {
    /// The clock of PostgreSQL's server, and what is recorded; and itself, so that it cannot jump.
    #[default]
    Compared,
    /// Itself alone: for operators who know that it is right where the others are wrong.
    Trusted,
}

/// What came of asking another clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// There is no other one.
    Alone,
    /// It said its time.
    Heard,
    /// It took too long to say its time, which therefore says nothing.
    TooLate,
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
    /// The operating system's clock, held against all that there is.
    #[must_use]
    pub fn system() -> Self {
        Self::system_with(ClockTrust::Compared)
    }

    /// The operating system's clock, held against this.
    #[must_use]
    pub fn system_with(trust: ClockTrust) -> Self {
        let steadiness = Steadiness::of(trust, wall_ms(), counted_ms());
        Self(Source::System(Arc::new(steadiness)))
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

    /// The time now, if the clock can be trusted to judge codes by (R19): see [`Doubt`].
    ///
    /// # Errors
    /// [`ClockUnsure`].
    pub fn steady(&self) -> Result<UnixMillis, ClockUnsure> {
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
    /// judges no code until the clock has come so far, or the server's clock says the same.
    pub fn not_before(&self, recorded: UnixMillis) {
        if let Source::System(steadiness) = &self.0 {
            steadiness.not_before(recorded);
        }
    }

    /// Asks the clock of the database's server: where the two are further apart than [`APART_MAX_MS`], nobody knows which one is right
    /// (R19). `ask` gives `None` where there is no other clock. Where that server is on another machine, what it says outweighs what this machine saw before. A clock that can be
    /// moved asks nobody.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn compare_with<E>(
        &self,
        is_elsewhere: bool,
        ask: impl Future<Output = Result<Option<UnixMillis>, E>>,
    ) -> Result<Comparison, E> {
        let Source::System(steadiness) = &self.0 else {
            return Ok(Comparison::Alone);
        };
        let asked_ms = counted_ms();
        let Some(server) = ask.await? else {
            return Ok(Comparison::Alone);
        };
        let moment = (asked_ms, counted_ms());
        if steadiness.heard((server, is_elsewhere), moment, wall_ms()) {
            Ok(Comparison::Heard)
        } else {
            Ok(Comparison::TooLate)
        }
    }

    /// How far the wall clock is ahead, in milliseconds; negative: behind. While it is not trusted, of what makes it doubtful; else of the clock of PostgreSQL's server, and on SQLite of where
    /// it would have come by itself since it was seen to be steady. Zero for a clock that can be moved.
    #[must_use]
    pub fn ahead_ms(&self) -> i64 {
        match &self.0 {
            Source::System(steadiness) => steadiness.ahead_ms(wall_ms(), counted_ms()),
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
    use warifu_core::time::HOUR_MS;

    use super::*;

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
