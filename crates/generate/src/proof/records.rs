//! The numbers of the recording rules of each kind of KPI.

use std::collections::BTreeSet;

use catalogue::metrics::SeriesId;
use catalogue::plan::{Count, END_STEP, Funnel, Kind, Kpi, KpiId, Part, Promise, Ratio, Unit};
use events::Span;

use super::lab::{Labels, Test, constant, pairs, rising};
use super::world::{Given, World, label};
use crate::book::{Book, FAST, HOUR};
use crate::promql::{Level, minutes};
use crate::recording::counters::is_long;
use crate::recording::promise::{
    PART_SHARES, QUANTILES, SHARES, Shares, lag, pipe_signs, stall_window,
};
use crate::recording::{kept, ratio};

/// The test of all recording rules of one KPI over short or long windows; nothing when it has none.
pub fn test(book: &Book<'_>, id: KpiId, kpi: &Kpi, long: bool) -> Option<Test> {
    let mut world = World::new(book, kpi, long);
    let mut windows = book.windows(id);
    if windows.iter().any(|window| is_long(*window)) && !matches!(kpi.kind, Kind::Ratio(_)) {
        windows.push(HOUR);
        windows.sort_unstable();
        windows.dedup();
    }
    match &kpi.kind {
        Kind::Promise(promise) => of_promise(&mut world, promise),
        Kind::Count(count) => of_count(&mut world, count, &windows),
        Kind::Funnel(funnel) => of_funnel(&mut world, funnel, &windows),
        Kind::Ratio(definition) => of_ratio(&mut world, definition, &book.windows(id)),
    }
    world.test.has_expectations().then_some(world.test)
}

fn of_promise(world: &mut World<'_>, promise: &Promise) {
    let (book, kpi) = (world.book, world.kpi);
    let none = Labels::new();
    let ten = minutes(10);
    let mut flows = vec![
        FAST,
        HOUR,
        stall_window(promise),
        stall_window(promise).max(ten),
    ];
    flows.sort_unstable();
    flows.dedup();
    for series in [SeriesId::Started, SeriesId::Completed] {
        let windows = world.at_levels(&flows);
        world.counter(&book.metric(kpi, series), &none, &windows);
    }
    let hour = world.at_levels(&[HOUR]);
    for series in [
        SeriesId::Cancelled,
        SeriesId::Expired,
        SeriesId::EndsWithoutStart,
        SeriesId::Repeated,
        SeriesId::NegativeDurations,
    ] {
        world.counter(&book.metric(kpi, series), &none, &hour);
    }
    let too_early = book.metric(kpi, SeriesId::JudgedTooEarly);
    let too_early = world.counter(&too_early, &none, &hour);
    let [kept, broken] = ["kept", "broken"].map(|result| judged(world, result));
    let unjudged = world.gauge(&book.metric(kpi, SeriesId::OverdueUnjudged), &none);
    shares(world, &kept, &broken, &unjudged);
    signs(world, promise, &too_early, &broken);
    gauges(world, promise);
    let duration = book.metric(kpi, SeriesId::Duration);
    world.histogram(&duration, &none, &promise.edges, &QUANTILES);
    if !promise.steps.is_empty() {
        let name = book.metric(kpi, SeriesId::StepDuration);
        for step in steps(promise) {
            world.histogram(&name, &step, &promise.edges, &[0.5, 0.95]);
        }
    }
}

fn steps(promise: &Promise) -> Vec<Labels> {
    let names = promise.steps.iter().map(|step| step.name.as_str());
    names
        .chain([END_STEP])
        .map(|name| label("step", name))
        .collect()
}

fn judged(world: &mut World<'_>, result: &str) -> Given {
    let name = world.book.metric(world.kpi, SeriesId::Promises);
    let mut windows: Vec<(Level, Span)> = Vec::new();
    for (level, spans) in [(Level::All, &SHARES[..]), (Level::Part, &PART_SHARES[..])] {
        if Level::of(world.kpi).contains(&level) {
            let spans = world.windows(spans);
            windows.extend(spans.into_iter().map(|span| (level, span)));
        }
    }
    world.counter(&name, &label("result", result), &windows)
}

/// Judged is kept, broken and what should have been judged; the share is what is not kept of that.
fn shares(world: &mut World<'_>, kept: &Given, broken: &Given, unjudged: &Given) {
    for level in Level::of(world.kpi) {
        let names = Shares::new(world.book, world.kpi, *level);
        let windows = match level {
            Level::All => &SHARES[..],
            Level::Part => &PART_SHARES[..],
        };
        for window in world.windows(windows) {
            let steps = world.test.steps(window);
            let with = |first: &Given, second: &Given| Given {
                all: first.all * steps + second.all,
                parts: (first.parts.iter().zip(&second.parts))
                    .map(|(first, second)| first * steps + second)
                    .collect(),
            };
            let bad = with(broken, unjudged);
            let all = with(kept, &bad);
            let (judged, errors) = (names.judged(window), names.errors(window));
            let none = Labels::new();
            world.recorded(*level, &judged, &none, &all, |count| count as f64);
            let shares = ratios(&bad, &all, *level);
            world.recorded_each(*level, &errors, &none, &shares);
        }
    }
}

