//! Orders on their way: each record goes to the broker and, in the same order, to the `Reference`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use catalogue::Plan;
use events::KafkaTime;
use kafka::produce::{Outgoing, Producer};

use super::orders::{Made, Orders};
use super::reference::{self, Reference};
use super::scrape::counters;
use super::topic::kafka_settings;
use crate::clock;

/// How long Kafka may take for what was sent.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);

/// Every counter's value, by its series as it is on `/metrics`.
pub type Counters = BTreeMap<String, f64>;

/// See the file's header.
pub struct Feed {
    topic: String,
    producer: Producer,
    orders: Orders,
    reference: Reference,
}

impl Feed {
    /// Nothing is sent yet.
    pub fn new(brokers: &str, topic: &str, plan: Plan) -> anyhow::Result<Feed> {
        let client = [("linger.ms", "5"), ("compression.type", "lz4")];
        Ok(Feed {
            topic: topic.to_owned(),
            producer: Producer::new(&kafka_settings(brokers, &client))?,
            orders: Orders::default(),
            reference: Reference::new(plan),
        })
    }

    /// Sends `Orders::past` and waits until it is written.
    pub fn past(&mut self, open: u64) -> anyhow::Result<()> {
        let Feed {
            topic,
            producer,
            orders,
            reference,
        } = self;
        orders.past(open, now(), |made| send(topic, producer, reference, &made))?;
        self.flush()
    }

    /// Sends `Orders::burst` and waits until it is written.
    pub fn burst(&mut self, events: u64) -> anyhow::Result<()> {
        let Feed {
            topic,
            producer,
            orders,
            reference,
        } = self;
        let take = |made: Made<'_>| send(topic, producer, reference, &made);
        orders.burst(events, now(), take)?;
        self.flush()
    }

    /// What a service has to show of what was sent.
    pub fn expected(&mut self) -> Counters {
        let text = self.reference.exposition();
        let found = counters(&text).into_iter();
        found
            .map(|(series, value)| (series.to_owned(), value))
            .collect()
    }

    /// Orders that are open now.
    pub fn open(&self) -> u64 {
        self.orders.open()
    }

    /// Saves every task of the reference; how that went.
    pub fn save_all(&mut self) -> Vec<reference::Made> {
        self.reference.save_all()
    }

    fn flush(&self) -> anyhow::Result<()> {
        let flushed = self.producer.flush(FLUSH_WITHIN);
        let (delivered, made) = (self.producer.delivered(), self.orders.made());
        ensure!(
            flushed && delivered == made,
            "only {delivered} of {made} records were written: {}",
            self.producer.last_error().unwrap_or("too slow".to_owned())
        );
        Ok(())
    }
}

fn send(
    topic: &str,
    producer: &Producer,
    reference: &mut Reference,
    made: &Made<'_>,
) -> anyhow::Result<()> {
    producer.send(Outgoing {
        topic,
        key: Some(made.key.as_bytes()),
        value: Some(made.value.as_bytes()),
        timestamp: Some(KafkaTime::from_millis(made.sent_at)),
        partition: Some(made.partition),
    })?;
    reference.record(made);
    Ok(())
}

/// In milliseconds since the epoch.
fn now() -> i64 {
    clock::now().0 / 1000
}
