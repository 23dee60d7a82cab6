//! Kept's own rules and alerts: their numbers, and both sides of each edge.

use catalogue::metrics::kept as own;
use events::Span;

use super::lab::{Labels, Test, constant, pairs, rising};
use super::world::label;
use super::{kept_records, kept_state, two};
use crate::alerts::kept::alerts;
use crate::book::Book;
use crate::promql::minutes;
use crate::rule::Alert;

/// All of them.
pub fn tests(book: &Book<'_>) -> Vec<Test> {
    let mut tests = kept_records::tests(book);
    let alerts = alerts(book);
    for case in cases(book) {
        let found = alerts.iter().find(|alert| alert.name == case.alert);
        let alert = found.unwrap_or_else(|| panic!("there is no alert {}", case.alert));
        tests.push(edge(book, alert, &case));
    }
    tests.extend(kept_state::tests(book, &alerts));
    tests.extend(two::tests(book, &alerts));
    tests
}

/// Labels of a series, without job and instance.
pub type Pairs = &'static [(&'static str, &'static str)];

pub const PLACE: Pairs = &[("topic", "shop.events"), ("partition", "0")];
pub const OTHER_PLACE: Pairs = &[("topic", "shop.events"), ("partition", "1")];
pub const USED: Pairs = &[
    ("topic", "shop.events"),
    ("partition", "0"),
    ("type", "order.placed"),
    ("source", "/shop/web"),
    ("outcome", "used"),
];

/// Gives a series of one instance.
pub fn give(test: &mut Test, job: &str, name: &str, labels: &[(&str, &str)], values: String) {
    let mut all = vec![("job", job), ("instance", "one:9464")];
    all.extend(labels);
    test.give(name, &all, values);
}

/// One side of an alert's edge.
struct Case {
    alert: &'static str,
    what: &'static str,
    series: Given,
    at: Span,
    yes: bool,
}

fn edge(book: &Book<'_>, alert: &Alert, case: &Case) -> Test {
    let verdict = if case.yes { "fires" } else { "is silent" };
    let name = format!("{} {verdict}: {}", case.alert, case.what);
    let mut test = Test::new(name, book.generation.interval);
    for (name, labels, values) in &case.series {
        let labels = pairs(labels);
        give(
            &mut test,
            &book.generation.job,
            name,
            &labels,
            values.clone(),
        );
    }
    test.fires(case.at, alert, case.yes);
    test
}

/// A series that many steps are given of.
const STEPS: u64 = 400;

/// Series by name, with their labels and values.
type Given = Vec<(String, Labels, String)>;

fn series(name: &str, labels: Pairs, values: String) -> (String, Labels, String) {
    let labels = labels.iter().flat_map(|(name, value)| label(name, value));
    (name.to_owned(), labels.collect(), values)
}

fn pair(alert: &'static str, at: Span, [yes, no]: [(&'static str, Given); 2]) -> [Case; 2] {
    let case = |(what, series), yes| Case {
        alert,
        what,
        series,
        at,
        yes,
    };
    [case(yes, true), case(no, false)]
}

fn cases(book: &Book<'_>) -> Vec<Case> {
    let mut cases = presence();
    cases.extend(progress());
    cases.extend(stored(book));
    cases.extend(clock(book));
    cases.extend(silence(book));
    cases.extend(inputs());
    cases.extend(skew(book));
    cases.extend(losses());
    cases
}

fn presence() -> Vec<Case> {
    let up = |value: f64| vec![series("up", &[], constant(value, STEPS))];
    let serving = |value: f64| {
        let labels: Pairs = &[("state", "serving")];
        vec![series(own::TASKS.name, labels, constant(value, STEPS))]
    };
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptDown",
        minutes(4),
        [("not scraped", up(0.0)), ("scraped", up(1.0))],
    ));
    cases.extend(pair(
        "KeptAbsent",
        minutes(4),
        [("no living target", up(0.0)), ("a living target", up(1.0))],
    ));
    cases.extend(pair(
        "KeptAbsent",
        minutes(4),
        [("no target at all", Vec::new()), ("one target", up(1.0))],
    ));
    cases.extend(pair(
        "KeptNotReady",
        minutes(8),
        [
            ("no task serves", serving(0.0)),
            ("one task serves", serving(1.0)),
        ],
    ));
    cases.push(Case {
        alert: "Watchdog",
        what: "always",
        series: Vec::new(),
        at: minutes(1),
        yes: true,
    });
    cases
}

