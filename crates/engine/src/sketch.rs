//! How long things took: counts by bucket, sparse, mergeable by addition.
//!
//! A bucket is hdrhistogram's: with two significant digits a value and the lowest value of its
//! bucket differ by less than 1/128. `RELATIVE_ERROR` is what help texts and tests state. Durations
//! are in microseconds; everything below 256 us is exact.

use events::Span;
use hdrhistogram::Histogram;

/// The largest relative difference between a percentile shown and the exact one.
pub const RELATIVE_ERROR: f64 = 1.0 / 128.0;

/// Counts by bucket, ascending by the bucket's lowest value in microseconds.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Sketch {
    buckets: Vec<(u64, u64)>,
}

/// The largest duration told apart from larger ones: about 69 years.
const HIGHEST: u64 = 1 << 51;
const SUB_BUCKET_BITS: u32 = 8;

/// The lowest value of the bucket that `span` falls into, as hdrhistogram (two digits) has it.
pub fn bucket_of(span: Span) -> u64 {
    let value = u64::try_from(span.0).unwrap_or(0).min(HIGHEST - 1);
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(SUB_BUCKET_BITS);
    value >> shift << shift
}

impl Sketch {
    /// Adds `count` observations of one bucket (a value of `bucket_of`).
    pub fn add(&mut self, bucket: u64, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// The buckets, ascending.
    pub fn buckets(&self) -> &[(u64, u64)] {
        &self.buckets
    }

    /// How many observations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|entry| entry.1).sum()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Sketch) {
        for &(bucket, count) in &other.buckets {
            self.add(bucket, count);
        }
    }

    /// The values at these quantiles, in seconds; `None` where there is no observation.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> Option<[f64; N]> {
        if self.buckets.is_empty() {
            return None;
        }
        let mut histogram = new_histogram();
        for &(bucket, count) in &self.buckets {
            histogram.record_n(bucket, count).expect("bucket_of caps its values at HIGHEST");
        }
        Some(quantiles.map(|q| histogram.value_at_quantile(q) as f64 / 1e6))
    }
}

/// An empty histogram of the same buckets.
fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST, 2).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_hdrhistogram_s() {
        let histogram = new_histogram();
        for power in 0..51 {
            for offset in [0u64, 1, 3, 77, 1_000_003] {
                let value = (1u64 << power) + offset;
                if value < HIGHEST {
                    let expected = histogram.lowest_equivalent(value);
                    assert_eq!(bucket_of(Span(value as i64)), expected, "value {value}");
                    assert!((value - expected) as f64 <= value as f64 * RELATIVE_ERROR);
                }
            }
        }
    }
}
