//! Feeding a running `kept`: its configuration, `kept produce`, and waiting until all is counted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::{Kafka, Kept, Samples, finish, within};

/// How long `kept` may take to read what was produced.
const READ_WITHIN: Duration = Duration::from_secs(120);

/// A topic: its name, its key and its types.
pub type Topic<'a> = (&'a str, &'a str, &'a [&'a str]);

/// A configuration that reads these topics from their beginning, with these packs and these
/// catalogue files below `tests/data`.
pub fn config(
    kafka: &Kafka,
    group: &str,
    packs: &[&str],
    files: &[&str],
    topics: &[Topic<'_>],
) -> String {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let files: Vec<_> = files.iter().map(|file| data.join(file)).collect();
    let mut text = format!(
        "[kafka]\nbrokers = {:?}\ngroup = {group:?}\nstart = \"earliest\"\n\
         [catalogue]\npacks = {packs:?}\nfiles = {files:?}\n",
        kafka.brokers()
    );
    for (topic, key, types) in topics {
        text += &format!("[[kafka.topic]]\nname = {topic:?}\nkey = {key:?}\ntypes = {types:?}\n");
    }
    text
}

/// Puts these lines on their topics by `kept produce`, stamped with their own times.
#[track_caller]
pub fn produce(kept: &Kept, lines: &[String]) {
    let file = kept.folder().join("events.jsonl");
    fs::write(&file, lines.join("\n") + "\n").expect("the folder is writable");
    let config = kept.folder().join("kept.toml");
    let path = |path: &Path| path.display().to_string();
    let arguments = [
        "produce",
        "--config",
        &path(&config),
        "--timestamp",
        "event",
        &path(&file),
    ];
    let done = finish(env!("CARGO_BIN_EXE_kept"), &arguments, None);
    assert!(
        done.status.success(),
        "kept produce:\n{}\n{}",
        done.stdout,
        done.stderr
    );
}

/// Waits until `count` records were taken, whatever became of them; gives that scrape.
#[track_caller]
pub fn await_events(kept: &Kept, count: u64) -> Samples {
    let mut seen = None;
    within(READ_WITHIN, "all records are counted", || {
        let samples = kept.scrape();
        let sum = samples.sum("kept_events_total", &[]);
        if sum != seen {
            seen = sum;
            eprintln!("{:?} of {count} records", sum.unwrap_or(0.0));
        }
        (sum == Some(count as f64)).then_some(samples)
    })
}
