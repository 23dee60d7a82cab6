//! What only protobuf has: native buckets, compared with a naive oracle of their definition, and
//! created timestamps.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::View;
use engine::native::RELATIVE_ERROR;
use engine::view::KindView;
use events::{KafkaTime, Span};
use exposition::{Format, encode, families};

use crate::fixture::{empty_view, histogram, plan, view};
use crate::reader::{self, Family, Histogram, Metric};

const DURATION: &str = "shop_fulfilment_duration_seconds";
const CREATED: KafkaTime = KafkaTime(1_767_607_200_123_456);

fn expose(regions: &[&str], views: Vec<View>) -> Vec<Family> {
    let views: Vec<Arc<View>> = views.into_iter().map(Arc::new).collect();
    let families = families(&plan(regions), &views, &[]);
    reader::read(&encode(Format::Protobuf, &families))
}

/// The one metric of a family with these labels, in any order.
#[track_caller]
fn metric<'a>(families: &'a [Family], name: &str, labels: &[(&str, &str)]) -> &'a Metric {
    let family = families.iter().find(|family| family.name == name);
    let family = family.unwrap_or_else(|| panic!("no {name}"));
    let has = |metric: &&Metric| {
        let mut found = metric.labels.iter();
        let known = |label: &(String, String)| labels.contains(&(&label.0, &label.1));
        metric.labels.len() == labels.len() && found.all(known)
    };
    let found = family.metrics.iter().find(has);
    found.unwrap_or_else(|| panic!("no {labels:?} in {family:?}"))
}

/// The durations' histogram of a task that completed orders after so many microseconds.
fn exposed(durations: &[i64]) -> Histogram {
    let edges = [5, 60].map(Span::from_seconds);
    let mut view = view(0, "eu", &[]);
    if let KindView::Promise(series) = &mut view.kpis[0].series {
        series[0].duration = histogram(&edges, durations);
    }
    let mut families = expose(&[], vec![view]);
    let family = families.iter_mut().find(|family| family.name == DURATION);
    let metrics = &mut family.expect("it is there").metrics;
    metrics[0].histogram.take().expect("it is a histogram")
}

/// By the definition alone: the first k, from the power of two below, with seconds <= 2^(k/128).
fn naive_bucket(micros: i64) -> i64 {
    let seconds = micros as f64 / 1e6;
    (seconds.log2().floor() as i64 * 128 - 1..)
        .find(|k| seconds <= (*k as f64 / 128.0).exp2())
        .expect("some power is greater")
}

#[track_caller]
fn check(durations: &[i64], context: &str) {
    let found = exposed(durations);
    assert_eq!(found.schema, Some(7), "{context}");
    assert_eq!(found.zero_threshold, (-128f64).exp2(), "{context}");
    let zeros = durations.iter().filter(|micros| **micros == 0).count();
    assert_eq!(found.zero_count, zeros as u64, "{context}");
    let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
    for micros in durations.iter().filter(|micros| **micros > 0) {
        *expected.entry(naive_bucket(*micros)).or_default() += 1;
    }
    let native = found.native();
    let filled = native.iter().filter(|bucket| bucket.1 != 0).copied();
    assert_eq!(filled.collect::<BTreeMap<_, _>>(), expected, "{context}");
    // Sparse: no run is empty, and no more than two empty buckets stand between two full ones.
    assert!(found.spans.iter().all(|span| span.1 > 0), "{context}");
    let runs = found.spans.iter().skip(1);
    assert!(runs.clone().all(|span| span.0 > 2), "{context}");
    assert!(native.windows(4).all(|four| four.iter().any(|it| it.1 > 0)));
    // Each observation is in one bucket of either kind, and the kinds agree at each classic edge
    // but for the native bucket that the edge is in the middle of.
    let sum = |up_to: &dyn Fn(i64) -> bool| {
        let buckets = native.iter().filter(|bucket| up_to(bucket.0));
        found.zero_count + buckets.map(|bucket| bucket.1 as u64).sum::<u64>()
    };
    assert_eq!(sum(&|_| true), found.count, "{context}");
    for (edge, classic) in &found.classic {
        let whole = sum(&|k| (k as f64 / 128.0).exp2() <= *edge);
        let touching = sum(&|k| ((k - 1) as f64 / 128.0).exp2() < *edge);
        let between = whole <= *classic && *classic <= touching;
        assert!(between, "{context}: {whole} {classic} {touching} at {edge}");
    }
}

#[test]
fn native_buckets_are_those_of_their_definition() {
    check(&[], "none");
    check(&[0, 0, 0], "zeros");
    check(&[1], "the shortest");
    check(&[1_000_000, 1_000_001, 2_000_000, 60_000_000], "edges");
    check(&[1, i64::from(u32::MAX) * 1000], "far apart");
    // Two empty buckets between, then three.
    let apart = [1.0, 3.0, 7.0].map(|k: f64| ((k - 0.5) / 128.0).exp2() * 1e6);
    check(&apart.map(|micros| micros as i64), "gaps");
    for round in 0..60u64 {
        let mut seed = round;
        let durations: Vec<i64> = (0..1 + round * 5)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> (24 + (seed >> 20) % 40)) as i64
            })
            .collect();
        check(&durations, &format!("seed {round}"));
    }
}

