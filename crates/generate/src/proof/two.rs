//! Two Kepts that one Prometheus scrapes as one job, told apart by a label such as a namespace.
//!
//! A rule that matched or added up by the job alone would mix them or, where a side has two series
//! for one, fail as a whole. One of them is in trouble here, and that one's alert is what fires.

use catalogue::metrics::kept as own;

use super::kept::{OTHER_PLACE, PLACE, Pairs, USED};
use super::lab::{Test, constant, rising};
use crate::book::Book;
use crate::promql::minutes;
use crate::rule::Alert;

/// All of them.
pub fn tests(book: &Book<'_>, alerts: &[Alert]) -> Vec<Test> {
    let named = |name: &str| {
        let found = alerts.iter().find(|alert| alert.name == name);
        found.unwrap_or_else(|| panic!("there is no alert {name}"))
    };
    vec![
        clock(book, named("KeptClockStalled")),
        snapshots(book, named("KeptSnapshotOld")),
    ]
}

/// A Kept with its instance.
#[derive(Clone, Copy)]
struct Kept {
    namespace: &'static str,
    instance: &'static str,
}

const SHOP: Kept = Kept {
    namespace: "shop",
    instance: "one:9464",
};
const STAGING: Kept = Kept {
    namespace: "staging",
    instance: "two:9464",
};
const STEPS: u64 = 400;

fn give(book: &Book<'_>, test: &mut Test, kept: Kept, name: &str, of: Pairs, values: String) {
    let mut labels = vec![
        ("job", book.generation.job.as_str()),
        ("namespace", kept.namespace),
        ("instance", kept.instance),
    ];
    labels.extend(of);
    test.give(name, &labels, values);
}

/// One of four clocks stands still while its topic has enough records.
fn clock(book: &Book<'_>, alert: &Alert) -> Test {
    let name = "KeptClockStalled fires: in one of two namespaces";
    let mut test = Test::new(name, book.generation.interval);
    let serving: Pairs = &[("state", "serving")];
    for (kept, standing) in [(SHOP, 0), (STAGING, 15)] {
        let mut of = |name: &str, labels: Pairs, values: String| {
            give(book, &mut test, kept, name, labels, values);
        };
        of(own::CLOCK.name, PLACE, format!("1000+{standing}x{STEPS}"));
        of(own::CLOCK.name, OTHER_PLACE, format!("1000+15x{STEPS}"));
        of(own::EVENTS.name, USED, rising(10_000, STEPS));
        of(own::TASKS.name, serving, constant(1.0, STEPS));
    }
    test.fires(minutes(8), alert, false);
    test.fires(minutes(20), alert, true);
    test
}

/// The store of one never worked; that the other's does is no comfort.
fn snapshots(book: &Book<'_>, alert: &Alert) -> Test {
    let name = "KeptSnapshotOld fires: the store of one of two namespaces never worked";
    let mut test = Test::new(name, book.generation.interval);
    let reason: Pairs = &[("reason", "put")];
    let (success, failures) = (own::SNAPSHOT_SUCCESS.name, own::SNAPSHOT_FAILURES.name);
    give(book, &mut test, SHOP, failures, reason, rising(1, STEPS));
    give(book, &mut test, STAGING, failures, reason, rising(0, STEPS));
    let rate = book.generation.interval.0 / 1_000_000;
    let now = format!("0+{rate}x{STEPS}");
    give(book, &mut test, STAGING, success, PLACE, now);
    test.fires(minutes(3), alert, false);
    test.fires(minutes(8), alert, true);
    test
}
