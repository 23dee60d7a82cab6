//! The values of one dimension on one topic-partition, numbered in order of first appearance.
//!
//! Number 0 is `unknown` (missing or empty), 1 is `other` (beyond the limit). One dictionary lives
//! on one topic-partition, so a value's number is a function of that partition's prefix alone.

mod saved;

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::encode::Encoder;

/// A value's number.
pub type ValueId = u16;

/// Missing or empty.
pub const UNKNOWN: ValueId = 0;
/// Beyond the limit.
pub const OTHER: ValueId = 1;

/// Bytes of a value that are told apart and shown: a label value must not bloat every scrape.
const VALUE_BYTES: usize = 128;

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Dictionary {
    values: Vec<Arc<str>>,
    index: HashTable<ValueId>,
    limit: usize,
    last: ValueId,
}

impl Dictionary {
    /// With room for `limit` values beside `unknown` and `other`.
    pub fn new(limit: usize) -> Dictionary {
        let limit = limit.min(usize::from(ValueId::MAX) - 2);
        let mut dictionary = Dictionary {
            values: Vec::new(),
            index: HashTable::new(),
            limit: 2,
            last: UNKNOWN,
        };
        dictionary.number("unknown");
        dictionary.number("other");
        dictionary.limit = limit + 2;
        dictionary
    }

    /// Makes room for a declared value and numbers it, whatever the limit.
    pub fn declare(&mut self, value: &str) {
        let before = self.values.len();
        self.limit = self.limit.max(before + 1);
        self.number(&printable(cut(value)));
        self.limit += self.values.len() - before;
    }

    /// The number of a value, and whether it is `OTHER` for want of room; `None` is `unknown`. Long
    /// values are cut, control characters replaced.
    pub fn intern(&mut self, value: Option<&str>) -> (ValueId, bool) {
        let number = self.number_of(value);
        (number, number == OTHER && value != Some("other"))
    }

    fn number_of(&mut self, value: Option<&str>) -> ValueId {
        let Some(value) = value.map(cut) else {
            return UNKNOWN;
        };
        if *self.values[usize::from(self.last)] == *value {
            return self.last;
        }
        self.number(&printable(value))
    }

    /// The value with this number.
    pub fn value(&self, number: ValueId) -> &Arc<str> {
        &self.values[usize::from(number)]
    }

    /// Writes the values in order.
    pub fn encode(&self, out: &mut Encoder) {
        out.length(self.values.len());
        for value in &self.values {
            out.text(value);
        }
    }

    fn find(&self, value: &str) -> Option<ValueId> {
        let hash = xxh3_64(value.as_bytes());
        let is_it = |number: &ValueId| *self.values[usize::from(*number)] == *value;
        self.index.find(hash, is_it).copied()
    }

    fn number(&mut self, value: &str) -> ValueId {
        if let Some(number) = self.find(value) {
            self.last = number;
            return number;
        }
        if self.values.len() >= self.limit {
            return OTHER;
        }
        let number = self.values.len() as ValueId;
        self.values.push(value.into());
        let values = &self.values;
        self.index
            .insert_unique(xxh3_64(value.as_bytes()), number, |number| {
                xxh3_64(values[usize::from(*number)].as_bytes())
            });
        self.last = number;
        number
    }
}

/// At most `VALUE_BYTES` of a text, whole characters.
fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(VALUE_BYTES)]
}

/// Without control characters: they are legal in an exposition, but terminals and some parsers act
/// on them. U+FFFD is longer than what it stands for, so the text is cut again.
fn printable(value: &str) -> Cow<'_, str> {
    if !value.chars().any(char::is_control) {
        return Cow::Borrowed(value);
    }
    let mut replaced = value.replace(char::is_control, "\u{fffd}");
    replaced.truncate(cut(&replaced).len());
    Cow::Owned(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_limit_are_other_and_known_ones_stay() {
        let mut dictionary = Dictionary::new(2);
        assert_eq!(dictionary.intern(None).0, UNKNOWN);
        assert_eq!(dictionary.intern(Some("unknown")).0, UNKNOWN);
        let first = dictionary.intern(Some("eu")).0;
        let second = dictionary.intern(Some("us")).0;
        assert_eq!((first, second), (2, 3));
        assert_eq!(dictionary.intern(Some("asia")).0, OTHER);
        assert_eq!(dictionary.intern(Some("eu")).0, first);
        assert_eq!(dictionary.intern(Some("asia")), (OTHER, true));
        let own = dictionary.intern(Some("other"));
        assert_eq!(own, (OTHER, false), "a value in its own right");
        assert_eq!(&**dictionary.value(second), "us");
    }

    #[test]
    fn declared_values_keep_their_place_beyond_the_limit() {
        let mut dictionary = Dictionary::new(1);
        dictionary.declare("eu");
        dictionary.declare("us");
        dictionary.declare("us");
        assert_eq!(dictionary.intern(Some("asia")).0, 4);
        assert_eq!(dictionary.intern(Some("africa")).0, OTHER);
        assert_eq!(dictionary.intern(Some("us")).0, 3);
    }

    #[test]
    fn control_characters_are_replaced_once_and_for_all() {
        let mut dictionary = Dictionary::new(3);
        let number = dictionary.intern(Some("a\r\0\u{1b}\u{7f}\u{85}b")).0;
        let shown = "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}b";
        assert_eq!(&**dictionary.value(number), shown);
        assert_eq!(dictionary.intern(Some(shown)).0, number);
        assert_eq!(dictionary.intern(Some("a\n\n\n\n\nb")).0, number);
        let long = dictionary.intern(Some(&"\n".repeat(200))).0;
        assert_eq!(dictionary.value(long).len(), VALUE_BYTES / 3 * 3);
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let mut dictionary = Dictionary::new(2);
        let long = "ä".repeat(200);
        let number = dictionary.intern(Some(&long)).0;
        assert_eq!(dictionary.value(number).len(), VALUE_BYTES);
        assert_eq!(dictionary.intern(Some(&long)).0, number);
    }
}
