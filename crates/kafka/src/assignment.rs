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

/// What the group gave, in the plan's words, ordered by topic and partition; or why that can't be a
/// share of this plan. Kafka hands a member with a group.instance.id what it had before it was
/// restarted, whatever it asks for now. And members that ask for different topics, as while a new
/// list is rolled out, are dealt other partitions of each topic.
pub(crate) fn share_of(plan: &Plan, list: &TopicPartitionList) -> Result<Vec<Place>, String> {
    let mut places = Vec::with_capacity(list.count());
    for element in list.elements() {
        let mut topics = plan.topics.iter();
        let Some(topic) = topics.position(|topic| topic.name == element.topic()) else {
            let topic = element.topic();
            return Err(format!("it has \"{topic}\", which is not read any more"));
        };
        let topic = u16::try_from(topic).expect("a plan's topics fit its ids");
        places.push((TopicId(topic), element.partition()));
    }
    places.sort_unstable();
    match torn(plan, &places) {
        None => Ok(places),
        Some((one, other)) => Err(format!(
            "it has different partitions of \"{one}\" and \"{other}\", which are joined"
        )),
    }
}

/// Two topics that are joined, but of which different partitions were given: a task needs its
/// partition of every topic of its group.
fn torn<'p>(plan: &'p Plan, places: &[Place]) -> Option<(&'p str, &'p str)> {
    let of = |topic: TopicId| {
        let of_topic = places.iter().filter(move |place| place.0 == topic);
        of_topic.map(|place| place.1)
    };
    let name = |topic: TopicId| plan.topics[usize::from(topic.0)].name.as_str();
    plan.groups.iter().find_map(|group| {
        let (first, others) = group.topics.split_first()?;
        let mut others = others.iter();
        let other = others.find(|other| !of(*first).eq(of(**other)))?;
        Some((name(*first), name(*other)))
    })
}

#[cfg(test)]
mod tests {
    use catalogue::plan::{Group, Limits, TimeRules, Topic};
    use events::Span;

    use super::*;

    /// What a group gave.
    type Given = &'static [(&'static str, i32)];

    /// Topics "a" and "b", joined, and "c" on its own.
    fn plan() -> Plan {
        let topic = |name: &str| Topic {
            name: name.into(),
            key: None,
            types: Vec::new(),
            lateness: Span::ZERO,
        };
        let group = |topics: &[u16]| Group {
            topics: topics.iter().copied().map(TopicId).collect(),
            kpis: Vec::new(),
        };
        Plan {
            namespace: "shop".into(),
            time: TimeRules {
                max_future: Span::ZERO,
                dedupe: Span::ZERO,
            },
            limits: Limits {
                label_values: 1,
                open_entities: 1,
                remembered_entities: 1,
                held_entities: 1,
                dedupe_entries: 1,
                record_bytes: 1,
                max_series: 1,
            },
            topics: ["a", "b", "c"].map(topic).into(),
            groups: vec![group(&[0, 1]), group(&[2])],
            types: Vec::new(),
            fields: Vec::new(),
            kpis: Vec::new(),
        }
    }

    #[test]
    fn an_assignment_of_another_topic_list_is_no_share() {
        let share = |given: Given| {
            let mut list = TopicPartitionList::new();
            for (topic, partition) in given {
                list.add_partition(topic, *partition);
            }
            let places = share_of(&plan(), &list)?;
            Ok(places.into_iter().map(|it| (it.0.0, it.1)).collect())
        };
        let good: [(Given, Vec<(u16, i32)>); 3] = [
            (&[], vec![]),
            (&[("c", 7)], vec![(2, 7)]),
            (
                &[("b", 1), ("c", 0), ("a", 3), ("a", 1), ("b", 3)],
                vec![(0, 1), (0, 3), (1, 1), (1, 3), (2, 0)],
            ),
        ];
        for (given, places) in good {
            assert_eq!(share(given), Ok::<_, String>(places), "{given:?}");
        }
        let bad: [(Given, &str); 3] = [
            (
                &[("c", 0), ("old", 0)],
                "\"old\", which is not read any more",
            ),
            (&[("a", 0), ("c", 0)], "partitions of \"a\" and \"b\""),
            (&[("a", 0), ("b", 1)], "partitions of \"a\" and \"b\""),
        ];
        for (given, reason) in bad {
            let found = share(given).expect_err("no share");
            assert!(found.contains(reason), "{given:?}: {found}");
        }
    }

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
