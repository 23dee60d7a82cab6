//! A worker in a tiny virtual world: partition logs, committed offsets, a store, a clock.
//!
//! `settle` answers the worker's questions until it has none; `pass` lets time pass in ticks of
//! 100 ms, with everything delivered in between. A restart keeps the world and takes a new worker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use catalogue::plan::{Plan, TopicId};
use engine::View;
use engine::snapshot::Section;
use engine::view::KindView;
use events::{KafkaTime, Record, Span, WallTime};
use pipeline::log_id::LogId;
use pipeline::port::{CommitOffset, Notice, SaveError};
use pipeline::{Effect, Input, LeaseTime, LogGap, Options, Rules, TaskId, Worker};

use crate::plans::{MORNING, SECOND, event};

pub type Place = (TopicId, i32);

/// A partition's log.
#[derive(Clone, Default)]
pub struct Log {
    pub start: i64,
    /// By offset; `None` is a control record.
    pub records: Vec<Option<(String, i64)>>,
    /// The topic's id, if the brokers tell.
    pub id: Option<LogId>,
}

/// How the brokers answer a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    Taken,
    Refused,
    /// Not at all.
    Silent,
}

/// What outlives a worker.
pub struct World {
    pub logs: BTreeMap<Place, Log>,
    pub committed: BTreeMap<Place, (i64, String)>,
    pub heads: BTreeMap<(TaskId, String), Vec<u8>>,
    /// Those of tasks with other topics, by what the store calls them.
    pub earlier: BTreeMap<String, Vec<u8>>,
    pub sections: BTreeMap<u128, Section>,
    pub partitions: i32,
    pub fresh_start: i64,
    pub rebuild_start: i64,
    pub commits: Commits,
    pub store_down: bool,
    /// It doesn't answer at all.
    pub store_silent: bool,
    pub save_error: Option<SaveError>,
    pub held_up: Span,
    /// Records delivered in one go; fewer than there are leaves a task behind.
    pub batch: usize,
    /// What was paused is delivered all the same, once: the shell had it already.
    pub delivers_paused: bool,
    pub now: i64,
}

/// See the file's header.
pub struct Rig {
    pub world: World,
    pub worker: Worker,
    pub plan: Arc<Plan>,
    pub options: Options,
    pub assignment: u64,
    pub share: Vec<Place>,
    /// The next offset to deliver, of what is assigned.
    pub positions: BTreeMap<Place, i64>,
    pub paused: BTreeSet<Place>,
    pub questions: VecDeque<Effect>,
    pub notices: Vec<Notice>,
    pub failed: Option<String>,
    /// Every `Publish`.
    pub published: Vec<(Vec<Arc<View>>, LeaseTime)>,
    pub board: BTreeMap<TaskId, Arc<View>>,
    pub until: LeaseTime,
    pub sent: Vec<Vec<CommitOffset>>,
    pub loads: Vec<String>,
    pub saves: Vec<(i64, String)>,
    pub rejects: Vec<bool>,
    pub released: usize,
    pub assigns: usize,
    pub started_over: usize,
}

pub fn options() -> Options {
    Options {
        lease: Span::from_seconds(8),
        snapshot_every: Span::from_seconds(10),
        log_gap: LogGap::Continue,
        state: true,
    }
}

impl Rig {
    /// One partition of each topic, with empty logs.
    pub fn new(plan: &Arc<Plan>) -> Rig {
        Rig::with(plan, options(), Rules::default())
    }

