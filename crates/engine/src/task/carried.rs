//! A task made of snapshots of other tasks: those that had its topics in other company.
//!
//! What an input holds, and each KPI, is a function of that KPI's own inputs and their offsets. So a
//! KPI that is the same goes on from the snapshot of whichever task it was in; every input comes with
//! the one that has it. What nobody has begins empty.

use std::sync::Arc;

use catalogue::fingerprint;
use catalogue::plan::{Kind, Plan};

use super::saved::{Known, each_input, foreign_topics};
use super::{KpiSlot, KpiState, Restored, Task};
use crate::decode::Decoder;
use crate::input::NO_INPUT;
use crate::snapshot::{Content, KpiContent, Refusal, Sections, Snapshot, content};
use crate::uses::index_of;

/// One of the snapshots, taken apart.
struct Part<'a> {
    kpis: Vec<KpiContent<'a>>,
    sections: Sections<'a>,
    /// The task's index of each input as they were numbered then; `NO_INPUT` for one it hasn't.
    numbered: Vec<usize>,
}

impl Task {
    /// A task of the plan's group that goes on from where these were, each with the topics that are
    /// taken from it: a KPI is, if all of its topics are. An input that is taken from none of them
    /// begins at offset 0, before its first record: `start_at` follows. Refused if two of them have
    /// the same input of it.
    pub fn carry(
        plan: Arc<Plan>,
        group: usize,
        partition: i32,
        snapshots: &[(&Snapshot, Vec<&str>)],
    ) -> Result<Restored, Refusal> {
        let parts = snapshots.iter();
        let parts = parts.map(|(snapshot, topics)| (*snapshot, Some(&topics[..])));
        Task::made_of(plan, group, partition, &parts.collect::<Vec<_>>())
    }

    /// Likewise; `None` for a snapshot of just the topics of the group, all of which are taken.
    pub(super) fn made_of(
        plan: Arc<Plan>,
        group: usize,
        partition: i32,
        snapshots: &[(&Snapshot, Option<&[&str]>)],
    ) -> Result<Restored, Refusal> {
        let mut task = Task::new(plan, group, partition);
        let mut taken = vec![false; task.inputs.len()];
        let mut parts = Vec::with_capacity(snapshots.len());
        for (snapshot, wanted) in snapshots {
            let content = content(&snapshot.head)?;
            if content.partition != partition {
                let found = content.partition;
                return Err(Refusal::Foreign(format!(
                    "of partition {found}, not {partition}"
                )));
            }
            parts.push(task.take_inputs(snapshot, content, &mut taken, *wanted)?);
        }
        let plan = Arc::clone(&task.plan);
        let whole = snapshots.iter().any(|(_, wanted)| wanted.is_none());
        if whole && taken.contains(&false) {
            return Err(foreign_topics("fewer topics", &names(&plan, group)));
        }
        let mut anew = Vec::new();
        for slot in 0..task.kpis.len() {
            let kpi = task.kpis[slot].id;
            let id = &plan.kpis[usize::from(kpi.0)].id;
            if !task.take_kpi(slot, id, fingerprint::of_kpi(&plan, kpi), &mut parts)? {
                anew.push(id.clone());
            }
        }
        Ok(Restored { task, anew })
    }

    /// Takes over those of its inputs that are this task's too.
    fn take_inputs<'a>(
        &mut self,
        snapshot: &'a Snapshot,
        content: Content<'a>,
        taken: &mut [bool],
        wanted: Option<&[&str]>,
    ) -> Result<Part<'a>, Refusal> {
        let mut sections = Sections::of(snapshot, &content.sections)?;
        let plan = Arc::clone(&self.plan);
        let names = names(&plan, self.group);
        let mut numbered = Vec::new();
        for (name, mut from) in each_input(content.inputs)? {
            let at = names.iter().position(|known| *known == name);
            let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&name));
            let Some(at) = at.filter(|_| is_wanted) else {
                if wanted.is_none() {
                    return Err(foreign_topics(name, &names));
                }
                numbered.push(NO_INPUT);
                continue;
            };
            if std::mem::replace(&mut taken[at], true) {
                return Err(Refusal::Foreign(format!("{name} is in two of them")));
            }
            numbered.push(at);
            sections.enter(name);
            self.read_input(at, &mut from, &sections)?;
            from.end()?;
        }
        Ok(Part {
            kpis: content.kpis,
            sections,
            numbered,
        })
    }

    /// Takes over a KPI, if one of them has the same.
    fn take_kpi(
        &mut self,
        slot: usize,
        id: &str,
        fingerprint: u64,
        parts: &mut [Part<'_>],
    ) -> Result<bool, Refusal> {
        let inputs = self.inputs_of(slot);
        for part in parts {
            if !inputs.iter().all(|input| part.numbered.contains(input)) {
                continue;
            }
            let same = |kpi: &&KpiContent<'_>| kpi.id == id && kpi.fingerprint == fingerprint;
            let Some(found) = part.kpis.iter().find(same) else {
                continue;
            };
            let mut from = Decoder::new(found.state);
            let known = Known {
                fields: &self.plan.fields,
                inputs: &self.inputs,
                numbered: &part.numbered,
                clocks: &self.clocks,
            };
            self.kpis[slot].read(id, &known, &mut from, &mut part.sections)?;
            from.end()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// All inputs that a KPI is a function of.
    fn inputs_of(&self, slot: usize) -> Vec<usize> {
        let KpiSlot { id, state, .. } = &self.kpis[slot];
        match state {
            KpiState::Count { input, .. } | KpiState::Funnel { input, .. } => vec![*input],
            KpiState::Ratio {
                numerator,
                denominator,
            } => {
                let sides = numerator.iter().chain(denominator);
                sides.map(|side| side.0).collect()
            }
            KpiState::Promise { start_input, .. } => {
                let topics = &self.plan.groups[self.group].topics;
                match &self.plan.kpis[usize::from(id.0)].kind {
                    Kind::Promise(promise) => {
                        let read = promise.topics();
                        read.iter().map(|topic| index_of(topics, *topic)).collect()
                    }
                    _ => vec![*start_input],
                }
            }
        }
    }
}

/// The topics of a group.
fn names(plan: &Plan, group: usize) -> Vec<&str> {
    let topics = plan.groups[group].topics.iter();
    topics
        .map(|topic| plan.topics[usize::from(topic.0)].name.as_str())
        .collect()
}
