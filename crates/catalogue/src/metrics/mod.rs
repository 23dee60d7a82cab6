//! The closed list of metric families per kind of KPI: names, help, types, labels.
//!
//! The exposition writes exactly these, `kept check` counts them, and generated rules read them, so
//! a name is decided here and nowhere else. Label order: the KPI's dimensions, the family's own
//! labels, then `partition`, as the family's `Scope` says.

pub mod kept;
mod kinds;

use events::Span;

use crate::plan::{Kind, Kpi, Part, Plan, ReferenceSeries};
use kinds::List;

/// The values of the `q` label of every percentile gauge.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The longest window whose percentiles are also shown with open orders in them.
pub const LONGEST_WITH_OPEN: Span = Span::from_seconds(3600);

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
    let mut list = List::new(&plan.namespace, kpi);
    match &kpi.kind {
        Kind::Count(count) => list.count(count),
        Kind::Ratio(ratio) => list.ratio(ratio),
        Kind::Promise(promise) => list.promise(kpi, promise),
        Kind::Funnel(funnel) => list.funnel(funnel),
    }
    if let Some(target) = &kpi.target {
        list.target(target, target_unit(kpi));
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
