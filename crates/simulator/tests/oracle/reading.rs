//! The oracle itself on examples small enough to be worked out by hand from the design's text.

use std::sync::Arc;

use catalogue::plan::{Plan, TopicId};
use engine::Task;
use engine::view::KindView;
use events::{EventTime, KafkaTime};
use simulator::oracle::{Expected, ExpectedFunnel, ExpectedKpi, ExpectedPromise, Oracle, read};

use super::plans::Recipe;
use simulator::compare::differences;

/// Within 10 s, lateness 2 s on both topics, horizon 60 s, hold 5 s; ends on a topic of their own.
fn recipe() -> Recipe {
    Recipe {
        topics: 2,
        end_topic: 1,
        step_topics: [0, 1],
        lateness: vec![2, 2],
        within: 10,
        horizon: 60,
        hold: 5,
        idle_timeout: 20,
        recover: 100,
        dedupe: 30,
        windows: vec![5],
        label_values: 10,
    }
}

const BASE: i64 = 1_767_607_200;

/// Plays `topic seconds type key` lines, in this order; Kafka's time is the event's. The engine
/// plays along and must agree, and so must one that goes on from a snapshot of it.
fn play(script: &str, display: i64) -> Expected {
    let plan = Arc::new(recipe().plan());
    let (oracle, mut task) = fed(&plan, script);
    let mut copy = restored(&plan, &mut task);
    let display = EventTime((BASE + display) * 1_000_000);
    let expected = oracle.expect(0, 0, &[i64::MAX, i64::MAX], display);
    for task in [&mut task, &mut copy] {
        let found = differences(&plan, &task.view(display), &expected).join("\n  ");
        assert!(found.is_empty(), "{script}\n  {found}");
    }
    expected
}

fn restored(plan: &Arc<Plan>, task: &mut Task) -> Task {
    let snapshot = task.save(b"");
    let restored = Task::restore(Arc::clone(plan), 0, 0, &snapshot);
    restored.expect("a sound snapshot").task
}

/// The oracle and a task behind the last line.
fn fed(plan: &Arc<Plan>, script: &str) -> (Oracle, Task) {
    let mut oracle = Oracle::new(Arc::clone(plan));
    let mut task = Task::new(Arc::clone(plan), 0, 0);
    for (number, line) in script
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .enumerate()
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let topic: u16 = words[0].parse().expect("a topic");
        let time: i64 = BASE + words[1].parse::<i64>().expect("seconds");
        let instant = jiff::Timestamp::from_second(time).expect("a time");
        let (name, key) = (words[2], words[3]);
        let rest = words
            .get(4)
            .map_or(String::new(), |rest| format!(",{rest}"));
        let value = format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"/test","type":"{name}",
               "time":"{instant}","data":{{"order_id":"{key}","cart_id":"{key}"{rest}}}}}"#
        );
        let (offset, stamp) = (number as i64, Some(KafkaTime(time * 1_000_000)));
        let read = read(plan, stamp, Some(value.as_bytes())).expect("an event");
        let values = read.values();
        task.apply(usize::from(topic), offset, stamp, Ok(&read.event(&values)));
        oracle.record(TopicId(topic), 0, offset, stamp, Some(value.as_bytes()));
    }
    (oracle, task)
}

fn promise(script: &str, display: i64) -> ExpectedPromise {
    let expected = play(script, display);
    let ExpectedKpi::Promise(series) = &expected.kpis[0] else {
        panic!("the first is a promise")
    };
    series[&vec!["unknown".to_owned()]].clone()
}

fn funnel(script: &str, ordered: bool) -> ExpectedFunnel {
    let expected = play(script, 0);
    let ExpectedKpi::Funnel(series) = &expected.kpis[1 + usize::from(ordered)] else {
        panic!("the second and third are funnels")
    };
    series[&vec!["unknown".to_owned()]].clone()
}

#[test]
fn an_end_in_time_keeps_and_one_a_second_over_breaks() {
    let it = promise(
        "0 0 order.placed a
         0 0 order.placed b
         1 10 order.fulfilled a
         1 11 order.fulfilled b",
        11,
    );
    assert_eq!(
        (it.counters.kept, it.counters.broken, it.counters.completed),
        (1, 1, 2)
    );
}

#[test]
fn an_order_is_broken_when_the_end_s_clock_reaches_its_deadline() {
    let script = |clock: i64| format!("0 0 order.placed a\n1 {clock} order.fulfilled other");
    assert_eq!(promise(&script(11), 0).counters.broken, 0);
    assert_eq!(promise(&script(12), 0).counters.broken, 1);
    let late_pipe = promise(&format!("{}\n1 9 order.fulfilled a", script(12)), 0);
    assert_eq!(
        (
            late_pipe.counters.broken,
            late_pipe.counters.judged_too_early
        ),
        (1, 1)
    );
}

#[test]
fn a_cancel_takes_out_before_the_deadline_and_only_closes_after_it() {
    let before = promise(
        "0 0 order.placed a\n1 5 order.cancelled a\n1 50 order.picked a",
        60,
    );
    assert_eq!((before.counters.broken, before.counters.cancelled), (0, 1));
    let after = promise(
        "0 0 order.placed a\n1 12 order.picked z\n1 13 order.cancelled a",
        60,
    );
    assert_eq!((after.counters.broken, after.counters.cancelled), (1, 1));
}

