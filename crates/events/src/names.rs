//! Finds which of a fixed set of names a text is: event types, members of `data`.
//!
//! Looked up ten times an event, so: an open hash table four times as large as the set, keyed by
//! the length and the first and last eight bytes, which are all there is of most names. Hostile
//! names can't make it slow: only our own are in it, and a search ends at the first free slot.

/// The set; an entry's number is its index.
pub(crate) struct Names {
    names: Vec<Box<str>>,
    /// A power of two long.
    slots: Vec<Slot>,
    shift: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    print: Print,
    /// Index into `names`, `FREE` where there is none.
    index: u16,
}

const FREE: u16 = u16::MAX;

/// All of a name of up to 16 bytes, some of a longer one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print {
    ends: [u64; 2],
    length: usize,
}

impl Print {
    #[inline(always)]
    fn of(name: &[u8]) -> Print {
        let ends = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            [
                u32::from_le_bytes(*first).into(),
                u32::from_le_bytes(*last).into(),
            ]
        } else {
            [
                name.iter()
                    .fold(0, |word, &byte| word << 8 | u64::from(byte)),
                0,
            ]
        };
        Print {
            ends,
            length: name.len(),
        }
    }

    /// Fibonacci hashing: the high bits of the product depend on all bits of the word.
    #[inline(always)]
    fn hash(self) -> u64 {
        let word = self.ends[0] ^ self.ends[1].rotate_left(23) ^ self.length as u64;
        (word ^ word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Names {
    /// The names are distinct; fewer than 65,535 of them.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Names {
        let names: Vec<Box<str>> = names.map(Box::from).collect();
        assert!(names.len() < usize::from(FREE), "too many names");
        let size = (names.len() * 4).next_power_of_two().max(16);
        let free = Slot {
            print: Print::of(b""),
            index: FREE,
        };
        let mut slots = vec![free; size];
        let shift = u64::BITS - size.trailing_zeros();
        for (index, name) in names.iter().enumerate() {
            let print = Print::of(name.as_bytes());
            let mut at = (print.hash() >> shift) as usize;
            while slots[at].index != FREE {
                at = (at + 1) & (size - 1);
            }
            slots[at] = Slot {
                print,
                index: index as u16,
            };
        }
        Names {
            names,
            slots,
            shift,
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The index of `name`.
    #[inline(always)]
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        let print = Print::of(name.as_bytes());
        let mut at = (print.hash() >> self.shift) as usize;
        loop {
            let slot = self.slots[at];
            if slot.index == FREE {
                return None;
            }
            if slot.print == print && (print.length <= 16 || self.is(slot.index, name)) {
                return Some(slot.index);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn is(&self, index: u16, name: &str) -> bool {
        *self.names[usize::from(index)] == *name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], absent: &[&str]) {
        let table = Names::new(names.iter().copied());
        assert_eq!(table.len(), names.len());
        for (index, name) in names.iter().enumerate() {
            assert_eq!(table.find(name), Some(index as u16), "{name}");
        }
        for name in absent {
            assert_eq!(table.find(name), None, "{name}");
        }
    }

    #[test]
    fn finds_each_name_and_no_other() {
        check(&[], &["", "id"]);
        check(
            &["order.placed"],
            &["order.place", "order.placed ", "Order.placed", ""],
        );
        check(
            &[
                "order_id",
                "cart_id",
                "region",
                "é",
                "",
                "a",
                "b",
                "ab",
                "order.placed",
                "x\0",
            ],
            &["order_ie", "regio", "regions", "\0", "c", "ba", "x"],
        );
    }

    #[test]
    fn names_with_the_same_hash_are_told_apart() {
        let middle: Vec<String> = (0..500)
            .map(|number| format!("shared-prefix-{number:04}-shared-suffix"))
            .collect();
        let names: Vec<&str> = middle.iter().map(String::as_str).collect();
        check(
            &names,
            &[
                "shared-prefix-0500-shared-suffix",
                "shared-prefix-shared-suffix",
            ],
        );
    }
}
