//! The numbers of Kept's own recording rules.

use catalogue::metrics::kept as own;
use events::Span;

use super::kept::{OTHER_PLACE, PLACE, Pairs, USED, give};
use super::lab::{Test, constant, rising};
use crate::book::{Book, HOUR};
use crate::promql::partition_max;
use crate::recording::kept as recorded;

/// All of them.
pub fn tests(book: &Book<'_>) -> Vec<Test> {
    vec![records(book), shares(book)]
}

/// Counters with what they rise by in a step.
const COUNTERS: [(&str, Pairs, u64); 8] = [
    (own::EVENTS.name, USED, 40),
    (
        own::REJECTED.name,
        &[
            ("topic", "shop.events"),
            ("partition", "0"),
            ("reason", "not_json"),
        ],
        3,
    ),
    (own::LATE.name, PLACE, 5),
    (
        own::TOO_LATE.name,
        &[
            ("topic", "shop.events"),
            ("partition", "0"),
            ("type", "order.placed"),
        ],
        2,
    ),
    (
        own::LABEL_OVERFLOW.name,
        &[("kpi", "x"), ("label", "region"), ("partition", "0")],
        7,
    ),
    (
        own::ENTITIES_OVERFLOW.name,
        &[("kpi", "x"), ("limit", "open"), ("partition", "0")],
        11,
    ),
    (own::DEAD_LETTERS_LOST.name, &[], 13),
    (
        own::LOG_GAP.name,
        &[("topic", "shop.events"), ("partition", "0")],
        17,
    ),
];

/// The recorded numbers: counters by step, looked at after an hour and five minutes.
fn records(book: &Book<'_>) -> Test {
    let job = book.generation.job.as_str();
    let mut test = Test::new("every recording rule of Kept", book.generation.interval);
    let at = super::SHORT_AT;
    let steps = test.steps(at);
    let place = [("job", job), ("topic", "shop.events"), ("partition", "0")];
    let seen = ((at.0 - book.generation.query_offset.0) / test.step.0) as u64;
    for (name, labels, rate) in COUNTERS {
        give(&mut test, job, name, labels, rising(rate, steps));
        if labels.iter().any(|label| label.0 == "partition") {
            let mut all = vec![("job", job)];
            all.extend(labels);
            let value = (rate * seen) as f64;
            test.records(at, &partition_max(name), &all, value);
        }
    }
    let hour = test.steps(HOUR) as f64;
    let only_job = [("job", job)];
    let topic = [("job", job), ("topic", "shop.events")];
    let kpi = |name, value| [("job", job), ("kpi", "x"), (name, value)];
    test.records(at, &recorded::letters_lost(), &only_job, 13.0 * hour);
    test.records(at, &recorded::log_gap(), &topic, 17.0 * hour);
    test.records(
        at,
        &recorded::label_overflow(),
        &kpi("label", "region"),
        7.0 * hour,
    );
    test.records(
        at,
        &recorded::entities_overflow(),
        &kpi("limit", "open"),
        11.0 * hour,
    );
    give(&mut test, job, own::CLOCK.name, PLACE, rising(15, steps));
    let value = (15 * seen) as f64;
    test.records(at, &partition_max(own::CLOCK.name), &place, value);
    pipe(&mut test, job, at, seen);
    test
}

/// Lag, delay, tasks: 3 tasks catch up, 5 serve, one of two partitions lags by more than a minute,
/// and a source's events are 4 seconds old on arrival.
fn pipe(test: &mut Test, job: &str, at: Span, seen: u64) {
    let steps = test.steps(at);
    let (lag, tasks) = (own::LAG_SECONDS.name, own::TASKS.name);
    give(test, job, lag, PLACE, constant(61.0, steps));
    give(test, job, lag, OTHER_PLACE, constant(60.0, steps));
    // While it changes hands, two instances show a partition: it lags once.
    let mut twice = vec![("job", job), ("instance", "two:9464")];
    twice.extend(PLACE);
    test.give(lag, &twice, constant(60.5, steps));
    give(
        test,
        job,
        tasks,
        &[("state", "catching_up")],
        constant(3.0, steps),
    );
    give(
        test,
        job,
        tasks,
        &[("state", "serving")],
        constant(5.0, steps),
    );
    let only_job = [("job", job)];
    test.records(at, &recorded::worst_lag(), &only_job, 61.0);
    test.records(at, &recorded::behind(), &only_job, 4.0);
    test.records(at, &recorded::serving(), &only_job, 5.0);
    let source: Pairs = &[
        ("topic", "shop.events"),
        ("partition", "0"),
        ("source", "/shop/web"),
    ];
    for (part, rate) in [("sum", 40), ("count", 10)] {
        let name = format!("{}_{part}", own::DELAY.name);
        give(test, job, &name, source, rising(rate, steps));
        let mut labels = vec![("job", job)];
        labels.extend(source);
        test.records(at, &partition_max(&name), &labels, (rate * seen) as f64);
    }
    let by_source = [
        ("job", job),
        ("topic", "shop.events"),
        ("source", "/shop/web"),
    ];
    test.records(at, &recorded::mean_delay(), &by_source, 4.0);
}

/// Events by type and by topic; of 40 + 10 records a step 3 are rejected, 5 late and 2 too late.
fn shares(book: &Book<'_>) -> Test {
    let job = book.generation.job.as_str();
    let mut test = Test::new("shares of what Kept reads", book.generation.interval);
    let at = super::SHORT_AT;
    let steps = test.steps(at);
    give(&mut test, job, own::EVENTS.name, USED, rising(40, steps));
    let rejected: Pairs = &[
        ("topic", "shop.events"),
        ("partition", "1"),
        ("type", "unknown"),
        ("source", "unknown"),
        ("outcome", "rejected"),
    ];
    give(
        &mut test,
        job,
        own::EVENTS.name,
        rejected,
        rising(10, steps),
    );
    let reason: Pairs = &[
        ("topic", "shop.events"),
        ("partition", "0"),
        ("reason", "not_json"),
    ];
    let late_type: Pairs = &[("topic", "shop.events"), ("partition", "0"), ("type", "a")];
    give(&mut test, job, own::REJECTED.name, reason, rising(3, steps));
    give(&mut test, job, own::LATE.name, PLACE, rising(5, steps));
    give(
        &mut test,
        job,
        own::TOO_LATE.name,
        late_type,
        rising(2, steps),
    );
    let topic = [("job", job), ("topic", "shop.events")];
    let ten = test.steps(recorded::TEN) as f64;
    let hour = test.steps(HOUR) as f64;
    test.records(
        at,
        &recorded::topic_events(recorded::TEN),
        &topic,
        50.0 * ten,
    );
    test.records(at, &recorded::topic_events(HOUR), &topic, 50.0 * hour);
    let by_type = [("job", job), ("type", "order.placed")];
    test.records(at, &recorded::events_by_type(), &by_type, 40.0 * ten);
    test.records(at, &recorded::rejected_share(), &topic, 3.0 / 50.0);
    test.records(at, &recorded::late_share(), &topic, 5.0 / 50.0);
    test.records(at, &recorded::too_late_share(), &topic, 2.0 / 50.0);
    test
}
