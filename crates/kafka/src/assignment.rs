//! A share of the group, from its assignment to its release, as librdkafka has to be told.
//!
//! An assignment is answered at once, with nothing: librdkafka then goes on with the group's
//! business while the logic finds out where each partition begins. The start offsets come in the
//! list that is assigned later; nothing is sought. A partition is forwarded before it is assigned:
//! otherwise it would already have put records on the group's queue.

use std::time::{Duration, Instant};

use catalogue::plan::{Plan, TopicId};
use pipeline::Assignment;
use rdkafka::consumer::{BaseConsumer, Consumer};
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
        self.partitions = partitions;
        self.release_by = None;
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

/// Begins to deliver these partitions from these offsets.
pub(crate) fn deliver(
    consumer: &BaseConsumer<Context>,
    queue: &BatchQueue,
    plan: &Plan,
    starts: &[Assignment],
) -> Result<(), Fatal> {
    let mut list = TopicPartitionList::with_capacity(starts.len());
    for one in starts {
        let name = &plan.topics[usize::from(one.topic.0)].name;
        queue.forward(name, one.partition);
        list.add_partition_offset(name, one.partition, Offset::Offset(one.start))
            .map_err(|error| Fatal::Client(error.to_string()))?;
    }
    assign(consumer, &list)
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
        share.begin(Vec::new());
        assert!(share.is_current(2) && !share.is_current(1));
    }
}
