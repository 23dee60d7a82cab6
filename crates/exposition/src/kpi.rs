//! The families of the KPIs: which numbers of the views stand behind each `SeriesId`.
//!
//! Each kind joins its tasks' series into `Rows` once and then fills every family that
//! `catalogue::metrics` lists for it. Numbers of the definition itself (targets) need no task.

use catalogue::Plan;
use catalogue::metrics::{self, Scope, SeriesId};
use catalogue::plan::{Count, Kind, Kpi, Part, Unit};
use engine::View;
use engine::view::{CountSeries, KindView};

use crate::model::{Family, Labels, Sample, Value};
use crate::rows::Rows;
use crate::{funnel, promise};

/// The families of all KPIs; those without series are empty. The views ascend by group and
/// partition.
pub fn families(plan: &Plan, views: &[&View]) -> Vec<Family> {
    let mut families = Vec::new();
    for (index, group) in plan.groups.iter().enumerate() {
        let tasks = views.iter().filter(|view| view.group == index);
        let partitions = tasks
            .clone()
            .map(|view| Labels::of([("partition", view.partition.to_string())]));
        let partitions: Vec<Labels> = partitions.collect();
        for (place, id) in group.kpis.iter().enumerate() {
            let kpi = &plan.kpis[usize::from(id.0)];
            let series = tasks.clone().map(|view| &view.kpis[place].series).collect();
            let tasks = Tasks {
                kpi,
                partitions: &partitions,
                series,
            };
            families.extend(of_kpi(plan, &tasks));
        }
    }
    families
}

/// What the tasks of its group hold of one KPI.
pub struct Tasks<'a> {
    /// The KPI.
    pub kpi: &'a Kpi,
    /// The label `partition` of each task.
    pub partitions: &'a [Labels],
    /// The series of each task.
    pub series: Vec<&'a KindView>,
}

fn of_kpi(plan: &Plan, tasks: &Tasks) -> Vec<Family> {
    let mut families = Vec::new();
    let mut listed = Vec::new();
    for family in metrics::families(plan, tasks.kpi) {
        let mut empty = Family::new(&family.name, &family.help, family.kind);
        empty.unit = family.unit;
        if family.scope == Scope::Definition {
            empty.samples = definition(tasks.kpi, family.series).into_iter().collect();
            families.push(empty);
        } else if !tasks.series.is_empty() {
            listed.push((family.series, empty));
        }
    }
    match &tasks.kpi.kind {
        Kind::Count(count) => count_families(tasks, count, &mut listed),
        Kind::Ratio(ratio) => {
            for (above, part) in [(true, &ratio.numerator), (false, &ratio.denominator)] {
                if let Part::Own(count) = part {
                    side_families(tasks, count, above, &mut listed);
                }
            }
        }
        Kind::Promise(definition) => promise::fill(tasks, definition, &mut listed),
        Kind::Funnel(definition) => funnel::fill(tasks, definition, &mut listed),
    }
    families.extend(listed.into_iter().map(|(_, family)| family));
    families
}

/// A number of the definition.
fn definition(kpi: &Kpi, series: SeriesId) -> Option<Sample> {
    let target = kpi.target.unwrap_or_default();
    let value = match (series, &kpi.kind) {
        (SeriesId::Within, Kind::Promise(promise)) => promise.within.seconds(),
        (SeriesId::Objective, Kind::Promise(promise)) => promise.objective,
        (SeriesId::TargetQuantile, _) => target.quantile?,
        (SeriesId::TargetMax, _) => target.max?,
        (SeriesId::TargetMin, _) => target.min?,
        (SeriesId::TargetGoal, _) => target.goal?,
        (SeriesId::TargetBenchmark, _) => target.benchmark?,
        _ => return None,
    };
    let none = Labels::none();
    Some(Sample::new([&none, &none, &none], Value::float(value)))
}

/// The labels `window` of a KPI.
pub fn window_labels(kpi: &Kpi) -> Vec<Labels> {
    kpi.windows
        .iter()
        .map(|window| Labels::of([("window", window.label.as_str())]))
        .collect()
}

fn count_families<'a>(tasks: &Tasks<'a>, count: &Count, listed: &mut [(SeriesId, Family)]) {
    let pick = |kind: &'a KindView| match kind {
        KindView::Count(series) => series,
        _ => wrong_kind(tasks.kpi),
    };
    let ids = [SeriesId::Events, SeriesId::Sum, SeriesId::EventsInWindow];
    fill_counts(tasks, count, pick, ids, listed);
}

fn side_families<'a>(
    tasks: &Tasks<'a>,
    count: &Count,
    above: bool,
    listed: &mut [(SeriesId, Family)],
) {
    let pick = |kind: &'a KindView| match kind {
        KindView::Ratio(numerator, denominator) => {
            if above {
                numerator
            } else {
                denominator
            }
        }
        _ => wrong_kind(tasks.kpi),
    };
    let ids = if above {
        [
            SeriesId::NumeratorEvents,
            SeriesId::NumeratorSum,
            SeriesId::NumeratorInWindow,
        ]
    } else {
        [
            SeriesId::DenominatorEvents,
            SeriesId::DenominatorSum,
            SeriesId::DenominatorInWindow,
        ]
    };
    fill_counts(tasks, count, pick, ids, listed);
}

/// Fills the families of a count: its events, its sum, and its events in each window.
fn fill_counts<'a>(
    tasks: &Tasks<'a>,
    count: &Count,
    pick: impl Fn(&'a KindView) -> &'a Vec<CountSeries>,
    [events, sum, in_window]: [SeriesId; 3],
    listed: &mut [(SeriesId, Family)],
) {
    let zero = CountSeries {
        labels: [].into(),
        created: None,
        total: 0,
        sums: Vec::new(),
        in_window: vec![0; tasks.kpi.windows.len()],
    };
    let series: Vec<&[CountSeries]> = tasks.series.iter().map(|kind| &pick(kind)[..]).collect();
    let rows = Rows::join(
        tasks.kpi,
        tasks.partitions,
        &series,
        |series| (&series.labels, series.created),
        &zero,
    );
    let money = count
        .sum
        .as_ref()
        .is_some_and(|sum| matches!(sum.unit, Unit::Money { .. }));
    let windows = window_labels(tasks.kpi);
    for (id, family) in listed {
        if *id == events {
            family.samples = rows.integers(|series| series.total);
        } else if *id == sum {
            family.samples = rows.amounts(money, |series| &series.sums);
        } else if *id == in_window {
            family.samples = rows.samples(&windows, |series, window| {
                Some(Value::integer(series.in_window[window]))
            });
        }
    }
}

/// A view that does not fit its plan is a bug in the engine.
pub fn wrong_kind(kpi: &Kpi) -> ! {
    panic!(
        "the view of KPI `{}` is of another kind than its definition",
        kpi.id
    )
}
