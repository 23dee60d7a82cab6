//! A worker that is never stopped, in this process: it takes the very records that are sent to the
//! broker, so its counters are what a service that was killed has to get back to.
//!
//! State is a function of the offsets: batching, restarts and hand-overs change nothing. It also
//! makes snapshots as a service does, which tells how long making one holds a worker up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalogue::Plan;
use catalogue::plan::TopicId;
use engine::View;
use events::{KafkaTime, Record, Span};
use exposition::{families, plain_text};
use pipeline::port::Position;
use pipeline::{Effect, Input, LeaseTime, LogGap, Options, Rules, Worker};

use super::orders::Made as Order;
use super::work::PARTITIONS;
use crate::clock;

const TOPIC: TopicId = TopicId(0);
const ASSIGNMENT: u64 = 1;
const OPTIONS: Options = Options {
    lease: Span::from_seconds(1_000_000_000),
    snapshot_every: Span::from_seconds(10),
    log_gap: LogGap::Continue,
    state: true,
};
/// Between two ticks on the lease's clock, which is of no use here: views are frozen once a second.
const TICK: Span = Span::from_seconds(1);
/// Ticks in which every task is saved once: one at a tick, after at least ten seconds.
const SAVING_TICKS: usize = 10 + PARTITIONS as usize;

/// A snapshot of one task, as it was made.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// How long that held the worker up.
    pub held_up: Duration,
    /// Its head, in bytes before compression.
    pub head_bytes: usize,
    /// The sections that were not stored yet, likewise.
    pub new_section_bytes: usize,
}

/// See the file's header.
pub struct Reference {
    plan: Arc<Plan>,
    worker: Worker,
    ends: Vec<i64>,
    at: LeaseTime,
    views: BTreeMap<i32, Arc<View>>,
    saves: Vec<Made>,
}

impl Reference {
    /// Before any record.
    pub fn new(plan: Plan) -> Reference {
        let plan = Arc::new(plan);
        let mut reference = Reference {
            worker: Worker::new(Arc::clone(&plan), OPTIONS, Rules::default()),
            plan,
            ends: vec![0; PARTITIONS as usize],
            at: LeaseTime(0),
            views: BTreeMap::new(),
            saves: Vec::new(),
        };
        let share: Vec<(TopicId, i32)> = (0..PARTITIONS).map(|each| (TOPIC, each)).collect();
        reference.step(Input::Assigned {
            assignment: ASSIGNMENT,
            partitions: &share,
        });
        reference
    }

    /// Takes the next record of its partition.
    pub fn record(&mut self, made: &Order<'_>) {
        let partition = made.partition;
        let record = Record {
            timestamp: Some(KafkaTime::from_millis(made.sent_at)),
            key: Some(made.key.as_bytes()),
            value: Some(made.value.as_bytes()),
            headers: &[],
        };
        let end = &mut self.ends[partition as usize];
        let offset = *end;
        *end += 1;
        self.step(Input::Record {
            topic: TOPIC,
            partition,
            offset,
            record,
        });
    }

    /// What `/metrics` shows of the KPIs when all records are taken.
    pub fn exposition(&mut self) -> String {
        self.tick();
        let views: Vec<Arc<View>> = self.views.values().cloned().collect();
        plain_text(&families(&self.plan, &views, &[]))
    }

    /// Saves every task once; how that went since the last time. Nothing is saved twice.
    pub fn save_all(&mut self) -> Vec<Made> {
        for _ in 0..SAVING_TICKS {
            self.tick();
        }
        std::mem::take(&mut self.saves)
    }

    fn tick(&mut self) {
        let now = clock::now();
        for (partition, end) in (0..).zip(self.ends.clone()) {
            self.step(Input::EndObserved {
                topic: TOPIC,
                partition,
                end,
                at: now,
            });
        }
        self.at = LeaseTime(self.at.0 + TICK.0);
        self.step(Input::Tick { now, at: self.at });
    }

    /// One step, and the answers to what it wants.
    fn step(&mut self, input: Input<'_>) {
        let mut effects = Vec::new();
        let began = Instant::now();
        self.worker.step(input, &mut effects);
        let held_up = began.elapsed();
        for effect in effects {
            self.carry_out(effect, held_up);
        }
    }

    fn carry_out(&mut self, effect: Effect, held_up: Duration) {
        match effect {
            Effect::LookUp { assignment, .. } => {
                let positions: Vec<Position> = (0..PARTITIONS).map(position).collect();
                self.step(Input::LookedUp {
                    assignment,
                    positions: &positions,
                });
            }
            Effect::List { task } => {
                let names = Ok(Vec::new());
                self.step(Input::Listed { task, names });
            }
            Effect::Commit { commit, .. } => {
                let result = Ok(());
                self.step(Input::Committed { commit, result });
            }
            Effect::Publish { views, .. } => {
                for view in views {
                    self.views.insert(view.partition, view);
                }
            }
            Effect::Save {
                task,
                name,
                snapshot,
            } => {
                let sections = snapshot.sections.iter();
                let made = Made {
                    held_up,
                    head_bytes: snapshot.head.len(),
                    new_section_bytes: sections.map(|section| section.bytes.len()).sum(),
                };
                self.saves.push(made);
                // What the worker does with its own cost is of no use to a clock that leaps.
                self.step(Input::Saved {
                    task,
                    name,
                    result: Ok((made.head_bytes + made.new_section_bytes) as u64),
                    held_up: Span::ZERO,
                });
            }
            Effect::Fail(reason) => panic!("the worker gave up: {reason}"),
            // Records are only the bench's own, nothing is too fast here, and nobody is told.
            _ => {}
        }
    }
}

fn position(partition: i32) -> Position {
    Position {
        topic: TOPIC,
        partition,
        committed: None,
        log_start: 0,
        log_end: 0,
        fresh_start: 0,
        rebuild_start: 0,
        partitions: PARTITIONS,
        log: None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::orders::Orders;
    use super::super::scrape::{counters, series};
    use super::super::service::KPIS;
    use super::super::work;
    use super::*;

    #[test]
    fn it_has_every_order_and_saves_every_task_once() {
        let (_, plan) = work::settings_with("one:1", "orders", KPIS).expect("good settings");
        let (mut reference, mut orders) = (Reference::new(plan), Orders::default());
        let take = |made: Order<'_>| {
            reference.record(&made);
            Ok::<(), Infallible>(())
        };
        let now = clock::now().0 / 1000;
        orders.past(4_000, now, take).expect("nothing fails");
        let text = reference.exposition();
        let counters = counters(&text);
        let sum = |name: &str| -> f64 {
            let of = counters
                .iter()
                .filter(|(series, _)| series.starts_with(name));
            of.map(|(_, value)| value).sum()
        };
        assert_eq!(sum("shop_fulfilment_started_total{"), 8_000.0);
        let open = sum("shop_fulfilment_started_total{") - sum("shop_fulfilment_completed_total{");
        assert_eq!(open, orders.open() as f64);
        assert_eq!(sum("shop_fulfilment_ends_without_start_total{"), 0.0);
        assert!(series(&text) > 10_000, "{} series", series(&text));
        let saves = reference.save_all();
        assert_eq!(saves.len(), PARTITIONS as usize);
        assert!(saves.iter().all(|save| save.head_bytes > 1_000));
        assert_eq!(reference.save_all().len(), 0, "nothing is new");
    }
}
