//! Sending commits without waiting, and their answers, each with the number of its commit.
//!
//! librdkafka's plain asynchronous commit tells nobody how it went, and its synchronous one hides a
//! refusal of some of the partitions. So the answers come on a queue of our own, as events that
//! carry the commit's number. Invariants of the unsafe code: the consumer outlives the queue (an
//! `Arc` is held), an event is destroyed exactly once, and nothing borrowed from it outlives it.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::context::Context;

/// The queue that answers come on.
pub(crate) struct CommitQueue {
    queue: NonNull<native::rd_kafka_queue_t>,
    consumer: Arc<BaseConsumer<Context>>,
}

/// How a commit went: yes for every partition, or the first refusal in words.
pub(crate) struct Outcome {
    /// The number that it was sent with.
    pub(crate) commit: u64,
    /// See above.
    pub(crate) result: Result<(), String>,
}

impl CommitQueue {
    pub(crate) fn new(consumer: &Arc<BaseConsumer<Context>>) -> CommitQueue {
        // SAFETY: the client is alive; the queue it returns is ours until `drop`.
        let queue = unsafe { native::rd_kafka_queue_new(consumer.client().native_ptr()) };
        CommitQueue {
            queue: NonNull::new(queue).expect("librdkafka always makes a queue"),
            consumer: Arc::clone(consumer),
        }
    }

    /// Sends a commit; its outcome comes by `next`, once, unless this is an error.
    pub(crate) fn send(&self, commit: u64, offsets: &TopicPartitionList) -> Result<(), String> {
        let number = usize::try_from(commit).expect("commits are counted in 64 bits");
        // SAFETY: client, list and queue are alive; librdkafka copies the list. The opaque pointer
        // is a number that is never followed.
        let error = unsafe {
            native::rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                offsets.ptr(),
                self.queue.as_ptr(),
                None,
                ptr::without_provenance_mut::<c_void>(number),
            )
        };
        match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            error => Err(RDKafkaErrorCode::from(error).to_string()),
        }
    }

    /// The next outcome, if one has come.
    pub(crate) fn next(&self) -> Option<Outcome> {
        loop {
            // SAFETY: the queue is ours; without waiting.
            let event = unsafe { native::rd_kafka_queue_poll(self.queue.as_ptr(), 0) };
            let event = NonNull::new(event)?;
            // SAFETY: a valid event that is ours; it is read first and destroyed once.
            let outcome = unsafe {
                let outcome = read(event);
                native::rd_kafka_event_destroy(event.as_ptr());
                outcome
            };
            if outcome.is_some() {
                return outcome;
            }
        }
    }
}

impl Drop for CommitQueue {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this; the consumer is still alive.
        unsafe { native::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// # Safety
/// `event` is valid and not destroyed before this returns.
unsafe fn read(event: NonNull<native::rd_kafka_event_t>) -> Option<Outcome> {
    let event = event.as_ptr();
    // SAFETY: as promised by the caller; a commit event's list lives as long as the event.
    unsafe {
        if native::rd_kafka_event_type(event) != native::RD_KAFKA_EVENT_OFFSET_COMMIT {
            return None;
        }
        let commit = native::rd_kafka_event_opaque(event).addr() as u64;
        let error = native::rd_kafka_event_error(event);
        let list = native::rd_kafka_event_topic_partition_list(event);
        // The error of a whole commit may be that of one partition, which is then named.
        let result = match (error, refusal(list)) {
            (RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, result) => result,
            (_, Err(named)) if !list.is_null() => Err(named),
            (error, _) => Err(RDKafkaErrorCode::from(error).to_string()),
        };
        Some(Outcome { commit, result })
    }
}

/// The first partition that was refused.
///
/// # Safety
/// `list` is null or valid.
unsafe fn refusal(list: *const native::rd_kafka_topic_partition_list_t) -> Result<(), String> {
    // SAFETY: as promised by the caller; the list has `cnt` elements with valid names.
    unsafe {
        let Some(list) = list.as_ref() else {
            return Err("the answer names no partition".to_owned());
        };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        for index in 0..count {
            let element = &*list.elems.add(index);
            if element.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                let topic = CStr::from_ptr(element.topic).to_string_lossy();
                let error = RDKafkaErrorCode::from(element.err);
                let partition = element.partition;
                return Err(format!("{topic} partition {partition}: {error}"));
            }
        }
        Ok(())
    }
}
