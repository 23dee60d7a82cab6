//! How long things took since counting began, in the buckets of Prometheus' native histograms.
//!
//! Bucket k holds the durations in (2^((k-1)/128), 2^(k/128)] seconds: schema 7. Each duration is put
//! there by its own value, so a count is exact, nothing straddles an edge, and a quantile is found
//! within `RELATIVE_ERROR`, less than that of the sketches that windows are made of. Making these
//! buckets of a window's sketch would have added the errors of both. Zero has a bucket of its own.
//!
//! The counts of whole powers of two lie side by side, from the shortest duration's to the longest's,
//! so that counting one more is an index and no search: 1 KiB for a factor of two (`MOST_BYTES` for
//! anything from a microsecond to a day). What is written or compared are the buckets that hold
//! something, wherever the powers begin and end.

use std::sync::Arc;

use events::Span;

use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;

/// The schema: a power of two has 2^SCHEMA buckets.
pub const SCHEMA: i32 = 7;

/// A bucket's upper edge is this much greater than its lower one: 2^(1/128) - 1, rounded up.
pub const RELATIVE_ERROR: f64 = 0.005_431;

/// The most that the buckets of one histogram take if no duration is over a day: 36.4 powers of two
/// from a microsecond on, which begin and end within one.
pub const MOST_BYTES: usize = 38 * PER_POWER * size_of::<u64>();

const PER_POWER: usize = 1 << SCHEMA;

/// The bits behind the point of an IEEE 754 double.
const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;

/// The edges within a power of two, as mantissas of doubles: bits behind the point of 2^(i/128).
/// After them one that nothing is above.
static EDGES: [u64; PER_POWER + 1] = edges();

/// A power of two is cut into this many equal parts, so narrow that none has two edges: the first
/// ones would, if they were twice as wide.
const PART_BITS: u32 = 8;

/// How many edges are below the beginning of each part.
static BELOW: [u8; 1 << PART_BITS] = below();

/// The number of the bucket that a duration falls into; `None` for none at all, or less.
pub fn bucket_of(span: Span) -> Option<i16> {
    if span.0 <= 0 {
        return None;
    }
    let bits = span.seconds().to_bits();
    // Every duration from a microsecond on is a normal number.
    let power = (bits >> MANTISSA_BITS) as i64 - 1023;
    Some((power * PER_POWER as i64 + edges_below(bits & MANTISSA) as i64) as i16)
}

/// How many edges within a power of two are below the mantissa.
fn edges_below(mantissa: u64) -> usize {
    let below = usize::from(BELOW[(mantissa >> (MANTISSA_BITS - PART_BITS)) as usize]);
    below + usize::from(EDGES[below] < mantissa)
}

/// See the file's header. Cloning copies nothing until one of both changes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NativeBuckets(Arc<Counts>);

#[derive(Clone, Default, Debug)]
struct Counts {
    zero: u64,
    /// The number of the first bucket there is room for: that of a power of two.
    first: i16,
    /// Of the first bucket and those after it, empty ones too: whole powers of two.
    counts: Vec<u64>,
}

impl Counts {
    /// Ascending, none empty.
    fn buckets(&self) -> impl Iterator<Item = (i16, u64)> {
        let numbered = (self.first..).zip(&self.counts);
        numbered.filter_map(|(bucket, count)| (*count > 0).then_some((bucket, *count)))
    }

    /// Where a bucket is, if there is room for it.
    fn place(&self, bucket: i16) -> Option<usize> {
        let place = usize::try_from(i32::from(bucket) - i32::from(self.first)).ok()?;
        (place < self.counts.len()).then_some(place)
    }

