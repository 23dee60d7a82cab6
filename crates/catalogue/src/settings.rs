//! `kept.toml` but for the KPIs: what the shell needs (`Settings`) and what the plan needs.
//!
//! Every default is here, in one place. The keys are those of the design, section 2.3; the crate's
//! documentation shows them all.

use std::fmt;

use events::Span;

use crate::FileText;
use crate::client;
pub use crate::client::{ClientRefusal, ClientRules, OWNED};
use crate::generation::{self, Generation};
use crate::http;
pub use crate::http::{Http, HttpUrl};
use crate::plan::{Limits, TimeRules, Topic};
use crate::problem::Problems;
use crate::text::section::{Section, Sited};
use crate::text::tree::{Table, Value};
use crate::text::values;
use crate::topics;

/// What the shell reads from the configuration.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// `[kafka]`.
    pub kafka: Kafka,
    /// `[http]`.
    pub http: Http,
    /// `[state]`.
    pub state: State,
    /// KPIs of packs that a file's definition takes the place of: what and where, in a sentence.
    pub replaced: Vec<String>,
    /// `[generate]`, with the thresholds of the KPIs' alerts.
    pub generation: Generation,
}

/// `[kafka]` without its topics, which are in the plan. Printed with `{:?}` it keeps its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, with commas between several.
    pub brokers: String,
    /// The consumer group.
    pub group: String,
    /// Where a partition without committed offsets is read from.
    pub start: Start,
    /// Where rejected records go; `None`: they are only counted.
    pub dead_letter_topic: Option<String>,
    /// Worker threads; `None`: one per core.
    pub workers: Option<usize>,
    /// Settings for librdkafka, in order, without those that Kept owns. Secrets are filled in.
    pub client: Vec<(String, String)>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.client.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Kafka")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("start", &self.start)
            .field("dead_letter_topic", &self.dead_letter_topic)
            .field("workers", &self.workers)
            .field("client keys", &keys)
            .finish()
    }
}

/// Where a brand-new group begins to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// That long before now, by Kafka timestamp.
    Back(Span),
    /// At the oldest record that is still there.
    Earliest,
    /// At what comes from now on.
    Latest,
}

/// `[state]`: where snapshots go and how often they are taken. Printed with `{:?}` it keeps its
/// secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    /// The URL of an object store.
    pub url: String,
    /// At least so long between two snapshots of a task.
    pub snapshot_every: Span,
    /// How many snapshots of a task are kept, at least 1.
    pub keep: usize,
    /// What to do when records that were never read are gone from the log.
    pub log_gap: LogGap,
    /// Settings of the object store, in order; keys in lower case. Secrets are filled in.
    pub options: Vec<(String, String)>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.options.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("State")
            .field("url", &self.url)
            .field("snapshot_every", &self.snapshot_every)
            .field("keep", &self.keep)
            .field("log_gap", &self.log_gap)
            .field("option keys", &keys)
            .finish()
    }
}

/// A state that is the same as in the task's last snapshot is saved again only after so many times
/// `snapshot_every`.
pub const UNCHANGED_SAVED_AFTER: i64 = 10;

/// What to do about records that are gone from the log before they were read, or about a log that is
/// another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogGap {
    /// Count them, say so and go on after them.
    Continue,
    /// Stop with a message.
    Stop,
}

/// All of `kept.toml`.
pub(crate) struct Read {
    pub settings: Settings,
    pub namespace: String,
    pub time: TimeRules,
    pub limits: Limits,
    pub topics: Vec<Topic>,
    pub packs: Vec<Sited<String>>,
    pub files: Vec<Sited<String>>,
}

const KEYS: [&str; 7] = [
    "kafka",
    "time",
    "limits",
    "state",
    "http",
    "catalogue",
    "generate",
];

