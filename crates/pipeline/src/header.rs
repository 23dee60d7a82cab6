//! The pipeline's own part of a snapshot: what a state needs besides itself to be gone on from.
//!
//! A version byte, the lineage, then for each input: its origin, the topic's number of partitions,
//! and the last record that was read of it. Little-endian. Like the state it is a function of
//! (lineage, V), so equal names keep meaning equal bytes.

use events::{KafkaTime, Record};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::lineage::Lineage;

/// See the file's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// How the state began.
    pub lineage: Lineage,
    /// One per topic of the group.
    pub inputs: Vec<InputHeader>,
}

/// What is known of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputHeader {
    /// The first offset that the state was made from, if reading from there would make it again.
    pub origin: Option<i64>,
    /// How many partitions the topic had.
    pub partitions: i32,
    /// The last record read, by which the log is known again.
    pub last: Option<LastRecord>,
}

/// Enough of a record to tell whether the log still has this one there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp: Option<KafkaTime>,
    /// XXH3-64 of its key and its value.
    pub digest: u64,
}

const VERSION: u8 = 1;
/// Stands for "none"; offsets count from zero and Kafka's timestamps are milliseconds.
const NONE: i64 = i64::MIN;
/// Seeds, so that a missing key or value differs from an empty one.
const NO_KEY: u64 = 1;
const NO_VALUE: u64 = 2;
/// Origin, partitions, offset, timestamp, digest.
const INPUT_BYTES: usize = 8 + 4 + 8 + 8 + 8;

impl LastRecord {
    /// Of a record.
    pub fn of(offset: i64, record: &Record<'_>) -> LastRecord {
        let key = record.key.map_or(NO_KEY, xxh3_64);
        let digest = record.value.map_or_else(
            || xxh3_64_with_seed(&key.to_le_bytes(), NO_VALUE),
            |value| xxh3_64_with_seed(value, key),
        );
        LastRecord {
            offset,
            timestamp: record.timestamp,
            digest,
        }
    }
}

impl Header {
    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.lineage.0.to_le_bytes());
        for input in &self.inputs {
            let last = input.last;
            let timestamp = last.and_then(|last| last.timestamp);
            bytes.extend_from_slice(&input.origin.unwrap_or(NONE).to_le_bytes());
            bytes.extend_from_slice(&input.partitions.to_le_bytes());
            bytes.extend_from_slice(&last.map_or(NONE, |last| last.offset).to_le_bytes());
            bytes.extend_from_slice(&timestamp.map_or(NONE, |time| time.0).to_le_bytes());
            bytes.extend_from_slice(&last.map_or(0, |last| last.digest).to_le_bytes());
        }
        bytes
    }

    /// Reads it; what is wrong with it otherwise.
    pub fn parse(bytes: &[u8], inputs: usize) -> Result<Header, String> {
        let (version, mut rest) = bytes.split_first().ok_or("the header is empty")?;
        if *version != VERSION {
            return Err(format!(
                "the header has version {version}, this Kept reads {VERSION}"
            ));
        }
        if rest.len() != 8 + inputs * INPUT_BYTES {
            return Err(format!(
                "the header has {} bytes, {inputs} topics need {}",
                bytes.len(),
                9 + inputs * INPUT_BYTES
            ));
        }
        let rest = &mut rest;
        let lineage = Lineage(u64::from_le_bytes(take(rest)));
        let input = |_| {
            let origin = some(i64::from_le_bytes(take(rest)));
            let partitions = i32::from_le_bytes(take(rest));
            let offset = some(i64::from_le_bytes(take(rest)));
            let timestamp = some(i64::from_le_bytes(take(rest))).map(KafkaTime);
            let digest = u64::from_le_bytes(take(rest));
            InputHeader {
                origin,
                partitions,
                last: offset.map(|offset| LastRecord {
                    offset,
                    timestamp,
                    digest,
                }),
            }
        };
        let inputs = (0..inputs).map(input).collect();
        Ok(Header { lineage, inputs })
    }
}

fn some(number: i64) -> Option<i64> {
    (number != NONE).then_some(number)
}

/// The next bytes; the length was checked before.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (bytes, after) = rest
        .split_first_chunk()
        .expect("the header's length was checked");
    *rest = after;
    *bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
        Record {
            timestamp: Some(KafkaTime(5)),
            key,
            value,
            headers: &[],
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header {
            lineage: Lineage(9),
            inputs: vec![
                InputHeader {
                    origin: Some(0),
                    partitions: 8,
                    last: Some(LastRecord::of(4, &record(None, Some(b"v")))),
                },
                InputHeader {
                    origin: None,
                    partitions: 8,
                    last: None,
                },
            ],
        };
        let bytes = header.to_bytes();
        assert_eq!(Header::parse(&bytes, 2), Ok(header));
        assert!(Header::parse(&bytes, 1).is_err());
        assert!(Header::parse(&bytes[..bytes.len() - 1], 2).is_err());
        assert!(Header::parse(&[], 0).is_err());
        assert!(Header::parse(&[&[7], &bytes[1..]].concat(), 2).is_err());
    }

    #[test]
    fn any_other_record_has_another_digest() {
        let records = [
            record(None, None),
            record(Some(b""), None),
            record(None, Some(b"")),
            record(Some(b""), Some(b"")),
            record(Some(b"k"), Some(b"v")),
            record(Some(b"k"), Some(b"w")),
            record(Some(b"l"), Some(b"v")),
        ];
        let digests = records.map(|record| LastRecord::of(0, &record).digest);
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[at + 1..].contains(digest), "{at} has a twin");
        }
    }
}
