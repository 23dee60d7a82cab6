//! Offsets of partitions as numbers: the oldest, the next to come, the first of a time, and what
//! `kafka.start` means now.
//!
//! Numbers, not `Beginning` or `End`: what is read must be known before anything is read. Errors
//! are texts that name the partition.

use std::collections::BTreeMap;
use std::time::Duration;

use catalogue::plan::{Plan, TopicId};
use events::{Span, WallTime};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::settings::Start;

/// How long the brokers may take for one question.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// How long they may take for one partition asked for by itself.
const ALONE: Duration = Duration::from_millis(300);

/// A partition of a topic of the plan.
pub(crate) type Place = (TopicId, i32);

/// What is asked for of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// The first that the log still has.
    Oldest,
    /// The first that isn't there yet: the last stable offset, since we read committed records only.
    Next,
    /// The first stamped at or after this, else the next to come.
    At(WallTime),
}

impl Wanted {
    /// What `kafka.start` means at `now`.
    pub(crate) fn start(start: Start, now: WallTime) -> Wanted {
        match start {
            Start::Earliest => Wanted::Oldest,
            Start::Latest => Wanted::Next,
            Start::Back(span) => Wanted::back(now, span),
        }
    }

    /// So long before `time`.
    pub(crate) fn back(time: WallTime, span: Span) -> Wanted {
        Wanted::At(WallTime(time.0.saturating_sub(span.0)))
    }

    fn offset(self) -> Offset {
        match self {
            Wanted::Oldest => Offset::Beginning,
            Wanted::Next => Offset::End,
            // To the millisecond before: a record too many does no harm.
            Wanted::At(time) => Offset::Offset(time.0.div_euclid(1000).max(0)),
        }
    }
}

/// Who is asked, and about which plan.
pub(crate) struct Offsets<'c, C: ConsumerContext> {
    pub(crate) consumer: &'c BaseConsumer<C>,
    pub(crate) plan: &'c Plan,
}

impl<C: ConsumerContext> Offsets<'_, C> {
    /// An offset of each partition; fails as a whole if one of them can't be had.
    pub(crate) fn ask(&self, wanted: &[(Place, Wanted)]) -> Result<BTreeMap<Place, i64>, String> {
        let mut found = self.once(wanted)?;
        // No record is that young: the answer is "the end", as a word.
        let rest: Vec<(Place, Wanted)> = wanted
            .iter()
            .filter(|(place, _)| !found.contains_key(place))
            .map(|(place, _)| (*place, Wanted::Next))
            .collect();
        found.extend(self.once(&rest)?);
        for (place, _) in &rest {
            if !found.contains_key(place) {
                return Err(format!("{}: it has no end", self.name(*place)));
            }
        }
        Ok(found)
    }

    fn once(&self, wanted: &[(Place, Wanted)]) -> Result<BTreeMap<Place, i64>, String> {
        // librdkafka refuses to be asked about nothing.
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answer = self
            .list(wanted)
            .and_then(|list| self.consumer.offsets_for_times(list, TIMEOUT))
            .map_err(|error| self.blame(wanted, &error.to_string()))?;
        let mut found = BTreeMap::new();
        for (place, _) in wanted {
            let name = &self.plan.topics[usize::from(place.0.0)].name;
            let Some(element) = answer.find_partition(name, place.1) else {
                return Err(format!("{}: no answer", self.name(*place)));
            };
            if let Err(error) = element.error() {
                return Err(format!("{}: {error}", self.name(*place)));
            }
            if let Offset::Offset(offset) = element.offset() {
                found.insert(*place, offset);
            }
        }
        Ok(found)
    }

    fn list(&self, wanted: &[(Place, Wanted)]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(wanted.len());
        for ((topic, partition), wanted) in wanted {
            let name = &self.plan.topics[usize::from(topic.0)].name;
            list.add_partition_offset(name, *partition, wanted.offset())?;
        }
        Ok(list)
    }

    /// One partition without a leader fails the question as a whole: finds it, so that it can be
    /// named, for as long as there is time.
    fn blame(&self, wanted: &[(Place, Wanted)], error: &str) -> String {
        let began = std::time::Instant::now();
        for (place, _) in wanted {
            if began.elapsed() > TIMEOUT {
                break;
            }
            let topic = &self.plan.topics[usize::from(place.0.0)].name;
            if let Err(error) = self.consumer.fetch_watermarks(topic, place.1, ALONE) {
                return format!("{}: {error}", self.name(*place));
            }
        }
        error.to_owned()
    }

    /// For messages.
    pub(crate) fn name(&self, (topic, partition): Place) -> String {
        let topic = &self.plan.topics[usize::from(topic.0)].name;
        format!("{topic} partition {partition}")
    }
}
