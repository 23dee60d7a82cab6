//! Topics have ids, and another one when they are deleted and made anew.

use support::Kafka;

use crate::recorder::{Recorded, fill, plan, settings};

#[test]
fn a_topic_made_anew_while_it_is_read_is_told_by_its_id() {
    let kafka = Kafka::shared();
    let topics = ["made.first", "made.other"];
    for topic in topics {
        kafka.create_topic(topic, 2, &[]);
        fill(kafka, topic, 2, 0, 100);
    }
    let worker = Recorded::start(0, settings(kafka, "made"), plan(&topics));
    worker.until("all records", |seen| seen.count() == 400);
    let told: Vec<_> = (0..2)
        .map(|topic| {
            let seen = worker.seen();
            let ids = [0, 1].map(|partition| seen.positions[&(topic, partition)].log);
            assert_eq!(ids[0], ids[1], "of one topic");
            ids[0].expect("this broker tells topics apart")
        })
        .collect();
    assert_ne!(told[0], told[1]);
    worker.until("the ids while it reads", |seen| seen.logs.len() == 2);
    assert!(worker.seen().logs.values().eq(&told));
    kafka.delete_topic(topics[1]);
    kafka.await_gone(topics[1]);
    kafka.create_topic(topics[1], 2, &[]);
    fill(kafka, topics[1], 2, 0, 200);
    worker.until("another id", |seen| seen.logs[&1] != told[1]);
    assert_eq!(worker.seen().logs[&0], told[0]);
    worker.stop();
}