    pub fn with(plan: &Arc<Plan>, options: Options, rules: Rules) -> Rig {
        let topics = 0..plan.topics.len();
        let share: Vec<Place> = topics.map(|topic| (TopicId(topic as u16), 0)).collect();
        let world = World {
            logs: share.iter().map(|place| (*place, Log::default())).collect(),
            committed: BTreeMap::new(),
            heads: BTreeMap::new(),
            earlier: BTreeMap::new(),
            sections: BTreeMap::new(),
            partitions: 1,
            fresh_start: 0,
            rebuild_start: 0,
            commits: Commits::Taken,
            store_down: false,
            store_silent: false,
            save_error: None,
            held_up: Span(0),
            batch: usize::MAX,
            delivers_paused: false,
            now: MORNING + 600 * SECOND,
        };
        Rig {
            world,
            worker: Worker::new(Arc::clone(plan), options, rules),
            plan: Arc::clone(plan),
            options,
            assignment: 0,
            share,
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            questions: VecDeque::new(),
            notices: Vec::new(),
            failed: None,
            published: Vec::new(),
            board: BTreeMap::new(),
            until: LeaseTime(i64::MIN),
            sent: Vec::new(),
            loads: Vec::new(),
            saves: Vec::new(),
            rejects: Vec::new(),
            released: 0,
            assigns: 0,
            started_over: 0,
        }
    }

    /// The process is gone; another one begins in the same world.
    pub fn restart(self) -> Rig {
        let plan = Arc::clone(&self.plan);
        self.restart_as(&plan)
    }

    pub fn restart_as(self, plan: &Arc<Plan>) -> Rig {
        let mut rig = Rig::with(plan, self.options, Rules::default());
        rig.world = self.world;
        rig.world.now += SECOND;
        rig
    }

    /// The next process breaks rules.
    pub fn restart_with(self, rules: Rules) -> Rig {
        let mut rig = self.restart();
        rig.worker = Worker::new(Arc::clone(&rig.plan), rig.options, rules);
        rig
    }

    /// Appends `count` records of a kind, numbered by offset.
    pub fn append(&mut self, topic: u16, kind: &str, count: usize) {
        self.append_to((TopicId(topic), 0), kind, count);
    }

    pub fn append_to(&mut self, place: Place, kind: &str, count: usize) {
        let log = self.world.logs.entry(place).or_default();
        for _ in 0..count {
            let number = log.records.len() as i64;
            log.records
                .push(Some((event(kind, number), MORNING + number * SECOND)));
        }
    }

    pub fn log(&mut self, topic: u16) -> &mut Log {
        self.world
            .logs
            .get_mut(&(TopicId(topic), 0))
            .expect("the log is there")
    }

    /// The whole share is assigned, and everything asked for is answered.
    pub fn assign(&mut self) {
        let share = self.share.clone();
        self.assign_only(&share);
    }

    pub fn assign_only(&mut self, share: &[Place]) {
        self.ask_to_assign(share);
        self.settle();
    }

    pub fn ask_to_assign(&mut self, share: &[Place]) {
        self.assignment += 1;
        self.positions.clear();
        self.paused.clear();
        self.share = share.to_vec();
        self.tick();
        let assignment = self.assignment;
        self.step(Input::Assigned {
            assignment,
            partitions: share,
        });
    }

