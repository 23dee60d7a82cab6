//! A worker: the tasks of a share of the group, from the moment the share is given to it until it
//! is given back.
//!
//! ```text
//!           Assigned              tasks are ready          Revoked, Stopping
//!   Idle ─────────────► Preparing ───────────────► Reading ─────────────────► Draining
//!    ▲                      ▲                        │ gone, or another log       │ last commit
//!    │                      └───── Assigned ── Over ◄┘                            │ and saves
//!    └────────────────────────────────────────────────────────────────────────────┘
//! ```
//! Tasks that are ready wait for the others for a moment only: then they are read, and the others
//! are added as they get ready. A store that is down holds up nobody who doesn't need it.
//! Invariant: nothing is shown beyond what is committed, and nothing is committed or shown of a
//! task before its state has reached what is committed already. While Idle and Over the tasks lie
//! frozen in memory; those that the next share doesn't have are dropped.

mod anew;
mod beginning;
mod carrying;
mod draining;
mod publishing;
mod reading;
mod restoring;
mod saving;
mod share;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::fingerprint;
use catalogue::plan::{Kind, KpiId, Plan, TopicId};
use engine::view::OverdueOrder;
use events::{Decoder, ProjectedType, Projection, Span, WallTime};

use crate::port::{Effect, Input, LeaseTime, TaskId};
use crate::preparing::Preparing;
use crate::progress::Standing;
use crate::publish::Publisher;
use crate::rules::{Options, Rules};
use crate::running::{Running, Stage};
use anew::Doubts;
use draining::Draining;

/// See the file's header.
pub struct Worker {
    plan: Arc<Plan>,
    options: Options,
    rules: Rules,
    decoder: Decoder,
    /// By group.
    fingerprints: Vec<u64>,
    phase: Phase,
    /// The tasks of the share that aren't read yet; only while Preparing and Reading.
    preparing: Option<Preparing>,
    /// The number of the current share.
    assignment: u64,
    /// Those that are read.
    tasks: Vec<Running>,
    /// For each topic, for each partition: the task and the input it feeds.
    routes: Vec<Vec<Option<Route>>>,
    /// Those that are not read now: frozen at their offsets.
    memory: BTreeMap<TaskId, Running>,
    /// What is known against their logs.
    doubts: Doubts,
    publisher: Publisher,
    now: WallTime,
    at: LeaseTime,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    task: usize,
    input: usize,
}

/// See the file's header.
#[derive(Debug)]
enum Phase {
    Idle,
    /// Nothing is read yet.
    Preparing,
    Reading,
    Draining(Draining),
    Over,
    Failed,
}

/// How many tasks are in which state: `kept_tasks{state}`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TaskCounts {
    /// Reading history for the first time, not shown yet.
    pub catching_up: usize,
    /// Getting back to what is committed, not shown.
    pub restoring: usize,
    /// Shown.
    pub serving: usize,
    /// Their lease is over: not shown until a commit goes through.
    pub fenced: usize,
}

impl Worker {
    /// A worker without partitions. `rules` are `Rules::default()` but in the simulator's proof.
    pub fn new(plan: Arc<Plan>, options: Options, rules: Rules) -> Worker {
        let groups = 0..plan.groups.len();
        Worker {
            decoder: Decoder::new(&projection(&plan)),
            fingerprints: groups
                .map(|group| fingerprint::of_plan(&plan, group))
                .collect(),
            phase: Phase::Idle,
            preparing: None,
            assignment: 0,
            tasks: Vec::new(),
            routes: vec![Vec::new(); plan.topics.len()],
            memory: BTreeMap::new(),
            doubts: Doubts::default(),
            publisher: Publisher::new(&options, rules),
            now: WallTime(0),
            at: LeaseTime(0),
            plan,
            options,
            rules,
        }
    }

