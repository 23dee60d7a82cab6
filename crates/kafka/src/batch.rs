//! Batch reading: all assigned partitions' queues flow into one private queue that is read by
//! thousands of records at a time, each borrowed from librdkafka's buffer.
//!
//! It never touches the group's own queue (reading that in batches un-assigns silently). Unsafe
//! code is here and in `commit_queue`, nowhere else. Invariants: the consumer outlives the queue (an
//! `Arc` is held), a message is destroyed exactly once, and nothing borrowed from it outlives the
//! call that gets it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use events::{KafkaTime, Record};
use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::context::Context;

/// How many records one read returns at most.
const BATCH: usize = 4096;

/// A topic's address in librdkafka, only good for comparing: it stays the same while one of the
/// topic's partitions is assigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TopicHandle(usize);

/// What the queue holds.
pub(crate) enum Delivered<'a> {
    /// A record.
    Record(Record<'a>),
    /// The partition's end was reached: `offset` is the next one to come.
    End,
    /// The partition can't be read.
    Failed(RDKafkaErrorCode, String),
}

/// Where it is from.
#[derive(Clone, Copy)]
pub(crate) struct Position<'a>(&'a native::rd_kafka_message_t);

impl Position<'_> {
    pub(crate) fn topic(self) -> TopicHandle {
        TopicHandle(self.0.rkt.addr())
    }

    pub(crate) fn topic_name(self) -> String {
        // SAFETY: a message keeps its topic alive; the name is copied.
        let name = unsafe { CStr::from_ptr(native::rd_kafka_topic_name(self.0.rkt)) };
        name.to_string_lossy().into_owned()
    }

    pub(crate) fn partition(self) -> i32 {
        self.0.partition
    }

    pub(crate) fn offset(self) -> i64 {
        self.0.offset
    }
}

/// A record's headers, in order.
type Headers<'a> = Vec<(&'a str, Option<&'a [u8]>)>;

/// The private queue.
pub(crate) struct BatchQueue {
    queue: NonNull<native::rd_kafka_queue_t>,
    messages: Vec<*mut native::rd_kafka_message_t>,
    headers: Headers<'static>,
    consumer: Arc<BaseConsumer<Context>>,
}

impl BatchQueue {
    /// A queue into which nothing flows yet.
    pub(crate) fn new(consumer: &Arc<BaseConsumer<Context>>) -> BatchQueue {
        // SAFETY: the client is alive; the queue it returns is ours until `drop`.
        let queue = unsafe { native::rd_kafka_queue_new(consumer.client().native_ptr()) };
        BatchQueue {
            queue: NonNull::new(queue).expect("librdkafka always makes a queue"),
            messages: vec![ptr::null_mut(); BATCH],
            headers: Vec::new(),
            consumer: Arc::clone(consumer),
        }
    }

    /// Lets a partition's records flow in here. To be called before the partition is assigned:
    /// librdkafka forgets it when the partition is taken away.
    pub(crate) fn forward(&self, topic: &str, partition: i32) {
        let topic = CString::new(topic).expect("a topic's name has no null byte");
        let client = self.consumer.client().native_ptr();
        // SAFETY: the client is alive and a consumer; the handle is ours and is given back; the
        // partition's queue keeps its own reference to the one it flows into.
        unsafe {
            let source = native::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition);
            assert!(
                !source.is_null(),
                "a consumer has a queue for every partition"
            );
            native::rd_kafka_queue_forward(source, self.queue.as_ptr());
            native::rd_kafka_queue_destroy(source);
        }
    }

    /// Waits until a batch is full or `timeout` is over and gives each message to `each`.
    /// Returns how many there were.
    pub(crate) fn read(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(Position<'_>, Delivered<'_>),
    ) -> usize {
        let millis = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the queue is ours, the array has room for BATCH pointers.
        let count = unsafe {
            native::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                millis,
                self.messages.as_mut_ptr(),
                self.messages.len(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        let mut headers = std::mem::take(&mut self.headers);
        for &message in &self.messages[..count] {
            // SAFETY: librdkafka filled in `count` valid pointers that we own; each is used and
            // destroyed once here, and the borrow ends with the call of `each`.
            unsafe {
                headers = deliver(&*message, headers, &mut each);
                native::rd_kafka_message_destroy(message);
            }
        }
        self.headers = headers;
        count
    }
}

impl Drop for BatchQueue {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this; the consumer is still alive.
        unsafe { native::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// Gives one message to `each`; returns the emptied vector for the next one.
///
/// # Safety
/// `message` came from librdkafka and is not destroyed before this returns.
unsafe fn deliver<'a>(
    message: &'a native::rd_kafka_message_t,
    headers: Headers<'static>,
    each: &mut impl FnMut(Position<'_>, Delivered<'_>),
) -> Headers<'static> {
    let position = Position(message);
    match message.err {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
            let mut headers: Headers<'a> = headers;
            // SAFETY: as above; a record's pointers are valid for their lengths.
            let record = unsafe {
                read_headers(message, &mut headers);
                Record {
                    timestamp: timestamp(message),
                    key: bytes(message.key, message.key_len),
                    value: bytes(message.payload, message.len),
                    headers: &headers,
                }
            };
            each(position, Delivered::Record(record));
            recycle(headers)
        }
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
            each(position, Delivered::End);
            headers
        }
        error => {
            // SAFETY: the message is valid; its text is copied.
            let text = unsafe { CStr::from_ptr(native::rd_kafka_message_errstr(message)) };
            let text = text.to_string_lossy().into_owned();
            each(position, Delivered::Failed(error.into(), text));
            headers
        }
    }
}

/// Empties the vector and keeps its memory: it holds nothing that could outlive a message.
fn recycle(mut headers: Headers<'_>) -> Headers<'static> {
    headers.clear();
    headers.into_iter().map(|_| ("", None)).collect()
}

/// # Safety
/// `data` is null or valid for `length` bytes as long as `'a`.
unsafe fn bytes<'a>(data: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as promised by the caller.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) })
}

/// # Safety
/// `message` is a valid message.
unsafe fn timestamp(message: &native::rd_kafka_message_t) -> Option<KafkaTime> {
    let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: as promised by the caller; `kind` is ours.
    let millis = unsafe { native::rd_kafka_message_timestamp(message, &mut kind) };
    (millis >= 0).then(|| KafkaTime::from_millis(millis))
}

/// Fills in the record's headers; for most records librdkafka says at once that there are none.
///
/// # Safety
/// `message` is a valid message.
unsafe fn read_headers<'a>(message: &'a native::rd_kafka_message_t, into: &mut Headers<'a>) {
    let mut all = ptr::null_mut();
    // SAFETY: the message is valid and keeps its headers.
    let error = unsafe { native::rd_kafka_message_headers(message, &mut all) };
    if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return;
    }
    for index in 0.. {
        let (mut name, mut value, mut size) =
            (ptr::null::<c_char>(), ptr::null::<c_void>(), 0_usize);
        // SAFETY: `all` is valid; the out pointers are ours; an index too far is an error.
        let header = unsafe {
            let error =
                native::rd_kafka_header_get_all(all, index, &mut name, &mut value, &mut size);
            if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            (CStr::from_ptr(name), bytes(value, size))
        };
        // A header whose name is not UTF-8 is none of ours.
        if let (Ok(name), value) = (header.0.to_str(), header.1) {
            into.push((name, value));
        }
    }
}
