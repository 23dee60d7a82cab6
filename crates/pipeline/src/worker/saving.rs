//! Snapshots of the tasks that are read: one at a tick, so that none of them waits for all.

use engine::snapshot::SectionRef;
use events::Span;

use super::{Phase, Worker};
use crate::name::SnapshotName;
use crate::port::{Effect, Notice, SaveError, TaskId};
use crate::running::Running;
use crate::saves::every;

impl Worker {
    /// Saves the task that has waited longest, if one is due.
    pub(super) fn save_due(&mut self, effects: &mut Vec<Effect>) {
        if !self.options.state {
            return;
        }
        for running in &mut self.tasks {
            if running.saves.gave_up(self.at) {
                effects.push(Effect::Notice(Notice::StoreUnavailable {
                    task: running.id,
                    detail: "a snapshot was not answered for".to_owned(),
                    waits: false,
                }));
            }
        }
        let due = |running: &Running| running.saves.due().filter(|_| running.is_sound());
        let waiting = self.tasks.iter().enumerate();
        let waiting = waiting.filter_map(|(at, running)| Some((due(running)?, at)));
        let Some((due, next)) = waiting.min() else {
            return;
        };
        if due > self.at {
            return;
        }
        let every = self.save_every();
        let name = self.snapshot_name(next);
        if !self.tasks[next].saves.puts_off(&name, self.at, every) {
            self.save(next, name, effects);
        }
    }

    /// Saves every task whose state isn't stored; true when all are.
    pub(super) fn save_all(&mut self, effects: &mut Vec<Effect>) -> bool {
        if !self.options.state {
            return true;
        }
        let mut all = true;
        for at in 0..self.tasks.len() {
            let name = self.snapshot_name(at);
            let running = &self.tasks[at];
            if !running.is_sound() || running.saves.has(&name) {
                continue;
            }
            all = false;
            if running.saves.may_be_sent(self.at) {
                self.save(at, name, effects);
            }
        }
        all
    }

    /// The store answered.
    pub(super) fn saved(
        &mut self,
        task: TaskId,
        name: &str,
        result: Result<u64, SaveError>,
        held_up: Span,
        effects: &mut Vec<Effect>,
    ) {
        let (at, every) = (self.at, self.save_every());
        let running = self.tasks.iter_mut().find(|running| running.id == task);
        let ready = self.preparing.as_mut();
        let ready = ready.and_then(|it| it.ready().find(|running| running.id == task));
        let running = running.or(ready);
        let Some(running) = running.or_else(|| self.memory.get_mut(&task)) else {
            return;
        };
        let Some((sections, made)) = running.saves.answered(name, held_up) else {
            return;
        };
        let detail = match result {
            Ok(_) => {
                running.task.stored(&sections);
                let saved = SnapshotName::parse(name).map(|name| name.lineage);
                let present = saved == Some(running.lineage);
                let saves = &mut running.saves;
                saves.succeeded(name.to_owned(), made, every, present);
                None
            }
            Err(SaveError::Unavailable(detail)) => Some(detail),
            Err(SaveError::Incomplete(detail)) => {
                running.task.nothing_is_stored();
                Some(detail)
            }
            Err(SaveError::Differs(detail)) => {
                let message = format!(
                    "snapshot {name} is stored already with other content ({detail}): two states at \
                     the same offsets differ, which is a bug in Kept; please report it with both \
                     snapshots. `kept state reset` begins anew"
                );
                return self.fail(message, effects);
            }
        };
        if let Some(detail) = detail {
            running.saves.failed(at);
            effects.push(Effect::Notice(Notice::StoreUnavailable {
                task,
                detail,
                waits: false,
            }));
        }
        if matches!(self.phase, Phase::Draining(_)) {
            self.drain(effects);
        }
    }

    fn save(&mut self, at: usize, name: String, effects: &mut Vec<Effect>) {
        let running = &mut self.tasks[at];
        let snapshot = running.task.save(&running.header().to_bytes());
        let references = snapshot.sections.iter().map(|section| section.reference);
        let references: Vec<SectionRef> = references.collect();
        running.saves.sent(name.clone(), references, self.at);
        effects.push(Effect::Save {
            task: running.id,
            name,
            snapshot,
        });
    }

    fn snapshot_name(&self, at: usize) -> String {
        let running = &self.tasks[at];
        let name = SnapshotName {
            plan: self.fingerprints[running.id.group],
            lineage: running.lineage,
            offsets: running.task.offsets().collect(),
            exact: running.task.exact(),
        };
        name.to_string()
    }

    fn save_every(&self) -> Span {
        let held_up = self.tasks.iter().map(|running| running.saves.held_up());
        let held_up = held_up.fold(Span::ZERO, |sum, one| sum + one);
        every(self.options.snapshot_every, held_up)
    }
}
