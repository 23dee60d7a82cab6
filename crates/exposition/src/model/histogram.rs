//! A histogram: classic buckets between edges that all its label sets share, and native ones.
//!
//! Both kinds count the same observations; the catalogue says which are published. An edge is written
//! alike in all formats.

use std::sync::Arc;

use catalogue::plan::Buckets;
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
    /// Whether those are published. If not, text still has the bucket to +Inf: it has no histograms
    /// without.
    pub is_classic: bool,
    /// The sum of the observations.
    pub sum: Number,
    /// The same observations in native buckets, if those are published.
    pub native: Option<NativeBuckets>,
}

impl Histogram {
    /// From what a view holds. Its sum is never below zero, or it would not be a counter.
    pub fn of(
        edges: &Arc<Edges>,
        histogram: &engine::view::Histogram,
        buckets: Buckets,
    ) -> Histogram {
        let native = || histogram.native.clone();
        let mut counts = histogram.counts.clone();
        counts.resize(edges.bounds.len() + 1, 0);
        let sum = Number::Seconds(histogram.sum.max(Span::ZERO));
        Histogram {
            edges: Arc::clone(edges),
            counts,
            is_classic: buckets.has_classic(),
            sum,
            native: buckets.has_native().then(native),
        }
    }

    /// The upper edges that text shows, as values of `le`, and how many observations are up to each.
    pub fn cumulative(&self) -> impl Iterator<Item = (&str, u64)> {
        let mut count = 0;
        let hidden = match self.is_classic {
            true => 0,
            false => self.edges.bounds.len(),
        };
        let all = self.edges.labels.iter().zip(&self.counts);
        let all = all.map(move |(le, bucket)| {
            count += bucket;
            (le.as_str(), count)
        });
        all.skip(hidden)
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
