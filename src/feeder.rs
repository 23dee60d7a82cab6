//! A simulated shop on its way into Kafka: first what has happened already, at once, then the rest
//! at the pace of the wall clock. For `kept demo` and `kept shop`.
//!
//! Records are stamped with the shop's own times and sent in their order; one that is not delivered
//! ends it. While Kafka is away they wait in the producer's queue, and when that is full here: the
//! feeder can be stopped all the same.

use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, never};
use events::EventTime;
use kafka::produce::{Outgoing, Producer};
use simulator::shop::Shop;

use crate::clock;

/// How often new records are sent.
const EVERY: Duration = Duration::from_millis(50);
/// How long it waits for room in the producer's queue before it looks again.
const ROOM: Duration = Duration::from_millis(5);
/// How long the broker may take to acknowledge the history.
const HISTORY_WITHIN: Duration = Duration::from_secs(60);
/// How long what was sent may take to be acknowledged at the end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Sends the shop's records to their topics.
pub struct Feeder {
    shop: Shop,
    producer: Producer,
    /// By the index that `Produced::topic` holds.
    topics: Vec<&'static str>,
}

impl Feeder {
    /// Of this shop, to these topics: as many as its layout has.
    pub fn new(shop: Shop, producer: Producer, topics: Vec<&'static str>) -> Feeder {
        Feeder {
            shop,
            producer,
            topics,
        }
    }

    /// Sends all that happened until `time` and waits until Kafka has it.
    pub fn history(&mut self, time: EventTime) -> anyhow::Result<()> {
        self.send_until(time, &never())?;
        if !self.producer.flush(HISTORY_WITHIN) {
            let seconds = HISTORY_WITHIN.as_secs();
            bail!("Kafka did not take the shop's history within {seconds} s");
        }
        delivered(&self.producer, &self.topics)
    }

    /// Goes on at the pace of the wall clock on a thread of its own.
    pub fn live(self) -> anyhow::Result<Live> {
        let (stop, stopped) = bounded(0);
        let (end, ended) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("kept-shop".into())
            .spawn(move || {
                // The receiver may be gone: then nobody wants to know.
                let _ = end.send(self.run(&stopped));
            })
            .context("no thread for the shop")?;
        Ok(Live {
            stop,
            ended,
            thread,
        })
    }

    fn run(mut self, stopped: &Receiver<()>) -> anyhow::Result<()> {
        while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            self.send_until(clock::now().as_event_time(), stopped)?;
            delivered(&self.producer, &self.topics)?;
        }
        if !self.producer.flush(END_WITHIN) {
            let seconds = END_WITHIN.as_secs();
            bail!("Kafka did not take the last records within {seconds} s");
        }
        delivered(&self.producer, &self.topics)
    }

    /// Sends all that happened until `time`, or until it is stopped while there is no room.
    fn send_until(&mut self, time: EventTime, stopped: &Receiver<()>) -> anyhow::Result<()> {
        let Feeder {
            shop,
            producer,
            topics,
        } = self;
        for record in shop.until(time) {
            let topic = topics[record.topic];
            let outgoing = Outgoing {
                topic,
                key: Some(&record.key),
                value: Some(&record.value),
                timestamp: Some(record.timestamp),
                // By the key: a real Kafka's topic may have another number of partitions.
                partition: None,
            };
            let refused = || format!("can't write to {topic}");
            let mut waits = false;
            while !producer.try_send(outgoing).with_context(refused)? {
                if !waits {
                    tracing::warn!("{WAITS}");
                    waits = true;
                }
                if stopped.recv_timeout(ROOM) != Err(RecvTimeoutError::Timeout) {
                    return Ok(());
                }
                delivered(producer, topics)?;
            }
        }
        Ok(())
    }
}

/// Fails once a record was given up.
fn delivered(producer: &Producer, topics: &[&str]) -> anyhow::Result<()> {
    match producer.last_error() {
        None => Ok(()),
        Some(error) => bail!(
            "records for {} were not delivered: {error}",
            topics.join(", ")
        ),
    }
}

/// Said when the queue is full.
const WAITS: &str = "Kafka doesn't take the records: the shop waits for room";
/// What is left to say once the panic was printed.
const PANICKED: &str = "the shop's thread panicked";

/// The running shop.
pub struct Live {
    stop: Sender<()>,
    ended: Receiver<anyhow::Result<()>>,
    thread: JoinHandle<()>,
}

impl Live {
    /// Why it ended, if it did.
    pub fn failure(&self) -> Option<anyhow::Error> {
        match self.ended.try_recv() {
            Ok(ended) => ended.err(),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(anyhow!(PANICKED)),
        }
    }

    /// Closes the shop and waits a moment for what is under way. `Err`: not all of it arrived.
    pub fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        if self.thread.join().is_err() {
            bail!(PANICKED);
        }
        self.ended.try_recv().unwrap_or(Ok(()))
    }
}
