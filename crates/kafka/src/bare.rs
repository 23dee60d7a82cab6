//! The bare librdkafka batch loop that only counts: what `kept bench` compares itself with.
//!
//! It reads the same partitions with the same settings through the same queue as a worker does,
//! but looks at nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::batch::{BatchQueue, Delivered};
use crate::context::Context;
use crate::metrics::Metrics;
use crate::settings::{Settings, consumer_config};

/// How long the broker may take to answer, or to send anything at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the loop counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Records.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// Reads `topics` from their beginnings until `wanted` records have come; fewer when nothing comes
/// for a while. No group is joined.
pub fn bare_count(
    settings: &Settings,
    metrics: &Metrics,
    topics: &[&str],
    wanted: u64,
) -> Result<Counted, KafkaError> {
    let context = Context::new(metrics.clone(), &settings.brokers);
    let consumer: BaseConsumer<Context> =
        consumer_config(settings, 0).create_with_context(context)?;
    let consumer = Arc::new(consumer);
    let mut all = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        for found in metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
        {
            all.add_partition_offset(topic, found.id(), Offset::Beginning)?;
        }
    }
    if all.count() == 0 {
        return Err(KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ));
    }
    let mut queue = BatchQueue::new(&consumer);
    for element in all.elements() {
        queue.forward(element.topic(), element.partition());
    }
    consumer.assign(&all)?;
    let mut counted = Counted {
        records: 0,
        bytes: 0,
    };
    let mut last = Instant::now();
    while counted.records < wanted && last.elapsed() < PATIENCE {
        let before = counted.records;
        queue.read(Duration::from_millis(100), |_, delivered| {
            if let Delivered::Record(record) = delivered {
                counted.records += 1;
                counted.bytes += record.value.map_or(0, <[u8]>::len) as u64;
            }
        });
        // Errors and logs; there is no group to rebalance.
        let _ = consumer.poll(Duration::ZERO);
        if counted.records > before {
            last = Instant::now();
        }
    }
    consumer.context().close();
    Ok(counted)
}
