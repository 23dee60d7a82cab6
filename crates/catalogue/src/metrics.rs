//! The closed list of metric families per kind of KPI: names, help, types, labels.
//!
//! The exposition writes exactly these, `kept check` counts them, and generated rules read them, so
//! a name is decided here and nowhere else. Label order: the KPI's dimensions, the family's own
//! labels, then `partition`, as the family's `Scope` says.

use crate::plan::{Count, Funnel, Kind, Kpi, Part, Plan, Promise, ReferenceSeries, Target, Unit};
use events::Span;

/// The values of the `q` label of every percentile gauge.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The longest window whose percentiles are also shown with open orders in them.
pub const LONGEST_WITH_OPEN: Span = Span::from_seconds(3600);

/// What help texts state about percentiles; the bound is the engine's `RELATIVE_ERROR`.
const ERROR_BOUND: &str = "error at most 1/128 (0.8 %)";

/// One metric family of one KPI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Family {
    /// The full name, with `_total` for counters and without `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// One line, plain text, not escaped.
    pub help: String,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// The unit that the name ends with (before `_total`), for OpenMetrics' `# UNIT`.
    pub unit: Option<&'static str>,
    /// The labels of its own, between the dimensions and `partition`.
    pub labels: &'static [&'static str],
    /// Whether it has dimensions and `partition`.
    pub scope: Scope,
    /// Which numbers of the view it shows.
    pub series: SeriesId,
}

/// The type of a family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// How far the series of a family are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Dimensions and `partition`. All of them add up over partitions, but the oldest start,
    /// which is a minimum.
    Partition,
    /// Dimensions without `partition`: merged over the tasks of the instance (percentiles).
    Instance,
    /// Neither: one over all dimensions of the instance.
    Overall,
    /// Neither: a number from the definition itself.
    Definition,
}

/// Every set of numbers that a KPI can show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SeriesId {
    /// Count: events so far.
    Events,
    /// Count: the sum so far.
    Sum,
    /// Count: events in each window.
    EventsInWindow,
    /// Ratio: events above the line, when the ratio counts them itself.
    NumeratorEvents,
    /// Ratio: the sum above the line, when the ratio sums it itself.
    NumeratorSum,
    /// Ratio: events above the line in each window.
    NumeratorInWindow,
    /// Ratio: events below the line, when the ratio counts them itself.
    DenominatorEvents,
    /// Ratio: the sum below the line, when the ratio sums it itself.
    DenominatorSum,
    /// Ratio: events below the line in each window.
    DenominatorInWindow,
    /// Promise: starts accepted.
    Started,
    /// Promise: ends matched to a start.
    Completed,
    /// Promise: judged, by `result`.
    Promises,
    /// Promise: judged broken too early.
    JudgedTooEarly,
    /// Promise: taken out by a cancel.
    Cancelled,
    /// Promise: no end within the horizon.
    Expired,
    /// Promise: ends that found no start.
    EndsWithoutStart,
    /// Promise: starts or ends after the first.
    Repeated,
    /// Promise: durations below zero.
    NegativeDurations,
    /// Promise: the histogram of start to end.
    Duration,
    /// Promise: the histograms of the steps, by `step`.
    StepDuration,
    /// Promise: open ones by the `step` they wait for.
    OpenAtStep,
    /// Promise: open.
    Open,
    /// Promise: open past the limit.
    Overdue,
    /// Promise: open past the limit and lateness, and not judged.
    OverdueUnjudged,
    /// Promise: the start of the oldest open one; absent when none is open.
    OldestOpenStart,
    /// Promise: percentiles of completed ones, by `window` and `q`.
    DurationInWindow,
    /// The same over all dimensions.
    AllDurationInWindow,
    /// Promise: percentiles with open ones, by `window` (up to `LONGEST_WITH_OPEN`) and `q`.
    WithOpen,
    /// The same over all dimensions.
    AllWithOpen,
    /// Promise: by `window` of the start and `result` (`kept`, `broken`, `pending`).
    PromisesInWindow,
    /// Promise: the limit.
    Within,
    /// Promise: the share to be kept.
    Objective,
    /// Funnel: entities that reached a `stage`.
    Reached,
    /// Funnel: ended ones, by `outcome` and `last_stage`.
    Ended,
    /// Funnel: abandoned ones that came back.
    Recovered,
    /// Funnel: the histograms of the time from the stage before, by `stage` (all but the first).
    StageDuration,
    /// Funnel: not ended.
    FunnelOpen,
    /// Funnel: what abandoned ones were worth, by `currency`.
    AbandonedValue,
    /// Funnel: entities that reached a `stage` in each `window`.
    ReachedInWindow,
    /// Target: the percentile that it speaks of.
    TargetQuantile,
    /// Target: alert above.
    TargetMax,
    /// Target: alert below.
    TargetMin,
    /// Target: where we want to be.
    TargetGoal,
    /// Target: what others reach.
    TargetBenchmark,
}

