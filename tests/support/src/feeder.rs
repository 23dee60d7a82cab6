//! Records on their way to a broker, at a bounded rate, while a test does other things.
//!
//! The order of each partition is kept over retries (idempotence); a record that can't be delivered
//! fails the test when the feeder is finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::wait::until;

/// How long what was sent may take to be acknowledged at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);
/// How often the pace is looked at.
const TURN: Duration = Duration::from_millis(5);

/// A record to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sending {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: Vec<u8>,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Its value; `None`: a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A thread that sends until it is finished or its records are.
#[derive(Debug)]
pub struct Feeder {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Feeder {
    /// Begins to send these records to `brokers`, `per_second` of them.
    pub fn start(
        brokers: &str,
        records: impl Iterator<Item = Sending> + Send + 'static,
        per_second: u64,
    ) -> Feeder {
        let producer = producer(brokers, &[]);
        let (sent, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (count, ended) = (Arc::clone(&sent), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            for record in records {
                let number = count.load(Ordering::Relaxed);
                while number >= due(begin, per_second) && !ended.load(Ordering::Relaxed) {
                    producer.poll(TURN);
                }
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                send(&producer, &record);
                count.store(number + 1, Ordering::Relaxed);
            }
            flush(&producer);
            count.load(Ordering::Relaxed)
        });
        Feeder { sent, stop, thread }
    }

    /// How many records were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until `count` more records were sent: a test's clock that stands still with its load.
    #[track_caller]
    pub fn await_more(&self, count: u64) {
        let goal = self.sent() + count;
        until(Duration::from_secs(120), "the load goes on", || {
            assert!(
                !self.thread.is_finished() || self.sent() >= goal,
                "the load has ended after {} records",
                self.sent()
            );
            self.sent() >= goal
        });
    }

    /// Stops sending; gives the number of records, all of them acknowledged.
    #[track_caller]
    pub fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every record is delivered")
    }

    /// Waits until all records were sent and acknowledged; gives their number.
    #[track_caller]
    pub fn await_end(self) -> u64 {
        self.thread.join().expect("every record is delivered")
    }
}

/// How many records should have been sent by now.
fn due(begin: Instant, per_second: u64) -> u64 {
    (begin.elapsed().as_millis() as u64).saturating_mul(per_second) / 1000
}

/// Sends some records in one transaction and then commits or aborts it.
#[derive(Debug)]
pub enum Ending {
    /// They count.
    Commit,
    /// They never were.
    Abort,
}

/// A transactional producer.
pub struct Transactions(BaseProducer);

impl Transactions {
    /// Registers `id` with the broker.
    pub fn new(brokers: &str, id: &str) -> Transactions {
        let producer = producer(brokers, &[("transactional.id", id)]);
        let begun = producer.init_transactions(FLUSH_WITHIN);
        begun.expect("the broker knows transactions");
        Transactions(producer)
    }

    /// One transaction with these records.
    pub fn send(&self, records: &[Sending], ending: &Ending) {
        self.0.begin_transaction().expect("none is open");
        for record in records {
            send(&self.0, record);
        }
        flush(&self.0);
        let ended = match ending {
            Ending::Commit => self.0.commit_transaction(FLUSH_WITHIN),
            Ending::Abort => self.0.abort_transaction(FLUSH_WITHIN),
        };
        ended.expect("the transaction ends");
    }
}

fn producer(brokers: &str, more: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config.set("enable.idempotence", "true");
    config.set("linger.ms", "5");
    // A broker's own limit is somewhat above a million bytes.
    config.set("message.max.bytes", "2000000");
    config.set("reconnect.backoff.max.ms", "500");
    for (key, value) in more {
        config.set(*key, *value);
    }
    config.create().expect("plain settings make a client")
}

fn send(producer: &BaseProducer, record: &Sending) {
    loop {
        let mut outgoing = BaseRecord::to(&record.topic)
            .partition(record.partition)
            .timestamp(record.timestamp_ms)
            .key(record.key.as_slice());
        outgoing.payload = record.value.as_deref();
        match producer.send(outgoing) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(TURN);
            }
            Err((error, _)) => panic!("a record can't be sent: {error}"),
        }
    }
}

fn flush(producer: &BaseProducer) {
    let flushed = producer.flush(FLUSH_WITHIN);
    flushed.expect("what was sent is acknowledged");
    assert_eq!(producer.in_flight_count(), 0);
}
