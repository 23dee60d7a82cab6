//! `kept run` when Kafka is not as it should be: down at the start, gone for a while, without the
//! topic; its end at SIGTERM; and `kept check --broker`, which says beforehand what is wrong.
#![allow(
    clippy::disallowed_methods,
    reason = "the test of processes has files and a clock"
)]

#[path = "proof_support/feed.rs"]
mod feed;
#[path = "proof_support/shop.rs"]
mod shop;

use std::fs;
use std::time::{Duration, Instant};

use events::Span;
use support::{Finished, Kafka, Kept, finish, until};

use feed::{await_events, produce};
use shop::Orders;

const LONG: Duration = Duration::from_secs(60);
/// How soon a person is to be told.
const SOON: Duration = Duration::from_secs(15);
/// The service's own grace time, and a little.
const GRACE: Duration = Duration::from_secs(12);

#[test]
fn a_broker_that_is_down_at_the_start_and_gone_later_costs_nothing() {
    let mut kafka = Kafka::start();
    kafka.create_topic(shop::TOPIC.0, 4, &[]);
    kafka.stop();
    let config = feed::config(&kafka, "outage", &["promise", "cart"], &[], &[shop::TOPIC]);
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
    await_trouble(&mut kept, "broker_unreachable", 1.0);
    assert_eq!(kept.get("/readyz", &[]).status, 503);
    assert_eq!(kept.get("/livez", &[]).status, 200);
    await_no_list(&kept, "workers wait for the group's assignment");
    assert!(
        kept.scrape()
            .sum("shop_fulfilment_started_total", &[])
            .is_none(),
        "nothing is known yet"
    );
    let address = kafka.brokers();
    assert!(
        kept.log().contains(&address),
        "the log names {address}:\n{}",
        kept.log()
    );

    kafka.restart();
    kept.await_ready();
    let overdue = kept.get("/api/overdue", &[]);
    assert_eq!((overdue.status, overdue.text()), (200, "[]".into()));
    let of = overdue.header("kept-partitions");
    assert!(of.is_some_and(|of| of.starts_with('4')), "{of:?}");
    let mut shop = shop::open(5, Span::from_seconds(1200));
    let before = shop::lines(&mut shop, Span::from_seconds(600));
    produce(&kept, &before);
    let troubles = kept
        .scrape()
        .sum("kept_kafka_errors_total", &UNREACHABLE)
        .unwrap_or(0.0);
    kafka.stop();
    await_trouble(&mut kept, "broker_unreachable", troubles + 1.0);
    assert_eq!(kept.get("/metrics", &[]).status, 200);
    await_no_list(&kept, "4 tasks are fenced: ");
    kafka.restart();
    let after = shop::lines(&mut shop, Span::ZERO);
    produce(&kept, &after);

    let all = (before.len() + after.len()) as u64;
    let samples = await_events(&kept, all);
    until(LONG, "that it is over is logged", || {
        kept.log().contains("the broker answers again")
    });
    let mut orders = Orders::default();
    orders.read(&before);
    orders.read(&after);
    assert_eq!(
        samples.sum("shop_fulfilment_started_total", &[]),
        Some(orders.placed() as f64)
    );
    assert_eq!(
        samples.sum("shop_fulfilment_completed_total", &[]),
        Some(orders.durations().len() as f64)
    );
    let used = samples.sum("kept_events_total", &[("outcome", "used")]);
    assert_eq!(used, Some(orders.used() as f64));
    assert!(kept.terminate().success(), "{}", kept.log());
}

#[test]
fn a_missing_topic_is_named_and_read_once_it_is_there() {
    let kafka = Kafka::shared();
    let topic = ("shop.later", shop::TOPIC.1, shop::TOPIC.2);
    let config = feed::config(kafka, "missing", &["promise"], &[], &[topic]);
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
    await_trouble(&mut kept, "topic_missing", 1.0);
    let log = kept.log();
    assert!(
        log.contains("shop.later") && log.contains("does not exist"),
        "{log}"
    );
    assert_eq!(kept.get("/readyz", &[]).status, 503);

    kafka.create_topic(topic.0, 2, &[]);
    kept.await_ready();
    let lines = shop::lines(&mut shop::open(6, Span::from_seconds(60)), Span::ZERO);
    produce(&kept, &lines);
    await_events(&kept, lines.len() as u64);
    assert!(kept.terminate().success(), "{}", kept.log());
}