/// The families of one KPI, in the order in which they are shown.
pub fn families(plan: &Plan, kpi: &Kpi) -> Vec<Family> {
    let mut list = List {
        prefix: format!("{}_{}", plan.namespace, kpi.id),
        families: Vec::new(),
    };
    match &kpi.kind {
        Kind::Count(count) => count_families(&mut list, &plan.namespace, kpi, count),
        Kind::Ratio(ratio) => {
            let numerator = (SIDE_ABOVE, &ratio.numerator);
            for (side, part) in [numerator, (SIDE_BELOW, &ratio.denominator)] {
                part_families(&mut list, kpi, &side, part);
            }
        }
        Kind::Promise(promise) => promise_families(&mut list, kpi, promise),
        Kind::Funnel(funnel) => funnel_families(&mut list, &plan.namespace, kpi, funnel),
    }
    if let Some(target) = &kpi.target {
        target_families(&mut list, kpi, target);
    }
    list.families
}

/// The unit of a KPI's target: `seconds` for promises, `ratio` for funnels and for ratios of two
/// numbers of events, none for counts and for ratios with a sum in them (an average order value).
pub fn target_unit(kpi: &Kpi) -> Option<&'static str> {
    match &kpi.kind {
        Kind::Count(_) => None,
        Kind::Promise(_) => Some("seconds"),
        Kind::Funnel(_) => Some("ratio"),
        Kind::Ratio(ratio) => {
            let sums = is_sum(&ratio.numerator) || is_sum(&ratio.denominator);
            (!sums).then_some("ratio")
        }
    }
}

fn is_sum(part: &Part) -> bool {
    match part {
        Part::Own(count) => count.sum.is_some(),
        Part::Of(reference) => reference.series == ReferenceSeries::Sum,
    }
}

struct List {
    prefix: String,
    families: Vec<Family>,
}

impl List {
    fn push(
        &mut self,
        suffix: &str,
        labels: &'static [&'static str],
        series: SeriesId,
        help: String,
    ) {
        let name = format!("{}{suffix}", self.prefix);
        self.push_named(name, labels, series, help);
    }

    fn push_named(
        &mut self,
        name: String,
        labels: &'static [&'static str],
        series: SeriesId,
        help: String,
    ) {
        let kind = match series {
            SeriesId::Duration | SeriesId::StepDuration | SeriesId::StageDuration => {
                MetricKind::Histogram
            }
            _ if name.ends_with("_total") => MetricKind::Counter,
            _ => MetricKind::Gauge,
        };
        let unit = match name
            .strip_suffix("_total")
            .unwrap_or(&name)
            .rsplit('_')
            .next()
        {
            Some("seconds") => Some("seconds"),
            Some("ratio") => Some("ratio"),
            _ => None,
        };
        let scope = scope_of(series);
        self.families.push(Family {
            name,
            help,
            kind,
            unit,
            labels,
            scope,
            series,
        });
    }
}

fn scope_of(series: SeriesId) -> Scope {
    use SeriesId::*;
    match series {
        DurationInWindow | WithOpen => Scope::Instance,
        AllDurationInWindow | AllWithOpen => Scope::Overall,
        Within | Objective | TargetQuantile | TargetMax | TargetMin | TargetGoal
        | TargetBenchmark => Scope::Definition,
        _ => Scope::Partition,
    }
}

