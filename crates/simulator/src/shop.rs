//! A seeded shop: the same seed and settings give the same records, byte for byte.
//!
//! Visitors arrive at random; each one's story is told at once when they arrive, and its events
//! wait until their turn. Records come out in the order of their Kafka timestamps, for ever; what
//! waits is bounded by the pace times the length of the longest story.

mod chance;
mod garbage;
mod money;
mod session;
mod settings;
mod write;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use events::{EventTime, KafkaTime, Span};

pub use chance::Chance;
pub use session::regions;
pub use settings::{Delay, Incident, Layout, Pace, Rhythm, ShopSettings, ShopTopic};

use crate::partition::partition_of;
use session::{Happening, Visitor};
use write::{Envelope, cloud_event};

/// A visitor places an order with about this probability (a test holds it to that).
const ORDERS_PER_VISITOR: f64 = 0.308;
/// A duplicate comes at most this much later.
const DUPLICATE_WITHIN_SECONDS: f64 = 20.0;

/// A record on its way to Kafka. The order is that of the Kafka timestamps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Produced {
    /// Index into `Layout::topics`.
    pub topic: usize,
    /// The partition, by the key.
    pub partition: i32,
    /// The record key.
    pub key: Vec<u8>,
    /// When Kafka has it: never before the event's time. Whole milliseconds.
    pub timestamp: KafkaTime,
    /// The event, or garbage.
    pub value: Vec<u8>,
}

/// The shop; an endless iterator of `Produced`.
#[derive(Debug)]
pub struct Shop {
    settings: ShopSettings,
    chance: Chance,
    run: String,
    next_arrival: EventTime,
    visitors: u64,
    events: u64,
    told: u64,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

/// Ordered by time, then by when it was told.
#[derive(Debug)]
struct Waiting {
    at: (KafkaTime, u64),
    record: Produced,
}

impl Shop {
    /// Opens a shop.
    pub fn new(seed: u64, settings: ShopSettings) -> Shop {
        let mut chance = Chance::new(seed ^ settings.start.0.cast_unsigned().rotate_left(32));
        let run = format!("{:06x}", chance.below(1 << 24));
        let next_arrival = settings.start;
        Shop {
            settings,
            chance: Chance::new(seed),
            run,
            next_arrival,
            visitors: 0,
            events: 0,
            told: 0,
            waiting: BinaryHeap::new(),
        }
    }

    /// The records stamped up to and including `time`; call again with a later time for more.
    pub fn until(&mut self, time: EventTime) -> impl Iterator<Item = Produced> {
        std::iter::from_fn(move || self.next_until(time))
    }

    /// How many records wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn next_until(&mut self, time: EventTime) -> Option<Produced> {
        loop {
            let first = self
                .waiting
                .peek()
                .map(|Reverse(first)| first.record.timestamp);
            match first {
                Some(first) if first.as_event_time() <= time.min(self.next_arrival) => {
                    return self.waiting.pop().map(|Reverse(first)| first.record);
                }
                _ if self.next_arrival <= time => self.arrive(),
                _ => return None,
            }
        }
    }

    /// The next visitor arrives, or stays away because the hour is quiet.
    fn arrive(&mut self) {
        let begin = self.next_arrival;
        let peak = self.settings.orders_per_second / ORDERS_PER_VISITOR;
        let gap = self.chance.exponential_seconds(1.0 / peak);
        self.next_arrival = begin + Span(((gap * 1e6) as i64).max(1));
        let rhythm = self.settings.rhythm;
        let pace = rhythm.map_or(1.0, |rhythm| rhythm.pace(begin - self.settings.start));
        if pace < 1.0 && !self.chance.happens(pace) {
            return;
        }
        let visitor = Visitor::new(self.visitors, self.run.clone(), &mut self.chance);
        self.visitors += 1;
        let incident = self.settings.incident;
        for happening in visitor.story(begin, incident.as_ref(), &mut self.chance) {
            self.produce(&visitor, &happening);
        }
    }

    fn produce(&mut self, visitor: &Visitor, happening: &Happening) {
        let Some((topic, key)) = route(self.settings.layout, visitor, happening) else {
            return;
        };
        let source = match happening.type_name {
            "order.picked" | "order.fulfilled" => "/warehouse",
            name if name.starts_with("payment.") => "/payments",
            _ => visitor.source(),
        };
        let envelope = Envelope {
            type_name: happening.type_name,
            source,
            id: (&self.run, self.events),
            time: happening.time,
        };
        self.events += 1;
        let value = cloud_event(envelope, |data| visitor.write(happening, data));
        let delay = self.delivery_delay();
        let sent = stamp(happening.time + delay);
        if self.chance.happens(self.settings.garbage_share) {
            let garbage = garbage::spoil(&value, happening.time, &mut self.chance);
            self.wait(topic, key.clone(), sent, garbage);
        }
        if self.chance.happens(self.settings.duplicate_share) {
            let again =
                stamp(sent.as_event_time() + self.chance.uniform(0.0, DUPLICATE_WITHIN_SECONDS));
            self.wait(topic, key.clone(), again, value.clone());
        }
        self.wait(topic, key, sent, value);
    }

    fn delivery_delay(&mut self) -> Span {
        let usual = self.chance.exponential(0.02);
        for delay in [self.settings.out_of_order, self.settings.late] {
            if self.chance.happens(delay.share) {
                return self.chance.uniform(0.0, delay.most.seconds());
            }
        }
        usual
    }

    fn wait(&mut self, topic: usize, key: Vec<u8>, timestamp: KafkaTime, value: Vec<u8>) {
        let partition = partition_of(&key, self.settings.partitions);
        let record = Produced {
            topic,
            partition,
            key,
            timestamp,
            value,
        };
        self.waiting.push(Reverse(Waiting {
            at: (timestamp, self.told),
            record,
        }));
        self.told += 1;
    }
}

impl Iterator for Shop {
    type Item = Produced;
    fn next(&mut self) -> Option<Produced> {
        self.next_until(EventTime(i64::MAX))
    }
}

/// Which topic an event goes to, and its record key; `None` where the layout has no place for it.
fn route(layout: Layout, visitor: &Visitor, happening: &Happening) -> Option<(usize, Vec<u8>)> {
    match (layout, happening.type_name) {
        (Layout::FulfilmentApart, "order.picked" | "order.fulfilled" | "order.cancelled") => {
            Some((1, visitor.cart_id().to_key()))
        }
        (Layout::OneTopic | Layout::FulfilmentApart, _) => Some((0, visitor.cart_id().to_key())),
        (Layout::TwoTopics, "order.picked" | "order.fulfilled" | "order.cancelled") => {
            Some((1, visitor.order_id().to_key()))
        }
        (Layout::TwoTopics, "order.placed" | "payment.authorized" | "payment.failed") => {
            Some((0, visitor.order_id().to_key()))
        }
        (Layout::TwoTopics, _) => None,
    }
}

/// Kafka's stamp: the first whole millisecond not before `time`.
fn stamp(time: EventTime) -> KafkaTime {
    KafkaTime(time.0 + (-time.0).rem_euclid(1000))
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
