//! The seeded shop is what it says: reproducible, in order, bounded, and healthy until its incident.

use std::collections::HashMap;

use events::{EventTime, Span};
use serde_json::Value;
use simulator::shop::{Incident, Layout, Pace, Produced, Shop, ShopSettings};

const START: EventTime = EventTime(1_767_607_200_000_000);

fn after(seconds: i64) -> EventTime {
    START + Span::from_seconds(seconds)
}

/// A shop without garbage and incidents at a steady pace.
fn healthy(orders_per_second: f64) -> ShopSettings {
    ShopSettings {
        orders_per_second,
        garbage_share: 0.0,
        incident: None,
        rhythm: None,
        ..ShopSettings::demo(START)
    }
}

fn parse(record: &Produced) -> Value {
    serde_json::from_slice(&record.value).expect("an event of the shop is JSON")
}

fn time_of(event: &Value) -> i64 {
    let text = event["time"].as_str().expect("an event has a time");
    let time: jiff::Timestamp = text.parse().expect("the time is RFC 3339");
    time.as_microsecond()
}

/// Seconds from placed to fulfilled, by order, of orders placed in [from, to) seconds.
fn durations(settings: ShopSettings, from: i64, to: i64) -> Vec<f64> {
    let mut placed = HashMap::new();
    let mut durations = HashMap::new();
    for record in Shop::new(5, settings).until(after(to + 1500)) {
        let event = parse(&record);
        let order = event["data"]["order_id"].to_string();
        match event["type"].as_str() {
            Some("order.placed") => placed.insert(order, time_of(&event)),
            Some("order.fulfilled") => durations.insert(order, time_of(&event)),
            _ => None,
        };
    }
    let range = after(from).0..after(to).0;
    let placed = placed.iter().filter(|(_, start)| range.contains(start));
    let mut spans: Vec<f64> = placed
        .filter_map(|(order, start)| Some((durations.get(order)? - start) as f64 / 1e6))
        .collect();
    spans.sort_by(f64::total_cmp);
    spans
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[(sorted.len() as f64 * q) as usize]
}

#[test]
fn a_seed_is_a_shop() {
    let take = |seed| -> Vec<Produced> {
        Shop::new(seed, ShopSettings::demo(START))
            .take(20_000)
            .collect()
    };
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
}

#[test]
fn records_come_in_the_order_of_their_timestamps_and_never_before_their_event() {
    let mut last = i64::MIN;
    for record in Shop::new(3, healthy(50.0)).take(50_000) {
        assert!(record.timestamp.0 >= last);
        assert_eq!(record.timestamp.0 % 1000, 0);
        last = record.timestamp.0;
        assert!(time_of(&parse(&record)) <= record.timestamp.0);
    }
}

#[test]
fn pulling_piecewise_gives_the_same_records() {
    let whole: Vec<Produced> = Shop::new(4, ShopSettings::demo(START))
        .until(after(120))
        .collect();
    let mut shop = Shop::new(4, ShopSettings::demo(START));
    let mut pieces = Vec::new();
    for tenths in 0..=1200 {
        let to = START + Span(tenths * 100_000);
        pieces.extend(
            shop.until(to)
                .inspect(|record| assert!(record.timestamp.0 <= to.0)),
        );
    }
    assert!(whole.len() > 5000);
    assert_eq!(pieces, whole);
}

#[test]
fn the_pace_is_the_one_asked_for_and_what_waits_is_bounded() {
    let mut shop = Shop::new(6, healthy(20.0));
    let mut orders = 0;
    let mut most = 0;
    for minute in 1..=20 {
        for record in shop.until(after(minute * 60)) {
            orders += i32::from(
                record
                    .value
                    .windows(14)
                    .any(|part| part == b"\"order.placed\""),
            );
        }
        most = most.max(shop.waiting());
    }
    let pace = f64::from(orders) / 1200.0;
    assert!((18.5..21.5).contains(&pace), "{pace} orders a second");
    assert!(most < 40_000, "{most} records waited");
}

#[test]
fn fulfilment_is_healthy_without_an_incident() {
    let spans = durations(healthy(20.0), 0, 600);
    let (median, p95) = (quantile(&spans, 0.5), quantile(&spans, 0.95));
    assert!((23.0..27.0).contains(&median), "median {median}");
    assert!((44.0..53.0).contains(&p95), "p95 {p95}");
    let kept = spans.iter().filter(|span| **span <= 60.0).count() as f64 / spans.len() as f64;
    assert!((0.97..0.995).contains(&kept), "{kept} kept");
    assert!(
        spans.last().is_some_and(|longest| *longest > 90.0),
        "the tail is heavy"
    );
}

