//! Files of a local store that a killed process was in the middle of writing, and empty folders.
//!
//! object_store writes a file as `name#number` and gives it its name at the end; it lists none of
//! them. Nobody ever reads them, so those that are too old to be written still are deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::retention::is_old;

/// Deletes old ones directly in this folder; one that isn't there has none.
pub(crate) async fn clear(folder: PathBuf) -> Result<(), String> {
    let cleared = tokio::task::spawn_blocking(move || clear_now(&folder, SystemTime::now())).await;
    cleared
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("files that were never finished: {error}"))
}

/// Removes this folder and those in it, as far as they are empty.
pub(crate) async fn remove_empty(folder: PathBuf) -> Result<(), String> {
    let removed = tokio::task::spawn_blocking(move || remove_empty_now(&folder)).await;
    removed
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("empty folders: {error}"))
}

fn remove_empty_now(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_now(&entry.path())?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

fn clear_now(folder: &Path, now: SystemTime) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_str().is_some_and(is_unfinished) {
            continue;
        }
        let old = entry.metadata().and_then(|file| file.modified());
        if old.is_ok_and(|modified| is_old(modified, now)) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

/// `name#number`; no object of ours has a `#`.
fn is_unfinished(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_unfinished_files_are_taken_for_such() {
        let unfinished = ["a.kept#1", "0123#42"].map(is_unfinished);
        assert_eq!(unfinished, [true; 2]);
        let others = ["a.kept", "#", "a#", "a#b", "a#1.kept"].map(is_unfinished);
        assert_eq!(others, [false; 5]);
    }
}
