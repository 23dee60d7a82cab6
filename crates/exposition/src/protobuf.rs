//! Prometheus' protobuf format: `io.prometheus.client.MetricFamily`, each after its length.
//!
//! The same families, series and numbers as in the text formats, each as the double nearest to what
//! they write, and besides what text has no words for: native histograms and created timestamps. A
//! histogram of the views has both kinds of buckets, of the same observations; the process' own
//! histograms know only their classic ones.

mod message;

use engine::native::{NativeBuckets, SCHEMA};
use events::KafkaTime;
use prost::Message;
use prost::bytes::Bytes;

use crate::model::{Family, Histogram, Labels, MetricKind, Number, Sample, Value};

/// The upper edge of the zero bucket, as Prometheus' own libraries have it: 2^-128. Nothing but
/// zeros is in it, for no duration is shorter than a microsecond.
const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);

/// Empty buckets between two others that are written rather than ending a run: a run costs more.
const LONGEST_GAP: i32 = 2;

/// Writes the families in the order given.
pub fn encode(families: &[Family]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut labels = LabelCache::default();
    for family in families {
        let message = message_of(family, &mut labels);
        message
            .encode_length_delimited(&mut out)
            .expect("a vector has room for anything");
    }
    out
}

fn message_of(family: &Family, labels: &mut LabelCache) -> message::MetricFamily {
    let (name, kind) = match family.kind {
        MetricKind::Counter => (
            format!("{}_total", family.name),
            message::MetricType::Counter,
        ),
        MetricKind::Gauge => (family.name.clone(), message::MetricType::Gauge),
        MetricKind::Histogram => (family.name.clone(), message::MetricType::Histogram),
    };
    let metric = family.samples.iter();
    message::MetricFamily {
        name: Some(name),
        help: Some(family.help.clone()),
        kind: Some(kind as i32),
        metric: metric
            .map(|sample| metric_of(family.kind, sample, labels))
            .collect(),
        unit: family.unit.map(str::to_owned),
    }
}

fn metric_of(kind: MetricKind, sample: &Sample, labels: &mut LabelCache) -> message::Metric {
    let mut metric = message::Metric {
        label: labels.of(&sample.labels),
        ..message::Metric::default()
    };
    let created_timestamp = sample.created.map(timestamp);
    match (&sample.value, kind) {
        (Value::Number(number), MetricKind::Counter) => {
            metric.counter = Some(message::Counter {
                value: Some(double(*number)),
                created_timestamp,
            });
        }
        (Value::Number(number), _) => {
            metric.gauge = Some(message::Gauge {
                value: Some(double(*number)),
            });
        }
        (Value::Histogram(histogram), _) => {
            metric.histogram = Some(message::Histogram {
                created_timestamp,
                ..histogram_of(histogram)
            });
        }
    }
    metric
}

fn histogram_of(histogram: &Histogram) -> message::Histogram {
    let mut count = 0;
    let counts = histogram.counts.iter().map(|bucket| {
        count += bucket;
        count
    });
    let bounds = histogram.edges.bounds().iter();
    // The last count has no bound: it is up to infinity.
    let cumulative: Vec<u64> = counts.collect();
    let buckets = cumulative.iter().zip(bounds);
    let bucket = buckets.map(|(count, bound)| message::Bucket {
        cumulative_count: Some(*count),
        upper_bound: Some(*bound),
    });
    let classic = message::Histogram {
        sample_count: Some(cumulative.last().copied().unwrap_or(0)),
        sample_sum: Some(double(histogram.sum)),
        bucket: bucket.collect(),
        ..message::Histogram::default()
    };
    match &histogram.native {
        Some(native) => with_native(classic, native),
        None => classic,
    }
}

fn with_native(classic: message::Histogram, native: &NativeBuckets) -> message::Histogram {
    let (positive_span, positive_delta) = sparse(native.buckets());
    message::Histogram {
        schema: Some(SCHEMA),
        zero_threshold: Some(ZERO_THRESHOLD),
        zero_count: Some(native.zero()),
        positive_span,
        positive_delta,
        ..classic
    }
}

/// Buckets by number, ascending, as runs and differences.
fn sparse(buckets: &[(i16, u64)]) -> (Vec<message::BucketSpan>, Vec<i64>) {
    let mut spans: Vec<message::BucketSpan> = Vec::new();
    let mut deltas = Vec::with_capacity(buckets.len());
    let (mut next, mut before) = (0i32, 0i64);
    for &(bucket, count) in buckets {
        let (bucket, count) = (i32::from(bucket), count as i64);
        let gap = bucket - next;
        match spans.last_mut() {
            Some(span) if gap <= LONGEST_GAP => {
                for _ in 0..gap {
                    deltas.push(-before);
                    before = 0;
                }
                span.length += gap as u32 + 1;
            }
            _ => spans.push(message::BucketSpan {
                offset: gap,
                length: 1,
            }),
        }
        deltas.push(count - before);
        (next, before) = (bucket + 1, count);
    }
    (spans, deltas)
}

fn timestamp(created: KafkaTime) -> message::Timestamp {
    message::Timestamp {
        seconds: created.0.div_euclid(1_000_000),
        nanos: (created.0.rem_euclid(1_000_000) * 1000) as i32,
    }
}

/// The double nearest to the number.
fn double(number: Number) -> f64 {
    match number {
        Number::Integer(number) => number as f64,
        Number::Float(number) => number,
        // What text says is exact; reading it rounds once.
        Number::Decimal { .. } | Number::Seconds(_) => {
            let text = number.to_string();
            text.parse().expect("a number reads back as one")
        }
    }
}

/// Labels are written once: neighbouring samples share most of their parts.
#[derive(Default)]
struct LabelCache {
    parts: [Option<(Labels, Vec<Bytes>)>; 3],
}

impl LabelCache {
    fn of(&mut self, labels: &[Labels; 3]) -> Vec<Bytes> {
        let mut all = Vec::new();
        for (part, known) in labels.iter().zip(&mut self.parts) {
            match known {
                Some((before, written)) if before.is(part) => all.extend_from_slice(written),
                _ => {
                    let written: Vec<Bytes> = part.pairs().map(label).collect();
                    all.extend_from_slice(&written);
                    *known = Some((part.clone(), written));
                }
            }
        }
        all
    }
}

fn label((name, value): (&str, &str)) -> Bytes {
    let label = message::Label {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    };
    label.encode_to_vec().into()
}