    /// Takes one thing that happened and appends what is to be done about it.
    pub fn step(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Failed) {
            return;
        }
        match input {
            Input::Record {
                topic,
                partition,
                offset,
                record,
            } => self.record((topic, partition), offset, &record, effects),
            Input::ReachedEnd {
                topic,
                partition,
                offset,
            } => self.reached_end((topic, partition), offset, effects),
            Input::EndObserved {
                topic,
                partition,
                end,
                at,
            } => self.end_observed((topic, partition), end, at),
            Input::LogObserved { topic, log } => self.log_observed(topic, log, effects),
            Input::OutOfRange { topic, partition } => self.out_of_range((topic, partition)),
            Input::Tick { now, at } => self.tick(now, at, effects),
            Input::Committed { commit, result } => self.committed(commit, result, effects),
            Input::Saved {
                task,
                name,
                result,
                held_up,
            } => self.saved(task, &name, result, held_up, effects),
            Input::Assigned {
                assignment,
                partitions,
            } => self.assigned(assignment, partitions, effects),
            Input::LookedUp {
                assignment,
                positions,
            } => self.looked_up(assignment, positions, effects),
            Input::Listed { task, names } => self.listed(task, names, effects),
            Input::Loaded {
                task,
                name,
                snapshot,
            } => self.loaded(task, &name, snapshot, effects),
            Input::Revoked => self.revoked(false, effects),
            Input::Stopping => self.revoked(true, effects),
            Input::Lost => self.release(effects),
        }
    }

    /// The worst overdue orders of a promise in this worker's tasks that are shown, oldest first.
    pub fn overdue(&mut self, kpi: KpiId, limit: usize) -> Vec<OverdueOrder> {
        let mut all: Vec<OverdueOrder> = Vec::new();
        let fenced = self.publisher.is_fenced(self.at);
        let ready = self.preparing.iter_mut().flat_map(Preparing::ready);
        let read = self.tasks.iter_mut().chain(self.memory.values_mut());
        for running in read.chain(ready) {
            if !fenced && self.publisher.shows(running.id) {
                let display = running.progress.display();
                all.extend(running.task.overdue(kpi, display, limit));
            }
        }
        all.sort_by_key(|order| (order.start, order.partition, order.offset));
        all.truncate(limit);
        all
    }

    /// How many tasks are in which state. A revoked task counts for as long as it is shown.
    pub fn tasks(&self) -> TaskCounts {
        let mut counts = TaskCounts::default();
        let fenced = self.publisher.is_fenced(self.at);
        let mut count = |id: TaskId, running: Option<&Running>| {
            let state = match running.map(|running| &running.stage) {
                _ if self.publisher.shows(id) && fenced => &mut counts.fenced,
                _ if self.publisher.shows(id) => &mut counts.serving,
                Some(Stage::CatchingUp) => &mut counts.catching_up,
                _ => &mut counts.restoring,
            };
            *state += 1;
        };
        self.tasks
            .iter()
            .for_each(|running| count(running.id, Some(running)));
        if let Some(preparing) = &self.preparing {
            let pending = preparing.tasks.iter();
            pending.for_each(|pending| count(pending.id, pending.running()));
            return counts;
        }
        for running in self.memory.values() {
            if self.publisher.shows(running.id) || matches!(self.phase, Phase::Over) {
                count(running.id, Some(running));
            }
        }
        counts
    }

    /// How many tasks wait for a state store that doesn't answer, and its last words.
    pub fn waits_for_store(&self) -> Option<(usize, &str)> {
        let pending = self.preparing.iter().flat_map(|it| &it.tasks);
        let waiting = pending.filter(|it| !it.step.is_ready());
        let troubles: Vec<&str> = waiting.filter_map(|it| it.trouble.as_deref()).collect();
        troubles.last().map(|last| (troubles.len(), *last))
    }

    /// Where each owned partition stands: what lag is computed from.
    pub fn standings(&self) -> impl Iterator<Item = (TopicId, i32, Standing)> {
        self.tasks.iter().flat_map(|running| {
            let topics = &self.plan.groups[running.id.group].topics;
            let standings = topics.iter().zip(running.progress.standings(&running.task));
            standings.map(|(topic, standing)| (*topic, running.id.partition, standing))
        })
    }

    fn tick(&mut self, now: WallTime, at: LeaseTime, effects: &mut Vec<Effect>) {
        (self.now, self.at) = (now, at);
        if let Some(commit) = self.publisher.tick(at, effects) {
            self.first_commit_failed(commit);
        }
        if let Some(preparing) = &mut self.preparing {
            preparing.ask_again(at, effects);
            self.prepare(effects);
        }
        match &self.phase {
            Phase::Reading if self.begins_again() => self.begin_again(effects),
            Phase::Reading => {
                self.show_time(effects);
                self.publish(effects);
                self.save_due(effects);
            }
            Phase::Draining(_) => self.drain(effects),
            Phase::Idle => self.publisher.released(effects, at),
            Phase::Preparing | Phase::Over | Phase::Failed => {}
        }
    }

    fn fail(&mut self, message: String, effects: &mut Vec<Effect>) {
        self.phase = Phase::Failed;
        effects.push(Effect::Fail(message));
    }

    fn topic_name(&self, topic: TopicId) -> &str {
        &self.plan.topics[usize::from(topic.0)].name
    }
}

/// What the decoder has to look for.
pub fn projection(plan: &Plan) -> Projection {
    let types = plan.types.iter().map(|definition| ProjectedType {
        name: definition.name.clone(),
        keys: definition
            .keys
            .iter()
            .map(|key| (key.field, key.required))
            .collect(),
    });
    Projection {
        types: types.collect(),
        fields: plan.fields.clone(),
        max_future: plan.time.max_future,
        max_bytes: plan.limits.record_bytes,
    }
}

/// How much history a state is made of, at most: what totals don't need.
fn reach(plan: &Plan) -> Span {
    let lateness = plan.topics.iter().map(|topic| topic.lateness);
    let lateness = lateness.max().unwrap_or(Span::ZERO);
    let of_kpi = |kpi: &catalogue::plan::Kpi| {
        let windows = kpi.windows.iter().map(|window| window.length);
        let longest = windows.max().unwrap_or(Span::ZERO);
        longest.max(match &kpi.kind {
            Kind::Promise(promise) => promise.horizon + promise.hold,
            Kind::Funnel(funnel) => funnel.idle_timeout + funnel.recover,
            Kind::Count(_) | Kind::Ratio(_) => Span::ZERO,
        })
    };
    let longest = plan.kpis.iter().map(of_kpi).max().unwrap_or(Span::ZERO);
    longest + lateness + lateness + plan.time.dedupe
}