/// Reads the whole document.
pub(crate) fn read(
    document: &Table,
    files: &[FileText],
    rules: Option<&ClientRules<'_>>,
    problems: &Problems,
) -> Read {
    if let Some(entry) = document.get("kpi") {
        let message = "KPIs belong in a file of their own: name it in \"files\" of [catalogue]";
        problems.add(&entry.key_place, message);
    }
    let without_kpi = Table {
        place: document.place.clone(),
        entries: document
            .entries
            .iter()
            .filter(|entry| entry.key != "kpi")
            .cloned()
            .collect(),
    };
    let root = Section::new(&without_kpi, "the configuration", &KEYS, problems);
    let empty = Table {
        place: document.place.clone(),
        entries: Vec::new(),
    };
    let part = |key: &str| root.table(key).cloned().unwrap_or_else(|| empty.clone());
    let (time, lateness) = time_rules(&part("time"), problems);
    let (kafka, topics) = kafka(&part("kafka"), lateness, files, rules, problems);
    let http = http::read(&part("http"), problems);
    let state = state(&part("state"), files, problems);
    let catalogue = catalogue(&part("catalogue"), problems);
    let mut limits = limits(&part("limits"), problems);
    limits.max_series = catalogue.max_series;
    let generation = generation::read(&part("generate"), state.snapshot_every, problems);
    let settings = Settings {
        kafka,
        http,
        state,
        replaced: Vec::new(),
        generation,
    };
    let Catalogue {
        namespace,
        packs,
        files,
        ..
    } = catalogue;
    Read {
        settings,
        namespace,
        time,
        limits,
        topics,
        packs,
        files,
    }
}

fn time_rules(table: &Table, problems: &Problems) -> (TimeRules, Span) {
    let section = Section::new(
        table,
        "[time]",
        &["lateness", "max_future", "dedupe"],
        problems,
    );
    let any = |key: &str, seconds: i64| {
        section
            .any_span(key)
            .map_or(Span::from_seconds(seconds), |span| span.value)
    };
    let rules = TimeRules {
        max_future: any("max_future", 300),
        dedupe: any("dedupe", 900),
    };
    (rules, any("lateness", 30))
}

fn limits(table: &Table, problems: &Problems) -> Limits {
    let keys = [
        "label_values",
        "open_entities",
        "remembered_entities",
        "held_entities",
        "dedupe_entries",
        "record_bytes",
    ];
    let section = Section::new(table, "[limits]", &keys, problems);
    let count = |key: &str, default: usize, most: i64| {
        section
            .integer(key, 1, most)
            .map_or(default, |value| value as usize)
    };
    let is_text = matches!(
        section.node("record_bytes").map(|n| &n.value),
        Some(Value::Text(_))
    );
    let record_bytes = if is_text {
        section
            .parsed("record_bytes", values::bytes)
            .map(|size| size.value)
    } else {
        section.integer("record_bytes", MIN_RECORD_BYTES, MAX_RECORD_BYTES)
    };
    let record_bytes = record_bytes.unwrap_or(262_144);
    if !(MIN_RECORD_BYTES..=MAX_RECORD_BYTES).contains(&record_bytes) {
        let place = &section
            .node("record_bytes")
            .map_or(section.place(), |node| &node.place);
        problems.add(place, "\"record_bytes\" in [limits] must be 1KiB to 128MiB");
    }
    Limits {
        label_values: count("label_values", 100, 10_000),
        open_entities: count("open_entities", 1_000_000, 1_000_000_000),
        remembered_entities: count("remembered_entities", 10_000_000, 1_000_000_000),
        held_entities: count("held_entities", 200_000, 1_000_000_000),
        dedupe_entries: count("dedupe_entries", 5_000_000, 1_000_000_000),
        record_bytes: record_bytes as usize,
        max_series: DEFAULT_MAX_SERIES,
    }
}

const MIN_RECORD_BYTES: i64 = 1 << 10;
const MAX_RECORD_BYTES: i64 = 128 << 20;
const DEFAULT_MAX_SERIES: usize = 100_000;

fn state(table: &Table, files: &[FileText], problems: &Problems) -> State {
    let keys = ["url", "snapshot_every", "keep", "log_gap", "options"];
    let section = Section::new(table, "[state]", &keys, problems);
    let url = section.parsed("url", store_url).map(|url| url.value);
    let words = [("continue", LogGap::Continue), ("stop", LogGap::Stop)];
    let options = client::passed_on(
        section.table("options"),
        "[state.options]",
        &[],
        files,
        None,
        problems,
    );
    State {
        url: url.unwrap_or_else(|| "file:///var/lib/kept".to_owned()),
        snapshot_every: section.span("snapshot_every", Span::from_seconds(10)),
        keep: section
            .integer("keep", 1, 1000)
            .map_or(3, |value| value as usize),
        log_gap: section.word("log_gap", &words).unwrap_or(LogGap::Continue),
        options: options
            .into_iter()
            .map(|(key, value)| (key.to_lowercase(), value))
            .collect(),
    }
}

/// The kinds of stores there are; what comes after `://` is the store's business.
const STORE_SCHEMES: [&str; 8] = ["file", "memory", "s3", "s3a", "gs", "az", "abfs", "abfss"];