fn ratios(above: &Given, below: &Given, level: Level) -> Vec<f64> {
    match level {
        Level::All => vec![above.all as f64 / below.all as f64],
        Level::Part => (above.parts.iter().zip(&below.parts))
            .map(|(above, below)| *above as f64 / *below as f64)
            .collect(),
    }
}

/// A lag of 45 seconds is one sign; too many orders judged too early another. Another topic lags
/// more and has a late source: two signs for a promise that reads all topics, whatever they are
/// called, and none for one that reads others.
fn signs(world: &mut World<'_>, promise: &Promise, too_early: &Given, broken: &Given) {
    if world.long {
        return;
    }
    let (book, at, steps) = (world.book, world.at, world.test.steps(world.at));
    let start = &book.plan.topics[usize::from(promise.start.event.topic.0)].name;
    for (topic, seconds) in [(start.as_str(), 45.0), ("elsewhere", 100.0)] {
        let lag = catalogue::metrics::kept::LAG_SECONDS.name;
        let labels = in_topic(topic);
        world.test.give(lag, &labels, constant(seconds, steps));
    }
    for (part, rate) in [("sum", 90_000), ("count", 10)] {
        let name = format!("{}_{part}", catalogue::metrics::kept::DELAY.name);
        let mut labels = in_topic("elsewhere").to_vec();
        labels.push(("source", "/late"));
        world.test.give(&name, &labels, rising(rate, steps));
    }
    let job = [("job", "kept")];
    let keyed = [&promise.start, &promise.end].into_iter();
    let steps = promise.steps.iter().map(|step| &step.event);
    let read: BTreeSet<u16> = (keyed.chain(&promise.cancel).chain(steps))
        .map(|keyed| keyed.event.topic.0)
        .collect();
    let reads_all = read.len() == book.plan.topics.len();
    let early = too_early.all * 10 > broken.all;
    let signs = 1 + u32::from(early) + u32::from(reads_all);
    let name = pipe_signs(book, world.kpi);
    world.test.records(at, &name, &job, f64::from(signs));
    world.test.records(at, &kept::worst_lag(), &job, 100.0);
    if !reads_all {
        let name = lag(book, world.kpi, promise);
        world.test.records(at, &name, &job, 45.0);
    }
}

fn in_topic(topic: &str) -> [(&str, &str); 4] {
    [
        ("job", "kept"),
        ("instance", "one:9464"),
        ("topic", topic),
        ("partition", "0"),
    ]
}

fn gauges(world: &mut World<'_>, promise: &Promise) {
    let (book, kpi) = (world.book, world.kpi);
    for series in [SeriesId::Open, SeriesId::Overdue] {
        world.gauge(&book.metric(kpi, series), &Labels::new());
    }
    if !promise.steps.is_empty() {
        for step in steps(promise) {
            world.gauge(&book.metric(kpi, SeriesId::OpenAtStep), &step);
        }
    }
    let in_window = book.metric(kpi, SeriesId::PromisesInWindow);
    for window in &kpi.windows {
        for result in ["kept", "broken", "pending"] {
            let mut own = label("window", &window.label);
            own.extend(label("result", result));
            world.gauge(&in_window, &own);
        }
    }
    oldest(world);
}

/// The oldest of two partitions of each part, and of all.
fn oldest(world: &mut World<'_>) {
    if world.long {
        return;
    }
    let name = world.book.metric(world.kpi, SeriesId::OldestOpenStart);
    let (at, steps) = (world.at, world.test.steps(world.at));
    let parts = World::parts(world.kpi);
    for (number, part) in parts.iter().enumerate() {
        let first = 1000.0 * (number + 1) as f64;
        for (partition, start) in [("0", first + 7.0), ("1", first)] {
            let mut labels = vec![("job", "kept"), ("instance", "one:9464")];
            labels.extend(pairs(part));
            labels.push(("partition", partition));
            world.test.give(&name, &labels, constant(start, steps));
        }
        if !part.is_empty() {
            let prefix = Level::Part.prefix(world.kpi);
            let mut labels = vec![("job", "kept")];
            labels.extend(pairs(part));
            world
                .test
                .records(at, &format!("{prefix}:{name}:min"), &labels, first);
        }
    }
    let all = format!("job:{name}:min");
    world.test.records(at, &all, &[("job", "kept")], 1000.0);
}

fn currencies(unit: Unit) -> Vec<Labels> {
    match unit {
        Unit::Money { .. } => vec![label("currency", "EUR"), label("currency", "USD")],
        Unit::Number => vec![Labels::new()],
    }
}

fn of_count(world: &mut World<'_>, count: &Count, windows: &[Span]) {
    let (book, kpi) = (world.book, world.kpi);
    let windows = world.at_levels(windows);
    world.counter(
        &book.metric(kpi, SeriesId::Events),
        &Labels::new(),
        &windows,
    );
    if let Some(sum) = &count.sum {
        for currency in currencies(sum.unit) {
            world.counter(&book.metric(kpi, SeriesId::Sum), &currency, &windows);
        }
    }
    in_window(world, SeriesId::EventsInWindow);
}

