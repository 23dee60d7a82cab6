//! Percentile gauges: each label set's tables of all tasks of the instance merged, and one over all
//! label sets. They can't be added up, so they carry no `partition`.

use catalogue::metrics::QUANTILES;
use catalogue::plan::Kpi;
use engine::sketch::Sketch;
use engine::survival::Survival;
use engine::view::{PromiseSeries, PromiseWindow};

use crate::model::{Labels, Sample, Value};
use crate::rows::Rows;

/// A table of durations that merges by addition.
pub trait Table: Default + 'static {
    /// The one in this window, if it has one.
    fn of(window: &PromiseWindow) -> Option<&Self>;
    /// Adds all of `other`.
    fn add(&mut self, other: &Self);
    /// The values at `QUANTILES` in seconds.
    fn values(&self) -> Option<[f64; QUANTILES.len()]>;
}

impl Table for Sketch {
    fn of(window: &PromiseWindow) -> Option<&Sketch> {
        Some(&window.completed)
    }

    fn add(&mut self, other: &Sketch) {
        self.merge(other);
    }

    fn values(&self) -> Option<[f64; QUANTILES.len()]> {
        self.quantiles(QUANTILES)
    }
}

impl Table for Survival {
    fn of(window: &PromiseWindow) -> Option<&Survival> {
        window.with_open.as_deref()
    }

    fn add(&mut self, other: &Survival) {
        self.merge(other);
    }

    fn values(&self) -> Option<[f64; QUANTILES.len()]> {
        self.quantiles(QUANTILES)
    }
}

/// The samples of both gauges over one kind of table.
#[derive(Default)]
pub struct Percentiles {
    /// By label set, window and q.
    pub by_labels: Vec<Sample>,
    /// By window and q, over all label sets.
    pub overall: Vec<Sample>,
}

/// Merges and reads the tables of the windows that `shown` lets through.
pub fn percentiles<T: Table>(
    kpi: &Kpi,
    rows: &Rows<PromiseSeries>,
    shown: impl Fn(usize) -> bool,
) -> Percentiles {
    let windows = kpi
        .windows
        .iter()
        .enumerate()
        .filter(|(index, _)| shown(*index));
    let windows: Vec<(usize, [Labels; QUANTILES.len()])> = windows
        .map(|(index, window)| (index, own_labels(&window.label)))
        .collect();
    let mut overall: Vec<T> = windows.iter().map(|_| T::default()).collect();
    let mut by_labels = Vec::with_capacity(rows.rows().len() * windows.len() * QUANTILES.len());
    for row in rows.rows() {
        for ((window, own), overall) in windows.iter().zip(&mut overall) {
            let mut merged = T::default();
            for table in row
                .series
                .iter()
                .filter_map(|series| T::of(&series.windows[*window]))
            {
                merged.add(table);
            }
            push(&mut by_labels, &row.labels, own, &merged);
            overall.add(&merged);
        }
    }
    let mut samples = Vec::new();
    for ((_, own), table) in windows.iter().zip(&overall) {
        push(&mut samples, &Labels::none(), own, table);
    }
    Percentiles {
        by_labels,
        overall: samples,
    }
}

/// `window` and `q` for each q.
fn own_labels(window: &str) -> [Labels; QUANTILES.len()] {
    QUANTILES.map(|q| Labels::of([("window", window), ("q", &q.to_string())]))
}

fn push(
    samples: &mut Vec<Sample>,
    labels: &Labels,
    own: &[Labels; QUANTILES.len()],
    table: &impl Table,
) {
    let values = table.values().unwrap_or([f64::NAN; QUANTILES.len()]);
    for (own, value) in own.iter().zip(values) {
        samples.push(Sample::new(
            [labels, own, &Labels::none()],
            Value::float(value),
        ));
    }
}
