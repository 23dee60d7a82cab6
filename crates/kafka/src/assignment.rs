//! A share of the group, from its assignment to its release, as librdkafka has to be told.
//!
//! An assignment is answered at once, with nothing: librdkafka then goes on with the group's
//! business while the logic finds out where each partition begins. The start offsets come in the
//! list that is assigned later. A partition is forwarded before it is assigned: otherwise it would
//! already have put records on the group's queue.
//!
//! librdkafka's `assign` (the only way under the eager protocol) replaces all there is. So the whole
//! share is assigned as soon as some of it begins; what doesn't begin yet is parked: paused before it
//! is assigned, so that nothing of it is fetched, and set to its own offset when it begins.

use std::time::{Duration, Instant};

use catalogue::plan::{Plan, TopicId};
use pipeline::Assignment;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::batch::BatchQueue;
use crate::context::Context;
use crate::offsets::Place;
use crate::worker::Fatal;

/// How long the logic may take to give a revoked share back.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);

/// The share in force, if any, and a number for each.
#[derive(Default)]
pub(crate) struct Share {
    number: u64,
    held: bool,
    /// By topic and partition.
    partitions: Vec<Place>,
    /// Whether librdkafka was told of it.
    assigned: bool,
    /// It is to be given back by then.
    release_by: Option<Instant>,
}

impl Share {
    /// The number of the last share.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the group counts this worker as the owner of a share: only then it may commit.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether this is the number of the share in force, which isn't to be given back.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.held && self.release_by.is_none() && number == self.number
    }

    /// What it consists of.
    pub(crate) fn partitions(&self) -> &[Place] {
        &self.partitions
    }

    /// The group gave these, in place of all before.
    pub(crate) fn begin(&mut self, partitions: Vec<Place>) {
        self.number += 1;
        self.held = true;
        self.assigned = false;
        self.partitions = partitions;
        self.release_by = None;
    }

    /// Whether librdkafka has to be told of it still; it counts as told from now on.
    pub(crate) fn is_to_be_assigned(&mut self) -> bool {
        !std::mem::replace(&mut self.assigned, true)
    }

    /// It is to be given back, soon.
    pub(crate) fn revoke(&mut self, now: Instant) {
        self.release_by = Some(now + RELEASE_WITHIN);
    }

    /// Whether it was to be given back by now.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.release_by.is_some_and(|by| now >= by)
    }

    /// Whether it is to be given back.
    pub(crate) fn is_revoked(&self) -> bool {
        self.release_by.is_some()
    }

    /// It is given back, or lost.
    pub(crate) fn end(&mut self) {
        self.held = false;
        self.partitions.clear();
        self.release_by = None;
    }
}

/// Answers the group's decision; nothing is delivered yet.
pub(crate) fn accept(consumer: &BaseConsumer<Context>) -> Result<(), Fatal> {
    assign(consumer, &TopicPartitionList::new())
}

/// Begins to deliver a share from these offsets; those of its partitions that have none are parked.
pub(crate) fn deliver(
    consumer: &BaseConsumer<Context>,
    queue: &BatchQueue,
    plan: &Plan,
    share: &[Place],
    starts: &[Assignment],
) -> Result<(), Fatal> {
    let fatal = |error: KafkaError| Fatal::Client(error.to_string());
    let mut all = TopicPartitionList::with_capacity(share.len());
    let (mut open, mut parked) = (TopicPartitionList::new(), TopicPartitionList::new());
    for (topic, partition) in share {
        let name = &plan.topics[usize::from(topic.0)].name;
        let mut starts = starts.iter();
        let start = starts.find(|one| (one.topic, one.partition) == (*topic, *partition));
        queue.forward(name, *partition);
        let offset = Offset::Offset(start.map_or(0, |one| one.start));
        all.add_partition_offset(name, *partition, offset)
            .map_err(fatal)?;
        let flow = if start.is_some() {
            &mut open
        } else {
            &mut parked
        };
        flow.add_partition(name, *partition);
    }
    // A pause outlives an assignment: a partition that had it in one before would never flow again.
    consumer.resume(&open).map_err(fatal)?;
    consumer.pause(&parked).map_err(fatal)?;
    assign(consumer, &all)
}

fn assign(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> Result<(), Fatal> {
    let result = consumer.assign(list);
    result.map_err(|error| Fatal::Client(error.to_string()))
}

/// The same in the plan's words, ordered by topic and partition.
pub(crate) fn places(plan: &Plan, list: &TopicPartitionList) -> Vec<Place> {
    let mut places: Vec<Place> = list
        .elements()
        .iter()
        .map(|element| {
            let mut topics = plan.topics.iter();
            let topic = topics.position(|topic| topic.name == element.topic());
            let topic = topic.expect("only the plan's topics are subscribed");
            let topic = u16::try_from(topic).expect("a plan's topics fit its ids");
            (TopicId(topic), element.partition())
        })
        .collect();
    places.sort_unstable();
    places
}

/// A task needs its partition of every topic of its group: partitions that were added to only one
/// of them while we run break that.
pub(crate) fn check_joined(plan: &Plan, places: &[Place]) -> Result<(), Fatal> {
    for group in &plan.groups {
        let of = |topic: TopicId| -> Vec<i32> {
            let of_topic = places.iter().filter(|place| place.0 == topic);
            of_topic.map(|place| place.1).collect()
        };
        let Some(&first) = group.topics.first() else {
            continue;
        };
        for &other in &group.topics[1..] {
            if of(first) != of(other) {
                let name = |topic: TopicId| &plan.topics[usize::from(topic.0)].name;
                return Err(Fatal::PartitionCounts(format!(
                    "topics that are joined must have equal numbers of partitions: \"{}\" and \
                     \"{}\" were assigned different ones",
                    name(first),
                    name(other)
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_current_until_it_is_revoked_and_held_until_it_is_given_back() {
        let (mut share, now) = (Share::default(), Instant::now());
        assert!(!share.is_held() && !share.is_current(0));
        share.begin(vec![(TopicId(0), 3)]);
        assert!(share.is_held() && share.is_current(1) && !share.is_current(2));
        share.revoke(now);
        assert!(share.is_held() && share.is_revoked() && !share.is_current(1));
        assert!(!share.is_overdue(now) && share.is_overdue(now + RELEASE_WITHIN));
        share.end();
        assert!(!share.is_held() && !share.is_revoked() && share.partitions().is_empty());
        assert!(share.is_to_be_assigned() && !share.is_to_be_assigned());
        share.begin(Vec::new());
        assert!(share.is_to_be_assigned());
        assert!(share.is_current(2) && !share.is_current(1));
    }
}
