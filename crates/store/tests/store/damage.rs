//! Objects that are missing, torn, truncated, bit-flipped or bombs: the snapshot is unsound, the
//! message names the section (the snapshot itself is named by whoever asked for it), the reader
//! neither crashes nor takes unbounded memory, and saving the same again mends it.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::port::LoadError;

use crate::bench::{Bench, Folder, head, name, section, snapshot};

/// Saves a snapshot with two sections, damages one file, and expects a refusal.
#[track_caller]
fn check(file: impl Fn(&Path) -> PathBuf, damage: impl Fn(&Path), expected: &str) {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let saved = snapshot("one", &["a", "b"]);
    bench.save(&name(1, 10), &saved).expect("it is saved");
    let file = file(&folder.task());
    damage(&file);
    let named = file.file_name().expect("it is a file").to_string_lossy();
    match bench.load(&name(1, 10)) {
        Err(LoadError::Unsound(what)) => {
            let is_section = !named.ends_with(".kept");
            assert_eq!(what.contains(&*named), is_section, "{what} names {named}");
            assert!(what.contains(expected), "{what} says {expected}");
        }
        result => panic!("{} is damaged, but {result:?}", file.display()),
    }
    // Somebody who has the state saves it again.
    let again = Bench::new(&folder.settings());
    again.save(&name(1, 10), &saved).expect("it is mended");
    assert_eq!(again.load(&name(1, 10)), Ok(saved));
}

fn the_head(task: &Path) -> PathBuf {
    task.join(name(1, 10))
}

fn a_section(task: &Path) -> PathBuf {
    let hash = section("b").reference.hash;
    task.join(format!("sections/{hash:032x}"))
}

fn rewrite(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("it is there");
    change(&mut bytes);
    fs::write(file, bytes).expect("it can be written");
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).expect("memory is large enough")
}

#[test]
fn missing_objects_are_named() {
    let gone = |file: &Path| fs::remove_file(file).expect("it is there");
    check(the_head, gone, "is not there");
    check(a_section, gone, "is not there");
}

#[test]
fn empty_and_foreign_objects_are_refused() {
    for file in [the_head, a_section] {
        check(file, |file| rewrite(file, Vec::clear), "decompressed");
        let foreign = |file: &Path| rewrite(file, |bytes| *bytes = b"something else".to_vec());
        check(file, foreign, "decompressed");
    }
    let foreign = |file: &Path| rewrite(file, |bytes| *bytes = packed(b"hello"));
    check(the_head, foreign, "");
    check(a_section, foreign, "holds 5 bytes, not the 100 it should");
}

#[test]
fn objects_cut_off_anywhere_are_refused() {
    for file in [the_head, a_section] {
        for share in [1, 30, 60, 99] {
            let cut = |file: &Path| rewrite(file, |b| b.truncate(b.len() * share / 100));
            check(file, cut, "");
        }
        let longer = |file: &Path| rewrite(file, |bytes| bytes.push(0));
        check(file, longer, "after its end");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_never_taken_for_the_truth() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let saved = snapshot("one", &["a", "b"]);
    bench.save(&name(1, 10), &saved).expect("it is saved");
    for file in [the_head(&folder.task()), a_section(&folder.task())] {
        let sound = fs::read(&file).expect("it is there");
        for bit in 0..sound.len() * 8 {
            let mut flipped = sound.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, flipped).expect("it can be written");
            match bench.load(&name(1, 10)) {
                Err(LoadError::Unsound(_) | LoadError::Newer(_)) => {}
                // A bit of the frame's header may mean nothing: then the content is the same.
                Ok(loaded) => assert_eq!(loaded, saved, "bit {bit} of {}", file.display()),
                Err(other) => panic!("bit {bit}: {other:?}"),
            }
        }
        fs::write(&file, sound).expect("it can be written");
    }
}

#[test]
fn other_bytes_with_a_good_frame_are_refused_by_their_checksum() {
    let other = |file: &Path| rewrite(file, |bytes| *bytes = packed(&b"c".repeat(100)));
    check(a_section, other, "its checksum is wrong");
    let torn = |file: &Path| {
        rewrite(file, |bytes| {
            let mut head = snapshot("one", &["a", "b"]).head;
            head[20] ^= 1;
            *bytes = packed(&head);
        });
    };
    check(the_head, torn, "torn");
}

#[test]
fn a_bomb_stops_at_the_declared_length() {
    let bomb = |file: &Path| rewrite(file, |bytes| *bytes = packed(&vec![b'b'; 32 << 20]));
    check(a_section, bomb, "holds more than the 100 bytes it may");
}

#[test]
fn an_object_far_too_large_is_not_even_fetched() {
    let huge = |file: &Path| {
        let file = fs::OpenOptions::new().write(true).open(file);
        let file = file.expect("it is there");
        file.set_len(3 << 30).expect("a hole takes no room");
    };
    check(a_section, huge, "has 3221225472 bytes, more than the");
    check(the_head, huge, "has 3221225472 bytes, more than the");
}

#[test]
fn a_head_whose_sections_claim_too_much_is_refused_before_any_is_read() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let mut sections = vec![section("a"), section("b")];
    // The second one is not even there: nobody looks for it.
    sections[1].reference.length = 1 << 50;
    let saved = snapshot("one", &["a", "b"]);
    bench.save(&name(1, 10), &saved).expect("it is saved");
    let claims = packed(&head("one", &sections));
    fs::write(the_head(&folder.task()), claims).expect("it can be written");
    match bench.load(&name(1, 10)) {
        Err(LoadError::Unsound(what)) => {
            assert!(what.contains("its sections hold 112589990684"), "{what}");
        }
        result => panic!("it claims 2^50 bytes, but {result:?}"),
    }
}
