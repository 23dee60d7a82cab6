//! `kept run` as a process: a real Kafka in front of it, a real Prometheus behind it.

#![allow(
    clippy::disallowed_methods,
    reason = "the test of a process has files and sockets"
)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kafka::produce::{Outgoing, Producer};
use kafka::{Settings, Start};
use support::{Kafka, Kept, Prometheus, finish};

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

/// Two topics are read apart, then a promise joins them: a restart with that catalogue goes on with
/// the counters of both, and only the promise begins anew; and the same the other way round.
#[test]
fn a_changed_join_goes_on_with_the_counters_of_both_topics() {
    let kafka = Kafka::shared();
    for topic in ["join.placed", "join.ended"] {
        kafka.create_topic(topic, 2, &[]);
    }
    let producer = producer(kafka);
    let more = |from: u32, until: u32| {
        for second in from..until {
            send_to(&producer, "join.placed", &event("order.placed", second));
            send_to(&producer, "join.ended", &event("order.fulfilled", second));
        }
        assert!(producer.flush(LONG));
    };
    let state = support::Folder::new("join");
    let kpis = state.path().join("kpis.toml");
    let url = format!("file://{}", state.path().join("state").display());
    let config = joining(kafka, &kpis.display().to_string(), &url);
    let counts = |kept: &Kept| {
        let samples = kept.scrape();
        let total = |name: &str| samples.sum(name, &[]);
        (total("shop_placed_total"), total("shop_ended_total"))
    };
    let mut before = 0;
    for (joined, carried) in [(false, None), (true, Some(2.0)), (false, Some(4.0))] {
        let promise = if joined { JOIN } else { "" };
        fs::write(&kpis, format!("{APART}{promise}")).expect("the folder is writable");
        more(before, before + 5);
        let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
        let all = f64::from(before + 5);
        support::until(LONG, "all are counted", || {
            let (placed, ended) = counts(&kept);
            assert!(
                placed.is_none_or(|count| count >= f64::from(before)),
                "{placed:?}"
            );
            (placed, ended) == (Some(all), Some(all))
        });
        let samples = kept.scrape();
        let told = |event| samples.sum("kept_task_events_total", &[("event", event)]);
        assert_eq!(told("carried").filter(|count| *count > 0.0), carried);
        assert_eq!(told("totals_lost"), Some(0.0), "{}", kept.log());
        let status = kept.terminate();
        assert!(status.success(), "{status}:\n{}", kept.log());
        before += 5;
    }
}

/// One partition, two workers: the one without a share is no reason not to be ready.
#[test]
fn more_workers_than_partitions_are_ready() {
    let kafka = Kafka::shared();
    kafka.create_topic("lonely", 1, &[]);
    let config = small(&kafka.brokers(), "lonely");
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

#[test]
fn a_compacted_topic_ends_it_and_is_named() {
    let kafka = Kafka::shared();
    kafka.create_topic("tidied", 2, &[("cleanup.policy", "compact")]);
    let mut kept = Kept::start(
        env!("CARGO_BIN_EXE_kept"),
        &small(&kafka.brokers(), "tidied"),
    );
    let status = kept.process().wait(LONG);
    let log = kept.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let expected = "topic \\\"tidied\\\" is compacted: Kafka removes its events";
    assert!(log.contains(expected), "no {expected} in {log}");
}

#[test]
fn an_address_in_use_is_said_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = taken.local_addr().expect("it is bound").to_string();
    let http = format!("[http]\nlisten = \"{address}\"\n");
    let file = file("address-in-use", &(small("127.0.0.1:1", "any") + &http));
    let done = finish(
        env!("CARGO_BIN_EXE_kept"),
        &["run", "--config", &file],
        None,
    );
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = done.stdout + &done.stderr;
    assert_eq!(said.matches("in use").count(), 1, "{said}");
    assert!(said.contains(&address), "{said}");
}

