//! The display time of what is shown: the least of a task's partitions' (DESIGN 3.5), each behind by
//! its lateness, and never earlier than it was.

use catalogue::plan::TopicId;

use crate::plans::{MORNING, SECOND, event, joined};
use crate::rig::{Rig, TASK};

const LATENESS: i64 = 30;

/// Two joined topics, read to their ends, where the clocks are at 99 and 49 seconds.
fn reading() -> Rig {
    let mut rig = Rig::new(&joined());
    rig.append(0, "order.placed", 100);
    rig.append(1, "order.fulfilled", 50);
    rig.assign();
    rig.pass(3);
    rig
}

/// The display time of what is shown, in seconds since ten; a view is up to a second old.
fn display(rig: &Rig) -> i64 {
    (rig.board[&TASK].display.0 - MORNING) / SECOND
}

fn now(rig: &Rig) -> i64 {
    (rig.world.now - MORNING) / SECOND
}

/// Records that the worker reads one a tenth of a second, the first of them `from` after ten.
fn append_slow(rig: &mut Rig, topic: u16, kind: &str, from: i64, step: i64) {
    rig.world.batch = 1;
    for number in 0..300 {
        let second = from + number * step;
        let record = (event(kind, second), MORNING + second * SECOND);
        rig.log(topic).records.push(Some(record));
    }
}

#[test]
fn at_the_ends_of_all_logs_it_is_now_less_the_lateness() {
    let mut rig = reading();
    for _ in 0..5 {
        rig.pass(3);
        let behind = now(&rig) - display(&rig);
        assert!(
            (LATENESS..=LATENESS + 2).contains(&behind),
            "{behind} s behind"
        );
    }
}

#[test]
fn behind_the_ends_it_follows_the_slowest_clock_less_the_lateness() {
    let mut rig = reading();
    append_slow(&mut rig, 0, "order.placed", 900, 1);
    append_slow(&mut rig, 1, "order.fulfilled", 700, 1);
    rig.pass(10);
    let expected = 700 + 100 - LATENESS;
    let shown = display(&rig);
    assert!(
        (expected - 15..=expected).contains(&shown),
        "{shown}, not {expected}"
    );
}

#[test]
fn an_end_that_was_seen_long_ago_is_no_end() {
    let mut rig = reading();
    let seen = now(&rig);
    for _ in 0..120 {
        rig.world.now += SECOND / 10;
        rig.tick();
        rig.settle();
    }
    let shown = display(&rig);
    assert!(
        (seen + 3 - LATENESS..=seen + 5 - LATENESS).contains(&shown),
        "{shown} with an end seen at {seen}"
    );
}

#[test]
fn it_does_not_go_back_when_a_log_grows_faster_than_it_is_read() {
    let mut rig = reading();
    let before = display(&rig);
    rig.append(0, "order.placed", 5);
    rig.append(1, "order.fulfilled", 5);
    rig.world.batch = 0;
    rig.pass(5);
    assert!(display(&rig) >= before, "{} < {before}", display(&rig));
}

#[test]
fn a_topic_waits_for_one_that_is_five_minutes_behind() {
    let mut rig = reading();
    append_slow(&mut rig, 0, "order.placed", 500, 10);
    append_slow(&mut rig, 1, "order.fulfilled", 400, 1);
    rig.pass(10);
    let clocks = rig.worker.standings().filter_map(|entry| entry.2.clock);
    let clocks: Vec<i64> = clocks.map(|clock| (clock.0 - MORNING) / SECOND).collect();
    let ahead = clocks[0] - clocks[1];
    assert!((280..=310).contains(&ahead), "{ahead} s ahead");
    assert!(rig.paused.contains(&(TopicId(0), 0)));
    rig.pass(30);
    assert!(rig.paused.is_empty(), "the other is at its end");
}
