//! Freezing, committing and showing the views of the tasks that are ready.

use std::sync::Arc;

use super::{Phase, Worker};
use crate::port::{CommitOffset, Effect, Notice};
use crate::publish::{Outcome, task_of};
use crate::running::{Running, Stage};

impl Worker {
    /// Freezes and commits if it is time to.
    pub(super) fn publish(&mut self, effects: &mut Vec<Effect>) {
        let waits = |running: &Running| {
            !matches!(running.stage, Stage::Serving)
                && running.is_ready(self.now, self.rules)
                && !(self.rules.saved_first && running.saves.holds_back(self.at))
        };
        let first = self.tasks.iter().any(waits);
        if self.publisher.is_due(self.at, first) {
            self.freeze(effects);
        }
    }

    /// Freezes the views of all tasks that are ready and sends their commit; false if none is.
    pub(super) fn freeze(&mut self, effects: &mut Vec<Effect>) -> bool {
        let mut offsets = Vec::new();
        let mut views = Vec::new();
        for running in &mut self.tasks {
            let held_back = self.rules.saved_first && running.saves.holds_back(self.at);
            if running.is_ready(self.now, self.rules) && !held_back {
                let view = running.task.view(running.progress.display());
                let topics = &self.plan.groups[running.id.group].topics;
                for (input, topic) in topics.iter().enumerate() {
                    offsets.push(CommitOffset {
                        topic: *topic,
                        partition: running.id.partition,
                        offset: view.offsets[input],
                        note: running.note(input, true).to_string(),
                    });
                }
                views.push(Arc::new(view));
            }
        }
        if views.is_empty() {
            return false;
        }
        offsets.sort_by_key(|entry| (entry.topic, entry.partition));
        self.publisher.commit(offsets, views, self.at, effects);
        true
    }

    /// The brokers answered a commit.
    pub(super) fn committed(
        &mut self,
        commit: u64,
        result: Result<(), String>,
        effects: &mut Vec<Effect>,
    ) {
        match self.publisher.committed(commit, result, effects) {
            Outcome::Stale => return,
            Outcome::Failed => self.first_commit_failed(commit),
            Outcome::Done(views) => {
                for (view, first) in views {
                    let id = task_of(&view);
                    let running = self.tasks.iter_mut().find(|running| running.id == id);
                    let Some(running) = running else {
                        continue;
                    };
                    running.is_shown();
                    if first {
                        let clock = view.inputs.iter().filter_map(|input| input.clock).min();
                        effects.push(Effect::Notice(Notice::Serving { task: id, clock }));
                    }
                }
                self.first_commit_done(commit, effects);
            }
        }
        if matches!(self.phase, Phase::Draining(_)) {
            self.drain(effects);
        }
    }
}

impl Running {
    /// A view of it is shown, so what is committed is its own.
    fn is_shown(&mut self) {
        self.base = Some(self.lineage);
        self.stage = Stage::Serving;
    }
}
