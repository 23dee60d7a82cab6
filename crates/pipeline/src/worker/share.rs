//! A new share: what is there is gathered, and each task's beginning decided.
//!
//! A view that is shown of a task stays while its state in memory goes on from where it stands. What
//! somebody else went beyond, or took another way from, is withdrawn as soon as that is known: the
//! tasks that are read renew the lease for all, so a view that waits for the store with its task
//! would never end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use catalogue::plan::TopicId;
use engine::snapshot::Snapshot;

use super::{Phase, Worker, reach};
use crate::log_id::LogId;
use crate::name::{EarlierName, SnapshotName};
use crate::port::{Effect, LoadError, Position, TaskId};
use crate::preparing::{Begun, Preparing, Step, facts};
use crate::resume::{
    Attempt, InputFacts, Question, Source, attempts, memory_is_current, memory_will_do,
};
use crate::running::Running;

impl Worker {
    /// The group gave these partitions, in place of all before.
    pub(super) fn assigned(
        &mut self,
        assignment: u64,
        partitions: &[(TopicId, i32)],
        effects: &mut Vec<Effect>,
    ) {
        self.stop_preparing();
        self.freeze_tasks();
        self.assignment = assignment;
        let tasks = match self.tasks_of(partitions) {
            Ok(tasks) => tasks,
            Err(message) => return self.fail(message, effects),
        };
        for id in self.publisher.shown() {
            if !tasks.contains(&id) {
                self.publisher.withdraw(id, effects);
            }
        }
        self.publisher.goes_on(effects, self.at);
        self.memory.retain(|id, _| tasks.contains(id));
        self.doubts.begin(&tasks);
        self.phase = Phase::Preparing;
        self.preparing = Some(Preparing::new(partitions, &tasks, self.at));
        if !partitions.is_empty() {
            effects.push(Effect::LookUp {
                assignment,
                reach: reach(&self.plan),
            });
        }
        if let (Some(preparing), true) = (&mut self.preparing, self.options.state) {
            // What is in memory is mostly what is committed: then the store needn't be asked.
            let unknown = preparing.tasks.iter_mut();
            let unknown = unknown.filter(|pending| !self.memory.contains_key(&pending.id));
            unknown.for_each(|pending| pending.ask(self.at, effects));
        }
        self.prepare(effects);
    }

    /// The brokers said what they know.
    pub(super) fn looked_up(
        &mut self,
        assignment: u64,
        positions: &[Position],
        effects: &mut Vec<Effect>,
    ) {
        if assignment != self.assignment {
            return;
        }
        if let Some(preparing) = &mut self.preparing {
            for position in positions {
                let place = (position.topic, position.partition);
                preparing.positions.insert(place, position.clone());
            }
        }
        self.prepare(effects);
    }

    /// The store said which snapshots there are.
    pub(super) fn listed(
        &mut self,
        task: TaskId,
        names: Result<Vec<String>, String>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(preparing) = &mut self.preparing {
            preparing.listed(task, names, self.at, effects);
        }
        self.prepare(effects);
    }

    /// The store gave a snapshot, or it can't be used.
    pub(super) fn loaded(
        &mut self,
        task: TaskId,
        name: &str,
        snapshot: Result<Snapshot, LoadError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(preparing) = &mut self.preparing else {
            return;
        };
        let Some((loading, snapshots)) = preparing.loaded(task, name, snapshot, self.at, effects)
        else {
            return;
        };
        let snapshots = snapshots.map_err(|error| (name.to_owned(), error));
        let restored = snapshots.and_then(|all| self.restore(task, &loading.start, &all));
        match restored {
            Ok((running, anew)) => {
                self.begin(task, running, &loading.start, anew, effects);
            }
            Err((bad, error)) => {
                self.refused(task, &bad, &error, effects);
                // Of those that were to make one state one is out: what the others make is decided
                // anew.
                let carries = matches!(loading.start.from, Source::Carried(_));
                let own = || SnapshotName::parse(&bad).is_some();
                if !carries || !(EarlierName::parse(&bad).is_some() || own()) {
                    self.attempt(task, loading.rest, effects);
                }
            }
        }
        self.prepare(effects);
    }

