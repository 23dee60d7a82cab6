//! What a worker is given while all is well: order, ends, hand-over, flow control.

use catalogue::plan::TopicId;
use pipeline::Effect;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use support::Kafka;

use crate::recorder::{LONG, Place, Recorded, Seen, assert_counted, fill, plan, settings};

#[test]
fn records_arrive_once_each_in_offset_order() {
    let kafka = Kafka::shared();
    kafka.create_topic("order", 8, &[]);
    fill(kafka, "order", 8, 0, 3000);
    let worker = Recorded::start(0, settings(kafka, "order"), plan(&["order"]));
    worker.until("all records", |seen| seen.count() >= 8 * 3000);
    worker.until("the ends", |seen| {
        seen.ends.len() == 8 && seen.reached.len() == 8
    });
    assert_eq!(worker.metric("kept_rebalances_total", &[]), Some(1.0));
    support::until(LONG, "there is no lag", || {
        worker.metric("kept_consumer_lag_messages", &["order", "3"]) == Some(0.0)
    });
    worker.stop();
    let seen = worker.seen();
    for partition in 0..8 {
        assert_counted(&seen, (0, partition), 3000);
        assert_eq!(seen.reached[&(0, partition)], 3000);
        assert_eq!(seen.ends[&(0, partition)], 3000);
    }
    assert_eq!(seen.assignments, 1);
}

#[test]
fn a_new_worker_takes_over_whole_tasks_and_gives_them_back() {
    let kafka = Kafka::shared();
    let topics = ["hand.orders", "hand.fulfilments"];
    for topic in topics {
        kafka.create_topic(topic, 4, &[]);
        fill(kafka, topic, 4, 0, 500);
    }
    let first = Recorded::start(0, settings(kafka, "hand"), plan(&topics));
    first.until("all records", |seen| seen.count() == 4000);
    let second = Recorded::start(1, settings(kafka, "hand"), plan(&topics));
    second.until("its half", |seen| {
        seen.assigned.len() == 4 && seen.count() == 2000
    });
    first.until("the other half", |seen| {
        seen.assigned.len() == 4 && seen.count() == 2000
    });
    let mut all: Vec<Place> = Vec::new();
    for worker in [&first, &second] {
        let seen = worker.seen();
        let of = |topic| {
            places(&seen)
                .filter(move |place| place.0 == topic)
                .map(|place| place.1)
        };
        assert!(
            of(0).eq(of(1)),
            "partition p of both topics goes to one worker"
        );
        places(&seen).for_each(|place| assert_counted(&seen, place, 500));
        all.extend(places(&seen));
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8, "every partition has an owner");
    second.stop();
    first.until("all of them again", |seen| {
        seen.assigned.len() == 8 && seen.count() == 4000
    });
    assert!(first.seen().revocations >= 2);
    first.stop();
}

fn places(seen: &Seen) -> impl Iterator<Item = Place> + '_ {
    seen.assigned.keys().copied()
}

#[test]
fn a_pause_in_the_middle_loses_and_repeats_nothing() {
    let kafka = Kafka::shared();
    kafka.create_topic("middle", 2, &[]);
    fill(kafka, "middle", 2, 0, 30_000);
    let worker = Recorded::start(0, settings(kafka, "middle"), plan(&["middle"]));
    worker.seen().at_record = Some((
        (0, 0),
        5000,
        Effect::Pause {
            topic: TopicId(0),
            partition: 0,
        },
    ));
    worker.until("the other partition", |seen| {
        seen.count_of((0, 1)) == 30_000
    });
    let paused_at = worker.seen().count_of((0, 0));
    assert!(
        (5001..15_000).contains(&paused_at),
        "paused after {paused_at}"
    );
    fill(kafka, "middle", 2, 30_000, 100);
    worker.until("the other partition goes on", |seen| {
        seen.count_of((0, 1)) == 30_100
    });
    assert_eq!(
        worker.seen().count_of((0, 0)),
        paused_at,
        "nothing came while it was paused"
    );
    worker.seen().orders.push(Effect::Resume {
        topic: TopicId(0),
        partition: 0,
    });
    worker.until("the rest", |seen| seen.count_of((0, 0)) >= 30_100);
    worker.stop();
    assert_counted(&worker.seen(), (0, 0), 30_100);
    assert_counted(&worker.seen(), (0, 1), 30_100);
}

/// librdkafka's own position is one too far here: see `partitions.rs`.
#[test]
fn a_pause_at_the_end_loses_nothing() {
    let kafka = Kafka::shared();
    kafka.create_topic("end", 2, &[]);
    fill(kafka, "end", 2, 0, 10);
    let worker = Recorded::start(0, settings(kafka, "end"), plan(&["end"]));
    worker.until("the ends", |seen| seen.reached.len() == 2);
    worker.seen().orders.push(Effect::Pause {
        topic: TopicId(0),
        partition: 0,
    });
    worker.until("the order is taken", |seen| seen.orders.is_empty());
    fill(kafka, "end", 2, 10, 5);
    worker.until("the other partition", |seen| seen.count_of((0, 1)) == 15);
    worker.seen().orders.push(Effect::Resume {
        topic: TopicId(0),
        partition: 0,
    });
    worker.until("the rest", |seen| seen.count_of((0, 0)) >= 15);
    worker.stop();
    assert_counted(&worker.seen(), (0, 0), 15);
}

#[test]
fn the_end_is_reached_past_control_records_and_aborted_ones() {
    let kafka = Kafka::shared();
    kafka.create_topic("tx", 1, &[]);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka.brokers())
        .set("transactional.id", "tx-test");
    let producer: BaseProducer = config.create().expect("plain settings");
    producer
        .init_transactions(LONG)
        .expect("the broker answers");
    for (values, committed) in [(0..10, true), (100..105, false)] {
        producer.begin_transaction().expect("none is open");
        for value in values {
            let value = value.to_string();
            let record = BaseRecord::<(), str>::to("tx").partition(0).payload(&value);
            producer
                .send(record)
                .map_err(|error| error.0)
                .expect("room in the queue");
        }
        producer.flush(LONG).expect("the broker takes them");
        let end = match committed {
            true => producer.commit_transaction(LONG),
            false => producer.abort_transaction(LONG),
        };
        end.expect("the transaction ends");
    }
    let worker = Recorded::start(0, settings(kafka, "tx"), plan(&["tx"]));
    // Ten records and their marker, five aborted ones and theirs.
    worker.until("the end", |seen| seen.reached.get(&(0, 0)) == Some(&17));
    worker.until("the end is observed", |seen| {
        seen.ends.get(&(0, 0)) == Some(&17)
    });
    worker.stop();
    assert_counted(&worker.seen(), (0, 0), 10);
}
