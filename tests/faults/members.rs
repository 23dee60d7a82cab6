//! Faults 7 to 12 of issue 4: instances join, leave, die, are stopped and come back as zombies, or
//! don't poll for too long, while the shop sells.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use support::{Frozen, Kept, Samples, partitions, within};

use crate::agreement::{Truth, assert_shown_is_committed};
use crate::stage::{PACE, PARTITIONS, Stage};

const LONG: Duration = Duration::from_secs(60);
/// Later than the interval in which a member must poll, and what follows from that.
const POLLED_LATE: Duration = Duration::from_secs(9);
/// For librdkafka to notice and say so, once it goes on.
const NOTICED: Duration = Duration::from_secs(3);
/// Much longer than a session.
const STOPPED: Duration = Duration::from_secs(30);
/// How long the storm lasts, and how many records are sent between one visitor and the next: in two
/// seconds.
const STORM: Duration = Duration::from_secs(60);
const VISIT_EVERY: u64 = 2 * PACE;
/// In so many records somebody who has just begun to answer listens to signals too.
const SHORTEST_VISIT: u64 = 300;

#[test]
fn a_second_and_a_third_instance_join_under_load() {
    let mut stage = Stage::new("joined", 107);
    let config = stage.config();
    let load = stage.sell(PACE);
    let first = stage.run(&config);
    load.await_more(stage.some(4000));
    let second = stage.run(&config);
    load.await_more(stage.some(4000));
    let third = stage.run(&config);
    let all = [&first, &second, &third];
    for _ in 0..10 {
        load.await_more(stage.some(800));
        all.iter()
            .for_each(|kept| assert_shown_is_committed(&stage, kept));
    }
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &all);
    for kept in all {
        assert!(!shown(kept).is_empty(), "each has a share");
    }
}

#[test]
fn one_leaves_and_one_is_killed() {
    let mut stage = Stage::new("left", 108);
    let config = stage.config();
    let load = stage.sell(PACE);
    let [mut first, mut second, mut third] = [(); 3].map(|()| stage.start(&config));
    for kept in [&mut first, &mut second, &mut third] {
        kept.await_ready();
    }
    load.await_more(3000);
    stage.watcher.history().reset_gaps();
    let status = first.terminate();
    assert!(status.success(), "{}", first.log());
    await_all_shown(&[&second, &third]);
    load.await_more(2000);
    eprintln!(
        "left: a leave's gap {:?}",
        stage.watcher.history().longest_gap()
    );

    stage.watcher.history().reset_gaps();
    second.kill();
    await_all_shown(&[&third]);
    load.await_more(2000);
    eprintln!(
        "left: a kill's gap {:?}",
        stage.watcher.history().longest_gap()
    );
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&third]);
}

/// What the stopped process answers when it goes on was asked for while others took over.
#[test]
fn a_zombie_shows_nothing_and_counts_nothing_twice() {
    let mut stage = Stage::new("zombie", 109);
    let config = stage.config();
    let load = stage.sell(PACE);
    let zombie = stage.run(&config);
    let mut other = stage.run(&config);
    load.await_more(3000);
    assert!(!shown(&zombie).is_empty() && !shown(&other).is_empty());
    zombie.pause();
    let stopped = Instant::now();
    let port = zombie.port();
    let asked = thread::spawn(move || support::get(port, "/metrics", &[]));
    await_all_shown(&[&other]);
    eprintln!(
        "zombie: all tasks are with the other after {:?}",
        stopped.elapsed()
    );
    within(LONG, "it was stopped for long", || {
        (stopped.elapsed() > STOPPED).then_some(())
    });
    zombie.resume();
    let answer = asked.join().expect("asking does not panic");
    let answer = answer.expect("it answers when it goes on");
    let answer = Samples::parse(&answer.text());
    let stale: Vec<i32> = partitions(&answer).collect();
    assert!(stale.is_empty(), "the zombie showed {stale:?}");
    load.await_more(6000);
    load.finish();
    let truth = Truth::at_the_end(&stage, &config);
    truth.agrees(&stage, &[&zombie, &other]);
    // It is a good member again: it can take over all.
    assert!(other.terminate().success(), "{}", other.log());
    truth.agrees(&stage, &[&zombie]);
}

