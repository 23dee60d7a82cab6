//! A histogram: classic buckets between edges that all its label sets share, and native ones.
//!
//! Both kinds count the same observations. An edge is written alike in all formats.

use std::sync::Arc;

use engine::native::NativeBuckets;
use events::Span;

use super::Number;

/// A histogram.
#[derive(Clone, PartialEq, Debug)]
pub struct Histogram {
    /// Its upper edges, shared by all label sets.
    pub edges: Arc<Edges>,
    /// Observations per bucket, not cumulative; one more than there are edges.
    pub counts: Vec<u64>,
    /// The sum of the observations.
    pub sum: Number,
    /// The same observations in native buckets; `None` for those of the process, which are classic.
    pub native: Option<NativeBuckets>,
}

impl Histogram {
    /// From what a view holds. Its sum is never below zero, or it would not be a counter.
    pub fn of(edges: &Arc<Edges>, histogram: &engine::view::Histogram) -> Histogram {
        let mut counts = histogram.counts.clone();
        counts.resize(edges.bounds.len() + 1, 0);
        let sum = Number::Seconds(histogram.sum.max(Span::ZERO));
        Histogram {
            edges: Arc::clone(edges),
            counts,
            sum,
            native: Some(histogram.native.clone()),
        }
    }
}

/// Upper edges of a histogram's buckets, ascending, without +Inf.
#[derive(PartialEq, Debug)]
pub struct Edges {
    bounds: Vec<f64>,
    labels: Vec<String>,
}

impl Edges {
    /// Edges at these values.
    pub fn of(bounds: impl IntoIterator<Item = f64>) -> Arc<Edges> {
        let bounds: Vec<f64> = bounds.into_iter().collect();
        let mut labels: Vec<String> = bounds.iter().map(|bound| le(*bound)).collect();
        labels.push("+Inf".to_owned());
        Arc::new(Edges { bounds, labels })
    }

    /// Edges at these lengths of time.
    pub fn of_spans(spans: &[Span]) -> Arc<Edges> {
        Edges::of(spans.iter().map(|span| span.seconds()))
    }

    /// The edges without +Inf.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The values of the `le` label, the last one is `+Inf`. The same in all formats, or a change
    /// of format would be a change of series.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }
}

/// OpenMetrics 1.0, "Canonical Numbers": as Go's %g, with `.0` where there is neither point nor
/// exponent: `0.5`, `60.0`, `3.6e+06`.
fn le(bound: f64) -> String {
    let scientific = format!("{bound:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`:e` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`:e` writes a whole exponent");
    if (-4..6).contains(&exponent) {
        return format!("{bound:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_canonical() {
        let edges = Edges::of([
            0.0, 1e-10, 0.0001, 0.1, 1.0, 60.0, 86400.0, 1e6, 3.6e6, 1e10,
        ]);
        let expected = [
            "0.0", "1e-10", "0.0001", "0.1", "1.0", "60.0", "86400.0", "1e+06", "3.6e+06", "1e+10",
            "+Inf",
        ];
        assert_eq!(edges.labels(), expected);
    }
}
