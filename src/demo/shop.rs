//! The demo's shop: which one it is, and how it gets into Kafka at the pace of the wall clock.
//!
//! # Sized for the embedded broker
//! It keeps the newest 5 MiB of each partition, as sent, and every assignment reads from the oldest
//! record that is left. At 20 orders a second (the most we allow) the busiest of the 4 partitions
//! gets 25 kB a second before compression: a reader may be three minutes behind and is not
//! overtaken. The five minutes of history are 7.6 MB a partition and are sent at once, in batches
//! that lz4 makes a fifth of: 1.5 MB. (`rehearsal` holds us to the first number.)

use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use events::{EventTime, Span};
use kafka::produce::{Outgoing, Producer};
use simulator::shop::{Delay, Incident, Pace, Shop, ShopSettings};

use crate::clock;

/// Partitions of the topic where we create it.
pub const PARTITIONS: i32 = 4;
/// What is told before the demo begins, so that the windows aren't empty.
pub const HISTORY: Span = Span::from_seconds(300);
/// The incident, from the beginning of the demo.
pub const INCIDENT: (Span, Span) = (Span::from_seconds(60), Span::from_seconds(180));
/// How many times slower fulfilment is in the incident.
pub const SLOWER: f64 = 12.0;

/// How often new records are sent.
const EVERY: Duration = Duration::from_millis(50);
/// How long the broker may take to acknowledge the history.
const HISTORY_WITHIN: Duration = Duration::from_secs(60);

/// A shop with `rate` orders a second at its peak that opened at `start`, its incident counted
/// from `begin`.
pub fn settings(rate: f64, start: EventTime, begin: EventTime) -> ShopSettings {
    ShopSettings {
        orders_per_second: rate,
        partitions: PARTITIONS,
        out_of_order: Delay {
            share: 0.02,
            most: Span::from_seconds(4),
        },
        late: Delay {
            share: 0.001,
            most: Span::from_seconds(60),
        },
        incident: Some(Incident {
            from: begin + INCIDENT.0,
            to: begin + INCIDENT.1,
            pace: Pace::Slower(SLOWER),
            region: None,
        }),
        ..ShopSettings::demo(start)
    }
}

/// Sends the shop's records to one topic.
pub struct Feeder {
    shop: Shop,
    producer: Producer,
    topic: &'static str,
}

impl Feeder {
    /// Of this shop.
    pub fn new(shop: Shop, producer: Producer, topic: &'static str) -> Feeder {
        Feeder {
            shop,
            producer,
            topic,
        }
    }

    /// Sends all that happened until `time` and waits until Kafka has it.
    pub fn history(&mut self, time: EventTime) -> anyhow::Result<()> {
        self.send_until(time)?;
        if !self.producer.flush(HISTORY_WITHIN) {
            let seconds = HISTORY_WITHIN.as_secs();
            bail!("Kafka did not take the shop's history within {seconds} s");
        }
        self.check()
    }

    /// Goes on at the pace of the wall clock on a thread of its own.
    pub fn live(self) -> anyhow::Result<Live> {
        let (stop, stopped) = bounded(0);
        let (end, ended) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("kept-demo-shop".into())
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
            self.send_until(clock::now().as_event_time())?;
            self.check()?;
        }
        Ok(())
    }

    fn send_until(&mut self, time: EventTime) -> anyhow::Result<()> {
        for record in self.shop.until(time) {
            let outgoing = Outgoing {
                topic: self.topic,
                key: Some(&record.key),
                value: Some(&record.value),
                timestamp: Some(record.timestamp),
                // By the key: a real Kafka's topic may have another number of partitions.
                partition: None,
            };
            self.producer
                .send(outgoing)
                .with_context(|| format!("can't write to {}", self.topic))?;
        }
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        match self.producer.last_error() {
            None => Ok(()),
            Some(error) => bail!("records for {} were not delivered: {error}", self.topic),
        }
    }
}

/// The running shop.
pub struct Live {
    stop: Sender<()>,
    ended: Receiver<anyhow::Result<()>>,
    thread: JoinHandle<()>,
}

impl Live {
    /// Why it ended, if it did.
    pub fn failure(&self) -> Option<anyhow::Error> {
        self.ended.try_recv().ok().and_then(Result::err)
    }

    /// Closes the shop; what is not delivered yet is dropped.
    pub fn stop(self) {
        drop(self.stop);
        // It panicked: that was printed already.
        let _ = self.thread.join();
    }
}
