//! A simulated shop of a million events through a real Kafka, `kept produce` and `kept run`, against
//! the naive oracle that keeps every record.
//!
//! Orders and fulfilments on topics of their own, 8 partitions each, 1 % duplicates, 3 % out of
//! order by up to 30 s, 0.1 % garbage. Every series that belongs to a partition must be there with
//! exactly the oracle's value (counters, histograms, gauges, windows: the display time of each task
//! is on the same scrape), and none besides; percentiles must be within the bound that their help
//! text states. Garbage can't pass `kept produce`: it is put between its runs by a plain producer.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of processes has files, threads, a clock"
)]

#[path = "proof_support/expected.rs"]
mod expected;
#[path = "proof_support/feed.rs"]
mod feed;
#[path = "proof_support/percentiles.rs"]
mod percentiles;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catalogue::Plan;
use catalogue::plan::TopicId;
use events::{EventTime, KafkaTime, Span};
use kafka::produce::{Outgoing, Producer};
use simulator::oracle::{Expected, Oracle, read};
use simulator::shop::{Layout, Produced, Shop, ShopSettings};
use support::{Kafka, Kept, Samples, until};

use expected::{Table, plain};
use feed::{await_events, produce};

const SEED: u64 = 1;
const EVENTS: usize = 1_000_000;
const PARTITIONS: i32 = 8;
/// Runs of `kept produce`; the garbage of each part follows it.
const PARTS: usize = 4;
/// At this pace a million events are about 40 minutes.
const ORDERS_PER_SECOND: f64 = 100.0;
/// The oldest event is this old when the test begins, so that the newest are a minute old then and
/// even the shortest window has orders at its end.
const BEGAN_AGO: Span = Span::from_seconds(42 * 60);
/// What `kept_*` series are the oracle's business.
const INTAKE: [&str; 5] = [
    "kept_events_total",
    "kept_records_rejected_total",
    "kept_events_late_total",
    "kept_events_too_late_total",
    "kept_partition_clock_timestamp_seconds",
];

#[test]
fn a_million_events_agree_with_the_oracle() {
    let start = now() - BEGAN_AGO;
    eprintln!("seed {SEED}, start {}", start.0);
    let kafka = Kafka::shared();
    for topic in Layout::TwoTopics.topics() {
        kafka.create_topic(topic.name, PARTITIONS, &[]);
    }
    kafka.create_topic("shop.rejected", 1, &[]);
    let config = config(kafka);
    let plan = plan(&config);
    // While nothing is committed, tasks that move are read again and their dead letters with them:
    // so the group settles before anything is produced.
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);

    let mut logs = Logs::new(&plan);
    let mut shop = Shop::new(
        SEED,
        ShopSettings {
            orders_per_second: ORDERS_PER_SECOND,
            ..ShopSettings::proof(start)
        },
    );
    for _ in 0..PARTS {
        let (lines, garbage) = logs.take(&mut shop, EVENTS / PARTS);
        produce(&kept, &lines);
        put_garbage(kafka, &garbage);
    }
    assert!(
        logs.garbage > EVENTS / 2000,
        "{} records are garbage",
        logs.garbage
    );
    let all = (EVENTS + logs.garbage) as u64;
    await_events(&kept, all);
    kept.await_ready();
    let samples = kept.scrape();

    assert_eq!(
        samples.sum("kept_records_rejected_total", &[]),
        Some(logs.garbage as f64)
    );
    until(
        Duration::from_secs(30),
        "all dead letters are written",
        || kept.scrape().sum("kept_dead_letters_total", &[]) == Some(logs.garbage as f64),
    );
    assert_eq!(kafka.records("shop.rejected"), logs.garbage as i64);
    assert_eq!(
        kept.scrape().sum("kept_dead_letters_lost_total", &[]),
        Some(0.0)
    );
    for (name, value) in [
        ("kept_field_errors_total", 0.0),
        ("kept_label_overflow_total", 0.0),
        ("kept_exact", 1.0),
    ] {
        let wrong = samples.matching(name, &[]).find(|series| series.1 != value);
        assert!(wrong.is_none(), "{name}: {wrong:?}");
    }
    let expected = logs.expect(&samples);
    compare(&plan, &samples, &expected);
    let compared = percentiles::compare(&plan, &samples, &expected, start);
    assert!(compared > 100, "{compared} percentiles were compared");
    assert!(kept.terminate().success(), "{}", kept.log());
}

/// Everything that was produced, as the oracle has it.
struct Logs {
    plan: Arc<Plan>,
    oracles: Vec<Oracle>,
    offset: i64,
    garbage: usize,
}

impl Logs {
    fn new(plan: &Arc<Plan>) -> Logs {
        let oracles = (0..PARTITIONS).map(|_| Oracle::new(Arc::clone(plan)));
        Logs {
            plan: Arc::clone(plan),
            oracles: oracles.collect(),
            offset: 0,
            garbage: 0,
        }
    }

