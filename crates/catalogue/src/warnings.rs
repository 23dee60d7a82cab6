//! What is allowed, and yet may not be meant: very many series, types and fields that look misspelt.

use std::collections::BTreeSet;

use crate::canonical::{self, COMMON_FIELDS, CanonicalType};
use crate::estimate::{MANY_SERIES, estimate, label_set_limit};
use crate::plan::{FieldId, Kind, Kpi, Part, Plan, Selector};
use crate::problem::nearest;

/// One sentence each; none stops the service.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let mut warnings = many_series(plan);
    warnings.extend(strange_types(plan));
    for kpi in &plan.kpis {
        warnings.extend(strange_fields(plan, kpi));
    }
    warnings
}

/// Very many series, and label sets that there will be no room for.
fn many_series(plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    for (kpi, one) in plan.kpis.iter().zip(estimate(plan)) {
        let limit = label_set_limit(plan, kpi);
        let beyond = one.label_sets > limit;
        if !beyond && one.per_partition <= MANY_SERIES {
            continue;
        }
        let taking = one.assumption().map(|text| format!(", {text}"));
        let mut text = format!(
            "kpi \"{}\" can make about {} series in each partition ({} label sets{})",
            one.kpi,
            one.per_partition,
            one.label_sets,
            taking.unwrap_or_default()
        );
        if beyond {
            text += &format!(
                ": with max_series = {} there is room for {limit}, further ones count as `other`",
                plan.limits.max_series
            );
        }
        warnings.push(text);
    }
    warnings
}

/// Types that are nearly, but not, canonical ones.
fn strange_types(plan: &Plan) -> Vec<String> {
    let known: Vec<&str> = canonical::types().iter().map(|known| known.name).collect();
    let strange = plan
        .types
        .iter()
        .filter(|used| canonical::of(&used.name).is_none());
    let near = strange.filter_map(|used| nearest(&used.name, &known, 2).zip(Some(&used.name)));
    near.map(|(near, name)| {
        format!("type \"{name}\" is not a canonical one, did you mean \"{near}\"?")
    })
    .collect()
}

/// Fields that none of the KPI's types has, where all of its types are canonical: every event would
/// count as `unknown`.
fn strange_fields(plan: &Plan, kpi: &Kpi) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    let (selectors, dimensioned) = selectors(kpi);
    for selector in dimensioned {
        let fields = kpi.by.iter().map(|dimension| dimension.field);
        warnings.extend(fields.filter_map(|field| strange_field(plan, kpi, selector, field)));
    }
    for selector in selectors {
        let fields = selector.filters.iter().map(|filter| filter.field);
        warnings.extend(fields.filter_map(|field| strange_field(plan, kpi, selector, field)));
    }
    warnings.into_iter().collect()
}

/// All selectors of a KPI, and those whose events give its dimensions.
fn selectors(kpi: &Kpi) -> (Vec<&Selector>, Vec<&Selector>) {
    match &kpi.kind {
        Kind::Count(count) => (vec![&count.event], vec![&count.event]),
        Kind::Ratio(ratio) => {
            let parts = [&ratio.numerator, &ratio.denominator].into_iter();
            let own: Vec<&Selector> = parts
                .filter_map(|part| match part {
                    Part::Own(count) => Some(&count.event),
                    Part::Of(_) => None,
                })
                .collect();
            (own.clone(), own)
        }
        Kind::Promise(promise) => {
            let ends = [
                Some(&promise.start),
                Some(&promise.end),
                promise.cancel.as_ref(),
            ];
            let steps = promise.steps.iter().map(|step| &step.event.event);
            let all = ends
                .into_iter()
                .flatten()
                .map(|keyed| &keyed.event)
                .chain(steps);
            (all.collect(), vec![&promise.start.event])
        }
        Kind::Funnel(funnel) => {
            let stages: Vec<&Selector> = funnel.stages.iter().map(|stage| &stage.event).collect();
            let all = stages.iter().copied().chain(&funnel.touch).collect();
            (all, stages.into_iter().take(1).collect())
        }
    }
}

fn strange_field(plan: &Plan, kpi: &Kpi, selector: &Selector, field: FieldId) -> Option<String> {
    let name = plan.fields[usize::from(field.0)].as_str();
    let names = selector
        .types
        .iter()
        .map(|id| plan.types[usize::from(id.0)].name.as_str());
    let types: Vec<&CanonicalType> = names.map(canonical::of).collect::<Option<_>>()?;
    let known: Vec<&str> = types
        .iter()
        .flat_map(|known| known.required.iter().chain(known.optional))
        .chain(&COMMON_FIELDS)
        .copied()
        .collect();
    if types.is_empty() || known.contains(&name) {
        return None;
    }
    let hint = nearest(name, &known, 2).map(|near| format!(", did you mean \"{near}\"?"));
    let names: Vec<&str> = types.iter().map(|known| known.name).collect();
    Some(format!(
        "kpi \"{}\" reads \"{name}\", which canonical {} events don't have{}",
        kpi.id,
        names.join(" and "),
        hint.unwrap_or_default()
    ))
}