fn progress() -> Vec<Case> {
    let lag = |seconds: f64| {
        let tasks: Pairs = &[("state", "serving")];
        vec![
            series(own::LAG_SECONDS.name, PLACE, constant(seconds, STEPS)),
            series(own::TASKS.name, tasks, constant(1.0, STEPS)),
        ]
    };
    let gauge = |name: &str, value: f64| vec![series(name, PLACE, constant(value, STEPS))];
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptBehind",
        minutes(6),
        [
            ("a lag beyond a minute", lag(60.1)),
            ("a lag of a minute", lag(60.0)),
        ],
    ));
    cases.extend(pair(
        "KeptInexact",
        minutes(4),
        [
            ("a task is not exact", gauge(own::EXACT.name, 0.0)),
            ("all are", gauge(own::EXACT.name, 1.0)),
        ],
    ));
    cases
}

/// Time is counted from 0 in these tests: a snapshot of second 0 is old after the limit, and five
/// more minutes pass until it is said.
fn stored(book: &Book<'_>) -> Vec<Case> {
    let limit = crate::alerts::snapshot::limit(book);
    let snapshot = own::SNAPSHOT_SUCCESS.name;
    let steps = STEPS + (limit.0 / book.generation.interval.0) as u64;
    let last_at = |second: u32| vec![series(snapshot, PLACE, constant(f64::from(second), steps))];
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptSnapshotOld",
        Span(limit.0 + minutes(8).0),
        [
            ("the last is older than the limit by 8m", last_at(0)),
            ("the last is younger than it by 2m", last_at(600)),
        ],
    ));
    let failures = |rate: u64| {
        let reason: Pairs = &[("reason", "put")];
        series(own::SNAPSHOT_FAILURES.name, reason, rising(rate, STEPS))
    };
    cases.extend(pair(
        "KeptSnapshotOld",
        minutes(8),
        [
            ("the store never worked", vec![failures(1)]),
            ("nothing stored, nothing failed", vec![failures(0)]),
        ],
    ));
    cases.push(Case {
        alert: "KeptSnapshotOld",
        what: "some fail, the last was stored just now",
        series: vec![failures(1), series(snapshot, PLACE, "0+15x400".to_owned())],
        at: minutes(18),
        yes: false,
    });
    cases
}

/// Two partitions with a few events in a quarter of a minute, one clock at a standstill.
fn clock(book: &Book<'_>) -> Vec<Case> {
    let quarters = (book.generation.interval.0 / 15_000_000).max(1) as u64;
    let scene = |standing: u64, events: u64| {
        let tasks: Pairs = &[("state", "serving")];
        vec![
            series(own::CLOCK.name, PLACE, format!("1000+{standing}x{STEPS}")),
            series(own::CLOCK.name, OTHER_PLACE, format!("1000+15x{STEPS}")),
            series(own::EVENTS.name, USED, rising(events * quarters, STEPS)),
            series(own::TASKS.name, tasks, constant(1.0, STEPS)),
        ]
    };
    // Forty quarters of a minute with 3 events for two partitions: 60 each; with 2: 40.
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptClockStalled",
        minutes(20),
        [
            ("it stands, its topic goes on", scene(0, 3)),
            ("it moves", scene(1, 3)),
        ],
    ));
    cases.extend(pair(
        "KeptClockStalled",
        minutes(20),
        [
            ("50 events each or more", scene(0, 3)),
            ("so quiet a topic says nothing", scene(0, 2)),
        ],
    ));
    let silent: Pairs = &[("topic", "shop.returns"), ("partition", "0")];
    let mut other = scene(15, 3);
    other.push(series(own::CLOCK.name, silent, constant(1000.0, STEPS)));
    cases.push(Case {
        alert: "KeptClockStalled",
        what: "a topic without events, while another one flows",
        series: other,
        at: minutes(20),
        yes: false,
    });
    cases
}

