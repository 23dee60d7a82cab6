//! Prometheus' protobuf format: `io.prometheus.client.MetricFamily`, each after its length.
//!
//! The same families, series and numbers as in the text formats, each as the double nearest to what
//! they write, and besides what text has no words for: native histograms and created timestamps.
//! Which buckets a histogram has is the catalogue's word.
//!
//! What is in a message comes after its length. The outer messages are put together from parts that
//! are encoded already, so that no part is measured again at each level above it.

mod message;

use engine::native::{NativeBuckets, SCHEMA};
use events::KafkaTime;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

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
    let (mut message, mut value) = (Vec::new(), Vec::new());
    for family in families {
        message.clear();
        append(&head_of(family), &mut message);
        for sample in &family.samples {
            value.clear();
            append(&value_of(family.kind, sample), &mut value);
            let labels = labels.of(&sample.labels);
            let length: usize = labels.iter().map(|part| part.len()).sum();
            encode_key(message::METRIC, WireType::LengthDelimited, &mut message);
            encode_varint((length + value.len()) as u64, &mut message);
            labels.iter().for_each(|part| message.extend(*part));
            message.extend(&value);
        }
        encode_varint(message.len() as u64, &mut out);
        out.extend(&message);
    }
    out
}

fn append(message: &impl Message, out: &mut Vec<u8>) {
    let room = message.encode(out);
    room.expect("a vector has room for anything");
}

fn head_of(family: &Family) -> message::Head {
    let (name, kind) = match family.kind {
        MetricKind::Counter => (
            format!("{}_total", family.name),
            message::MetricType::Counter,
        ),
        MetricKind::Gauge => (family.name.clone(), message::MetricType::Gauge),
        MetricKind::Histogram => (family.name.clone(), message::MetricType::Histogram),
    };
    message::Head {
        name: Some(name),
        help: Some(family.help.clone()),
        kind: Some(kind as i32),
        unit: family.unit.map(str::to_owned),
    }
}

fn value_of(kind: MetricKind, sample: &Sample) -> message::MetricValue {
    let mut metric = message::MetricValue::default();
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
    let bounds = histogram.edges.bounds().iter();
    // The last count has no bound: it is up to infinity.
    let buckets = histogram.cumulative().zip(bounds);
    let bucket = buckets.map(|((_, count), bound)| message::Bucket {
        cumulative_count: Some(count),
        upper_bound: Some(*bound),
    });
    let bucket = match histogram.is_classic {
        true => bucket.collect(),
        false => Vec::new(),
    };
    let classic = message::Histogram {
        sample_count: Some(histogram.counts.iter().sum()),
        sample_sum: Some(double(histogram.sum)),
        bucket,
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

/// Buckets by number, ascending, as runs and encoded differences.
fn sparse(buckets: impl Iterator<Item = (i16, u64)>) -> (Vec<message::BucketSpan>, Vec<u8>) {
    let mut spans: Vec<message::BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let (mut next, mut before) = (0i32, 0i64);
    for (bucket, count) in buckets {
        let (bucket, count) = (i32::from(bucket), count as i64);
        let gap = bucket - next;
        match spans.last_mut() {
            Some(span) if gap <= LONGEST_GAP => {
                for _ in 0..gap {
                    push_signed(-before, &mut deltas);
                    before = 0;
                }
                span.length += gap as u32 + 1;
            }
            _ => spans.push(message::BucketSpan {
                offset: gap,
                length: 1,
            }),
        }
        push_signed(count - before, &mut deltas);
        (next, before) = (bucket + 1, count);
    }
    (spans, deltas)
}

/// As a `sint64`: small ones are short, whatever their sign.
fn push_signed(number: i64, out: &mut Vec<u8>) {
    encode_varint(((number << 1) ^ (number >> 63)) as u64, out);
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

/// Labels are encoded once: neighbouring samples share most of their parts.
#[derive(Default)]
struct LabelCache {
    parts: [Option<(Labels, Vec<u8>)>; 3],
}

impl LabelCache {
    /// As they are in a metric, each part with the tags of its labels.
    fn of(&mut self, labels: &[Labels; 3]) -> [&[u8]; 3] {
        for (part, known) in labels.iter().zip(&mut self.parts) {
            if !known.as_ref().is_some_and(|(before, _)| before.is(part)) {
                *known = Some((part.clone(), encoded(part)));
            }
        }
        let known = self.parts.each_ref();
        known.map(|part| part.as_ref().map_or(&[][..], |(_, encoded)| encoded))
    }
}

fn encoded(labels: &Labels) -> Vec<u8> {
    let label = labels.pairs().map(|(name, value)| message::Label {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    });
    let labels = message::MetricLabels {
        label: label.collect(),
    };
    labels.encode_to_vec()
}
