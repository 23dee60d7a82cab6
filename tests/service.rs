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
    // At least: while nothing is committed, a task that moves to the other worker is read again.
    support::until(LONG, "the poison is a dead letter", || {
        let sent = kept.scrape().sum("kept_dead_letters_total", &[]);
        sent.is_some_and(|sent| sent >= 1.0)
    });
    support::until(LONG, "Prometheus has it", || {
        prometheus.value("sum(shop_fulfilment_completed_total)") == Some(1.0)
    });
    let status = kept.terminate();
    assert!(status.success(), "{status}:\n{}", kept.log());
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
    let outgoing = Outgoing {
        topic: "shop.events",
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
