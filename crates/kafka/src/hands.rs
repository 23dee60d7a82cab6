//! A worker's hands: deliveries become inputs of the logic, its effects become deeds.
//!
//! Effects are carried out before the next input, so a rejected record is still in librdkafka's
//! buffer when its dead letter is written. What changes the loop's own affairs (the share, where
//! the worker goes from here) is left to it as an order, which it carries out before it goes on.

use std::collections::BTreeMap;
use std::time::Instant;

use catalogue::plan::TopicId;
use events::{Record, Reject, Span};
use pipeline::log_id::LogId;
use pipeline::port::CommitOffset;
use pipeline::{Assignment, Effect, Input};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::assignment::Share;
use crate::batch::{Delivered, Position};
use crate::commit_queue::CommitQueue;
use crate::commits::Commits;
use crate::context::{Context, classify, gone};
use crate::lease;
use crate::letters::{DeadLetters, Origin};
use crate::metrics::Trouble;
use crate::partitions::Partitions;
use crate::worker::{Call, Fatal, Setup, wall_time};

/// What turns deliveries into inputs and effects into deeds.
pub(crate) struct Hands<'s, L> {
    pub(crate) partitions: Partitions,
    pub(crate) letters: Option<DeadLetters>,
    pub(crate) logic: L,
    pub(crate) effects: Vec<Effect>,
    pub(crate) setup: &'s Setup,
    pub(crate) consumer: &'s BaseConsumer<Context>,
    pub(crate) share: Share,
    pub(crate) commits: Commits,
    pub(crate) commit_queue: CommitQueue,
    pub(crate) orders: Orders,
}

/// What the loop has to do next.
#[derive(Default)]
pub(crate) struct Orders {
    /// Look this share up, for so much history.
    pub(crate) look_up: Option<(u64, Span)>,
    /// Begin to deliver these partitions of a share, in this order.
    pub(crate) assign: Vec<(u64, Vec<Assignment>)>,
    /// Give the share back.
    pub(crate) release: bool,
    /// Look the share up and deliver it again.
    pub(crate) start_over: bool,
    /// Give up.
    pub(crate) fail: Option<Fatal>,
}

