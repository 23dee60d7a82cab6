//! Rejected records reach the dead-letter topic as they were; lost ones are counted.

use std::time::Duration;

use events::Reject;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use support::Kafka;

use crate::recorder::{LONG, Recorded, fill, plan, settings};

const POISON: &[u8] = b"\xff not an event \x00";

#[test]
fn a_rejected_record_keeps_bytes_key_and_headers() {
    let kafka = Kafka::shared();
    kafka.create_topic("poisoned", 2, &[]);
    kafka.create_topic("poisoned.rejected", 1, &[]);
    fill(kafka, "poisoned", 2, 0, 5);
    send_poison(kafka);
    let mut settings = settings(kafka, "poisoned");
    settings.dead_letter_topic = Some("poisoned.rejected".into());
    let worker = Recorded::start(0, settings, plan(&["poisoned"]));
    worker.seen().reject = Some((POISON.to_vec(), Reject::NotJson));
    support::until(LONG, "the letter is acknowledged", || {
        worker.metric("kept_dead_letters_total", &[]) == Some(1.0)
    });
    worker.stop();
    assert_eq!(
        worker.metric("kept_dead_letters_lost_total", &[]),
        Some(0.0)
    );
    check_letter(kafka);
}

fn send_poison(kafka: &Kafka) {
    let producer: BaseProducer = client(kafka).create().expect("plain settings");
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some("abc"),
        })
        .insert(Header {
            key: "empty",
            value: None::<&str>,
        });
    let record = BaseRecord::to("poisoned")
        .partition(1)
        .key("k-1")
        .payload(POISON)
        .timestamp(1_700_000_000_123)
        .headers(headers);
    producer
        .send(record)
        .map_err(|error| error.0)
        .expect("room in the queue");
    producer.flush(LONG).expect("the broker takes it");
}

fn check_letter(kafka: &Kafka) {
    let mut config = client(kafka);
    config.set("group.id", "reader-of-letters");
    let consumer: BaseConsumer = config.create().expect("plain settings");
    let mut all = TopicPartitionList::new();
    all.add_partition_offset("poisoned.rejected", 0, Offset::Beginning)
        .expect("a good offset");
    consumer.assign(&all).expect("it can be read");
    let letter = consumer
        .poll(LONG)
        .expect("a letter in time")
        .expect("no error");
    assert_eq!(letter.payload(), Some(POISON));
    assert_eq!(letter.key(), Some(b"k-1".as_slice()));
    let headers = letter.headers().expect("it has headers");
    let headers: Vec<(&str, Option<&str>)> = headers
        .iter()
        .map(|header| {
            (
                header.key,
                header
                    .value
                    .map(|value| str::from_utf8(value).expect("ours are text")),
            )
        })
        .collect();
    let expected = [
        ("trace", Some("abc")),
        ("empty", None),
        ("kept_reason", Some("not_json")),
        ("kept_topic", Some("poisoned")),
        ("kept_partition", Some("1")),
        ("kept_offset", Some("5")),
        ("kept_timestamp", Some("1700000000123")),
    ];
    assert_eq!(headers, expected);
    assert!(
        consumer.poll(Duration::from_millis(300)).is_none(),
        "there is only one"
    );
}

#[test]
fn a_letter_that_can_not_be_written_is_counted_as_lost() {
    let kafka = Kafka::shared();
    kafka.create_topic("lost", 1, &[]);
    let mut settings = settings(kafka, "lost");
    settings.dead_letter_topic = Some("no.such.topic".into());
    let worker = Recorded::start(0, settings, plan(&["lost"]));
    worker.seen().reject = Some((b"0".to_vec(), Reject::NotAnObject));
    fill(kafka, "lost", 1, 0, 1);
    support::until(LONG, "the loss is counted", || {
        worker.metric("kept_dead_letters_lost_total", &[]) == Some(1.0)
    });
    worker.stop();
    assert_eq!(worker.metric("kept_dead_letters_total", &[]), Some(0.0));
}

#[test]
fn what_was_rejected_before_is_not_written_again() {
    let kafka = Kafka::shared();
    kafka.create_topic("replayed", 1, &[]);
    kafka.create_topic("replayed.rejected", 1, &[]);
    let mut settings = settings(kafka, "replayed");
    settings.dead_letter_topic = Some("replayed.rejected".into());
    let worker = Recorded::start(0, settings, plan(&["replayed"]));
    {
        let mut seen = worker.seen();
        seen.reject = Some((b"0".to_vec(), Reject::NotAnObject));
        seen.replayed = true;
    }
    fill(kafka, "replayed", 1, 0, 3);
    worker.until("all records", |seen| seen.count() == 3);
    worker.stop();
    assert_eq!(worker.metric("kept_dead_letters_total", &[]), Some(0.0));
}

fn client(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    config
}
