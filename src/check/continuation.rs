//! What becomes of the totals that are there with this configuration, before it is run: which KPIs
//! begin anew, and whether a topic has other partitions than when its state was made.
//!
//! Told by one partition of each task, from the snapshots that a restart would go on from
//! (`crate::state::sources`). Of one that can't be read only that is said: what a running Kept takes
//! in its place is not known here.

use catalogue::Plan;
use catalogue::plan::Group;
use engine::snapshot::{self, Outline};
use kafka::check::{Finding, Level};
use pipeline::header::Header;
use pipeline::resume::repartitioned_message;
use store::{Store, TaskFolder};

use crate::state::sources::{self, Task};

/// What a snapshot says of itself.
struct Source<'a> {
    folder: &'a TaskFolder,
    outline: Outline,
    /// How many partitions each of its topics had; empty if it doesn't say.
    partitions: Vec<i32>,
}

/// Lines for people, and what is wrong. `partitions`: how many each topic of the plan has, where
/// that is known. Errors are the store's words.
pub fn continuation(
    plan: &Plan,
    store: &Store,
    partitions: &[Option<usize>],
) -> Result<(Vec<String>, Vec<Finding>), String> {
    let tasks = sources::tasks(store)?;
    let (mut lines, mut findings) = (Vec::new(), Vec::new());
    for group in &plan.groups {
        let topics = sources::topics(plan, group);
        let (sources, unreadable) = read(store, &topics, &tasks);
        if unreadable.is_empty() && !sources.is_empty() {
            lines.extend(joined_otherwise(&topics, &sources));
            lines.extend(begin_anew(plan, group, &sources));
        }
        lines.extend(unreadable.iter().map(unread));
        findings.extend(repartitioned(plan, group, &sources, partitions));
    }
    Ok((lines, findings))
}

/// The snapshots that the first partition of these topics that has some would go on from, and the
/// tasks whose newest can't be read.
fn read<'a>(
    store: &Store,
    topics: &[String],
    tasks: &'a [Task],
) -> (Vec<Source<'a>>, Vec<&'a TaskFolder>) {
    let related = |folder: &TaskFolder| folder.topics.iter().any(|topic| topics.contains(topic));
    let related = tasks.iter().filter(|(folder, _)| related(folder));
    let Some(partition) = related.map(|(folder, _)| folder.partition).min() else {
        return (Vec::new(), Vec::new());
    };
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for (folder, stored) in sources::sources(topics, partition, tasks) {
        let head = store.head(folder, &stored.name).ok();
        match head.and_then(|head| source(folder, &head)) {
            Some(source) => read.push(source),
            None => unreadable.push(folder),
        }
    }
    (read, unreadable)
}

/// What the head of a snapshot says, if it can be read.
fn source<'a>(folder: &'a TaskFolder, head: &[u8]) -> Option<Source<'a>> {
    let header = Header::parse(snapshot::note(head).ok()?, folder.topics.len());
    let inputs = header.map_or(Vec::new(), |header| header.inputs);
    Some(Source {
        folder,
        outline: snapshot::outline(head).ok()?,
        partitions: inputs.iter().map(|input| input.partitions).collect(),
    })
}

fn unread(folder: &&TaskFolder) -> String {
    format!(
        "restart: the newest snapshot of {}/{} can't be read: `kept state verify`",
        folder.topics.join("+"),
        folder.partition
    )
}

/// What is said when a promise joins these topics now, or none does any more.
fn joined_otherwise(topics: &[String], sources: &[Source<'_>]) -> Option<String> {
    if sources.iter().any(|source| source.folder.topics == topics) {
        return None;
    }
    let before: Vec<String> = sources
        .iter()
        .map(|one| one.folder.topics.join("+"))
        .collect();
    let told = |topic: &&String| sources.iter().any(|one| one.folder.topics.contains(topic));
    let missing: Vec<&str> = topics
        .iter()
        .filter(|it| !told(it))
        .map(String::as_str)
        .collect();
    let mut line = format!(
        "restart: {} is one task now, where the snapshots are of {}: KPIs that are the same go on from \
         them",
        topics.join("+"),
        before.join(" and ")
    );
    if !missing.is_empty() {
        line += &format!(
            "; there is none of {}: if numbers of it were shown before, all KPIs of these topics \
             begin anew",
            missing.join(", ")
        );
    }
    Some(line)
}

/// The KPIs of the group that the snapshots don't have as they are now.
fn begin_anew(plan: &Plan, group: &Group, sources: &[Source<'_>]) -> Option<String> {
    let outlines: Vec<Outline> = sources
        .iter()
        .map(|source| source.outline.clone())
        .collect();
    let known = |id: &str| {
        outlines
            .iter()
            .flat_map(|it| &it.kpis)
            .any(|(known, ..)| known == id)
    };
    let anew = group
        .kpis
        .iter()
        .filter(|kpi| !sources::is_kept(plan, **kpi, &outlines));
    let anew = anew.map(|kpi| {
        let id = &plan.kpis[usize::from(kpi.0)].id;
        let why = if known(id) { "changed" } else { "new" };
        format!("{id} ({why})")
    });
    let anew: Vec<String> = anew.collect();
    (!anew.is_empty()).then(|| {
        let topics = sources::topics(plan, group).join("+");
        format!(
            "restart: of {topics} these KPIs begin anew, all others go on: {}",
            anew.join(", ")
        )
    })
}

/// Keys are in other partitions now: a running Kept would stop.
fn repartitioned(
    plan: &Plan,
    group: &Group,
    sources: &[Source<'_>],
    partitions: &[Option<usize>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for topic in &group.topics {
        let (name, now) = (
            &plan.topics[usize::from(topic.0)].name,
            partitions.get(usize::from(topic.0)).copied().flatten(),
        );
        let before = sources.iter().find_map(|source| {
            let at = source
                .folder
                .topics
                .iter()
                .position(|known| known == name)?;
            source.partitions.get(at).copied()
        });
        if let (Some(before), Some(now)) = (before, now.and_then(|now| i32::try_from(now).ok()))
            && before != now
        {
            findings.push(Finding {
                level: Level::Error,
                message: repartitioned_message(name, before, now),
            });
        }
    }
    findings
}
