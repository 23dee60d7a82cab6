//! Puts events on topics: for `kept produce`, `kept demo` and the bench.
//!
//! Sending waits only while librdkafka's queue is full; what became of the records is counted by
//! their delivery reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use events::KafkaTime;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::context::log_line;
use crate::settings::{Settings, client_config};

/// How long a send waits for room before it looks again.
const ROOM: Duration = Duration::from_millis(5);

/// What a producer is told unless the user says otherwise: throughput over latency.
const DEFAULTS: [(&str, &str); 6] = [
    // Java's: a key goes where the other producers put it.
    ("partitioner", "murmur2_random"),
    // Keeps the order over retries; a user who wants other acknowledgements turns it off first.
    ("enable.idempotence", "true"),
    ("linger.ms", "20"),
    ("batch.num.messages", "10000"),
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// A record to be written.
#[derive(Clone, Copy, Default, Debug)]
pub struct Outgoing<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its key; decides the partition unless that is given.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` writes a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its timestamp; `None`: now.
    pub timestamp: Option<KafkaTime>,
    /// Its partition; `None`: by the key.
    pub partition: Option<i32>,
}

/// As librdkafka takes it.
type Record<'a> = BaseRecord<'a, [u8], [u8]>;

fn base_record(outgoing: Outgoing<'_>) -> Record<'_> {
    let mut record = BaseRecord::to(outgoing.topic);
    record.key = outgoing.key;
    record.payload = outgoing.value;
    record.timestamp = outgoing.timestamp.map(|time| time.0 / 1000);
    record.partition = outgoing.partition;
    record
}

/// Counts shared with librdkafka's thread.
#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
    last_error: std::sync::Mutex<Option<String>>,
}

struct Context(Arc<Counts>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // "1/1 brokers are down" is said again with each try: what happened to the one is enough.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::debug!("producer: {reason}");
        } else {
            tracing::warn!("producer: {reason}");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
                let mut last = self.0.last_error.lock().expect("nothing panics in here");
                *last = Some(error.to_string());
            }
        }
    }
}

/// A producer with a thread of its own for delivery reports.
pub struct Producer {
    producer: ThreadedProducer<Context>,
    counts: Arc<Counts>,
}

impl Producer {
    /// Connects lazily: a broker that is down shows when records time out.
    pub fn new(settings: &Settings) -> Result<Producer, KafkaError> {
        let counts = Arc::new(Counts::default());
        let mut config = client_config(settings);
        for (name, value) in DEFAULTS {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        let producer = config.create_with_context(Context(Arc::clone(&counts)))?;
        Ok(Producer { producer, counts })
    }

    /// Hands a record over, waiting while the queue is full. An error: it can never be written.
    pub fn send(&self, outgoing: Outgoing<'_>) -> Result<(), KafkaError> {
        self.send_with_headers(outgoing, None)
    }

    /// Likewise, with headers.
    pub fn send_with_headers(
        &self,
        outgoing: Outgoing<'_>,
        headers: Option<OwnedHeaders>,
    ) -> Result<(), KafkaError> {
        let mut record = base_record(outgoing);
        record.headers = headers;
        while let Some(back) = self.offer(record)? {
            record = back;
            std::thread::sleep(ROOM);
        }
        Ok(())
    }

    /// Hands a record over if there is room for it now; false: the queue is full. For whoever must
    /// be able to stop while Kafka is away. An error: it can never be written.
    pub fn try_send(&self, outgoing: Outgoing<'_>) -> Result<bool, KafkaError> {
        Ok(self.offer(base_record(outgoing))?.is_none())
    }

    /// Gives the record back where there is no room.
    fn offer<'a>(&self, record: Record<'a>) -> Result<Option<Record<'a>>, KafkaError> {
        match self.producer.send(record) {
            Ok(()) => Ok(None),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                Ok(Some(back))
            }
            Err((error, _)) => Err(error),
        }
    }

    /// Waits until everything is delivered or failed; false: not within `limit`.
    pub fn flush(&self, limit: Duration) -> bool {
        self.producer.flush(limit).is_ok()
    }

    /// Records that the brokers have acknowledged.
    pub fn delivered(&self) -> u64 {
        self.counts.delivered.load(Ordering::Relaxed)
    }

    /// Records that were given up.
    pub fn failed(&self) -> u64 {
        self.counts.failed.load(Ordering::Relaxed)
    }

    /// Why the last of them was given up.
    pub fn last_error(&self) -> Option<String> {
        self.counts
            .last_error
            .lock()
            .expect("nothing panics in here")
            .clone()
    }
}