fn count_families(list: &mut List, namespace: &str, kpi: &Kpi, count: &Count) {
    let help = &kpi.help;
    list.push("_total", &[], SeriesId::Events, format!("{help}: events"));
    if let Some(sum) = &count.sum {
        let name = format!("{namespace}_{}_total", sum.name);
        list.push_named(
            name,
            currency(sum.unit),
            SeriesId::Sum,
            format!("{help}: sum"),
        );
    }
    let text = format!("{help}: events in the window, by event time, late ones included");
    list.push("_in_window", &["window"], SeriesId::EventsInWindow, text);
}

fn currency(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::Money { .. } => &["currency"],
        Unit::Number => &[],
    }
}

struct Side {
    name: &'static str,
    events: SeriesId,
    sum: SeriesId,
    in_window: SeriesId,
}

const SIDE_ABOVE: Side = Side {
    name: "numerator",
    events: SeriesId::NumeratorEvents,
    sum: SeriesId::NumeratorSum,
    in_window: SeriesId::NumeratorInWindow,
};

const SIDE_BELOW: Side = Side {
    name: "denominator",
    events: SeriesId::DenominatorEvents,
    sum: SeriesId::DenominatorSum,
    in_window: SeriesId::DenominatorInWindow,
};

/// A side that sums publishes its sum, one that counts its events; one that refers to another KPI
/// publishes nothing here.
fn part_families(list: &mut List, kpi: &Kpi, side: &Side, part: &Part) {
    let Part::Own(count) = part else { return };
    let (help, name) = (&kpi.help, side.name);
    let total = format!("_{name}_total");
    if let Some(sum) = &count.sum {
        list.push(
            &total,
            currency(sum.unit),
            side.sum,
            format!("{help}: {name}, a sum"),
        );
        return;
    }
    list.push(&total, &[], side.events, format!("{help}: {name}, events"));
    let text = format!("{help}: {name}, events in the window");
    list.push(
        &format!("_{name}_in_window"),
        &["window"],
        side.in_window,
        text,
    );
}

fn promise_families(list: &mut List, kpi: &Kpi, promise: &Promise) {
    let help = &kpi.help;
    let counters: [(&str, &'static [&'static str], SeriesId, &str); 9] = [
        ("started", &[], SeriesId::Started, "starts accepted"),
        (
            "completed",
            &[],
            SeriesId::Completed,
            "ends matched to a start",
        ),
        (
            "promises",
            &["result"],
            SeriesId::Promises,
            "judged kept or broken, each once and for good",
        ),
        (
            "judged_too_early",
            &[],
            SeriesId::JudgedTooEarly,
            "judged broken, and an end that arrived later shows that it was kept",
        ),
        (
            "cancelled",
            &[],
            SeriesId::Cancelled,
            "taken out by a cancel",
        ),
        (
            "expired",
            &[],
            SeriesId::Expired,
            "without an end within the horizon",
        ),
        (
            "ends_without_start",
            &[],
            SeriesId::EndsWithoutStart,
            "ends that found no start",
        ),
        (
            "repeated",
            &[],
            SeriesId::Repeated,
            "starts or ends after the first",
        ),
        (
            "negative_durations",
            &[],
            SeriesId::NegativeDurations,
            "ends before their start, taken as 0 seconds",
        ),
    ];
    for (name, labels, series, text) in counters {
        list.push(
            &format!("_{name}_total"),
            labels,
            series,
            format!("{help}: {text}"),
        );
    }
    promise_durations(list, kpi, promise);
    promise_state(list, help);
    promise_windows(list, kpi);
    let text = format!("{help}: the time limit");
    list.push("_within_seconds", &[], SeriesId::Within, text);
    let text = format!("{help}: the share to be kept");
    list.push("_objective_ratio", &[], SeriesId::Objective, text);
}

fn promise_durations(list: &mut List, kpi: &Kpi, promise: &Promise) {
    let help = &kpi.help;
    let text = format!("{help}: seconds from start to end, completed ones");
    list.push("_duration_seconds", &[], SeriesId::Duration, text);
    if promise.steps.is_empty() {
        return;
    }
    let text = format!("{help}: seconds from the step before to this one");
    list.push("_step_seconds", &["step"], SeriesId::StepDuration, text);
    let text = format!("{help}: open now and waiting for this step");
    list.push("_open_at_step", &["step"], SeriesId::OpenAtStep, text);
}

