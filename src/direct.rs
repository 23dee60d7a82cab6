//! A worker without Kafka around it: all partitions of the plan's first topic, from their
//! beginnings, on a broker that says yes to everything at once. For what runs in virtual time.

use std::sync::Arc;

use catalogue::Plan;
use catalogue::plan::TopicId;
use engine::View;
use events::{Record, Span, WallTime};
use pipeline::port::Position;
use pipeline::{Effect, Input, LeaseTime, LogGap, Options, Rules, Worker};

const TOPIC: TopicId = TopicId(0);
const ASSIGNMENT: u64 = 1;
/// Nothing is saved, and virtual time may leap: a lease is long.
const OPTIONS: Options = Options {
    lease: Span::from_seconds(1_000_000_000),
    snapshot_every: Span::from_seconds(10),
    log_gap: LogGap::Continue,
    state: false,
};

/// See the file's header.
pub struct Direct {
    worker: Worker,
    partitions: i32,
    effects: Vec<Effect>,
    published: Vec<Arc<View>>,
    rejected: bool,
}

impl Direct {
    /// A worker that has so many partitions.
    pub fn new(plan: &Arc<Plan>, partitions: i32) -> Direct {
        let mut direct = Direct {
            worker: Worker::new(Arc::clone(plan), OPTIONS, Rules::default()),
            partitions,
            effects: Vec::new(),
            published: Vec::new(),
            rejected: false,
        };
        let share: Vec<(TopicId, i32)> = (0..partitions).map(|each| (TOPIC, each)).collect();
        let assigned = Input::Assigned {
            assignment: ASSIGNMENT,
            partitions: &share,
        };
        direct.step(assigned);
        direct
    }

    /// Delivers a record; false if it can't be an event.
    pub fn record(&mut self, partition: i32, offset: i64, record: Record<'_>) -> bool {
        let input = Input::Record {
            topic: TOPIC,
            partition,
            offset,
            record,
        };
        self.rejected = false;
        self.step(input);
        !self.rejected
    }

    /// Says where each partition ends.
    pub fn ends(&mut self, ends: impl IntoIterator<Item = i64>, at: WallTime) {
        for (partition, end) in (0..).zip(ends) {
            let topic = TOPIC;
            self.step(Input::EndObserved {
                topic,
                partition,
                end,
                at,
            });
        }
    }

    /// Lets it become `now`; what is published then.
    pub fn tick(&mut self, now: WallTime) -> Vec<Arc<View>> {
        let at = LeaseTime(now.0);
        self.step(Input::Tick { now, at });
        std::mem::take(&mut self.published)
    }

    /// One step, and the broker's answers to what it wants.
    fn step(&mut self, input: Input<'_>) {
        self.worker.step(input, &mut self.effects);
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::LookUp { assignment, .. } => {
                let positions: Vec<Position> =
                    (0..self.partitions).map(|p| self.position(p)).collect();
                let input = Input::LookedUp {
                    assignment,
                    positions: &positions,
                };
                self.worker.step(input, &mut self.effects);
            }
            Effect::Commit { commit, .. } => {
                let result = Ok(());
                let input = Input::Committed { commit, result };
                self.worker.step(input, &mut self.effects);
            }
            Effect::Publish { views, .. } => self.published.extend(views),
            Effect::Reject { .. } => self.rejected = true,
            Effect::Fail(reason) => panic!("the worker gave up: {reason}"),
            // Nothing is too fast here, and nobody is told.
            _ => {}
        }
    }

    fn position(&self, partition: i32) -> Position {
        Position {
            topic: TOPIC,
            partition,
            committed: None,
            log_start: 0,
            log_end: 0,
            fresh_start: 0,
            rebuild_start: 0,
            partitions: self.partitions,
            log: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_publishes_what_it_was_given() {
        let sources = catalogue::Sources {
            path: "test",
            text: "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n",
            environment: &[],
            files: &[],
        };
        let (_, plan) = catalogue::read(&sources).expect("a good configuration");
        let mut direct = Direct::new(&Arc::new(plan), 2);
        let record = Record {
            timestamp: None,
            key: None,
            value: Some(b"no event"),
            headers: &[],
        };
        assert!(!direct.record(1, 0, record));
        let now = WallTime(1_000_000_000);
        direct.ends([0, 1], now);
        let views = direct.tick(now);
        let of = |view: &Arc<View>| (view.partition, view.offsets.clone());
        let mut shown: Vec<(i32, Vec<i64>)> = views.iter().map(of).collect();
        shown.sort();
        assert_eq!(shown, [(0, vec![0]), (1, vec![1])]);
    }
}
