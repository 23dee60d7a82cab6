//! Partitions without a worker, and workers without a partition: as it should be, or forgotten by the
//! group.
#![allow(
    clippy::disallowed_methods,
    reason = "another member of the group is on a thread of its own"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use catalogue::plan::{Group, TopicId};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use support::Kafka;

use crate::recorder::{LONG, Recorded, fill, plan, settings};

#[test]
fn more_workers_than_partitions_are_nothing_to_tell() {
    let kafka = Kafka::shared();
    kafka.create_topic("few", 1, &[]);
    fill(kafka, "few", 1, 0, 10);
    let one = Recorded::start(0, settings(kafka, "few"), plan(&["few"]));
    one.until("its partition", |seen| seen.assigned.len() == 1);
    let other = Recorded::start(1, settings(kafka, "few"), plan(&["few"]));
    let workers = [&one, &other];
    support::until(LONG, "both have their shares", || {
        let sizes = workers.map(|it| {
            let seen = it.seen();
            (seen.assignments, seen.assigned.len())
        });
        sizes[0].0 > 1 && sizes[1].0 > 0 && sizes[0].1 + sizes[1].1 == 1
    });
    let before = workers.map(|it| it.seen().assignments);
    let checks = || one.handle.group_checks() + other.handle.group_checks();
    let first = checks();
    support::until(LONG, "some checks", || checks() >= first + 4);
    assert_eq!(workers.map(|it| it.handle.uncovered()), [None, None]);
    assert_eq!(workers.map(|it| it.seen().assignments), before);
    workers.iter().for_each(|it| it.stop());
}

/// A leader of the group that doesn't see a topic, as one that looked while it was deleted.
struct Blind {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Blind {
    /// Joins and leads the group, and has all of the topic that it sees.
    fn start(kafka: &Kafka, group: &str, unseen: &str, seen: &str) -> Blind {
        let leader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka.brokers())
            .set("group.id", group)
            .set("partition.assignment.strategy", "range")
            .set("topic.blacklist", format!("^{unseen}$"))
            .create()
            .expect("plain settings");
        leader.subscribe(&[seen]).expect("a topic's name");
        support::until(LONG, "the leader has its share", || {
            leader.poll(Duration::from_millis(100));
            leader.assignment().is_ok_and(|list| list.count() == 2)
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                leader.poll(Duration::from_millis(100));
            }
        });
        let thread = thread.expect("the system gives a thread");
        Blind { stop, thread }
    }

    /// Leaves the group.
    fn leave(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("polling does not panic");
    }
}

fn without_owner(worker: &Recorded) -> Option<f64> {
    worker.metric("kept_partitions_without_owner", &[])
}

#[test]
fn partitions_that_nobody_has_are_told_and_the_group_is_joined_anew() {
    let kafka = Kafka::shared();
    for topic in ["forgotten", "elsewhere"] {
        kafka.create_topic(topic, 2, &[]);
    }
    fill(kafka, "forgotten", 2, 0, 10);
    let leads = Blind::start(kafka, "forgotten", "forgotten", "elsewhere");
    let worker = Recorded::start(0, settings(kafka, "forgotten"), plan(&["forgotten"]));
    worker.until("an empty share", |seen| {
        seen.assignments > 0 && seen.assigned.is_empty()
    });
    support::until(LONG, "it is told", || worker.handle.uncovered().is_some());
    let text = worker.handle.uncovered().unwrap_or_default();
    assert!(text.contains("partition 0, 1 of topic forgotten"), "{text}");
    assert_eq!(without_owner(&worker), Some(2.0));
    worker.until("it joins anew", |seen| seen.assignments > 1);
    leads.leave();
    worker.until("its partitions", |seen| seen.count() == 20);
    support::until(LONG, "it is ready again", || {
        worker.handle.uncovered().is_none() && without_owner(&worker) == Some(0.0)
    });
    worker.stop();
}

/// A worker that has partitions is content, and looks all the same.
#[test]
fn partitions_that_nobody_has_are_told_by_a_worker_that_has_others() {
    let kafka = Kafka::shared();
    for topic in ["left", "shared"] {
        kafka.create_topic(topic, 2, &[]);
        fill(kafka, topic, 2, 0, 10);
    }
    let leads = Blind::start(kafka, "left", "left", "shared");
    let mut apart = plan(&["left", "shared"]);
    apart.groups = (0..2)
        .map(|topic| Group {
            topics: vec![TopicId(topic)],
            kpis: Vec::new(),
        })
        .collect();
    let worker = Recorded::start(0, settings(kafka, "left"), apart);
    worker.until("one partition", |seen| {
        seen.assigned.len() == 1 && seen.count() == 10
    });
    support::until(LONG, "it is told", || without_owner(&worker) == Some(2.0));
    assert_eq!(worker.handle.uncovered(), None, "it serves what it has");
    worker.until("it joins anew", |seen| seen.revocations > 0);
    leads.leave();
    worker.until("all partitions", |seen| seen.count() == 40);
    support::until(LONG, "it is over", || without_owner(&worker) == Some(0.0));
    worker.stop();
}
