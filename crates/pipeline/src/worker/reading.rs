//! Records and ends of partitions, as far as they are this worker's.

use catalogue::plan::TopicId;
use events::{Record, Span, WallTime};

use super::{Phase, Route, Worker};
use crate::known::{Evidence, OtherLog};
use crate::log_id::LogId;
use crate::port::{Effect, LeaseTime, TaskId};
use crate::resume::changed;
use crate::rules::LogGap;
use crate::running::{Running, Stage};

/// How long the records of other tasks are waited for when one task's log is another one.
const PROBE_WITHIN: Span = Span::from_seconds(2);

/// A partition of a topic.
pub(super) type Place = (TopicId, i32);

impl Worker {
    pub(super) fn record(
        &mut self,
        place: Place,
        offset: i64,
        record: &Record<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Route { task, input }) = self.route(place) else {
            return;
        };
        let running = &mut self.tasks[task];
        let rules = self.rules;
        let taken = running.record((input, offset), record, &mut self.decoder, rules, effects);
        if let Err(other) = taken {
            self.other_log(task, input, other, effects);
        }
    }

    pub(super) fn reached_end(&mut self, place: Place, offset: i64, effects: &mut Vec<Effect>) {
        let Some(Route { task, input }) = self.route(place) else {
            return;
        };
        if let Err(other) = self.tasks[task].reached_end(input, offset, self.rules) {
            self.other_log(task, input, other, effects);
        }
    }

    pub(super) fn end_observed(&mut self, place: Place, end: i64, at: WallTime) {
        if let Some(Route { task, input }) = self.route(place) {
            self.tasks[task].progress.end_observed(input, end, at);
        }
    }

    /// The brokers said which topic this is now.
    pub(super) fn log_observed(&mut self, topic: TopicId, log: LogId, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Reading) || !self.rules.compare_topics {
            return;
        }
        if self.has_left(topic, log) {
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
                self.left.insert((topic, before));
                self.other_log(task, input, OtherLog(detail), effects);
            }
        }
    }

    /// Whether this is a topic that was there before the present one.
    pub(super) fn has_left(&self, topic: TopicId, log: LogId) -> bool {
        self.left.contains(&(topic, log))
    }

    /// The log has lost what comes next: looked up again, the gap will show.
    pub(super) fn out_of_range(&mut self, place: Place, effects: &mut Vec<Effect>) {
        if self.route(place).is_some() {
            self.start_over(effects);
        }
    }

    /// Display times go on, partitions that are far ahead wait.
    pub(super) fn show_time(&mut self, effects: &mut Vec<Effect>) {
        for running in &mut self.tasks {
            running.progress.advance(&running.task, self.now);
            let topics = &self.plan.groups[running.id.group].topics;
            for (input, paused) in running.progress.balance(&running.task, self.now) {
                let (topic, partition) = (topics[input], running.id.partition);
                effects.push(match paused {
                    true => Effect::Pause { topic, partition },
                    false => Effect::Resume { topic, partition },
                });
            }
        }
    }

    /// Whether records were turned away while totals were set to zero, and no other task's still
    /// have to be: those would lose what they have read.
    pub(super) fn waits_to_start_over(&self) -> bool {
        let zeroed = self
            .tasks
            .iter()
            .any(|running| running.stage == Stage::Zeroed);
        zeroed && !self.tasks.iter().any(Running::is_between_states)
    }

    /// Freezes everything where it is and asks for the share to be begun again.
    pub(super) fn start_over(&mut self, effects: &mut Vec<Effect>) {
        self.probed_until = None;
        self.stop_preparing();
        self.freeze_tasks();
        self.phase = Phase::Over;
        effects.push(Effect::StartOver);
    }

    /// The tasks are read no more; those whose state stands for its offsets stay in memory.
    pub(super) fn freeze_tasks(&mut self) {
        self.routes.iter_mut().for_each(Vec::clear);
        self.publisher.forget_commit();
        let sound = |running: &Running| !running.is_between_states();
        let tasks = self.tasks.drain(..).filter(sound);
        self.memory
            .extend(tasks.map(|running| (running.id, running)));
    }

    pub(super) fn open_routes(&mut self) {
        for (task, running) in self.tasks.iter().enumerate() {
            let TaskId { group, partition } = running.id;
            for (input, topic) in self.plan.groups[group].topics.iter().enumerate() {
                let routes = &mut self.routes[usize::from(topic.0)];
                let at = usize::try_from(partition).expect("partitions count from zero");
                if routes.len() <= at {
                    routes.resize(at + 1, None);
                }
                routes[at] = Some(Route { task, input });
            }
        }
    }

    /// The state is of no use for this log: it is shown no more and the share begun again, soon.
    /// Mostly it is not the only one, so the other tasks are looked at first: one new beginning for
    /// all, not one for each.
    fn other_log(&mut self, task: usize, input: usize, other: OtherLog, effects: &mut Vec<Effect>) {
        let running = &mut self.tasks[task];
        running.forsake(input);
        let (id, inputs) = (running.id, running.inputs.len());
        let evidence = self.other_logs.entry(id);
        let evidence =
            evidence.or_insert_with(|| Evidence::on(running.lineage, running.base, inputs));
        evidence.add(input, other);
        self.publisher.forget(id);
        if self.options.log_gap == LogGap::Continue {
            self.publisher.withdraw(id, effects);
        }
        let until = LeaseTime(self.at.0.saturating_add(PROBE_WITHIN.0));
        self.probed_until.get_or_insert(until);
    }

    /// Whether a log is another one and the others were looked at, or don't come.
    pub(super) fn is_probed(&self) -> bool {
        self.probed_until
            .is_some_and(|until| self.at >= until || self.tasks.iter().all(Running::is_seen))
    }

    fn route(&self, (topic, partition): Place) -> Option<Route> {
        if !matches!(self.phase, Phase::Reading) {
            return None;
        }
        let partition = usize::try_from(partition).ok()?;
        *self.routes[usize::from(topic.0)].get(partition)?
    }
}
