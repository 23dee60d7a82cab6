//! How the virtual world answers a worker's questions.

use engine::snapshot::{Section, Snapshot, references};
use pipeline::port::{CommitOffset, LoadError, Position, SaveError};
use pipeline::{Effect, Input, TaskId};

use crate::rig::{Commits, Place, Rig};

impl Rig {
    /// Answers one question.
    pub fn answer(&mut self, question: Effect) {
        match question {
            Effect::LookUp { assignment, .. } => {
                let positions: Vec<Position> =
                    self.share.iter().map(|at| self.position(*at)).collect();
                self.step(Input::LookedUp {
                    assignment,
                    positions: &positions,
                });
            }
            Effect::List { .. } | Effect::Load { .. } if self.world.store_silent => {}
            Effect::List { task } => {
                let names = self.world.heads.keys().filter(|key| key.0 == task);
                let names = names.map(|key| key.1.clone());
                let names = names.chain(self.world.earlier.keys().cloned()).collect();
                let names = if self.world.store_down {
                    Err("down".into())
                } else {
                    Ok(names)
                };
                self.step(Input::Listed { task, names });
            }
            Effect::Load { task, name } => {
                self.loads.push(name.clone());
                let snapshot = self.load(task, &name);
                self.step(Input::Loaded {
                    task,
                    name,
                    snapshot,
                });
            }
            Effect::Commit { commit, offsets } => self.commit(commit, offsets),
            Effect::Save {
                task,
                name,
                snapshot,
            } => {
                self.saves.push((self.world.now, name.clone()));
                let result = self.save(task, &name, snapshot);
                let held_up = self.world.held_up;
                self.step(Input::Saved {
                    task,
                    name,
                    result,
                    held_up,
                });
            }
            Effect::StartOver => {
                let share = self.share.clone();
                self.ask_to_assign(&share);
            }
            other => panic!("{other:?} is no question"),
        }
    }

    fn commit(&mut self, commit: u64, offsets: Vec<CommitOffset>) {
        if self.world.commits == Commits::Silent {
            return;
        }
        let result = match self.world.commits {
            Commits::Refused => Err("no".to_owned()),
            _ => Ok(()),
        };
        if result.is_ok() {
            for entry in offsets {
                let place = (entry.topic, entry.partition);
                self.world
                    .committed
                    .insert(place, (entry.offset, entry.note));
            }
        }
        self.step(Input::Committed { commit, result });
    }

    fn save(&mut self, task: TaskId, name: &str, snapshot: Snapshot) -> Result<u64, SaveError> {
        if self.world.store_down {
            return Err(SaveError::Unavailable("down".into()));
        }
        if let Some(error) = self.world.save_error.take() {
            return Err(error);
        }
        for section in snapshot.sections {
            self.world.sections.insert(section.reference.hash, section);
        }
        let key = (task, name.to_owned());
        if let Some(before) = self.world.heads.get(&key) {
            assert_eq!(*before, snapshot.head, "one name, one content");
        }
        let bytes = snapshot.head.len() as u64;
        self.world.heads.insert(key, snapshot.head);
        Ok(bytes)
    }

    fn load(&self, task: TaskId, name: &str) -> Result<Snapshot, LoadError> {
        if self.world.store_down {
            return Err(LoadError::Unavailable("down".into()));
        }
        let unsound = |detail: String| LoadError::Unsound(detail);
        let own = self.world.heads.get(&(task, name.to_owned()));
        let head = own.or_else(|| self.world.earlier.get(name));
        let head = head.ok_or_else(|| unsound("it is gone".into()))?.clone();
        let wanted = references(&head)?;
        let sections = wanted
            .iter()
            .map(|one| self.world.sections.get(&one.hash).cloned());
        let sections: Option<Vec<Section>> = sections.collect();
        let sections = sections.ok_or_else(|| unsound("a section is gone".into()))?;
        Ok(Snapshot { head, sections })
    }

    fn position(&self, place: Place) -> Position {
        let log = &self.world.logs[&place];
        Position {
            topic: place.0,
            partition: place.1,
            committed: self.world.committed.get(&place).cloned(),
            log_start: log.start,
            log_end: log.records.len() as i64,
            fresh_start: self.world.fresh_start,
            rebuild_start: self.world.rebuild_start,
            partitions: self.world.partitions,
            log: log.id,
        }
    }
}
