//! Commits and what hangs on them: who may commit, what the next owner finds, when a share is given
//! back.

use pipeline::Effect;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use support::Kafka;

use crate::recorder::{Recorded, fill, plan, settings};

#[test]
fn what_was_committed_is_found_by_the_next_owner_with_its_note() {
    let kafka = Kafka::shared();
    kafka.create_topic("kept", 2, &[]);
    fill(kafka, "kept", 2, 0, 10);
    kafka.delete_records("kept", 1, 4);
    let first = Recorded::start(0, settings(kafka, "kept"), plan(&["kept"]));
    first.until("all records", |seen| seen.count() == 16);
    assert_eq!(first.seen().positions[&(0, 0)].committed, None);
    let answer = first.commit(7, &[((0, 0), 6), ((0, 1), 10)], "kept1 and more");
    assert_eq!(answer, Ok(()));
    assert_eq!(first.metric("kept_commit_seconds", &[]), Some(1.0));
    first.stop();
    assert!(first.seen().stopping);

    let second = Recorded::start(0, settings(kafka, "kept"), plan(&["kept"]));
    second.until("the rest", |seen| seen.count() == 4);
    let positions = second.seen().positions.clone();
    let committed = |partition| positions[&(0, partition)].committed.clone();
    assert_eq!(committed(0), Some((6, "kept1 and more".to_owned())));
    assert_eq!(committed(1), Some((10, "kept1 and more".to_owned())));
    let other = &positions[&(0, 1)];
    assert_eq!((other.log_start, other.log_end), (4, 10));
    assert_eq!((other.fresh_start, other.partitions), (4, 2));
    assert_eq!(
        other.rebuild_start, 4,
        "all of it is younger than the reach"
    );
    second.stop();
}

#[test]
fn nobody_commits_without_a_share() {
    let kafka = Kafka::shared();
    let worker = Recorded::start(0, settings(kafka, "shareless"), plan(&["not.there.yet"]));
    let answer = worker.commit(1, &[((0, 0), 5)], "");
    let reason = answer.expect_err("it owns nothing");
    assert!(reason.contains("not this worker's"), "{reason}");
    worker.stop();
}

#[test]
fn a_refusal_of_one_partition_is_a_refusal() {
    let kafka = Kafka::shared();
    kafka.create_topic("half", 1, &[]);
    let worker = Recorded::start(0, settings(kafka, "half"), plan(&["half"]));
    worker.until("its share", |seen| seen.assigned.len() == 1);
    let answer = worker.commit(1, &[((0, 0), 0), ((0, 9), 0)], "");
    let reason = answer.expect_err("there is no such partition");
    // librdkafka gives the error of one partition to all: which one it names is its own choice.
    assert!(reason.contains("half partition "), "{reason}");
    assert!(reason.contains("Unknown topic or partition"), "{reason}");
    // The broker takes no more than 4096 bytes of metadata.
    let answer = worker.commit(2, &[((0, 0), 0)], &"x".repeat(5000));
    assert!(answer.is_err(), "the note is too long");
    assert_eq!(worker.commit(3, &[((0, 0), 0)], "short"), Ok(()));
    assert_eq!(worker.metric("kept_commit_seconds", &[]), Some(1.0));
    worker.stop();
}

#[test]
fn a_revoked_share_can_be_committed_until_it_is_given_back() {
    let kafka = Kafka::shared();
    kafka.create_topic("last", 2, &[]);
    fill(kafka, "last", 2, 0, 5);
    let first = Recorded::start(0, settings(kafka, "last"), plan(&["last"]));
    first.until("all records", |seen| seen.count() == 10);
    first.seen().keep_share = true;
    let second = Recorded::start(1, settings(kafka, "last"), plan(&["last"]));
    first.until("the revocation", |seen| seen.revocations == 1);
    let answer = first.commit(1, &[((0, 0), 5), ((0, 1), 5)], "the last one");
    assert_eq!(answer, Ok(()));
    assert!(
        second.seen().assigned.is_empty(),
        "it is not given back yet"
    );
    first.seen().orders.push(Effect::Release);
    second.until("its half", |seen| seen.assigned.len() == 1);
    let seen = second.seen();
    let position = seen.positions.values().next().expect("it has one");
    assert_eq!(position.committed, Some((5, "the last one".to_owned())));
    drop(seen);
    second.stop();
    first.stop();
}

#[test]
fn a_share_that_is_not_given_back_is_taken() {
    let kafka = Kafka::shared();
    kafka.create_topic("kept.back", 2, &[]);
    let first = Recorded::start(0, settings(kafka, "kept.back"), plan(&["kept.back"]));
    first.until("its share", |seen| seen.assigned.len() == 2);
    first.seen().keep_share = true;
    let second = Recorded::start(1, settings(kafka, "kept.back"), plan(&["kept.back"]));
    second.until("its half", |seen| seen.assigned.len() == 1);
    first.until("the other half", |seen| seen.assigned.len() == 1);
    // It does not say either that it is done stopping: `stop` waits until it has ended all the same.
    first.stop();
    second.until("all of it", |seen| seen.assigned.len() == 2);
    second.stop();
}

/// Tools and older consumers may commit anything: it is read, and is no note of Kept's.
#[test]
#[allow(unsafe_code)]
fn what_others_committed_with_an_offset_may_be_any_bytes() {
    let kafka = Kafka::shared();
    kafka.create_topic("foreign", 1, &[]);
    fill(kafka, "foreign", 1, 0, 10);
    let settings = settings(kafka, "foreign");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    config.set("group.id", &settings.group);
    let somebody: BaseConsumer = config.create().expect("plain settings make a client");
    let mut offsets = TopicPartitionList::new();
    let mut element = offsets.add_partition("foreign", 0);
    element.set_metadata("xy");
    element
        .set_offset(Offset::Offset(6))
        .expect("it is a number");
    // SAFETY: the metadata are two bytes that belong to the list alone.
    unsafe {
        let element = &*(*offsets.ptr()).elems;
        element.metadata.cast::<u8>().write(0xff);
    }
    let done = somebody.commit(&offsets, CommitMode::Sync);
    done.expect("the broker takes any bytes");
    let worker = Recorded::start(0, settings, plan(&["foreign"]));
    worker.until("the rest", |seen| seen.count() == 4);
    let committed = worker.seen().positions[&(0, 0)].committed.clone();
    assert_eq!(committed, Some((6, "\u{fffd}y".to_owned())));
    worker.stop();
}
