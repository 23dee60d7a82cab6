//! Finds which of a fixed set of names a text is: event types, members of `data`.
//!
//! Looked up ten times an event, so: an open hash table four times as large as the set, a hash of
//! the length and of the first and last eight bytes, then one comparison. Hostile names can't
//! make it slow: the table holds only our own names, and a probe ends at the first free slot.

/// The set; an entry's number is its index.
pub(crate) struct Names {
    names: Vec<Box<str>>,
    /// Index into `names`, `FREE` where there is none. A power of two long.
    slots: Vec<u16>,
    shift: u32,
}

const FREE: u16 = u16::MAX;

impl Names {
    /// The names are distinct; fewer than 65,535 of them.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Names {
        let names: Vec<Box<str>> = names.map(Box::from).collect();
        assert!(names.len() < usize::from(FREE), "too many names");
        let size = (names.len() * 4).next_power_of_two().max(16);
        let mut table = Names {
            names,
            slots: vec![FREE; size],
            shift: 64 - size.trailing_zeros(),
        };
        for index in 0..table.names.len() {
            let mut slot = table.slot(&table.names[index]);
            while table.slots[slot] != FREE {
                slot = (slot + 1) & (size - 1);
            }
            table.slots[slot] = index as u16;
        }
        table
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The index of `name`.
    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        let mut slot = self.slot(name);
        loop {
            let index = self.slots[slot];
            if index == FREE {
                return None;
            }
            if *self.names[usize::from(index)] == *name {
                return Some(index);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn slot(&self, name: &str) -> usize {
        let bytes = name.as_bytes();
        let word = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(first), Some(last)) => {
                u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23)
            }
            _ => bytes
                .iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
        let word = word ^ (bytes.len() as u64) << 56;
        // Fibonacci hashing: the high bits of the product depend on all bits of the word.
        let hash = (word ^ word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> self.shift) as usize
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
