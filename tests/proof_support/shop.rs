//! The simulated shop near now, as lines for `kept produce`, and what is known of its orders
//! without any of our code that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use events::{EventTime, Span, parse_rfc3339};
use serde_json::Value;
use simulator::shop::{Layout, Shop, ShopSettings};

/// Its one topic, as configurations have it.
pub const TOPIC: crate::feed::Topic<'static> = ("shop.events", "cart_id", &["*"]);

/// How the types begin that the packs `promise` and `cart` use.
const USED: [&str; 4] = ["cart.", "checkout.", "order.", "payment.authorized"];

/// A shop that opened `ago` and has sold a few orders a second since; nothing of it is garbage.
pub fn open(seed: u64, ago: Span) -> Shop {
    let start = now() - ago;
    eprintln!("seed {seed}, start {}", start.0);
    let settings = ShopSettings {
        orders_per_second: 4.0,
        garbage_share: 0.0,
        incident: None,
        layout: Layout::OneTopic,
        ..ShopSettings::demo(start)
    };
    Shop::new(seed, settings)
}

/// What reaches Kafka up to `ago` before now.
pub fn lines(shop: &mut Shop, ago: Span) -> Vec<String> {
    let records = shop.until(now() - ago);
    records
        .map(|record| String::from_utf8(record.value).expect("an event is text"))
        .collect()
}

/// The orders of these lines.
#[derive(Default)]
pub struct Orders {
    placed: BTreeMap<String, EventTime>,
    fulfilled: BTreeMap<String, EventTime>,
    events: BTreeSet<String>,
}

impl Orders {
    /// Reads more lines; a line seen before changes nothing.
    pub fn read(&mut self, lines: &[String]) {
        for line in lines {
            let event: Value = serde_json::from_str(line).expect("an event is JSON");
            let type_name = event["type"].as_str().expect("a type");
            if USED.iter().any(|used| type_name.starts_with(used)) {
                let identity = format!("{} {}", event["source"], event["id"]);
                self.events.insert(identity);
            }
            let time = parse_rfc3339(event["time"].as_str().expect("a time")).expect("a good time");
            let order = event["data"]["order_id"].to_string();
            match type_name {
                "order.placed" => self.placed.insert(order, time),
                "order.fulfilled" => self.fulfilled.insert(order, time),
                _ => None,
            };
        }
    }

    /// Distinct events that the packs use. All of them have a key, so that duplicates meet the
    /// event that they repeat; what a visitor does before there is a cart is spread at random.
    pub fn used(&self) -> usize {
        self.events.len()
    }

    /// Orders placed.
    pub fn placed(&self) -> usize {
        self.placed.len()
    }

    /// How long each fulfilled order took, in seconds, ascending.
    pub fn durations(&self) -> Vec<f64> {
        let both = self
            .fulfilled
            .iter()
            .filter_map(|(order, end)| Some((*self.placed.get(order)?, *end)));
        let mut durations: Vec<f64> = both.map(|(start, end)| (end - start).seconds()).collect();
        durations.sort_by(f64::total_cmp);
        durations
    }
}

fn now() -> EventTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    EventTime(since.as_micros() as i64)
}
