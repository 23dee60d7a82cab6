//! The way into Kafka: a topic is looked for before its first record, because sending to a missing
//! one would end minutes later in a time-out.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use catalogue::{Plan, Settings};
use events::{EventTime, KafkaTime};
use kafka::admin::Admin;
use kafka::produce::{Outgoing, Producer};

use super::validate::Accepted;

/// See the file's header.
pub struct Outlet {
    brokers: String,
    admin: Admin,
    producer: Producer,
    /// Topics of the plan that exist.
    found: BTreeSet<usize>,
}

impl Outlet {
    /// Connects lazily; fails for settings that librdkafka refuses.
    pub fn new(settings: &Settings) -> anyhow::Result<Outlet> {
        let settings = &settings.kafka;
        let refused = |error| anyhow!("the Kafka settings are refused: {error}");
        Ok(Outlet {
            brokers: settings.brokers.clone(),
            admin: Admin::new(settings).map_err(refused)?,
            producer: Producer::new(settings).map_err(refused)?,
            found: BTreeSet::new(),
        })
    }

    /// Hands one event over, stamped with `time` or else with the moment.
    pub fn send(
        &mut self,
        plan: &Plan,
        accepted: &Accepted<'_>,
        value: &[u8],
        time: Option<EventTime>,
    ) -> anyhow::Result<()> {
        self.expect_topic(plan, accepted.topic)?;
        let topic = &plan.topics[accepted.topic].name;
        let outgoing = Outgoing {
            topic,
            key: accepted.key.map(str::as_bytes),
            value: Some(value),
            timestamp: time.map(whole_milliseconds),
            partition: None,
        };
        self.producer
            .send(outgoing)
            .with_context(|| format!("sending to topic \"{topic}\""))
    }

    /// Waits for acknowledgements; true: every record is acknowledged or given up.
    pub fn flush(&self, limit: Duration) -> bool {
        self.producer.flush(limit)
    }

    /// Records that Kafka has.
    pub fn delivered(&self) -> u64 {
        self.producer.delivered()
    }

    /// Records that were given up, and why the last of them was.
    pub fn failed(&self) -> (u64, Option<String>) {
        (self.producer.failed(), self.producer.last_error())
    }

    fn expect_topic(&mut self, plan: &Plan, topic: usize) -> anyhow::Result<()> {
        if self.found.contains(&topic) {
            return Ok(());
        }
        let (name, brokers) = (&plan.topics[topic].name, &self.brokers);
        let partitions = self.admin.partitions(name);
        let partitions = partitions
            .with_context(|| format!("asking Kafka at {brokers} about topic \"{name}\""))?;
        if partitions.is_none() {
            bail!("topic \"{name}\" does not exist on {brokers}: create it first");
        }
        self.found.insert(topic);
        Ok(())
    }
}

/// Kafka's unit, rounded up: a record is never stamped before its event.
fn whole_milliseconds(time: EventTime) -> KafkaTime {
    KafkaTime(time.0.saturating_add((-time.0).rem_euclid(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_never_before_its_event() {
        for (event, stamp) in [(0, 0), (1, 1000), (1000, 1000), (1999, 2000), (-1, 0)] {
            assert_eq!(whole_milliseconds(EventTime(event)), KafkaTime(stamp));
        }
    }
}