fn promise_state(list: &mut List, help: &str) {
    list.push("_open", &[], SeriesId::Open, format!("{help}: open now"));
    let text = format!("{help}: open now and past the time limit");
    list.push("_overdue", &[], SeriesId::Overdue, text);
    let text = format!("{help}: open, past the time limit and lateness, and not judged yet");
    list.push("_overdue_unjudged", &[], SeriesId::OverdueUnjudged, text);
    let text = format!("{help}: start of the oldest open one, absent when none is open");
    list.push(
        "_oldest_open_start_timestamp_seconds",
        &[],
        SeriesId::OldestOpenStart,
        text,
    );
}

fn promise_windows(list: &mut List, kpi: &Kpi) {
    let help = &kpi.help;
    let labels: &[&str] = &["window", "q"];
    let plain = format!(
        "{help}: percentile q of those completed in the window, NaN without any, {ERROR_BOUND}"
    );
    list.push(
        "_duration_in_window_seconds",
        labels,
        SeriesId::DurationInWindow,
        plain.clone(),
    );
    let text = format!("{plain}, over all dimensions");
    list.push(
        "_all_duration_in_window_seconds",
        labels,
        SeriesId::AllDurationInWindow,
        text,
    );
    if kpi
        .windows
        .iter()
        .any(|window| window.length <= LONGEST_WITH_OPEN)
    {
        let open = format!(
            "{help}: percentile q with open ones in it (Kaplan-Meier with delayed entry), \
             a lower bound in an outage, {ERROR_BOUND}"
        );
        list.push(
            "_duration_with_open_seconds",
            labels,
            SeriesId::WithOpen,
            open.clone(),
        );
        let text = format!("{open}, over all dimensions");
        list.push(
            "_all_duration_with_open_seconds",
            labels,
            SeriesId::AllWithOpen,
            text,
        );
    }
    let text = format!("{help}: by start in the window, kept, broken (or overdue) and pending");
    list.push(
        "_promises_in_window",
        &["window", "result"],
        SeriesId::PromisesInWindow,
        text,
    );
}

fn funnel_families(list: &mut List, namespace: &str, kpi: &Kpi, funnel: &Funnel) {
    let help = &kpi.help;
    let text = format!("{help}: reached this stage, each entity once");
    list.push("_reached_total", &["stage"], SeriesId::Reached, text);
    let text = format!("{help}: ended after the idle timeout, by outcome and last stage reached");
    list.push(
        "_ended_total",
        &["outcome", "last_stage"],
        SeriesId::Ended,
        text,
    );
    let text = format!("{help}: abandoned ones that came back");
    list.push("_recovered_total", &[], SeriesId::Recovered, text);
    let text = format!("{help}: seconds from the stage before to this one");
    list.push("_step_seconds", &["stage"], SeriesId::StageDuration, text);
    list.push(
        "_open",
        &[],
        SeriesId::FunnelOpen,
        format!("{help}: not ended yet"),
    );
    if let Some(value) = &funnel.value {
        let name = format!("{namespace}_{}_total", value.name);
        let text = format!("{help}: value left behind by abandoned ones");
        list.push_named(name, &["currency"], SeriesId::AbandonedValue, text);
    }
    let text = format!("{help}: reached this stage in the window");
    list.push(
        "_reached_in_window",
        &["window", "stage"],
        SeriesId::ReachedInWindow,
        text,
    );
}

fn target_families(list: &mut List, kpi: &Kpi, target: &Target) {
    let help = &kpi.help;
    if target.quantile.is_some() {
        let text = format!("{help}: the percentile that the target speaks of");
        list.push("_target_quantile", &[], SeriesId::TargetQuantile, text);
    }
    let unit = target_unit(kpi)
        .map(|unit| format!("_{unit}"))
        .unwrap_or_default();
    let values = [
        ("max", target.max, SeriesId::TargetMax, "alert above"),
        ("min", target.min, SeriesId::TargetMin, "alert below"),
        (
            "goal",
            target.goal,
            SeriesId::TargetGoal,
            "where we want to be",
        ),
        (
            "benchmark",
            target.benchmark,
            SeriesId::TargetBenchmark,
            "what others reach",
        ),
    ];
    for (name, value, series, text) in values {
        if value.is_some() {
            list.push(
                &format!("_target_{name}{unit}"),
                &[],
                series,
                format!("{help}: target, {text}"),
            );
        }
    }
}
