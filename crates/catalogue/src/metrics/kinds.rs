//! Which families each kind of KPI makes, with their names and help texts.

use super::{Family, LONGEST_WITH_OPEN, MetricKind, Scope, SeriesId};
use crate::plan::{Count, Funnel, Kpi, Part, Promise, Ratio, Target, Unit};

/// What help texts state about percentiles; the bound is the engine's `RELATIVE_ERROR`.
const ERROR_BOUND: &str = "error at most 1/128 (0.8 %)";

/// The families so far of one KPI.
pub(super) struct List<'a> {
    namespace: &'a str,
    help: &'a str,
    prefix: String,
    /// Where windows end, for the help of whatever has one.
    window_ends: String,
    pub families: Vec<Family>,
}

impl<'a> List<'a> {
    pub fn new(namespace: &'a str, kpi: &'a Kpi) -> List<'a> {
        let prefix = format!("{namespace}_{}", kpi.id);
        List {
            namespace,
            help: &kpi.help,
            prefix,
            window_ends: window_ends(kpi),
            families: Vec::new(),
        }
    }

    /// A family of the KPI's own name with a suffix; `text` goes behind the KPI's help.
    fn push(
        &mut self,
        suffix: &str,
        labels: &'static [&'static str],
        series: SeriesId,
        text: &str,
    ) {
        let name = format!("{}{suffix}", self.prefix);
        self.push_named(name, labels, series, text);
    }

    fn push_named(
        &mut self,
        name: String,
        labels: &'static [&'static str],
        series: SeriesId,
        text: &str,
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
        let mut help = format!("{}: {text}", self.help);
        if labels.contains(&"window") {
            help += &self.window_ends;
        }
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

    pub fn count(&mut self, count: &Count) {
        self.push("_total", &[], SeriesId::Events, "events");
        if let Some(sum) = &count.sum {
            let name = format!("{}_{}_total", self.namespace, sum.name);
            self.push_named(name, currency(sum.unit), SeriesId::Sum, "sum");
        }
        let text = "events in the window, by event time, late ones included";
        self.push("_in_window", &["window"], SeriesId::EventsInWindow, text);
    }

    pub fn ratio(&mut self, ratio: &Ratio) {
        self.side(&SIDE_ABOVE, &ratio.numerator);
        self.side(&SIDE_BELOW, &ratio.denominator);
    }

    /// A side that sums publishes its sum, one that counts its events; one that refers to another
    /// KPI publishes nothing here.
    fn side(&mut self, side: &Side, part: &Part) {
        let Part::Own(count) = part else { return };
        let name = side.name;
        let total = format!("_{name}_total");
        if let Some(sum) = &count.sum {
            self.push(
                &total,
                currency(sum.unit),
                side.sum,
                &format!("{name}, a sum"),
            );
            return;
        }
        self.push(&total, &[], side.events, &format!("{name}, events"));
        let text = format!("{name}, events in the window");
        self.push(
            &format!("_{name}_in_window"),
            &["window"],
            side.in_window,
            &text,
        );
    }

    pub fn promise(&mut self, kpi: &Kpi, promise: &Promise) {
        for (name, labels, series, text) in PROMISE_COUNTERS {
            self.push(&format!("_{name}_total"), labels, series, text);
        }
        let text = "seconds from start to end, completed ones";
        self.push("_duration_seconds", &[], SeriesId::Duration, text);
        if !promise.steps.is_empty() {
            let text = "seconds from the step before to this one";
            self.push("_step_seconds", &["step"], SeriesId::StepDuration, text);
            let text = "open now and waiting for this step";
            self.push("_open_at_step", &["step"], SeriesId::OpenAtStep, text);
        }
        for (suffix, series, text) in PROMISE_STATE {
            self.push(suffix, &[], series, text);
        }
        self.promise_windows(kpi);
        self.push("_within_seconds", &[], SeriesId::Within, "the time limit");
        self.push(
            "_objective_ratio",
            &[],
            SeriesId::Objective,
            "the share to be kept",
        );
    }

    fn promise_windows(&mut self, kpi: &Kpi) {
        let labels: &[&str] = &["window", "q"];
        let plain = format!(
            "percentile q of those completed in the window, NaN without any, {ERROR_BOUND}"
        );
        self.push(
            "_duration_in_window_seconds",
            labels,
            SeriesId::DurationInWindow,
            &plain,
        );
        let text = format!("{plain}, over all dimensions");
        self.push(
            "_all_duration_in_window_seconds",
            labels,
            SeriesId::AllDurationInWindow,
            &text,
        );
        if kpi
            .windows
            .iter()
            .any(|window| window.length <= LONGEST_WITH_OPEN)
        {
            let open = format!(
                "percentile q with open ones in it (Kaplan-Meier with delayed entry), \
                 a lower bound in an outage, {ERROR_BOUND}"
            );
            self.push(
                "_duration_with_open_seconds",
                labels,
                SeriesId::WithOpen,
                &open,
            );
            let text = format!("{open}, over all dimensions");
            self.push(
                "_all_duration_with_open_seconds",
                labels,
                SeriesId::AllWithOpen,
                &text,
            );
        }
        let text = "by start in the window, kept, broken (or overdue) and pending";
        self.push(
            "_promises_in_window",
            &["window", "result"],
            SeriesId::PromisesInWindow,
            text,
        );
    }

    pub fn funnel(&mut self, funnel: &Funnel) {
        let text = "reached this stage, each entity once";
        self.push("_reached_total", &["stage"], SeriesId::Reached, text);
        let text = "ended after the idle timeout, by outcome and last stage reached";
        self.push(
            "_ended_total",
            &["outcome", "last_stage"],
            SeriesId::Ended,
            text,
        );
        self.push(
            "_recovered_total",
            &[],
            SeriesId::Recovered,
            "abandoned ones that came back",
        );
        let text = "seconds from the stage before to this one";
        self.push("_step_seconds", &["stage"], SeriesId::StageDuration, text);
        self.push("_open", &[], SeriesId::FunnelOpen, "not ended yet");
        if let Some(value) = &funnel.value {
            let name = format!("{}_{}_total", self.namespace, value.name);
            let text = "value left behind by abandoned ones";
            self.push_named(name, &["currency"], SeriesId::AbandonedValue, text);
        }
        let text = "reached this stage in the window";
        self.push(
            "_reached_in_window",
            &["window", "stage"],
            SeriesId::ReachedInWindow,
            text,
        );
    }

    pub fn target(&mut self, target: &Target, unit: Option<&str>) {
        if target.quantile.is_some() {
            let text = "the percentile that the target speaks of";
            self.push("_target_quantile", &[], SeriesId::TargetQuantile, text);
        }
        let unit = unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let values = [
            (
                "max",
                target.max,
                SeriesId::TargetMax,
                "target, alert above",
            ),
            (
                "min",
                target.min,
                SeriesId::TargetMin,
                "target, alert below",
            ),
            (
                "goal",
                target.goal,
                SeriesId::TargetGoal,
                "target, where we want to be",
            ),
            (
                "benchmark",
                target.benchmark,
                SeriesId::TargetBenchmark,
                "target, what others reach",
            ),
        ];
        for (name, value, series, text) in values {
            if value.is_some() {
                self.push(&format!("_target_{name}{unit}"), &[], series, text);
            }
        }
    }
}

/// That a window ends at a whole pane, with the panes of this KPI's windows.
fn window_ends(kpi: &Kpi) -> String {
    let panes = kpi.windows.iter();
    let panes = panes.map(|window| format!("{} of {}", window.pane(), window.label));
    let panes: Vec<String> = panes.collect();
    format!("; the window ends at a whole pane ({})", panes.join(", "))
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

type Labels = &'static [&'static str];

const PROMISE_COUNTERS: [(&str, Labels, SeriesId, &str); 9] = [
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

const PROMISE_STATE: [(&str, SeriesId, &str); 4] = [
    ("_open", SeriesId::Open, "open now"),
    (
        "_overdue",
        SeriesId::Overdue,
        "open now and past the time limit",
    ),
    (
        "_overdue_unjudged",
        SeriesId::OverdueUnjudged,
        "open, past the time limit and lateness, and not judged yet",
    ),
    (
        "_oldest_open_start_timestamp_seconds",
        SeriesId::OldestOpenStart,
        "start of the oldest open one, absent when none is open",
    ),
];