    /// Makes room for both and what is between them. There are 64 powers of two, so this happens
    /// seldom, and moving all the counts does no harm.
    #[cold]
    fn make_room(&mut self, low: i16, high: i16) {
        let power_of = |bucket: i16| i32::from(bucket).div_euclid(PER_POWER as i32);
        let (mut begin, mut end) = (power_of(low), power_of(high) + 1);
        if !self.counts.is_empty() {
            let powers = (self.counts.len() / PER_POWER) as i32;
            begin = begin.min(power_of(self.first));
            end = end.max(power_of(self.first) + powers);
        }
        let mut counts = vec![0; (end - begin) as usize * PER_POWER];
        if !self.counts.is_empty() {
            let before = (power_of(self.first) - begin) as usize * PER_POWER;
            counts[before..][..self.counts.len()].copy_from_slice(&self.counts);
        }
        (self.first, self.counts) = ((begin * PER_POWER as i32) as i16, counts);
    }
}

impl PartialEq for Counts {
    /// By what was counted, not by the room for it.
    fn eq(&self, other: &Counts) -> bool {
        self.zero == other.zero && self.buckets().eq(other.buckets())
    }
}

impl Eq for Counts {}

impl NativeBuckets {
    /// Adds one duration.
    pub fn add(&mut self, span: Span) {
        let counts = Arc::make_mut(&mut self.0);
        let Some(bucket) = bucket_of(span) else {
            counts.zero += 1;
            return;
        };
        let place = counts.place(bucket).unwrap_or_else(|| {
            counts.make_room(bucket, bucket);
            let made = counts.place(bucket);
            made.expect("there is room for it now")
        });
        counts.counts[place] += 1;
    }

    /// Durations of zero.
    pub fn zero(&self) -> u64 {
        self.0.zero
    }

    /// Number and count of the others' buckets, ascending, none empty.
    pub fn buckets(&self) -> impl Iterator<Item = (i16, u64)> {
        self.0.buckets()
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.0.zero + self.0.counts.iter().sum::<u64>()
    }

    /// The bytes outside of itself.
    pub fn bytes(&self) -> usize {
        size_of::<Counts>() + self.0.counts.capacity() * size_of::<u64>()
    }

    /// Writes them, canonically.
    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.unsigned(self.0.zero);
        out.length(self.buckets().count());
        for (bucket, count) in self.buckets() {
            out.raw(&bucket.to_le_bytes());
            out.unsigned(count);
        }
    }

    /// What `encode` wrote, of `count` durations altogether.
    pub(crate) fn read(from: &mut Decoder<'_>, count: u64) -> Read<NativeBuckets> {
        let mut counts = Counts {
            zero: from.count()?,
            ..Counts::default()
        };
        // No duration is outside of them, so no snapshot makes more room than durations could.
        let known = bucket_of(Span(1))..=bucket_of(Span(i64::MAX));
        let mut sum = counts.zero;
        let mut buckets: Vec<(i16, u64)> = Vec::new();
        for _ in 0..from.length(10)? {
            let bucket = i16::from_le_bytes([from.byte()?, from.byte()?]);
            let here = from.count()?;
            let ascending = buckets.last().is_none_or(|last| last.0 < bucket);
            if here == 0 || !ascending || !known.contains(&Some(bucket)) {
                return Err(Unsound("native buckets that can't be"));
            }
            sum = sum.saturating_add(here);
            buckets.push((bucket, here));
        }
        if sum != count {
            return Err(Unsound("native buckets of other durations"));
        }
        if let Some((first, last)) = buckets.first().zip(buckets.last()) {
            counts.make_room(first.0, last.0);
        }
        for (bucket, here) in buckets {
            let place = counts.place(bucket);
            counts.counts[place.expect("it is between the first and the last")] = here;
        }
        Ok(NativeBuckets(Arc::new(counts)))
    }
}

/// How many edges are below the beginning of each part of a power of two.
const fn below() -> [u8; 1 << PART_BITS] {
    let edges = edges();
    let mut below = [0; 1 << PART_BITS];
    let (mut part, mut edge) = (0, 0);
    while part < below.len() {
        let start = (part as u64) << (MANTISSA_BITS - PART_BITS);
        let before = edge;
        while edges[edge] < start {
            edge += 1;
        }
        assert!(edge - before <= 1, "a part has two edges");
        below[part] = edge as u8;
        part += 1;
    }
    below
}

