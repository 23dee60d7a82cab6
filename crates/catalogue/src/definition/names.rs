//! No two KPIs may make the same metric, nor two that differ only by `_total` (one family in
//! OpenMetrics), nor one that looks like a part of another's histogram.

use std::collections::BTreeMap;

use crate::metrics::{MetricKind, families};
use crate::plan::Plan;
use crate::problem::{Place, Problems};

/// `places` are those of the KPIs' ids.
pub(crate) fn check(plan: &Plan, places: &[&Place], problems: &Problems) {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for (at, kpi) in plan.kpis.iter().enumerate() {
        // A double _ means that a name in it is missing or bad, which is a problem already.
        for family in families(plan, kpi)
            .iter()
            .filter(|family| !family.name.contains("__"))
        {
            for name in taken_by(&family.name, family.kind) {
                let owner = *owners.entry(name).or_insert(at);
                if owner == at {
                    continue;
                }
                let message = format!(
                    "kpi \"{}\" makes the metric {}, which clashes with one of kpi \"{}\"",
                    kpi.id, family.name, plan.kpis[owner].id
                );
                problems.add(places[at], message);
            }
        }
    }
}

fn taken_by(name: &str, kind: MetricKind) -> Vec<String> {
    let base = name.strip_suffix("_total").unwrap_or(name).to_owned();
    match kind {
        MetricKind::Histogram => ["", "_bucket", "_sum", "_count"]
            .iter()
            .map(|ending| format!("{base}{ending}"))
            .collect(),
        _ => vec![base],
    }
}
