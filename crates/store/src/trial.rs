//! Tries whether a store takes snapshots, before the first one is due.
//!
//! A trial makes an object that nobody takes for a snapshot, under a name that can't be guessed, and
//! deletes it again. What is there already is never written to.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
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
    try_file(&file).map_err(|error| {
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

/// Makes the file, which must not be there, and removes it.
fn try_file(file: &Path) -> io::Result<()> {
    let made = fs::File::create_new(file);
    let written = made?.write_all(CONTENT);
    fs::remove_file(file).and(written)
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
    format!("kept-check-{:016x}", RandomState::new().hash_one(CONTENT))
}
