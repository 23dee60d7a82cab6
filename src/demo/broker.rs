//! The Kafka of the demo: the one inside the process, or somebody's, on which its topics are made
//! where they are missing.

use anyhow::{Context as _, anyhow};
use kafka::admin::Admin;
use kafka::mock::MockCluster;

use super::shop::PARTITIONS;
use super::{Arguments, REJECTED, TOPIC, say, wait_until};

/// The Kafka inside the process, if it is to be that one. It runs until it is dropped.
pub fn embedded(arguments: &Arguments) -> anyhow::Result<Option<MockCluster>> {
    if arguments.brokers.is_some() {
        return Ok(None);
    }
    let cluster = MockCluster::start(&[(TOPIC, PARTITIONS), (REJECTED, 1)])
        .map_err(|error| anyhow!("the embedded Kafka does not start: {error}"))?;
    Ok(Some(cluster))
}

/// The Kafka of the demo.
pub struct Broker {
    /// `host:port`.
    pub brokers: String,
    /// Nothing is on the shop's topic yet.
    pub new: bool,
    /// It is the one inside the process.
    pub is_embedded: bool,
}

impl Broker {
    /// The embedded one at this address, or else that of the arguments, with its topics.
    pub fn find(arguments: &Arguments, embedded: Option<String>) -> anyhow::Result<Broker> {
        let is_embedded = embedded.is_some();
        let mut broker = Broker {
            brokers: embedded
                .or_else(|| arguments.brokers.clone())
                .unwrap_or_default(),
            new: true,
            is_embedded,
        };
        if !is_embedded {
            let created = broker.prepare();
            broker.new = created.with_context(|| format!("asking Kafka at {}", broker.brokers))?;
        }
        Ok(broker)
    }

    /// Creates the topics where they are missing; true: the shop's has no record.
    fn prepare(&self) -> anyhow::Result<bool> {
        let admin = Admin::new(&self.client())?;
        for (topic, partitions) in [(TOPIC, PARTITIONS), (REJECTED, 1)] {
            if admin.partitions(topic)?.is_none() {
                admin
                    .create(topic, partitions, &[])
                    .with_context(|| format!("creating topic {topic}"))?;
                let plural = if partitions == 1 { "" } else { "s" };
                say(&format!(
                    "Created topic {topic} with {partitions} partition{plural}.\n"
                ));
                wait_until("the new topic is there", || {
                    Ok(admin.partitions(topic)? == Some(partitions))
                })?;
            }
        }
        Ok(admin.records(TOPIC)?.unwrap_or(0) == 0)
    }

    /// For clients of it.
    pub fn client(&self) -> kafka::Settings {
        kafka::Settings {
            brokers: self.brokers.clone(),
            group: String::new(),
            start: kafka::Start::Earliest,
            dead_letter_topic: None,
            workers: None,
            // The embedded one keeps 5 MiB a partition, see `shop`.
            client: vec![("compression.codec".into(), "lz4".into())],
        }
    }
}
