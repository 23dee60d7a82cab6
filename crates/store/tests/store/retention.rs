//! What goes and what stays after a save: the newest few of a lineage, something of every other
//! one, and no section that anybody may still need.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::bench::{Bench, Folder, name, section, snapshot, without_sections};

/// Older than anything that a writer may be in the middle of.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// Makes a file, or all in a folder, look as if written long ago.
fn age(path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("it is a folder") {
            age(&entry.expect("it can be listed").path());
        }
        return;
    }
    let file = File::options().write(true).open(path).expect("it is there");
    let then = SystemTime::now() - LONG;
    file.set_modified(then).expect("it is ours");
}

fn has_section(folder: &Folder, text: &str) -> bool {
    let hash = section(text).reference.hash;
    folder.task().join(format!("sections/{hash:032x}")).exists()
}

#[test]
fn the_newest_few_of_a_lineage_stay() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    for offset in [10, 20, 30, 40, 50] {
        let state = snapshot(&format!("at {offset}"), &["a"]);
        bench.save(&name(1, offset), &state).expect("it is saved");
    }
    let expected = [30, 40, 50].map(|offset| name(1, offset));
    assert_eq!(bench.list(), Ok(expected.into()));
}

#[test]
fn one_that_comes_late_takes_nothing_newer_with_it() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    for offset in [30, 40, 50, 10] {
        let state = snapshot(&format!("at {offset}"), &["a"]);
        bench.save(&name(1, offset), &state).expect("it is saved");
    }
    let expected = [10, 30, 40, 50].map(|offset| name(1, offset));
    assert_eq!(bench.list(), Ok(expected.into()), "and it stays itself");
}

#[test]
fn other_lineages_stay_for_an_hour_and_then_with_their_newest() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let save = |lineage, offset| {
        let state = snapshot(&format!("{lineage} at {offset}"), &["a"]);
        bench.save(&name(lineage, offset), &state).expect("saved");
    };
    save(1, 10);
    save(1, 20);
    save(2, 5);
    let all = vec![name(1, 10), name(1, 20), name(2, 5)];
    assert_eq!(bench.list(), Ok(all), "they are young");
    age(&folder.task());
    save(2, 6);
    let newest = vec![name(1, 20), name(2, 5), name(2, 6)];
    assert_eq!(bench.list(), Ok(newest), "{} is old", name(1, 10));
}

#[test]
fn of_many_forgotten_lineages_few_stay() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    for lineage in 1..=6 {
        let state = snapshot(&format!("lineage {lineage}"), &[]);
        bench.save(&name(lineage, 10), &state).expect("it is saved");
    }
    age(&folder.task());
    let state = snapshot("lineage 9", &[]);
    bench.save(&name(9, 10), &state).expect("it is saved");
    let names = bench.list().expect("it can be listed");
    assert_eq!(names.len(), 4, "three, and the one just written: {names:?}");
    assert!(names.contains(&name(9, 10)));
}

#[test]
fn names_of_another_make_are_left_alone() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let foreign = folder.task().join("from-the-future.kept");
    fs::create_dir_all(folder.task()).expect("it can be made");
    fs::write(&foreign, "?").expect("it can be written");
    age(&foreign);
    for offset in [10, 20, 30, 40] {
        let state = snapshot(&format!("at {offset}"), &[]);
        bench.save(&name(1, offset), &state).expect("it is saved");
    }
    assert!(foreign.exists());
}

#[test]
fn sections_go_when_they_are_old_and_nobody_refers_to_them() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let mine = [
        ("at 10", 10, ["dropped", "kept"]),
        ("at 20", 20, ["kept", "once"]),
    ];
    for (note, offset, sections) in mine {
        bench
            .save(&name(1, offset), &snapshot(note, &sections))
            .expect("it is saved");
    }
    let theirs = snapshot("their state", &["theirs"]);
    bench.save(&name(2, 5), &theirs).expect("it is saved");
    age(&folder.task());
    // A section whose head is not written yet, as of a writer that is in the middle of it.
    let coming = folder.task().join("sections/0123");
    fs::write(coming, "soon").expect("it can be written");
    let mut settings = folder.settings();
    settings.keep = 1;
    // Another process: this one looked at the sections a moment ago.
    let other = Bench::new(&settings);
    let last = snapshot("at 30", &["kept"]);
    other
        .save(&name(1, 30), &without_sections(&last))
        .expect("it is saved");
    let names = vec![name(1, 30), name(2, 5)];
    assert_eq!(other.list(), Ok(names));
    let left = ["dropped", "kept", "once", "theirs"].map(|text| has_section(&folder, text));
    assert_eq!(left, [false, true, false, true]);
    assert!(folder.task().join("sections/0123").exists(), "it is young");
    assert_eq!(other.load(&name(1, 30)), Ok(last));
    assert_eq!(other.load(&name(2, 5)), Ok(theirs));
}

#[test]
fn a_section_that_is_about_to_be_cleared_away_is_written_again() {
    let folder = Folder::new();
    let state = snapshot("one", &["a"]);
    Bench::new(&folder.settings())
        .save(&name(1, 10), &state)
        .expect("it is saved");
    let hash = section("a").reference.hash;
    let file = folder.task().join(format!("sections/{hash:032x}"));
    age(&file);
    // Somebody who came to the same section without knowing that it is stored.
    Bench::new(&folder.settings())
        .save(&name(1, 20), &snapshot("two", &["a"]))
        .expect("it is saved");
    let written = fs::metadata(&file).and_then(|file| file.modified());
    let age = written.expect("it is there").elapsed().unwrap_or_default();
    assert!(age < LONG / 2, "it is {age:?} old");
}

#[test]
fn files_that_a_killed_process_left_unfinished_are_cleared_away_when_they_are_old() {
    let folder = Folder::new();
    fs::create_dir_all(folder.task().join("sections")).expect("it can be made");
    let unfinished = |name: &str| {
        let file = folder.task().join(name);
        fs::write(&file, "half").expect("it can be written");
        file
    };
    let old = [
        unfinished(&format!("{}#1", name(1, 10))),
        unfinished("sections/0123#2"),
    ];
    old.iter().for_each(|file| age(file));
    let young = unfinished(&format!("{}#1", name(1, 20)));
    let bench = Bench::new(&folder.settings());
    bench
        .save(&name(1, 20), &snapshot("one", &["a"]))
        .expect("a leftover of its own name is not in its way");
    assert!(old.iter().all(|file| !file.exists()), "they are old");
    assert!(young.exists(), "somebody may be writing it");
    assert_eq!(bench.list(), Ok(vec![name(1, 20)]));
}