/// 2^(i/128) for each i, by square roots of whole numbers: the same on every machine.
const fn edges() -> [u64; PER_POWER + 1] {
    // Numbers below 2 with 63 bits behind the point.
    const POINT: u32 = 63;
    let mut edges = [u64::MAX; PER_POWER + 1];
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
        let counted: Vec<(i16, u64)> = before.buckets().collect();
        assert_eq!((before.zero(), counted), (2, vec![(0, 1), (128, 2)]));
        assert_eq!((before.count(), buckets.count()), (5, 6));
    }

    #[test]
    fn where_there_is_room_counting_takes_no_memory() {
        let mut buckets = NativeBuckets::default();
        buckets.add(Span(1));
        buckets.add(Span::from_seconds(60));
        let places = |buckets: &NativeBuckets| (Arc::as_ptr(&buckets.0), buckets.0.counts.as_ptr());
        let before = (places(&buckets), buckets.bytes());
        (0..60_000_000)
            .step_by(997)
            .for_each(|micros| buckets.add(Span(micros)));
        assert_eq!((places(&buckets), buckets.bytes()), before);
        assert!(buckets.count() > 60_000);
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
        let mut beyond = bytes.clone();
        beyond[26..28].copy_from_slice(&i16::MAX.to_le_bytes());
        assert!(read(&beyond, 4).is_err(), "no duration is that long");
    }

    #[test]
    fn equal_is_what_counted_the_same_in_whatever_order_and_room() {
        let durations = [1, 86_400_000_000, 1_000_000, 7, 1, i64::MAX];
        let of = |durations: &mut dyn Iterator<Item = &i64>| {
            let mut buckets = NativeBuckets::default();
            durations.for_each(|micros| buckets.add(Span(*micros)));
            buckets
        };
        let (up, down) = (of(&mut durations.iter()), of(&mut durations.iter().rev()));
        let bytes = |buckets: &NativeBuckets| {
            let mut out = Encoder::default();
            buckets.encode(&mut out);
            out.into_bytes()
        };
        assert_eq!((&up, bytes(&up)), (&down, bytes(&down)));
        assert_eq!((up.count(), up.buckets().count()), (6, 5));
        let mut fewer = of(&mut durations[..5].iter());
        assert_ne!(fewer, up);
        fewer.add(Span(i64::MAX));
        assert_eq!(fewer, up);
        // The same but for room that nothing is in.
        let mut wide = Counts::clone(&up.0);
        wide.make_room(-20_000, 20_000);
        let wide = NativeBuckets(Arc::new(wide));
        assert_eq!((&wide, bytes(&wide)), (&up, bytes(&up)));
    }

    #[test]
    fn an_edge_is_its_bucket_s_last_and_what_follows_it_is_the_next_one_s() {
        let edges = &EDGES[..PER_POWER];
        for (at, edge) in edges.iter().enumerate() {
            for mantissa in [edge.saturating_sub(1), *edge, edge + 1] {
                let searched = edges.partition_point(|edge| *edge < mantissa);
                assert_eq!(edges_below(mantissa), searched, "{mantissa:x} at edge {at}");
            }
        }
        assert_eq!(edges_below(MANTISSA), PER_POWER);
        assert!(edges.is_sorted());
    }

    #[test]
    fn a_day_of_durations_stays_within_the_bound() {
        let mut buckets = NativeBuckets::default();
        let mut micros = 1.0f64;
        while micros < 86_400e6 {
            buckets.add(Span(micros as i64));
            micros = (micros * 1.002).max(micros + 1.0);
        }
        let used = buckets.bytes() - size_of::<Counts>();
        assert!(used > MOST_BYTES / 2 && used <= MOST_BYTES, "{used}");
    }
}
