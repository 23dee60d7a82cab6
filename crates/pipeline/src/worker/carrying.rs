//! A task made of the snapshots of tasks that had its topics in other company, and what is told of
//! it. Which ones may be used was decided before (`crate::resume`).

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::Task;
use engine::snapshot::{self, Snapshot};

use super::Worker;
use crate::header::{Header, InputHeader};
use crate::name::EarlierName;
use crate::port::{LoadError, Notice, TaskId};
use crate::preparing::Pending;
use crate::resume::{InputFacts, Source, Start, told_topics, topics, was_last};
use crate::running::Running;

impl Worker {
    /// The task that they make together and the KPIs that begin anew in it, or which of them can't be
    /// used and why: all of them by name where it can't be said of one.
    pub(super) fn carry(
        &self,
        id: TaskId,
        start: &Start,
        snapshots: &[Snapshot],
    ) -> Result<(Running, Vec<String>), (String, LoadError)> {
        let Source::Carried(names) = &start.from else {
            unreachable!("snapshots were asked for");
        };
        let [first, ..] = &names[..] else {
            unreachable!("at least one");
        };
        let facts = self.facts(id);
        let mut inputs: Vec<InputHeader> = facts
            .iter()
            .map(|facts| InputHeader {
                origin: None,
                partitions: facts.partitions,
                last: None,
            })
            .collect();
        let own = topics(&facts);
        let mut parts: Vec<(&Snapshot, Vec<&str>)> = Vec::new();
        for (name, snapshot) in names.iter().zip(snapshots) {
            let headers = headers(name, snapshot).map_err(|error| (name.for_task(&own), error))?;
            let told = told_topics(&facts, name);
            for (topic, header) in name.topics.iter().zip(headers) {
                let at = facts.iter().position(|facts| facts.topic == *topic);
                if let Some(at) = at.filter(|_| told.contains(&topic.as_str())) {
                    inputs[at] = header;
                }
            }
            parts.push((snapshot, told));
        }
        let plan = Arc::clone(&self.plan);
        let restored = Task::carry(plan, id.group, id.partition, &parts);
        let restored = restored.map_err(|refusal| (all_of(names), refusal.into()))?;
        let mut task = restored.task;
        for (input, facts) in facts.iter().enumerate() {
            if !parts
                .iter()
                .any(|part| part.1.contains(&facts.topic.as_str()))
            {
                task.start_at(input, start.offsets[input]);
            }
        }
        if !task.offsets().eq(start.offsets.iter().copied()) {
            let message = "unsound: its offsets are others than its name says";
            return Err((all_of(names), LoadError::Unsound(message.to_owned())));
        }
        // Not `start`'s yet: under that nothing is stored, so `begin` drops the origins and saves it
        // first.
        let lineage = first.name.lineage;
        Ok((Running::new(id, task, inputs, lineage), restored.anew))
    }

    /// The tasks that had some of these topics until now and whose snapshots would not do, if there
    /// are any. What is left from joins before those has nothing to do with it.
    pub(super) fn left_behind(&self, task: TaskId, facts: &[InputFacts]) -> Option<Notice> {
        let tasks: BTreeSet<String> = self
            .until_now(task, facts)
            .map(|name| task_name(name, task))
            .collect();
        (!tasks.is_empty()).then(|| Notice::LeftBehind {
            task,
            tasks: tasks.into_iter().collect(),
        })
    }

    /// How many snapshots the store has of the task, or of those that had some of its topics until
    /// now, as far as it was asked.
    pub(super) fn stored(&self, task: TaskId, facts: &[InputFacts]) -> usize {
        let mut tasks = self.preparing.iter().flat_map(|preparing| &preparing.tasks);
        let own = tasks.find(|pending| pending.id == task);
        let own = own.and_then(Pending::names).map_or(0, <[_]>::len);
        own + self.until_now(task, facts).count()
    }

    /// Snapshots of the tasks that committed these topics last, and had others.
    fn until_now(&self, task: TaskId, facts: &[InputFacts]) -> impl Iterator<Item = &EarlierName> {
        let tasks = self.preparing.iter().flat_map(|preparing| &preparing.tasks);
        let pending = tasks.filter(move |pending| pending.id == task);
        let earlier = pending.flat_map(|pending| &pending.earlier);
        earlier.filter(move |name| was_last(facts, name))
    }
}

fn all_of(names: &[EarlierName]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(" with ")
}

/// What the pipeline knew of each of its inputs.
fn headers(name: &EarlierName, snapshot: &Snapshot) -> Result<Vec<InputHeader>, LoadError> {
    let note = snapshot::note(&snapshot.head)?;
    let header = Header::parse(note, name.topics.len()).map_err(LoadError::Unsound)?;
    let named = name.name.lineage;
    match header.lineage == named {
        true => Ok(header.inputs),
        false => Err(LoadError::Unsound(format!(
            "unsound: its name says lineage {named}, its content {}",
            header.lineage
        ))),
    }
}

/// A task goes on from others' snapshots.
pub(super) fn carried(task: TaskId, start: &Start, replay: u64, anew: &[String]) -> Notice {
    let from = match &start.from {
        Source::Carried(names) => names.iter().map(|name| task_name(name, task)).collect(),
        _ => Vec::new(),
    };
    Notice::Carried {
        task,
        from,
        replay,
        anew: anew.to_vec(),
    }
}

/// `topic+topic/partition`, as people call a task.
fn task_name(name: &EarlierName, task: TaskId) -> String {
    format!("{}/{}", name.topics.join("+"), task.partition)
}
