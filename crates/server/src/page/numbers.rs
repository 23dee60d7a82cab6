//! The numbers of the page: those of `/metrics`, looked up by name and labels.
//!
//! They are read from the very families that `/metrics` writes, so the page has no second way to
//! compute a number. Each carries the query that says where it is from; the page shows it as a
//! tooltip, and tests compare the two.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use catalogue::Plan;
use catalogue::metrics::{self, MetricKind, SeriesId};
use catalogue::plan;
use exposition::{Family, Number, Sample, Value};

use super::html::Html;

/// See the file's header.
pub struct Numbers<'a> {
    families: HashMap<&'a str, &'a Family>,
}

impl<'a> Numbers<'a> {
    /// Of these families, each name once.
    pub fn new(families: &'a [Family]) -> Numbers<'a> {
        let named = families.iter().map(|family| (family.name.as_str(), family));
        Numbers {
            families: named.collect(),
        }
    }

    /// The samples of a family that have all of these labels; `name` with `_total` for counters.
    pub fn samples<'s>(
        &'s self,
        name: &str,
        labels: &'s [(&'s str, &'s str)],
    ) -> impl Iterator<Item = &'a Sample> + 's {
        let counter = name.strip_suffix("_total").and_then(|name| {
            let found = self.families.get(name);
            found.filter(|family| family.kind == MetricKind::Counter)
        });
        let family = counter.or_else(|| self.families.get(name)).copied();
        let samples = family.map_or(&[][..], |family| &family.samples);
        let fits = |sample: &Sample| {
            let has = |wanted: &(&str, &str)| label(sample, wanted.0) == Some(wanted.1);
            labels.iter().all(has)
        };
        samples.iter().filter(move |sample| fits(sample))
    }

    /// The sum of the samples with these labels; nothing without any.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Figure {
        let values = self.samples(name, labels).filter_map(value_of);
        let value = values.reduce(|sum, value| sum + value);
        Figure::new(format!("sum({name}{})", selector(labels)), value)
    }

    /// The smallest of the samples.
    pub fn min(&self, name: &str) -> Figure {
        let values = self.samples(name, &[]).filter_map(value_of);
        Figure::new(format!("min({name})"), values.reduce(f64::min))
    }

    /// The greatest of the samples.
    pub fn max(&self, name: &str) -> Figure {
        let values = self.samples(name, &[]).filter_map(value_of);
        Figure::new(format!("max({name})"), values.reduce(f64::max))
    }
}

/// `{name="value"}` as queries have it; empty without labels.
fn selector(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let before = if text.is_empty() { '{' } else { ',' };
        write!(text, "{before}{name}={value:?}").expect("writing to a string can't fail");
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// The value of a sample's label.
pub fn label<'s>(sample: &'s Sample, name: &str) -> Option<&'s str> {
    let mut pairs = sample.labels.iter().flat_map(|part| part.pairs());
    pairs.find(|pair| pair.0 == name).map(|pair| pair.1)
}

/// The number of a sample that is no histogram.
pub fn value_of(sample: &Sample) -> Option<f64> {
    match &sample.value {
        Value::Number(Number::Integer(number)) => Some(*number as f64),
        Value::Number(Number::Float(number)) => Some(*number),
        Value::Number(Number::Seconds(span)) => Some(span.seconds()),
        Value::Number(Number::Decimal { units, decimals }) => {
            Some(*units as f64 / 10f64.powi(i32::from(*decimals)))
        }
        Value::Histogram(_) => None,
    }
}

/// A number and where it is from.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    query: String,
    value: Option<f64>,
}

impl Figure {
    /// A number, or none, by this query.
    pub fn new(query: String, value: Option<f64>) -> Figure {
        Figure { query, value }
    }

    /// The number; NaN where there is none.
    pub fn value(&self) -> f64 {
        self.value.unwrap_or(f64::NAN)
    }

    /// The number, if there is one that can be compared.
    pub fn known(&self) -> Option<f64> {
        self.value.filter(|value| value.is_finite())
    }

    /// This divided by another one; nothing over zero.
    pub fn over(&self, other: &Figure) -> Figure {
        let query = format!("{} / {}", self.query, other.query);
        let value = self.value.zip(other.value.filter(|value| *value > 0.0));
        Figure::new(query, value.map(|(above, below)| above / below))
    }

    /// This and another one added up.
    pub fn plus(&self, other: &Figure) -> Figure {
        let query = format!("({} + {})", self.query, other.query);
        let value = self.value.zip(other.value).map(|(one, two)| one + two);
        Figure::new(query, value)
    }

    /// How long ago this time is: the seconds between it and `now`, not below 0.
    pub fn ago(&self, now: f64) -> Figure {
        let value = self.value.map(|then| (now - then).max(0.0));
        Figure::new(format!("time() - {}", self.query), value)
    }

    /// Writes it in this form, with the exact number and its query beside it.
    pub fn show(&self, page: &mut Html, form: fn(f64) -> String) {
        page.add("<data value=\"").text(self.value());
        page.add("\" title=\"").text(&self.query).add("\">");
        page.text(form(self.value())).add("</data>");
    }
}

/// One KPI's numbers.
pub struct Reading<'a> {
    /// The KPI.
    pub kpi: &'a plan::Kpi,
    numbers: &'a Numbers<'a>,
    names: BTreeMap<SeriesId, String>,
}

