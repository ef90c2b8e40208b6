//! Whether the machine has something else to do: what is measured then is how the two share it, not how fast either is.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long is looked at once.
const LOOK: Duration = Duration::from_millis(500);
/// How often is looked before it is measured all the same: a minute.
const LOOKS_MAX: u32 = 120;
/// The share of the processors that may be busy with others: servers that wait use next to nothing.
const BUSY_MAX: f64 = 0.10;

/// Waits until the processors are idle, a minute at most; the share of them that was busy when it was last looked at.
///
/// # Errors
/// When the system does not say.
pub(super) fn wait() -> Result<f64> {
    let mut share = busy()?;
    for _ in 0..LOOKS_MAX {
        if share <= BUSY_MAX {
            break;
        }
        share = busy()?;
    }
    Ok(share)
}

/// Whether so much is too much.
pub(super) fn is_busy(share: f64) -> bool {
    share > BUSY_MAX
}

/// The share of the processors that is busy for a moment.
fn busy() -> Result<f64> {
    let before = Ticks::now()?;
    sleep(LOOK);
    Ok(Ticks::now()?.busy_since(before))
}

/// Time of all processors since the start of the system.
#[derive(Clone, Copy)]
struct Ticks {
    all: f64,
    idle: f64,
}

impl Ticks {
    fn now() -> Result<Self> {
        Self::of(&std::fs::read_to_string("/proc/stat")?)
            .context("/proc/stat says nothing of the processors")
    }

    /// From the first line: user, nice, system, idle, waiting for a disk, interrupts and what follows.
    fn of(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<f64> = line
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        Some(Self {
            all: ticks.iter().take(8).sum(),
            idle: ticks.get(3)? + ticks.get(4)?,
        })
    }

    fn busy_since(self, before: Self) -> f64 {
        let all = self.all - before.all;
        if all <= 0.0 {
            return 0.0;
        }
        1.0 - (self.idle - before.idle) / all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_idle_nor_waiting_for_a_disk_is_busy() {
        let before = Ticks::of("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3").expect("ticks");
        let after = Ticks::of("cpu  120 10 110 730 130 0 0 0 0 0\n").expect("ticks");
        assert_eq!(format!("{:.2}", after.busy_since(before)), "0.40");
    }
}
