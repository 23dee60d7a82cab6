//! The partitions that a worker owns: the next offset of each, and whether it is paused.
//!
//! What librdkafka still delivers of partitions that are not owned is turned away here. A resumed
//! partition is first set to our own next offset: librdkafka's position is one too far when the
//! partition was paused at its end, because its batch reading counts the end-of-partition event as
//! a record (`rd_kafka_q_serve_rkmessages`, 2.12.1). A parked partition (`assignment`) begins the same
//! way; until librdkafka has taken its offset, what it delivers is from elsewhere and turned away.

use std::sync::Arc;
use std::time::Duration;

use catalogue::plan::{Plan, TopicId};
use pipeline::Assignment;
use prometheus::IntGauge;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::batch::{Position, TopicHandle};
use crate::context::Context;
use crate::metrics::{Metrics, Trouble};

/// How long librdkafka may take to set a paused partition's position: no broker is asked.
const SEEK_TIMEOUT: Duration = Duration::from_secs(1);

/// One owned partition.
struct Owned {
    next: i64,
    flow: Flow,
    /// librdkafka isn't where it begins yet.
    parked: bool,
    lag: IntGauge,
    end: i64,
}

/// Whether records are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    Paused,
    /// To be resumed, but librdkafka did not take it yet.
    Resuming,
}

/// All of a worker's.
pub(crate) struct Partitions {
    plan: Arc<Plan>,
    handles: Vec<(TopicHandle, TopicId)>,
    by_topic: Vec<Vec<Option<Owned>>>,
}

impl Partitions {
    pub(crate) fn new(plan: &Arc<Plan>) -> Partitions {
        let by_topic = plan.topics.iter().map(|_| Vec::new()).collect();
        Partitions {
            plan: Arc::clone(plan),
            handles: Vec::new(),
            by_topic,
        }
    }

    /// These are owned from now on, in place of all before.
    pub(crate) fn assign(&mut self, assigned: &[Assignment], metrics: &Metrics) {
        self.revoke(metrics);
        self.own(assigned, false, metrics);
    }

    /// These are owned too; they were parked and flow from their offsets on.
    pub(crate) fn add(
        &mut self,
        added: &[Assignment],
        consumer: &BaseConsumer<Context>,
        metrics: &Metrics,
    ) {
        self.own(added, true, metrics);
        let places: Vec<_> = added.iter().map(|one| (one.topic, one.partition)).collect();
        self.resume_all(&places, consumer, metrics);
    }

    fn own(&mut self, assigned: &[Assignment], parked: bool, metrics: &Metrics) {
        for assignment in assigned {
            let name = self.name(assignment.topic);
            let lag = metrics
                .lag
                .with_label_values(&[name, &assignment.partition.to_string()]);
            let owned = Owned {
                next: assignment.start,
                flow: Flow::Open,
                parked,
                lag,
                end: assignment.start,
            };
            let at = usize::try_from(assignment.partition).expect("partitions count from 0");
            let of_topic = &mut self.by_topic[usize::from(assignment.topic.0)];
            if of_topic.len() <= at {
                of_topic.resize_with(at + 1, || None);
            }
            of_topic[at] = Some(owned);
        }
    }

    /// None is owned any more.
    pub(crate) fn revoke(&mut self, metrics: &Metrics) {
        for (topic, partition) in self.all() {
            let name = self.name(topic).to_owned();
            // Another worker of this process may have taken it over already; then it sets it anew.
            let _ = metrics
                .lag
                .remove_label_values(&[&name, &partition.to_string()]);
        }
        self.handles.clear();
        self.by_topic.iter_mut().for_each(Vec::clear);
    }

    /// Every owned partition with its topic's name.
    pub(crate) fn named(&self) -> Vec<(TopicId, String, i32)> {
        let all = self.all().into_iter();
        all.map(|(topic, partition)| (topic, self.name(topic).to_owned(), partition))
            .collect()
    }

    /// The topic of a delivery; `None` if the plan has none such.
    pub(crate) fn topic(&mut self, position: Position<'_>) -> Option<TopicId> {
        let handle = position.topic();
        if let Some(known) = self.handles.iter().find(|known| known.0 == handle) {
            return Some(known.1);
        }
        let name = position.topic_name();
        let at = self
            .plan
            .topics
            .iter()
            .position(|topic| topic.name == name)?;
        let topic = TopicId(u16::try_from(at).ok()?);
        self.handles.push((handle, topic));
        Some(topic)
    }

    /// Whether it is one of them.
    pub(crate) fn owns(&mut self, topic: TopicId, partition: i32) -> bool {
        self.owned(topic, partition).is_some()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_topic.iter().flatten().all(Option::is_none)
    }

