//! The process' own families, as the `prometheus` crate gathers them, in our model.
//!
//! Counters, gauges and histograms; Kept registers nothing else.

use prometheus::proto;

use crate::model::{Edges, Family, Histogram, Labels, MetricKind, Number, Sample, Value};

/// One gathered family. `None` for the types that Kept never registers.
pub fn family(gathered: &proto::MetricFamily) -> Option<Family> {
    let kind = match gathered.get_field_type() {
        proto::MetricType::COUNTER => MetricKind::Counter,
        proto::MetricType::GAUGE => MetricKind::Gauge,
        proto::MetricType::HISTOGRAM => MetricKind::Histogram,
        proto::MetricType::SUMMARY | proto::MetricType::UNTYPED => return None,
    };
    let mut family = Family::new(gathered.name(), gathered.help(), kind);
    let none = Labels::none();
    for metric in gathered.get_metric() {
        let pairs = metric
            .get_label()
            .iter()
            .map(|pair| (pair.name(), pair.value()));
        let value = match kind {
            MetricKind::Counter => number(metric.get_counter().get_value()),
            MetricKind::Gauge => number(metric.get_gauge().get_value()),
            MetricKind::Histogram => Value::Histogram(histogram(metric.get_histogram())),
        };
        family
            .samples
            .push(Sample::new([&Labels::of(pairs), &none, &none], value));
    }
    Some(family)
}

fn number(value: f64) -> Value {
    Value::Number(Number::Float(value))
}

fn histogram(gathered: &proto::Histogram) -> Histogram {
    let buckets = gathered.get_bucket();
    let finite = buckets
        .iter()
        .filter(|bucket| bucket.upper_bound().is_finite());
    let mut counts = Vec::with_capacity(buckets.len() + 1);
    let mut below = 0;
    for bucket in finite.clone() {
        counts.push(bucket.cumulative_count().saturating_sub(below));
        below = bucket.cumulative_count();
    }
    counts.push(gathered.get_sample_count().saturating_sub(below));
    Histogram {
        edges: Edges::of(finite.map(proto::Bucket::upper_bound)),
        counts,
        is_classic: true,
        sum: Number::Float(gathered.get_sample_sum()),
        native: None,
    }
}
