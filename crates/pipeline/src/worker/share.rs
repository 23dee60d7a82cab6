//! A new share: what is there is gathered, each task's beginning decided, and reading begins when
//! all of them are ready.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use catalogue::plan::TopicId;
use engine::snapshot::Snapshot;

use super::{Phase, Worker, reach};
use crate::port::{Assignment, CommitOffset, Effect, LeaseTime, LoadError, Position, TaskId};
use crate::preparing::{Begun, FirstCommit, Names, Preparing, Step, facts};
use crate::resume::{Attempt, InputFacts, Question, attempts, memory_is_current, memory_will_do};
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
        self.memory.retain(|id, _| tasks.contains(id));
        self.other_logs.retain(|id, _| tasks.contains(id));
        self.phase = Phase::Preparing(Preparing::new(partitions, &tasks));
        if !partitions.is_empty() {
            effects.push(Effect::LookUp {
                assignment,
                reach: reach(&self.plan),
            });
        }
        if let (Phase::Preparing(preparing), true) = (&mut self.phase, self.options.state) {
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
        if let Phase::Preparing(preparing) = &mut self.phase {
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
        if let Phase::Preparing(preparing) = &mut self.phase {
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
        let Phase::Preparing(preparing) = &mut self.phase else {
            return;
        };
        let Some((loading, snapshot)) = preparing.loaded(task, name, snapshot, self.at, effects)
        else {
            return;
        };
        let restored = snapshot.and_then(|snapshot| self.restore(task, &loading.start, &snapshot));
        match restored {
            Ok((running, anew)) => {
                self.begin(task, running, &loading.start, anew, effects);
            }
            Err(error) => {
                self.refused(task, name, &error, effects);
                self.attempt(task, loading.rest, effects);
            }
        }
        self.prepare(effects);
    }

    /// Goes on with whatever can be gone on with; when all tasks are ready, reading begins.
    pub(super) fn prepare(&mut self, effects: &mut Vec<Effect>) {
        let Phase::Preparing(preparing) = &self.phase else {
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
        self.finish(effects);
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
            log_gap: self.options.log_gap,
            same_lineage: self.rules.same_lineage,
        };
        if !self.options.state || memory_is_current(&question) {
            return Some(attempts(&question).into());
        }
        let Phase::Preparing(preparing) = &mut self.phase else {
            return None;
        };
        let pending = preparing
            .tasks
            .iter_mut()
            .find(|pending| pending.id == task)?;
        pending.ask(self.at, effects);
        match &pending.names {
            Names::Known(names) => {
                question.names = names;
                Some(attempts(&question).into())
            }
            Names::Unavailable(_) if memory_will_do(&question) => Some(attempts(&question).into()),
            _ => None,
        }
    }

    /// All tasks ready: first offsets are committed where they have to be, then reading begins.
    fn finish(&mut self, effects: &mut Vec<Effect>) {
        let Phase::Preparing(preparing) = &mut self.phase else {
            return;
        };
        let ready = |step: &Step| matches!(step, Step::Ready(..));
        if !preparing.tasks.iter().all(|pending| ready(&pending.step)) {
            return;
        }
        let mut offsets = first_offsets(&self.plan, preparing);
        if !offsets.is_empty() {
            let send = match preparing.first_commit {
                FirstCommit::NotSent => true,
                FirstCommit::Sent => false,
                FirstCommit::Again(at) => self.at >= at,
            };
            if send {
                preparing.first_commit = FirstCommit::Sent;
                offsets.sort_by_key(|entry| (entry.topic, entry.partition));
                self.publisher.commit(offsets, Vec::new(), self.at, effects);
            }
            return;
        }
        self.read(effects);
    }

    /// Reading begins.
    fn read(&mut self, effects: &mut Vec<Effect>) {
        let Phase::Preparing(preparing) = std::mem::replace(&mut self.phase, Phase::Reading) else {
            return;
        };
        let mut starts = Vec::new();
        for pending in preparing.tasks {
            let Step::Ready(running, _) = pending.step else {
                continue;
            };
            for (input, topic) in self.plan.groups[running.id.group].topics.iter().enumerate() {
                starts.push(Assignment {
                    topic: *topic,
                    partition: running.id.partition,
                    start: running.deliver_from(input),
                });
            }
            self.memory.remove(&running.id);
            self.tasks.push(*running);
        }
        self.other_logs.clear();
        self.open_routes();
        self.begin_saves();
        starts.sort_by_key(|start| (start.topic, start.partition));
        let assignment = self.assignment;
        effects.push(Effect::Assign { assignment, starts });
    }

    /// What was got ready is frozen; what has begun nothing yet is dropped.
    pub(super) fn stop_preparing(&mut self) {
        if let Phase::Preparing(preparing) = std::mem::replace(&mut self.phase, Phase::Idle) {
            for pending in preparing.tasks {
                if let Step::Ready(running, Begun::Committed) = pending.step
                    && !running.is_between_states()
                {
                    self.memory.insert(pending.id, *running);
                }
            }
        }
    }

    /// The commit of first offsets was refused or lost.
    pub(super) fn first_commit_failed(&mut self) {
        if let Phase::Preparing(preparing) = &mut self.phase {
            preparing.first_commit = FirstCommit::Again(LeaseTime(self.at.0 + 1_000_000));
        }
    }

    /// A commit went through: if it was that of first offsets, reading begins.
    pub(super) fn first_commit_done(&mut self, effects: &mut Vec<Effect>) {
        let Phase::Preparing(preparing) = &mut self.phase else {
            return;
        };
        for pending in &mut preparing.tasks {
            if let Step::Ready(running, begun) = &mut pending.step {
                if *begun == Begun::ToBeCommitted {
                    running.base = Some(running.lineage);
                }
                *begun = Begun::Committed;
            }
        }
        self.finish(effects);
    }

    pub(super) fn facts(&self, task: TaskId) -> Vec<InputFacts> {
        let Phase::Preparing(preparing) = &self.phase else {
            return Vec::new();
        };
        let topics = self.plan.groups[task.group].topics.iter().enumerate();
        let facts = topics.filter_map(|(input, topic)| {
            let position = preparing.positions.get(&(*topic, task.partition))?;
            let other_log = self
                .other_logs
                .get(&task)
                .and_then(|logs| logs[input].clone());
            Some(facts(self.topic_name(*topic), position, other_log))
        });
        facts.collect()
    }

    pub(super) fn pending(&mut self, task: TaskId) -> Option<&mut crate::preparing::Pending> {
        match &mut self.phase {
            Phase::Preparing(preparing) => preparing
                .tasks
                .iter_mut()
                .find(|pending| pending.id == task),
            _ => None,
        }
    }

    /// How many snapshots of the task the store has.
    pub(super) fn stored(&self, task: TaskId) -> usize {
        let Phase::Preparing(preparing) = &self.phase else {
            return 0;
        };
        let mut tasks = preparing.tasks.iter();
        let pending = tasks.find(|pending| pending.id == task);
        pending.map_or(0, crate::preparing::Pending::stored)
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

/// What has to be committed before brand-new tasks are read.
fn first_offsets(plan: &catalogue::plan::Plan, preparing: &Preparing) -> Vec<CommitOffset> {
    let mut offsets = Vec::new();
    for pending in &preparing.tasks {
        let Step::Ready(running, Begun::ToBeCommitted) = &pending.step else {
            continue;
        };
        let topics = plan.groups[running.id.group].topics.iter().enumerate();
        offsets.extend(
            topics
                .zip(running.task.offsets())
                .map(|((input, topic), offset)| CommitOffset {
                    topic: *topic,
                    partition: running.id.partition,
                    offset,
                    note: running.note(input, false).to_string(),
                }),
        );
    }
    offsets
}
