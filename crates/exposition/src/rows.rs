//! A KPI's label sets by the tasks of its group: every label set that one task has seen, or that is
//! declared, exists for each task, at zero where the task has not seen it.
//!
//! `increase()` misses a series' first value; so all series of a label set are made by its first
//! event, wherever that was.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::plan::Kpi;
use engine::view;
use events::KafkaTime;

use crate::model::{Labels, Sample, Value};

/// The series of one kind of one KPI.
pub struct Rows<'a, S> {
    /// Ascending by label values.
    rows: Vec<Row<'a, S>>,
    /// The label `partition` of each task.
    partitions: &'a [Labels],
    identity_of: IdentityOf<S>,
}

/// The label values of a series, and the Kafka timestamp of the record that made it.
pub type IdentityOf<S> = fn(&S) -> (&view::Labels, Option<KafkaTime>);

/// A label set, and its series in each task.
pub struct Row<'a, S> {
    /// The dimensions.
    pub labels: Labels,
    /// One per task.
    pub series: Vec<&'a S>,
}

impl<'a, S> Rows<'a, S> {
    /// Joins the tasks' series by label set; `zero` stands for those that are not there.
    pub fn join(
        kpi: &Kpi,
        partitions: &'a [Labels],
        tasks: &[&'a [S]],
        identity_of: IdentityOf<S>,
        zero: &'a S,
    ) -> Rows<'a, S> {
        let mut by_labels: BTreeMap<view::Labels, Vec<&'a S>> = BTreeMap::new();
        if !tasks.is_empty() {
            for labels in declared(kpi) {
                by_labels.insert(labels, vec![zero; tasks.len()]);
            }
        }
        for (task, series) in tasks.iter().enumerate() {
            for one in *series {
                let row = by_labels.entry(Arc::clone(identity_of(one).0));
                row.or_insert_with(|| vec![zero; tasks.len()])[task] = one;
            }
        }
        let rows = by_labels.into_iter().map(|(values, series)| {
            let names = kpi.by.iter().map(|dimension| dimension.name.as_str());
            let labels = Labels::of(names.zip(values.iter().cloned()));
            Row { labels, series }
        });
        Rows {
            rows: rows.collect(),
            partitions,
            identity_of,
        }
    }

    /// The label sets.
    pub fn rows(&self) -> &[Row<'a, S>] {
        &self.rows
    }

    /// One sample per label set, own labels and task, where `value` (of the series and the index
    /// of the own labels) has one.
    pub fn samples(
        &self,
        own: &[Labels],
        value: impl Fn(&S, usize) -> Option<Value>,
    ) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(self.rows.len() * own.len() * self.partitions.len());
        for row in &self.rows {
            for (index, own) in own.iter().enumerate() {
                for (series, partition) in row.series.iter().zip(self.partitions) {
                    if let Some(value) = value(series, index) {
                        let sample = Sample::new([&row.labels, own, partition], value);
                        samples.push(sample.since((self.identity_of)(series).1));
                    }
                }
            }
        }
        samples
    }

    /// One sample per label set and task: a whole number.
    pub fn integers(&self, value: impl Fn(&S) -> u64) -> Vec<Sample> {
        self.samples(&[Labels::none()], |series, _| {
            Some(Value::integer(value(series)))
        })
    }

    /// One sample per label set, currency and task. A currency that one task has seen under one
    /// label set is at zero in all others, for its amount there may be the first thing that a
    /// scrape sees; without any currency yet there is no series.
    pub fn amounts(&self, money: bool, amounts: fn(&S) -> &[view::Amount]) -> Vec<Sample> {
        let mut decimals: BTreeMap<Option<&'static str>, u8> = BTreeMap::new();
        if !money {
            decimals.insert(None, 0);
        }
        let series = self.rows.iter().flat_map(|row| &row.series);
        for amount in series.flat_map(|series| amounts(series)) {
            let seen = decimals.entry(amount.currency).or_default();
            *seen = amount.decimals.max(*seen);
        }
        let mut samples = Vec::new();
        for row in &self.rows {
            for (&currency, &decimals) in &decimals {
                let own = Labels::of(currency.map(|currency| ("currency", currency)));
                for (series, partition) in row.series.iter().zip(self.partitions) {
                    let mut found = amounts(series).iter();
                    let zero = view::Amount {
                        currency,
                        units: 0,
                        decimals,
                    };
                    let amount = found
                        .find(|amount| amount.currency == currency)
                        .unwrap_or(&zero);
                    let value = Value::amount(amount);
                    let sample = Sample::new([&row.labels, &own, partition], value);
                    samples.push(sample.since((self.identity_of)(series).1));
                }
            }
        }
        samples
    }
}

/// The label sets that exist before any event: the cross product of the declared values, if every
/// dimension declares some. A KPI without dimensions has one label set, the empty one.
fn declared(kpi: &Kpi) -> Vec<view::Labels> {
    let mut sets: Vec<Vec<Arc<str>>> = vec![Vec::new()];
    for dimension in &kpi.by {
        let values: Vec<Arc<str>> = dimension.values.iter().map(|v| v.as_str().into()).collect();
        let longer = sets.iter().flat_map(|set| {
            values.iter().map(|value| {
                let mut set = set.clone();
                set.push(Arc::clone(value));
                set
            })
        });
        sets = longer.collect();
    }
    sets.into_iter().map(Into::into).collect()
}
