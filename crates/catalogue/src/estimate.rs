//! How many series the KPIs can make and how much memory they take, before a record is read.
//!
//! A dimension with declared values is taken to have just those; of another one
//! `assumed_values` are taken. These are orders of magnitude for planning, not limits: limits are
//! in `plan::Limits`, and what is really there is `kept_series` and `kept_state_bytes`.

use crate::metrics::{Family, LONGEST_WITH_OPEN, MetricKind, QUANTILES, Scope, SeriesId, families};
use crate::plan::{Dimension, Kind, Kpi, Limits, Plan};

/// A KPI that can make more series per partition than this is worth a warning.
pub const MANY_SERIES: u64 = 10_000;

/// Currencies taken to be in use.
const ASSUMED_CURRENCIES: u64 = 2;

/// What one KPI can make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// The KPI's id.
    pub kpi: String,
    /// Combinations of dimension values.
    pub label_sets: u64,
    /// Series that each partition has (its lines on `/metrics`, buckets counted singly).
    pub per_partition: u64,
    /// Series that an instance has besides, whatever its partitions: percentiles and targets.
    pub per_instance: u64,
    /// Bytes of windows and counters in each partition's state.
    pub state_bytes: u64,
}

/// Bytes of state that grow with the traffic, when their limits are reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AtLimits {
    /// Open and held entities of one KPI in one partition.
    pub entities: u64,
    /// Remembered event ids of one topic-partition.
    pub dedupe: u64,
}

/// One estimate per KPI, in their order.
pub fn estimate(plan: &Plan) -> Vec<Estimate> {
    plan.kpis.iter().map(|kpi| of_kpi(plan, kpi)).collect()
}

/// How many partitions each KPI lives on, by `KpiId`, from those of the topics, by `TopicId`. A
/// topic whose partitions nobody knows has one.
pub fn partitions_of_kpis(plan: &Plan, topics: &[Option<usize>]) -> Vec<u64> {
    let mut partitions = vec![1; plan.kpis.len()];
    for group in &plan.groups {
        let counts = group.topics.iter();
        let counts = counts.filter_map(|topic| topics.get(usize::from(topic.0)).copied().flatten());
        // Joined topics have equal counts, or the check says so.
        let count = counts.max().unwrap_or(1) as u64;
        for kpi in &group.kpis {
            partitions[usize::from(kpi.0)] = count;
        }
    }
    partitions
}

/// Series on `/metrics` of an instance that has all partitions: `partitions` of each KPI.
pub fn total_series(estimates: &[Estimate], partitions: &[u64]) -> u64 {
    let each = estimates.iter().zip(partitions);
    each.map(|(one, partitions)| {
        let of_partitions = one.per_partition.saturating_mul(*partitions);
        of_partitions.saturating_add(one.per_instance)
    })
    .fold(0, u64::saturating_add)
}

/// What to say of an instance with all partitions, if it can make more series than
/// `max_series`; `what` says how many partitions, like `one partition`.
pub fn too_many_series(
    plan: &Plan,
    estimates: &[Estimate],
    partitions: &[u64],
    what: &str,
) -> Option<String> {
    let total = total_series(estimates, partitions);
    let most = plan.limits.max_series as u64;
    let each = estimates.iter().zip(partitions);
    let largest = each.max_by_key(|(one, count)| one.per_partition.saturating_mul(**count))?;
    (total > most).then(|| {
        format!(
            "the catalogue can make about {total} series with {what}, above max_series = {most}; \
             kpi \"{}\" makes most: declare values, drop a dimension or a window, or raise \
             max_series in [catalogue]",
            largest.0.kpi
        )
    })
}

/// The state that the limits allow.
pub fn at_limits(limits: &Limits) -> AtLimits {
    const OPEN: u64 = 200;
    const FINISHED: u64 = 54;
    const HELD: u64 = 120;
    const EVENT_ID: u64 = 32;
    AtLimits {
        entities: limits.open_entities as u64 * OPEN
            + limits
                .remembered_entities
                .saturating_sub(limits.open_entities) as u64
                * FINISHED
            + limits.held_entities as u64 * HELD,
        dedupe: limits.dedupe_entries as u64 * EVENT_ID,
    }
}

/// How many values a dimension is taken to have: those declared; else, with `unknown`, 5 for a
/// channel, 4 for a device, 10 for a region and 20 for anything else, never above the limit.
pub fn assumed_values(dimension: &Dimension, limits: &Limits) -> u64 {
    if !dimension.values.is_empty() {
        return dimension.values.len() as u64;
    }
    let values = match dimension.name.as_str() {
        "channel" => 5,
        "device" => 4,
        "region" => 10,
        _ => 20,
    };
    // The limit does not count `unknown` and `other`.
    values.min(limits.label_values as u64 + 2)
}

fn of_kpi(plan: &Plan, kpi: &Kpi) -> Estimate {
    let values = kpi
        .by
        .iter()
        .map(|dimension| assumed_values(dimension, &plan.limits));
    let label_sets = values.fold(1u64, u64::saturating_mul);
    let (mut per_partition, mut per_instance) = (0u64, 0u64);
    for family in families(plan, kpi) {
        let own = lines(kpi, &family);
        match family.scope {
            Scope::Partition => {
                per_partition = per_partition.saturating_add(own.saturating_mul(label_sets));
            }
            Scope::Instance => {
                per_instance = per_instance.saturating_add(own.saturating_mul(label_sets));
            }
            Scope::Overall | Scope::Definition => per_instance = per_instance.saturating_add(own),
        }
    }
    let state_bytes = label_sets.saturating_mul(bytes_per_label_set(kpi));
    Estimate {
        kpi: kpi.id.clone(),
        label_sets,
        per_partition,
        per_instance,
        state_bytes,
    }
}

