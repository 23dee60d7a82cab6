//! From a decision to a task: snapshots are read and checked, gaps and beginnings are told.

use std::collections::VecDeque;
use std::sync::Arc;

use catalogue::plan::TopicId;
use engine::Task;
use engine::snapshot::{self, Snapshot};

use super::Worker;
use super::carrying::carried;
use crate::header::{Header, InputHeader};
use crate::name::SnapshotName;
use crate::port::{Effect, LoadError, Notice, TaskId};
use crate::preparing::{Begun, Step};
use crate::resume::{
    Attempt, Cause, InputFacts, Shown, Source, Start, is_unknown, repartitioned_message, topics,
};
use crate::running::Running;

impl Worker {
    /// Takes the first way to begin that can be had.
    pub(super) fn attempt(
        &mut self,
        task: TaskId,
        mut attempts: VecDeque<Attempt>,
        effects: &mut Vec<Effect>,
    ) {
        match attempts
            .pop_front()
            .expect("the last way to begin needs no store")
        {
            Attempt::Fail(message) => self.fail(message, effects),
            Attempt::Go(start) => self.go(task, start, attempts, effects),
        }
    }

    fn go(
        &mut self,
        task: TaskId,
        start: Start,
        rest: VecDeque<Attempt>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(message) = self.downgraded(task).filter(|_| start.loses()) {
            return self.fail(message, effects);
        }
        match &start.from {
            Source::Snapshot(_) | Source::Carried(_) => {
                let own = topics(&self.facts(task));
                let (names, at) = (start.stored_names(&own), self.at);
                if let Some(pending) = self.pending(task) {
                    pending.load(names, start, rest, at, effects);
                }
            }
            Source::Memory => {
                let running = self
                    .memory
                    .remove(&task)
                    .expect("the decision saw it there");
                self.begin(task, running, &start, Vec::new(), effects);
            }
            Source::Nothing => {
                let running = self.empty(task, &start);
                self.begin(task, running, &start, Vec::new(), effects);
            }
        }
    }

    /// A task with nothing in it, at the offsets where it begins.
    fn empty(&self, task: TaskId, start: &Start) -> Running {
        let mut state = Task::new(Arc::clone(&self.plan), task.group, task.partition);
        for (input, offset) in start.offsets.iter().enumerate() {
            state.start_at(input, *offset);
        }
        let headers = self.facts(task).into_iter().map(|facts| InputHeader {
            origin: None,
            partitions: facts.partitions,
            last: None,
        });
        Running::new(task, state, headers.collect(), start.lineage)
    }

    /// The task of the snapshots that were asked for and the KPIs that begin anew in it, or which of
    /// them can't be used and why.
    pub(super) fn restore(
        &self,
        id: TaskId,
        start: &Start,
        snapshots: &[Snapshot],
    ) -> Result<(Running, Vec<String>), (String, LoadError)> {
        let ([snapshot, ..], Some(name)) = (snapshots, name_of(start)) else {
            return self.carry(id, start, snapshots);
        };
        let restored = self.restore_one(id, start, (name, snapshot));
        restored.map_err(|error| (name.to_string(), error))
    }

    fn restore_one(
        &self,
        id: TaskId,
        start: &Start,
        (name, snapshot): (&SnapshotName, &Snapshot),
    ) -> Result<(Running, Vec<String>), LoadError> {
        let note = snapshot::note(&snapshot.head)?;
        let header = Header::parse(note, start.offsets.len()).map_err(LoadError::Unsound)?;
        if header.lineage != name.lineage {
            return Err(LoadError::Unsound(format!(
                "unsound: its name says lineage {}, its content {}",
                name.lineage, header.lineage
            )));
        }
        let plan = Arc::clone(&self.plan);
        let restored = Task::restore(plan, id.group, id.partition, snapshot)?;
        if !restored.task.offsets().eq(start.offsets.iter().copied()) {
            let message = "unsound: its offsets are others than its name says";
            return Err(LoadError::Unsound(message.to_owned()));
        }
        let running = Running::new(id, restored.task, header.inputs, header.lineage);
        Ok((running, restored.anew))
    }