/// Only the worker stands still: librdkafka's own threads go on and tell the group.
#[test]
fn a_worker_that_does_not_poll_loses_its_share_and_comes_back() {
    let mut stage = Stage::new("unpolled", 110);
    let config = stage.config().replace(
        "[kafka.client]\n",
        "[kafka.client]\n\"max.poll.interval.ms\" = 4000\n",
    );
    let load = stage.sell(PACE);
    let mut stuck = stage.run(&config);
    let other = stage.run(&config);
    load.await_more(3000);
    let id = stuck.process().id();
    // Inside a poll it does poll, for ever: then it is let go and stopped somewhere else.
    // Caught while the group was about to move, it is left out by the brokers before it notices.
    let caught = (0..8).any(|_| {
        eventually(POLLED_LATE, || !shown(&stuck).is_empty());
        let frozen = Frozen::threads(id, "kept-worker", LONG);
        let others = eventually(POLLED_LATE, || shown(&other).len() == PARTITIONS as usize);
        if others {
            let stale = shown(&stuck);
            assert!(stale.is_empty(), "its lease is over: {stale:?}");
        }
        frozen.thaw();
        others && eventually(NOTICED, || stuck.log().contains("aximum poll interval"))
    });
    assert!(
        caught,
        "never told that it polled too late:\n{}",
        stuck.log()
    );
    load.await_more(6000);
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&stuck, &other]);
}

/// Every two seconds somebody joins and whoever came before leaves. Some leave within a second: what was
/// revoked comes back before it was missed.
#[test]
fn a_storm_of_joins_and_leaves() {
    let mut stage = Stage::new("storm", 111);
    let config = stage.config();
    let load = stage.sell(PACE);
    let steady = stage.run(&config);
    let begin = Instant::now();
    let (mut visits, mut visitor): (u32, Option<Kept>) = (0, None);
    while begin.elapsed() < STORM {
        let stays = SHORTEST_VISIT + stage.some(VISIT_EVERY - SHORTEST_VISIT);
        let next = stage.start(&config);
        within(LONG, "it can be asked to leave", || {
            support::get(next.port(), "/livez", &[])
        });
        let before = visitor.replace(next);
        visits += 1;
        before.into_iter().for_each(leave);
        load.await_more(stays);
        if stays < PACE {
            visitor.take().into_iter().for_each(leave);
        }
        load.await_more(VISIT_EVERY - stays);
    }
    visitor.into_iter().for_each(leave);
    load.finish();
    eprintln!("storm: {visits} visits");
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&steady]);
}

#[test]
fn a_second_process_of_the_same_instance_id_ends_the_first_with_one_message() {
    let mut stage = Stage::new("twins", 112);
    let config = stage.config().replace(
        "[kafka.client]\n",
        "[kafka.client]\n\"group.instance.id\" = \"twin\"\n",
    );
    let load = stage.sell(PACE);
    let mut first = stage.run(&config);
    load.await_more(2000);
    let mut second = stage.start(&config);
    let status = within(LONG, "the first ends", || first.process().ended());
    let log = first.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let message = "another process uses this group.instance.id (";
    assert_eq!(log.matches(message).count(), 1, "{log}");
    let errors = log.lines().filter(|line| line.contains("ERROR"));
    assert_eq!(
        errors.count(),
        1,
        "nothing else is said as an error:\n{log}"
    );
    second.await_ready();
    load.finish();
    Truth::at_the_end(&stage, &config).agrees(&stage, &[&second]);
}

fn leave(mut kept: Kept) {
    let status = kept.terminate();
    assert!(status.success(), "{}", kept.log());
}

/// Whether it comes to hold within `limit`.
fn eventually(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    within(2 * limit, "an answer", || {
        let held = holds();
        (held || begin.elapsed() > limit).then_some(held)
    })
}

/// The partitions that an instance shows now; none while it turns scrapes away, as it does when a
/// thread that was frozen half-way through holds up the others.
fn shown(kept: &Kept) -> BTreeSet<i32> {
    let answer = kept.get("/metrics", &[("Accept", "text/plain;version=0.0.4")]);
    if answer.status == 503 {
        return BTreeSet::new();
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    partitions(&Samples::parse(&answer.text())).collect()
}

/// Waits until these instances show all tasks, each once.
#[track_caller]
fn await_all_shown(kepts: &[&Kept]) {
    within(LONG, "all tasks are shown", || {
        let each: Vec<i32> = kepts.iter().flat_map(|kept| shown(kept)).collect();
        let all: BTreeSet<i32> = each.iter().copied().collect();
        (each.len() == all.len() && all.len() == PARTITIONS as usize).then_some(())
    });
}
