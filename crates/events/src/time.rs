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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(micros: i64, expected: &str) {
        assert_eq!(Span(micros).to_string(), expected);
    }

    #[test]
    fn a_span_is_written_in_its_largest_whole_unit() {
        check(0, "0s");
        check(1, "1us");
        check(1_500, "1500us");
        check(2_000, "2ms");
        check(1_500_000, "1500ms");
        check(30_000_000, "30s");
        check(90_000_000, "90s");
        check(300_000_000, "5m");
        check(5_400_000_000, "90m");
        check(7_200_000_000, "2h");
        check(86_400_000_000, "1d");
        check(-300_000_000, "-5m");
        check(i64::MIN, "-9223372036854775808us");
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(EventTime(i64::MAX) + Span(1), EventTime(i64::MAX));
        assert_eq!(EventTime(i64::MIN) - Span(1), EventTime(i64::MIN));
        assert_eq!(EventTime(i64::MAX) - EventTime(-1), Span(i64::MAX));
        assert_eq!(Span(i64::MIN) + Span(-1), Span(i64::MIN));
        assert_eq!(KafkaTime::from_millis(i64::MAX), KafkaTime(i64::MAX));
        assert_eq!(KafkaTime::from_millis(-1), KafkaTime(-1000));
        assert!(EventTime::MIN - Span::from_seconds(1 << 30) < EventTime::MIN);
    }
}
