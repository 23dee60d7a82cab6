//! Kafka's ids of topics, which rdkafka doesn't give: by librdkafka's description of topics.
//!
//! What can't be had (no answer in time, no permission, a topic that isn't there, a broker before 2.8)
//! is not in the answer; that is no fault. Invariants of the unsafe code: whatever librdkafka makes
//! here is owned by a guard that destroys it once, and nothing that is borrowed from the event
//! outlives it.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::slice;
use std::time::Duration;

use catalogue::plan::{Plan, TopicId};
use pipeline::log_id::LogId;
use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::types::RDKafkaRespErr;

/// How long the brokers may take: an assignment waits for it, and so does the next question about
/// ends. Both go on without an answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The ids of a plan's topics, as far as the brokers tell.
pub(crate) fn topic_ids<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    plan: &Plan,
) -> BTreeMap<TopicId, LogId> {
    let names = plan.topics.iter().map(|topic| CString::new(&*topic.name));
    let Ok(names) = names.collect::<Result<Vec<CString>, _>>() else {
        return BTreeMap::new();
    };
    let described = describe(consumer, &names);
    let known = (0_u16..).zip(&names).filter_map(|(at, name)| {
        let found = described.iter().find(|one| *one.0 == **name)?;
        Some((TopicId(at), found.1))
    });
    let known: BTreeMap<TopicId, LogId> = known.collect();
    if known.len() < names.len() {
        tracing::debug!(of = names.len(), known = known.len(), "topic ids");
    }
    known
}

/// Something of librdkafka's that is to be destroyed.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    /// # Safety
    /// `made` is null or valid, nobody else's, and `destroy` is what ends it.
    unsafe fn new(made: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Owned<T>> {
        Some(Owned(NonNull::new(made)?, destroy))
    }

    fn ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by `new` it is valid and ours, and nothing uses it after this.
        unsafe { (self.1)(self.ptr()) }
    }
}

fn describe<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    names: &[CString],
) -> Vec<(CString, LogId)> {
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let client = consumer.client().native_ptr();
    let patience = i32::try_from(TIMEOUT.as_millis()).expect("a few seconds");
    // SAFETY: the client is alive for the whole call; the collection copies the names, which are
    // alive and end with a zero; options and queue are made for this client and used while owned. An
    // answer that comes too late finds the queue closed, which librdkafka counts references for.
    unsafe {
        let topics =
            native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = native::rd_kafka_AdminOptions_new(
            client,
            native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        let queue = native::rd_kafka_queue_new(client);
        let (Some(topics), Some(options), Some(queue)) = (
            Owned::new(topics, native::rd_kafka_TopicCollection_destroy),
            Owned::new(options, native::rd_kafka_AdminOptions_destroy),
            Owned::new(queue, native::rd_kafka_queue_destroy),
        ) else {
            return Vec::new();
        };
        native::rd_kafka_AdminOptions_set_request_timeout(
            options.ptr(),
            patience,
            std::ptr::null_mut(),
            0,
        );
        native::rd_kafka_DescribeTopics(client, topics.ptr(), options.ptr(), queue.ptr());
        let event = native::rd_kafka_queue_poll(queue.ptr(), patience);
        let event = Owned::new(event, native::rd_kafka_event_destroy);
        event.map(|event| read(&event)).unwrap_or_default()
    }
}

/// What an event says of topics; nothing if it says something else.
fn read(event: &Owned<native::rd_kafka_event_t>) -> Vec<(CString, LogId)> {
    let mut found = Vec::new();
    // SAFETY: the event is valid. The result is null for other events; it has `count` descriptions,
    // and they, their names and their ids live as long as the event. All is copied.
    unsafe {
        let result = native::rd_kafka_event_DescribeTopics_result(event.ptr());
        if result.is_null() {
            return found;
        }
        let mut count = 0;
        let first = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if first.is_null() {
            return found;
        }
        for topic in slice::from_raw_parts(first, count) {
            if topic.is_null() {
                continue;
            }
            let error = native::rd_kafka_TopicDescription_error(*topic);
            let good = native::rd_kafka_error_code(error);
            let name = native::rd_kafka_TopicDescription_name(*topic);
            let id = native::rd_kafka_TopicDescription_topic_id(*topic);
            if good != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() || id.is_null()
            {
                continue;
            }
            let high = native::rd_kafka_Uuid_most_significant_bits(id) as u64;
            let low = native::rd_kafka_Uuid_least_significant_bits(id) as u64;
            let id = LogId::new((u128::from(high) << 64) | u128::from(low));
            found.extend(id.map(|id| (CStr::from_ptr(name).to_owned(), id)));
        }
    }
    found
}
