//! From `[kpi.ID]` tables to KPIs: gathers the definitions of packs and files, reads each by its
//! kind, joins topics into groups.
//!
//! A file's definition takes the place of the pack's of the same id, so that users tune a pack.

pub(crate) mod alert;
mod common;
mod count;
mod funnel;
mod groups;
mod names;
mod owners;
mod promise;
mod ratio;
mod selector;

pub(crate) use common::RESERVED;

use crate::generation::{Alerting, Generation};
use crate::plan::{Kind, Kpi, Limits, Plan, TimeRules, Topic};
use crate::problem::{Place, Problems, suggestion};
use crate::text::section::{Section, Sited};
use crate::text::tree::{Table, Value};
use crate::text::values;
use selector::Builder;

/// A definition as written.
pub(crate) struct Definition {
    id: String,
    place: Place,
    table: Table,
}

/// The definitions of one source set (the packs, or the files).
#[derive(Default)]
pub(crate) struct Definitions(Vec<Definition>);

impl Definitions {
    /// Takes all of a document; an id twice is a problem.
    pub fn add(&mut self, document: &Table, problems: &Problems) {
        let root = Section::new(document, "a catalogue file", &["kpi"], problems);
        for entry in root.table("kpi").iter().flat_map(|table| &table.entries) {
            if let Err(message) = values::metric_name(&entry.key) {
                problems.add(&entry.key_place, message);
            }
            let Value::Table(table) = &entry.node.value else {
                let message = format!("\"{}\" in [kpi] must be a table, [kpi.{0}]", entry.key);
                problems.add(&entry.key_place, message);
                continue;
            };
            if let Some(first) = self.0.iter().find(|other| other.id == entry.key) {
                let Place { path, line, .. } = &first.place;
                let message = format!(
                    "kpi \"{}\" is defined already in {path}, line {line}",
                    entry.key
                );
                problems.add(&entry.key_place, message);
                continue;
            }
            let place = entry.key_place.clone();
            self.0.push(Definition {
                id: entry.key.clone(),
                place,
                table: table.clone(),
            });
        }
    }

    /// A sentence for each of the packs' definitions that one of the files takes the place of.
    pub fn replaced_by(&self, files: &Definitions) -> Vec<String> {
        let own = files.0.iter();
        let replaced = own.filter_map(|own| {
            let pack = self.0.iter().find(|other| other.id == own.id)?;
            let Place { path, line, .. } = &own.place;
            let (id, pack) = (&own.id, &pack.place.path);
            Some(format!(
                "kpi {id} of {path}, line {line}, takes the place of {pack}'s"
            ))
        });
        replaced.collect()
    }

    /// The packs' definitions with the files' laid over them.
    pub fn overlaid_with(mut self, files: Definitions) -> Definitions {
        for definition in files.0 {
            match self.0.iter_mut().find(|other| other.id == definition.id) {
                Some(replaced) => *replaced = definition,
                None => self.0.push(definition),
            }
        }
        self
    }
}

/// What the plan takes over from the settings.
pub(crate) struct Frame<'a> {
    pub namespace: String,
    pub time: TimeRules,
    pub limits: Limits,
    pub topics: Vec<Topic>,
    /// Labels that no dimension may have, and who owns Kept.
    pub generation: &'a Generation,
}

/// Reads all definitions, with the thresholds of their alerts by `KpiId`. Both are good only if no
/// problem was added.
pub(crate) fn plan(
    frame: Frame<'_>,
    definitions: &Definitions,
    problems: &Problems,
) -> (Plan, Vec<Alerting>) {
    let mut builder = Builder::new(&frame.topics, frame.generation, problems);
    let list = &definitions.0;
    let mut kpis: Vec<Option<Kpi>> = list
        .iter()
        .map(|one| entity_kpi(one, &mut builder))
        .collect();
    let ratios: Vec<(usize, Kpi)> = (0..list.len())
        .filter(|&at| kind_of(&list[at].table) == Some("ratio"))
        .map(|at| (at, ratio::read(&list[at], &mut builder, list, &kpis)))
        .collect();
    for (at, kpi) in ratios {
        kpis[at] = Some(kpi);
    }
    let Builder {
        types,
        fields,
        alerting,
        ..
    } = builder;
    let mut places = Vec::new();
    let mut good = Vec::new();
    for (kpi, definition) in kpis.into_iter().zip(list) {
        places.extend(kpi.is_some().then_some(&definition.place));
        good.extend(kpi);
    }
    let Frame {
        namespace,
        time,
        limits,
        topics,
        ..
    } = frame;
    let groups = groups::of(topics.len(), &good);
    let plan = Plan {
        namespace,
        time,
        limits,
        topics,
        groups,
        types,
        fields,
        kpis: good,
    };
    names::check(&plan, &places, problems);
    let of = |kpi: &Kpi| alerting.iter().find(|one| one.0 == kpi.id).map(|one| one.1);
    let alerting = plan.kpis.iter().filter_map(of).collect();
    (plan, alerting)
}

const KINDS: [&str; 4] = ["count", "ratio", "promise", "funnel"];
const LATER_KINDS: [&str; 4] = ["group", "retention", "level", "score"];

fn kind_of(table: &Table) -> Option<&str> {
    match &table.get("kind")?.node.value {
        Value::Text(kind) => Some(kind),
        _ => None,
    }
}

/// Any kind but `ratio`, which refers to the others and is read after them.
fn entity_kpi(definition: &Definition, builder: &mut Builder<'_>) -> Option<Kpi> {
    let problems = builder.problems;
    match kind_of(&definition.table) {
        Some("count") => Some(count::read(definition, builder)),
        Some("promise") => Some(promise::read(definition, builder)),
        Some("funnel") => Some(funnel::read(definition, builder)),
        Some("ratio") => None,
        kind => {
            let entry = definition.table.get("kind");
            let place = entry.map_or(&definition.place, |entry| &entry.node.place);
            let id = &definition.id;
            let message = match kind {
                Some(kind) if LATER_KINDS.contains(&kind) => {
                    format!(
                        "kind \"{kind}\" is not supported yet: use {}",
                        KINDS.join(", ")
                    )
                }
                Some(kind) => {
                    let hint = suggestion(kind, &KINDS);
                    format!("unknown kind \"{kind}\" of kpi.{id}{hint}")
                }
                None => format!("kpi.{id} needs a \"kind\": {}", KINDS.join(", ")),
            };
            problems.add(place, message);
            None
        }
    }
}

/// What every KPI's table may have, with the keys of its kind.
fn open<'a>(definition: &'a Definition, own: &[&str], problems: &'a Problems) -> Section<'a> {
    let keys: Vec<&str> = common::KEYS.iter().chain(own).copied().collect();
    Section::new(
        &definition.table,
        format!("kpi.{}", definition.id),
        &keys,
        problems,
    )
}

fn finish(
    definition: &Definition,
    section: &Section<'_>,
    builder: &mut Builder<'_>,
    kind: Kind,
) -> Kpi {
    common::read(&definition.id, section, builder, kind)
}

/// A list without a value twice; says which one is.
fn unique(items: &[Sited<String>], what: &str, problems: &Problems) {
    for (at, item) in items.iter().enumerate() {
        if items[..at].iter().any(|other| other.value == item.value) {
            problems.add(
                &item.place,
                format!("{what} \"{}\" is there twice", item.value),
            );
        }
    }
}
