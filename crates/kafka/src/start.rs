//! `kafka.start`, turned into numbers: the first offset to read of each assigned partition.
//!
//! Numbers, not `Beginning` or `End`: what is read must be known before anything is read.

use std::time::Duration;

use events::WallTime;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use crate::settings::Start;

/// The same partitions with the offset to start from. Fails as a whole if one can't be looked up.
pub(crate) fn resolve<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    start: Start,
    now: WallTime,
    timeout: Duration,
) -> KafkaResult<TopicPartitionList> {
    // More members than partitions: an empty share is a share, and librdkafka refuses to be asked
    // about nothing.
    if partitions.count() == 0 {
        return Ok(TopicPartitionList::new());
    }
    let asked = match start {
        Start::Earliest => Offset::Beginning,
        Start::Latest => Offset::End,
        Start::Back(span) => Offset::Offset((now.0.saturating_sub(span.0) / 1000).max(0)),
    };
    let mut answer = look_up(consumer, partitions, asked, timeout)?;
    let mut unstamped = TopicPartitionList::new();
    for element in answer.elements() {
        // No record is that young: the answer is "the end", as a word.
        if !matches!(element.offset(), Offset::Offset(_)) {
            unstamped.add_partition(element.topic(), element.partition());
        }
    }
    if unstamped.count() > 0 {
        for element in look_up(consumer, &unstamped, Offset::End, timeout)?.elements() {
            let Offset::Offset(_) = element.offset() else {
                return Err(KafkaError::OffsetFetch(
                    rdkafka::error::RDKafkaErrorCode::NoOffset,
                ));
            };
            answer.set_partition_offset(element.topic(), element.partition(), element.offset())?;
        }
    }
    Ok(answer)
}

/// Asks the brokers for one offset of each partition: by time, or the beginning, or the end (the
/// last stable offset under `read_committed`).
pub(crate) fn look_up<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    asked: Offset,
    timeout: Duration,
) -> KafkaResult<TopicPartitionList> {
    let mut question = TopicPartitionList::with_capacity(partitions.count());
    for element in partitions.elements() {
        question.add_partition_offset(element.topic(), element.partition(), asked)?;
    }
    let answer = consumer.offsets_for_times(question, timeout)?;
    for element in answer.elements() {
        element.error()?;
    }
    Ok(answer)
}
