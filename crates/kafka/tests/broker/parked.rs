//! Partitions of a share that begin later than others, and pauses that outlive an assignment.

use catalogue::plan::TopicId;
use pipeline::{Assignment, Effect};
use support::Kafka;

use crate::recorder::{Place, Recorded, assert_counted, fill, plan, settings};

/// What was left out begins at this offset.
fn begin(worker: &Recorded, (topic, partition): Place, start: i64) {
    let mut seen = worker.seen();
    let assignment = seen.assignment;
    let starts = vec![Assignment {
        topic: TopicId(topic),
        partition,
        start,
    }];
    seen.orders.push(Effect::Assign { assignment, starts });
}

#[test]
fn partitions_that_begin_later_begin_at_their_own_offsets() {
    let kafka = Kafka::shared();
    kafka.create_topic("parked", 4, &[]);
    fill(kafka, "parked", 4, 0, 5000);
    let worker = Recorded::start(0, settings(kafka, "parked"), plan(&["parked"]));
    worker.seen().left_out = vec![(0, 1), (0, 3)];
    let read = |seen: &crate::recorder::Seen| [0, 1, 2, 3].map(|at| seen.count_of((0, at)));
    worker.until("those that begin", |seen| read(seen) == [5000, 0, 5000, 0]);
    fill(kafka, "parked", 4, 5000, 1000);
    worker.until("they go on", |seen| read(seen) == [6000, 0, 6000, 0]);
    begin(&worker, (0, 1), 0);
    worker.until("one more", |seen| read(seen) == [6000, 6000, 6000, 0]);
    begin(&worker, (0, 3), 2000);
    worker.until("the last", |seen| read(seen) == [6000, 6000, 6000, 4000]);
    worker.until("all ends", |seen| {
        seen.ends.len() == 4 && seen.reached.len() == 4
    });
    fill(kafka, "parked", 4, 6000, 10);
    worker.until("all go on", |seen| read(seen) == [6010, 6010, 6010, 4010]);
    assert_eq!(
        worker.metric("kept_kafka_errors_total", &["flow"]),
        Some(0.0)
    );
    worker.stop();
    let seen = worker.seen();
    (0..3).for_each(|partition| assert_counted(&seen, (0, partition), 6010));
    assert_eq!(seen.records[&(0, 3)][0].0, 2000);
    assert_eq!(seen.assignments, 1);
}

/// librdkafka keeps a pause when a partition is taken away and given back. The group hears nothing of
/// it.
#[test]
fn what_was_paused_or_parked_flows_when_the_share_is_begun_again() {
    let kafka = Kafka::shared();
    kafka.create_topic("again", 3, &[]);
    fill(kafka, "again", 3, 0, 100);
    let worker = Recorded::start(0, settings(kafka, "again"), plan(&["again"]));
    worker.seen().left_out = vec![(0, 1)];
    worker.until("those that begin", |seen| seen.count() == 200);
    let mut seen = worker.seen();
    seen.left_out.clear();
    seen.orders.push(Effect::Pause {
        topic: TopicId(0),
        partition: 0,
    });
    drop(seen);
    worker.until("the order is taken", |seen| seen.orders.is_empty());
    worker.seen().orders.push(Effect::StartOver);
    worker.until("all records", |seen| {
        seen.assignments == 2 && seen.count() == 300
    });
    assert_eq!(worker.seen().revocations, 0, "it stays a member");
    worker.stop();
    (0..3).for_each(|partition| assert_counted(&worker.seen(), (0, partition), 100));
}
