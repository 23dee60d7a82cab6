//! Reads back what is on a topic.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::broker::Kafka;

/// How long reading a topic may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A record as it lies on its topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: Option<i64>,
}

impl Kafka {
    /// All records of a topic, each partition's in order.
    pub fn read(&self, topic: &str) -> Vec<Written> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config.set("group.id", "test-reader");
        let consumer: BaseConsumer = config.create().expect("plain settings make a client");
        let metadata = consumer
            .fetch_metadata(Some(topic), LIMIT)
            .expect("the broker answers");
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            all.add_partition_offset(topic, partition.id(), Offset::Beginning)
                .expect("a good offset");
        }
        consumer.assign(&all).expect("the partitions exist");
        let wanted = usize::try_from(self.records(topic)).expect("not negative");
        let deadline = Instant::now() + LIMIT;
        let mut records = Vec::with_capacity(wanted);
        while records.len() < wanted {
            assert!(Instant::now() < deadline, "{topic} can't be read");
            let Some(message) = consumer.poll(Duration::from_millis(100)) else {
                continue;
            };
            let message = message.expect("the broker answers");
            records.push(Written {
                partition: message.partition(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                timestamp_ms: message.timestamp().to_millis(),
            });
        }
        records
    }
}
