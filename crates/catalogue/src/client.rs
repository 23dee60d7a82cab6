//! `[kafka.client]` and `[state.options]`: settings for libraries, passed through, but for those of
//! librdkafka that Kept owns.
//!
//! `sasl.password = "..."` and `"sasl.password" = "..."` are the same. `"sasl.password_file" =
//! "path"` means the content of that file, without white space at its ends: secrets stay out of
//! the configuration.

use crate::FileText;
use crate::problem::{Place, Problems};
use crate::text::section::text_of;
use crate::text::tree::{Node, Table, Value};

/// librdkafka's settings that Kept owns, and why a user may not set them. The one list of them: what
/// connects to Kafka leaves them out of `[kafka.client]` as well, wherever that came from.
pub const OWNED: [(&str, &str); 12] = [
    ("bootstrap.servers", "set \"brokers\" in [kafka]"),
    ("metadata.broker.list", "set \"brokers\" in [kafka]"),
    ("group.id", "set \"group\" in [kafka]"),
    ("group.protocol", "partitions must move by Kept's own rules"),
    (
        "group.remote.assignor",
        "partitions must move by Kept's own rules",
    ),
    (
        "partition.assignment.strategy",
        "partition p of all topics must come to one worker",
    ),
    (
        "enable.auto.commit",
        "offsets are committed only with what is published",
    ),
    (
        "enable.auto.offset.store",
        "offsets are committed only with what is published",
    ),
    (
        "auto.commit.interval.ms",
        "offsets are committed only with what is published",
    ),
    (
        "auto.offset.reset",
        "set \"start\" in [kafka]; a gap in the log must not be skipped silently",
    ),
    (
        "enable.partition.eof",
        "Kept watches the ends of partitions itself",
    ),
    (
        "isolation.level",
        "records of transactions that were rolled back must not be counted",
    ),
];

/// Reads `[kafka.client]`, secrets filled in.
pub(crate) fn read(
    table: Option<&Table>,
    files: &[FileText],
    problems: &Problems,
) -> Vec<(String, String)> {
    passed_on(table, "[kafka.client]", &OWNED, files, problems)
}

/// Reads a section whose keys are a library's, secrets filled in; `owned` may not be in it. The
/// later of two that mean the same key holds.
pub(crate) fn passed_on(
    table: Option<&Table>,
    title: &str,
    owned: &[(&str, &str)],
    files: &[FileText],
    problems: &Problems,
) -> Vec<(String, String)> {
    let mut passed: Vec<(String, String)> = Vec::new();
    for (key, node) in flat(table) {
        let Some(value) = scalar(node) else {
            let message = format!("\"{key}\" in {title} must be text, a number or a boolean");
            problems.add(&node.place, message);
            continue;
        };
        let (key, value) = match key.strip_suffix("_file") {
            None => (key, value),
            Some(base) => match content(files, &value, &node.place, problems) {
                Some(secret) => (base.to_owned(), secret.trim().to_owned()),
                None => continue,
            },
        };
        if let Some((_, reason)) = owned.iter().find(|(owned, _)| *owned == key) {
            let message = format!("\"{key}\" in {title} is Kept's own: {reason}");
            problems.add(&node.place, message);
            continue;
        }
        passed.retain(|(other, _)| *other != key);
        passed.push((key, value));
    }
    passed
}

/// The paths of all `..._file` keys.
pub(crate) fn secret_files(table: Option<&Table>) -> Vec<String> {
    let flat = flat(table).into_iter();
    flat.filter(|(key, _)| key.ends_with("_file"))
        .filter_map(|(_, node)| text_of(node))
        .collect()
}

/// The text of a file that the shell was asked to read.
pub(crate) fn content<'a>(
    files: &'a [FileText],
    name: &str,
    place: &Place,
    problems: &Problems,
) -> Option<&'a str> {
    match files
        .iter()
        .find(|file| file.name == name)
        .map(|file| &file.text)
    {
        Some(Ok(text)) => Some(text),
        Some(Err(reason)) => {
            problems.add(place, format!("can't read \"{name}\": {reason}"));
            None
        }
        None => {
            problems.add(place, format!("can't read \"{name}\": nobody opened it"));
            None
        }
    }
}

/// Dotted keys are tables in TOML: joins them again.
fn flat(table: Option<&Table>) -> Vec<(String, &Node)> {
    let mut list = Vec::new();
    for entry in table.iter().flat_map(|table| &table.entries) {
        match &entry.node.value {
            Value::Table(inner) => {
                let inner = flat(Some(inner)).into_iter();
                list.extend(inner.map(|(key, node)| (format!("{}.{key}", entry.key), node)));
            }
            _ => list.push((entry.key.clone(), &entry.node)),
        }
    }
    list
}

/// What the environment gave counts as it was written: a secret may look like a number.
fn scalar(node: &Node) -> Option<String> {
    text_of(node).or(match &node.value {
        Value::Integer(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        _ => None,
    })
}