fn store_url(text: &str) -> Result<String, String> {
    let example = "like file:///var/lib/kept or s3://bucket/kept";
    match text.split_once("://") {
        Some(("file", path)) if !path.starts_with('/') => Err(format!(
            "\"{text}\" has no absolute path: it takes three slashes, like file:///var/lib/kept"
        )),
        Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => {
            if STORE_SCHEMES.contains(&scheme) {
                return Ok(text.to_owned());
            }
            let known = "file, s3, gs, az, abfss or memory";
            Err(format!(
                "there is no store for \"{scheme}://\": use {known}, {example}"
            ))
        }
        _ => Err(format!("\"{text}\" is not a URL, {example}")),
    }
}

struct Catalogue {
    namespace: String,
    packs: Vec<Sited<String>>,
    files: Vec<Sited<String>>,
    max_series: usize,
}

/// Without `packs` and `files` both packs are in force; with `files` only those.
fn catalogue(table: &Table, problems: &Problems) -> Catalogue {
    let keys = ["namespace", "packs", "files", "max_series"];
    let section = Section::new(table, "[catalogue]", &keys, problems);
    let parse = |text: &str| {
        values::metric_name(text)?;
        match text {
            "kept" | "process" => Err(format!("\"{text}\" is taken by the process' own metrics")),
            _ => Ok(text.to_owned()),
        }
    };
    let namespace = section.parsed("namespace", parse).map(|name| name.value);
    let files = section.texts("files").map(|list| list.value);
    let default_packs: &[&str] = if files.is_some() {
        &[]
    } else {
        &["promise", "cart"]
    };
    let packs = section
        .texts("packs")
        .map(|list| list.value)
        .unwrap_or_else(|| {
            let place = section.place();
            let sited = |name: &&str| Sited {
                value: (*name).to_owned(),
                place: place.clone(),
            };
            default_packs.iter().map(sited).collect()
        });
    let max_series = section.integer("max_series", 1, 100_000_000);
    Catalogue {
        namespace: namespace.unwrap_or_else(|| "shop".to_owned()),
        packs,
        files: files.unwrap_or_default(),
        max_series: max_series.map_or(DEFAULT_MAX_SERIES, |value| value as usize),
    }
}

fn kafka(
    table: &Table,
    lateness: Span,
    files: &[FileText],
    rules: Option<&ClientRules<'_>>,
    problems: &Problems,
) -> (Kafka, Vec<Topic>) {
    let keys = [
        "brokers",
        "group",
        "start",
        "dead_letter_topic",
        "workers",
        "topic",
        "client",
    ];
    let section = Section::new(table, "[kafka]", &keys, problems);
    let name = |key: &str| {
        let parsed = section.parsed(key, |text| {
            values::kafka_name(text).map(|()| text.to_owned())
        });
        parsed.map(|name| name.value)
    };
    let brokers = section.parsed("brokers", brokers);
    if section.node("brokers").is_none() {
        section.missing("brokers", "brokers = \"localhost:9092\"");
    }
    let topics = topics::read(&section, lateness, problems);
    let before = problems.len();
    let client = client::read(section.table("client"), files, rules, problems);
    let is_client_good = problems.len() == before;
    let kafka = Kafka {
        brokers: brokers.map(|list| list.value).unwrap_or_default(),
        group: name("group").unwrap_or_else(|| "kept".to_owned()),
        start: section
            .parsed("start", start)
            .map_or(Start::Back(DAY), |start| start.value),
        dead_letter_topic: name("dead_letter_topic"),
        workers: section
            .integer("workers", 1, 1024)
            .map(|value| value as usize),
        client,
    };
    if let Some(node) = section.node("client").filter(|_| is_client_good) {
        client::check_together(&kafka, &node.place, rules, problems);
    }
    let dead = kafka
        .dead_letter_topic
        .as_ref()
        .zip(section.node("dead_letter_topic"));
    if let Some((dead, node)) = dead.filter(|(dead, _)| topics.iter().any(|t| t.name == **dead)) {
        let message = format!("\"{dead}\" is read as input: rejected records need another topic");
        problems.add(&node.place, message);
    }
    (kafka, topics)
}

const DAY: Span = Span::from_seconds(86_400);

fn brokers(text: &str) -> Result<String, String> {
    for broker in text.split(',') {
        values::host_and_port(broker.trim())?;
    }
    Ok(text.split(',').map(str::trim).collect::<Vec<_>>().join(","))
}

fn start(text: &str) -> Result<Start, String> {
    match text {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        _ => values::duration(text).map(Start::Back).map_err(|_| {
            format!("\"{text}\" is neither a duration back, like \"24h\", nor earliest nor latest")
        }),
    }
}
