//! When to try again what a broker could not answer.

use std::time::{Duration, Instant};

/// When to try again: at once, then after longer and longer pauses up to five seconds.
pub(crate) struct Backoff {
    next: Instant,
    pause: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Backoff {
        Backoff {
            next: Instant::now(),
            pause: Backoff::FIRST,
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// When it is due.
    pub(crate) fn due(&self) -> Instant {
        self.next
    }

    /// Not before that.
    pub(crate) fn wait(&mut self, pause: Duration) {
        self.next = Instant::now() + pause;
    }

    pub(crate) fn failed(&mut self) {
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(Backoff::LONGEST);
    }
}