#[test]
fn a_cancel_seen_at_the_deadline_is_too_late_even_if_it_comes_before_its_start() {
    let cancelled = |clock: i64| {
        let script = format!("1 {clock} order.picked z\n1 9 order.cancelled a\n0 0 order.placed a");
        promise(&script, 0).counters
    };
    assert_eq!((cancelled(11).broken, cancelled(11).cancelled), (0, 1));
    assert_eq!((cancelled(12).broken, cancelled(12).cancelled), (1, 1));
}

#[test]
fn an_end_waits_for_its_start_no_longer_than_hold() {
    let script = |clock: i64| {
        format!("1 3 order.fulfilled a\n0 {clock} order.placed other\n0 1 order.placed a")
    };
    assert_eq!(promise(&script(8), 0).counters.completed, 1);
    let given_up = promise(&script(9), 0).counters;
    assert_eq!((given_up.completed, given_up.ends_without_start), (0, 1));
}

#[test]
fn a_second_start_is_a_repeat_until_horizon_and_lateness_have_passed() {
    let script =
        |clock: i64| format!("0 0 order.placed a\n0 {clock} order.placed b\n0 1 order.placed a");
    assert_eq!(promise(&script(62), 0).counters.repeated, 1);
    assert_eq!(promise(&script(63), 0).counters.repeated, 0);
}

#[test]
fn nothing_comes_and_the_order_is_overdue_then_unjudged() {
    let it = |display| promise("0 0 order.placed a", display);
    assert_eq!(
        (it(10).overdue, it(10).windows[0].pending),
        (0, 1),
        "at its limit, not past it"
    );
    assert_eq!((it(11).overdue, it(11).overdue_unjudged), (1, 0));
    assert_eq!((it(12).overdue_unjudged, it(15).windows[0].broken), (1, 1));
}

#[test]
fn an_order_that_nobody_ends_expires_and_is_broken() {
    let it = promise("0 0 order.placed a\n1 63 order.fulfilled b", 100);
    assert_eq!(
        (it.counters.expired, it.counters.broken, it.open),
        (1, 1, 0)
    );
}

#[test]
fn steps_are_timed_and_open_orders_wait_for_the_next_one() {
    let it = promise(
        "0 0 order.placed a
         0 2 payment.authorized a
         1 5 order.picked a
         1 9 order.fulfilled a
         0 1 order.placed b
         0 4 payment.authorized b",
        10,
    );
    let seconds =
        |leg: usize| -> Vec<f64> { it.steps[leg].iter().map(|span| span.seconds()).collect() };
    assert_eq!(
        (seconds(0), seconds(1), seconds(2)),
        (vec![2.0, 3.0], vec![3.0], vec![4.0])
    );
    assert_eq!(it.open_at_step, [0, 1, 0]);
}

#[test]
fn an_abandoned_cart_leaves_its_value_and_may_come_back() {
    let add = r#""product_id":"p","quantity":2,"price":"1.25","currency":"EUR""#;
    let gone = format!("0 0 cart.item_added a {add}\n0 23 cart.viewed z");
    let it = funnel(&gone, false);
    assert_eq!((it.abandoned[0], it.recovered, it.open), (1, 0, 0));
    assert_eq!(it.value["EUR"], 2_500_000_000);
    let back = funnel(
        &format!("{gone}\n0 24 checkout.started a\n0 25 cart.bought a"),
        false,
    );
    assert_eq!((back.abandoned[0], back.recovered, back.open), (1, 1, 1));
    assert_eq!(back.reached, [1, 1, 1]);
}

#[test]
fn an_ordered_funnel_takes_stages_in_order_only() {
    let script = "0 0 checkout.started a\n0 1 cart.item_added a\n0 2 cart.bought a";
    assert_eq!(funnel(script, false).reached, [1, 1, 1]);
    assert_eq!(funnel(script, true).reached, [1, 0, 0]);
}

#[test]
fn a_malformed_amount_is_an_error_of_the_count_that_adds_it_up() {
    let plan = Arc::new(recipe().plan());
    let script = "0 0 order.placed a \"total\":\"x\",\"currency\":\"EUR\"";
    let mut task = fed(&plan, script).1;
    let mut copy = restored(&plan, &mut task);
    for task in [&mut task, &mut copy] {
        let view = task.view(EventTime(BASE * 1_000_000));
        let errors = |kpi: usize| -> Vec<(String, u64)> {
            let errors = view.kpis[kpi].field_errors.iter();
            let errors = errors.filter(|error| error.1 > 0);
            errors
                .map(|(field, count)| (field.to_string(), *count))
                .collect()
        };
        assert_eq!(errors(3), [("total".to_owned(), 1)]);
        assert_eq!(errors(1), [], "the cart doesn't read it");
    }
}

/// An order of 50 seconds, seen 40 seconds after it began: it was at risk up to that age.
#[test]
fn an_order_that_ended_after_the_display_time_was_open_at_it() {
    let plan = Arc::new(recipe().plan());
    let script = "0 0 order.placed a\n1 50 order.fulfilled a";
    let view = fed(&plan, script)
        .1
        .view(EventTime((BASE + 40) * 1_000_000));
    let KindView::Promise(series) = &view.kpis[0].series else {
        panic!("the first is a promise")
    };
    let table = series[0].windows[0].with_open.as_ref();
    let age = table.and_then(|table| table.quantiles([0.95]));
    let [age] = age.expect("an order was at risk");
    assert!((35.0..=45.0).contains(&age), "{age}");
}