    /// A snapshot can't be used.
    pub(super) fn refused(
        &mut self,
        task: TaskId,
        name: &str,
        error: &LoadError,
        effects: &mut Vec<Effect>,
    ) {
        let (name, reason) = (name.to_owned(), error.to_string());
        if let Some(pending) = self.pending(task) {
            pending.refused.push(name.clone());
            if let LoadError::Newer(version) = error {
                pending.newer = Some(*version);
            }
        }
        effects.push(Effect::Notice(Notice::Refused { task, name, reason }));
    }

    /// Why nothing may be lost here: the numbers are in a snapshot that a newer Kept has written.
    pub(super) fn downgraded(&mut self, task: TaskId) -> Option<String> {
        let version = self.pending(task)?.newer?;
        let topics = self.plan.groups[task.group].topics.iter();
        let names: Vec<&str> = topics.map(|topic| self.topic_name(*topic)).collect();
        Some(format!(
            "the snapshots of {}, partition {}, are of format version {version}, which is newer than \
             this Kept reads ({}), and without them totals would be lost: run the newer Kept again, \
             or begin anew with `kept state reset`",
            names.join("+"),
            task.partition,
            snapshot::VERSION
        ))
    }

    /// The task begins as decided.
    pub(super) fn begin(
        &mut self,
        id: TaskId,
        mut running: Running,
        start: &Start,
        anew: Vec<String>,
        effects: &mut Vec<Effect>,
    ) {
        let facts = self.facts(id);
        let mut inputs = facts.iter().zip(&running.inputs);
        if let Some((now, before)) =
            inputs.find(|(now, before)| now.partitions != before.partitions)
        {
            let message = repartitioned_message(&now.topic, before.partitions, now.partitions);
            return self.fail(message, effects);
        }
        if !self.rules.own_clocks {
            running.task = running.task.with_shared_clock();
        }
        let is_stored = start.from != Source::Nothing && running.lineage == start.lineage;
        if self.options.state && !is_stored && start.origins.is_none() {
            running.saves.await_first();
        }
        running.begin(start, &facts, self.rules);
        let lineages: Vec<_> = facts
            .iter()
            .filter_map(|facts| facts.committed.as_ref()?.1)
            .map(|note| note.lineage)
            .collect();
        running.base = match lineages.contains(&running.lineage) {
            true => Some(running.lineage),
            false => lineages.first().copied(),
        };
        self.leave_logs(id, start, &facts);
        self.tell(id, start, &facts, anew, effects);
        let committed = facts
            .iter()
            .map(|facts| facts.committed.as_ref().map_or(0, |one| one.0));
        let committed: Vec<i64> = committed.collect();
        let overtaken = self.publisher.is_overtaken(id, &committed);
        if start.zero_at.is_some() || start.commit || (overtaken && self.rules.withdraw_overtaken) {
            self.publisher.withdraw(id, effects);
        }
        let begun = match start.commit {
            true => Begun::ToBeCommitted,
            false => Begun::Committed,
        };
        if let Some(pending) = self.pending(id) {
            running.saves.avoid(std::mem::take(&mut pending.refused));
            pending.step = Step::Ready(Box::new(running), begun);
        }
        if matches!(start.cause, Cause::Fresh | Cause::Recreated(..)) {
            self.memory.remove(&id);
        }
        debug_assert!(self.preparing.is_some());
    }

    /// What is worth a line in the log.
    fn tell(
        &mut self,
        task: TaskId,
        start: &Start,
        facts: &[InputFacts],
        anew: Vec<String>,
        effects: &mut Vec<Effect>,
    ) {
        self.tell_recreated(task, start, facts, effects);
        let stored = self.stored(task, facts);
        let place = |input: usize| self.plan.groups[task.group].topics[input];
        let mut notice = |notice| effects.push(Effect::Notice(notice));
        foreign_commits(task, start, facts, place).for_each(&mut notice);
        let replay = replay(start, facts);
        let totals_lost = || Notice::TotalsLost {
            task,
            from: start.from.clone(),
            stored,
            replay,
        };
        match &start.cause {
            Cause::Fresh if is_unknown(facts) => {
                if let Some(left_behind) = self.left_behind(task, facts) {
                    notice(left_behind);
                    notice(totals_lost());
                }
            }
            Cause::Fresh => {}
            Cause::Kept => notice(Notice::Kept { task }),
            Cause::Restored => {
                let name = name_of(start).map(ToString::to_string).unwrap_or_default();
                notice(Notice::Restored { task, name, replay });
            }
            Cause::Rebuilding => notice(Notice::Rebuilding {
                task,
                stored,
                replay,
            }),
            Cause::Carried => notice(carried(task, start, replay, &anew)),
            Cause::TotalsLost => self
                .left_behind(task, facts)
                .into_iter()
                .for_each(&mut notice),
            Cause::Recreated(_) => {}
        }
        if start.zero_at.is_some() {
            notice(totals_lost());
        }
        if name_of(start).is_some_and(|name| name.plan != self.fingerprints[task.group]) {
            notice(Notice::Adopted { task, anew });
        }
        gaps(task, start, facts, place).for_each(notice);
    }
}

