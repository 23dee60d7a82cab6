//! Work W: orders with four events each, the same for the same number of orders.
//!
//! Orders are placed at a constant rate; each is paid for, picked and fulfilled after delays that
//! its number decides. Events come in order of their times, are about 400 bytes long and keyed by
//! order, and their Kafka timestamp is their event time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;

use anyhow::anyhow;
use catalogue::{FileText, Plan, Settings, Sources};
use events::KafkaTime;
use simulator::partition::partition_of;

use super::event::Event;

/// Partitions of the topic.
pub const PARTITIONS: i32 = 8;
/// Events of one order.
pub const EVENTS_PER_ORDER: u64 = 4;
/// Orders placed in a second of event time.
pub const ORDERS_PER_SECOND: u64 = 100;
/// Where orders come from.
pub const REGIONS: [&str; 6] = [
    "eu-west", "eu-north", "us-east", "us-west", "ap-south", "sa-east",
];

/// 2026-01-05T00:00:00Z, in milliseconds since the epoch: no event is before it.
pub const FIRST_MS: u64 = 1_767_571_200_000;
const TYPES: [&str; EVENTS_PER_ORDER as usize] = [
    "order.placed",
    "payment.authorized",
    "order.picked",
    "order.fulfilled",
];

/// Counts by type and region in windows, and the promise with percentiles.
const KPIS: &str = r#"
[kpi.placed]
kind = "count"
help = "Orders placed"
event = "order.placed"
by = ["region"]
[kpi.paid]
kind = "count"
help = "Payments authorized"
event = "payment.authorized"
by = ["region"]
[kpi.picked]
kind = "count"
help = "Orders picked"
event = "order.picked"
by = ["region"]
[kpi.fulfilled]
kind = "count"
help = "Orders fulfilled"
event = "order.fulfilled"
by = ["region"]
[kpi.fulfilment]
kind = "promise"
help = "From purchase to fulfilment"
start = { type = "order.placed", key = "order_id" }
end = { type = "order.fulfilled", key = "order_id" }
within = "60s"
objective = 0.95
by = ["region"]
"#;

/// Settings and plan of W on this topic: everything that is not named is at its default.
pub fn settings(brokers: &str, topic: &str) -> anyhow::Result<(Settings, Plan)> {
    settings_with(brokers, topic, KPIS)
}

/// Likewise, with these KPIs.
pub fn settings_with(brokers: &str, topic: &str, kpis: &str) -> anyhow::Result<(Settings, Plan)> {
    let text = format!(
        "[kafka]\nbrokers = \"{brokers}\"\ngroup = \"{topic}\"\nstart = \"earliest\"\n\
         [[kafka.topic]]\nname = \"{topic}\"\nkey = \"order_id\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[catalogue]\nfiles = [\"kpis\"]\n"
    );
    read(&text, kpis)
}

/// Reads a configuration whose one catalogue file is called `kpis`.
pub fn read(text: &str, kpis: &str) -> anyhow::Result<(Settings, Plan)> {
    let file = FileText {
        name: "kpis".to_owned(),
        path: "kpis".to_owned(),
        text: Ok(kpis.to_owned()),
    };
    let sources = Sources {
        path: "bench",
        text,
        environment: &[],
        files: &[file],
    };
    catalogue::read(&sources).map_err(|problems| {
        let lines: String = problems.iter().map(|one| format!("{one}\n")).collect();
        anyhow!("the benchmark's own configuration is refused:\n{lines}")
    })
}

/// One event.
pub struct Made<'a> {
    /// The record's key: the order's id.
    pub key: &'a str,
    /// Where Kafka's own partitioner puts that key.
    pub partition: i32,
    /// Event time and Kafka timestamp.
    pub time: KafkaTime,
    /// The event as JSON.
    pub value: &'a str,
}

/// Makes all events of so many orders, in order of their times.
pub fn each_event<E>(
    orders: u64,
    mut take: impl FnMut(Made<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting = BinaryHeap::new();
    let mut made = Maker::default();
    for order in 0..orders {
        let placed = order * 1000 / ORDERS_PER_SECOND;
        while let Some(&Reverse((time, of, step))) = waiting.peek()
            && time <= placed
        {
            waiting.pop();
            take(made.event(of, step, time))?;
        }
        let chance = mix(order);
        let delay = |low: u64, high: u64, shift: u32| low + (chance >> shift) % (high - low);
        let paid = placed + delay(500, 9_000, 0);
        let picked = paid + delay(4_000, 25_000, 16);
        let fulfilled = picked + delay(5_000, 32_000, 32);
        waiting.extend([
            Reverse((placed, order, 0)),
            Reverse((paid, order, 1)),
            Reverse((picked, order, 2)),
            Reverse((fulfilled, order, 3)),
        ]);
    }
    while let Some(Reverse((time, of, step))) = waiting.pop() {
        take(made.event(of, step, time))?;
    }
    Ok(())
}

#[derive(Default)]
struct Maker {
    key: String,
    value: String,
}

impl Maker {
    /// The event of an order's step at this many milliseconds after the first.
    fn event(&mut self, order: u64, step: usize, after_ms: u64) -> Made<'_> {
        let Maker { key, value } = self;
        let (chance, id) = (mix(order), mix(order * 4 + step as u64));
        key.clear();
        write!(key, "o-{:012x}", chance >> 16).expect("a String takes all");
        let millis = (FIRST_MS + after_ms) as i64;
        let event = Event {
            id: (id, order),
            type_name: TYPES[step],
            millis,
            order: key,
            region: REGIONS[(chance % REGIONS.len() as u64) as usize],
            channel: "web",
            chance,
        };
        event.write(value);
        Made {
            partition: partition_of(key.as_bytes(), PARTITIONS),
            time: KafkaTime::from_millis(millis),
            key,
            value,
        }
    }
}

/// Sebastiano Vigna's SplitMix64: neighbours become unrelated.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_are_accepted() {
        let (_, plan) = settings("localhost:9092", "bench").expect("the configuration is valid");
        let mut decoder = events::Decoder::new(&pipeline::projection(&plan));
        let (mut last, mut count, mut bytes) = (KafkaTime(0), 0_u64, 0_u64);
        let done: Result<(), String> = each_event(500, |made| {
            let record = events::Record {
                timestamp: Some(made.time),
                key: Some(made.key.as_bytes()),
                value: Some(made.value.as_bytes()),
                headers: &[],
            };
            let event = decoder
                .decode(&record)
                .map_err(|reason| made.value.to_owned() + reason.as_str())?;
            assert_eq!(event.time, made.time.as_event_time());
            assert!(event.type_id.is_some() && made.time >= last);
            (last, count, bytes) = (made.time, count + 1, bytes + made.value.len() as u64);
            Ok(())
        });
        done.expect("every event is accepted");
        assert_eq!(count, 500 * EVENTS_PER_ORDER);
        let mean = bytes / count;
        assert!((390..=410).contains(&mean), "{mean} bytes an event");
    }
}
