//! The families of a promise.

use std::sync::Arc;

use catalogue::metrics::{LONGEST_WITH_OPEN, SeriesId};
use catalogue::plan::{END_STEP, Kpi, Promise};
use engine::sketch::Sketch;
use engine::survival::Survival;
use engine::view::{self, KindView, PromiseCounters, PromiseSeries, PromiseWindow};

use crate::kpi::{Tasks, wrong_kind};
use crate::model::{Edges, Family, Histogram, Labels, Sample, Value};
use crate::percentile::percentiles;
use crate::rows::Rows;

/// Fills the families of a promise from its tasks.
pub fn fill<'a>(tasks: &Tasks<'a>, promise: &Promise, listed: &mut [(SeriesId, Family)]) {
    let pick = |kind: &'a KindView| match kind {
        KindView::Promise(series) => &series[..],
        _ => wrong_kind(tasks.kpi),
    };
    let series: Vec<&[PromiseSeries]> = tasks.series.iter().map(|kind| pick(kind)).collect();
    let zero = zero(tasks.kpi, promise);
    let rows = Rows::join(
        tasks.kpi,
        tasks.partitions,
        &series,
        |series| (&series.labels, series.created),
        &zero,
    );
    let writer = Writer {
        kpi: tasks.kpi,
        promise,
        rows,
        edges: Edges::of_spans(&promise.edges),
    };
    writer.fill_percentiles(listed);
    for (id, family) in listed {
        if let Some(counter) = counter_of(*id) {
            family.samples = writer.rows.integers(|series| counter(&series.counters));
        } else if let Some(samples) = writer.samples(*id) {
            family.samples = samples;
        }
    }
}

/// What a task shows of a label set that it has not seen.
fn zero(kpi: &Kpi, promise: &Promise) -> PromiseSeries {
    let legs = promise.steps.len() + 1;
    let windows = kpi.windows.iter().map(|_| PromiseWindow {
        completed: Arc::default(),
        with_open: None,
        kept: 0,
        broken: 0,
        pending: 0,
    });
    PromiseSeries {
        labels: [].into(),
        created: None,
        counters: PromiseCounters::default(),
        duration: view::Histogram::new(promise.edges.len()),
        steps: vec![view::Histogram::new(promise.edges.len()); legs],
        open_at_step: vec![0; legs],
        open: 0,
        overdue: 0,
        overdue_unjudged: 0,
        oldest_open_start: None,
        windows: windows.collect(),
    }
}

/// The plain counters.
fn counter_of(id: SeriesId) -> Option<fn(&PromiseCounters) -> u64> {
    Some(match id {
        SeriesId::Started => |counters| counters.started,
        SeriesId::Completed => |counters| counters.completed,
        SeriesId::JudgedTooEarly => |counters| counters.judged_too_early,
        SeriesId::Cancelled => |counters| counters.cancelled,
        SeriesId::Expired => |counters| counters.expired,
        SeriesId::EndsWithoutStart => |counters| counters.ends_without_start,
        SeriesId::Repeated => |counters| counters.repeated,
        SeriesId::NegativeDurations => |counters| counters.negative_durations,
        _ => return None,
    })
}

struct Writer<'a> {
    kpi: &'a Kpi,
    promise: &'a Promise,
    rows: Rows<'a, PromiseSeries>,
    edges: Arc<Edges>,
}

impl Writer<'_> {
    fn samples(&self, id: SeriesId) -> Option<Vec<Sample>> {
        let histogram = |value: &view::Histogram| {
            let histogram = Histogram::of(&self.edges, value, self.promise.buckets);
            Some(Value::Histogram(histogram))
        };
        let rows = &self.rows;
        Some(match id {
            SeriesId::Promises => {
                let own = ["kept", "broken"].map(|result| Labels::of([("result", result)]));
                rows.samples(&own, |series, own| {
                    let counters = [series.counters.kept, series.counters.broken];
                    Some(Value::integer(counters[own]))
                })
            }
            SeriesId::Duration => {
                rows.samples(&[Labels::none()], |series, _| histogram(&series.duration))
            }
            SeriesId::StepDuration => {
                rows.samples(&self.steps(), |series, step| histogram(&series.steps[step]))
            }
            SeriesId::OpenAtStep => rows.samples(&self.steps(), |series, step| {
                Some(Value::integer(series.open_at_step[step]))
            }),
            SeriesId::Open => rows.integers(|series| series.open),
            SeriesId::Overdue => rows.integers(|series| series.overdue),
            SeriesId::OverdueUnjudged => rows.integers(|series| series.overdue_unjudged),
            SeriesId::OldestOpenStart => rows.samples(&[Labels::none()], |series, _| {
                series
                    .oldest_open_start
                    .map(|start| Value::float(start.seconds()))
            }),
            SeriesId::PromisesInWindow => self.promises_in_window(),
            _ => return None,
        })
    }

    /// The labels `step`: the steps, then the way to the end.
    fn steps(&self) -> Vec<Labels> {
        let names = self.promise.steps.iter().map(|step| step.name.as_str());
        names
            .chain([END_STEP])
            .map(|name| Labels::of([("step", name)]))
            .collect()
    }

    fn promises_in_window(&self) -> Vec<Sample> {
        const RESULTS: [&str; 3] = ["kept", "broken", "pending"];
        let own = self.kpi.windows.iter().flat_map(|window| {
            let window = window.label.as_str();
            RESULTS.map(|result| Labels::of([("window", window), ("result", result)]))
        });
        let own: Vec<Labels> = own.collect();
        self.rows.samples(&own, |series, own| {
            let window = &series.windows[own / RESULTS.len()];
            let numbers = [window.kept, window.broken, window.pending];
            Some(Value::integer(numbers[own % RESULTS.len()]))
        })
    }

    fn fill_percentiles(&self, listed: &mut [(SeriesId, Family)]) {
        let with_open = |window: usize| self.kpi.windows[window].length <= LONGEST_WITH_OPEN;
        let mut plain = percentiles::<Sketch>(self.kpi, &self.rows, |_| true);
        let mut open = percentiles::<Survival>(self.kpi, &self.rows, with_open);
        for (id, family) in listed {
            let samples = match id {
                SeriesId::DurationInWindow => &mut plain.by_labels,
                SeriesId::AllDurationInWindow => &mut plain.overall,
                SeriesId::WithOpen => &mut open.by_labels,
                SeriesId::AllWithOpen => &mut open.overall,
                _ => continue,
            };
            family.samples = std::mem::take(samples);
        }
    }
}
