//! A worker's hands: deliveries become inputs of the logic, its effects become deeds.
//!
//! Effects are carried out before the next input, so a rejected record is still in librdkafka's
//! buffer when its dead letter is written.

use events::{Record, Reject};
use pipeline::{Effect, Input};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode;

use crate::batch::{Delivered, Position};
use crate::context::{Context, classify};
use crate::letters::{DeadLetters, Origin};
use crate::metrics::Trouble;
use crate::partitions::Partitions;
use crate::worker::{Call, Setup, wall_time};

/// What turns deliveries into inputs and effects into deeds.
pub(crate) struct Hands<'s, L> {
    pub(crate) partitions: Partitions,
    pub(crate) letters: Option<DeadLetters>,
    pub(crate) logic: L,
    pub(crate) effects: Vec<Effect>,
    pub(crate) setup: &'s Setup,
    pub(crate) consumer: &'s BaseConsumer<Context>,
    pub(crate) reassign: bool,
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
                    self.step(
                        Input::ReachedEnd {
                            topic,
                            partition,
                            offset,
                        },
                        None,
                    );
                }
            }
            Delivered::Failed(code, text) => {
                let name = &self.setup.plan.topics[usize::from(topic.0)].name;
                self.failed(code, &format!("{name} partition {partition}: {text}"));
            }
        }
    }

    fn failed(&mut self, code: RDKafkaErrorCode, detail: &str) {
        let trouble = match classify(Some(code)) {
            Trouble::Other => Trouble::Fetch,
            known => known,
        };
        if trouble == Trouble::OffsetOutOfRange {
            // What was to be read next is gone: begin again from `kafka.start`, all of it.
            self.reassign = true;
        }
        self.setup.metrics.trouble(trouble, detail);
    }

    pub(crate) fn revoked(&mut self) {
        self.partitions.revoke(&self.setup.metrics);
        self.step(Input::Revoked, None);
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
            Effect::Publish(view) => {
                if let Some(letters) = &mut self.letters {
                    letters.settle();
                }
                self.setup.board.publish(number, view);
            }
            Effect::Withdraw { group, partition } => {
                self.setup.board.withdraw(number, group, partition);
            }
            Effect::Reject(reason) => {
                let (record, position) = record.expect("only a record can be rejected");
                self.reject(record, position, reason);
            }
            Effect::Pause { topic, partition } => {
                self.partitions
                    .pause(topic, partition, self.consumer, &self.setup.metrics);
            }
            Effect::Resume { topic, partition } => {
                self.partitions
                    .resume(topic, partition, self.consumer, &self.setup.metrics);
            }
        }
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
            letters.send(
                record,
                Origin {
                    topic,
                    partition,
                    offset,
                },
                reason,
            );
        }
    }

    /// The last words: what is in hand has been handed out, the rest is librdkafka's.
    pub(crate) fn end(&mut self) {
        self.step(Input::Tick { now: wall_time() }, None);
        if let Some(letters) = &mut self.letters {
            letters.settle();
        }
        self.partitions.revoke(&self.setup.metrics);
    }
}
