//! Waiting for an event, with a deadline that fails the test.

use std::time::{Duration, Instant};

/// How often is looked.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `found` gives something; after `limit` the test fails with `what`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// Waits until `holds` is true; after `limit` the test fails with `what`.
#[track_caller]
pub fn until(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    within(limit, what, || holds().then_some(()));
}
