//! Topics for measurements: made to keep records of any age, counted, deleted again.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use crate::settings::{Settings, client_config};
use crate::wait::block_on;

/// How long the broker may take for one request.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks whether a topic is gone.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Makes a topic with one replica, without retention. An error if it is there already.
pub fn create(settings: &Settings, topic: &str, partitions: i32) -> Result<(), KafkaError> {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1");
    let admin: AdminClient<DefaultClientContext> = client_config(settings).create()?;
    let results = block_on(admin.create_topics([&new], &options()))?;
    results.into_iter().try_for_each(|result| match result {
        Ok(_) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(code)),
    })
}

/// Deletes a topic and waits until the broker knows nothing of it.
pub fn delete(settings: &Settings, topic: &str) -> Result<(), KafkaError> {
    let admin: AdminClient<DefaultClientContext> = client_config(settings).create()?;
    for result in block_on(admin.delete_topics(&[topic], &options()))? {
        result.map_err(|(_, code)| KafkaError::AdminOp(code))?;
    }
    let deadline = Instant::now() + PATIENCE;
    while records(settings, topic)?.is_some() && Instant::now() < deadline {
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// How many offsets a topic holds, over all its partitions; `None` if there is no such topic.
pub fn records(settings: &Settings, topic: &str) -> Result<Option<u64>, KafkaError> {
    let client: BaseConsumer = client_config(settings).create()?;
    // Asking for the one topic could create it.
    let metadata = client.fetch_metadata(None, PATIENCE)?;
    let Some(found) = metadata.topics().iter().find(|one| one.name() == topic) else {
        return Ok(None);
    };
    let mut sum = 0;
    for partition in found.partitions() {
        let (low, high) = client.fetch_watermarks(topic, partition.id(), PATIENCE)?;
        sum += u64::try_from(high - low).unwrap_or(0);
    }
    Ok(Some(sum))
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}
