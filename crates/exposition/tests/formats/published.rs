//! Which buckets a promise's histograms have, by the catalogue's word.

use std::sync::Arc;

use catalogue::plan::Buckets;
use exposition::{Format, encode, families};

use crate::fixture::{plan_of, view};
use crate::reader::{self, Histogram};

const HISTOGRAMS: [&str; 2] = [
    "shop_fulfilment_duration_seconds",
    "shop_fulfilment_step_seconds",
];

fn encoded(buckets: Buckets, format: Format) -> Vec<u8> {
    let views = [Arc::new(view(0, "eu", &[]))];
    encode(format, &families(&plan_of(&[], buckets), &views, &[]))
}

/// All histograms of a family.
fn histograms(buckets: Buckets, name: &str) -> Vec<Histogram> {
    let families = reader::read(&encoded(buckets, Format::Protobuf)).into_iter();
    let metrics = families.filter(|family| family.name == name);
    let metrics = metrics.flat_map(|family| family.metrics);
    let found: Vec<Histogram> = metrics.filter_map(|metric| metric.histogram).collect();
    assert!(!found.is_empty(), "no {name}");
    found
}

/// The lines of text about a family, without values.
fn lines(buckets: Buckets, format: Format, name: &str) -> Vec<String> {
    let text = String::from_utf8(encoded(buckets, format)).expect("text is UTF-8");
    let lines = text.lines().filter(|line| line.starts_with(name));
    let series = lines.filter_map(|line| line.rsplit_once(' '));
    series.map(|(series, _)| series.to_owned()).collect()
}

#[test]
fn protobuf_has_the_buckets_that_are_asked_for() {
    for name in HISTOGRAMS {
        for histogram in histograms(Buckets::Both, name) {
            assert_eq!((histogram.classic.len(), histogram.schema), (2, Some(7)));
        }
        for histogram in histograms(Buckets::Classic, name) {
            assert_eq!((histogram.classic.len(), histogram.schema), (2, None));
            assert!(histogram.spans.is_empty() && histogram.deltas.is_empty());
            assert_eq!(histogram.count, 5);
        }
        for histogram in histograms(Buckets::Native, name) {
            assert_eq!((histogram.classic.len(), histogram.schema), (0, Some(7)));
            assert_eq!(histogram.count, 5);
            let native = histogram.native().into_iter();
            assert_eq!(native.map(|bucket| bucket.1).sum::<i64>(), 5);
        }
    }
}

#[test]
fn text_without_classic_buckets_has_the_one_to_infinity_the_sum_and_the_count() {
    let labels = "region=\"eu\",partition=\"0\"";
    let name = HISTOGRAMS[0];
    for format in [Format::Text, Format::OpenMetrics] {
        let native = lines(Buckets::Native, format, name);
        let expected = [
            format!("{name}_bucket{{{labels},le=\"+Inf\"}}"),
            format!("{name}_sum{{{labels}}}"),
            format!("{name}_count{{{labels}}}"),
        ];
        assert_eq!(native, expected);
        let both = lines(Buckets::Both, format, name);
        assert_eq!(both.len(), 5);
        assert_eq!(lines(Buckets::Classic, format, name), both);
    }
}

#[test]
fn what_one_promise_publishes_is_its_own_affair() {
    let stages = "shop_cart_step_seconds";
    for histogram in histograms(Buckets::Native, stages) {
        assert_eq!((histogram.classic.len(), histogram.schema), (1, Some(7)));
    }
    for histogram in histograms(Buckets::Classic, "kept_event_delay_seconds") {
        assert!(histogram.classic.len() > 2 && histogram.schema == Some(7));
    }
}
