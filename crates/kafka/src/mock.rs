//! librdkafka's mock cluster, for `kept demo`: a broker inside the process.
//!
//! It keeps the last 5 MiB of each partition, and it can't look offsets up by time: use
//! `Start::Earliest` or `Start::Latest` with it.

use rdkafka::error::KafkaError;
use rdkafka::mocking;
use rdkafka::producer::DefaultProducerContext;

/// A running mock cluster of one broker; gone when dropped.
pub struct MockCluster(mocking::MockCluster<'static, DefaultProducerContext>);

impl MockCluster {
    /// Starts it with these topics and their numbers of partitions.
    pub fn start(topics: &[(&str, i32)]) -> Result<MockCluster, KafkaError> {
        let cluster = mocking::MockCluster::new(1)?;
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1)?;
        }
        Ok(MockCluster(cluster))
    }

    /// `host:port`, on loopback.
    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
