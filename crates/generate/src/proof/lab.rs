//! A unit test for promtool: series that are given, and numbers that are expected of them.
//!
//! The numbers are worked out here by plain arithmetic from what was given (a counter that rises by
//! 7 a step has risen by 140 after 20 steps), never by the rule's own expression.

use std::collections::BTreeMap;

use events::Span;

use crate::rule::Alert;
use crate::yaml::{Yaml, map, text};

/// Labels of a series, by name.
pub type Labels = Vec<(String, String)>;

/// One test.
#[derive(Debug)]
pub struct Test {
    name: String,
    /// Between two samples.
    pub step: Span,
    series: Vec<(String, String)>,
    expected: BTreeMap<(Span, String), Vec<(String, f64)>>,
}

impl Test {
    /// An empty one.
    pub fn new(name: impl Into<String>, step: Span) -> Test {
        Test {
            name: name.into(),
            step,
            series: Vec::new(),
            expected: BTreeMap::new(),
        }
    }

    /// Gives a series, in promtool's notation.
    pub fn give(&mut self, name: &str, labels: &[(&str, &str)], values: impl Into<String>) {
        self.series.push((shown(name, labels), values.into()));
    }

    /// Expects a sample of an expression, with these labels and no others.
    pub fn expect(
        &mut self,
        at: Span,
        expression: &str,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let key = (at, expression.to_owned());
        let samples = self.expected.entry(key).or_default();
        samples.push((shown(name, labels), value));
    }

    /// Expects a sample of a recorded series.
    pub fn records(&mut self, at: Span, name: &str, labels: &[(&str, &str)], value: f64) {
        self.expect(at, name, name, labels, value);
    }

    /// Expects an expression to have no samples.
    pub fn nothing(&mut self, at: Span, expression: &str) {
        self.expected
            .entry((at, expression.to_owned()))
            .or_default();
    }

    /// Expects an alert to fire with its severity and owner, or not to fire.
    pub fn fires(&mut self, at: Span, alert: &Alert, yes: bool) {
        let mut matchers = format!("alertname=\"{}\",alertstate=\"firing\"", alert.name);
        for (label, value) in &alert.labels {
            matchers += &format!(",{label}=\"{value}\"");
        }
        let kept = "alertname, owner, severity";
        let expression = format!("count by ({kept}) (ALERTS{{{matchers}}})");
        if !yes {
            self.nothing(at, &expression);
            return;
        }
        let labels = [
            ("alertname", alert.name),
            ("owner", alert.owner.as_str()),
            ("severity", alert.severity.as_str()),
        ];
        self.expect(at, &expression, "", &labels, 1.0);
    }

    /// Takes over all of another test of the same step; what both give or expect is there once.
    pub fn absorb(&mut self, other: Test) {
        for series in other.series {
            if !self.series.contains(&series) {
                self.series.push(series);
            }
        }
        for (key, samples) in other.expected {
            let ours = self.expected.entry(key).or_default();
            let new = samples.into_iter().filter(|sample| !ours.contains(sample));
            let new: Vec<_> = new.collect();
            ours.extend(new);
        }
    }

    /// Whether it expects anything at all.
    pub fn has_expectations(&self) -> bool {
        !self.expected.is_empty()
    }

    /// How many steps a span has.
    pub fn steps(&self, span: Span) -> u64 {
        (span.0 / self.step.0) as u64
    }

    fn show(&self) -> Yaml {
        let series = self
            .series
            .iter()
            .map(|(series, values)| map([("series", text(series)), ("values", text(values))]));
        let expected = self.expected.iter().map(|((at, expression), samples)| {
            let samples = samples
                .iter()
                .map(|(labels, value)| map([("labels", text(labels)), ("value", number(*value))]));
            map([
                ("expr", text(expression)),
                ("eval_time", text(at.to_string())),
                ("exp_samples", Yaml::List(samples.collect())),
            ])
        });
        map([
            ("name", text(&self.name)),
            ("interval", text(self.step.to_string())),
            ("input_series", Yaml::List(series.collect())),
            ("promql_expr_test", Yaml::List(expected.collect())),
        ])
    }
}

/// A number as YAML has it.
fn number(value: f64) -> Yaml {
    Yaml::Float(value)
}

fn shown(name: &str, labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| crate::promql::is(name, value))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// The file of some tests; rules are evaluated at this interval.
pub fn file(header: &str, groups: &[String], interval: Span, tests: &[Test]) -> String {
    let root = map([
        (
            "rule_files",
            crate::yaml::texts(["../rules.yml", "../alerts.yml"]),
        ),
        ("evaluation_interval", text(interval.to_string())),
        ("fuzzy_compare", Yaml::Flag(true)),
        ("group_eval_order", crate::yaml::texts(groups)),
        ("tests", Yaml::List(tests.iter().map(Test::show).collect())),
    ]);
    crate::yaml::document(header, &root)
}

/// A counter that rises by `rate` a step from 0, or a gauge that stays.
pub fn rising(rate: u64, steps: u64) -> String {
    format!("0+{rate}x{steps}")
}

/// A gauge that stays.
pub fn constant(value: f64, steps: u64) -> String {
    format!("{value}+0x{steps}")
}

/// Text labels as pairs of references.
pub fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