impl Worker {
    /// A task begins anew: the topics that it was read from before are gone for good.
    fn leave_logs(&mut self, task: TaskId, start: &Start, facts: &[InputFacts]) {
        if !matches!(start.cause, Cause::Recreated(_)) {
            return;
        }
        for (topic, facts) in self.plan.groups[task.group].topics.iter().zip(facts) {
            let note = facts.committed.as_ref().and_then(|one| one.1);
            let before = note.and_then(|note| note.log);
            if let (Some(before), Some(now)) = (before, facts.log)
                && before != now
            {
                self.doubts.leave(*topic, before);
            }
        }
    }

    /// A task begins anew on other logs: told once, however often it is tried.
    fn tell_recreated(
        &mut self,
        task: TaskId,
        start: &Start,
        facts: &[InputFacts],
        effects: &mut Vec<Effect>,
    ) {
        let Cause::Recreated(evidence) = &start.cause else {
            return;
        };
        let others = evidence.iter().enumerate();
        let mut others = others.filter_map(|(input, detail)| Some((input, detail.as_ref()?)));
        let Some((first, detail)) = others.next() else {
            return;
        };
        let mut detail = detail.clone();
        for (input, more) in others {
            detail += &format!("; and topic {}: {more}", facts[input].topic);
        }
        if self.doubts.tell(task) {
            effects.push(Effect::Notice(Notice::Recreated {
                topic: self.plan.groups[task.group].topics[first],
                partition: task.partition,
                detail,
            }));
        }
    }
}

/// What a snapshot's name says, if the decision chose one.
fn name_of(start: &Start) -> Option<&SnapshotName> {
    match &start.from {
        Source::Snapshot(name) => Some(name),
        Source::Carried(_) | Source::Memory | Source::Nothing => None,
    }
}

/// Offsets that somebody moved by hand, and whether that matters: a state that is further already
/// doesn't go back, since what it counted was shown.
fn foreign_commits(
    task: TaskId,
    start: &Start,
    facts: &[InputFacts],
    place: impl Fn(usize) -> TopicId,
) -> impl Iterator<Item = Notice> {
    let inputs = facts.iter().enumerate();
    inputs.filter_map(move |(input, facts)| {
        let Some((offset, None)) = facts.committed else {
            return None;
        };
        Some(Notice::ForeignCommit {
            topic: place(input),
            partition: task.partition,
            offset: facts.beyond.unwrap_or(offset),
            end: facts.beyond.map(|_| offset),
            used: offset >= start.offsets[input] + start.skip[input],
        })
    })
}

/// What is gone of each input.
fn gaps(
    task: TaskId,
    start: &Start,
    facts: &[InputFacts],
    place: impl Fn(usize) -> TopicId,
) -> impl Iterator<Item = Notice> {
    let unread = start.unread(facts);
    let inputs = start.skip.iter().zip(unread).enumerate();
    let inputs = inputs.filter(|(_, (gone, _))| **gone > 0);
    inputs.map(move |(input, (gone, unread))| {
        let count = |records: i64| u64::try_from(records).expect("a gap isn't negative");
        Notice::Gap {
            topic: place(input),
            partition: task.partition,
            records: count(unread),
            read_before: count(gone - unread),
        }
    })
}

/// How many records have to be read before it is shown.
fn replay(start: &Start, facts: &[InputFacts]) -> u64 {
    let inputs = start.offsets.iter().zip(&start.skip).enumerate();
    let records = inputs.map(|(input, (offset, skip))| {
        let until = match &start.shown {
            Shown::Reached(reached) => reached[input],
            Shown::CaughtUp => facts[input].log_end,
        };
        (until - offset - skip).max(0)
    });
    u64::try_from(records.sum::<i64>()).unwrap_or(0)
}