fn in_window(world: &mut World<'_>, series: SeriesId) {
    let name = world.book.metric(world.kpi, series);
    for window in &world.kpi.windows {
        world.gauge(&name, &label("window", &window.label));
    }
}

fn of_funnel(world: &mut World<'_>, funnel: &Funnel, windows: &[Span]) {
    let (book, kpi) = (world.book, world.kpi);
    let windows = world.at_levels(windows);
    let last = funnel.stages.len() - 1;
    for (at, stage) in funnel.stages.iter().enumerate() {
        let own = label("stage", &stage.name);
        world.counter(&book.metric(kpi, SeriesId::Reached), &own, &windows);
        let outcome = if at == last { "converted" } else { "abandoned" };
        let mut own = label("outcome", outcome);
        own.extend(label("last_stage", &stage.name));
        world.counter(&book.metric(kpi, SeriesId::Ended), &own, &windows);
    }
    let recovered = book.metric(kpi, SeriesId::Recovered);
    world.counter(&recovered, &Labels::new(), &windows);
    if funnel.value.is_some() {
        let name = book.metric(kpi, SeriesId::AbandonedValue);
        world.counter(&name, &label("currency", "EUR"), &windows);
    }
    world.gauge(&book.metric(kpi, SeriesId::FunnelOpen), &Labels::new());
    let name = book.metric(kpi, SeriesId::ReachedInWindow);
    for window in &kpi.windows {
        let mut reached = Vec::new();
        for stage in &funnel.stages {
            let mut own = label("window", &window.label);
            own.extend(label("stage", &stage.name));
            reached.push(world.gauge(&name, &own));
        }
        if world.long {
            continue;
        }
        for level in Level::of(kpi) {
            let shares = ratios(&reached[last], &reached[0], *level);
            let name = ratio::converted_name(book, kpi, *level);
            let own = label("window", &window.label);
            world.recorded_each(*level, &name, &own, &shares);
        }
    }
    let steps = book.metric(kpi, SeriesId::StageDuration);
    for stage in &funnel.stages[1..] {
        let own = label("stage", &stage.name);
        world.histogram(&steps, &own, &funnel.edges, &[0.5, 0.95]);
    }
}

/// What was given of one side: by currency, if it has one.
type Side = Vec<(Labels, Given)>;

fn of_ratio(world: &mut World<'_>, ratio: &Ratio, windows: &[Span]) {
    let above = side(
        world,
        &ratio.numerator,
        [
            SeriesId::NumeratorEvents,
            SeriesId::NumeratorSum,
            SeriesId::NumeratorInWindow,
        ],
        windows,
    );
    let below = side(
        world,
        &ratio.denominator,
        [
            SeriesId::DenominatorEvents,
            SeriesId::DenominatorSum,
            SeriesId::DenominatorInWindow,
        ],
        windows,
    );
    for (level, window) in world.at_levels(windows) {
        let name = ratio::name(world.book, world.kpi, level, window);
        for (currency, above) in &above {
            for (other, below) in &below {
                if !currency.is_empty() && !other.is_empty() && currency != other {
                    continue;
                }
                let own = if currency.is_empty() { other } else { currency };
                world.recorded_each(level, &name, own, &ratios(above, below, level));
            }
        }
    }
}

fn side(world: &mut World<'_>, part: &Part, series: [SeriesId; 3], windows: &[Span]) -> Side {
    let (book, kpi) = (world.book, world.kpi);
    match part {
        Part::Of(reference) => {
            let (name, stage) = book.referred(reference);
            let other = book.kpi(reference.kpi);
            let own: Vec<Labels> = match &stage {
                Some(stage) => vec![label("stage", stage)],
                None if ratio::has_currency(book, part) => {
                    vec![label("currency", "EUR"), label("currency", "USD")]
                }
                None => vec![Labels::new()],
            };
            let give = |own: Labels| {
                let given = world.given_counter(other, &name, &own);
                let kept = if stage.is_some() { Labels::new() } else { own };
                (kept, given)
            };
            own.into_iter().map(give).collect()
        }
        Part::Own(count) => {
            let mut windows = windows.to_vec();
            if windows.iter().any(|window| is_long(*window)) {
                windows.push(HOUR);
                windows.sort_unstable();
                windows.dedup();
            }
            let windows = world.at_levels(&windows);
            let Some(sum) = &count.sum else {
                in_window(world, series[2]);
                let name = book.metric(kpi, series[0]);
                let given = world.counter(&name, &Labels::new(), &windows);
                return vec![(Labels::new(), given)];
            };
            let name = book.metric(kpi, series[1]);
            currencies(sum.unit)
                .into_iter()
                .map(|own| {
                    let given = world.counter(&name, &own, &windows);
                    (own, given)
                })
                .collect()
        }
    }
}
