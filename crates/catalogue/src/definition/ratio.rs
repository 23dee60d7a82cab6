//! Kind `ratio`: two sides, each counted by the ratio itself or a counter of another KPI.
//!
//! A side that refers is not counted again: `"orders"`, `"orders.sum"`, `"cart.checkout"`.

use super::selector::{Builder, placeholder};
use super::{Definition, count, finish, kind_of, open};
use crate::plan::{Count, Kind, Kpi, KpiId, Part, Ratio, Reference, ReferenceSeries};
use crate::problem::{Place, suggestion};
use crate::text::section::Section;
use crate::text::tree::{Node, Table, Value};

const NO_COUNTER: &str = "name a count or a stage of a funnel";

/// `kpis` are what was read of `definitions` so far: all but the ratios.
pub(crate) fn read(
    definition: &Definition,
    builder: &mut Builder<'_>,
    definitions: &[Definition],
    kpis: &[Option<Kpi>],
) -> Kpi {
    let section = open(definition, &["numerator", "denominator"], builder.problems);
    let mut side = |side: &str| {
        let Some(node) = section.node(side) else {
            let example = format!("{side} = \"orders\" or {{ type = \"order.placed\" }}");
            section.missing(side, &example);
            return None;
        };
        part(definition, side, node, builder, definitions, kpis)
    };
    let nothing = || {
        Part::Own(Count {
            event: placeholder(),
            sum: None,
        })
    };
    let numerator = side("numerator").unwrap_or_else(nothing);
    let denominator = side("denominator").unwrap_or_else(nothing);
    let ratio = Ratio {
        numerator,
        denominator,
    };
    let parts = [ratio.numerator.clone(), ratio.denominator.clone()];
    let kpi = finish(definition, &section, builder, Kind::Ratio(ratio));
    for part in &parts {
        if let Part::Of(reference) = part {
            check_dimensions(
                &kpi,
                kpis[usize::from(reference.kpi.0)].as_ref(),
                &section,
                builder,
            );
        }
    }
    kpi
}

fn part(
    definition: &Definition,
    side: &str,
    node: &Node,
    builder: &mut Builder<'_>,
    definitions: &[Definition],
    kpis: &[Option<Kpi>],
) -> Option<Part> {
    match &node.value {
        Value::Text(text) => reference(text, &node.place, builder, definitions, kpis).map(Part::Of),
        Value::Table(table) => Some(Part::Own(own(definition, side, table, builder))),
        _ => {
            let message = format!("\"{side}\" must be the name of a counter or a selector");
            builder.problems.add(&node.place, message);
            None
        }
    }
}

fn own(definition: &Definition, side: &str, table: &Table, builder: &mut Builder<'_>) -> Count {
    let title = format!("{side} of kpi.{}", definition.id);
    let (with_sum, rest): (Vec<_>, Vec<_>) = table
        .entries
        .iter()
        .cloned()
        .partition(|entry| entry.key == "sum");
    let place = table.place.clone();
    let selector = Value::Table(Table {
        place: place.clone(),
        entries: rest,
    });
    let event = builder.selector(
        &title,
        &Node {
            place: place.clone(),
            value: selector,
            raw: None,
        },
    );
    let problems = builder.problems;
    let sums = Table {
        place,
        entries: with_sum,
    };
    let section = Section::new(&sums, title, &["sum"], problems);
    let sum = count::sum(&section, builder, format!("{}_{side}", definition.id));
    Count { event, sum }
}

fn reference(
    text: &str,
    place: &Place,
    builder: &Builder<'_>,
    definitions: &[Definition],
    kpis: &[Option<Kpi>],
) -> Option<Reference> {
    let (id, series) = text
        .split_once('.')
        .map_or((text, None), |(id, rest)| (id, Some(rest)));
    let ids: Vec<&str> = definitions.iter().map(|known| known.id.as_str()).collect();
    let Some(at) = ids.iter().position(|known| *known == id) else {
        let hint = suggestion(id, &ids);
        builder
            .problems
            .add(place, format!("there is no kpi \"{id}\"{hint}"));
        return None;
    };
    let Some(kpi) = &kpis[at] else {
        // Any other kind that is not there has a problem of its own.
        if kind_of(&definitions[at].table) == Some("ratio") {
            builder.problems.add(
                place,
                format!("kpi \"{id}\" is a ratio itself: {NO_COUNTER}"),
            );
        }
        return None;
    };
    match counter(kpi, series) {
        Ok(series) => Some(Reference {
            kpi: KpiId(at as u16),
            series,
        }),
        Err(message) => {
            builder.problems.add(place, message);
            None
        }
    }
}

/// The counter of a KPI that is meant by what is behind the dot, or by nothing.
fn counter(kpi: &Kpi, series: Option<&str>) -> Result<ReferenceSeries, String> {
    let id = &kpi.id;
    match (&kpi.kind, series) {
        (Kind::Count(_), None) => Ok(ReferenceSeries::Events),
        (Kind::Count(count), Some("sum")) if count.sum.is_some() => Ok(ReferenceSeries::Sum),
        (Kind::Count(count), _) => Err(match count.sum {
            Some(_) => format!("kpi \"{id}\" has \"{id}\" and \"{id}.sum\""),
            None => format!("kpi \"{id}\" has only \"{id}\": it sums nothing"),
        }),
        (Kind::Funnel(funnel), series) => {
            let names: Vec<&str> = funnel
                .stages
                .iter()
                .map(|stage| stage.name.as_str())
                .collect();
            let stage = names.iter().position(|name| Some(*name) == series);
            stage.map(ReferenceSeries::Stage).ok_or_else(|| {
                let hint = suggestion(series.unwrap_or(""), &names);
                format!(
                    "name a stage of the funnel, like \"{id}.{}\"{hint}",
                    names.first().unwrap_or(&"stage")
                )
            })
        }
        _ => Err(format!("kpi \"{id}\" is a promise: {NO_COUNTER}")),
    }
}

/// A ratio can't be split finer than what it divides.
fn check_dimensions(
    ratio: &Kpi,
    other: Option<&Kpi>,
    section: &Section<'_>,
    builder: &Builder<'_>,
) {
    let Some(other) = other else { return };
    for dimension in &ratio.by {
        if !other.by.iter().any(|known| known.name == dimension.name) {
            let message = format!(
                "{} is by \"{}\", but kpi \"{}\" isn't: leave it out, or add it there",
                section.title(),
                dimension.name,
                other.id
            );
            builder
                .problems
                .add(super::common::place_of(section, "by"), message);
        }
    }
}
