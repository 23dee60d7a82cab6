//! What producers do at their worst, mixed into a shop's good records: values that are no events,
//! tombstones, values of a megabyte, events dated 1970 and 2099, a stretch that is sent once more,
//! and keys and labels that are new every time.
//!
//! Everything by number, so that a shop's records decide all of it.

use std::collections::{BTreeSet, VecDeque};

use support::Sending;

/// A value of this size is on its way through every broker, and too large for `RECORD_BYTES`.
const MEGABYTE: usize = 1_000_000;
/// Large, and an event all the same.
const LARGE: usize = 800_000;
/// For the configuration: between the two.
pub const RECORD_BYTES: &str = "900KiB";
/// One of so many records has something bad behind it, which comes in so many ways.
const BAD_EVERY: usize = 25;
const BAD_WAYS: usize = 8;
/// One of so many has something large behind it.
const LARGE_EVERY: usize = 1500;
/// At this record what was sent before is sent once more: more event time than ids are remembered.
const REPLAYED_AT: usize = 14_000;
const REPLAYED: usize = 10_000;

/// Makes of each record what is sent in its place: it, and what is bad.
pub fn bad_records() -> impl FnMut(Sending) -> Vec<Sending> + Send + 'static {
    let (mut number, mut dated) = (0, BTreeSet::new());
    let mut past: VecDeque<Sending> = VecDeque::with_capacity(REPLAYED);
    move |good| {
        number += 1;
        let mut sent = Vec::new();
        if dated.insert((good.topic.clone(), good.partition)) {
            // The first of a partition: its clock knows nothing yet.
            sent.extend(out_of_time(&good, number));
        }
        sent.push(good.clone());
        if number % BAD_EVERY == 0 {
            sent.push(with_value(&good, bad(number / BAD_EVERY)));
        }
        if number % LARGE_EVERY == 0 {
            let size = [LARGE, MEGABYTE, MEGABYTE][number / LARGE_EVERY % 3];
            let mut value = order(&format!("large-{number}"), &time_of(&good), "eu-west");
            if number / LARGE_EVERY % 3 == 2 {
                value = b"{\"specversion\":".to_vec();
            }
            value.resize(size, b' ');
            sent.push(with_value(&good, Some(value)));
        }
        if number == REPLAYED_AT {
            sent.extend(past.iter().cloned());
            sent.extend(out_of_time(&good, number));
        }
        if past.len() == REPLAYED {
            past.pop_front();
        }
        past.push_back(good);
        sent
    }
}

/// Makes of each record what is sent in its place: it, and orders and ends whose keys and regions
/// nobody has seen before.
pub fn churn() -> impl FnMut(Sending) -> Vec<Sending> + Send + 'static {
    let mut number = 0;
    move |good| {
        number += 1;
        let time = time_of(&good);
        let event = |type_name: &str, region: &str| {
            event(type_name, &format!("churn-{number}"), &time, region)
        };
        let more = match number % 6 {
            0 => Some(event("order.placed", &format!("region-{number}"))),
            2 => Some(event("order.fulfilled", "eu-west")),
            4 => Some(event("order.picked", &format!("region-{number}"))),
            _ => None,
        };
        let more = more.map(|value| with_value(&good, Some(value)));
        std::iter::once(good).chain(more).collect()
    }
}

/// Events dated 2099 and 1970, and one of now that Kafka has stamped 1970.
fn out_of_time(good: &Sending, number: usize) -> Vec<Sending> {
    let mut all = Vec::new();
    for (year, time) in [
        ("1970", "1970-01-01T00:00:01Z"),
        ("2099", "2099-12-31T23:59:59Z"),
    ] {
        for type_name in ["order.placed", "order.fulfilled"] {
            let id = format!("{year}-{}-{number}", &type_name[6..]);
            let value = event(type_name, &id, time, "eu-west");
            all.push(with_value(good, Some(value)));
        }
    }
    let value = order(&format!("stamped-{number}"), &time_of(good), "eu-west");
    let mut stamped = with_value(good, Some(value));
    stamped.timestamp_ms = 0;
    all.push(stamped);
    all
}

fn bad(number: usize) -> Option<Vec<u8>> {
    let value = match number % BAD_WAYS {
        0 | 1 => return None,
        2 => Vec::new(),
        3 => vec![0xff; 64],
        4 => br#"{"a":"#.repeat(20_000),
        5 => br#"{"specversion":"1.0","id":"","source":"/bad","type":"order.placed"}"#.to_vec(),
        6 => br#"{"specversion":"0.3","id":"1","source":"/bad","type":"order.placed"}"#.to_vec(),
        _ => br#""order.placed""#.to_vec(),
    };
    Some(value)
}

fn with_value(good: &Sending, value: Option<Vec<u8>>) -> Sending {
    Sending {
        value,
        ..good.clone()
    }
}

fn order(id: &str, time: &str, region: &str) -> Vec<u8> {
    event("order.placed", id, time, region)
}

/// An event of an order that is called like the event.
fn event(type_name: &str, id: &str, time: &str, region: &str) -> Vec<u8> {
    let data = format!(
        r#"{{"order_id":"{id}","region":"{region}","channel":"web","currency":"EUR","total":"1.50","items":1}}"#
    );
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/bad","type":"{type_name}","time":"{time}","data":{data}}}"#
    )
    .into_bytes()
}

/// When Kafka had the record, as an event says it.
fn time_of(record: &Sending) -> String {
    let time = jiff::Timestamp::from_millisecond(record.timestamp_ms);
    time.expect("a time of our days").to_string()
}
