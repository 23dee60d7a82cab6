//! The families of a funnel.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Funnel, Kpi};
use engine::view::{self, FunnelSeries, KindView};

use crate::kpi::{Tasks, wrong_kind};
use crate::model::{Edges, Family, Histogram, Labels, Sample, Value};
use crate::rows::Rows;

/// Fills the families of a funnel from its tasks.
pub fn fill<'a>(tasks: &Tasks<'a>, funnel: &Funnel, listed: &mut [(SeriesId, Family)]) {
    let pick = |kind: &'a KindView| match kind {
        KindView::Funnel(series) => &series[..],
        _ => wrong_kind(tasks.kpi),
    };
    let series: Vec<&[FunnelSeries]> = tasks.series.iter().map(|kind| pick(kind)).collect();
    let zero = zero(tasks.kpi, funnel);
    let rows = Rows::join(
        tasks.kpi,
        tasks.partitions,
        &series,
        |series| (&series.labels, series.created),
        &zero,
    );
    for (id, family) in listed {
        if let Some(samples) = samples(tasks.kpi, funnel, &rows, *id) {
            family.samples = samples;
        }
    }
}

/// What a task shows of a label set that it has not seen.
fn zero(kpi: &Kpi, funnel: &Funnel) -> FunnelSeries {
    let stages = funnel.stages.len();
    FunnelSeries {
        labels: [].into(),
        created: None,
        reached: vec![0; stages],
        converted: 0,
        abandoned: vec![0; stages],
        recovered: 0,
        steps: vec![view::Histogram::new(funnel.edges.len()); stages - 1],
        open: 0,
        value: Vec::new(),
        in_window: vec![vec![0; stages]; kpi.windows.len()],
    }
}

fn samples(
    kpi: &Kpi,
    funnel: &Funnel,
    rows: &Rows<FunnelSeries>,
    id: SeriesId,
) -> Option<Vec<Sample>> {
    let names: Vec<&str> = funnel
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect();
    let stages: Vec<Labels> = names
        .iter()
        .map(|name| Labels::of([("stage", *name)]))
        .collect();
    Some(match id {
        SeriesId::Reached => rows.samples(&stages, |series, stage| {
            Some(Value::integer(series.reached[stage]))
        }),
        SeriesId::Ended => ended(&names, rows),
        SeriesId::Recovered => rows.integers(|series| series.recovered),
        SeriesId::StageDuration => {
            let edges = Edges::of_spans(&funnel.edges);
            rows.samples(&stages[1..], |series, step| {
                let histogram = Histogram::of(&edges, &series.steps[step], kpi.buckets());
                Some(Value::Histogram(histogram))
            })
        }
        SeriesId::FunnelOpen => rows.integers(|series| series.open),
        SeriesId::AbandonedValue => rows.amounts(true, |series| &series.value),
        SeriesId::ReachedInWindow => {
            let own = kpi.windows.iter().flat_map(|window| {
                let window = window.label.as_str();
                names
                    .iter()
                    .map(move |name| Labels::of([("window", window), ("stage", *name)]))
            });
            let own: Vec<Labels> = own.collect();
            rows.samples(&own, |series, own| {
                let window = &series.in_window[own / names.len()];
                Some(Value::integer(window[own % names.len()]))
            })
        }
        _ => return None,
    })
}

/// Abandoned ones by the last stage that they reached, which is never the last of all; converted
/// ones have reached that.
fn ended(names: &[&str], rows: &Rows<FunnelSeries>) -> Vec<Sample> {
    let last = names.len() - 1;
    let own = names.iter().enumerate().map(|(stage, name)| {
        let outcome = if stage == last {
            "converted"
        } else {
            "abandoned"
        };
        Labels::of([("outcome", outcome), ("last_stage", *name)])
    });
    let own: Vec<Labels> = own.collect();
    rows.samples(&own, |series, stage| {
        let number = if stage == last {
            series.converted
        } else {
            series.abandoned[stage]
        };
        Some(Value::integer(number))
    })
}
