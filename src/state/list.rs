//! `kept state list`: one line for each snapshot, the newest of a task last.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use engine::snapshot;
use pipeline::name::SnapshotName;
use store::{Stored, TaskFolder};

use super::{Opened, describe};

const HEADINGS: [&str; 7] = [
    "TASK", "PLAN", "LINEAGE", "OFFSETS", "AGE", "SIZE", "SNAPSHOT",
];

/// Prints the table.
pub fn list(opened: &Opened, out: &mut dyn Write) -> Result<ExitCode, String> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    for folder in opened.store.tasks()? {
        let listing = opened.store.listing(&folder)?;
        let sections: BTreeMap<u128, u64> = listing.sections.into_iter().collect();
        for stored in &listing.snapshots {
            rows.push(row(opened, &folder, stored, &sections));
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

fn row(
    opened: &Opened,
    folder: &TaskFolder,
    stored: &Stored,
    sections: &BTreeMap<u128, u64>,
) -> [String; 7] {
    let name = SnapshotName::parse(&stored.name);
    let or_unknown = |known: Option<String>| known.unwrap_or_else(|| "?".to_owned());
    let plan = name.as_ref().map(|name| {
        let this = describe::is_this_plan(&opened.plan, folder, name);
        if this { "this" } else { "another" }.to_owned()
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
fn table(rows: &[[String; 7]]) -> String {
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
