//! Tries whether a store takes snapshots, before the first one is due.
//!
//! A trial writes an object that nobody takes for a snapshot and deletes it again. Its name is the
//! process' own, so that two of them don't meet.

use std::fs;
use std::io;
use std::path::Path;

use crate::depot::Depot;

/// What a trial writes.
const CONTENT: &[u8] = b"kept check";

/// Writes into the folder, or into the nearest one above it that is there.
pub(crate) fn folder(folder: &Path) -> Result<(), String> {
    let mut above = folder.ancestors();
    let there = above.find(|path| path.exists());
    let there = there.ok_or_else(|| format!("{} is in no folder", folder.display()))?;
    let file = there.join(name());
    let tried = fs::write(&file, CONTENT).and_then(|()| fs::remove_file(&file));
    tried.map_err(|error| {
        let what = match there == folder {
            true => "can't be written to".to_owned(),
            false => format!("can't be made in {}", there.display()),
        };
        let error = match error.kind() {
            io::ErrorKind::NotADirectory => "that is no folder".to_owned(),
            _ => error.to_string(),
        };
        format!("{} {what}: {error}", folder.display())
    })
}

/// Lists the group's folder, writes into it and deletes that again.
pub(crate) async fn bucket(depot: &Depot) -> Result<(), String> {
    depot
        .list(&depot.root())
        .await
        .map_err(|error| format!("it can't be listed: {error}"))?;
    let path = depot.root().join(name().as_str());
    depot
        .create(&path, CONTENT.to_vec())
        .await
        .map_err(|error| format!("nothing can be written: {error}"))?;
    depot
        .delete(&path)
        .await
        .map_err(|error| format!("nothing can be deleted: {error}"))
}

fn name() -> String {
    format!("kept-check-{}", std::process::id())
}
