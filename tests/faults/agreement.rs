//! The end of every test: all that the topics hold is read back, the oracle counts it from scratch,
//! and the instances must show exactly that, each task by one of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalogue::Plan;
use catalogue::plan::TopicId;
use events::{EventTime, KafkaTime, Span};
use simulator::oracle::{Expected, Oracle};
use support::{Kept, Logged, Samples, partitions, within};

use crate::expected::{Table, plain};
use crate::percentiles;
use crate::stage::{PARTITIONS, Stage};

/// How long the instances may take to have read everything, after whatever happened.
const AGREE_WITHIN: Duration = Duration::from_secs(120);
/// What `kept_*` series are the oracle's business.
pub const INTAKE: [&str; 5] = [
    "kept_events_total",
    "kept_records_rejected_total",
    "kept_events_late_total",
    "kept_events_too_late_total",
    "kept_partition_clock_timestamp_seconds",
];

/// Topic and partition, and how many records of it are counted.
pub type Counts = BTreeMap<(String, i32), u64>;

/// What the topics hold.
pub struct Truth {
    plan: Arc<Plan>,
    topics: Vec<String>,
    records: Vec<(TopicId, Logged)>,
}

impl Truth {
    /// Reads all topics of the stage back.
    pub fn read(stage: &Stage, config: &str) -> Truth {
        let plan = plan(config);
        let topics: Vec<String> = plan.topics.iter().map(|topic| topic.name.clone()).collect();
        let mut records = Vec::new();
        for (number, topic) in topics.iter().enumerate() {
            let topic_id = TopicId(u16::try_from(number).expect("few topics"));
            let log = stage.kafka().log(topic);
            records.extend(log.into_iter().map(|record| (topic_id, record)));
        }
        Truth {
            plan,
            topics,
            records,
        }
    }

    /// The end of a test: the shop sells up to now, and then all topics are read back.
    pub fn at_the_end(stage: &Stage, config: &str) -> Truth {
        stage.sell_up_to_now();
        Truth::read(stage, config)
    }

