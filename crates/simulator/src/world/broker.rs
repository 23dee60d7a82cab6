//! The logs of a virtual broker: records at ascending offsets with holes, and a start that moves.
//!
//! A hole is a control record or an aborted transaction: an offset that is never delivered. What a
//! consumer can read ends at the last stable offset, which is the log's end here.

use std::collections::{BTreeMap, VecDeque};

use catalogue::plan::TopicId;
use events::{KafkaTime, Span};
use pipeline::log_id::LogId;

use crate::shop::{Chance, Produced};

/// A partition of a topic.
pub type Place = (TopicId, i32);

/// A record as the log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Where it is.
    pub offset: i64,
    /// When it came there.
    pub timestamp: KafkaTime,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// One partition's log.
#[derive(Clone, Default, Debug)]
pub struct Log {
    /// The first offset that is there.
    pub start: i64,
    /// The first offset that isn't there yet.
    pub end: i64,
    records: VecDeque<Stored>,
}

impl Log {
    /// Takes a record; `hole` offsets after it are never delivered.
    pub fn append(&mut self, record: &Produced, hole: i64) -> i64 {
        let offset = self.end;
        self.records.push_back(Stored {
            offset,
            timestamp: record.timestamp,
            key: record.key.clone(),
            value: record.value.clone(),
        });
        self.end = offset + 1 + hole;
        offset
    }

    /// The first record at or after an offset.
    pub fn read(&self, from: i64) -> Option<&Stored> {
        let at = self.records.partition_point(|record| record.offset < from);
        self.records.get(at)
    }

    /// The first offset stamped at or after a time; the end if there is none.
    pub fn offset_at(&self, time: KafkaTime) -> i64 {
        let at = self
            .records
            .partition_point(|record| record.timestamp < time);
        self.records
            .get(at)
            .map_or(self.end, |record| record.offset)
    }

    /// Retention: what is before this offset is gone.
    pub fn retain_from(&mut self, start: i64) {
        self.start = self.start.max(start.min(self.end));
        let start = self.start;
        self.records.retain(|record| record.offset >= start);
    }
}

impl Log {
    /// The topic was deleted and made anew, and somebody filled it again: `before` records come first
    /// that are no events, and each of the others is stamped anew, a millisecond later.
    pub fn recreate(&mut self, before: i64) {
        let records = std::mem::take(&mut self.records);
        let first = records.front().map_or(0, |record| record.timestamp.0);
        let strange = |offset| Stored {
            offset,
            timestamp: KafkaTime(first),
            key: Vec::new(),
            value: b"of another topic".to_vec(),
        };
        *self = Log {
            start: 0,
            end: before,
            records: (0..before).map(strange).collect(),
        };
        for record in records {
            let offset = self.end;
            let timestamp = KafkaTime(record.timestamp.0 + 1000);
            self.records.push_back(Stored {
                offset,
                timestamp,
                ..record
            });
            self.end += 1;
        }
    }

    /// All that is there.
    pub fn records(&self) -> impl Iterator<Item = &Stored> {
        self.records.iter()
    }
}

/// All partitions.
#[derive(Debug)]
pub struct Broker {
    /// By topic and partition.
    pub logs: BTreeMap<Place, Log>,
    /// How often each topic was made anew.
    made_anew: BTreeMap<TopicId, u32>,
}

/// The share of records after which a hole comes.
const HOLES: f64 = 0.03;

impl Broker {
    /// Empty logs.
    pub fn new(topics: usize, partitions: i32) -> Broker {
        let topic = |index: usize| TopicId(u16::try_from(index).expect("few topics"));
        let places = (0..topics).flat_map(|index| (0..partitions).map(move |p| (topic(index), p)));
        Broker {
            logs: places.map(|place| (place, Log::default())).collect(),
            made_anew: BTreeMap::new(),
        }
    }

    /// Takes a record of the shop and returns where it is.
    pub fn append(&mut self, record: &Produced, chance: &mut Chance) -> (Place, i64) {
        let topic = TopicId(u16::try_from(record.topic).expect("few topics"));
        let place = (topic, record.partition);
        let hole = match chance.happens(HOLES) {
            true => 1 + i64::try_from(chance.below(3)).expect("small"),
            false => 0,
        };
        let log = self
            .logs
            .get_mut(&place)
            .expect("the shop's partitions are there");
        (place, log.append(record, hole))
    }

    /// One log.
    pub fn log(&self, place: Place) -> &Log {
        &self.logs[&place]
    }

    /// Deletes a topic and makes it anew (`Log::recreate`); gives its partitions.
    pub fn recreate(&mut self, topic: TopicId, before: i64) -> Vec<Place> {
        *self.made_anew.entry(topic).or_default() += 1;
        let logs = self.logs.iter_mut().filter(|entry| entry.0.0 == topic);
        let recreated = logs.map(|(place, log)| {
            log.recreate(before);
            *place
        });
        recreated.collect()
    }

    /// The topics that were.
    pub fn made_anew(&self) -> impl Iterator<Item = &TopicId> {
        self.made_anew.keys()
    }

    /// The topic's id: another one each time that it is made.
    pub fn id(&self, topic: TopicId) -> LogId {
        let made = self.made_anew.get(&topic).copied().unwrap_or(0);
        let bits = (u128::from(topic.0) << 64) | u128::from(made + 1);
        LogId::new(bits).expect("it was made once at least")
    }

    /// Moves the log's start so that this much of its records' time is left.
    pub fn retain(&mut self, place: Place, now: KafkaTime, reach: Span) {
        let log = self.logs.get_mut(&place).expect("a partition of the world");
        let start = log.offset_at(KafkaTime(now.0 - reach.0));
        log.retain_from(start);
    }
}
