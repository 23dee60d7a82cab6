//! What is committed to Kafka with each offset: where the state at that offset comes from.
//!
//! `kept1 <lineage> <origin or -> <clock or -> <served> <partitions>`, in the commit's metadata. A
//! commit without such a note was made by somebody else.

use std::fmt;

use events::EventTime;

use crate::lineage::{Lineage, parse_hex};

/// See the file's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// How the state began.
    pub lineage: Lineage,
    /// The first offset of this partition that the state was made from; `None` where reading from
    /// there again would not give the same state.
    pub origin: Option<i64>,
    /// The partition's clock at the committed offset.
    pub clock: Option<EventTime>,
    /// Whether the task was ever shown at or before this offset.
    pub served: bool,
    /// How many partitions the topic had.
    pub partitions: i32,
}

const MAGIC: &str = "kept1";

impl Note {
    /// Reads one; `None` if it isn't Kept's.
    pub fn parse(text: &str) -> Option<Note> {
        let words: Vec<&str> = text.split(' ').collect();
        let [MAGIC, lineage, origin, clock, served, partitions] = words[..] else {
            return None;
        };
        let optional = |word: &str| match word {
            "-" => Some(None),
            number => number.parse::<i64>().ok().map(Some),
        };
        Some(Note {
            lineage: Lineage(parse_hex(lineage)?),
            origin: optional(origin)?,
            clock: optional(clock)?.map(EventTime),
            served: match served {
                "0" => false,
                "1" => true,
                _ => return None,
            },
            partitions: partitions.parse().ok().filter(|count| *count > 0)?,
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{MAGIC} {} ", self.lineage)?;
        for number in [self.origin, self.clock.map(|clock| clock.0)] {
            match number {
                Some(number) => write!(out, "{number} ")?,
                None => write!(out, "- ")?,
            }
        }
        write!(out, "{} {}", u8::from(self.served), self.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let full = Note {
            lineage: Lineage(0xabc),
            origin: Some(17),
            clock: Some(EventTime(-5)),
            served: true,
            partitions: 8,
        };
        let bare = Note {
            origin: None,
            clock: None,
            served: false,
            ..full
        };
        assert_eq!(full.to_string(), "kept1 0000000000000abc 17 -5 1 8");
        for note in [full, bare] {
            assert_eq!(Note::parse(&note.to_string()), Some(note));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_not_a_note() {
        for text in [
            "",
            "kept2 0000000000000abc 17 -5 1 8",
            "kept1 0000000000000abc 17 -5 2 8",
            "kept1 0000000000000abc 17 -5 1 0",
            "kept1 0000000000000abc 17 -5 1 8 9",
            "kept1 abc 17 -5 1 8",
            "kept1 0000000000000abc x -5 1 8",
        ] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }
}