    /// Adds what was read before and is gone from the topics now.
    pub fn with(mut self, earlier: &Truth) -> Truth {
        // Backwards, so that each partition's first record is the one that stays.
        let first: BTreeMap<(TopicId, i32), i64> = self
            .records
            .iter()
            .rev()
            .map(|(topic, it)| ((*topic, it.partition), it.offset))
            .collect();
        let gone = earlier.records.iter().filter(|(topic, it)| {
            first
                .get(&(*topic, it.partition))
                .is_none_or(|first| it.offset < *first)
        });
        let gone: Vec<_> = gone.cloned().collect();
        self.records.splice(0..0, gone);
        self
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The values of the records that can't be events.
    pub fn garbage(&self) -> Vec<&[u8]> {
        let records = self.records.iter();
        let bad = records.filter(|(_, record)| {
            simulator::oracle::read(&self.plan, stamp(record), record.value.as_deref()).is_err()
        });
        bad.map(|(_, record)| record.value.as_deref().unwrap_or_default())
            .collect()
    }

    /// The longest time by Kafka's stamps between two records of a partition of the first topic.
    pub fn longest_silence(&self, partition: i32) -> Span {
        let records = self.records.iter();
        let ours = records.filter(|(topic, it)| topic.0 == 0 && it.partition == partition);
        let times: Vec<i64> = ours.filter_map(|(_, it)| it.timestamp_ms).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        Span(longest.unwrap_or(0) * 1000)
    }

    fn oracle(&self) -> Oracle {
        let mut oracle = Oracle::new(Arc::clone(&self.plan));
        for (topic, record) in &self.records {
            let value = record.value.as_deref();
            oracle.record(
                *topic,
                record.partition,
                record.offset,
                stamp(record),
                value,
            );
        }
        oracle
    }

    /// How many records each partition has.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for (topic, record) in &self.records {
            let topic = self.topics[usize::from(topic.0)].clone();
            *counts.entry((topic, record.partition)).or_default() += 1;
        }
        counts
    }

    /// Waits until these instances have read all of it and show each task once; then everything they
    /// show must be the oracle's, digit for digit, and nothing may be missing.
    #[track_caller]
    pub fn agrees(&self, stage: &Stage, kepts: &[&Kept]) {
        let scrapes = self.await_all(kepts);
        for (labels, exact) in scrapes.iter().flat_map(|it| it.matching("kept_exact", &[])) {
            assert!(exact == 1.0, "no limit was reached: {labels:?}");
        }
        let tasks = self.compare(&scrapes, stage, |_| true);
        for (scrape, tasks) in scrapes.iter().zip(&tasks) {
            compare_percentiles(&self.plan, scrape, tasks, stage.began);
        }
    }

    /// Likewise, but only the series with names that `is_compared` takes, and no percentiles. Gives
    /// the scrapes.
    #[track_caller]
    pub fn agrees_on(
        &self,
        stage: &Stage,
        kepts: &[&Kept],
        is_compared: impl Fn(&str) -> bool,
    ) -> Vec<Samples> {
        let scrapes = self.await_all(kepts);
        self.compare(&scrapes, stage, is_compared);
        scrapes
    }

    /// Compares each scrape; gives what each of its tasks must show.
    #[track_caller]
    fn compare(
        &self,
        scrapes: &[Samples],
        stage: &Stage,
        is_compared: impl Fn(&str) -> bool,
    ) -> Vec<Vec<Expected>> {
        let oracle = self.oracle();
        let (mut compared, mut all) = (0, Vec::new());
        for scrape in scrapes {
            let (mut table, tasks) = self.expect(scrape, &oracle);
            table.0.retain(|(name, _), _| is_compared(name));
            let (count, differences) = differences(scrape, table, &is_compared);
            assert!(
                differences.is_empty(),
                "{} of {count} series differ:\n{}",
                differences.len(),
                differences[..differences.len().min(40)].join("\n")
            );
            compared += count;
            all.push(tasks);
        }
        assert!(compared > 500, "only {compared} series were compared");
        let (name, len) = (stage.name, self.len());
        eprintln!("{name}: {compared} series of {len} records are exactly the oracle's");
        stage.watcher.assert_nothing_fell();
        let history = stage.watcher.history();
        eprintln!(
            "{}: {} scrapes, the longest gap of a partition {:?}",
            stage.name,
            history.scrapes(),
            history.longest_gap()
        );
        all
    }

    /// What the oracle says of the tasks of a scrape, as series and as it is.
    fn expect(&self, scrape: &Samples, oracle: &Oracle) -> (Table, Vec<Expected>) {
        let everything = vec![i64::MAX; self.topics.len()];
        let (mut table, mut tasks) = (Table::default(), Vec::new());
        for partition in partitions(scrape) {
            let expected = oracle.expect(0, partition, &everything, display(scrape, partition));
            table.add(&self.plan, 0, partition, &expected);
            tasks.push(expected);
        }
        (table, tasks)
    }

    /// The scrapes of a moment when all records are counted and each partition is shown once.
    #[track_caller]
    pub fn await_all(&self, kepts: &[&Kept]) -> Vec<Samples> {
        self.await_counts(&self.counts(), kepts)
    }

    /// Likewise, when so many records of each partition are to be counted.
    #[track_caller]
    pub fn await_counts(&self, wanted: &Counts, kepts: &[&Kept]) -> Vec<Samples> {
        let tasks: std::collections::BTreeSet<i32> = wanted.keys().map(|key| key.1).collect();
        let mut last = String::new();
        let deadline = Instant::now() + AGREE_WITHIN;
        within(
            AGREE_WITHIN + Duration::from_secs(30),
            "all records are shown",
            || {
                assert!(
                    Instant::now() < deadline,
                    "not all records are shown: {last}{}",
                    logs(kepts)
                );
                let scrapes: Option<Vec<Samples>> = kepts.iter().map(|kept| scrape(kept)).collect();
                let scrapes = scrapes?;
                let shown: Vec<i32> = scrapes.iter().flat_map(partitions).collect();
                let missing = missing(wanted, &scrapes);
                last = format!("{shown:?} are shown; {missing:?} are missing");
                let once =
                    shown.len() == tasks.len() && tasks.iter().all(|task| shown.contains(task));
                (missing.is_empty() && once).then_some(scrapes)
            },
        )
    }

    /// What the oracle says of all records, as series, at the display times of these scrapes.
    pub fn table(&self, scrapes: &[Samples]) -> Table {
        let oracle = self.oracle();
        let mut all = Table::default();
        for scrape in scrapes {
            all.0.extend(self.expect(scrape, &oracle).0.0);
        }
        all
    }
}

/// Every series of the scrape's tasks against the table, both ways.
fn differences(
    scrape: &Samples,
    mut table: Table,
    is_compared: impl Fn(&str) -> bool,
) -> (usize, Vec<String>) {
    let (mut compared, mut differences) = (0, Vec::new());
    for (name, labels, text) in scrape.iter() {
        let is_ours = name.starts_with("shop_") || INTAKE.contains(&name);
        if !is_ours || !is_compared(name) || labels.iter().all(|label| label.0 != "partition") {
            continue;
        }
        compared += 1;
        let expected = table.0.remove(&(name.to_owned(), labels.to_vec()));
        let expected = expected.unwrap_or_else(|| "0".to_owned());
        if plain(text) != expected {
            differences.push(format!("{name}{labels:?}: {text}, expected {expected}"));
        }
    }
    for ((name, labels), expected) in table.0.iter().filter(|(_, value)| *value != "0") {
        differences.push(format!("{name}{labels:?} is missing, expected {expected}"));
    }
    (compared, differences)
}