impl<'a> Reading<'a> {
    /// Of this KPI.
    pub fn new(plan: &Plan, kpi: &'a plan::Kpi, numbers: &'a Numbers<'a>) -> Reading<'a> {
        let families = metrics::families(plan, kpi).into_iter();
        Reading {
            kpi,
            numbers,
            names: families
                .map(|family| (family.series, family.name))
                .collect(),
        }
    }

    /// The full name of a family; empty where the KPI has none.
    pub fn name(&self, series: SeriesId) -> &str {
        self.names.get(&series).map_or("", String::as_str)
    }

    /// The sum over everything but these labels.
    pub fn sum(&self, series: SeriesId, labels: &[(&str, &str)]) -> Figure {
        self.numbers.sum(self.name(series), labels)
    }

    /// A gauge that has no partition: the one sample with these labels.
    pub fn one(&self, series: SeriesId, labels: &[(&str, &str)]) -> Figure {
        let name = self.name(series);
        let value = self.samples(series, labels).find_map(value_of);
        Figure::new(format!("{name}{}", selector(labels)), value)
    }

    /// The samples with these labels.
    pub fn samples<'s>(
        &'s self,
        series: SeriesId,
        labels: &'s [(&'s str, &'s str)],
    ) -> impl Iterator<Item = &'a Sample> + 's {
        self.numbers.samples(self.name(series), labels)
    }

    /// The buckets of a histogram added up over everything but these labels, not cumulative, with
    /// their upper edges in seconds.
    pub fn buckets(&self, series: SeriesId, labels: &[(&str, &str)]) -> Buckets {
        Buckets::of(self.samples(series, labels))
    }

    /// The label of the KPI's shortest window; a KPI without windows has none.
    pub fn shortest_window(&self) -> Option<&'a str> {
        self.kpi.windows.first().map(|window| window.label.as_str())
    }
}

/// A classic histogram, added up.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Buckets {
    edges: Vec<f64>,
    counts: Vec<u64>,
}

impl Buckets {
    /// The sum of these samples' histograms, all of the same edges.
    pub fn of<'s>(samples: impl Iterator<Item = &'s Sample>) -> Buckets {
        let mut sum = Buckets::default();
        for sample in samples {
            let Value::Histogram(histogram) = &sample.value else {
                continue;
            };
            if sum.counts.is_empty() {
                sum.edges = histogram.edges.bounds().to_vec();
                sum.counts = vec![0; histogram.counts.len()];
            }
            for (sum, count) in sum.counts.iter_mut().zip(&histogram.counts) {
                *sum += count;
            }
        }
        sum
    }

    /// With these counts.
    #[cfg(test)]
    pub fn with(edges: &[f64], counts: &[u64]) -> Buckets {
        Buckets {
            edges: edges.to_vec(),
            counts: counts.to_vec(),
        }
    }

    /// Whether nothing in it is less than `before`, as long as it is of the same edges.
    pub fn is_since(&self, before: &Buckets) -> bool {
        let mut pairs = self.counts.iter().zip(&before.counts);
        before.edges != self.edges || pairs.all(|(now, before)| now >= before)
    }

    /// What came since `before`; all of it where `before` is of other edges.
    pub fn since(&self, before: &Buckets) -> Buckets {
        let mut since = self.clone();
        if before.edges == self.edges {
            for (count, before) in since.counts.iter_mut().zip(&before.counts) {
                *count = count.saturating_sub(*before);
            }
        }
        since
    }

    /// How many observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The quantile as Prometheus' `histogram_quantile` has it: linear inside a bucket from 0 on,
    /// the last edge for what is above all edges. `None` without observations.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let all = self.count();
        let rank = quantile * all as f64;
        let mut below = 0;
        let mut lower = 0.0;
        for (count, upper) in self.counts.iter().zip(&self.edges) {
            let through = below + count;
            if *count > 0 && through as f64 >= rank {
                let inside = (rank - below as f64) / *count as f64;
                return Some(lower + (upper - lower) * inside);
            }
            (below, lower) = (through, *upper);
        }
        (all > 0).then_some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_of_buckets_is_prometheus_s() {
        let buckets = Buckets {
            edges: vec![5.0, 10.0, 60.0],
            counts: vec![50, 40, 0, 10],
        };
        assert_eq!(buckets.quantile(0.5), Some(5.0));
        assert_eq!(buckets.quantile(0.7), Some(7.5));
        assert_eq!(buckets.quantile(0.95), Some(60.0));
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn what_came_since_is_what_is_more() {
        let buckets = |counts: [u64; 3]| Buckets {
            edges: vec![5.0, 10.0],
            counts: counts.into(),
        };
        let since = buckets([7, 2, 1]).since(&buckets([5, 2, 0]));
        assert_eq!(since, buckets([2, 0, 1]));
        let other = Buckets::default();
        assert_eq!(buckets([7, 2, 1]).since(&other), buckets([7, 2, 1]));
    }

    #[test]
    fn a_ratio_over_nothing_is_none() {
        let figure = |value| Figure::new("x".into(), Some(value));
        assert_eq!(figure(1.0).over(&figure(4.0)).known(), Some(0.25));
        assert_eq!(figure(1.0).over(&figure(0.0)).known(), None);
        assert_eq!(figure(f64::NAN).known(), None);
    }

    #[test]
    fn a_selector_reads_as_a_query() {
        let labels = [("window", "5m"), ("region", "a\"b")];
        assert_eq!(selector(&labels), "{window=\"5m\",region=\"a\\\"b\"}");
        assert_eq!(selector(&[]), "");
    }

    #[test]
    fn counts_that_fell_are_no_difference() {
        let of = |counts: [u64; 2]| Buckets {
            edges: vec![5.0],
            counts: counts.to_vec(),
        };
        assert!(of([5, 3]).is_since(&of([5, 2])));
        assert!(!of([5, 3]).is_since(&of([6, 0])), "totals began anew");
        assert!(of([5, 3]).is_since(&Buckets::default()));
    }
}
