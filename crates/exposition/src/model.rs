//! What an exposition is made of, whatever the format: families of samples with labels and values.
//!
//! Labels are rendered once where they are made and shared from then on: a sample holds up to
//! three rendered parts (the dimensions, the family's own, the partition), and writing it copies
//! text. Numbers stay exact: integers, money and spans never go through a float.

mod histogram;

use std::fmt::{self, Display, Write};
use std::sync::Arc;

pub use catalogue::metrics::MetricKind;
use engine::view::Amount;
use events::{KafkaTime, Span};

pub use histogram::{Edges, Histogram};

/// Series of one name. In an exposition each name occurs once.
#[derive(Clone, PartialEq, Debug)]
pub struct Family {
    /// The name without `_total`: each format adds that where it has to.
    pub name: String,
    /// One line of plain text, not escaped.
    pub help: String,
    /// Its type.
    pub kind: MetricKind,
    /// The unit that the name ends with, for OpenMetrics.
    pub unit: Option<&'static str>,
    /// Its series, in the order in which they are written.
    pub samples: Vec<Sample>,
}

impl Family {
    /// A family without series yet. Takes the name with or without `_total`.
    pub fn new(name: &str, help: &str, kind: MetricKind) -> Family {
        let name = match kind {
            MetricKind::Counter => name.strip_suffix("_total").unwrap_or(name),
            MetricKind::Gauge | MetricKind::Histogram => name,
        };
        let unit = ["seconds", "bytes", "ratio"].into_iter();
        let mut unit = unit.filter(|unit| name.rsplit('_').next() == Some(*unit));
        Family {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            unit: unit.next(),
            samples: Vec::new(),
        }
    }

    /// How many series Prometheus makes of its text: a histogram is one per bucket, a sum and a count.
    pub fn series(&self) -> usize {
        let series = self.samples.iter().map(|sample| match &sample.value {
            Value::Number(_) => 1,
            Value::Histogram(histogram) => histogram.cumulative().count() + 2,
        });
        series.sum()
    }
}

/// One label set of a family and its value.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The parts of its label set, in label order; no name occurs twice.
    pub labels: [Labels; 3],
    /// Its value.
    pub value: Value,
    /// The Kafka timestamp of the record that it counts from. Of counters and histograms only, and
    /// in protobuf only: in the text formats it would be a series of its own.
    pub created: Option<KafkaTime>,
}

impl Sample {
    /// A sample whose labels come in three parts, any of them empty.
    pub fn new(labels: [&Labels; 3], value: Value) -> Sample {
        Sample {
            labels: labels.map(Labels::clone),
            value,
            created: None,
        }
    }

    /// The same, counted from then on.
    pub fn since(self, created: Option<KafkaTime>) -> Sample {
        Sample { created, ..self }
    }
}

/// Labels, rendered once and shared. Cloning copies no text.
#[derive(Clone, PartialEq, Debug)]
pub struct Labels(Arc<Rendered>);

#[derive(Default, PartialEq, Debug)]
struct Rendered {
    pairs: Vec<(Arc<str>, Arc<str>)>,
    text: String,
}

impl Labels {
    /// No labels.
    pub fn none() -> Labels {
        Labels(Arc::default())
    }

    /// These labels, in this order.
    pub fn of<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Labels {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let pairs: Vec<(Arc<str>, Arc<str>)> = pairs.collect();
        let mut text = String::new();
        for (name, value) in &pairs {
            let comma = if text.is_empty() { "" } else { "," };
            text.push_str(comma);
            text.push_str(name);
            text.push_str("=\"");
            escape_label_value(value, &mut text);
            text.push('"');
        }
        Labels(Arc::new(Rendered { pairs, text }))
    }

    /// Whether both are the same ones, not only equal.
    pub fn is(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Names and values, not escaped.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// As both text formats write them: `region="eu",channel="web"`; empty without labels.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

/// Both text formats escape label values alike: backslash, double quote, line feed.
fn escape_label_value(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

/// The value of a sample.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(Number),
    /// Of a histogram.
    Histogram(Histogram),
}

impl Value {
    /// A counter or gauge with a whole number.
    pub fn integer(number: u64) -> Value {
        Value::Number(Number::Integer(number))
    }

    /// A gauge with any number; NaN when there is none.
    pub fn float(number: f64) -> Value {
        Value::Number(Number::Float(number))
    }

    /// A decimal amount: money with all its decimals, a plain number with those it needs.
    pub fn amount(amount: &Amount) -> Value {
        let (mut units, mut decimals) = (amount.units, amount.decimals);
        while amount.currency.is_none() && decimals > 0 && units % 10 == 0 {
            units /= 10;
            decimals -= 1;
        }
        Value::Number(Number::Decimal { units, decimals })
    }
}

/// A number, exactly as it is known. Displays as both text formats write it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// A whole number.
    Integer(u64),
    /// Any number, shortest text that reads back the same.
    Float(f64),
    /// `units` x 10^-`decimals`, with all its decimals: 12990 and 2 are `129.90`.
    Decimal {
        /// Minor units.
        units: i128,
        /// How many digits are behind the point.
        decimals: u8,
    },
    /// A length of time in seconds, exact to the microsecond.
    Seconds(Span),
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Number::Integer(number) => number.fmt(f),
            Number::Float(number) => write_float(f, number),
            Number::Decimal { units, decimals } => write_decimal(f, units, decimals),
            Number::Seconds(span) => write_seconds(f, span),
        }
    }
}

