//! What is committed to Kafka with each offset: where the state at that offset comes from.
//!
//! `kept1 <lineage> <origin or -> <clock or -> <served> <partitions>`, then words of their own, in any
//! order, each only where it is known: `topic=<topic id>` and `last=<offset>:<timestamp or ->:<digest>`.
//! In the commit's metadata, of which Kafka takes 4096 bytes; a commit without such a note was made
//! by somebody else.
//!
//! Versions: the first six words stay as they are. What is added is a `name=value` that a reader may
//! skip, as this one skips names it doesn't know, and may miss, as in the notes of an older Kept: then
//! it is unknown. Anything that can't be skipped is another first word than `kept1`.

use std::fmt;

use events::{EventTime, KafkaTime};

use crate::header::LastRecord;
use crate::lineage::{Lineage, parse_hex};
use crate::log_id::LogId;

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
    /// The topic that was read, if the brokers tell topics apart.
    pub log: Option<LogId>,
    /// The last record before the committed offset, if one was read.
    pub last: Option<LastRecord>,
}

const MAGIC: &str = "kept1";

impl Note {
    /// Reads one; `None` if it isn't Kept's.
    pub fn parse(text: &str) -> Option<Note> {
        let words: Vec<&str> = text.split(' ').collect();
        let [
            MAGIC,
            lineage,
            origin,
            clock,
            served,
            partitions,
            ref more @ ..,
        ] = words[..]
        else {
            return None;
        };
        let optional = |word: &str| match word {
            "-" => Some(None),
            number => number.parse::<i64>().ok().map(Some),
        };
        let (mut log, mut last) = (None, None);
        for word in more {
            match word.split_once('=')? {
                ("topic", id) => log = Some(LogId::parse(id)?),
                ("last", record) => last = Some(parse_last(record)?),
                _ => {}
            }
        }
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
            log,
            last,
        })
    }
}

fn parse_last(text: &str) -> Option<LastRecord> {
    let mut parts = text.split(':');
    let (offset, timestamp, digest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some(LastRecord {
        offset: offset.parse().ok()?,
        timestamp: match timestamp {
            "-" => None,
            number => Some(KafkaTime(number.parse().ok()?)),
        },
        digest: parse_hex(digest)?,
    })
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
        write!(out, "{} {}", u8::from(self.served), self.partitions)?;
        if let Some(log) = self.log {
            write!(out, " topic={log}")?;
        }
        if let Some(last) = self.last {
            write!(out, " last={}:", last.offset)?;
            match last.timestamp {
                Some(time) => write!(out, "{}:", time.0)?,
                None => write!(out, "-:")?,
            }
            write!(out, "{:016x}", last.digest)?;
        }
        Ok(())
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
            log: LogId::new(1),
            last: Some(LastRecord {
                offset: 19,
                timestamp: Some(KafkaTime(-7)),
                digest: 0xd,
            }),
        };
        let untimed = Note {
            last: full.last.map(|last| LastRecord {
                timestamp: None,
                ..last
            }),
            ..full
        };
        let bare = Note {
            origin: None,
            clock: None,
            served: false,
            log: None,
            last: None,
            ..full
        };
        assert_eq!(
            full.to_string(),
            "kept1 0000000000000abc 17 -5 1 8 topic=AAAAAAAAAAAAAAAAAAAAAQ last=19:-7:000000000000000d"
        );
        assert_eq!(bare.to_string(), "kept1 0000000000000abc - - 0 8");
        for note in [full, untimed, bare] {
            assert_eq!(Note::parse(&note.to_string()), Some(note));
        }
    }

    #[test]
    fn a_note_of_an_older_or_newer_kept_is_read_as_far_as_it_goes() {
        let old = Note::parse("kept1 0000000000000abc 17 -5 1 8").expect("an older one's");
        assert_eq!((old.origin, old.log, old.last), (Some(17), None, None));
        let new = "kept1 0000000000000abc 17 -5 1 8 epoch=7 topic=AAAAAAAAAAAAAAAAAAAAAQ";
        let new = Note::parse(new).expect("a newer one's");
        assert_eq!((new.origin, new.log), (Some(17), LogId::new(1)));
    }

    #[test]
    fn the_longest_note_is_far_below_what_kafka_takes() {
        let longest = Note {
            lineage: Lineage(u64::MAX),
            origin: Some(i64::MAX),
            clock: Some(EventTime(i64::MIN)),
            served: true,
            partitions: i32::MAX,
            log: LogId::new(u128::MAX),
            last: Some(LastRecord {
                offset: i64::MAX,
                timestamp: Some(KafkaTime(i64::MIN)),
                digest: u64::MAX,
            }),
        };
        let bytes = longest.to_string().len();
        assert!(bytes < 256, "{bytes} of 4096 bytes");
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
            "kept1 0000000000000abc 17 -5 1 8 topic=9",
            "kept1 0000000000000abc 17 -5 1 8 last=1:2",
            "kept1 0000000000000abc 17 -5 1 8 last=1:2:000000000000000d:4",
            "kept1 0000000000000abc x -5 1 8",
        ] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }
}