    /// Goes on with whatever can be gone on with.
    pub(super) fn prepare(&mut self, effects: &mut Vec<Effect>) {
        let Some(preparing) = &self.preparing else {
            return;
        };
        if !preparing.is_located() {
            return;
        }
        let waiting = preparing.tasks.iter();
        let waiting = waiting.filter(|pending| matches!(pending.step, Step::Waiting));
        for task in waiting.map(|pending| pending.id).collect::<Vec<_>>() {
            let attempts = self.decide(task, effects);
            if let Some(attempts) = attempts {
                self.attempt(task, attempts, effects);
            }
            if matches!(self.phase, Phase::Failed) {
                return;
            }
        }
        self.begin_ready(effects);
    }

    /// How a task may begin, if that is known; else the store is asked.
    fn decide(&mut self, task: TaskId, effects: &mut Vec<Effect>) -> Option<VecDeque<Attempt>> {
        let inputs = self.facts(task);
        let memory = self.memory.get(&task).map(Running::remembered);
        let mut question = Question {
            plan: self.fingerprints[task.group],
            inputs: &inputs,
            memory: memory.as_ref(),
            names: &[],
            earlier: &[],
            log_gap: self.options.log_gap,
            same_lineage: self.rules.same_lineage,
        };
        let memory_will_do = memory_will_do(&question);
        let committed = inputs.iter().map(|it| it.committed.as_ref());
        let committed: Vec<i64> = committed.map(|it| it.map_or(0, |it| it.0)).collect();
        let overtaken = self.publisher.is_overtaken(task, &committed);
        if self.rules.withdraw_overtaken && (overtaken || !memory_will_do) {
            self.publisher.withdraw(task, effects);
        }
        if !self.options.state || memory_is_current(&question) {
            return Some(attempts(&question).into());
        }
        let preparing = self.preparing.as_mut()?;
        let pending = preparing.pending(task)?;
        pending.ask(self.at, effects);
        match pending.usable_names() {
            Some(names) => {
                let earlier = pending.usable_earlier();
                (question.names, question.earlier) = (&names, &earlier);
                Some(attempts(&question).into())
            }
            None if memory_will_do && pending.is_kept_waiting(self.at) => {
                Some(attempts(&question).into())
            }
            None => None,
        }
    }

    /// What was got ready is frozen; what has begun nothing yet is dropped.
    pub(super) fn stop_preparing(&mut self) {
        if let Some(preparing) = self.preparing.take() {
            for pending in preparing.tasks {
                if let Step::Ready(running, Begun::Committed) = pending.step
                    && !running.is_between_states()
                {
                    self.memory.insert(pending.id, *running);
                }
            }
        }
    }

    pub(super) fn facts(&self, task: TaskId) -> Vec<InputFacts> {
        let Some(preparing) = &self.preparing else {
            return Vec::new();
        };
        let topics = self.plan.groups[task.group].topics.iter();
        let facts = topics.filter_map(|topic| {
            let position = preparing.positions.get(&(*topic, task.partition))?;
            let mut facts = facts(self.topic_name(*topic), position);
            let counts =
                |log: &LogId| self.rules.compare_topics && !self.doubts.has_left(*topic, *log);
            facts.log = facts.log.filter(counts);
            Some(facts)
        });
        let mut facts: Vec<InputFacts> = facts.collect();
        self.doubts.add_to(&mut facts, task);
        facts
    }

    pub(super) fn pending(&mut self, task: TaskId) -> Option<&mut crate::preparing::Pending> {
        self.preparing.as_mut()?.pending(task)
    }

    /// The tasks that these partitions make, or what is missing for one of them.
    fn tasks_of(&self, partitions: &[(TopicId, i32)]) -> Result<Vec<TaskId>, String> {
        let given: BTreeSet<(TopicId, i32)> = partitions.iter().copied().collect();
        let mut tasks: BTreeMap<TaskId, ()> = BTreeMap::new();
        for (topic, partition) in &given {
            let mut groups = self.plan.groups.iter();
            let group = groups.position(|group| group.topics.contains(topic));
            let group = group.expect("every topic of the plan is in a group");
            for other in &self.plan.groups[group].topics {
                if !given.contains(&(*other, *partition)) {
                    return Err(format!(
                        "partition {partition} of topic {} came without that of topic {}: topics that \
                         one KPI joins need equal numbers of partitions, and every member of the \
                         group has to use partition.assignment.strategy=range",
                        self.topic_name(*topic),
                        self.topic_name(*other)
                    ));
                }
            }
            let partition = *partition;
            tasks.insert(TaskId { group, partition }, ());
        }
        Ok(tasks.into_keys().collect())
    }
}
