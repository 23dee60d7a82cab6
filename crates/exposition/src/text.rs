//! The two text formats: Prometheus' 0.0.4 and OpenMetrics 1.0.0.
//!
//! They differ in four things: OpenMetrics names a counter's family without `_total`, has `# UNIT`,
//! escapes double quotes in help, and ends with `# EOF`. Samples, labels and numbers are the same,
//! so that a change of format changes no series. No `_created` series in either.

use std::fmt::Write;

use crate::model::{Family, Histogram, Labels, MetricKind, Number, Value};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    /// Prometheus' 0.0.4.
    Plain,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

/// A guess of how long a line is, to allocate once.
const LINE_BYTES: usize = 128;

/// Writes the families in the order given.
pub fn encode(format: Text, families: &[Family]) -> String {
    let lines: usize = families.iter().map(|family| family.series() + 3).sum();
    let mut out = String::with_capacity(lines * LINE_BYTES);
    for family in families {
        let name = match family.kind {
            MetricKind::Counter => format!("{}_total", family.name),
            MetricKind::Gauge | MetricKind::Histogram => family.name.clone(),
        };
        header(&mut out, format, family, &name);
        for sample in &family.samples {
            match &sample.value {
                Value::Number(number) => {
                    line(&mut out, &name, "", &sample.labels, None, *number);
                }
                Value::Histogram(value) => histogram(&mut out, &name, &sample.labels, value),
            }
        }
    }
    if format == Text::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn header(out: &mut String, format: Text, family: &Family, sample_name: &str) {
    let name = match format {
        Text::Plain => sample_name,
        Text::OpenMetrics => &family.name,
    };
    let kind = match family.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    push_all(out, &["# HELP ", name, " "]);
    for character in family.help.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if format == Text::OpenMetrics => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    push_all(out, &["\n# TYPE ", name, " ", kind, "\n"]);
    if let (Text::OpenMetrics, Some(unit)) = (format, family.unit) {
        push_all(out, &["# UNIT ", name, " ", unit, "\n"]);
    }
}

fn histogram(out: &mut String, name: &str, labels: &[Labels; 3], histogram: &Histogram) {
    let mut count = 0;
    for (le, up_to) in histogram.cumulative() {
        count = up_to;
        let number = Number::Integer(count);
        line(out, name, "_bucket", labels, Some(le), number);
    }
    line(out, name, "_sum", labels, None, histogram.sum);
    line(out, name, "_count", labels, None, Number::Integer(count));
}

fn line(
    out: &mut String,
    name: &str,
    suffix: &str,
    labels: &[Labels; 3],
    le: Option<&str>,
    number: Number,
) {
    push_all(out, &[name, suffix]);
    let mut before = "{";
    for part in labels
        .iter()
        .map(Labels::text)
        .filter(|text| !text.is_empty())
    {
        push_all(out, &[before, part]);
        before = ",";
    }
    if let Some(le) = le {
        push_all(out, &[before, "le=\"", le, "\""]);
        before = ",";
    }
    if before == "," {
        out.push('}');
    }
    writeln!(out, " {number}").expect("writing to a string can't fail");
}

fn push_all(out: &mut String, texts: &[&str]) {
    for text in texts {
        out.push_str(text);
    }
}
