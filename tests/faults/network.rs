//! Fault 13 of issue 4: a slow line to the broker, connections that are cut or silent, and a broker
//! that is killed and comes back.

use std::time::Duration;

use support::within;

use crate::agreement::Truth;
use crate::stage::{PACE, Stage, await_metrics};

#[test]
fn a_slow_line_and_connections_that_are_cut_or_silent() {
    let mut stage = Stage::new("line", 113);
    let kafka = stage.kafka();
    let config = stage
        .config()
        .replace(&kafka.brokers(), &kafka.proxied_brokers());
    kafka.proxy().set_round_trip(Duration::from_millis(300));
    let load = stage.sell(PACE);
    let first = stage.run(&config);
    let second = stage.run(&config);
    load.await_more(6000);
    for _ in 0..5 {
        let some = stage.some(2000);
        stage.kafka().proxy().cut();
        load.await_more(some);
    }
    // Silence of less than a session, then of more: the lease ends, and so does the membership.
    for records in [3000, 12_000] {
        stage.kafka().proxy().stall(true);
        load.await_more(records);
        stage.kafka().proxy().stall(false);
        load.await_more(6000);
    }
    stage.kafka().proxy().set_round_trip(Duration::ZERO);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&first, &second]);
}

#[test]
fn a_broker_that_is_killed_and_comes_back() {
    let mut stage = Stage::with_own_broker("broker", 213);
    let config = stage.config();
    let load = stage.sell(PACE);
    let first = stage.run(&config);
    let mut second = stage.run(&config);
    load.await_more(4000);
    stage.own_kafka().stop();
    await_metrics(&first, "the broker is missed", |samples| {
        let kind = [("kind", "broker_unreachable")];
        samples.sum("kept_kafka_errors_total", &kind) > Some(0.0)
    });
    within(Duration::from_secs(30), "the lease is over", || {
        let shown = [&first, &second].map(|kept| support::partitions(&kept.scrape()).count());
        (shown == [0, 0]).then_some(())
    });
    stage.own_kafka().restart();
    load.await_more(4000);
    // And once more, with a crash of an instance while the broker is away.
    stage.own_kafka().stop();
    second.kill();
    let second = stage.start(&config);
    stage.own_kafka().restart();
    load.await_more(4000);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&first, &second]);
}
