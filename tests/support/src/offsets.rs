//! Questions and orders about partitions: where they begin and end, what a group has committed,
//! more of them; and all that a topic holds, by offset.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminOptions, NewPartitions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::broker::{Kafka, wait_for};
use crate::wait::until;

/// How long reading a topic, or an answer, may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A record and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logged {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: Option<i64>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

impl Kafka {
    /// The first offset of each partition that is still there, and the next one to come.
    pub fn marks(&self, topic: &str) -> BTreeMap<i32, (i64, i64)> {
        let consumer = self.consumer();
        let metadata = consumer.fetch_metadata(Some(topic), LIMIT);
        let metadata = metadata.expect("the broker answers");
        let partitions = metadata.topics()[0].partitions().iter();
        let marks = partitions.map(|partition| {
            let marks = consumer.fetch_watermarks(topic, partition.id(), LIMIT);
            (partition.id(), marks.expect("the broker answers"))
        });
        marks.collect()
    }

    /// What the group has committed of these partitions; those without are left out.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config.set("group.id", group);
        let consumer: BaseConsumer = config.create().expect("plain settings make a client");
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, partitions - 1);
        let known = consumer.committed_offsets(asked, LIMIT);
        let known = known.expect("the broker answers");
        let offsets = known.elements().into_iter().filter_map(|element| {
            let Offset::Offset(offset) = element.offset() else {
                return None;
            };
            Some((element.partition(), offset))
        });
        offsets.collect()
    }

    /// Waits until a deleted topic is gone.
    pub fn await_gone(&self, topic: &str) {
        let consumer = self.consumer();
        until(LIMIT, "the topic is gone", || {
            let metadata = consumer.fetch_metadata(Some(topic), LIMIT);
            let metadata = metadata.expect("the broker answers");
            metadata.topics()[0].partitions().is_empty()
        });
    }

    /// Makes the broker forget a group without members, and what it has committed.
    pub fn forget_group(&self, group: &str) {
        let admin = self.admin();
        let results = wait_for(admin.delete_groups(&[group], &AdminOptions::new()));
        results.expect("the broker answers")[0]
            .as_ref()
            .expect("the group is deleted");
    }

    /// Gives a topic more partitions: `partitions` in all.
    pub fn grow_topic(&self, topic: &str, partitions: i32) {
        let count = usize::try_from(partitions).expect("not negative");
        let wanted = NewPartitions::new(topic, count);
        let admin = self.admin();
        let results = wait_for(admin.create_partitions([&wanted], &AdminOptions::new()));
        results.expect("the broker answers")[0]
            .as_ref()
            .expect("the topic grows");
        self.await_partitions(topic, partitions);
    }

    /// Every record that a reader of committed transactions gets, each partition's in order.
    pub fn log(&self, topic: &str) -> Vec<Logged> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config.set("group.id", "test-reader");
        config.set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed");
        config.set("fetch.wait.max.ms", "20");
        let consumer: BaseConsumer = config.create().expect("plain settings make a client");
        let mut all = TopicPartitionList::new();
        let marks = self.marks(topic);
        for partition in marks.keys() {
            all.add_partition_offset(topic, *partition, Offset::Beginning)
                .expect("a good offset");
        }
        consumer.assign(&all).expect("the partitions exist");
        let (mut records, mut at_end) = (Vec::new(), 0);
        let deadline = Instant::now() + LIMIT;
        while at_end < marks.len() {
            assert!(Instant::now() < deadline, "{topic} can't be read");
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => at_end += 1,
                Some(message) => {
                    let message = message.expect("the broker answers");
                    records.push(Logged {
                        partition: message.partition(),
                        offset: message.offset(),
                        timestamp_ms: message.timestamp().to_millis(),
                        value: message.payload().map(<[u8]>::to_vec),
                    });
                }
            }
        }
        records
    }
}
