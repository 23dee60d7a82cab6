//! `kept state list`: one line for each snapshot, by task, the last written at its end; marked are
//! those that a restart would go on from.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use engine::snapshot;
use pipeline::name::SnapshotName;
use store::{Stored, TaskFolder};

use super::{Opened, describe, sources};

const HEADINGS: [&str; 8] = [
    "", "TASK", "PLAN", "LINEAGE", "OFFSETS", "AGE", "SIZE", "SNAPSHOT",
];

/// Prints the table.
pub fn list(opened: &Opened, out: &mut dyn Write) -> Result<ExitCode, String> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    let tasks = sources::tasks(&opened.store)?;
    let used = used(opened, &tasks);
    for (folder, snapshots) in &tasks {
        let sections = opened.store.listing(folder)?.sections;
        let sections: BTreeMap<u128, u64> = sections.into_iter().collect();
        for stored in snapshots {
            let mark = if used.contains(&(folder, &stored.name)) {
                "*"
            } else {
                ""
            };
            rows.push(row(opened, mark, (folder, stored), &sections));
        }
    }
    if rows.len() == 1 {
        let text = format!("no snapshots in {}\n", opened.store.location());
        let _ = out.write_all(text.as_bytes());
        return Ok(ExitCode::SUCCESS);
    }
    let _ = out.write_all(table(&rows).as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// What a restart would go on from.
fn used<'a>(opened: &Opened, tasks: &'a [sources::Task]) -> BTreeSet<(&'a TaskFolder, &'a String)> {
    let partitions: BTreeSet<i32> = tasks.iter().map(|(folder, _)| folder.partition).collect();
    let mut used = BTreeSet::new();
    for group in &opened.plan.groups {
        let topics = sources::topics(&opened.plan, group);
        for partition in &partitions {
            let found = sources::sources(&topics, *partition, tasks).into_iter();
            used.extend(found.map(|(folder, stored)| (folder, &stored.name)));
        }
    }
    used
}

fn row(
    opened: &Opened,
    mark: &str,
    (folder, stored): (&TaskFolder, &Stored),
    sections: &BTreeMap<u128, u64>,
) -> [String; 8] {
    let name = SnapshotName::parse(&stored.name);
    let or_unknown = |known: Option<String>| known.unwrap_or_else(|| "?".to_owned());
    let joined = describe::group(&opened.plan, folder).is_some();
    let plan = name.as_ref().map(|name| {
        match (joined, describe::is_this_plan(&opened.plan, folder, name)) {
            (false, _) => "joined otherwise",
            (true, true) => "this",
            (true, false) => "another",
        }
        .to_owned()
    });
    let head = opened.store.head(folder, &stored.name).ok();
    let references = head.and_then(|head| snapshot::references(&head).ok());
    let size = match references {
        Some(references) => {
            let sizes = references.iter().filter_map(|one| sections.get(&one.hash));
            describe::size(stored.bytes + sizes.sum::<u64>())
        }
        None => "unreadable".to_owned(),
    };
    [
        mark.to_owned(),
        describe::task(folder),
        or_unknown(plan),
        or_unknown(name.as_ref().map(|name| name.lineage.to_string())),
        or_unknown(name.as_ref().map(describe::offsets)),
        describe::age(stored.modified, SystemTime::now()),
        size,
        stored.name.clone(),
    ]
}

/// Columns as wide as their widest cell.
fn table(rows: &[[String; 8]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}