/// Ten minutes of records, then none for a quarter of an hour and two minutes more.
fn silence(book: &Book<'_>) -> Vec<Case> {
    let busy = minutes(10).0 / book.generation.interval.0;
    let records = |before: u64, after: u64| {
        let (until, tasks): (_, Pairs) = (before * busy as u64, &[("state", "serving")]);
        let values = format!("0+{before}x{busy} {until}+{after}x{STEPS}");
        vec![
            series(own::EVENTS.name, USED, values),
            series(own::TASKS.name, tasks, constant(1.0, STEPS)),
        ]
    };
    let few = format!("0+0x4 90+0x{STEPS}");
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptNoEvents",
        minutes(28),
        [
            ("200 records or more, then none", records(10, 0)),
            ("they go on, if fewer", records(10, 1)),
        ],
    ));
    cases.push(Case {
        alert: "KeptNoEvents",
        what: "so quiet a shop says nothing: 90 in the hour",
        series: vec![series(own::EVENTS.name, USED, few)],
        at: minutes(28),
        yes: false,
    });
    cases
}

fn inputs() -> Vec<Case> {
    let share = |name: &str, labels: Pairs, bad: u64| {
        vec![
            series(own::EVENTS.name, USED, rising(10_000, STEPS)),
            series(name, labels, rising(bad, STEPS)),
        ]
    };
    let reason: Pairs = &[
        ("topic", "shop.events"),
        ("partition", "0"),
        ("reason", "not_json"),
    ];
    let kind: Pairs = &[("topic", "shop.events"), ("partition", "0"), ("type", "a")];
    let overflow: Pairs = &[("kpi", "x"), ("label", "region"), ("partition", "0")];
    let (rejected, late, too_late) = (own::REJECTED.name, own::LATE.name, own::TOO_LATE.name);
    let counter = |rate: u64| {
        vec![series(
            own::LABEL_OVERFLOW.name,
            overflow,
            rising(rate, STEPS),
        )]
    };
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptRejects",
        minutes(20),
        [
            ("101 of 10,000", share(rejected, reason, 101)),
            ("99 of 10,000", share(rejected, reason, 99)),
        ],
    ));
    cases.extend(pair(
        "KeptEventsLate",
        minutes(25),
        [
            ("501 of 10,000", share(late, PLACE, 501)),
            ("499 of 10,000", share(late, PLACE, 499)),
        ],
    ));
    cases.extend(pair(
        "KeptEventsTooLate",
        minutes(25),
        [
            ("11 of 10,000", share(too_late, kind, 11)),
            ("9 of 10,000", share(too_late, kind, 9)),
        ],
    ));
    cases.extend(pair(
        "KeptLabelOverflow",
        minutes(5),
        [("it rises", counter(1)), ("it stands", counter(0))],
    ));
    cases
}

/// Events of the catalogue's first topic, by their mean age on arrival.
fn skew(book: &Book<'_>) -> Vec<Case> {
    let topic = &book.plan.topics[0];
    let late = topic.lateness.0 / 1_000_000;
    let aged = |sum: i64, count: u64| -> Given {
        let mut place = label("topic", &topic.name);
        place.extend(label("partition", "0"));
        place.extend(label("source", "/shop/web"));
        let (sums, counts) = (
            format!("{}_sum", own::DELAY.name),
            format!("{}_count", own::DELAY.name),
        );
        let sum = format!("0{sum:+}x{STEPS}");
        vec![
            (sums, place.clone(), sum),
            (counts, place, rising(count, STEPS)),
        ]
    };
    let mut cases = Vec::new();
    cases.extend(pair(
        "KeptProducerSkewed",
        minutes(20),
        [
            ("just later than the lateness", aged(100 * late + 1, 100)),
            ("just in time", aged(100 * late - 1, 100)),
        ],
    ));
    cases.extend(pair(
        "KeptProducerSkewed",
        minutes(20),
        [
            ("just more than two seconds ahead", aged(-201, 100)),
            ("just less than two seconds ahead", aged(-199, 100)),
        ],
    ));
    cases
}

fn losses() -> Vec<Case> {
    let entities: Pairs = &[("kpi", "x"), ("limit", "open"), ("partition", "0")];
    let topic: Pairs = &[("topic", "shop.events"), ("partition", "0")];
    let counters: [(&'static str, &str, Pairs); 3] = [
        (
            "KeptEntitiesOverflow",
            own::ENTITIES_OVERFLOW.name,
            entities,
        ),
        ("KeptDeadLettersLost", own::DEAD_LETTERS_LOST.name, &[]),
        ("KeptLogGap", own::LOG_GAP.name, topic),
    ];
    let mut cases = Vec::new();
    for (alert, name, labels) in counters {
        let counter = |rate: u64| vec![series(name, labels, rising(rate, STEPS))];
        cases.extend(pair(
            alert,
            minutes(5),
            [("it rises", counter(1)), ("it stands", counter(0))],
        ));
    }
    cases
}
