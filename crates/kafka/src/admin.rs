//! Questions and orders about topics, for the commands that are not the service: does a topic
//! exist, does it hold anything, create it. Each call connects, asks, and is done.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::context::{Quiet, classify};
use crate::metrics::Trouble;
use crate::settings::{Settings, client_config};
use crate::wait::block_on;

/// How long the broker may take for each answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a broker knows about topics.
pub struct Admin {
    settings: Settings,
    consumer: BaseConsumer<Quiet>,
}

impl Admin {
    /// Connects lazily: an unreachable broker shows as the first question's error.
    pub fn new(settings: &Settings) -> KafkaResult<Admin> {
        let consumer = client_config(settings).create_with_context(Quiet)?;
        Ok(Admin {
            settings: settings.clone(),
            consumer,
        })
    }

    /// The number of partitions; `None`: there is no such topic.
    pub fn partitions(&self, topic: &str) -> KafkaResult<Option<i32>> {
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(Into::into) {
            None => {
                let count = i32::try_from(found.partitions().len()).unwrap_or(i32::MAX);
                Ok((count > 0).then_some(count))
            }
            Some(code) if classify(Some(code)) == Trouble::TopicMissing => Ok(None),
            Some(code) => Err(KafkaError::MetadataFetch(code)),
        }
    }

    /// Whether some partition of an existing topic holds a record.
    pub fn holds_records(&self, topic: &str, partitions: i32) -> KafkaResult<bool> {
        for partition in 0..partitions {
            let (low, high) = self.consumer.fetch_watermarks(topic, partition, TIMEOUT)?;
            if low < high {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Creates a topic with the broker's default replication; one that exists already is fine.
    pub fn create(&self, topic: &str, partitions: i32) -> KafkaResult<()> {
        let admin: AdminClient<DefaultClientContext> = client_config(&self.settings).create()?;
        let options = AdminOptions::new()
            .request_timeout(Some(TIMEOUT))
            .operation_timeout(Some(TIMEOUT));
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        for result in block_on(admin.create_topics([&new], &options))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
        Ok(())
    }
}
