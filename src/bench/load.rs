//! Marked events at a low steady rate, and orders beside them, on one topic at the clock's pace.
//!
//! A marked event's time of sending is told before it is sent. The marks of a partition are shown
//! in their order, so the n-th is on a scrape when that partition's counter is n.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use crossbeam_channel::Sender;
use events::KafkaTime;
use kafka::produce::{Outgoing, Producer};

use super::event::Event;
use super::topic::kafka_settings;
use super::work::{PARTITIONS, REGIONS, mix};
use crate::clock;

/// The type of marked events.
pub const MARK: &str = "survey.answered";
/// Between two looks what is to be sent.
const EVERY: Duration = Duration::from_millis(5);
/// How long after it was placed an order is reported fulfilled.
const FULFILLED_AFTER: f64 = 3.0;
/// How long Kafka may take for the last records.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
const CHANNELS: [&str; 6] = ["web", "app", "phone", "store", "partner", "kiosk"];

/// A marked event: its partition, and when it was sent.
pub type Mark = (usize, Instant);

/// What to send, and for how long.
#[derive(Clone, Debug)]
pub struct Load {
    /// The broker.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// No two loads of a topic have the same number.
    pub number: u64,
    /// Marked events a second.
    pub marks_per_second: f64,
    /// Other events a second: half of them place orders, half fulfil them.
    pub events_per_second: f64,
    /// How long.
    pub lasts: Duration,
    /// True: end now.
    pub stop: Arc<AtomicBool>,
}

/// What was sent: marks and other events.
pub struct Sent {
    /// Marked ones.
    pub marks: u64,
    /// Others.
    pub events: u64,
    /// In this time.
    pub seconds: f64,
}

/// Sends on a thread of its own.
pub fn spawn(load: Load, marks: Sender<Mark>) -> anyhow::Result<JoinHandle<anyhow::Result<Sent>>> {
    // As producers of single events have it: what waits here would count as Kept's latency.
    let client = [("linger.ms", "5"), ("compression.type", "lz4")];
    let producer = Producer::new(&kafka_settings(&load.brokers, &client))?;
    let thread = std::thread::Builder::new().name("kept-bench-load".into());
    let run = move || {
        let mut sender = Run {
            began: Instant::now(),
            base_ms: clock::now().0 / 1000,
            load,
            producer,
            text: String::new(),
            marks,
            sent: 0,
        };
        sender.run()
    };
    thread.spawn(run).context("no thread for the load")
}

struct Run {
    load: Load,
    producer: Producer,
    marks: Sender<Mark>,
    began: Instant,
    base_ms: i64,
    text: String,
    /// All events so far; numbers them.
    sent: u64,
}

impl Run {
    fn run(&mut self) -> anyhow::Result<Sent> {
        let (mut placed, mut fulfilled, mut marked) = (0, 0, 0);
        let orders_per_second = self.load.events_per_second / 2.0;
        loop {
            let elapsed = self.began.elapsed();
            let seconds = elapsed.min(self.load.lasts).as_secs_f64();
            let due = |rate: f64, seconds: f64| (rate * seconds.max(0.0)) as u64;
            while marked < due(self.load.marks_per_second, seconds) {
                self.mark(marked)?;
                marked += 1;
            }
            while placed < due(orders_per_second, seconds) {
                self.order(placed, "order.placed", placed as f64 / orders_per_second)?;
                placed += 1;
            }
            while fulfilled < due(orders_per_second, seconds - FULFILLED_AFTER) {
                let placed_at = fulfilled as f64 / orders_per_second;
                let took = FULFILLED_AFTER * (mix(fulfilled) % 1000) as f64 / 1000.0;
                self.order(fulfilled, "order.fulfilled", placed_at + took)?;
                fulfilled += 1;
            }
            if elapsed >= self.load.lasts || self.load.stop.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(EVERY);
        }
        let seconds = self.began.elapsed().as_secs_f64();
        ensure!(
            self.producer.flush(FLUSH_WITHIN) && self.producer.delivered() == self.sent,
            "only {} of {} events were written: {}",
            self.producer.delivered(),
            self.sent,
            self.producer.last_error().unwrap_or("too slow".to_owned())
        );
        Ok(Sent {
            marks: marked,
            events: placed + fulfilled,
            seconds,
        })
    }

    fn mark(&mut self, number: u64) -> anyhow::Result<()> {
        let partition = (number % PARTITIONS as u64) as usize;
        let event = Event {
            id: self.next_id(),
            type_name: MARK,
            millis: clock::now().0 / 1000,
            order: "none",
            region: REGIONS[0],
            channel: CHANNELS[0],
            chance: number,
        };
        event.write(&mut self.text);
        // Nobody listens any more only when the measurement has failed.
        let _ = self.marks.send((partition, Instant::now()));
        self.send(partition as i32, "none")
    }

    /// An event of an order, so many seconds after the beginning.
    fn order(&mut self, number: u64, type_name: &str, seconds: f64) -> anyhow::Result<()> {
        let lane = number / PARTITIONS as u64;
        let channel = lane / REGIONS.len() as u64 % CHANNELS.len() as u64;
        let key = format!("o-{}-{number:x}", self.load.number);
        let event = Event {
            id: self.next_id(),
            type_name,
            millis: self.base_ms + (seconds * 1000.0) as i64,
            order: &key,
            region: REGIONS[(lane % REGIONS.len() as u64) as usize],
            channel: CHANNELS[channel as usize],
            chance: mix(number),
        };
        event.write(&mut self.text);
        self.send((number % PARTITIONS as u64) as i32, &key)
    }

    fn next_id(&mut self) -> (u64, u64) {
        self.sent += 1;
        (self.load.number, self.sent)
    }

    fn send(&self, partition: i32, key: &str) -> anyhow::Result<()> {
        self.producer.send(Outgoing {
            topic: &self.load.topic,
            key: Some(key.as_bytes()),
            value: Some(self.text.as_bytes()),
            timestamp: Some(KafkaTime(clock::now().0)),
            partition: Some(partition),
        })?;
        Ok(())
    }
}
