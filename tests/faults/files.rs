//! The snapshots of a stage as files: which there are, and damage to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::within;

use crate::stage::{PARTITIONS, Stage};

/// How long the first snapshots may take.
const LONG: Duration = Duration::from_secs(60);

/// Every partition's heads, oldest first. Their names end in the offsets, at full width.
pub fn heads(stage: &Stage) -> BTreeMap<i32, Vec<PathBuf>> {
    let mut heads: BTreeMap<i32, Vec<PathBuf>> = BTreeMap::new();
    for file in files(stage.state.path()) {
        let folder = file.parent().and_then(Path::file_name);
        let partition = folder.and_then(|name| name.to_str()?.parse().ok());
        if let Some(partition) =
            partition.filter(|_| file.extension().is_some_and(|it| it == "kept"))
        {
            heads.entry(partition).or_default().push(file);
        }
    }
    for of_partition in heads.values_mut() {
        of_partition.sort_by_key(|file| offsets(file));
    }
    heads
}

/// Waits until each partition has at least so many snapshots.
#[track_caller]
pub fn await_heads(stage: &Stage, count: usize) -> BTreeMap<i32, Vec<PathBuf>> {
    within(LONG, "there are snapshots", || {
        let heads = heads(stage);
        let enough = heads.len() == PARTITIONS as usize
            && heads
                .values()
                .all(|of_partition| of_partition.len() >= count);
        enough.then_some(heads)
    })
}

/// The next offset of each topic that a snapshot stands for.
pub fn offsets(head: &Path) -> Vec<i64> {
    let stem = head.file_stem().and_then(|stem| stem.to_str());
    let numbers = stem.and_then(|stem| stem.rsplit('-').next());
    let numbers = numbers.expect("a snapshot's name ends in its offsets");
    let numbers = numbers.trim_end_matches('~').split('.');
    numbers
        .map(|number| number.parse().expect("an offset is a number"))
        .collect()
}

/// The sections of a partition.
pub fn sections(stage: &Stage, partition: i32) -> Vec<PathBuf> {
    let all = files(stage.state.path());
    let mine = all.into_iter().filter(|file| {
        let folder = file.parent().filter(|folder| folder.ends_with("sections"));
        let folder = folder.and_then(Path::parent).and_then(Path::file_name);
        folder.is_some_and(|name| *name == *partition.to_string())
    });
    mine.collect()
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // What is being swept away meanwhile is not there.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Removes everything in the stage's state folder; once more what a running service writes meanwhile.
pub fn wipe(stage: &Stage) {
    let folder = stage.state.path();
    within(LONG, "the folder is wiped", || {
        let entries = fs::read_dir(folder).expect("the folder is there");
        let paths = entries.map(|entry| entry.expect("the folder can be read").path());
        let mut removed = paths.map(|path| match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        });
        removed.all(|one| one.is_ok()).then_some(())
    });
}

/// Changes a file's bytes.
pub fn damage(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("the file is there");
    change(&mut bytes);
    fs::write(file, bytes).expect("the folder is ours");
}

/// A small disk of its own on a folder, until it is dropped. Needs root, like the rest of
/// `tests/install`; without it the test fails.
pub struct Disk<'a>(&'a Path);

impl Disk<'_> {
    /// Mounts one of `size` (as `mount` has it) there.
    pub fn mount<'a>(folder: &'a Path, size: &str) -> Disk<'a> {
        let options = format!("size={size}");
        succeed(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
                .arg(folder),
        );
        Disk(folder)
    }

    /// Takes all the room that is left, until the file it returns is removed.
    pub fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        // It ends when the disk is full: that is what it is for.
        let filled = fs::write(&filler, vec![0; 64 << 20]);
        assert!(filled.is_err(), "the disk is larger than was asked for");
        filler
    }

    /// Makes it refuse to be written, or takes that back.
    pub fn set_read_only(&self, on: bool) {
        let options = if on { "remount,ro" } else { "remount,rw" };
        succeed(Command::new("mount").args(["-o", options]).arg(self.0));
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily: a process that is about to end may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().expect("mount is installed");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}, which needs root: {words}"
    );
}
