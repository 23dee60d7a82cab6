//! `kept run` as a process: a real Kafka in front of it, a real Prometheus behind it.

use std::time::Duration;

use kafka::produce::{Outgoing, Producer};
use kafka::{Settings, Start};
use support::{Kafka, Kept, Prometheus};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn an_order_is_counted_from_kafka_to_prometheus() {
    let kafka = Kafka::shared();
    kafka.create_topic("shop.events", 2, &[]);
    kafka.create_topic("shop.rejected", 1, &[]);
    let producer = producer(kafka);
    send(&producer, "not an event");
    send(&producer, &event("order.placed", 1));
    send(&producer, &event("order.fulfilled", 2));
    assert!(producer.flush(LONG));

    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config(kafka));
    let prometheus = Prometheus::start(kept.port());
    support::until(LONG, "the order is on /metrics", || {
        let samples = kept.scrape();
        let of = |name| samples.sum(name, &[("region", "eu-west")]);
        of("shop_fulfilment_started_total") == Some(1.0)
            && of("shop_fulfilment_completed_total") == Some(1.0)
    });
    support::until(LONG, "the poison is a dead letter", || {
        kept.scrape().sum("kept_dead_letters_total", &[]) == Some(1.0)
    });
    support::until(LONG, "Prometheus has it", || {
        prometheus.value("sum(shop_fulfilment_completed_total)") == Some(1.0)
    });
    let status = kept.terminate();
    assert!(status.success(), "{status}:\n{}", kept.log());
}

/// Killed in the middle and started again beside the same folder and the same group: it goes on.
#[test]
fn a_restart_goes_on_with_the_same_counters() {
    let kafka = Kafka::shared();
    kafka.create_topic("shop.restart", 2, &[]);
    let state = support::Folder::new("restart");
    let config = format!(
        "{}[state]\nurl = \"file://{}\"\nsnapshot_every = \"1s\"\n",
        config(kafka)
            .replace("shop.events", "shop.restart")
            .replace("\"service\"", "\"restart\""),
        state.path().display()
    );
    let producer = producer(kafka);
    let place = |number: u32| {
        let order = format!("\"o-{number}\"");
        let event = event("order.placed", number).replace("\"o-1\"", &order);
        send_to(&producer, "shop.restart", &event);
        assert!(producer.flush(LONG));
    };
    let started = |kept: &Kept| {
        let samples = kept.scrape();
        samples.sum("shop_fulfilment_started_total", &[("region", "eu-west")])
    };
    (1..=20).for_each(place);
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    support::until(LONG, "all are counted", || started(&kept) == Some(20.0));
    let name = "kept_snapshot_last_success_timestamp_seconds";
    support::until(LONG, "each task has a snapshot", || {
        let log = kept.scrape();
        log.sum(name, &[("partition", "0")]).is_some()
            && log.sum(name, &[("partition", "1")]).is_some()
    });
    (21..=25).for_each(place);
    support::until(LONG, "the new ones are counted", || {
        started(&kept) == Some(25.0)
    });
    kept.kill();
    (26..=30).for_each(place);

    let mut again = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
    let mut seen = Vec::new();
    support::until(LONG, "it has gone on", || {
        let answer = support::get(again.port(), "/metrics", &[]);
        let count = answer.and_then(|_| started(&again));
        seen.extend(count);
        count == Some(30.0)
    });
    let log = again.log();
    assert!(seen.iter().all(|count| *count >= 25.0), "{seen:?}\n{log}");
    let restored = again
        .scrape()
        .sum("kept_task_events_total", &[("event", "restored")]);
    assert_eq!(restored, Some(2.0), "{log}");
    assert!(again.terminate().success(), "{log}");
}

/// One partition, two workers: the one without a share is no reason not to be ready.
#[test]
fn more_workers_than_partitions_are_ready() {
    let kafka = Kafka::shared();
    kafka.create_topic("lonely", 1, &[]);
    let config = format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"lonely\"\nworkers = 2\n\
         [[kafka.topic]]\nname = \"lonely\"\nkey = \"cart_id\"\n",
        kafka.brokers()
    );
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    support::until(LONG, "it is ready", || {
        kept.get("/readyz", &[]).status == 200
    });
    let troubles = kept
        .scrape()
        .sum("kept_kafka_errors_total", &[("kind", "start_offsets")]);
    assert_eq!(troubles, Some(0.0), "{}", kept.log());
    assert!(kept.terminate().success());
}

fn event(kind: &str, second: u32) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{kind}-{second}","source":"/shop/web","type":"{kind}",
            "time":"2026-01-05T10:00:{second:02}Z",
            "data":{{"order_id":"o-1","cart_id":"k-1","region":"eu-west","channel":"web"}}}}"#
    )
}

fn send(producer: &Producer, value: &str) {
    send_to(producer, "shop.events", value);
}

fn send_to(producer: &Producer, topic: &str, value: &str) {
    let outgoing = Outgoing {
        topic,
        value: Some(value.as_bytes()),
        partition: Some(0),
        ..Outgoing::default()
    };
    producer.send(outgoing).expect("the queue takes it");
}

fn producer(kafka: &Kafka) -> Producer {
    let settings = Settings {
        brokers: kafka.brokers(),
        group: "none".into(),
        start: Start::Earliest,
        dead_letter_topic: None,
        workers: None,
        client: Vec::new(),
    };
    Producer::new(&settings).expect("good settings")
}

fn config(kafka: &Kafka) -> String {
    format!(
        r#"
        [kafka]
        brokers = "{}"
        group = "service"
        start = "earliest"
        dead_letter_topic = "shop.rejected"
        [[kafka.topic]]
        name = "shop.events"
        key = "cart_id"
        types = ["*"]
        [catalogue]
        namespace = "shop"
        packs = ["promise"]
        "#,
        kafka.brokers()
    )
}