    /// Moves the next offset on. False: not owned, or it was there before.
    pub(crate) fn advance(&mut self, topic: TopicId, partition: i32, next: i64) -> bool {
        match self.owned(topic, partition) {
            Some(owned) if next >= owned.next && !owned.parked => {
                owned.next = next;
                true
            }
            _ => false,
        }
    }

    /// The broker said where the partition ends.
    pub(crate) fn observe_end(&mut self, topic: TopicId, partition: i32, end: i64) {
        if let Some(owned) = self.owned(topic, partition) {
            owned.end = end;
            owned.lag.set((end - owned.next).max(0));
        }
    }

    /// Stops the partition's flow. What is in hand is still delivered.
    pub(crate) fn pause(
        &mut self,
        topic: TopicId,
        partition: i32,
        consumer: &BaseConsumer<Context>,
        metrics: &Metrics,
    ) {
        let list = self.list(topic, partition, Offset::Invalid);
        let Some(owned) = self.owned(topic, partition) else {
            return;
        };
        owned.flow = Flow::Paused;
        if let Err(error) = consumer.pause(&list) {
            // Not paused means that it runs ahead further: memory, not exactness.
            metrics.trouble(Trouble::Flow, &format!("pausing a partition: {error}"));
        }
    }

    /// Lets the partition flow again, from the next offset on.
    pub(crate) fn resume(
        &mut self,
        topic: TopicId,
        partition: i32,
        consumer: &BaseConsumer<Context>,
        metrics: &Metrics,
    ) {
        self.resume_all(&[(topic, partition)], consumer, metrics);
    }

    /// The same for several, whose positions are set in one go: librdkafka is waited for once.
    fn resume_all(
        &mut self,
        places: &[(TopicId, i32)],
        consumer: &BaseConsumer<Context>,
        metrics: &Metrics,
    ) {
        let mut list = TopicPartitionList::with_capacity(places.len());
        for (topic, partition) in places {
            if let Some(next) = self.owned(*topic, *partition).map(|owned| owned.next) {
                list.add_partition_offset(self.name(*topic), *partition, Offset::Offset(next))
                    .expect("an offset that was delivered can be asked for");
            }
        }
        if list.count() == 0 {
            return;
        }
        let sought = consumer.seek_partitions(list, SEEK_TIMEOUT);
        for (topic, partition) in places {
            let one = self.list(*topic, *partition, Offset::Invalid);
            let name = self.name(*topic);
            let error = match &sought {
                Ok(sought) => sought
                    .find_partition(name, *partition)
                    .and_then(|found| found.error().err()),
                Err(error) => Some(error.clone()),
            };
            let resumed = error.map_or_else(|| consumer.resume(&one), Err);
            let Some(owned) = self.owned(*topic, *partition) else {
                continue;
            };
            match resumed {
                Ok(()) => (owned.flow, owned.parked) = (Flow::Open, false),
                Err(error) => {
                    owned.flow = Flow::Resuming;
                    metrics.trouble(Trouble::Flow, &format!("resuming a partition: {error}"));
                }
            }
        }
    }

    /// Tries again to resume what librdkafka did not take.
    pub(crate) fn retry_flow(&mut self, consumer: &BaseConsumer<Context>, metrics: &Metrics) {
        let waiting = self.all_with(|owned| owned.flow == Flow::Resuming);
        self.resume_all(&waiting, consumer, metrics);
    }

    fn list(&self, topic: TopicId, partition: i32, offset: Offset) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(self.name(topic), partition, offset)
            .expect("an offset that was delivered can be asked for");
        list
    }

    fn all(&self) -> Vec<(TopicId, i32)> {
        self.all_with(|_| true)
    }

    fn all_with(&self, wanted: impl Fn(&Owned) -> bool) -> Vec<(TopicId, i32)> {
        let mut all = Vec::new();
        for (topic, partitions) in (0_u16..).zip(&self.by_topic) {
            for (partition, owned) in (0_i32..).zip(partitions) {
                if owned.as_ref().is_some_and(&wanted) {
                    all.push((TopicId(topic), partition));
                }
            }
        }
        all
    }

    fn name(&self, topic: TopicId) -> &str {
        &self.plan.topics[usize::from(topic.0)].name
    }

    fn owned(&mut self, topic: TopicId, partition: i32) -> Option<&mut Owned> {
        let at = usize::try_from(partition).ok()?;
        self.by_topic[usize::from(topic.0)].get_mut(at)?.as_mut()
    }
}