#[test]
fn an_incident_breaks_promises_while_it_lasts() {
    let incident = |pace| {
        Some(Incident {
            from: after(60),
            to: after(180),
            pace,
            region: None,
        })
    };
    for pace in [Pace::Slower(4.0), Pace::Stopped] {
        let settings = ShopSettings {
            incident: incident(pace),
            ..healthy(20.0)
        };
        let during = durations(settings.clone(), 60, 120);
        assert!(quantile(&during, 0.5) > 60.0, "{pace:?}");
        let later = durations(settings, 200, 400);
        assert!(quantile(&later, 0.95) < 55.0, "{pace:?}");
    }
}

#[test]
fn two_topics_hold_orders_only_and_an_order_keeps_its_partition() {
    let settings = ShopSettings {
        layout: Layout::TwoTopics,
        ..healthy(20.0)
    };
    let mut partitions = HashMap::new();
    let mut ids = HashMap::new();
    let (mut numeric, mut duplicates) = (0, 0);
    for record in Shop::new(9, settings).take(20_000) {
        let event = parse(&record);
        let order = event["data"]["order_id"].clone();
        let text = order
            .as_str()
            .map_or_else(|| order.to_string(), str::to_owned);
        assert_eq!(record.key, text.as_bytes());
        assert_eq!(
            *partitions.entry(text).or_insert(record.partition),
            record.partition
        );
        let types = Layout::TwoTopics.topics()[record.topic].types;
        let name = event["type"].as_str().expect("an event has a type");
        assert!(
            types.iter().any(|it| *it == name
                || it
                    .strip_suffix('*')
                    .is_some_and(|prefix| name.starts_with(prefix))),
            "{name}"
        );
        numeric += i32::from(order.as_u64().is_some_and(|number| number > 1 << 53));
        let again = ids.insert(event["id"].to_string(), record.value.clone());
        if let Some(first) = again {
            assert_eq!(first, record.value);
            duplicates += 1;
        }
    }
    assert!(numeric > 1000);
    assert!((50..200).contains(&duplicates), "{duplicates} duplicates");
}

#[test]
fn fulfilment_apart_has_all_events_and_meets_its_order() {
    let settings = |layout| ShopSettings {
        layout,
        ..healthy(20.0)
    };
    let all = |layout| {
        let mut all: Vec<_> = Shop::new(9, settings(layout))
            .take(20_000)
            .map(|record| (record.partition, record.timestamp, record.value))
            .collect();
        all.sort();
        all
    };
    assert_eq!(all(Layout::FulfilmentApart), all(Layout::OneTopic));
    let apart = Shop::new(9, settings(Layout::FulfilmentApart)).take(20_000);
    for record in apart {
        let name = parse(&record)["type"].as_str().map(str::to_owned);
        let warehouse = ["order.picked", "order.fulfilled", "order.cancelled"];
        let of_warehouse = name.is_some_and(|name| warehouse.contains(&name.as_str()));
        assert_eq!(record.topic, usize::from(of_warehouse));
    }
}

#[test]
fn a_stop_is_total() {
    let settings = ShopSettings {
        layout: Layout::FulfilmentApart,
        incident: Some(Incident {
            from: after(60),
            to: after(180),
            pace: Pace::Stopped,
            region: None,
        }),
        ..healthy(20.0)
    };
    let mut silent = 0;
    for record in Shop::new(9, settings) {
        if record.timestamp.as_event_time() > after(240) {
            break;
        }
        let time = time_of(&parse(&record));
        let inside = (after(60).0..after(180).0).contains(&time);
        // What happened before and comes late or twice may still come.
        assert!(record.topic == 0 || !inside, "at {time}");
        silent += usize::from(inside);
    }
    assert!(silent > 1000);
}

#[test]
fn amounts_are_decimal_strings_in_their_currency() {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for record in Shop::new(10, healthy(20.0)).take(20_000) {
        let event = parse(&record);
        if event["type"] == "order.placed" {
            let total = event["data"]["total"].as_str().expect("money is a string");
            let decimals = total
                .split_once('.')
                .map_or(0, |(_, decimals)| decimals.len());
            let currency = event["data"]["currency"]
                .as_str()
                .expect("money has a currency");
            assert_eq!(
                *seen.entry(currency.to_owned()).or_insert(decimals),
                decimals
            );
        }
    }
    let expected = [("EUR", 2), ("GBP", 2), ("JPY", 0), ("KWD", 3)];
    assert_eq!(
        seen,
        expected
            .map(|(code, decimals)| (code.to_owned(), decimals))
            .into()
    );
}

#[test]
fn garbage_is_mixed_in() {
    let settings = ShopSettings {
        garbage_share: 0.1,
        ..ShopSettings::demo(START)
    };
    let records: Vec<Produced> = Shop::new(11, settings).take(10_000).collect();
    let broken = |record: &&Produced| serde_json::from_slice::<Value>(&record.value).is_err();
    let broken = records.iter().filter(broken).count();
    assert!((250..700).contains(&broken), "{broken} are not JSON");
}
