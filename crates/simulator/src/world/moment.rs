//! The virtual clock and what waits on it.
//!
//! Everything happens at a `Moment`, in the order of moments and, within one, in the order in which
//! it was put there: so a seed is one history.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use events::{EventTime, KafkaTime, Span};

/// True time: microseconds since the epoch. Processes see it through clocks of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Moment(pub i64);

impl Moment {
    /// Later by this much.
    pub fn after(self, span: Span) -> Moment {
        Moment(self.0 + span.0)
    }

    /// How long ago `earlier` was.
    pub fn since(self, earlier: Moment) -> Span {
        Span(self.0 - earlier.0)
    }

    /// As Kafka stamps a record at this moment: whole milliseconds, rounded down.
    pub fn as_kafka_time(self) -> KafkaTime {
        KafkaTime(self.0 - self.0.rem_euclid(1000))
    }

    /// The same instant on the event-time axis.
    pub fn as_event_time(self) -> EventTime {
        EventTime(self.0)
    }
}

/// What waits for its moment.
#[derive(Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    put: u64,
}

#[derive(Debug)]
struct Entry<T> {
    key: (Moment, u64),
    what: T,
}

impl<T> Agenda<T> {
    /// Nothing waits.
    pub fn new() -> Agenda<T> {
        Agenda {
            heap: BinaryHeap::new(),
            put: 0,
        }
    }

    /// Something happens at this moment.
    pub fn put(&mut self, at: Moment, what: T) {
        let key = (at, self.put);
        self.put += 1;
        self.heap.push(Reverse(Entry { key, what }));
    }

    /// What happens next, and when.
    pub fn next(&mut self) -> Option<(Moment, T)> {
        let Reverse(Entry { key, what }) = self.heap.pop()?;
        Some((key.0, what))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
