//! The tools around the worker: the producer, the check of a broker, the mock, the bare loop.

use events::KafkaTime;
use kafka::check::{Level, check_broker};
use kafka::mock::MockCluster;
use kafka::produce::{Outgoing, Producer};
use kafka::{Metrics, bare};
use support::Kafka;

use crate::recorder::{LONG, Recorded, fill, plan, settings};

#[test]
fn what_is_produced_is_counted_by_the_bare_loop() {
    let kafka = Kafka::shared();
    kafka.create_topic("bare", 3, &[]);
    let settings = settings(kafka, "bare");
    let producer = Producer::new(&settings).expect("good settings");
    for number in 0..1000_u32 {
        let key = number.to_be_bytes();
        let outgoing = Outgoing {
            topic: "bare",
            key: Some(&key),
            value: Some(b"12345"),
            timestamp: Some(KafkaTime::from_millis(1_700_000_000_000)),
            partition: None,
        };
        producer.send(outgoing).expect("it can be written");
    }
    assert!(producer.flush(LONG));
    assert_eq!((producer.delivered(), producer.failed()), (1000, 0));
    let metrics = Metrics::register(&prometheus::Registry::new()).expect("an empty registry");
    let counted = bare::bare_count(&settings, &metrics, &["bare"], 1000).expect("it can be read");
    assert_eq!((counted.records, counted.bytes), (1000, 5000));
}

#[test]
fn a_record_that_can_not_be_written_is_reported() {
    let kafka = Kafka::shared();
    let producer = Producer::new(&settings(kafka, "none")).expect("good settings");
    let outgoing = Outgoing {
        topic: "no.such.one",
        value: Some(b"1"),
        ..Outgoing::default()
    };
    producer.send(outgoing).expect("the queue takes it");
    assert!(producer.flush(LONG));
    assert_eq!((producer.delivered(), producer.failed()), (0, 1));
    let error = producer.last_error().expect("a reason");
    assert!(error.contains("Unknown topic"), "{error}");
}

#[test]
fn a_worker_reads_from_the_mock_cluster() {
    let cluster = MockCluster::start(&[("mock.events", 2)]).expect("loopback has free ports");
    let mut settings = settings(Kafka::shared(), "mock");
    settings.brokers = cluster.brokers();
    let producer = Producer::new(&settings).expect("good settings");
    for partition in [0, 1] {
        let topic = "mock.events";
        let partition = Some(partition);
        let outgoing = Outgoing {
            topic,
            value: Some(b"0"),
            partition,
            ..Outgoing::default()
        };
        producer.send(outgoing).expect("the queue takes it");
    }
    assert!(producer.flush(LONG));
    let worker = Recorded::start(0, settings, plan(&["mock.events"]));
    worker.until("its records", |seen| seen.count() == 2);
    worker.until("the ends", |seen| {
        seen.reached.len() == 2 && seen.ends.len() == 2
    });
    worker.stop();
}

#[test]
fn the_check_finds_everything_at_once() {
    let kafka = Kafka::shared();
    kafka.create_topic("check.two", 2, &[("cleanup.policy", "compact")]);
    kafka.create_topic(
        "check.three",
        3,
        &[("message.timestamp.type", "LogAppendTime")],
    );
    fill(kafka, "check.three", 3, 0, 5);
    let mut settings = settings(kafka, "check");
    settings.dead_letter_topic = Some("check.none".into());
    let plan = plan(&["check.two", "check.three", "check.gone"]);
    // Here every value is the key of an entity: each is in all three partitions.
    let checked = check_broker(&settings, &plan, &mut |_, record, keys| {
        let value = record.value.expect("they have values");
        keys.push((
            "order_id".into(),
            String::from_utf8_lossy(value).into_owned(),
        ));
    });
    assert_eq!(checked.partitions, [Some(2), Some(3), None]);
    let findings = checked.findings;
    let brokers = kafka.brokers();
    let expected = [
        (
            Level::Error,
            format!("topic \"check.gone\" does not exist on {brokers}"),
        ),
        (
            Level::Error,
            "\"check.two\" has 2, \"check.three\" has 3".into(),
        ),
        (Level::Error, "topic \"check.two\" is compacted".into()),
        (
            Level::Warning,
            "dead-letter topic \"check.none\" does not exist".into(),
        ),
        (
            Level::Warning,
            "topic \"check.two\" is stamped by its producers".into(),
        ),
        (
            Level::Warning,
            "5 values of order_id were seen in more than one partition".into(),
        ),
    ];
    assert_eq!(findings.len(), expected.len(), "{findings:#?}");
    for (level, text) in expected {
        let found = findings
            .iter()
            .any(|found| found.level == level && found.message.contains(&text));
        assert!(found, "{text} is missing in {findings:#?}");
    }
}

#[test]
fn the_check_of_a_broker_that_is_not_there_is_an_error() {
    let mut settings = settings(Kafka::shared(), "check");
    settings.brokers = "127.0.0.1:1".into();
    let findings = check_broker(&settings, &plan(&["any"]), &mut |_, _, _| {}).findings;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].level, Level::Error);
    assert!(findings[0].message.contains("127.0.0.1:1"), "{findings:#?}");
}
