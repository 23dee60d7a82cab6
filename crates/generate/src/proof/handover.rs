//! What must not change a number: a partition that changes hands, a restart. And what must show:
//! no orders is 0, no data is nothing.

use catalogue::metrics::SeriesId;
use catalogue::plan::Kpi;
use events::Span;

use super::lab::{Test, pairs, rising};
use super::world::World;
use crate::book::{Book, FAST};
use crate::promql::{Level, increase, minutes};
use crate::recording::promise::Shares;

/// Between scrapes, and between evaluations: whatever the catalogue says, the numbers of scrapes
/// below are about this.
pub const STEP: Span = Span::from_seconds(15);
/// Orders completed in each step.
const RATE: u64 = 7;
/// Until the end of the test: 20 minutes of quarter minutes.
const STEPS: u64 = 80;

/// Those of one promise.
pub fn tests(book: &Book<'_>, kpi: &Kpi) -> Vec<Test> {
    vec![
        hand_over(book, kpi),
        restart(book, kpi),
        state_lost(book, kpi),
        no_orders(book, kpi),
    ]
}

fn given(kpi: &Kpi, instance: &str) -> Vec<(String, String)> {
    let part = World::parts(kpi).swap_remove(0);
    let fixed = [("job", "kept"), ("instance", instance), ("partition", "0")];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    part.into_iter().chain(fixed).collect()
}

/// Five minutes of orders at the steady rate.
fn truth(test: &Test) -> f64 {
    (RATE * test.steps(FAST)) as f64
}

/// The old owner goes on showing its last view for four scrapes while the new one shows more; then
/// nobody shows anything for two scrapes; then the first one again. (A gap at the very edge of the
/// window is not looked at: there Prometheus guesses.)
fn hand_over(book: &Book<'_>, kpi: &Kpi) -> Test {
    let mut test = Test::new(format!("{}: a partition changes hands", kpi.id), STEP);
    let name = book.metric(kpi, SeriesId::Completed);
    let first = RATE * 30;
    let old = format!("0+{RATE}x30 {first}+0x4 stale _x23 {}+{RATE}x20", RATE * 60);
    let new = format!("_x32 {}+{RATE}x24 stale", RATE * 32);
    test.give(&name, &pairs(&given(kpi, "one:9464")), old);
    test.give(&name, &pairs(&given(kpi, "two:9464")), new);
    let recorded = increase("job", &name, FAST);
    for after in [34, 40, 46, 62, 70, 75] {
        let at = Span(STEP.0 * after);
        let value = truth(&test);
        test.records(at, &recorded, &[("job", "kept")], value);
    }
    test
}

/// Away for two minutes, then back with what happened meanwhile: not a single order is lost or
/// counted twice, and nothing fires about it.
fn restart(book: &Book<'_>, kpi: &Kpi) -> Test {
    let mut test = Test::new(format!("{}: a restart", kpi.id), STEP);
    let name = book.metric(kpi, SeriesId::Completed);
    let values = format!("0+{RATE}x30 stale _x7 {}+{RATE}x40", RATE * 39);
    test.give(&name, &pairs(&given(kpi, "one:9464")), values);
    let recorded = increase("job", &name, FAST);
    for after in [44, 46, 70] {
        let at = Span(STEP.0 * after);
        let value = truth(&test);
        test.records(at, &recorded, &[("job", "kept")], value);
    }
    for about in ["PromiseStalled", "PromiseMissed"] {
        test.nothing(minutes(12), &format!("ALERTS{{alertname=\"{about}\"}}"));
    }
    test
}

/// State that is lost begins at 0 again: what comes after counts once, and never the old total.
fn state_lost(book: &Book<'_>, kpi: &Kpi) -> Test {
    let mut test = Test::new(format!("{}: state is lost", kpi.id), STEP);
    let name = book.metric(kpi, SeriesId::Completed);
    // 40 steps up to 280, then from 0 on: at step 50 the window has steps 31 to 50.
    let values = format!("0+{RATE}x39 0+{RATE}x{}", STEPS - 40);
    test.give(&name, &pairs(&given(kpi, "one:9464")), values);
    let steps = test.steps(FAST);
    // One step of the window is the fall to 0, in which nothing is known to have happened; the 19
    // steps between 20 samples stand for 20.
    let known = (steps - 2) * RATE;
    let value = known as f64 * steps as f64 / (steps - 1) as f64;
    let recorded = increase("job", &name, FAST);
    let at = Span(STEP.0 * 50);
    test.records(at, &recorded, &[("job", "kept")], value);
    let later = truth(&test);
    let at = Span(STEP.0 * 75);
    test.records(at, &recorded, &[("job", "kept")], later);
    test
}

fn no_orders(book: &Book<'_>, kpi: &Kpi) -> Test {
    let mut test = Test::new(format!("{}: no orders, then no data", kpi.id), STEP);
    let promises = book.metric(kpi, SeriesId::Promises);
    let unjudged = book.metric(kpi, SeriesId::OverdueUnjudged);
    for result in ["kept", "broken"] {
        let mut labels = given(kpi, "one:9464");
        labels.push(("result".to_owned(), result.to_owned()));
        let values = format!("{} stale", rising(0, 40));
        test.give(&promises, &pairs(&labels), values);
    }
    let labels = given(kpi, "one:9464");
    test.give(
        &unjudged,
        &pairs(&labels),
        format!("{} stale", rising(0, 40)),
    );
    let names = Shares::new(book, kpi, Level::All);
    let (judged, errors) = (names.judged(FAST), names.errors(FAST));
    let orders = minutes(9);
    test.records(orders, &judged, &[("job", "kept")], 0.0);
    test.nothing(orders, &errors);
    let nothing = minutes(20);
    test.nothing(nothing, &judged);
    test.nothing(nothing, &errors);
    test
}