/// A name that nobody knows, and TLS where none is spoken: librdkafka's own sentence says so, soon
/// after the bare name of the error, and a broken handshake counts as authentication.
#[test]
fn why_no_broker_can_be_reached_is_said_within_seconds() {
    let kafka = Kafka::shared();
    let topic = shop::TOPIC;
    let plain = feed::config(kafka, "why", &["promise"], &[], &[topic]);
    let unknown = plain.replace(&kafka.brokers(), "no-such-host.invalid:9092");
    let secure = format!("{plain}[kafka.client]\nsecurity.protocol = \"SSL\"\n");
    for (config, said, kind) in [
        (unknown, "Failed to resolve", "broker_unreachable"),
        (secure, "SSL handshake failed", "authentication"),
    ] {
        let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
        until(SOON, said, || kept.log().contains(said));
        await_trouble(&mut kept, kind, 1.0);
        assert!(kept.terminate().success(), "{}", kept.log());
    }
}

#[test]
fn a_missing_dead_letter_topic_is_named_at_the_start() {
    let kafka = Kafka::shared();
    let topic = ("shop.unlettered", shop::TOPIC.1, shop::TOPIC.2);
    kafka.create_topic(topic.0, 1, &[]);
    let letters = "no.such.letters";
    let config = feed::config(kafka, "unlettered", &["promise"], &[], &[topic]).replace(
        "[kafka]\n",
        &format!("[kafka]\ndead_letter_topic = \"{letters}\"\n"),
    );
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    let missing = "does not exist on";
    until(SOON, "the missing topic is named", || {
        let log = kept.log();
        let mut lines = log.lines();
        lines.any(|line| line.contains(letters) && line.contains(missing))
    });
    assert!(kept.terminate().success(), "{}", kept.log());
}

#[test]
fn sigterm_ends_it_in_its_grace_time_and_it_leaves_the_group() {
    let kafka = Kafka::shared();
    let topic = ("shop.leaving", shop::TOPIC.1, shop::TOPIC.2);
    kafka.create_topic(topic.0, 2, &[]);
    let config = feed::config(kafka, "leaving", &["promise"], &[], &[topic])
        .replace("[kafka]\n", "[kafka]\nworkers = 2\n");
    let mut kept = Kept::run(env!("CARGO_BIN_EXE_kept"), &config);
    assert_eq!(kafka.members("leaving"), 2);
    let begin = Instant::now();
    let status = kept.terminate();
    let took = begin.elapsed();
    assert_eq!(status.code(), Some(0), "{}", kept.log());
    assert!(took < GRACE, "it took {took:?}");
    // A member that only stops talking stays for the session timeout, 10 s and more.
    assert_eq!(kafka.members("leaving"), 0);
}

#[test]
fn sigterm_ends_it_just_as_well_while_there_is_no_broker() {
    let kafka = Kafka::shared();
    let nobody = "127.0.0.1:1";
    let config = feed::config(kafka, "nobody", &["promise"], &[], &[shop::TOPIC])
        .replace(&kafka.brokers(), nobody);
    let mut kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &config);
    await_trouble(&mut kept, "broker_unreachable", 1.0);
    let begin = Instant::now();
    let status = kept.terminate();
    let took = begin.elapsed();
    assert_eq!(status.code(), Some(0), "{}", kept.log());
    assert!(took < GRACE, "it took {took:?}");
}

