//! Recording rules of a promise: who started, completed, was kept or broken, who waits, and the
//! share of broken ones over the windows that alerts look at.
//!
//! Overdue orders that are not judged yet (their partition clock stands still) are broken in every
//! share. Without orders a share is absent, and the number of orders is 0; without data both are
//! absent.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Kpi, Promise};
use events::Span;

use super::counters::{Split, counter, gauge, of_partitions, percentiles, record};
use crate::book::{Book, FAST, HOUR};
use crate::promql::{Level, days, hours, increase, is, is_any, minutes, sum};

/// Windows of the share of broken ones over all dimensions.
pub const SHARES: [Span; 7] = [
    FAST,
    minutes(30),
    HOUR,
    hours(2),
    hours(6),
    days(1),
    days(3),
];
/// Those by dimensions.
pub const PART_SHARES: [Span; 2] = [FAST, HOUR];
/// Percentiles that panels show.
pub const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Counters besides those that alerts read.
const OTHERS: [SeriesId; 5] = [
    SeriesId::Cancelled,
    SeriesId::Expired,
    SeriesId::EndsWithoutStart,
    SeriesId::Repeated,
    SeriesId::NegativeDurations,
];

/// All of one promise.
pub fn rules(book: &Book<'_>, kpi: &Kpi, promise: &Promise) -> Split {
    let mut rules = Split::default();
    let metric = |series| book.metric(kpi, series);
    for series in [SeriesId::Started, SeriesId::Completed] {
        let windows = [FAST, HOUR, stall_window(promise), missing_window(promise)];
        counter(book, kpi, &metric(series), &windows, &mut rules);
    }
    for series in OTHERS {
        counter(book, kpi, &metric(series), &[HOUR], &mut rules);
    }
    let too_early = metric(SeriesId::JudgedTooEarly);
    counter(book, kpi, &too_early, &[HOUR], &mut rules);
    let mut gauges = vec![
        SeriesId::Open,
        SeriesId::Overdue,
        SeriesId::OverdueUnjudged,
        SeriesId::PromisesInWindow,
    ];
    if !promise.steps.is_empty() {
        gauges.push(SeriesId::OpenAtStep);
    }
    for series in gauges {
        gauge(book, kpi, &metric(series), &mut rules);
    }
    oldest(book, kpi, &mut rules);
    shares(book, kpi, &mut rules);
    percentiles(
        book,
        kpi,
        &metric(SeriesId::Duration),
        &QUANTILES,
        &mut rules,
    );
    if !promise.steps.is_empty() {
        let steps = metric(SeriesId::StepDuration);
        percentiles(book, kpi, &steps, &[0.5, 0.95], &mut rules);
    }
    rules
}

/// How long nothing may complete until a promise counts as stalled: five minutes, or as long as
/// the limit of a slow promise, up to an hour.
pub fn stall_window(promise: &Promise) -> Span {
    let steps = [FAST, minutes(10), minutes(30)];
    let fits = steps.into_iter().find(|step| *step >= promise.within);
    fits.unwrap_or(HOUR)
}

/// How long an event that should follow may be missing: ten minutes, or longer for a slow promise.
pub fn missing_window(promise: &Promise) -> Span {
    stall_window(promise).max(super::kept::TEN)
}

fn oldest(book: &Book<'_>, kpi: &Kpi, rules: &mut Split) {
    let name = book.metric(kpi, SeriesId::OldestOpenStart);
    for level in Level::of(kpi) {
        let mut gone: Vec<&str> = vec!["partition"];
        if *level == Level::All {
            gone.extend(crate::promql::dimensions(kpi));
        }
        let expression = format!("min {} ({name})", book.without(&gone));
        let recorded = oldest_name(&level.prefix(kpi), book, kpi);
        rules.fast.push(record(recorded, expression));
    }
}

/// `job:shop_x_oldest_open_start_timestamp_seconds:min`.
pub fn oldest_name(prefix: &str, book: &Book<'_>, kpi: &Kpi) -> String {
    format!(
        "{prefix}:{}:min",
        book.metric(kpi, SeriesId::OldestOpenStart)
    )
}

fn shares(book: &Book<'_>, kpi: &Kpi, rules: &mut Split) {
    let name = book.metric(kpi, SeriesId::Promises);
    rules.fast.push(of_partitions(book, &name));
    for level in Level::of(kpi) {
        let windows = match level {
            Level::All => &SHARES[..],
            Level::Part => &PART_SHARES[..],
        };
        rules.increases(kpi, &name, *level, windows);
        for window in windows {
            let pair = share(book, kpi, *level, *window);
            if *window > HOUR {
                rules.slow.extend(pair);
            } else {
                rules.fast.extend(pair);
            }
        }
    }
}

