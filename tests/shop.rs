//! `kept shop` as a process on a real Kafka: the topics that it makes, what is on them, and how it
//! ends. Its incidents are seen in `tests/end_to_end`.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of a process starts one"
)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Kafka, Process, Written, until};

const LONG: Duration = Duration::from_secs(120);
const OPEN: &str = "The shop is open";

fn start(name: &str, kafka: &Kafka) -> Process {
    start_at(name, kafka, "20", "2m")
}

fn start_at(name: &str, kafka: &Kafka, rate: &str, history: &str) -> Process {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kept"));
    command.args(["shop", "--brokers", &kafka.brokers(), "--rate", rate]);
    command.args(["--topics", "split", "--partitions", "3"]);
    command.args(["--history", history]);
    Process::start(&mut command, &log)
}

fn await_open(shop: &mut Process) {
    until(LONG, "the shop is open", || {
        let ended = shop.ended();
        assert!(ended.is_none(), "it ended:\n{}", shop.output());
        shop.output().contains(OPEN)
    });
}

/// The ids of the carts on a topic with their partitions, after a look at each record.
fn carts(kafka: &Kafka, topic: &str, look: impl Fn(&Value)) -> HashMap<String, i32> {
    let mut carts = HashMap::new();
    for Written {
        partition,
        key,
        value,
        ..
    } in kafka.read(topic)
    {
        // Some records are garbage on purpose.
        if let Ok(event) = serde_json::from_slice(&value.unwrap_or_default()) {
            look(&event);
            let key = String::from_utf8(key.unwrap_or_default());
            carts.insert(key.expect("a cart's id is text"), partition);
        }
    }
    carts
}

#[test]
fn the_warehouse_s_topic_is_beside_the_shop_s_and_history_is_sent_once() {
    let kafka = Kafka::start();
    let mut shop = start("shop-first.log", &kafka);
    await_open(&mut shop);
    assert!(shop.output().contains("120 s of history"));
    let sent = kafka.records("shop.events");
    assert!(sent > 20 * 60, "two minutes at 20 orders a second: {sent}");
    until(LONG, "it goes on", || kafka.records("shop.events") > sent);
    shop.terminate();
    let status = shop.wait(LONG);
    assert!(status.success(), "{status}: {}", shop.output());

    let orders = carts(&kafka, "shop.events", |event| {
        assert_ne!(event["type"], "order.fulfilled");
    });
    let fulfilled = carts(&kafka, "shop.fulfilment", |event| {
        let name = event["type"].as_str().unwrap_or("order.");
        assert!(
            name.starts_with("order.") && name != "order.placed",
            "{name}"
        );
    });
    assert!(fulfilled.len() > 500, "{}", fulfilled.len());
    for (cart, partition) in &fulfilled {
        assert_eq!(orders.get(cart), Some(partition), "{cart}");
    }

    let mut again = start("shop-again.log", &kafka);
    await_open(&mut again);
    assert!(!again.output().contains("history"), "{}", again.output());
}

#[test]
fn it_can_be_ended_while_kafka_is_away_and_its_queue_is_full() {
    let mut kafka = Kafka::start();
    let mut shop = start_at("shop-away.log", &kafka, "1000", "1s");
    await_open(&mut shop);
    kafka.stop();
    until(LONG, "the queue is full", || {
        let ended = shop.ended();
        assert!(ended.is_none(), "it ended:\n{}", shop.output());
        shop.output().contains("the shop waits for room")
    });
    shop.terminate();
    // Five seconds for the last records, and some for a busy machine.
    let status = shop.wait(Duration::from_secs(30));
    assert_eq!(status.code(), Some(1), "{}", shop.output());
    let said = shop.output();
    assert!(said.contains("did not take the last records"), "{said}");
}

#[test]
fn a_kafka_that_is_not_up_yet_is_waited_for() {
    let mut kafka = Kafka::start_small();
    kafka.stop();
    let mut shop = start_at("shop-early.log", &kafka, "20", "1s");
    until(LONG, "it says that it waits", || {
        let ended = shop.ended();
        assert!(ended.is_none(), "it ended:\n{}", shop.output());
        shop.output().contains("Kafka does not answer")
    });
    kafka.restart();
    await_open(&mut shop);
}

#[test]
fn it_can_be_ended_while_it_waits_for_kafka() {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shop-waits.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kept"));
    // Nobody listens there.
    command.args(["shop", "--brokers", "127.0.0.1:1"]);
    let mut shop = Process::start(&mut command, &log);
    until(LONG, "it says that it waits", || {
        let ended = shop.ended();
        assert!(ended.is_none(), "it ended:\n{}", shop.output());
        shop.output().contains("Kafka does not answer")
    });
    shop.terminate();
    // A code, not the signal: it was caught, as it must be in a container's first process.
    let status = shop.wait(LONG);
    assert_eq!(status.code(), Some(143), "{status}: {}", shop.output());
}

#[test]
fn topics_that_don_t_fit_together_are_refused() {
    let kafka = Kafka::start();
    kafka.create_topic("shop.fulfilment", 2, &[]);
    let mut shop = start("shop-refused.log", &kafka);
    let status = shop.wait(LONG);
    assert_eq!(status.code(), Some(1));
    let said = shop.output();
    assert!(said.contains("different numbers of partitions"), "{said}");
    assert!(!said.contains(OPEN), "{said}");
}
