//! How many series the KPIs can make and how much memory they take, before a record is read.
//!
//! A dimension with declared values is taken to have just those; of another one
//! `assumed_values` are taken. These are orders of magnitude for planning; what is really there is
//! `kept_series` and `kept_state_bytes`. The one limit made here is `label_set_limit`: what
//! `max_series` leaves room for, by the lines that one label set has.

use crate::metrics::{Family, LONGEST_WITH_OPEN, MetricKind, QUANTILES, Scope, SeriesId, families};
use crate::plan::{Dimension, Kind, Kpi, Limits, Plan};

/// A KPI that can make more series per partition than this is worth a warning.
pub const MANY_SERIES: u64 = 10_000;

/// Label sets of one KPI in one partition, whatever `max_series` says.
pub const MOST_LABEL_SETS: u64 = 10_000;

/// Currencies taken to be in use.
const ASSUMED_CURRENCIES: u64 = 2;

/// What one KPI can make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// The KPI's id.
    pub kpi: String,
    /// Combinations of dimension values.
    pub label_sets: u64,
    /// Those of the dimensions that declare their values, the others taken to have one each.
    pub declared_label_sets: u64,
    /// Dimensions that declare none, and how many values they are taken to have.
    pub assumed: Vec<(String, u64)>,
    /// What one label set has in each partition.
    pub lines_per_label_set: u64,
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

/// Label sets that a KPI may have in one partition: as many as `max_series` has room for, at least
/// one and at most `MOST_LABEL_SETS`. Further ones are `other`, and counted; that set, and the one
/// of entities whose start is not known, come on top.
pub fn label_set_limit(plan: &Plan, kpi: &Kpi) -> u64 {
    let room = plan.limits.max_series as u64;
    let room = room.checked_div(lines_per_label_set(plan, kpi));
    room.unwrap_or(MOST_LABEL_SETS).clamp(1, MOST_LABEL_SETS)
}

impl Estimate {
    /// Series in each partition that the declared values make, whatever the others have.
    pub fn declared_per_partition(&self) -> u64 {
        self.declared_label_sets
            .saturating_mul(self.lines_per_label_set)
    }

    /// What the numbers take for granted, like `taking 10 values of region, 5 of channel`; `None`
    /// if every dimension declares its values.
    pub fn assumption(&self) -> Option<String> {
        taking(&self.assumed)
    }
}

/// What all of them take for granted, each dimension once.
pub fn assumptions(estimates: &[Estimate]) -> Option<String> {
    let mut assumed: Vec<(String, u64)> = Vec::new();
    for entry in estimates.iter().flat_map(|one| &one.assumed) {
        if !assumed.contains(entry) {
            assumed.push(entry.clone());
        }
    }
    taking(&assumed)
}