#[test]
fn check_with_a_broker_finds_what_is_wrong_with_the_topics() {
    let kafka = Kafka::shared();
    let stamped = ("message.timestamp.type", "LogAppendTime");
    kafka.create_topic("good.orders", 3, &[stamped]);
    kafka.create_topic("good.ends", 3, &[stamped]);
    kafka.create_topic("bad.ends", 2, &[stamped]);
    kafka.create_topic(
        "bad.compacted",
        3,
        &[stamped, ("cleanup.policy", "compact")],
    );
    let check = |ends: &str| {
        let starts: feed::Topic<'_> = ("good.orders", "order_id", &["order.placed", "payment.*"]);
        let others = ["order.picked", "order.fulfilled", "order.cancelled"];
        check(&feed::config(
            kafka,
            "checked",
            &["promise"],
            &[],
            &[starts, (ends, "order_id", &others)],
        ))
    };
    let good = check("good.ends");
    assert_eq!(
        good.status.code(),
        Some(0),
        "{}{}",
        good.stdout,
        good.stderr
    );
    for (topic, words) in [
        ("bad.ends", "equal numbers of partitions"),
        ("bad.compacted", "is compacted"),
        ("bad.missing", "does not exist"),
    ] {
        let bad = check(topic);
        let said = format!("{}{}", bad.stdout, bad.stderr);
        assert_eq!(bad.status.code(), Some(1), "{said}");
        let named = said
            .lines()
            .any(|line| line.contains(&format!("\"{topic}\"")) && line.contains(words));
        assert!(named, "{topic}: {said}");
    }
}

#[test]
fn check_with_a_broker_warns_of_entities_in_two_partitions() {
    let kafka = Kafka::shared();
    let topic: feed::Topic<'_> = ("straddled", "session_id", &["*"]);
    kafka.create_topic(topic.0, 4, &[]);
    let keyed = feed::config(kafka, "straddling", &["promise"], &[], &[topic]);
    let kept = Kept::start(env!("CARGO_BIN_EXE_kept"), &keyed);
    produce(
        &kept,
        &["s-1", "s-2", "s-3", "s-4", "s-5", "s-6"].map(placed_again),
    );
    let said = check(&keyed);
    assert_eq!(said.status.code(), Some(0), "a warning: {}", said.stderr);
    let warned = said.stderr.lines().any(|line| {
        line.contains("\"straddled\"")
            && line.contains("order_id")
            && line.contains("more than one partition")
    });
    assert!(warned, "{}", said.stderr);
}

const UNREACHABLE: [(&str, &str); 1] = [("kind", "broker_unreachable")];

/// Waits until a question for overdue orders is answered with this reason: "nobody waits" would be a
/// guess while nothing is shown.
#[track_caller]
fn await_no_list(kept: &Kept, reason: &str) {
    until(LONG, "overdue says that nothing is shown", || {
        let answer = kept.get("/api/overdue", &[]);
        answer.status == 503 && answer.text().contains(reason)
    });
}

/// Waits until this kind of trouble with Kafka was counted so often.
#[track_caller]
fn await_trouble(kept: &mut Kept, kind: &str, times: f64) {
    until(LONG, &format!("{kind} is counted"), || {
        let ended = kept.process().ended();
        assert!(ended.is_none(), "kept ended:\n{}", kept.log());
        let answer = support::get(kept.port(), "/metrics", &[]);
        answer.is_some() && {
            let counted = kept
                .scrape()
                .sum("kept_kafka_errors_total", &[("kind", kind)]);
            counted.is_some_and(|counted| counted >= times)
        }
    });
}

/// `kept check --broker` on this configuration.
fn check(config: &str) -> Finished {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("kept-check-{}-{number}.toml", std::process::id());
    let file = std::env::temp_dir().join(name);
    fs::write(&file, config).expect("the temporary folder is writable");
    let path = file.display().to_string();
    let done = finish(
        env!("CARGO_BIN_EXE_kept"),
        &["check", "--broker", "--config", &path],
        None,
    );
    let _ = fs::remove_file(&file);
    done
}

/// The same order, placed in this session.
fn placed_again(session: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{session}","source":"/shop/web","type":"order.placed","time":"2026-01-05T10:00:00Z","data":{{"order_id":"o-1","session_id":"{session}","region":"uk","channel":"web","total":"1.00","currency":"GBP","items":1}}}}"#
    )
}