/// The lines that a family has for one label set.
fn lines(kpi: &Kpi, family: &Family) -> u64 {
    let combinations: u64 = family
        .labels
        .iter()
        .map(|label| values_of(kpi, family, label))
        .product();
    let edges = match &kpi.kind {
        Kind::Promise(promise) => promise.edges.len(),
        Kind::Funnel(funnel) => funnel.edges.len(),
        _ => 0,
    };
    match family.kind {
        // Its edges, +Inf, sum and count.
        MetricKind::Histogram => combinations * (edges as u64 + 3),
        _ => combinations,
    }
}

/// How many values a family's own label has.
fn values_of(kpi: &Kpi, family: &Family, label: &str) -> u64 {
    let stages = match &kpi.kind {
        Kind::Funnel(funnel) => funnel.stages.len(),
        _ => 0,
    };
    let count = match (label, family.series) {
        ("window", SeriesId::WithOpen | SeriesId::AllWithOpen) => kpi
            .windows
            .iter()
            .filter(|window| window.length <= LONGEST_WITH_OPEN)
            .count(),
        ("window", _) => kpi.windows.len(),
        ("q", _) => QUANTILES.len(),
        ("result", SeriesId::PromisesInWindow) => 3,
        ("result", _) => 2,
        ("step", _) => match &kpi.kind {
            Kind::Promise(promise) => promise.steps.len() + 1,
            _ => 0,
        },
        ("stage", SeriesId::StageDuration) => stages.saturating_sub(1),
        ("stage" | "last_stage", _) => stages,
        // With `last_stage`: converted has only the last one, abandoned all others.
        ("outcome", _) => 1,
        ("currency", _) => return ASSUMED_CURRENCIES,
        _ => 1,
    };
    count as u64
}

/// Windows hold 60 panes each; a pane of a duration holds a few dozen buckets of 16 bytes.
fn bytes_per_label_set(kpi: &Kpi) -> u64 {
    const PANES: u64 = 60;
    const COUNT: u64 = 16;
    const SKETCH: u64 = 30 * 16;
    let windows = kpi.windows.len() as u64;
    match &kpi.kind {
        Kind::Count(_) => 200 + windows * PANES * COUNT,
        Kind::Ratio(_) => 400 + 2 * windows * PANES * COUNT,
        Kind::Promise(promise) => {
            let histograms =
                (promise.steps.len() as u64 + 2) * (promise.edges.len() as u64 + 2) * 8;
            500 + histograms + windows * PANES * (SKETCH + 3 * COUNT)
        }
        Kind::Funnel(funnel) => {
            let stages = funnel.stages.len() as u64;
            let histograms = stages * (funnel.edges.len() as u64 + 2) * 8;
            300 + histograms + windows * PANES * stages * COUNT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sources, read};

    fn estimates(definition: &str) -> Vec<Estimate> {
        let text = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n\
                    [catalogue]\nfiles = [\"kpis.toml\"]\n";
        let name = "kpis.toml".to_owned();
        let file = crate::FileText {
            path: name.clone(),
            name,
            text: Ok(definition.to_owned()),
        };
        let sources = Sources {
            path: "kept.toml",
            text,
            environment: &[],
            files: &[file],
        };
        let (_, plan) = read(&sources).expect("the definition is good");
        estimate(&plan)
    }

    #[test]
    fn declared_values_count_as_they_are_and_others_are_assumed() {
        let definition = "[kpi.orders]\nkind = \"count\"\nhelp = \"Orders\"\n\
             event = \"order.placed\"\nwindows = [\"5m\", \"1h\"]\n\
             by = [{ field = \"region\", values = [\"eu\", \"us\", \"cn\"] }, \"device\"]\n\
             sum = \"total\"\nsum_name = \"revenue\"";
        let one = &estimates(definition)[0];
        assert_eq!(one.label_sets, 3 * 4);
        // The count, two currencies of the sum, two windows.
        assert_eq!(one.per_partition, 12 * (1 + 2 + 2));
        assert_eq!(one.per_instance, 0);
    }

    #[test]
    fn a_promise_has_percentiles_per_instance_and_the_rest_per_partition() {
        let definition = "[kpi.x]\nkind = \"promise\"\nhelp = \"X\"\nwithin = \"60s\"\n\
             objective = 0.9\nwindows = [\"5m\", \"1d\"]\n\
             start = { type = \"order.placed\", key = \"order_id\" }\n\
             end = { type = \"order.fulfilled\", key = \"order_id\" }";
        let one = &estimates(definition)[0];
        // Nine counters (one by two results), a histogram of 8 edges, four gauges, 2 windows by 3.
        assert_eq!(one.per_partition, 10 + 11 + 4 + 6);
        // Percentiles of two windows and of one with open ones, each also over all; two targets.
        assert_eq!(one.per_instance, 2 * (8 + 4) + 2);
    }
}
