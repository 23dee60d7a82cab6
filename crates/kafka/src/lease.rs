//! The clock of leases, and how long a lease is.
//!
//! What a worker shows is a promise that nobody else owns these partitions. The group lets a member
//! go when it has not been heard of for the session timeout, or has not come round for the poll
//! interval, whichever is shorter; a lease is two thirds of that, counted from the *sending* of the
//! last acknowledged commit. The clock goes on while the process is stopped or the machine sleeps:
//! a worker that wakes up knows at once that its time is over.

use events::Span;
use pipeline::port::LeaseTime;
use rustix::time::{ClockId, clock_gettime};

use crate::settings::{Settings, consumer_config};
use crate::worker::Fatal;

/// The clock that doesn't stop when the machine sleeps: elsewhere the monotonic one does that.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Now, in microseconds since the machine started.
pub fn now() -> LeaseTime {
    let time = clock_gettime(CLOCK);
    LeaseTime(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)
}

/// Two thirds of the time after which the group lets a silent member go, by the settings that
/// librdkafka ends up with.
pub fn length(settings: &Settings) -> Result<Span, Fatal> {
    let fatal = |error: &dyn std::fmt::Display| Fatal::Settings(error.to_string());
    let config = consumer_config(settings, 0);
    let native = config.create_native_config().map_err(|e| fatal(&e))?;
    let mut shortest = i64::MAX;
    for name in ["session.timeout.ms", "max.poll.interval.ms"] {
        let text = native.get(name).map_err(|e| fatal(&e))?;
        // librdkafka ends its texts with a null byte.
        let text = text.trim_end_matches('\0');
        let millis: i64 = text
            .parse()
            .map_err(|_| fatal(&format!("{name} is \"{text}\", not a number")))?;
        shortest = shortest.min(millis);
    }
    Ok(Span(shortest * 1000 / 3 * 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Start;

    fn settings(client: &[(&str, &str)]) -> Settings {
        Settings {
            brokers: "one:9092".into(),
            group: "kept".into(),
            start: Start::Earliest,
            dead_letter_topic: None,
            workers: None,
            client: client
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn it_is_two_thirds_of_the_shorter_timeout() {
        let of = |client: &[(&str, &str)]| length(&settings(client)).expect("good settings");
        assert_eq!(of(&[]), Span::from_seconds(8));
        assert_eq!(
            of(&[("session.timeout.ms", "45000")]),
            Span::from_seconds(30)
        );
        let slow = [
            ("session.timeout.ms", "9000"),
            ("max.poll.interval.ms", "9000"),
        ];
        assert_eq!(of(&slow), Span::from_seconds(6));
    }

    #[test]
    fn a_setting_that_librdkafka_refuses_is_refused_here() {
        let refused = length(&settings(&[("session.timeout.ms", "soon")]));
        assert!(matches!(refused, Err(Fatal::Settings(_))), "{refused:?}");
    }

    #[test]
    fn its_clock_does_not_go_back() {
        let first = now();
        assert!(now() >= first);
        assert!(first.0 > 0);
    }
}
