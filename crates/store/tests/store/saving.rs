//! Saving and reading back on a sound folder: once, again, by two writers, after it was emptied.

use std::fs;
use std::thread;

use pipeline::port::SaveError;
use store::{Saved, TaskFolder, What};

use crate::bench::{Bench, Folder, name, section, snapshot, task, without_sections};

#[test]
fn what_was_saved_is_listed_and_loaded() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    assert_eq!(bench.list(), Ok(vec![]));
    let first = snapshot("first", &["a", "b"]);
    let saved = bench.save(&name(1, 10), &first).expect("it is saved");
    assert_eq!(saved.sections, ["a", "b"].map(|s| section(s).reference));
    assert!(saved.bytes > 0);
    let second = snapshot("second", &["b", "c", "a"]);
    let handed_over = engine::snapshot::Snapshot {
        sections: vec![section("c")],
        ..second.clone()
    };
    bench.save(&name(1, 20), &handed_over).expect("it is saved");
    assert_eq!(bench.list(), Ok(vec![name(1, 10), name(1, 20)]));
    assert_eq!(bench.load(&name(1, 10)), Ok(first));
    assert_eq!(bench.load(&name(1, 20)), Ok(second), "in the head's order");
    let tasks = Bench::new(&folder.settings()).store.tasks();
    assert_eq!(tasks, Ok(vec![task()]), "another process finds it");
}

#[test]
fn snapshots_of_tasks_that_had_some_of_the_topics_are_listed_and_loaded_by_their_topics() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    // As many topics as the names have offsets.
    let topics = vec![task().topics.remove(0), "another".to_owned()];
    let joined = TaskFolder { topics, ..task() };
    let elsewhere = TaskFolder {
        partition: joined.partition + 1,
        ..joined.clone()
    };
    let foreign = TaskFolder {
        topics: vec!["another".to_owned(), "strange".to_owned()],
        ..task()
    };
    let saved = snapshot("joined", &["a"]);
    for folder in [&joined, &elsewhere, &foreign] {
        bench
            .client
            .save(folder.clone(), name(1, 10), saved.clone());
        let answer = bench.client.answers().recv().expect("an answer");
        assert!(matches!(answer.what, What::Saved { result: Ok(_), .. }));
    }
    let named = format!("{}/{}", joined.topics.join("+"), name(1, 10));
    assert_eq!(
        bench.list(),
        Ok(vec![named.clone()]),
        "of the same partition alone"
    );
    assert_eq!(bench.load(&named), Ok(saved), "with its own sections");
    let gone = bench.load(&format!("another+strange/{}", name(1, 10)));
    assert!(gone.is_err(), "a task without a common topic: {gone:?}");
}

#[test]
fn a_save_whose_answer_was_lost_is_the_same_save_again() {
    let folder = Folder::new();
    let saved = snapshot("one", &["a"]);
    let again = Bench::new(&folder.settings());
    let first = Bench::new(&folder.settings()).save(&name(1, 10), &saved);
    let references = first.expect("it is saved").sections;
    let second = again.save(&name(1, 10), &saved);
    let expected = Saved {
        bytes: 0,
        sections: references,
    };
    assert_eq!(second, Ok(expected));
}

#[test]
fn another_state_of_the_same_name_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let (one, other) = (snapshot("one", &["a"]), snapshot("other", &["a"]));
    bench.save(&name(1, 10), &one).expect("it is saved");
    match bench.save(&name(1, 10), &other) {
        Err(SaveError::Differs(what)) => {
            assert!(what.contains("differ from byte 14 on"), "{what}");
            assert!(what.contains(&name(1, 10)), "{what}");
        }
        result => panic!("it differs, but {result:?}"),
    }
    assert_eq!(bench.load(&name(1, 10)), Ok(one));
}

