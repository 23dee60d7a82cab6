//! What a worker is given: order, hand-over, flow control, troubles.

use support::Kafka;

use crate::recorder::{Recorded, assert_counted, fill, plan, settings};

#[test]
fn records_arrive_once_each_in_offset_order() {
    let kafka = Kafka::start();
    kafka.create_topic("shop.events", 8, &[]);
    fill(&kafka, "shop.events", 8, 0, 3000);
    let worker = Recorded::start(0, settings(&kafka, "order"), plan(&["shop.events"]));
    worker.until("all records", |seen| seen.count() >= 8 * 3000);
    worker.until("the ends", |seen| {
        seen.ends.len() == 8 && seen.reached.len() == 8
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
