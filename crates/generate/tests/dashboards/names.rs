//! Which series there are, with which labels: from the catalogue's list of metrics, Kept's own, and the
//! rules that are recorded.

use std::collections::{BTreeMap, BTreeSet};

use catalogue::metrics::{Family, MetricKind, Scope, families, kept};
use catalogue::plan::{Buckets, Kpi};
use catalogue::{Plan, Settings};

/// What is known of a series.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Its labels besides those that Prometheus adds, if they are known.
    pub labels: Option<BTreeSet<String>>,
    /// The labels of its KPI's dimensions.
    pub dimensions: BTreeSet<String>,
    /// It is scraped rather than recorded.
    pub is_scraped: bool,
    /// It has `partition` and adds up: the greatest of the instances counts.
    pub is_additive: bool,
    /// Its buckets, sum or count, or a counter: only its rate means something.
    pub is_counter: bool,
    /// A histogram by its bare name: native.
    pub is_native: bool,
}

/// Everything that queries may ask for, by name.
pub struct Names(BTreeMap<String, Known>);

/// What is not Kept's.
const OTHERS: [(&str, bool); 5] = [
    ("up", false),
    ("ALERTS", false),
    ("process_cpu_seconds_total", true),
    ("process_resident_memory_bytes", false),
    ("process_open_fds", false),
];

impl Names {
    /// Of a catalogue.
    pub fn new(plan: &Plan, settings: &Settings) -> Names {
        let mut names = Names(BTreeMap::new());
        for (name, is_counter) in OTHERS {
            let known = Known {
                is_scraped: name != "ALERTS",
                is_counter,
                ..Known::default()
            };
            names.0.insert(name.to_owned(), known);
        }
        for kpi in &plan.kpis {
            for family in families(plan, kpi) {
                let known = of_kpi(kpi, &family);
                names.add(&family.name, family.kind, kpi.buckets(), known);
            }
        }
        for family in kept::OWN_FAMILIES {
            let labels = family.labels.iter().map(|label| (*label).to_owned());
            let known = Known {
                labels: Some(labels.collect()),
                is_additive: family.labels.contains(&"partition"),
                ..Known::default()
            };
            names.add(family.name, family.kind, Buckets::Both, known);
        }
        for file in generate::rules(plan, &settings.generation) {
            if file.path == "prometheus/rules.yml" {
                names.add_recorded(&file.text);
            }
        }
        names
    }

    /// A scraped family, with the names of a histogram's parts: of one that is native alone there are
    /// none, of one that is classic alone there is nothing else.
    fn add(&mut self, name: &str, kind: MetricKind, buckets: Buckets, known: Known) {
        let known = Known {
            is_scraped: true,
            is_counter: kind == MetricKind::Counter,
            is_native: kind == MetricKind::Histogram,
            ..known
        };
        if kind == MetricKind::Histogram && buckets.has_classic() {
            for part in ["_bucket", "_sum", "_count"] {
                let mut known = Known {
                    is_counter: true,
                    is_native: false,
                    ..known.clone()
                };
                if part == "_bucket" {
                    known.labels.get_or_insert_default().insert("le".to_owned());
                }
                self.0.insert(format!("{name}{part}"), known);
            }
        }
        if kind != MetricKind::Histogram || buckets.has_native() {
            self.0.insert(name.to_owned(), known);
        }
    }

    /// Recorded series: `level:metric:operations` has the labels of the metric.
    fn add_recorded(&mut self, rules: &str) {
        for line in rules.lines() {
            let Some(name) = line.trim().strip_prefix("- record: ") else {
                continue;
            };
            let name = name.trim_matches('\'');
            let mut parts = name.split(':');
            let (level, metric) = (parts.next().unwrap_or_default(), parts.next());
            let metric = metric.unwrap_or_default();
            let total = format!("{metric}_total");
            let base = self.0.get(metric).or_else(|| self.0.get(&total)).cloned();
            let base = base.unwrap_or_default();
            let is_part = base
                .dimensions
                .iter()
                .all(|label| level.contains(label.as_str()));
            let per_partition = level == "partition";
            let known = Known {
                labels: base.labels,
                dimensions: if is_part {
                    base.dimensions
                } else {
                    BTreeSet::new()
                },
                is_scraped: false,
                is_additive: false,
                is_counter: base.is_counter && per_partition,
                is_native: false,
            };
            self.0.insert(name.to_owned(), known);
        }
    }

    /// What is known of a series of this name.
    pub fn get(&self, name: &str) -> Option<&Known> {
        self.0.get(name)
    }
}

fn of_kpi(kpi: &Kpi, family: &Family) -> Known {
    let has_dimensions = matches!(family.scope, Scope::Partition | Scope::Instance);
    let dimensions: BTreeSet<String> = match has_dimensions {
        true => kpi
            .by
            .iter()
            .map(|dimension| dimension.name.clone())
            .collect(),
        false => BTreeSet::new(),
    };
    let mut labels = dimensions.clone();
    labels.extend(family.labels.iter().map(|label| (*label).to_owned()));
    let in_partitions = family.scope == Scope::Partition;
    if in_partitions {
        labels.insert("partition".to_owned());
    }
    Known {
        labels: Some(labels),
        dimensions,
        is_additive: in_partitions && family.kind != MetricKind::Histogram,
        ..Known::default()
    }
}
