//! How long things took: counts by bucket, sparse, mergeable by addition.
//!
//! A bucket is hdrhistogram's with two significant digits over microseconds: a value and the
//! lowest value of its bucket differ by less than 1/128, and below 256 us not at all.
//! `RELATIVE_ERROR` is what help texts and tests state. A `PaneSketch` is what one pane of a
//! window holds (8 bytes a bucket), a `Sketch` what a reader merges from panes and tasks.

use events::Span;
use hdrhistogram::Histogram;

/// The largest relative difference between a percentile shown and the exact one.
pub const RELATIVE_ERROR: f64 = 1.0 / 128.0;

/// The largest duration told apart from larger ones: about 69 years.
const HIGHEST: u64 = 1 << 51;
const SUB_BUCKET_BITS: u32 = 8;
const HALF: u64 = 1 << (SUB_BUCKET_BITS - 1);

/// The number of a bucket; ascends with the durations in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bucket(pub u16);

impl Bucket {
    /// The bucket that a duration falls into; below zero counts as zero.
    pub fn of(span: Span) -> Bucket {
        let value = u64::try_from(span.0).unwrap_or(0).min(HIGHEST - 1);
        let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BUCKET_BITS);
        Bucket((u64::from(shift) * HALF + (value >> shift)) as u16)
    }

    /// The duration in its middle.
    pub fn middle(self) -> Span {
        let (lowest, next) = (self.lowest(), Bucket(self.0 + 1).lowest());
        Span(lowest.0 + (next.0 - lowest.0) / 2)
    }

    /// The lowest duration in it.
    pub fn lowest(self) -> Span {
        let number = u64::from(self.0);
        if number < 2 * HALF {
            return Span(number as i64);
        }
        let shift = number / HALF - 1;
        Span(((number - shift * HALF) << shift) as i64)
    }
}

/// The durations of one pane.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PaneSketch {
    buckets: Vec<(Bucket, u32)>,
}

impl PaneSketch {
    /// Adds one duration.
    pub fn add(&mut self, bucket: Bucket) {
        match self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(1),
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
    }

    /// Of buckets that ascend.
    pub(crate) fn of_buckets(buckets: Vec<(Bucket, u32)>) -> PaneSketch {
        PaneSketch { buckets }
    }

    /// The buckets, ascending.
    pub fn buckets(&self) -> &[(Bucket, u32)] {
        &self.buckets
    }
}

/// Durations of many panes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Sketch {
    buckets: Vec<(Bucket, u64)>,
}

impl Sketch {
    /// The sum of these panes.
    pub fn of_panes<'a>(panes: impl Iterator<Item = &'a PaneSketch>) -> Sketch {
        let mut all: Vec<(Bucket, u64)> = Vec::new();
        for pane in panes {
            all.extend(
                pane.buckets
                    .iter()
                    .map(|&(bucket, count)| (bucket, u64::from(count))),
            );
        }
        Sketch { buckets: fold(all) }
    }

    /// The buckets, ascending.
    pub fn buckets(&self) -> &[(Bucket, u64)] {
        &self.buckets
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|entry| entry.1).sum()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Sketch) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else if !other.buckets.is_empty() {
            let mut all = std::mem::take(&mut self.buckets);
            all.extend_from_slice(&other.buckets);
            self.buckets = fold(all);
        }
    }

    /// The durations at these quantiles, in seconds; `None` where there is none.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> Option<[f64; N]> {
        if self.buckets.is_empty() {
            return None;
        }
        let mut histogram = new_histogram();
        for &(bucket, count) in &self.buckets {
            let value = bucket.lowest().0 as u64;
            histogram
                .record_n(value, count)
                .expect("Bucket::of caps its values at HIGHEST");
        }
        Some(quantiles.map(|q| histogram.value_at_quantile(q) as f64 / 1e6))
    }
}

/// Sorts by bucket and adds up equal ones.
fn fold(mut all: Vec<(Bucket, u64)>) -> Vec<(Bucket, u64)> {
    // The stable sort makes use of the runs that are in order already.
    all.sort_by_key(|entry| entry.0);
    all.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 += later.1;
        }
        same
    });
    all
}

/// An empty histogram of the same buckets.
fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST, 2).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_hdrhistograms() {
        let histogram = new_histogram();
        let mut before = Bucket(0);
        for power in 0..51 {
            for offset in [0u64, 1, 3, 77] {
                let value = (1u64 << power) + (offset << power >> 7);
                if value >= HIGHEST {
                    continue;
                }
                let bucket = Bucket::of(Span(value as i64));
                assert_eq!(
                    bucket.lowest().0 as u64,
                    histogram.lowest_equivalent(value),
                    "value {value}"
                );
                assert!((value as i64 - bucket.lowest().0) as f64 <= value as f64 * RELATIVE_ERROR);
                assert!(bucket >= before, "ascending at {value}");
                before = bucket;
            }
        }
    }

    #[test]
    fn merging_panes_and_tasks_adds_up() {
        let mut one = PaneSketch::default();
        let mut two = PaneSketch::default();
        for seconds in 1..=100 {
            let pane = if seconds % 2 == 0 { &mut one } else { &mut two };
            pane.add(Bucket::of(Span::from_seconds(seconds)));
        }
        let mut merged = Sketch::of_panes([&one].into_iter());
        merged.merge(&Sketch::of_panes([&two].into_iter()));
        assert_eq!(merged, Sketch::of_panes([&one, &two].into_iter()));
        assert_eq!(merged.count(), 100);
        let [median, p95] = merged.quantiles([0.5, 0.95]).expect("there are durations");
        assert!((median / 50.0 - 1.0).abs() <= RELATIVE_ERROR, "{median}");
        assert!((p95 / 95.0 - 1.0).abs() <= RELATIVE_ERROR, "{p95}");
    }
}
