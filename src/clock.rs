//! The machine's clock: the one place where the binary reads it.

use std::time::SystemTime;

use events::WallTime;

/// Now; the epoch where the clock is before it.
pub fn now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
