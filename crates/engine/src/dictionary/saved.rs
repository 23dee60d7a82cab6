//! A dictionary out of a snapshot: the numbers stay what they were, whatever the plan declares now.

use super::{Dictionary, VALUE_BYTES, ValueId};
use crate::decode::{Decoder, Read, Unsound};

impl Dictionary {
    /// How many values have a number.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The values that `encode` wrote, in their order, and behind them what only `declared` has: the
    /// dictionary that the plan makes, whose limit holds.
    pub fn read(from: &mut Decoder<'_>, declared: &Dictionary) -> Read<Dictionary> {
        let mut dictionary = Dictionary::new(0);
        let count = from.length(8)?;
        for number in 0..count {
            let value = from.text(VALUE_BYTES)?;
            let known = dictionary.values.get(number).map(|value| &**value);
            match known {
                Some(known) if known == value => {}
                Some(_) => return Err(Unsound("a dictionary without unknown and other")),
                None => dictionary.append(value, number)?,
            }
        }
        for value in &declared.values {
            let room = dictionary.values.len() < usize::from(ValueId::MAX);
            if room && dictionary.find(value).is_none() {
                let next = dictionary.values.len();
                dictionary.append(value, next)?;
            }
        }
        dictionary.limit = declared.limit;
        Ok(dictionary)
    }

    /// Adds the value with the next number, which nobody had before.
    fn append(&mut self, value: &str, number: usize) -> Read<()> {
        if number >= usize::from(ValueId::MAX) || self.find(value).is_some() {
            return Err(Unsound("a dictionary with a value twice"));
        }
        self.limit = number + 1;
        self.number(value);
        Ok(())
    }
}
