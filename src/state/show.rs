//! `kept state show`: one snapshot on a page. It needs the head only, so it also works for one
//! whose sections are damaged; `verify` looks at those. How many entries there are is known of a
//! sound one of this plan, which is restored in memory for it.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use catalogue::fingerprint;
use catalogue::plan::{KpiId, Plan};
use engine::Task;
use engine::snapshot::{self, Outline};
use engine::view::Entries;
use events::EventTime;
use pipeline::name::SnapshotName;
use store::{Stored, TaskFolder};

use super::{Opened, describe};

/// Prints the page of the snapshot, or of a task's newest one.
pub fn show(opened: &Opened, which: &str, out: &mut dyn Write) -> Result<ExitCode, String> {
    let (folder, stored) = find(opened, which)?;
    let head = opened.store.head(&folder, &stored.name);
    let place = format!("{}/{}", describe::task(&folder), stored.name);
    let head = head.map_err(|error| format!("{place}: {error}"))?;
    let outline = snapshot::outline(&head).map_err(|refusal| format!("{place}: {refusal}"))?;
    let mut page = page(opened, &folder, &stored, &outline, head.len());
    page += &match restored(opened, &folder, &stored.name) {
        Ok(task) => entries(&opened.plan, task),
        Err(reason) => format!("\nentries: not known, {reason}\n"),
    };
    // Whoever closed the pipe does not want the rest.
    let _ = out.write_all(page.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// The state itself, or why it can't be had.
fn restored(opened: &Opened, folder: &TaskFolder, name: &str) -> Result<Task, String> {
    let parsed = SnapshotName::parse(name).ok_or("its name is not one of Kept's")?;
    let group = describe::group(&opened.plan, folder);
    let group = group.filter(|_| describe::is_this_plan(&opened.plan, folder, &parsed));
    let group = group.ok_or("it is of another plan")?;
    let snapshot = opened.store.load(folder, name);
    let snapshot = snapshot.map_err(|error| error.to_string())?;
    let plan = Arc::clone(&opened.plan);
    let restored = Task::restore(plan, group, folder.partition, &snapshot);
    Ok(restored.map_err(|refusal| refusal.to_string())?.task)
}

/// A line for each KPI and one for all.
fn entries(plan: &Plan, mut task: Task) -> String {
    let of_kpis: Vec<Entries> = task.kpi_entries().collect();
    let view = task.view(EventTime::MIN);
    let mut text = "\nKPIs, label sets, entries, memory\n".to_owned();
    let mut put = |line: String| writeln!(text, "{line}").expect("a String takes everything");
    let ids = &plan.groups[view.group].kpis;
    for ((id, kpi), entries) in ids.iter().zip(&view.kpis).zip(&of_kpis) {
        let id = &plan.kpis[usize::from(id.0)].id;
        let sets = describe::count(kpi.series.label_sets(), "label set");
        let counts = [
            (entries.open, "open"),
            (entries.held, "held"),
            (entries.finished, "finished"),
            (entries.funnel, "followed"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let counts = if counts.is_empty() {
            "no entity".to_owned()
        } else {
            counts.join(", ")
        };
        let memory = describe::size(entries.bytes);
        put(format!("  {id}  {sets}  {counts}  about {memory}"));
    }
    let all = &view.entries;
    let (ids, memory) = (all.dedupe, describe::size(all.bytes));
    put(format!(
        "  {ids} event ids remembered, about {memory} for all"
    ));
    text
}

/// A task's newest one by the task's name, `task/name`, or a name that only one task has: tasks that
/// have read equally far have snapshots of one name.
fn find(opened: &Opened, which: &str) -> Result<(TaskFolder, Stored), String> {
    let mut named = Vec::new();
    for folder in opened.store.tasks()? {
        let snapshots = opened.store.listing(&folder)?.snapshots;
        let task = describe::task(&folder);
        if task == which {
            let newest = snapshots.into_iter().max_by_key(|stored| stored.modified);
            let newest = newest.ok_or_else(|| format!("task {which} has no snapshot"))?;
            return Ok((folder, newest));
        }
        for stored in snapshots {
            if stored.name == which || format!("{task}/{}", stored.name) == which {
                named.push((folder.clone(), stored));
            }
        }
    }
    if named.len() > 1 {
        let tasks = named.iter().map(|(folder, _)| describe::task(folder));
        let tasks: Vec<String> = tasks.collect();
        return Err(format!(
            "{} tasks have a snapshot of this name: say which as {}/{which} ({})",
            named.len(),
            tasks[0],
            tasks.join(", ")
        ));
    }
    named.pop().ok_or_else(|| {
        let location = opened.store.location();
        format!("no task and no snapshot \"{which}\" in {location}: see `kept state list`")
    })
}

fn page(
    opened: &Opened,
    folder: &TaskFolder,
    stored: &Stored,
    outline: &Outline,
    head_bytes: usize,
) -> String {
    let mut text = String::new();
    let mut put = |line: String| writeln!(text, "{line}").expect("a String takes everything");
    put(format!("snapshot  {}", stored.name));
    put(format!("task      {}", describe::task(folder)));
    if let Some(name) = SnapshotName::parse(&stored.name) {
        let this = describe::is_this_plan(&opened.plan, folder, &name);
        let this = if this { "this" } else { "another" };
        put(format!("plan      {:016x}, {this} one", name.plan));
        put(format!("lineage   {}", name.lineage));
        let exact = if name.exact {
            "yes"
        } else {
            "no: a limit was hit"
        };
        put(format!("exact     {exact}"));
    }
    let age = describe::age(stored.modified, SystemTime::now());
    put(format!("written   {age} ago"));
    let sections: u64 = outline.sections.iter().map(|one| one.length).sum();
    put(format!(
        "size      {} in the head ({} compressed), {} in {}",
        describe::size(head_bytes as u64),
        describe::size(stored.bytes),
        describe::size(sections),
        describe::count(outline.sections.len(), "section"),
    ));
    put("\ntopics, next offset, clock".to_owned());
    for (topic, offset, clock) in &outline.inputs {
        let clock = clock.map_or("no event yet".to_owned(), describe::time);
        put(format!("  {topic}  {offset}  {clock}"));
    }
    put("\nKPIs, bytes in the head, definition".to_owned());
    for (id, fingerprint, bytes) in &outline.kpis {
        let definition = definition(&opened.plan, id, *fingerprint);
        put(format!("  {id}  {bytes}  {definition}"));
    }
    text
}

/// What becomes of a KPI's state with this configuration.
fn definition(plan: &Plan, id: &str, fingerprint: u64) -> &'static str {
    match plan.kpis.iter().position(|kpi| kpi.id == id) {
        None => "not in this plan: dropped",
        Some(at) if fingerprint::of_kpi(plan, KpiId(at as u16)) == fingerprint => "the same",
        Some(_) => "another: begins anew",
    }
}