/// The broker takes connections and never answers, so that leaving takes its time.
#[test]
fn a_second_signal_ends_it_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let brokers = silent.local_addr().expect("it is bound").to_string();
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &small(&brokers, "any"));
    support::until(LONG, "it looks for its broker", || {
        kept.log().contains("kept starts") && support::get(kept.port(), "/livez", &[]).is_some()
    });
    let process = kept.process().id();
    let signals = format!("kill -TERM {process} && kill -INT {process}");
    let sent = Command::new("sh").args(["-c", &signals]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{signals}");
    let status = kept.process().wait(LONG);
    // Of a shell's codes for the two signals that of whichever was taken second.
    assert!(
        matches!(status.code(), Some(130 | 143)),
        "{status}: {}",
        kept.log()
    );
    assert!(!kept.log().contains("stopped"), "{}", kept.log());
}

/// Whether its topic is compacted is not known then, and no reason to end.
#[test]
fn a_silent_broker_is_warned_of_and_asked_again() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let brokers = silent.local_addr().expect("it is bound").to_string();
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &small(&brokers, "any"));
    support::until(LONG, "it warns", || {
        let log = kept.log();
        log.contains("whether a topic is compacted is not known") && log.contains("asking again")
    });
    assert_eq!(kept.process().ended(), None, "{}", kept.log());
    assert_eq!(kept.get("/livez", &[]).status, 200);
    let status = kept.terminate();
    assert!(status.success(), "{status}: {}", kept.log());
}

/// `max_series` speaks of one KPI in one partition: how many partitions there are doesn't matter to
/// it. Where only assumed values exceed it, that is a warning, and what is taken for granted is said.
#[test]
fn the_check_counts_the_series_of_the_partitions_there_are() {
    let kafka = Kafka::shared();
    kafka.create_topic("checked", 3, &[]);
    let limit = "[catalogue]\nmax_series = 3000\n";
    let file = file("checked", &(small(&kafka.brokers(), "checked") + limit));
    let check = ["check", "--config", &file, "--broker"];
    let one = finish(env!("CARGO_BIN_EXE_kept"), &check[..3], None);
    assert!(one.status.success(), "{one:?}");
    let total = "with one partition: about 6";
    assert!(one.stdout.contains(total), "{one:?}");
    let taking = "taking 10 values of region, 5 of channel";
    assert!(one.stdout.contains(taking), "{one:?}");
    let real = finish(env!("CARGO_BIN_EXE_kept"), &check, None);
    assert!(real.status.success(), "{real:?}");
    let three = "with all partitions on one instance (3 of checked): about 1";
    assert!(real.stdout.contains(three), "{real:?}");
    for said in [taking, "with max_series = 3000 there is room for"] {
        assert!(real.stderr.contains(said), "no {said:?} in {real:?}");
    }
}

/// A configuration in a file of its own.
fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("service-{name}.toml"));
    fs::write(&path, text).expect("the folder is writable");
    path.display().to_string()
}

fn small(brokers: &str, topic: &str) -> String {
    format!(
        "[kafka]\nbrokers = \"{brokers}\"\ngroup = \"{topic}\"\nworkers = 2\n\
         [[kafka.topic]]\nname = \"{topic}\"\nkey = \"cart_id\"\n"
    )
}

const APART: &str = "[kpi.placed]\nkind = \"count\"\nhelp = \"Orders placed\"\n\
    event = { type = \"order.placed\" }\n[kpi.ended]\nkind = \"count\"\n\
    help = \"Orders fulfilled\"\nevent = { type = \"order.fulfilled\" }\n";
const JOIN: &str = "[kpi.fulfilment]\nkind = \"promise\"\nhelp = \"From purchase to fulfilment\"\n\
    start = { type = \"order.placed\", key = \"order_id\" }\n\
    end = { type = \"order.fulfilled\", key = \"order_id\" }\n\
    within = \"60s\"\nobjective = 0.95\n";

fn joining(kafka: &Kafka, kpis: &str, url: &str) -> String {
    format!(
        r#"
        [kafka]
        brokers = "{}"
        group = "join"
        start = "earliest"
        [[kafka.topic]]
        name = "join.placed"
        types = ["order.placed"]
        [[kafka.topic]]
        name = "join.ended"
        types = ["order.fulfilled"]
        [catalogue]
        namespace = "shop"
        files = ["{kpis}"]
        [state]
        url = "{url}"
        snapshot_every = "1s"
        "#,
        kafka.brokers()
    )
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