/// How many were judged (with those that should have been), and the share of broken ones.
fn share(book: &Book<'_>, kpi: &Kpi, level: Level, window: Span) -> [crate::rule::Rule; 2] {
    let names = Shares::new(book, kpi, level);
    let (judged, errors) = (names.judged(window), names.errors(window));
    let increase = increase(&names.prefix, &names.promises, window);
    let all = format!("sum without (result) ({increase})\n+ {}", names.unjudged);
    let broken = is("result", "broken");
    let bad = format!(
        "sum without (result) ({increase}{{{broken}}})\n  + {}",
        names.unjudged
    );
    let ratio = format!("(\n  {bad}\n)\n/ ({judged} > 0)");
    [record(judged, all), record(errors, ratio)]
}

/// The names of a promise's shares at one level.
#[derive(Clone, Debug)]
pub struct Shares {
    prefix: String,
    promises: String,
    /// Overdue orders that are not judged yet.
    pub unjudged: String,
}

impl Shares {
    /// Of this KPI and level.
    pub fn new(book: &Book<'_>, kpi: &Kpi, level: Level) -> Shares {
        let prefix = level.prefix(kpi);
        Shares {
            unjudged: sum(&prefix, &book.metric(kpi, SeriesId::OverdueUnjudged)),
            promises: book.metric(kpi, SeriesId::Promises),
            prefix,
        }
    }

    /// Orders that were judged in the window, or should have been.
    pub fn judged(&self, window: Span) -> String {
        let base = crate::promql::base(&self.promises);
        format!("{}:{base}:judged{window}", self.prefix)
    }

    /// The share of them that is broken; absent when there are none.
    pub fn errors(&self, window: Span) -> String {
        let base = crate::promql::base(&self.promises);
        format!("{}:{base}:error_ratio{window}", self.prefix)
    }
}

/// A matcher of the topics that a promise reads, or nothing where it reads all: rules of a catalogue
/// with one topic then know no topic's name.
fn topics_read(book: &Book<'_>, promise: &Promise) -> Option<String> {
    let steps = promise.steps.iter().map(|step| &step.event);
    let events = [&promise.start, &promise.end].into_iter();
    let keyed = events.chain(&promise.cancel).chain(steps);
    let read: Vec<usize> = keyed.map(|it| usize::from(it.event.topic.0)).collect();
    let all = book.plan.topics.iter().enumerate();
    let names: Vec<&str> = all
        .filter(|(at, _)| read.contains(at))
        .map(|(_, topic)| topic.name.as_str())
        .collect();
    (names.len() < book.plan.topics.len()).then(|| is_any("topic", &names))
}

/// The mean delays of the sources on the topics that a promise reads, with one matcher more: a late
/// source on another topic is no sign. Sources of one topic can't be told apart by what they send.
pub fn delay(book: &Book<'_>, promise: &Promise, more: Option<&str>) -> String {
    let name = super::kept::mean_delay();
    let topics = topics_read(book, promise);
    let matchers: Vec<&str> = topics.as_deref().into_iter().chain(more).collect();
    if matchers.is_empty() {
        name
    } else {
        format!("{name}{{{}}}", matchers.join(","))
    }
}

/// The greatest lag in seconds of the topics that a promise reads.
pub fn lag(book: &Book<'_>, kpi: &Kpi, promise: &Promise) -> String {
    match topics_read(book, promise) {
        None => super::kept::worst_lag(),
        Some(_) => format!("job:{}_{}:lag_seconds", book.plan.namespace, kpi.id),
    }
}

/// The rule of that, where the promise doesn't read all topics.
pub fn lag_rule(book: &Book<'_>, kpi: &Kpi, promise: &Promise) -> Option<crate::rule::Rule> {
    let topics = topics_read(book, promise)?;
    let seconds = catalogue::metrics::kept::LAG_SECONDS.name;
    let place = book.without(&["topic", "partition"]);
    let expression = format!("max {place} ({seconds}{{{topics}}})");
    Some(record(lag(book, kpi, promise), expression))
}

/// How many signs there are that the pipe is late rather than the shop: a lag, a producer's delay
/// beyond the lateness, orders that were judged broken and had been kept.
pub fn pipe(book: &Book<'_>, kpi: &Kpi, promise: &Promise) -> crate::rule::Rule {
    let lag = lag(book, kpi, promise);
    let delay = delay(book, promise, None);
    let too_early = increase("job", &book.metric(kpi, SeriesId::JudgedTooEarly), HOUR);
    let promises = increase("job", &book.metric(kpi, SeriesId::Promises), HOUR);
    let lateness = promise.lateness.seconds();
    let expression = format!(
        "({lag} > bool {limit})\n\
         + (max without (topic, source) ({delay}) > bool {lateness} or {lag} * 0)\n\
         + ({too_early} > bool 0.1 * sum without (result) ({promises}{{{broken}}}) or {lag} * 0)",
        limit = super::kept::SIGN_OF_LAG.seconds(),
        broken = is("result", "broken"),
    );
    record(pipe_signs(book, kpi), expression)
}

/// The name of that.
pub fn pipe_signs(book: &Book<'_>, kpi: &Kpi) -> String {
    format!("job:{}_{}:pipe_signs", book.plan.namespace, kpi.id)
}