#[test]
fn an_inexact_state_may_differ_from_the_one_of_its_name() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let inexact = name(1, 10).replace(".kept", "~.kept");
    let one = snapshot("one", &[]);
    bench.save(&inexact, &one).expect("it is saved");
    let other = bench.save(&inexact, &snapshot("other", &[]));
    assert_eq!(other.map(|saved| saved.bytes), Ok(0));
    assert_eq!(bench.load(&inexact), Ok(one));
}

#[test]
fn a_folder_that_was_emptied_is_told_and_filled_again() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let all = snapshot("one", &["a", "b"]);
    bench.save(&name(1, 10), &all).expect("it is saved");
    fs::remove_dir_all(folder.0.join("group")).expect("it is there");
    let next = snapshot("two", &["a", "b", "c"]);
    let handed_over = engine::snapshot::Snapshot {
        sections: vec![section("c")],
        ..next.clone()
    };
    match bench.save(&name(1, 20), &handed_over) {
        Err(SaveError::Incomplete(what)) => {
            assert!(what.starts_with("2 sections are gone"), "{what}");
        }
        result => panic!("sections are gone, but {result:?}"),
    }
    assert_eq!(bench.list(), Ok(vec![]), "no head without its sections");
    bench.save(&name(1, 20), &next).expect("all is there again");
    assert_eq!(bench.load(&name(1, 20)), Ok(next));
}

#[test]
fn two_writers_of_the_same_states_at_once_do_not_hurt_each_other() {
    let folder = Folder::new();
    let writer = || {
        let bench = Bench::new(&folder.settings());
        for offset in 0..30 {
            let state = snapshot(&format!("at {offset}"), &["a", &format!("s{}", offset / 4)]);
            bench.save(&name(1, offset), &state).expect("it is saved");
        }
    };
    thread::scope(|scope| {
        scope.spawn(writer);
        scope.spawn(writer);
    });
    let bench = Bench::new(&folder.settings());
    let names = bench.list().expect("the folder can be read");
    assert_eq!(names, [27, 28, 29].map(|offset| name(1, offset)));
    for name in names {
        bench.load(&name).expect("it is sound");
    }
}

#[test]
fn of_two_writers_with_different_states_one_is_refused() {
    let folder = Folder::new();
    let writer = |note: &'static str| {
        let bench = Bench::new(&folder.settings());
        move || bench.save(&name(1, 10), &snapshot(note, &["a"]))
    };
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(writer("one"));
        let other = scope.spawn(writer("two"));
        (
            one.join().expect("no panic"),
            other.join().expect("no panic"),
        )
    });
    let refused = |result: &Result<Saved, SaveError>| matches!(result, Err(SaveError::Differs(_)));
    assert!(refused(&one) != refused(&other), "{one:?} and {other:?}");
    let stays = if one.is_ok() { "one" } else { "two" };
    let loaded = Bench::new(&folder.settings()).load(&name(1, 10));
    assert_eq!(loaded, Ok(snapshot(stays, &["a"])));
}

#[test]
fn a_task_has_one_save_under_way() {
    let folder = Folder::new();
    let bench = Bench::new(&folder.settings());
    let large = snapshot("large", &[&"x".repeat(100_000)]);
    for offset in 0..20 {
        bench.client.save(task(), name(1, offset), large.clone());
    }
    let answers = (0..20).map(|_| match bench.answer() {
        What::Saved { result, .. } => result,
        other => panic!("{other:?}"),
    });
    let answers: Vec<Result<Saved, SaveError>> = answers.collect();
    let is_busy = |result: &Result<Saved, SaveError>| match result {
        Err(SaveError::Unavailable(reason)) => reason.contains("still under way"),
        _ => false,
    };
    assert!(answers.iter().any(is_busy), "twenty at once are not queued");
    assert!(answers.iter().any(Result::is_ok), "the first one is saved");
    let last = without_sections(&large);
    assert!(bench.save(&name(1, 99), &last).is_ok(), "it is free again");
}
