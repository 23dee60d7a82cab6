//! How long things took since counting began, in the buckets of Prometheus' native histograms.
//!
//! Bucket k holds the durations in (2^((k-1)/128), 2^(k/128)] seconds: schema 7. Each duration is put
//! there by its own value, so a count is exact, nothing straddles an edge, and a quantile is found
//! within `RELATIVE_ERROR`, less than that of the sketches that windows are made of. Making these
//! buckets of a window's sketch would have added the errors of both. Zero has a bucket of its own.
//!
//! Kept are the buckets that hold something: at most 128 for a factor of two between the shortest and
//! the longest duration, 16 bytes each (`MOST_BYTES` for anything up to a day).

use std::sync::Arc;

use events::Span;

use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;

/// The schema: a power of two has 2^SCHEMA buckets.
pub const SCHEMA: i32 = 7;

/// A bucket's upper edge is this much greater than its lower one: 2^(1/128) - 1, rounded up.
pub const RELATIVE_ERROR: f64 = 0.005_431;

/// The most that the buckets of one histogram take if no duration is over a day: 36.4 powers of two
/// from a microsecond on.
pub const MOST_BYTES: usize = 37 * PER_POWER * size_of::<(i16, u64)>();

const PER_POWER: usize = 1 << SCHEMA;

/// The bits behind the point of an IEEE 754 double.
const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;

/// The edges within a power of two, as mantissas of doubles: bits behind the point of 2^(i/128).
static EDGES: [u64; PER_POWER] = edges();

/// The number of the bucket that a duration falls into; `None` for none at all, or less.
pub fn bucket_of(span: Span) -> Option<i16> {
    if span.0 <= 0 {
        return None;
    }
    let bits = span.seconds().to_bits();
    // Every duration from a microsecond on is a normal number.
    let power = (bits >> MANTISSA_BITS) as i64 - 1023;
    let within = EDGES.partition_point(|edge| *edge < bits & MANTISSA);
    Some((power * PER_POWER as i64 + within as i64) as i16)
}

/// See the file's header. Cloning copies nothing until one of both changes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NativeBuckets(Arc<Counts>);

#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Counts {
    zero: u64,
    /// Ascending, none empty.
    buckets: Vec<(i16, u64)>,
}

impl NativeBuckets {
    /// Adds one duration.
    pub fn add(&mut self, span: Span) {
        let counts = Arc::make_mut(&mut self.0);
        let Some(bucket) = bucket_of(span) else {
            counts.zero += 1;
            return;
        };
        match counts
            .buckets
            .binary_search_by_key(&bucket, |entry| entry.0)
        {
            Ok(at) => counts.buckets[at].1 += 1,
            Err(at) => counts.buckets.insert(at, (bucket, 1)),
        }
    }

    /// Durations of zero.
    pub fn zero(&self) -> u64 {
        self.0.zero
    }

    /// Number and count of the others' buckets, ascending, none empty.
    pub fn buckets(&self) -> &[(i16, u64)] {
        &self.0.buckets
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.0.zero + self.0.buckets.iter().map(|entry| entry.1).sum::<u64>()
    }

    /// The bytes outside of itself.
    pub fn bytes(&self) -> usize {
        size_of::<Counts>() + self.0.buckets.capacity() * size_of::<(i16, u64)>()
    }

    /// Writes them, canonically.
    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.unsigned(self.0.zero);
        out.length(self.0.buckets.len());
        for (bucket, count) in &self.0.buckets {
            out.raw(&bucket.to_le_bytes());
            out.unsigned(*count);
        }
    }

    /// What `encode` wrote, of `count` durations altogether.
    pub(crate) fn read(from: &mut Decoder<'_>, count: u64) -> Read<NativeBuckets> {
        let mut counts = Counts {
            zero: from.count()?,
            buckets: Vec::new(),
        };
        let mut sum = counts.zero;
        for _ in 0..from.length(10)? {
            let bucket = i16::from_le_bytes([from.byte()?, from.byte()?]);
            let here = from.count()?;
            let last = counts.buckets.last();
            if here == 0 || last.is_some_and(|last: &(i16, u64)| last.0 >= bucket) {
                return Err(Unsound("native buckets that can't be"));
            }
            sum = sum.saturating_add(here);
            counts.buckets.push((bucket, here));
        }
        if sum != count {
            return Err(Unsound("native buckets of other durations"));
        }
        Ok(NativeBuckets(Arc::new(counts)))
    }
}

