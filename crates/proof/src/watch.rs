//! How long something took, to be told to people. Nothing is decided by it.

use std::time::{Duration, Instant};

/// Started at some moment.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Instant);

impl Watch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "durations are measured here and only told"
        )]
        let now = Instant::now();
        Self(now)
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