fn compare_percentiles(plan: &Plan, scrape: &Samples, tasks: &[Expected], began: EventTime) {
    if !tasks.is_empty() {
        let compared = percentiles::compare(plan, scrape, tasks, began);
        assert!(compared > 0, "no percentile was compared");
    }
}

/// The task's display time on this scrape.
fn display(scrape: &Samples, partition: i32) -> EventTime {
    let partition = partition.to_string();
    let labels = [("partition", partition.as_str())];
    let seconds = scrape.sum("kept_display_timestamp_seconds", &labels);
    EventTime((seconds.expect("the task has had an event") * 1e6).round() as i64)
}

/// What an instance shows has been committed: the group's offsets, asked for after the scrape, are
/// not below it. For logs that begin at 0 and have no gaps.
#[track_caller]
pub fn assert_shown_is_committed(stage: &Stage, kept: &Kept) {
    let shown = kept.scrape();
    for topic in stage.topics() {
        let committed = stage.kafka().committed(stage.name, &topic, PARTITIONS);
        for partition in partitions(&shown) {
            let text = partition.to_string();
            let labels = [("topic", topic.as_str()), ("partition", text.as_str())];
            let shown = shown.sum("kept_events_total", &labels).unwrap_or(0.0) as i64;
            let committed = committed.get(&partition).copied().unwrap_or(0);
            assert!(
                shown <= committed,
                "{topic} {partition}: {shown} are shown, {committed} are committed"
            );
        }
    }
}

/// Each record that can't be an event is in the dead-letter topic: once, or again when the process
/// that wrote it died before it could commit.
#[track_caller]
pub fn assert_letters(stage: &Stage, truth: &Truth) {
    let mut letters: HashMap<Vec<u8>, usize> = HashMap::new();
    for letter in stage.kafka().log(&stage.rejected()) {
        *letters.entry(letter.value.unwrap_or_default()).or_default() += 1;
    }
    let garbage = truth.garbage();
    assert!(!garbage.is_empty(), "the shop writes garbage");
    for value in &garbage {
        let text = String::from_utf8_lossy(&value[..value.len().min(200)]);
        assert!(
            letters.contains_key(&value[..]),
            "not among the dead letters: {text}"
        );
    }
    let written: usize = letters.values().sum();
    eprintln!(
        "{}: {written} dead letters of {} records",
        stage.name,
        garbage.len()
    );
}

/// How many records of each partition are not counted by any instance; one too many fails.
#[track_caller]
fn missing(wanted: &Counts, scrapes: &[Samples]) -> Counts {
    let mut missing = Counts::new();
    for ((topic, partition), count) in wanted {
        let text = partition.to_string();
        let labels = [("topic", topic.as_str()), ("partition", text.as_str())];
        let shown = scrapes
            .iter()
            .filter_map(|scrape| scrape.sum("kept_events_total", &labels))
            .fold(0.0, f64::max) as u64;
        assert!(
            shown <= *count,
            "{topic} {partition}: {shown} of {count} records were counted"
        );
        if shown < *count {
            missing.insert((topic.clone(), *partition), count - shown);
        }
    }
    missing
}

fn scrape(kept: &Kept) -> Option<Samples> {
    let answer = support::get(kept.port(), "/metrics", &[])?;
    Some(Samples::parse(&answer.text()))
}

/// The end of each instance's log, for a failure's message.
fn logs(kepts: &[&Kept]) -> String {
    let tail = |kept: &&Kept| {
        let log = kept.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    };
    let tails: Vec<String> = kepts.iter().map(tail).collect();
    format!("\n{}", tails.join("\n---\n"))
}

fn stamp(record: &Logged) -> Option<KafkaTime> {
    record
        .timestamp_ms
        .map(|milliseconds| KafkaTime(milliseconds * 1000))
}

/// The plan that `kept run` makes of this configuration.
pub fn plan(config: &str) -> Arc<Plan> {
    let file = catalogue::wanted_files(config, &[]).remove(0);
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
    let files = [catalogue::FileText {
        name: file.clone(),
        path: file,
        text,
    }];
    let sources = catalogue::Sources {
        path: "kept.toml",
        text: config,
        environment: &[],
        files: &files,
    };
    let (_, plan) = catalogue::read(&sources).expect("the configuration is good");
    assert_eq!(plan.groups.len(), 1, "the shop's topics are joined");
    Arc::new(plan)
}
