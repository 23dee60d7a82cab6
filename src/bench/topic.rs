//! Work W on a topic of a real broker: loaded once, kept for the next run unless told otherwise.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kafka::admin::Admin;
use kafka::produce::{Outgoing, Producer};

use super::measure::{grouped, say, show};
use super::work;

/// What the names of all topics of benchmarks begin with.
const PREFIX: &str = "kept-bench-";
/// How long the last records may take to be written.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);
/// Records between two looks at the progress.
const SHOW_EVERY: u64 = 100_000;

/// How to reach the broker, as a group that nobody else uses.
pub fn kafka_settings(brokers: &str, client: &[(&str, &str)]) -> kafka::Settings {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    kafka::Settings {
        brokers: brokers.to_owned(),
        group: format!("kept-bench-{}", std::process::id()),
        start: kafka::Start::Earliest,
        dead_letter_topic: None,
        workers: None,
        client: client.iter().map(owned).collect(),
    }
}

/// Makes a topic that keeps records of any age.
pub fn create(admin: &Admin, topic: &str) -> anyhow::Result<()> {
    let forever = [("retention.ms", "-1"), ("retention.bytes", "-1")];
    let created = admin.create(topic, work::PARTITIONS, &forever);
    created.context("can't make the topic")
}

/// Makes the topic, if need be anew, so that it holds all events of W.
/// `batch_bytes` is the size of a producer's batches before compression.
pub fn ensure_loaded(
    brokers: &str,
    topic: &str,
    orders: u64,
    batch_bytes: u32,
) -> anyhow::Result<()> {
    let wanted = orders * work::EVENTS_PER_ORDER;
    let admin = Admin::new(&kafka_settings(brokers, &[]))?;
    let there = admin.records(topic).context("can't ask the broker")?;
    if there == Some(wanted) {
        let count = grouped(wanted as f64);
        say(&format!("topic {topic}: all {count} records are there"));
        return Ok(());
    }
    if there.is_some() {
        say(&format!("topic {topic} is incomplete: deleted"));
        admin.delete(topic)?;
    }
    create(&admin, topic)?;
    let began = Instant::now();
    load(brokers, topic, orders, batch_bytes)?;
    say(&format!(
        "topic {topic}: loaded {} records, lz4 in batches of {batch_bytes} bytes, in {:.0} s",
        grouped(wanted as f64),
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Deletes topics of benchmarks; none that has another name.
pub fn delete(brokers: &str, topics: &[String]) -> anyhow::Result<()> {
    for topic in topics {
        let ours = topic.starts_with(PREFIX);
        ensure!(
            ours,
            "{topic} is not a benchmark's: their names begin with {PREFIX}"
        );
    }
    let admin = Admin::new(&kafka_settings(brokers, &[]))?;
    for topic in topics {
        admin
            .delete(topic)
            .with_context(|| format!("can't delete {topic}"))?;
        say(&format!("topic {topic}: deleted"));
    }
    Ok(())
}

fn load(brokers: &str, topic: &str, orders: u64, batch_bytes: u32) -> anyhow::Result<()> {
    let batch_bytes = batch_bytes.to_string();
    let client = [
        ("batch.size", batch_bytes.as_str()),
        ("compression.type", "lz4"),
        ("linger.ms", "50"),
        // Not one record twice, whatever the network does.
        ("enable.idempotence", "true"),
    ];
    let producer = Producer::new(&kafka_settings(brokers, &client))?;
    let (mut sent, wanted) = (0, orders * work::EVENTS_PER_ORDER);
    work::each_event(orders, |made| {
        producer.send(Outgoing {
            topic,
            key: Some(made.key.as_bytes()),
            value: Some(made.value.as_bytes()),
            timestamp: Some(made.time),
            partition: Some(made.partition),
        })?;
        sent += 1;
        if sent % SHOW_EVERY == 0 {
            show(&format!("loading {topic}: {} %", sent * 100 / wanted));
        }
        Ok::<(), anyhow::Error>(())
    })?;
    let flushed = producer.flush(FLUSH_WITHIN);
    show("");
    let (delivered, error) = (producer.delivered(), producer.last_error());
    ensure!(
        flushed && delivered == wanted,
        "only {delivered} of {wanted} records were written: {}",
        error.unwrap_or_else(|| "too slow".to_owned())
    );
    Ok(())
}
