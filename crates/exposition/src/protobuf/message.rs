//! The messages of `io.prometheus.client` (metrics.proto) that Kept writes, with its field numbers.
//!
//! Values are `optional`: readers of the proto2 original tell an absent one from zero. Only what
//! Kept has is here. The outer messages come in parts, which may stand in any order: what was encoded
//! one after the other reads as one message.

use prost::{Enumeration, Message};

/// Field of `MetricFamily`: one of its `Metric`, a `MetricLabels` and a `MetricValue`.
pub const METRIC: u32 = 4;

/// Of a `MetricFamily` all but its metrics.
#[derive(Clone, PartialEq, Message)]
pub struct Head {
    /// As in the plain text format: a counter's ends with `_total`.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Plain text.
    #[prost(string, optional, tag = "2")]
    pub help: Option<String>,
    /// What all its metrics are.
    #[prost(enumeration = "MetricType", optional, tag = "3")]
    pub kind: Option<i32>,
    /// As OpenMetrics means it.
    #[prost(string, optional, tag = "5")]
    pub unit: Option<String>,
}

/// Those of `io.prometheus.client.MetricType` that Kept has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enumeration)]
#[repr(i32)]
pub enum MetricType {
    /// `MetricValue::counter`.
    Counter = 0,
    /// `MetricValue::gauge`.
    Gauge = 1,
    /// `MetricValue::histogram`.
    Histogram = 4,
}

/// Of a `Metric` the labels, or some of them.
#[derive(Clone, PartialEq, Message)]
pub struct MetricLabels {
    /// Each once in a metric.
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<Label>,
}

/// Of a `Metric` the value.
#[derive(Clone, PartialEq, Message)]
pub struct MetricValue {
    /// Of a gauge.
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
    /// Of a counter.
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Counter>,
    /// Of a histogram.
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
}

/// `LabelPair`.
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Its value, not escaped.
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// A gauge's value.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Gauge {
    /// The value.
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

/// A counter's value.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Counter {
    /// The value.
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
    /// Since when it counts.
    #[prost(message, optional, tag = "3")]
    pub created_timestamp: Option<Timestamp>,
}

/// A histogram, classic and native in one.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// How many observations.
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    /// Their sum.
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    /// The classic buckets, ascending; the one to infinity is `sample_count`.
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    /// Edges are powers of 2^(2^-schema). Without it and what follows the histogram is classic only.
    #[prost(sint32, optional, tag = "5")]
    pub schema: Option<i32>,
    /// The zero bucket's upper edge.
    #[prost(double, optional, tag = "6")]
    pub zero_threshold: Option<f64>,
    /// Observations in the zero bucket.
    #[prost(uint64, optional, tag = "7")]
    pub zero_count: Option<u64>,
    /// Runs of buckets next to each other.
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<BucketSpan>,
    /// The count of each bucket less that of the one before it: `sint64`, repeated and packed, which is
    /// the same on the wire as the bytes of all of them.
    #[prost(bytes = "vec", tag = "13")]
    pub positive_delta: Vec<u8>,
    /// Since when it counts.
    #[prost(message, optional, tag = "15")]
    pub created_timestamp: Option<Timestamp>,
}

/// A classic bucket.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Bucket {
    /// Observations up to `upper_bound`.
    #[prost(uint64, optional, tag = "1")]
    pub cumulative_count: Option<u64>,
    /// Inclusive.
    #[prost(double, optional, tag = "2")]
    pub upper_bound: Option<f64>,
}

/// A run of native buckets.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct BucketSpan {
    /// Buckets left out since the run before; of the first run the number of its first bucket.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// How many buckets.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Timestamp {
    /// Since 1970, rounded down.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Of a second, never negative.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}
