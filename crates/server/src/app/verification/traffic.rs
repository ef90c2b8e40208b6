//! Whether a code is judged on the lane that it came in on. One that is alone need not wake the verifier, which would wake its lane again: of the time that
//! it takes, a twelfth. It holds up its lane while it is judged and the disk is waited for, so this is for codes that are alone indeed, and quick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A lane is held up by one code no longer than this, as far as the code before it tells; with a slower disk the verifier waits for it.
const HELD_UP_MAX: Duration = Duration::from_millis(1);

/// How many ask, and how it went for the last one.
#[derive(Default)]
pub(super) struct Traffic {
    asking: AtomicUsize,
    /// Whether the last code was judged alone, with nobody expected behind it, and soon.
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

    /// Notes how long so many codes took until they were written, with others `behind` them or not.
    pub(super) fn note(&self, codes: usize, behind: bool, took: Duration) {
        let quick = codes == 1 && !behind && took < HELD_UP_MAX;
        self.quick.store(quick, Ordering::Relaxed);
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

    const SOON: Duration = Duration::from_micros(300);

    #[test]
    fn only_a_code_that_is_alone_after_a_quick_one_that_was_alone_is_judged_where_it_came_in() {
        let traffic = Arc::new(Traffic::default());
        let first = traffic.ask();
        assert!(
            !traffic.is_alone_and_quick(),
            "nobody knows how quick it is"
        );
        for (codes, behind, took, quick) in [
            (1, false, SOON, true),
            (1, true, SOON, false),
            (2, false, SOON, false),
            (1, false, HELD_UP_MAX, false),
            (1, false, SOON, true),
        ] {
            traffic.note(codes, behind, took);
            assert_eq!(
                traffic.is_alone_and_quick(),
                quick,
                "{codes} {behind} {took:?}"
            );
        }
        let second = traffic.ask();
        assert!(!traffic.is_alone_and_quick(), "two ask");
        drop(first);
        assert!(traffic.is_alone_and_quick(), "one is left");
        drop(second);
        assert!(!traffic.is_alone_and_quick(), "nobody asks");
    }
}
