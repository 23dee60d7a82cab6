//! Which snapshots a restart would go on from, as far as the store alone tells.
//!
//! What is committed decides, and the store doesn't know it. But whoever wrote a snapshot last had
//! committed last, but for a write or a commit that failed. So the snapshot that was written last
//! speaks for its topics, then the last one of those of other topics, until the task has all.

use catalogue::fingerprint;
use catalogue::plan::{Group, KpiId, Plan};
use engine::snapshot::Outline;
use store::{Store, Stored, TaskFolder};

/// What the store has of a task.
pub type Task = (TaskFolder, Vec<Stored>);

/// All tasks of the store with their snapshots, newest last.
pub fn tasks(store: &Store) -> Result<Vec<Task>, String> {
    let mut tasks = Vec::new();
    for folder in store.tasks()? {
        let mut snapshots = store.listing(&folder)?.snapshots;
        snapshots.sort_by(|one, other| {
            let age = |stored: &Stored| (stored.modified, stored.name.clone());
            age(one).cmp(&age(other))
        });
        tasks.push((folder, snapshots));
    }
    Ok(tasks)
}

/// The topics of a group of the plan.
pub fn topics(plan: &Plan, group: &Group) -> Vec<String> {
    let topics = group.topics.iter();
    topics
        .map(|id| plan.topics[usize::from(id.0)].name.clone())
        .collect()
}

/// What the task of these topics and this partition would go on from; empty if nothing is there.
pub fn sources<'a>(
    topics: &[String],
    partition: i32,
    tasks: &'a [Task],
) -> Vec<(&'a TaskFolder, &'a Stored)> {
    let of_partition = tasks
        .iter()
        .filter(|(folder, _)| folder.partition == partition);
    let newest = of_partition.filter_map(|(folder, snapshots)| Some((folder, snapshots.last()?)));
    let mut newest: Vec<_> = newest.collect();
    newest.sort_by_key(|(_, stored)| std::cmp::Reverse(stored.modified));
    let mut missing: Vec<&String> = topics.iter().collect();
    let mut sources = Vec::new();
    for (folder, stored) in newest {
        let tells = folder
            .topics
            .iter()
            .filter(|topic| topics.contains(topic))
            .count();
        let still = folder
            .topics
            .iter()
            .filter(|topic| missing.contains(topic))
            .count();
        if tells > 0 && tells == still {
            missing.retain(|topic| !folder.topics.contains(topic));
            sources.push((folder, stored));
        }
    }
    sources
}

/// Whether it is in the snapshots as it is now.
pub fn is_kept(plan: &Plan, kpi: KpiId, outlines: &[Outline]) -> bool {
    let (id, now) = (
        &plan.kpis[usize::from(kpi.0)].id,
        fingerprint::of_kpi(plan, kpi),
    );
    let all = outlines.iter().flat_map(|outline| &outline.kpis);
    all.into_iter()
        .any(|(known, before, _)| known == id && *before == now)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A task of partition 0 with one snapshot, written so many seconds after the first.
    fn task(topics: &str, seconds: u64) -> Task {
        let folder = TaskFolder {
            topics: topics.split('+').map(str::to_owned).collect(),
            partition: 0,
        };
        let stored = Stored {
            name: format!("{topics} {seconds}"),
            bytes: 1,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        };
        (folder, vec![stored])
    }

    #[track_caller]
    fn check(topics: &str, tasks: &[Task], expected: &[&str]) {
        let topics: Vec<String> = topics.split('+').map(str::to_owned).collect();
        let found = sources(&topics, 0, tasks);
        let names: Vec<&str> = found
            .iter()
            .map(|(_, stored)| stored.name.as_str())
            .collect();
        assert_eq!(names, expected);
        assert!(
            sources(&topics, 1, tasks).is_empty(),
            "of another partition"
        );
    }

    #[test]
    fn what_was_written_last_speaks_for_its_topics() {
        check("a", &[task("a", 1)], &["a 1"]);
        check("a+b", &[task("a", 1), task("b", 2)], &["b 2", "a 1"]);
        check("a", &[task("a", 1), task("a+b", 2)], &["a+b 2"]);
        check("a", &[task("a", 3), task("a+b", 2)], &["a 3"]);
        check(
            "a+b",
            &[task("a", 1), task("b", 2), task("a+b", 3)],
            &["a+b 3"],
        );
        check(
            "a+b",
            &[task("a", 4), task("b", 2), task("a+b", 3)],
            &["a 4", "b 2"],
        );
        check("a", &[task("b", 1)], &[]);
    }
}
