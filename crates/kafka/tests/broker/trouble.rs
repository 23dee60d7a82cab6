//! What a worker does when Kafka is not as it should be.

use std::time::Duration;

use catalogue::plan::TopicId;
use events::Span;
use kafka::{Fatal, Start};
use pipeline::Effect;
use support::Kafka;

use crate::recorder::{LONG, Recorded, assert_counted, fill, plan, settings};

const UNREACHABLE: &[&str] = &["broker_unreachable"];

#[test]
fn a_broker_that_is_down_is_waited_for_at_the_start_and_later() {
    let mut kafka = Kafka::start();
    kafka.create_topic("down", 2, &[]);
    fill(&kafka, "down", 2, 0, 100);
    kafka.stop();
    let worker = Recorded::start(0, settings(&kafka, "down"), plan(&["down"]));
    let errors = |least: f64| {
        let found = worker.metric("kept_kafka_errors_total", UNREACHABLE);
        found.is_some_and(|found| found >= least)
    };
    support::until(LONG, "the trouble is counted", || errors(1.0));
    kafka.restart();
    worker.until("all records", |seen| seen.count() == 200);
    let before = worker
        .metric("kept_kafka_errors_total", UNREACHABLE)
        .expect("it is there");
    kafka.stop();
    support::until(LONG, "the new trouble is counted", || errors(before + 1.0));
    assert!(
        worker.handle.liveness().age() < Duration::from_secs(10),
        "its loop goes on"
    );
    kafka.restart();
    fill(&kafka, "down", 2, 100, 100);
    worker.until("the new records", |seen| seen.count() == 400);
    worker.stop();
    assert_counted(&worker.seen(), (0, 0), 200);
    assert_counted(&worker.seen(), (0, 1), 200);
}

#[test]
fn a_missing_topic_is_named_and_waited_for() {
    let kafka = Kafka::shared();
    kafka.create_topic("there", 1, &[]);
    let worker = Recorded::start(0, settings(kafka, "missing"), plan(&["there", "late"]));
    support::until(LONG, "the trouble is counted", || {
        worker
            .metric("kept_kafka_errors_total", &["topic_missing"])
            .is_some_and(|found| found >= 1.0)
    });
    assert_eq!(worker.seen().assignments, 0, "half a task is not read");
    kafka.create_topic("late", 1, &[]);
    fill(kafka, "late", 1, 0, 10);
    worker.until("its records", |seen| seen.count_of((1, 0)) == 10);
    worker.stop();
}

#[test]
fn joined_topics_of_unequal_size_are_refused() {
    let kafka = Kafka::shared();
    kafka.create_topic("uneven.two", 2, &[]);
    kafka.create_topic("uneven.three", 3, &[]);
    let worker = Recorded::start(
        0,
        settings(kafka, "uneven"),
        plan(&["uneven.two", "uneven.three"]),
    );
    let end = worker
        .handle
        .ended()
        .recv_timeout(LONG)
        .expect("it gives up");
    let Err(Fatal::PartitionCounts(text)) = end else {
        panic!("{end:?}")
    };
    assert!(
        text.contains("\"uneven.two\" has 2, \"uneven.three\" has 3"),
        "{text}"
    );
}

#[test]
fn a_start_in_the_past_begins_at_the_first_record_after_it() {
    let kafka = Kafka::shared();
    kafka.create_topic("past", 2, &[]);
    fill(kafka, "past", 1, 0, 10);
    let mut settings = settings(kafka, "past");
    settings.start = Start::Back(Span::from_seconds(3600));
    let worker = Recorded::start(0, settings.clone(), plan(&["past"]));
    worker.until("its records", |seen| seen.count() == 10);
    worker.stop();
    assert_eq!(worker.seen().assigned[&(0, 0)], 0);
    assert_eq!(
        worker.seen().assigned[&(0, 1)],
        0,
        "an empty partition starts at its end"
    );
    settings.start = Start::Latest;
    let worker = Recorded::start(0, settings, plan(&["past"]));
    worker.until("it is assigned", |seen| seen.assigned.len() == 2);
    worker.stop();
    assert_eq!(worker.seen().assigned[&(0, 0)], 10);
}

#[test]
fn records_that_are_gone_are_reported_and_reading_begins_anew() {
    let kafka = Kafka::shared();
    kafka.create_topic("gone", 1, &[]);
    fill(kafka, "gone", 1, 0, 100);
    let worker = Recorded::start(0, settings(kafka, "gone"), plan(&["gone"]));
    worker.seen().at_record = Some((
        (0, 0),
        9,
        Effect::Pause {
            topic: TopicId(0),
            partition: 0,
        },
    ));
    worker.until("the first batch", |seen| seen.count() >= 10);
    fill(kafka, "gone", 1, 100, 100);
    kafka.delete_records("gone", 0, 150);
    worker.seen().orders.push(Effect::Resume {
        topic: TopicId(0),
        partition: 0,
    });
    worker.until("a new assignment", |seen| seen.assignments == 2);
    worker.until("what is left", |seen| seen.count() == 50);
    let errors = worker.metric("kept_kafka_errors_total", &["offset_out_of_range"]);
    assert!(errors.is_some_and(|errors| errors >= 1.0));
    assert_eq!(worker.seen().revocations, 0, "it stays a member");
    worker.stop();
    assert_eq!(worker.seen().assigned[&(0, 0)], 150);
}
