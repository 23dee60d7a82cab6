//! Totals that began at zero, and partitions that nobody has: each instance tells only what it saw,
//! and one that is started again tells nothing, so both are shown with two instances and a restart.

use catalogue::metrics::kept as own;
use events::Span;

use super::kept::{OTHER_PLACE, PLACE, Pairs};
use super::lab::{Test, rising};
use crate::book::Book;
use crate::promql::minutes;
use crate::recording::kept as recorded;
use crate::rule::Alert;

/// Both alerts, on both sides.
pub fn tests(book: &Book<'_>, alerts: &[Alert]) -> Vec<Test> {
    let found = |name: &str| alerts.iter().find(|alert| alert.name == name);
    let lost = found("KeptStateLost").expect("it is one of Kept's alerts");
    let unowned = found("KeptPartitionsUnowned").expect("it is one of Kept's alerts");
    let mut tests = vec![
        two_instances(book, lost),
        restarted(book, lost),
        long_ago(book, lost),
    ];
    tests.extend(partitions(book, unowned));
    tests
}

/// An instance with its series: where, and promtool's notation.
struct Shows<'a>(&'a str, &'a str, Pairs, String);

fn test(book: &Book<'_>, name: &str, series: &[Shows<'_>]) -> Test {
    let mut test = Test::new(name, book.generation.interval);
    for Shows(instance, name, labels, values) in series {
        let mut all = vec![("job", &book.generation.job[..]), ("instance", *instance)];
        all.extend(*labels);
        test.give(name, &all, values.clone());
    }
    test
}

/// How many samples there are until a time.
fn until(book: &Book<'_>, time: Span) -> i64 {
    time.0 / book.generation.interval.0
}

/// Nothing for five minutes, then this time, for so long.
fn lost_at_five(book: &Book<'_>, seconds: i64, shown_for: Span) -> String {
    let (before, shown) = (until(book, minutes(5)), until(book, shown_for));
    format!("_x{before} {seconds}+0x{shown}")
}

/// Three losses are two tasks: the partition that went on to a second instance, and was lost there
/// too, is one. The counters, first seen at 1, show a rate nothing.
fn two_instances(book: &Book<'_>, alert: &Alert) -> Test {
    let long = minutes(90);
    let time = own::STATE_LOST_AT.name;
    let mut test = test(
        book,
        "KeptStateLost fires: two tasks of two instances began at zero",
        &[
            Shows("one:9464", time, PLACE, lost_at_five(book, 300, long)),
            Shows("two:9464", time, PLACE, lost_at_five(book, 301, long)),
            Shows("two:9464", time, OTHER_PLACE, lost_at_five(book, 300, long)),
        ],
    );
    let job = [("job", &book.generation.job[..])];
    test.records(minutes(8), &recorded::state_lost(), &job, 2.0);
    test.records(minutes(64), &recorded::state_lost(), &job, 2.0);
    test.fires(minutes(4), alert, false);
    test.fires(minutes(8), alert, true);
    test
}

/// The instance shows it for a minute, and is started again, which it does not remember.
fn restarted(book: &Book<'_>, alert: &Alert) -> Test {
    let up = rising(0, until(book, minutes(95)).unsigned_abs());
    let values = lost_at_five(book, 300, minutes(1)) + " stale";
    let mut test = test(
        book,
        "KeptStateLost fires: seen for a minute, then Kept was restarted",
        &[
            Shows("one:9464", own::STATE_LOST_AT.name, PLACE, values),
            Shows("one:9464", own::STATE_LOST.name, &[], up),
        ],
    );
    let job = [("job", &book.generation.job[..])];
    test.fires(minutes(50), alert, true);
    test.records(minutes(63), &recorded::state_lost(), &job, 1.0);
    // After the hour it is over, and the ticket stays open for a little.
    test.nothing(minutes(67), &recorded::state_lost());
    test.fires(minutes(70), alert, true);
    test.fires(minutes(86), alert, false);
    test
}

/// What is shown still is no news: lost at the beginning, looked at after more than an hour. An
/// instance that lost nothing shows nothing.
fn long_ago(book: &Book<'_>, alert: &Alert) -> Test {
    let steps = until(book, minutes(95));
    let values = format!("0+0x{steps}");
    let mut test = test(
        book,
        "KeptStateLost is silent: the loss is more than an hour old, and one instance lost nothing",
        &[
            Shows("one:9464", own::STATE_LOST_AT.name, PLACE, values.clone()),
            Shows("two:9464", own::STATE_LOST.name, &[], values),
        ],
    );
    test.nothing(minutes(62), &recorded::state_lost());
    test.fires(minutes(85), alert, false);
    test
}

/// One instance sees them and the other doesn't look; a restart or joining anew mends it in time.
fn partitions(book: &Book<'_>, alert: &Alert) -> [Test; 2] {
    let gauge = own::WITHOUT_OWNER.name;
    let steps = until(book, minutes(20));
    let two = until(book, minutes(2));
    let all = format!("0+0x{steps}");
    let mut fires = test(
        book,
        "KeptPartitionsUnowned fires: one of two instances sees two partitions without an owner",
        &[
            Shows("one:9464", gauge, &[], all.clone()),
            Shows("two:9464", gauge, &[], format!("2+0x{steps}")),
        ],
    );
    fires.fires(minutes(2), alert, false);
    fires.fires(minutes(5), alert, true);
    let mut silent = test(
        book,
        "KeptPartitionsUnowned is silent: mended within two minutes, by joining anew and by a restart",
        &[
            Shows(
                "one:9464",
                gauge,
                &[],
                format!("0+0x3 2+0x{two} 0+0x{steps}"),
            ),
            Shows(
                "two:9464",
                gauge,
                &[],
                format!("0+0x3 2+0x{two} stale _x4 0+0x{steps}"),
            ),
        ],
    );
    for minute in [3, 5, 7, 10] {
        silent.fires(minutes(minute), alert, false);
    }
    [fires, silent]
}