/// Prometheus' words for what is not a finite number.
fn write_float(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    if number.is_nan() {
        f.write_str("NaN")
    } else if number.is_infinite() {
        f.write_str(if number > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        number.fmt(f)
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, units: i128, decimals: u8) -> fmt::Result {
    if units < 0 {
        f.write_char('-')?;
    }
    let magnitude = units.unsigned_abs();
    if decimals == 0 {
        return magnitude.fmt(f);
    }
    let width = usize::from(decimals);
    // Beyond 38 digits the divisor would not fit: all digits are then behind the point.
    let Some(divisor) = 10u128.checked_pow(u32::from(decimals)) else {
        return write!(f, "0.{magnitude:0width$}");
    };
    write!(f, "{}.{:0width$}", magnitude / divisor, magnitude % divisor)
}

fn write_seconds(f: &mut fmt::Formatter<'_>, span: Span) -> fmt::Result {
    if span.0 < 0 {
        f.write_char('-')?;
    }
    let micros = span.0.unsigned_abs();
    let (whole, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
    whole.fmt(f)?;
    if fraction == 0 {
        return Ok(());
    }
    let mut width = 6;
    while fraction.is_multiple_of(10) {
        (fraction, width) = (fraction / 10, width - 1);
    }
    write!(f, ".{fraction:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: Number, expected: &str) {
        assert_eq!(number.to_string(), expected);
    }

    #[test]
    fn money_keeps_every_digit() {
        let decimal = |units, decimals| Number::Decimal { units, decimals };
        check(decimal(1500, 0), "1500");
        check(decimal(150_949_633, 2), "1509496.33");
        check(decimal(1_005, 3), "1.005");
        check(decimal(5, 2), "0.05");
        check(decimal(-5, 2), "-0.05");
        check(decimal(0, 2), "0.00");
        check(decimal(90_071_992_547_409_931, 2), "900719925474099.31");
        check(
            decimal(i128::MAX, 2),
            "1701411834604692317316873037158841057.27",
        );
        check(decimal(7, 40), "0.0000000000000000000000000000000000000007");
    }

    #[test]
    fn spans_are_exact_seconds() {
        check(Number::Seconds(Span(0)), "0");
        check(Number::Seconds(Span(60_000_000)), "60");
        check(Number::Seconds(Span(1_500_000)), "1.5");
        check(Number::Seconds(Span(12_345_678)), "12.345678");
        check(Number::Seconds(Span(1)), "0.000001");
        check(Number::Seconds(Span(-1_010_000)), "-1.01");
        check(
            Number::Seconds(Span(90_071_992_547_409_931)),
            "90071992547.409931",
        );
    }

    #[test]
    fn floats_are_what_prometheus_reads() {
        check(Number::Float(f64::NAN), "NaN");
        check(Number::Float(f64::INFINITY), "+Inf");
        check(Number::Float(f64::NEG_INFINITY), "-Inf");
        check(Number::Float(1.0), "1");
        check(Number::Float(0.95), "0.95");
        check(Number::Float(1_767_607_200.123_456), "1767607200.123456");
        check(Number::Integer(u64::MAX), "18446744073709551615");
    }

    #[test]
    fn label_values_are_escaped_and_otherwise_any_text() {
        let labels = Labels::of([("a", "x\"y\\z\nw"), ("b", "Zürich {},= 東京\r\t")]);
        assert_eq!(
            labels.text(),
            "a=\"x\\\"y\\\\z\\nw\",b=\"Zürich {},= 東京\r\t\""
        );
        let first = labels.pairs().next();
        assert_eq!(first, Some(("a", "x\"y\\z\nw")));
        assert_eq!(Labels::none().text(), "");
    }

    #[test]
    fn a_counter_s_name_loses_total_and_shows_its_unit() {
        let family = Family::new("process_cpu_seconds_total", "", MetricKind::Counter);
        assert_eq!(
            (family.name.as_str(), family.unit),
            ("process_cpu_seconds", Some("seconds"))
        );
        let family = Family::new("shop_open", "", MetricKind::Gauge);
        assert_eq!((family.name.as_str(), family.unit), ("shop_open", None));
    }
}
