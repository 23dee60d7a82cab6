//! `[kafka.client]` and `[state.options]`: settings for libraries, passed through, but for those of
//! librdkafka that Kept owns.
//!
//! `sasl.password = "..."` and `"sasl.password" = "..."` are the same. `"sasl.password_file" =
//! "path"` means the content of that file, without white space at its ends: secrets stay out of
//! the configuration.
//!
//! What librdkafka knows is not known here: the shell brings it along as `ClientRules`, so that its
//! refusals stand among all other problems, with their places.

use crate::FileText;
use crate::problem::{Place, Problems, meant};
use crate::settings::Kafka;
use crate::text::section::text_of;
use crate::text::tree::{Node, Table, Value};

/// What librdkafka says of its settings, asked without a network.
#[derive(Clone, Copy)]
pub struct ClientRules<'a> {
    /// The names of its properties, for suggestions.
    pub names: &'a [&'a str],
    /// Whether it takes this value for this name.
    pub one: &'a dyn Fn(&str, &str) -> Result<(), ClientRefusal>,
    /// Whether it takes all of them together, asked when it takes each; the error says why not.
    pub all: &'a dyn Fn(&Kafka) -> Result<(), String>,
}

/// Why librdkafka doesn't take a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientRefusal {
    /// It has no such property.
    UnknownName,
    /// It has, but not with this value: its own words.
    BadValue(String),
}

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
    rules: Option<&ClientRules<'_>>,
    problems: &Problems,
) -> Vec<(String, String)> {
    passed_on(table, "[kafka.client]", &OWNED, files, rules, problems)
}

/// Reads a section whose keys are a library's, secrets filled in; `owned` may not be in it. The
/// later of two that mean the same key holds.
pub(crate) fn passed_on(
    table: Option<&Table>,
    title: &str,
    owned: &[(&str, &str)],
    files: &[FileText],
    rules: Option<&ClientRules<'_>>,
    problems: &Problems,
) -> Vec<(String, String)> {
    let mut passed: Vec<(String, String)> = Vec::new();
    for (key, key_place, node) in flat(table) {
        let Some(value) = scalar(node) else {
            let message = format!("\"{key}\" in {title} must be text, a number or a boolean");
            problems.add(&node.place, message);
            continue;
        };
        let (key, value, is_secret) = match key.strip_suffix("_file") {
            None => (key, value, false),
            Some(base) => match content(files, &value, &node.place, problems) {
                Some(secret) => (base.to_owned(), secret.trim().to_owned(), true),
                None => continue,
            },
        };
        if let Some((_, reason)) = owned.iter().find(|(owned, _)| *owned == key) {
            let message = format!("\"{key}\" in {title} is Kept's own: {reason}");
            problems.add(&node.place, message);
            continue;
        }
        if let Some(rules) = rules {
            match (rules.one)(&key, &value) {
                Ok(()) => {}
                Err(ClientRefusal::UnknownName) => {
                    problems.add(key_place, unknown(&key, rules.names));
                }
                Err(ClientRefusal::BadValue(reason)) => {
                    // Its words may hold the value.
                    let reason = if is_secret {
                        "the file's content is no value for it"
                    } else {
                        &reason
                    };
                    let message = format!("\"{key}\" in {title}: {reason}");
                    problems.add(&node.place, message);
                }
            }
        }
        passed.retain(|(other, _)| *other != key);
        passed.push((key, value));
    }
    passed
}

/// Says what librdkafka has against all the settings together. Asked only where `read` found no
/// problem with one of them.
pub(crate) fn check_together(
    kafka: &Kafka,
    place: &Place,
    rules: Option<&ClientRules<'_>>,
    problems: &Problems,
) {
    if let Some(Err(reason)) = rules.map(|rules| (rules.all)(kafka)) {
        let message = format!("librdkafka refuses [kafka.client] as a whole: {reason}");
        problems.add(place, message);
    }
}

fn unknown(key: &str, names: &[&str]) -> String {
    let message = format!("unknown key \"{key}\" in [kafka.client]");
    match meant(key, names) {
        None => format!("{message}: librdkafka has no such property"),
        Some(near) => match OWNED.iter().find(|(owned, _)| *owned == near) {
            Some((_, reason)) => format!("{message}: \"{near}\" is Kept's own, {reason}"),
            None => format!("{message}, did you mean \"{near}\"?"),
        },
    }
}

/// The paths of all `..._file` keys.
pub(crate) fn secret_files(table: Option<&Table>) -> Vec<String> {
    let flat = flat(table).into_iter();
    flat.filter(|(key, ..)| key.ends_with("_file"))
        .filter_map(|(.., node)| text_of(node))
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

/// Dotted keys are tables in TOML: joins them again. With the place of the name and the value.
fn flat(table: Option<&Table>) -> Vec<(String, &Place, &Node)> {
    let mut list = Vec::new();
    for entry in table.iter().flat_map(|table| &table.entries) {
        match &entry.node.value {
            Value::Table(inner) => {
                let inner = flat(Some(inner)).into_iter();
                list.extend(inner.map(|(key, _, node)| {
                    (format!("{}.{key}", entry.key), &entry.key_place, node)
                }));
            }
            _ => list.push((entry.key.clone(), &entry.key_place, &entry.node)),
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
