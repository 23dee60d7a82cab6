//! From the group's decision to a running assignment: look up the start offsets (as often as it
//! takes), let the partitions flow into the worker's queue, then tell librdkafka to begin there.
//!
//! The order matters: a partition that is forwarded after it was assigned has already put records
//! on the group's queue. Nothing is sought: the offsets are in the list that is assigned.

use std::time::Duration;

use catalogue::plan::{Plan, TopicId};
use pipeline::Assignment;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::backoff::Backoff;
use crate::batch::BatchQueue;
use crate::context::Context;
use crate::metrics::Trouble;
use crate::start;
use crate::worker::{Fatal, Setup, wall_time};

/// How long the brokers may take to look up the start offsets.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The assignment that waits for its start, if any, and a number for each.
pub(crate) struct Assigner<'s> {
    setup: &'s Setup,
    waiting: Option<(TopicPartitionList, Backoff)>,
    number: u64,
}

impl<'s> Assigner<'s> {
    pub(crate) fn new(setup: &'s Setup) -> Assigner<'s> {
        Assigner {
            setup,
            waiting: None,
            number: 0,
        }
    }

    /// The number of the assignment in force.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The group decided.
    pub(crate) fn begin(&mut self, partitions: TopicPartitionList) {
        self.number += 1;
        self.waiting = Some((partitions, Backoff::new()));
    }

    /// The group decided otherwise.
    pub(crate) fn forget(&mut self) {
        self.number += 1;
        self.waiting = None;
    }

    /// Begins the waiting assignment if its offsets can be had now.
    pub(crate) fn try_start(
        &mut self,
        consumer: &BaseConsumer<Context>,
        queue: &BatchQueue,
    ) -> Result<Option<Vec<Assignment>>, Fatal> {
        let Some((partitions, backoff)) = &mut self.waiting else {
            return Ok(None);
        };
        if !backoff.is_due() {
            return Ok(None);
        }
        let metrics = &self.setup.metrics;
        let start = self.setup.settings.start;
        let resolved = match start::resolve(consumer, partitions, start, wall_time(), TIMEOUT) {
            Ok(resolved) => resolved,
            Err(error) => {
                let detail = format!("looking up where to start: {error}");
                metrics.trouble(Trouble::StartOffsets, &detail);
                backoff.failed();
                return Ok(None);
            }
        };
        metrics.recovered(Trouble::StartOffsets, "the start offsets are known");
        let assignments = number(&self.setup.plan, &resolved);
        check_joined(&self.setup.plan, &assignments)?;
        for element in resolved.elements() {
            queue.forward(element.topic(), element.partition());
        }
        consumer
            .assign(&resolved)
            .map_err(|error| Fatal::Client(error.to_string()))?;
        self.waiting = None;
        Ok(Some(assignments))
    }
}

/// The same in the plan's words, ordered by topic and partition.
fn number(plan: &Plan, resolved: &TopicPartitionList) -> Vec<Assignment> {
    let mut assignments = Vec::with_capacity(resolved.count());
    for element in resolved.elements() {
        let topic = plan
            .topics
            .iter()
            .position(|topic| topic.name == element.topic());
        let topic = topic.expect("only the plan's topics are subscribed");
        let Offset::Offset(start) = element.offset() else {
            panic!(
                "{} partition {} has no start",
                element.topic(),
                element.partition()
            );
        };
        let topic = TopicId(u16::try_from(topic).expect("a plan's topics fit its ids"));
        assignments.push(Assignment {
            topic,
            partition: element.partition(),
            start,
        });
    }
    assignments.sort_by_key(|assignment| (assignment.topic, assignment.partition));
    assignments
}

/// A task needs its partition of every topic of its group: partitions that were added to only one
/// of them while we run break that.
fn check_joined(plan: &Plan, assignments: &[Assignment]) -> Result<(), Fatal> {
    for group in &plan.groups {
        let of = |topic: TopicId| -> Vec<i32> {
            let of_topic = assignments
                .iter()
                .filter(|assignment| assignment.topic == topic);
            of_topic.map(|assignment| assignment.partition).collect()
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
