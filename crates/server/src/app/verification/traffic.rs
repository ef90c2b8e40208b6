//! Whether a code is judged on the lane that it came in on. One that is alone need not wake the verifier, which would wake its lane again: of the time that
//! it takes, a tenth. It holds up its lane while it is judged and the disk is waited for, so this is for codes that are alone indeed, and quick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A lane is held up by one code no longer than this, as far as the code before it tells; with a slower disk the verifier waits for it.
const HELD_UP_MAX: Duration = Duration::from_millis(1);

/// How many ask, and how it went for the last one.
#[derive(Default)]
pub(in crate::app) struct Traffic {
    asking: AtomicUsize,
    /// Whether the last code was judged alone, with nobody expected behind it, and committed soon.
    quick: AtomicBool,
}

impl Traffic {
    /// Counts somebody who asks, until what it gives is dropped.
    pub(super) fn ask(self: &Arc<Self>) -> Asking {
        self.asking.fetch_add(1, Ordering::Relaxed);
        Asking(Arc::clone(self))
    }

    /// Whether the one who asks is alone, as the one before was, who was answered soon.
    pub(super) fn is_alone_and_quick(&self) -> bool {
        self.quick.load(Ordering::Relaxed) && self.asking.load(Ordering::Relaxed) == 1
    }

    /// Codes are judged, and nobody knows how long it takes.
    pub(super) fn begin(&self) {
        self.quick.store(false, Ordering::Relaxed);
    }

    /// A code was judged alone, and committed after this time.
    pub(super) fn was_alone(&self, took: Duration) {
        self.quick.store(took < HELD_UP_MAX, Ordering::Relaxed);
    }
}

/// Somebody who asks.
pub(super) struct Asking(Arc<Traffic>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_code_that_is_alone_after_a_quick_one_that_was_alone_is_judged_where_it_came_in() {
        const SOON: Duration = Duration::from_micros(300);
        let traffic = Arc::new(Traffic::default());
        let first = traffic.ask();
        assert!(
            !traffic.is_alone_and_quick(),
            "nobody knows how quick it is"
        );
        traffic.was_alone(SOON);
        assert!(traffic.is_alone_and_quick());
        traffic.was_alone(HELD_UP_MAX);
        assert!(!traffic.is_alone_and_quick(), "it took too long");
        traffic.was_alone(SOON);
        traffic.begin();
        assert!(
            !traffic.is_alone_and_quick(),
            "the last one was not committed, or not alone"
        );
        traffic.was_alone(SOON);
        let second = traffic.ask();
        assert!(!traffic.is_alone_and_quick(), "two ask");
        drop(first);
        assert!(traffic.is_alone_and_quick(), "one is left");
        drop(second);
        assert!(!traffic.is_alone_and_quick(), "nobody asks");
    }
}
