//! The demo in virtual time, without Kafka: the same shop, configuration and pipeline, so that what
//! its introduction promises is tested in a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::View;
use events::{EventTime, Record, Span, WallTime};
use simulator::shop::Shop;

use super::RATES;
use super::shop::{HISTORY, PARTITIONS, settings};
use super::summary::Summary;
use crate::direct::Direct;

/// The demo's beginning.
const BEGIN: EventTime = EventTime(1_767_225_600_000_000);

/// What is shown at each second of the first ten minutes, and the largest partition's bytes.
fn rehearse(seed: u64, rate: f64) -> (Vec<Summary>, usize) {
    let (_, plan) = super::read_configuration(&[]).expect("the demo's configuration is good");
    let plan = Arc::new(plan);
    let mut shop = Shop::new(seed, settings(rate, BEGIN - HISTORY, BEGIN));
    let mut worker = Direct::new(&plan, PARTITIONS);
    let mut ends: BTreeMap<i32, (i64, usize)> =
        (0..PARTITIONS).map(|each| (each, (0, 0))).collect();
    let mut views: BTreeMap<i32, Arc<View>> = BTreeMap::new();
    let mut shown = Vec::new();
    for second in 0..600 {
        let now = BEGIN + Span::from_seconds(second);
        for produced in shop.until(now) {
            let (offset, bytes) = ends.entry(produced.partition).or_default();
            let record = Record {
                timestamp: Some(produced.timestamp),
                key: Some(&produced.key),
                value: Some(&produced.value),
                headers: &[],
            };
            worker.record(produced.partition, *offset, record);
            *offset += 1;
            *bytes += produced.value.len();
        }
        let now = WallTime(now.0);
        worker.ends(ends.values().map(|end| end.0), now);
        for view in worker.tick(now) {
            views.insert(view.partition, view);
        }
        let views: Vec<Arc<View>> = views.values().cloned().collect();
        shown.push(Summary::of(&plan, &views));
    }
    (shown, ends.values().map(|end| end.1).max().unwrap_or(0))
}

#[test]
fn the_introduction_tells_what_will_be_seen() {
    let (shown, _) = rehearse(1, 10.0);
    let p95 = |second: usize| {
        let summary = &shown[second];
        let both = summary.plain_p95.zip(summary.with_open_p95);
        both.unwrap_or_else(|| panic!("nothing at {second} s: {summary}"))
    };
    let (plain_before, with_open_before) = p95(60);
    assert!((40.0..50.0).contains(&plain_before), "{}", shown[60]);
    assert!(
        (with_open_before / plain_before - 1.0).abs() < 0.1,
        "{}",
        shown[60]
    );
    let before_the_end = 175;
    let (plain, with_open) = p95(before_the_end);
    assert!(plain < 1.25 * plain_before, "{}", shown[before_the_end]);
    assert!(
        with_open > 4.0 * with_open_before,
        "{}",
        shown[before_the_end]
    );
    let (plain, _) = p95(230);
    assert!(plain > 2.0 * plain_before, "{}", shown[230]);
    let (plain, with_open) = p95(540);
    assert!(plain < 1.1 * plain_before, "{}", shown[540]);
    assert!((with_open / plain - 1.0).abs() < 0.1, "{}", shown[540]);
}

/// At the highest rate and not compressed at all. `shop` says why.
#[test]
fn two_minutes_of_the_busiest_shop_fit_in_the_embedded_broker() {
    let (_, bytes) = rehearse(1, *RATES.end());
    let told_seconds = HISTORY.seconds() + 600.0;
    let two_minutes = bytes as f64 / told_seconds * 120.0;
    assert!(
        two_minutes * 1.3 < 5.0 * 1024.0 * 1024.0,
        "{two_minutes} bytes"
    );
}