    /// The shop's next records: `count` events as lines, and the garbage among them.
    fn take(&mut self, shop: &mut Shop, count: usize) -> (Vec<String>, Vec<Produced>) {
        let (mut lines, mut garbage) = (Vec::with_capacity(count), Vec::new());
        while lines.len() < count {
            let record = shop.next().expect("the shop is endless");
            let content = read(&self.plan, Some(record.timestamp), Some(&record.value));
            // `kept produce` stamps an event with its own time.
            let stamp = content
                .as_ref()
                .map_or(record.timestamp, |event| KafkaTime(event.time.0));
            let well_formed = content.is_ok();
            let topic = TopicId(u16::try_from(record.topic).expect("two topics"));
            let oracle =
                &mut self.oracles[usize::try_from(record.partition).expect("not negative")];
            // The oracle wants ascending offsets, not Kafka's: garbage changes no state.
            self.offset += 1;
            oracle.record_read((topic, record.partition), self.offset, Some(stamp), content);
            if well_formed {
                lines.push(String::from_utf8(record.value).expect("an event is text"));
            } else {
                garbage.push(record);
            }
        }
        self.garbage += garbage.len();
        (lines, garbage)
    }

    /// What each task must show at the display time that it shows, by partition.
    fn expect(&self, samples: &Samples) -> Vec<Expected> {
        let display = |partition: i32| {
            let partition = partition.to_string();
            let labels = [("partition", partition.as_str())];
            let seconds = samples.sum("kept_display_timestamp_seconds", &labels);
            EventTime((seconds.expect("the task is shown") * 1e6).round() as i64)
        };
        let everything = vec![i64::MAX; self.plan.groups[0].topics.len()];
        let half = |first: usize| -> Vec<Expected> {
            let mine = self.oracles.iter().enumerate().skip(first).step_by(2);
            mine.map(|(partition, oracle)| {
                let partition = partition as i32;
                oracle.expect(0, partition, &everything, display(partition))
            })
            .collect()
        };
        let (even, odd) = std::thread::scope(|scope| {
            let odd = scope.spawn(|| half(1));
            (half(0), odd.join().expect("the oracle does not panic"))
        });
        even.into_iter()
            .zip(odd)
            .flat_map(|(even, odd)| [even, odd])
            .collect()
    }
}

/// Every series of a partition, both ways: none differs, none is missing, none is too many.
fn compare(plan: &Plan, samples: &Samples, expected: &[Expected]) {
    let mut table = Table::default();
    for (partition, expected) in expected.iter().enumerate() {
        table.add(plan, 0, partition as i32, expected);
    }
    let (mut compared, mut differences) = (0, Vec::new());
    for (name, labels, text) in samples.iter() {
        let is_ours = name.starts_with("shop_") || INTAKE.contains(&name);
        if !is_ours || labels.iter().all(|label| label.0 != "partition") {
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
    let some = differences
        .iter()
        .take(40)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        differences.is_empty(),
        "{} of {compared} series differ:\n{some}",
        differences.len()
    );
    assert!(compared > 5_000, "only {compared} series were compared");
    eprintln!("{compared} series are exactly the oracle's");
}

fn config(kafka: &Kafka) -> String {
    let topics = Layout::TwoTopics.topics().iter();
    let topics: Vec<_> = topics
        .map(|topic| (topic.name, topic.key, topic.types))
        .collect();
    feed::config(
        kafka,
        "million",
        &["promise"],
        &["million/kpis.toml"],
        &topics,
    )
    .replace(
        "[kafka]\n",
        "[kafka]\ndead_letter_topic = \"shop.rejected\"\n",
    )
}

/// The plan that `kept run` makes of this configuration.
fn plan(config: &str) -> Arc<Plan> {
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

fn put_garbage(kafka: &Kafka, records: &[Produced]) {
    let settings = kafka::Settings {
        brokers: kafka.brokers(),
        group: "garbage".into(),
        start: kafka::Start::Earliest,
        dead_letter_topic: None,
        workers: None,
        client: Vec::new(),
    };
    let producer = Producer::new(&settings).expect("good settings");
    for record in records {
        let outgoing = Outgoing {
            topic: Layout::TwoTopics.topics()[record.topic].name,
            key: Some(&record.key),
            value: Some(&record.value),
            timestamp: Some(record.timestamp),
            partition: Some(record.partition),
        };
        producer.send(outgoing).expect("the queue takes it");
    }
    assert!(
        producer.flush(Duration::from_secs(60)),
        "{:?}",
        producer.last_error()
    );
    assert_eq!(producer.delivered(), records.len() as u64);
}

fn now() -> EventTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    EventTime(since.as_micros() as i64)
}
