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
use crate::resume::{Source, Start};
use crate::running::Running;

impl Worker {
    /// The task that they make together and the KPIs that begin anew in it, or why they can't be
    /// used.
    pub(super) fn carry(
        &self,
        id: TaskId,
        start: &Start,
        snapshots: &[Snapshot],
    ) -> Result<(Running, Vec<String>), LoadError> {
        let Source::Carried(names) = &start.from else {
            unreachable!("snapshots were asked for");
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
        for (name, snapshot) in names.iter().zip(snapshots) {
            for (topic, header) in name.topics.iter().zip(headers(name, snapshot)?) {
                if let Some(at) = facts.iter().position(|facts| facts.topic == *topic) {
                    inputs[at] = header;
                }
            }
        }
        let plan = Arc::clone(&self.plan);
        let restored = Task::carry(plan, id.group, id.partition, snapshots)?;
        let mut task = restored.task;
        for (input, facts) in facts.iter().enumerate() {
            if !names.iter().any(|name| name.topics.contains(&facts.topic)) {
                task.start_at(input, start.offsets[input]);
            }
        }
        if !task.offsets().eq(start.offsets.iter().copied()) {
            let message = "unsound: its offsets are others than its name says";
            return Err(LoadError::Unsound(message.to_owned()));
        }
        let lineage = names
            .first()
            .map_or(start.lineage, |name| name.name.lineage);
        Ok((Running::new(id, task, inputs, lineage), restored.anew))
    }

    /// The tasks that had some of these topics and whose snapshots would not do, if there are any.
    pub(super) fn left_behind(&self, task: TaskId) -> Option<Notice> {
        let mut tasks = self.preparing.iter().flat_map(|preparing| &preparing.tasks);
        let pending = tasks.find(|pending| pending.id == task)?;
        let earlier = pending.earlier.iter();
        let tasks: BTreeSet<String> = earlier.map(|name| task_name(name, task)).collect();
        (!tasks.is_empty()).then(|| Notice::LeftBehind {
            task,
            tasks: tasks.into_iter().collect(),
        })
    }
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
