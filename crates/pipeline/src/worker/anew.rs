//! What the tasks stand on is gone: the share is begun again, in place.
//!
//! A log is another one, has lost what comes next, or gave records while totals were set to zero. The
//! worker stays in the group all the while: whoever leaves comes back as somebody else, shares are
//! swapped, and what is in memory and not saved is lost to tasks that are not concerned. So all of
//! them are frozen where they are, looked up, and go on; one new beginning for all that notice the
//! same within a moment.
//!
//! Invariant: what is concerned is not shown or saved before it was begun again, and told once.

use std::collections::{BTreeMap, BTreeSet};

use catalogue::plan::TopicId;
use events::Span;

use super::reading::Place;
use super::{Phase, Worker};
use crate::known::{Evidence, OtherLog};
use crate::log_id::LogId;
use crate::port::{Effect, LeaseTime, TaskId};
use crate::resume::{InputFacts, changed};
use crate::rules::LogGap;
use crate::running::{Running, Stage};

/// How long the records of other tasks are waited for when one task's log is another one.
const PROBE_WITHIN: Span = Span::from_seconds(2);
/// How long others may take to set their totals to zero: until then they lose what they have read.
const ZERO_WITHIN: Span = Span::from_seconds(60);

/// Not more often than this: brokers that contradict each other would be asked without a pause.
const EVERY: Span = Span::from_seconds(1);

/// What is known against the logs of a worker.
#[derive(Default)]
pub(super) struct Doubts {
    /// By task, until it is read again.
    tasks: BTreeMap<TaskId, Doubt>,
    /// Topics that were there before the present ones: ids never come again, so a broker that tells
    /// one of these is behind the others.
    left: BTreeSet<(TopicId, LogId)>,
    /// Since when the share is to be begun again.
    since: Option<LeaseTime>,
    /// When it was last begun again.
    last: Option<LeaseTime>,
}

/// What is known against the logs of a task.
#[derive(Default)]
struct Doubt {
    /// What showed while it was read that a log is another one.
    evidence: Option<Evidence>,
    /// The topics that it was read from then: what is committed of one that was deleted goes with it.
    logs: Vec<Option<LogId>>,
    /// Whether it was told that the task begins anew.
    told: bool,
}

impl Doubts {
    /// The share has these tasks only.
    pub(super) fn begin(&mut self, tasks: &[TaskId]) {
        self.tasks.retain(|id, _| tasks.contains(id));
        self.since = None;
    }

    /// A task is read: it has begun anew, if it had to.
    pub(super) fn settle(&mut self, task: TaskId) {
        self.tasks.remove(&task);
    }

    /// It is told that a task begins anew. False: it was before.
    pub(super) fn tell(&mut self, task: TaskId) -> bool {
        let doubt = self.tasks.entry(task).or_default();
        !std::mem::replace(&mut doubt.told, true)
    }

    /// What a task was read from before is gone for good.
    pub(super) fn leave(&mut self, topic: TopicId, log: LogId) {
        self.left.insert((topic, log));
    }

    /// Whether this is a topic that was there before the present one.
    pub(super) fn has_left(&self, topic: TopicId, log: LogId) -> bool {
        self.left.contains(&(topic, log))
    }

    /// Adds what showed that a log is another one, unless somebody has acted on it since.
    pub(super) fn add_to(&self, facts: &mut [InputFacts], task: TaskId) {
        let Some(doubt) = self.tasks.get(&task) else {
            return;
        };
        let evidence = doubt.evidence.as_ref();
        if let Some(evidence) = evidence.filter(|evidence| !evidence.is_settled(facts)) {
            for (input, facts) in facts.iter_mut().enumerate() {
                let differs = || changed(doubt.logs[input], facts.log);
                facts.other_log = evidence.of(input).or_else(differs);
            }
        }
    }

    fn found(&mut self, running: &Running, input: usize, other: OtherLog) {
        let doubt = self.tasks.entry(running.id).or_default();
        let inputs = running.inputs.len();
        let first = || Evidence::on(running.lineage, running.base, inputs);
        if doubt.evidence.is_none() {
            doubt.logs = running.known.iter().map(|known| known.log).collect();
        }
        doubt.evidence.get_or_insert_with(first).add(input, other);
    }
}

impl Worker {
    /// The brokers said which topic this is now.
    pub(super) fn log_observed(&mut self, topic: TopicId, log: LogId, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Reading) || !self.rules.compare_topics {
            return;
        }
        if self.doubts.has_left(topic, log) {
            return;
        }
        for task in 0..self.tasks.len() {
            let running = &mut self.tasks[task];
            let topics = &self.plan.groups[running.id.group].topics;
            let Some(input) = topics.iter().position(|one| *one == topic) else {
                continue;
            };
            let before = *running.known[input].log.get_or_insert(log);
            if let Some(detail) = changed(Some(before), Some(log)) {
                self.doubts.leave(topic, before);
                self.other_log(task, input, OtherLog(detail), effects);
            }
        }
    }

    /// The log has lost what comes next: looked up again, the gap will show.
    pub(super) fn out_of_range(&mut self, place: Place) {
        if let Some(route) = self.route(place) {
            self.tasks[route.task].is_cut();
            self.doubts.since.get_or_insert(self.at);
        }
    }

    /// The state is of no use for this log: it is shown no more. Mostly it is not the only one, so
    /// the other tasks are looked at before the share is begun again.
    pub(super) fn other_log(
        &mut self,
        task: usize,
        input: usize,
        other: OtherLog,
        effects: &mut Vec<Effect>,
    ) {
        let running = &mut self.tasks[task];
        running.forsake(input);
        self.doubts.found(running, input, other);
        let id = running.id;
        self.publisher.forget(id);
        if self.options.log_gap == LogGap::Continue {
            self.publisher.withdraw(id, effects);
        }
        self.doubts.since.get_or_insert(self.at);
    }

    /// Whether the share is to be begun again now: when the other tasks' logs were looked at, or
    /// don't come, and no task would lose what it has read. The answer to a commit on its way is
    /// awaited: the views that it stands for would be withdrawn as overtaken.
    pub(super) fn begins_again(&self) -> bool {
        let busy = self.publisher.is_busy() && self.rules.commit_before_anew;
        let lately = |last: LeaseTime| self.at.0 - last.0 < EVERY.0;
        if busy || self.doubts.last.is_some_and(lately) {
            return false;
        }
        let has = |stage: fn(&Stage) -> bool| self.tasks.iter().any(|it| stage(&it.stage));
        let rebuilding = has(|it| matches!(it, Stage::Rebuilding { .. }));
        let Some(since) = self.doubts.since else {
            return has(|it| *it == Stage::Zeroed) && !rebuilding;
        };
        let waited = self.at.0 - since.0;
        let probed = self.tasks.iter().all(Running::is_seen) || waited >= PROBE_WITHIN.0;
        probed && (!rebuilding || waited >= ZERO_WITHIN.0)
    }

    /// Freezes everything where it is and asks for the share to be begun again.
    pub(super) fn begin_again(&mut self, effects: &mut Vec<Effect>) {
        (self.doubts.since, self.doubts.last) = (None, Some(self.at));
        self.stop_preparing();
        self.freeze_tasks();
        self.phase = Phase::Over;
        effects.push(Effect::StartOver);
    }
}
