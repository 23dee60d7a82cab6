//! Are all topics there, and do joined ones have equal partition counts? Asked before the group is
//! joined, and again every few seconds until they are: a member that knows only some of the topics
//! would own tasks with half their inputs.
//!
//! What the group gives may be of another topic list all the same. Then it is left and joined anew,
//! which makes its leader look again: at once the first time, and after longer and longer pauses
//! while a member with the other list is there, because joining stops the others for a moment.

use std::sync::Arc;
use std::time::Duration;

use catalogue::plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};

use crate::backoff::Backoff;
use crate::context::{Context, classify, describe};
use crate::metrics::{Metrics, Trouble};
use crate::worker::{Fatal, Setup};

/// How long the broker may take to describe a topic.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The pauses before the group is joined anew when that didn't help: the first one and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// The way into the group.
pub(crate) struct Topics<'s> {
    plan: Arc<Plan>,
    number: usize,
    group: &'s str,
    brokers: &'s str,
    metrics: &'s Metrics,
    backoff: Backoff,
    subscribed: bool,
    /// Until it joins anew, the next time it is given what doesn't fit.
    pause: Duration,
}

impl<'s> Topics<'s> {
    pub(crate) fn new(setup: &'s Setup) -> Topics<'s> {
        Topics {
            plan: Arc::clone(&setup.plan),
            number: setup.number,
            group: &setup.settings.group,
            brokers: &setup.settings.brokers,
            metrics: &setup.metrics,
            backoff: Backoff::new(),
            subscribed: false,
            pause: Duration::ZERO,
        }
    }

    /// Joins the group as soon as every topic is there. Does nothing once it has.
    pub(crate) fn subscribe(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Fatal> {
        if self.subscribed || !self.backoff.is_due() {
            return Ok(());
        }
        let counts = match partition_counts(consumer, &self.plan, TIMEOUT) {
            Ok(counts) => counts,
            Err(error) => {
                let trouble = classify(error.rdkafka_error_code());
                let detail = describe(trouble, self.brokers, &error.to_string());
                // Why is what librdkafka says next, by way of the context.
                self.metrics.vague_trouble(trouble, &detail);
                self.backoff.failed();
                return Ok(());
            }
        };
        for trouble in [Trouble::BrokerUnreachable, Trouble::Authentication] {
            self.metrics.recovered(trouble, "the broker answers");
        }
        if self.report_missing(&counts) {
            self.backoff.failed();
            return Ok(());
        }
        self.metrics
            .recovered(Trouble::TopicMissing, "all topics exist");
        if let Some(problem) = unequal_counts(&self.plan, &counts).into_iter().next() {
            return Err(Fatal::PartitionCounts(problem));
        }
        let names = self.plan.topics.iter().map(|topic| topic.name.as_str());
        let names: Vec<&str> = names.collect();
        let known = names.iter().copied().zip(counts.into_iter().flatten());
        let known: Vec<(&str, usize)> = known.collect();
        self.metrics.joining(self.number, self.group, &known);
        consumer
            .subscribe(&names)
            .map_err(|error| Fatal::Client(error.to_string()))?;
        self.subscribed = true;
        Ok(())
    }

    /// Leaves the group, to join it anew.
    pub(crate) fn join_anew(&mut self, consumer: &BaseConsumer<Context>) {
        consumer.unsubscribe();
        self.subscribed = false;
        self.backoff = Backoff::new();
    }

    /// Leaves the group for a while, which gave what is no share of this plan: why. Partition counts
    /// that differ are found on the way in again.
    pub(crate) fn turn_down(&mut self, consumer: &BaseConsumer<Context>, why: &str) {
        self.metrics
            .turned_down(self.number, self.group, why, self.pause);
        self.join_anew(consumer);
        self.backoff.wait(self.pause);
        self.pause = next_pause(self.pause);
    }

    /// The group gave a share of this plan.
    pub(crate) fn fits(&mut self) {
        self.pause = Duration::ZERO;
    }

    fn report_missing(&self, counts: &[Option<usize>]) -> bool {
        for detail in missing(&self.plan, counts, self.brokers) {
            self.metrics.trouble(Trouble::TopicMissing, &detail);
        }
        counts.contains(&None)
    }
}

fn next_pause(pause: Duration) -> Duration {
    (pause * 2).clamp(PAUSES[0], PAUSES[1])
}

/// The number of partitions of each topic of the plan; `None`: the topic does not exist.
pub(crate) fn partition_counts<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    plan: &Plan,
    timeout: Duration,
) -> KafkaResult<Vec<Option<usize>>> {
    let mut counts = Vec::with_capacity(plan.topics.len());
    for topic in &plan.topics {
        let metadata = consumer.fetch_metadata(Some(&topic.name), timeout)?;
        let found = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic.name);
        counts.push(match found {
            None => None,
            Some(found) => match found.error().map(Into::into) {
                None if found.partitions().is_empty() => None,
                None => Some(found.partitions().len()),
                Some(code) if classify(Some(code)) == Trouble::TopicMissing => None,
                Some(code) => return Err(KafkaError::MetadataFetch(code)),
            },
        });
    }
    Ok(counts)
}

/// One line for each topic that does not exist.
pub(crate) fn missing(plan: &Plan, counts: &[Option<usize>], brokers: &str) -> Vec<String> {
    plan.topics
        .iter()
        .zip(counts)
        .filter(|(_, count)| count.is_none())
        .map(|(topic, _)| format!("topic \"{}\" does not exist on {brokers}", topic.name))
        .collect()
}

/// One line for each group whose topics have different numbers of partitions.
pub(crate) fn unequal_counts(plan: &Plan, counts: &[Option<usize>]) -> Vec<String> {
    let mut problems = Vec::new();
    for group in &plan.groups {
        let known: Vec<(&str, usize)> = group
            .topics
            .iter()
            .filter_map(|topic| {
                let at = usize::from(topic.0);
                Some((plan.topics[at].name.as_str(), counts[at]?))
            })
            .collect();
        if known.iter().any(|topic| topic.1 != known[0].1) {
            let list: Vec<String> = known
                .iter()
                .map(|(name, count)| format!("\"{name}\" has {count}"))
                .collect();
            problems.push(format!(
                "topics that are joined must have equal numbers of partitions: {}",
                list.join(", ")
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_that_joining_anew_does_not_help_it_waits_for_longer() {
        let pauses = std::iter::successors(Some(Duration::ZERO), |pause| Some(next_pause(*pause)));
        let pauses: Vec<u64> = pauses.take(8).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 30, 30]);
    }
}