    /// Ticks and deliveries for so long.
    pub fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds * 10 {
            self.pass_a_tenth();
        }
    }

    pub fn pass_a_tenth(&mut self) {
        self.world.now += SECOND / 10;
        self.turn();
    }

    pub fn turn(&mut self) {
        self.deliver();
        self.tick();
        self.settle();
    }

    pub fn tick(&mut self) {
        let (now, at) = (WallTime(self.world.now), LeaseTime(self.world.now));
        self.step(Input::Tick { now, at });
    }

    pub fn step(&mut self, input: Input<'_>) {
        let mut effects = Vec::new();
        self.worker.step(input, &mut effects);
        effects
            .into_iter()
            .for_each(|effect| self.carry_out(effect));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Assign { assignment, starts } => {
                assert_eq!(assignment, self.assignment);
                let starts = starts
                    .iter()
                    .map(|one| ((one.topic, one.partition), one.start));
                for (place, start) in starts {
                    assert!(self.share.contains(&place), "{place:?} is of the share");
                    let before = self.positions.insert(place, start);
                    assert_eq!(before, None, "{place:?} is assigned once");
                }
                self.assigns += 1;
            }
            Effect::Publish { views, until } => {
                for view in &views {
                    self.board.insert(id_of(view), Arc::clone(view));
                }
                self.until = until;
                self.published.push((views, until));
            }
            Effect::Withdraw { task } => {
                self.board
                    .remove(&task)
                    .expect("only what is shown is withdrawn");
            }
            Effect::Release => {
                self.released += 1;
                self.positions.clear();
            }
            Effect::Pause { topic, partition } => {
                self.paused.insert((topic, partition));
            }
            Effect::Resume { topic, partition } => {
                self.paused.remove(&(topic, partition));
            }
            Effect::StartOver => {
                self.started_over += 1;
                self.questions.push_back(Effect::StartOver);
            }
            Effect::Reject { replayed, .. } => self.rejects.push(replayed),
            Effect::Notice(notice) => self.notices.push(notice),
            Effect::Fail(message) => self.failed = Some(message),
            question => {
                if let Effect::Commit { offsets, .. } = &question {
                    self.sent.push(offsets.clone());
                }
                self.questions.push_back(question);
            }
        }
    }

    /// Answers everything that was asked.
    pub fn settle(&mut self) {
        while let Some(question) = self.questions.pop_front() {
            self.answer(question);
        }
    }

    /// Delivers a batch of each partition, and says where its end is.
    pub fn deliver(&mut self) {
        for place in self.positions.keys().copied().collect::<Vec<_>>() {
            if !self.paused.contains(&place) || self.world.delivers_paused {
                self.deliver_of(place);
            }
        }
    }

    fn deliver_of(&mut self, place: Place) {
        let (topic, partition) = place;
        let log = self.world.logs[&place].clone();
        let end = log.records.len() as i64;
        for _ in 0..self.world.batch {
            let Some(offset) = self.positions.get(&place).copied() else {
                return;
            };
            if offset < log.start || offset > end {
                return self.step(Input::OutOfRange { topic, partition });
            }
            if offset == end {
                break;
            }
            self.positions.insert(place, offset + 1);
            if let Some((value, timestamp)) = &log.records[offset as usize] {
                let record = Record {
                    timestamp: Some(KafkaTime(*timestamp)),
                    key: None,
                    value: Some(value.as_bytes()),
                    headers: &[],
                };
                self.step(Input::Record {
                    topic,
                    partition,
                    offset,
                    record,
                });
            }
        }
        if self.positions.get(&place) == Some(&end) {
            self.step(Input::ReachedEnd {
                topic,
                partition,
                offset: end,
            });
        }
        let at = WallTime(self.world.now);
        self.step(Input::EndObserved {
            topic,
            partition,
            end,
            at,
        });
    }

    /// The orders counted in the view that is shown, if one is and its lease lasts.
    pub fn orders(&self) -> Option<u64> {
        self.orders_of(0)
    }

    pub fn orders_of(&self, partition: i32) -> Option<u64> {
        let view = self.board.get(&TaskId {
            group: 0,
            partition,
        })?;
        (self.world.now <= self.until.0).then(|| orders(view))
    }

    /// What is committed of a topic.
    pub fn committed(&self, topic: u16) -> Option<i64> {
        self.world
            .committed
            .get(&(TopicId(topic), 0))
            .map(|one| one.0)
    }

    /// Notices, without those of every start.
    pub fn told(&self, wanted: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| wanted(notice)).count()
    }
}

pub const TASK: TaskId = TaskId {
    group: 0,
    partition: 0,
};

/// The orders counted in a view.
pub fn orders(view: &View) -> u64 {
    let count = view.kpis.iter().find_map(|kpi| match &kpi.series {
        KindView::Count(series) => Some(series.iter().map(|one| one.total).sum()),
        _ => None,
    });
    count.expect("the plan counts orders")
}

fn id_of(view: &View) -> TaskId {
    TaskId {
        group: view.group,
        partition: view.partition,
    }
}
