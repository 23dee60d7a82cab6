//! `kept state verify`: reads every snapshot with all its sections. One line each, as they are
//! read, so that a long look shows how far it is.

use std::io::Write;
use std::process::ExitCode;

use engine::Task;
use engine::snapshot::Snapshot;
use pipeline::name::SnapshotName;
use pipeline::port::LoadError;
use store::TaskFolder;

use std::sync::Arc;

use super::{Opened, describe};

/// Prints the lines and a verdict.
pub fn verify(opened: &Opened, out: &mut dyn Write) -> Result<ExitCode, String> {
    let (mut all, mut unsound) = (0, 0);
    for folder in opened.store.tasks()? {
        for stored in opened.store.listing(&folder)?.snapshots {
            let (name, task) = (&stored.name, describe::task(&folder));
            let line = match look(opened, &folder, name)? {
                Ok(how) => format!("{how}  {task}/{name}\n"),
                Err(reason) => {
                    unsound += 1;
                    format!("UNSOUND  {task}/{name}: {reason}\n")
                }
            };
            all += 1;
            // Whoever closed the pipe still gets the exit code.
            let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        }
    }
    let verdict = format!(
        "{} in {}, {unsound} unsound\n",
        describe::count(all, "snapshot"),
        opened.store.location()
    );
    let _ = out.write_all(verdict.as_bytes());
    let code = if unsound == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    Ok(code)
}

/// How a snapshot is sound, or why it isn't; an error if the store doesn't answer.
fn look(
    opened: &Opened,
    folder: &TaskFolder,
    name: &str,
) -> Result<Result<&'static str, String>, String> {
    match opened.store.load(folder, name) {
        Ok(snapshot) => Ok(restored(opened, folder, name, &snapshot)),
        Err(LoadError::Unavailable(reason)) => Err(reason),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// A snapshot of this plan must also make a task; of another plan the checksums are looked at.
fn restored(
    opened: &Opened,
    folder: &TaskFolder,
    name: &str,
    snapshot: &Snapshot,
) -> Result<&'static str, String> {
    let Some(name) = SnapshotName::parse(name) else {
        return Err("its name is not one of Kept's".to_owned());
    };
    let group = describe::group(&opened.plan, folder);
    let (Some(group), true) = (group, describe::is_this_plan(&opened.plan, folder, &name)) else {
        return Ok("sound, another plan");
    };
    let plan = Arc::clone(&opened.plan);
    let restored = Task::restore(plan, group, folder.partition, snapshot);
    let task = restored.map_err(|refusal| refusal.to_string())?.task;
    let offsets: Vec<i64> = task.offsets().collect();
    if offsets != name.offsets {
        return Err(format!(
            "its state is at {offsets:?}, not where its name says"
        ));
    }
    Ok("sound")
}
