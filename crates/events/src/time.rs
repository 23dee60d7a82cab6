//! Times that can't be mixed up: when an event happened, when Kafka stamped its record, and now.
//!
//! All are whole microseconds since 1970-01-01T00:00:00Z; a `Span` is a difference in microseconds.
//! Event time is the only time that decides anything in the engine; Kafka's time bounds it from
//! above; wall time is used by the shell and, through the display time, by what is *shown*.

use std::fmt;
use std::ops::{Add, Sub};

/// When an event happened, as its producer says. Microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventTime(pub i64);

/// The timestamp of a Kafka record. Microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KafkaTime(pub i64);

/// Now, by the machine's clock. Microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WallTime(pub i64);

/// A length of time in microseconds; may be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(pub i64);

impl EventTime {
    /// Before every event: the clock of a partition that has had none.
    pub const MIN: EventTime = EventTime(i64::MIN / 4);

    /// Seconds since the epoch, as Prometheus shows a time.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl KafkaTime {
    /// From Kafka's own unit.
    pub fn from_millis(millis: i64) -> Self {
        KafkaTime(millis.saturating_mul(1000))
    }

    /// The same instant on the event-time axis.
    pub fn as_event_time(self) -> EventTime {
        EventTime(self.0)
    }
}

impl WallTime {
    /// The same instant on the event-time axis: only for what is shown, never for what is decided.
    pub fn as_event_time(self) -> EventTime {
        EventTime(self.0)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of whole seconds.
    pub const fn from_seconds(seconds: i64) -> Span {
        Span(seconds * 1_000_000)
    }

    /// Length in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add<Span> for EventTime {
    type Output = EventTime;
    fn add(self, span: Span) -> EventTime {
        EventTime(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for EventTime {
    type Output = EventTime;
    fn sub(self, span: Span) -> EventTime {
        EventTime(self.0.saturating_sub(span.0))
    }
}

impl Sub for EventTime {
    type Output = Span;
    fn sub(self, other: EventTime) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

/// Written as in configuration: the largest unit that gives a whole number (`90s`, `5m`, `1d`).
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 5] = [
            (86_400_000_000, "d"),
            (3_600_000_000, "h"),
            (60_000_000, "m"),
            (1_000_000, "s"),
            (1000, "ms"),
        ];
        for (size, unit) in UNITS {
            if self.0 != 0 && self.0 % size == 0 {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        if self.0 == 0 {
            f.write_str("0s")
        } else {
            write!(f, "{}us", self.0)
        }
    }
}
