//! Unit tests of the rules for promtool: every rule with its number, every alert on both sides of
//! its edge, a hand-over, a restart, no orders and no data.

mod burn;
mod handover;
mod kept;
mod kept_records;
mod kept_state;
mod lab;
mod missing;
mod promise;
mod records;
mod targets;
mod two;
mod world;

use catalogue::plan::Kind;
use events::Span;

use crate::File;
use crate::book::Book;
use crate::promql::{days, hours, minutes};
use crate::rule::Group;
use lab::Test;

/// Rules over days are given a sample in five minutes and evaluated each quarter of an hour: three
/// days of quarter minutes take long. A sample must not be older than five minutes.
const LONG_STEP: Span = minutes(5);
const LONG_INTERVAL: Span = minutes(15);
/// When they are looked at: after three days and what an hourly sum lags.
const LONG_AT: Span = Span(days(3).0 + hours(2).0);
/// When the others are looked at.
const SHORT_AT: Span = minutes(65);

/// The test files: of Kept, of all recording rules, of each KPI with alerts, and of partitions that
/// change hands; those over days are apart.
pub fn files(book: &Book<'_>, header: &str, groups: &[Group]) -> Vec<File> {
    let order: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    let (often, seldom) = (book.generation.interval, LONG_INTERVAL);
    let file = |name: &str, interval: Span, tests: &[Test]| File {
        path: format!("prometheus/tests/{name}.yml"),
        text: lab::file(header, &order, interval, tests),
    };
    let mut files = vec![file("kept", often, &kept::tests(book))];
    for (name, interval, long) in [("records", often, false), ("records-days", seldom, true)] {
        let tests = recorded(book, long);
        if !tests.is_empty() {
            files.push(file(name, interval, &tests));
        }
    }
    let mut handed_over = Vec::new();
    for (id, kpi) in book.kpis() {
        let (mut short, mut long) = (targets::tests(book, id, kpi), Vec::new());
        if let Kind::Promise(definition) = &kpi.kind {
            handed_over.extend(handover::tests(book, kpi));
            let (of_hour, of_days) = promise::tests(book, id, kpi, definition);
            short.extend(of_hour);
            long.extend(of_days);
        }
        let name = format!("kpi-{}", kpi.id);
        if !short.is_empty() {
            files.push(file(&name, often, &short));
        }
        if !long.is_empty() {
            files.push(file(&format!("{name}-days"), seldom, &long));
        }
    }
    if !handed_over.is_empty() {
        files.push(file("handover", handover::STEP, &handed_over));
    }
    files
}

/// Whether `files` gives a test file this name, for one catalogue or another. No KPI's id has a `-`.
pub fn is_name(name: &str) -> bool {
    let name = name.strip_suffix("-days").unwrap_or(name);
    match name.strip_prefix("kpi-") {
        Some(kpi) => !kpi.contains('-'),
        None => ["kept", "records", "handover"].contains(&name),
    }
}

/// Every recording rule of every KPI. Those that follow events share one test, since the rules of
/// all are evaluated in each; ratios read the same counters with numbers of their own.
fn recorded(book: &Book<'_>, long: bool) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    let mut shared: Option<Test> = None;
    for (id, kpi) in book.kpis() {
        let Some(test) = records::test(book, id, kpi, long) else {
            continue;
        };
        match (&kpi.kind, &mut shared) {
            (Kind::Ratio(_), _) => tests.push(test),
            (_, Some(all)) => all.absorb(test),
            (_, None) => shared = Some(test),
        }
    }
    shared.into_iter().chain(tests).collect()
}