impl<L: FnMut(Call<'_, '_>)> Hands<'_, L> {
    pub(crate) fn deliver(&mut self, position: Position<'_>, delivered: Delivered<'_>) {
        let (partition, offset) = (position.partition(), position.offset());
        // Not ours any more: librdkafka may hand out a few records after a revocation.
        let Some(topic) = self.partitions.topic(position) else {
            return;
        };
        match delivered {
            Delivered::Record(record) => {
                if self.partitions.advance(topic, partition, offset + 1) {
                    let input = Input::Record {
                        topic,
                        partition,
                        offset,
                        record,
                    };
                    self.step(input, Some((&record, position)));
                }
            }
            Delivered::End => {
                if self.partitions.advance(topic, partition, offset) {
                    let input = Input::ReachedEnd {
                        topic,
                        partition,
                        offset,
                    };
                    self.step(input, None);
                }
            }
            Delivered::Failed(code, text) => self.failed(topic, partition, code, &text),
        }
    }

    fn failed(&mut self, topic: TopicId, partition: i32, code: RDKafkaErrorCode, text: &str) {
        let trouble = match classify(Some(code)) {
            Trouble::Other => Trouble::Fetch,
            known => known,
        };
        let name = &self.setup.plan.topics[usize::from(topic.0)].name;
        let detail = match trouble {
            Trouble::TopicMissing => gone(name, partition, text),
            _ => format!("{name} partition {partition}: {text}"),
        };
        self.setup.metrics.trouble(trouble, &detail);
        if trouble == Trouble::OffsetOutOfRange && self.partitions.owns(topic, partition) {
            self.step(Input::OutOfRange { topic, partition }, None);
        }
    }

    /// Hands over which topics these are.
    pub(crate) fn take_logs(&mut self, logs: &BTreeMap<TopicId, LogId>) {
        for (topic, log) in logs {
            let (topic, log) = (*topic, *log);
            self.step(Input::LogObserved { topic, log }, None);
        }
    }

    /// Time passes.
    pub(crate) fn tick(&mut self) {
        let (now, at) = (wall_time(), lease::now());
        self.step(Input::Tick { now, at }, None);
    }

    /// Hands the answers to commits over, as far as there are any.
    pub(crate) fn take_commits(&mut self) {
        while let Some(outcome) = self.commit_queue.next() {
            self.commits
                .settled(outcome.commit, outcome.result, Instant::now());
        }
        while let Some(answer) = self.commits.next(Instant::now()) {
            if answer.result.is_ok() {
                self.setup.metrics.committed(answer.took);
            }
            let (commit, result) = (answer.commit, answer.result);
            self.step(Input::Committed { commit, result }, None);
        }
    }

    pub(crate) fn step(&mut self, input: Input<'_>, record: Option<(&Record<'_>, Position<'_>)>) {
        (self.logic)(Call::Step(input, &mut self.effects));
        if !self.effects.is_empty() {
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.carry_out(effect, record);
            }
            self.effects = effects;
        }
    }

    fn carry_out(&mut self, effect: Effect, record: Option<(&Record<'_>, Position<'_>)>) {
        let number = self.setup.number;
        match effect {
            Effect::LookUp { assignment, reach } => {
                self.orders.look_up = Some((assignment, reach));
            }
            Effect::Assign { assignment, starts } => {
                self.orders.assign.push((assignment, starts));
            }
            Effect::Commit { commit, offsets } => self.commit(commit, &offsets),
            Effect::Publish { views, until } => self.setup.board.publish(number, views, until),
            Effect::Withdraw { task } => {
                let board = &self.setup.board;
                board.withdraw(number, task.group, task.partition);
            }
            Effect::Release => self.orders.release = true,
            Effect::StartOver => self.orders.start_over = true,
            Effect::Fail(text) => self.orders.fail = Some(Fatal::Refused(text)),
            Effect::Reject { reason, replayed } => {
                let (record, position) = record.expect("only a record can be rejected");
                if !replayed {
                    self.reject(record, position, reason);
                }
            }
            Effect::Pause { topic, partition } => {
                self.partitions
                    .pause(topic, partition, self.consumer, &self.setup.metrics);
            }
            Effect::Resume { topic, partition } => {
                self.partitions
                    .resume(topic, partition, self.consumer, &self.setup.metrics);
            }
            Effect::List { .. }
            | Effect::Load { .. }
            | Effect::Save { .. }
            | Effect::Notice { .. } => {
                panic!("an effect that is none of Kafka's was not taken by the logic: {effect:?}")
            }
        }
    }

    /// Sends a commit, after the letters of what it covers.
    fn commit(&mut self, commit: u64, offsets: &[CommitOffset]) {
        if let Some(letters) = &mut self.letters {
            letters.settle();
        }
        // Without a share, a group that is empty for the moment would take it from anyone.
        let reason = if !self.share.is_held() || self.consumer.assignment_lost() {
            Some("the partitions are not this worker's any more")
        } else if !self.commits.is_free() {
            Some("the commit before is still unanswered")
        } else {
            None
        };
        if let Some(reason) = reason {
            self.commits.refuse(commit, reason.to_owned());
            return;
        }
        let now = Instant::now();
        let sent = self
            .commit_list(offsets)
            .and_then(|list| self.commit_queue.send(commit, &list));
        match sent {
            Ok(()) => self.commits.sent(commit, now),
            Err(reason) => self.commits.refuse(commit, reason),
        }
    }

    fn commit_list(&self, offsets: &[CommitOffset]) -> Result<TopicPartitionList, String> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for one in offsets {
            let name = &self.setup.plan.topics[usize::from(one.topic.0)].name;
            let mut element = list.add_partition(name, one.partition);
            let offset = Offset::Offset(one.offset);
            element
                .set_offset(offset)
                .map_err(|error| error.to_string())?;
            element.set_metadata(&one.note);
        }
        Ok(list)
    }

    fn reject(&mut self, record: &Record<'_>, position: Position<'_>, reason: Reject) {
        let topic = self
            .partitions
            .topic(position)
            .expect("it was just delivered");
        let topic = &self.setup.plan.topics[usize::from(topic.0)].name;
        let (partition, offset) = (position.partition(), position.offset());
        self.setup
            .metrics
            .rejected(reason, topic, partition, offset);
        if let Some(letters) = &mut self.letters {
            let origin = Origin {
                topic,
                partition,
                offset,
            };
            letters.send(record, origin, reason);
        }
    }

    /// The last words: what is in hand has been handed out, the rest is librdkafka's.
    pub(crate) fn end(&mut self) {
        if let Some(letters) = &mut self.letters {
            letters.settle();
        }
        self.partitions.revoke(&self.setup.metrics);
    }
}