fn taking(assumed: &[(String, u64)]) -> Option<String> {
    let assumed = assumed.iter().enumerate();
    let parts = assumed.map(|(at, (name, values))| match at {
        0 => format!("{values} values of {name}"),
        _ => format!("{values} of {name}"),
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("taking {}", parts.join(", ")))
}

/// Why a KPI with its declared values alone is beyond `max_series`, if so.
pub fn beyond_max_series(plan: &Plan, one: &Estimate) -> Option<String> {
    let (series, most) = (one.declared_per_partition(), plan.limits.max_series as u64);
    (series > most).then(|| {
        let sets = match one.declared_label_sets {
            1 => "one label set".to_owned(),
            sets => format!("{sets} label sets of declared values"),
        };
        format!(
            "kpi \"{}\" makes {series} series in each partition with {sets}, above max_series = \
             {most}: declare fewer values, drop a dimension or a window, or raise max_series in \
             [catalogue]",
            one.kpi
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
    let (mut label_sets, mut declared_label_sets) = (1u64, 1u64);
    let mut assumed = Vec::new();
    for dimension in &kpi.by {
        let values = assumed_values(dimension, &plan.limits);
        label_sets = label_sets.saturating_mul(values);
        if dimension.values.is_empty() {
            assumed.push((dimension.name.clone(), values));
        } else {
            declared_label_sets = declared_label_sets.saturating_mul(values);
        }
    }
    let mut per_instance = 0u64;
    for family in families(plan, kpi) {
        let own = lines(kpi, &family);
        let of_family = match family.scope {
            Scope::Partition => 0,
            Scope::Instance => own.saturating_mul(label_sets),
            Scope::Overall | Scope::Definition => own,
        };
        per_instance = per_instance.saturating_add(of_family);
    }
    let lines_per_label_set = lines_per_label_set(plan, kpi);
    Estimate {
        kpi: kpi.id.clone(),
        label_sets,
        declared_label_sets,
        assumed,
        lines_per_label_set,
        per_partition: lines_per_label_set.saturating_mul(label_sets),
        per_instance,
        state_bytes: label_sets.saturating_mul(bytes_per_label_set(kpi)),
    }
}

/// The lines of one label set in one partition.
fn lines_per_label_set(plan: &Plan, kpi: &Kpi) -> u64 {
    let families = families(plan, kpi).into_iter();
    let own = families.filter(|family| family.scope == Scope::Partition);
    own.map(|family| lines(kpi, &family))
        .fold(0, u64::saturating_add)
}

/// The lines that a family has for one label set.
fn lines(kpi: &Kpi, family: &Family) -> u64 {
    let combinations: u64 = family
        .labels
        .iter()
        .map(|label| values_of(kpi, family, label))
        .product();
    let edges = match &kpi.kind {
        Kind::Promise(promise) if !promise.buckets.has_classic() => 0,
        Kind::Promise(promise) => promise.edges.len(),
        Kind::Funnel(funnel) => funnel.edges.len(),
        _ => 0,
    };
    match family.kind {
        // Its edges, +Inf, sum and count, as the text formats have it. Native buckets, however many,
        // are one series more, and only in protobuf.
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

/// Windows hold 60 panes each; a pane of a duration holds a few dozen buckets of 16 bytes. A native
/// histogram has room for 128 in each power of two from the shortest to the longest: here ten, such as
/// from a second to a quarter of an hour.
fn bytes_per_label_set(kpi: &Kpi) -> u64 {
    const PANES: u64 = 60;
    const COUNT: u64 = 16;
    const SKETCH: u64 = 30 * 16;
    const NATIVE: u64 = 10 * 128 * 8;
    let windows = kpi.windows.len() as u64;
    match &kpi.kind {
        Kind::Count(_) => 200 + windows * PANES * COUNT,
        Kind::Ratio(_) => 400 + 2 * windows * PANES * COUNT,
        Kind::Promise(promise) => {
            let histograms =
                (promise.steps.len() as u64 + 2) * ((promise.edges.len() as u64 + 2) * 8 + NATIVE);
            500 + histograms + windows * PANES * (SKETCH + 3 * COUNT)
        }
        Kind::Funnel(funnel) => {
            let stages = funnel.stages.len() as u64;
            let histograms = stages * ((funnel.edges.len() as u64 + 2) * 8 + NATIVE);
            300 + histograms + windows * PANES * stages * COUNT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sources, read};

    fn estimates(definition: &str) -> Vec<Estimate> {
        estimate(&plan(definition))
    }

    fn plan(definition: &str) -> Plan {
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
        read(&sources).expect("the definition is good").1
    }

    #[test]
    fn native_histograms_have_no_series_for_their_edges() {
        let lines = |histogram: &str| {
            let definition = format!(
                "[kpi.x]\nkind = \"promise\"\nhelp = \"X\"\nwithin = \"60s\"\nobjective = 0.9\n\
                 histogram = \"{histogram}\"\n\
                 start = {{ type = \"order.placed\", key = \"order_id\" }}\n\
                 end = {{ type = \"order.fulfilled\", key = \"order_id\" }}"
            );
            estimates(&definition)[0].per_partition
        };
        assert_eq!(lines("both"), lines("classic"));
        assert_eq!(lines("both") - lines("native"), 8);
    }

    const ORDERS: &str = "[kpi.orders]\nkind = \"count\"\nhelp = \"Orders\"\n\
         event = \"order.placed\"\nwindows = [\"5m\", \"1h\"]\n\
         by = [{ field = \"region\", values = [\"eu\", \"us\", \"cn\"] }, \"device\", \"channel\"]\n";

    #[test]
    fn max_series_leaves_room_for_whole_label_sets_and_for_one_at_least() {
        let mut plan = plan(ORDERS);
        let limit = |plan: &Plan| label_set_limit(plan, &plan.kpis[0]);
        // A label set has the count and two windows.
        for (max_series, sets) in [(1, 1), (5, 1), (6, 2), (29_999, 9_999), (1 << 40, 10_000)] {
            plan.limits.max_series = max_series;
            assert_eq!(limit(&plan), sets, "max_series = {max_series}");
        }
    }

    #[test]
    fn declared_values_beyond_max_series_are_refused_and_assumed_ones_are_not() {
        let mut plan = plan(ORDERS);
        let one = &estimate(&plan)[0];
        assert_eq!(one.per_partition, 3 * 4 * 5 * 3);
        assert_eq!(one.declared_per_partition(), 3 * 3);
        let taken = "taking 4 values of device, 5 of channel";
        assert_eq!(one.assumption().as_deref(), Some(taken));
        plan.limits.max_series = 9;
        assert_eq!(beyond_max_series(&plan, one), None);
        plan.limits.max_series = 8;
        let refused = beyond_max_series(&plan, one).expect("9 are above 8");
        assert!(refused.contains("makes 9 series"), "{refused}");
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