#[test]
fn runs_and_differences_are_written_as_prometheus_reads_them() {
    let apart = [(0.5, 3), (2.5, 1), (6.5, 4)];
    let micros = apart.iter().flat_map(|(k, count): &(f64, usize)| {
        let micros = (k / 128.0).exp2() * 1e6;
        std::iter::repeat_n(micros as i64, *count)
    });
    let found = exposed(&micros.collect::<Vec<_>>());
    // Buckets 1 and 3 with the empty one between, then 7.
    assert_eq!(found.spans, [(1, 3), (3, 1)]);
    assert_eq!(found.deltas, [3, -3, 1, 3]);
    let below_a_second = exposed(&[250_000]);
    assert_eq!(below_a_second.spans, [(-256, 1)]);
}

/// What Prometheus makes of a native histogram: the bucket of the rank, read inside of it.
#[test]
fn a_quantile_is_off_by_the_stated_error_at_most() {
    let mut seed = 11u64;
    let mut durations: Vec<i64> = (0..5000)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            1_000_000 + (seed >> 36) as i64
        })
        .collect();
    let native = exposed(&durations).native();
    durations.sort_unstable();
    for q in [0.01, 0.5, 0.9, 0.95, 0.99, 0.999] {
        let rank = (q * durations.len() as f64).ceil();
        let exact = durations[rank as usize - 1] as f64 / 1e6;
        let mut below = 0.0;
        let bucket = native.iter().find(|bucket| {
            below += bucket.1 as f64;
            below >= rank
        });
        let bucket = bucket.expect("the last one has all").0;
        for answer in [bucket - 1, bucket].map(|k| (k as f64 / 128.0).exp2()) {
            let error = (answer / exact - 1.0).abs();
            assert!(
                error <= RELATIVE_ERROR,
                "seed 11, q {q}: {answer} for {exact}"
            );
        }
    }
}

#[test]
fn counters_and_histograms_say_since_when_and_gauges_do_not() {
    let mut eu = view(0, "eu", &[]);
    eu.inputs[0].created = Some(KafkaTime(CREATED.0 - 1_000_000));
    if let KindView::Promise(series) = &mut eu.kpis[0].series {
        series[0].created = Some(CREATED);
    }
    let families = expose(&["us"], vec![eu, empty_view(1)]);
    let created = |name, labels: &[(&str, &str)]| metric(&families, name, labels).created;
    let eu = [("region", "eu"), ("partition", "0")];
    assert_eq!(
        created("shop_fulfilment_started_total", &eu),
        Some(CREATED.0)
    );
    assert_eq!(created(DURATION, &eu), Some(CREATED.0));
    let step = [("region", "eu"), ("step", "end"), ("partition", "0")];
    assert_eq!(
        created("shop_fulfilment_step_seconds", &step),
        Some(CREATED.0)
    );
    let dropped = [("kpi", "fulfilment"), ("partition", "0")];
    assert_eq!(
        created("kept_window_dropped_total", &dropped),
        Some(CREATED.0 - 1_000_000)
    );
    // Where nothing was counted yet, there is no since.
    for unseen in [("eu", "1"), ("us", "0")] {
        let labels = [("region", unseen.0), ("partition", unseen.1)];
        assert_eq!(created("shop_fulfilment_started_total", &labels), None);
        assert_eq!(created(DURATION, &labels), None);
    }
    let gauges = families.iter().filter(|family| family.kind == Some(1));
    let mut of_gauges = gauges.flat_map(|family| &family.metrics);
    assert!(of_gauges.all(|gauge| gauge.created.is_none()));
}

#[test]
fn a_series_without_observations_is_native_too() {
    let families = expose(&["eu"], vec![empty_view(0)]);
    let labels = [("region", "eu"), ("partition", "0")];
    let empty = metric(&families, DURATION, &labels);
    let empty = empty.histogram.as_ref().expect("it is a histogram");
    // Prometheus takes one without schema, threshold and buckets for a classic one only.
    assert_eq!((empty.count, empty.schema), (0, Some(7)));
    assert!(empty.zero_threshold > 0.0 && empty.spans.is_empty());
}

#[test]
fn families_have_the_names_and_units_of_the_text_format() {
    let families = expose(&[], vec![view(0, "eu", &[])]);
    let of = |name: &str| {
        let family = families.iter().find(|family| family.name == name);
        let family = family.unwrap_or_else(|| panic!("no {name}"));
        (family.kind, family.unit.as_deref())
    };
    assert_eq!(of("shop_fulfilment_started_total"), (Some(0), None));
    assert_eq!(of("shop_fulfilment_open"), (Some(1), None));
    assert_eq!(of(DURATION), (Some(4), Some("seconds")));
    let started = families
        .iter()
        .find(|family| family.name == "shop_fulfilment_started_total");
    let help = started.map(|family| family.help.as_str());
    assert_eq!(help, Some("From purchase to fulfilment: starts accepted"));
}
