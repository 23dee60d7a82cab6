//! `kept produce` as a process: what it refuses and how it says so, and, on a real Kafka, where
//! the records end up.

#![allow(clippy::disallowed_methods, reason = "the test of a process has files")]

use std::fs;
use std::path::{Path, PathBuf};

use simulator::partition::partition_of;
use support::{Finished, Kafka, finish};

const KEPT: &str = env!("CARGO_BIN_EXE_kept");

/// A folder of files for one test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, topics: &str, brokers: &str, lines: &[String]) -> Files {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("produce-{name}"));
        fs::create_dir_all(&folder).expect("the folder is writable");
        let config = format!("[kafka]\nbrokers = \"{brokers}\"\n{topics}");
        fs::write(folder.join("kept.toml"), config).expect("the folder is writable");
        fs::write(folder.join("events.jsonl"), lines.join("\n")).expect("the folder is writable");
        Files(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// `kept produce` of the lines with these arguments.
    fn produce(&self, arguments: &[&str]) -> Finished {
        let (config, events) = (self.path("kept.toml"), self.path("events.jsonl"));
        let mut all = vec!["produce", "--config", &config];
        all.extend(arguments);
        all.push(&events);
        finish(KEPT, &all, None)
    }
}

const SHOP: &str = "[[kafka.topic]]\nname = \"shop\"\nkey = \"cart_id\"";

fn event(type_name: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"1","source":"/test","type":"{type_name}","time":"2026-01-05T10:00:00Z","data":{data}}}"#
    )
}

fn mixed() -> Vec<String> {
    vec![
        event("cart.viewed", r#"{"cart_id":"k-1"}"#),
        "not json".into(),
        String::new(),
        event("order.fulfilled", r#"{"cart_id":"k-1"}"#),
        event("order.fulfilled", r#"{"order_id":"o-1"}"#),
        event("loyalty.earned", r#"{"cart_id":"k-2"}"#),
        event("loyalty.earned", r#"{"cart_id":"k-3"}"#),
    ]
}

#[test]
fn bad_lines_are_skipped_and_said_with_file_and_line() {
    let files = Files::new("mixed", SHOP, "127.0.0.1:1", &mixed());
    let done = files.produce(&["--dry-run"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let events = files.path("events.jsonl");
    let text = &done.stderr;
    for expected in [
        format!(
            "{events}:2: not_json: at column 1 there is \"not\": no JSON value begins like that\n"
        ),
        format!("{events}:4: missing_field: data.order_id\n"),
        format!("{events}:6: warning: type \"loyalty.earned\""),
        "without a key on topic shop: 1 (no data.cart_id)".into(),
        "of unknown type \"loyalty.earned\": 2\n".into(),
        "7 lines (1 blank), 4 good, nothing sent, 2 skipped\n".into(),
    ] {
        assert!(text.contains(&expected), "no {expected:?} in\n{text}");
    }
    // Once per type; and no progress in a pipe.
    assert_eq!(text.matches("loyalty.earned").count(), 2, "{text}");
    assert!(!text.contains(['\r', '\x1b']), "{text:?}");
}

#[test]
fn an_amount_that_no_kpi_would_take_is_said_with_its_value() {
    let placed = |total: &str| {
        let data = format!(r#"{{"order_id":"o-1","items":1,"currency":"EUR","total":"{total}"}}"#);
        event("order.placed", &data)
    };
    let first = format!("\u{feff}{}", placed("12.50"));
    let lines = [first, String::new(), placed("12,50")];
    let files = Files::new("amounts", SHOP, "127.0.0.1:1", &lines);
    let done = files.produce(&["--dry-run"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let events = files.path("events.jsonl");
    for expected in [
        format!("{events}:3: bad_field: data.total is \"12,50\", but kpi orders reads an amount"),
        "3 lines (1 blank), 1 good, nothing sent, 1 skipped\n".into(),
    ] {
        assert!(
            done.stderr.contains(&expected),
            "no {expected:?} in\n{}",
            done.stderr
        );
    }
}

#[test]
fn fail_fast_stops_at_the_first_bad_line() {
    let files = Files::new("fail-fast", SHOP, "127.0.0.1:1", &mixed());
    let done = files.produce(&["--dry-run", "--fail-fast"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(done.stderr.contains(":2: not_json"), "{done:?}");
    assert!(
        done.stderr
            .contains("2 lines, 1 good, nothing sent, 1 skipped"),
        "{done:?}"
    );
}

#[test]
fn good_lines_end_well_from_standard_input_too() {
    let files = Files::new("good", SHOP, "127.0.0.1:1", &mixed()[..1]);
    let config = files.path("kept.toml");
    let events = PathBuf::from(files.path("events.jsonl"));
    for arguments in [&["-"][..], &[]] {
        let mut all = vec!["produce", "--config", &config, "--dry-run"];
        all.extend(arguments);
        let done = finish(KEPT, &all, Some(&events));
        assert!(done.status.success(), "{done:?}");
        assert!(
            done.stderr.contains("standard input: 1 lines, 1 good"),
            "{done:?}"
        );
    }
}

#[test]
fn wrong_usage_is_said() {
    let files = Files::new("usage", SHOP, "127.0.0.1:1", &mixed());
    let done = files.produce(&["--topic", "elsewhere"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(done.stderr.contains("no such topic, but shop"), "{done:?}");
    let done = files.produce(&["--timestamp", "never"]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    let done = files.produce(&[]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(
        done.stderr.contains("asking Kafka at 127.0.0.1:1"),
        "{done:?}"
    );
}

#[test]
fn a_missing_topic_is_named() {
    let kafka = Kafka::shared();
    let topics = SHOP.replace("shop", "nowhere");
    let files = Files::new("missing", &topics, &kafka.brokers(), &mixed());
    let done = files.produce(&[]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(
        done.stderr.contains("topic \"nowhere\" does not exist"),
        "{done:?}"
    );
}

#[test]
fn records_are_where_java_would_put_their_keys() {
    let kafka = Kafka::shared();
    kafka.create_topic("keyed", 3, &[]);
    let keys: Vec<String> = (0..60).map(|number| format!("k-{number}")).collect();
    let lines: Vec<String> = keys
        .iter()
        .map(|key| event("cart.viewed", &format!(r#"{{"cart_id":"{key}"}}"#)))
        .collect();
    let topics = SHOP.replace("shop", "keyed");
    let files = Files::new("keyed", &topics, &kafka.brokers(), &lines);
    let done = files.produce(&["--timestamp", "event"]);
    assert!(done.status.success(), "{done:?}");
    assert!(
        done.stderr
            .contains("60 lines, 60 acknowledged by Kafka, 0 skipped"),
        "{done:?}"
    );
    let written = kafka.read("keyed");
    assert_eq!(written.len(), keys.len());
    for record in written {
        let key = record.key.expect("every record has a key");
        assert_eq!(record.partition, partition_of(&key, 3), "{key:?}");
        // 2026-01-05T10:00:00Z
        assert_eq!(record.timestamp_ms, Some(1_767_607_200_000), "{key:?}");
        let value = String::from_utf8(record.value.expect("a value")).expect("text");
        let key = String::from_utf8(key).expect("text");
        assert!(
            lines.contains(&value) && value.contains(&format!("\"{key}\"")),
            "{value}"
        );
    }
}