/// 2^(i/128) for each i, by square roots of whole numbers: the same on every machine.
const fn edges() -> [u64; PER_POWER] {
    // Numbers below 2 with 63 bits behind the point.
    const POINT: u32 = 63;
    let mut edges = [0; PER_POWER];
    let mut i = 0;
    while i < PER_POWER {
        let (mut root, mut product) = (1u128 << (POINT + 1), 1u128 << POINT);
        let mut bit = PER_POWER >> 1;
        while bit > 0 {
            root = (root << POINT).isqrt();
            if i & bit != 0 {
                product = (product * root) >> POINT;
            }
            bit >>= 1;
        }
        edges[i] = (product >> (POINT - MANTISSA_BITS)) as u64 & MANTISSA;
        i += 1;
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edge by the definition, straight from the float library.
    fn edge(bucket: i16) -> f64 {
        (f64::from(bucket) / 128.0).exp2()
    }

    #[test]
    fn a_duration_is_in_the_bucket_whose_edges_are_around_it() {
        let mut seed = 7u64;
        for round in 0..200_000u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let micros = 1 + (seed >> 13 >> (round % 50));
            let span = Span(micros as i64);
            let bucket = bucket_of(span).expect("it is above zero");
            let (low, high) = (edge(bucket - 1), edge(bucket));
            let seconds = span.seconds();
            // The float library's last digit is not to be relied upon.
            assert!(
                low * (1.0 - 1e-15) < seconds && seconds <= high * (1.0 + 1e-15),
                "seed 7, round {round}: {micros} us in ({low}, {high}]"
            );
            assert!(high / low - 1.0 < RELATIVE_ERROR, "{low} to {high}");
        }
    }

    #[test]
    fn powers_of_two_are_the_last_of_their_bucket() {
        for power in 0..33 {
            let span = Span::from_seconds(1 << power);
            assert_eq!(bucket_of(span), Some(128 * power), "2^{power} s");
            let longer = Span(span.0 + 1);
            assert_eq!(
                bucket_of(longer),
                Some(128 * power + 1),
                "2^{power} s + 1 us"
            );
        }
        assert_eq!(bucket_of(Span(250_000)), Some(-256));
        assert_eq!(bucket_of(Span(15_625)), Some(-768));
        assert_eq!(bucket_of(Span::ZERO), None);
        assert_eq!(bucket_of(Span(-1)), None);
        assert!(bucket_of(Span(i64::MAX)).is_some_and(|bucket| bucket > 5500));
    }

    #[test]
    fn counts_are_of_each_bucket_and_a_copy_stays_as_it_was() {
        let mut buckets = NativeBuckets::default();
        for micros in [0, 2_000_000, 1_000_000, 2_000_000, -5] {
            buckets.add(Span(micros));
        }
        let before = buckets.clone();
        buckets.add(Span::from_seconds(60));
        assert_eq!(
            (before.zero(), before.buckets()),
            (2, &[(0, 1), (128, 2)][..])
        );
        assert_eq!((before.count(), buckets.count()), (5, 6));
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let mut buckets = NativeBuckets::default();
        for micros in [0, 2_000_000, 1_000_000, 2_000_000] {
            buckets.add(Span(micros));
        }
        let mut out = Encoder::default();
        buckets.encode(&mut out);
        let bytes = out.into_bytes();
        let read = |bytes: &[u8], count| NativeBuckets::read(&mut Decoder::new(bytes), count);
        assert_eq!(read(&bytes, 4), Ok(buckets));
        assert!(read(&bytes, 5).is_err(), "of other durations");
        assert!(read(&bytes[..bytes.len() - 1], 4).is_err(), "cut off");
        let mut turned = bytes.clone();
        turned[16..18].copy_from_slice(&300i16.to_le_bytes());
        assert!(read(&turned, 4).is_err(), "not ascending");
    }

    #[test]
    fn a_day_of_durations_stays_within_the_bound() {
        let mut buckets = NativeBuckets::default();
        let mut micros = 1.0f64;
        while micros < 86_400e6 {
            buckets.add(Span(micros as i64));
            micros = (micros * 1.002).max(micros + 1.0);
        }
        let used = size_of_val(buckets.buckets());
        assert!(used > MOST_BYTES / 2 && used <= MOST_BYTES, "{used}");
    }
}
