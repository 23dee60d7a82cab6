//! How a state began, as one number: state is a function of (lineage, V).
//!
//! Two workers that come to the same lineage and the same offsets have the same bytes, so writing
//! one snapshot twice is harmless, and what is committed tells from which beginning the published
//! numbers came. A lineage is the XXH3-64 of a tag and of everything that the beginning depended
//! on; a state that is carried on in another way (another plan, a gap in the log) has a lineage
//! made from the one before. All are little-endian 64-bit numbers, lists with their lengths first.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// See the file's header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lineage(pub u64);

impl Lineage {
    /// Nothing before `starts`, the first offset of each input; `plan` is the group's fingerprint.
    pub fn origin(plan: u64, starts: &[i64]) -> Lineage {
        Lineage::of(1, &[plan], &[starts])
    }

    /// The state at `offsets` was taken over by another plan.
    pub fn adopted(self, plan: u64, offsets: &[i64]) -> Lineage {
        Lineage::of(2, &[self.0, plan], &[offsets])
    }

    /// The records between `from` and `to` were gone before they were read.
    pub fn gapped(self, from: &[i64], to: &[i64]) -> Lineage {
        Lineage::of(3, &[self.0], &[from, to])
    }

    /// Totals were lost: read from `starts`, of which the first `skip` records are gone, with totals
    /// set to zero at `zeroed`.
    pub fn lost(plan: u64, starts: &[i64], skip: &[i64], zeroed: &[i64]) -> Lineage {
        Lineage::of(4, &[plan], &[starts, skip, zeroed])
    }

    /// This lineage's state, which has its gap behind it, had its totals set to zero at `zeroed`;
    /// `unread` records of each input were gone before anybody had read them.
    pub fn zeroed(self, zeroed: &[i64], unread: &[i64]) -> Lineage {
        Lineage::of(5, &[self.0], &[zeroed, unread])
    }

    /// The log is another one than that of `self`: begun anew at `starts`. Not an origin: an old
    /// snapshot with the same starts must never be taken for one of the new log.
    pub fn recreated(self, plan: u64, starts: &[i64]) -> Lineage {
        Lineage::of(6, &[self.0, plan], &[starts])
    }

    /// Taken over from tasks that had other topics, each state of this lineage: by input, `None` for
    /// one that nobody had read. At `offsets`, by another plan.
    pub fn carried(plan: u64, lineages: &[Option<Lineage>], offsets: &[i64]) -> Lineage {
        let known = lineages.iter().map(|one| i64::from(one.is_some()));
        let known: Vec<i64> = known.collect();
        let lineages = lineages.iter().map(|one| one.map_or(0, |one| one.0 as i64));
        let lineages: Vec<i64> = lineages.collect();
        Lineage::of(7, &[plan], &[&known, &lineages, offsets])
    }

    fn of(tag: u64, numbers: &[u64], lists: &[&[i64]]) -> Lineage {
        let mut bytes = Vec::new();
        for number in std::iter::once(&tag).chain(numbers) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for list in lists {
            bytes.extend_from_slice(&(list.len() as u64).to_le_bytes());
            for offset in *list {
                bytes.extend_from_slice(&offset.to_le_bytes());
            }
        }
        Lineage(xxh3_64(&bytes))
    }
}

impl fmt::Display for Lineage {
    /// Sixteen hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

/// Sixteen lower-case hexadecimal digits, and nothing else.
pub(crate) fn parse_hex(text: &str) -> Option<u64> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == 16 && text.bytes().all(digits))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_begin_has_its_own_lineage() {
        let origin = Lineage::origin(7, &[1, 2]);
        let all = [
            origin,
            Lineage::origin(8, &[1, 2]),
            Lineage::origin(7, &[2, 1]),
            origin.adopted(7, &[1, 2]),
            origin.gapped(&[1, 2], &[3, 4]),
            origin.gapped(&[1], &[2, 3, 4]),
            Lineage::lost(7, &[1, 2], &[0, 0], &[3, 4]),
            Lineage::lost(7, &[1, 2], &[2, 0], &[3, 4]),
            Lineage::carried(7, &[Some(origin), None], &[1, 2]),
            Lineage::carried(7, &[None, Some(origin)], &[1, 2]),
            Lineage::carried(7, &[Some(Lineage(0)), Some(origin)], &[1, 2]),
            origin.zeroed(&[1, 2], &[3, 4]),
            origin.recreated(7, &[1, 2]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at} has a twin");
        }
        assert_eq!(origin, Lineage::origin(7, &[1, 2]));
    }

    #[test]
    fn only_sixteen_lower_case_digits_are_read() {
        assert_eq!(parse_hex("00000000000000ff"), Some(255));
        for bad in ["ff", "00000000000000FF", "+000000000000ff1", ""] {
            assert_eq!(parse_hex(bad), None, "{bad}");
        }
    }
}
