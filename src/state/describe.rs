//! Words for what the parts of `kept state` print: tasks, plans, ages, sizes, times.

use std::time::{Duration, SystemTime};

use catalogue::fingerprint;
use catalogue::plan::Plan;
use jiff::Timestamp;
use pipeline::name::SnapshotName;
use store::TaskFolder;

/// `topic+topic/partition`.
pub fn task(folder: &TaskFolder) -> String {
    format!("{}/{}", folder.topics.join("+"), folder.partition)
}

/// Which group of the plan has exactly these topics.
pub fn group(plan: &Plan, folder: &TaskFolder) -> Option<usize> {
    let has = |group: &catalogue::plan::Group| {
        let names = group.topics.iter();
        let names = names.map(|id| &plan.topics[usize::from(id.0)].name);
        names.eq(&folder.topics)
    };
    plan.groups.iter().position(has)
}

/// Whether the configuration would go on from all of a snapshot.
pub fn is_this_plan(plan: &Plan, folder: &TaskFolder, name: &SnapshotName) -> bool {
    group(plan, folder).is_some_and(|group| fingerprint::of_plan(plan, group) == name.plan)
}

/// One number per topic.
pub fn offsets(name: &SnapshotName) -> String {
    let offsets = name.offsets.iter().map(i64::to_string);
    offsets.collect::<Vec<_>>().join(",")
}

/// How long ago, in one unit.
pub fn age(modified: SystemTime, now: SystemTime) -> String {
    let age = now.duration_since(modified).unwrap_or(Duration::ZERO);
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// In a unit that leaves at most four digits before the point.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Event time in UTC.
pub fn time(microseconds: i64) -> String {
    match Timestamp::from_microsecond(microseconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{microseconds} us"),
    }
}

/// `count` and the word, with an s unless it is one.
pub fn count(count: usize, word: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {word}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_in_fitting_units() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ages = [0, 119, 120, 7200, 172_800].map(|ago| age(now - Duration::from_secs(ago), now));
        assert_eq!(ages, ["0 s", "119 s", "2 min", "2 h", "2 d"]);
        assert_eq!(age(now + Duration::from_secs(9), now), "0 s");
        let sizes = [9_999, 10_000, 12_345_678].map(size);
        assert_eq!(sizes, ["9999 B", "10.0 kB", "12.3 MB"]);
        assert_eq!(count(1, "task") + &count(2, "task"), "1 task2 tasks");
        assert_eq!(time(1_767_607_200_000_000), "2026-01-05T10:00:00Z");
    }
}
