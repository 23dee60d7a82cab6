//! Records and ends of partitions, as far as they are this worker's.

use catalogue::plan::TopicId;
use events::{Record, WallTime};

use super::{Phase, Route, Worker};
use crate::port::{Effect, TaskId};
use crate::running::Running;

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

    pub(super) fn route(&self, (topic, partition): Place) -> Option<Route> {
        if !matches!(self.phase, Phase::Reading) {
            return None;
        }
        let partition = usize::try_from(partition).ok()?;
        *self.routes[usize::from(topic.0)].get(partition)?
    }
}
