//! Kind `promise`: an entity with a start, an end, a time limit and an objective.

use events::Span;

use super::selector::{Builder, keyed_placeholder};
use super::{Definition, common, finish, open};
use crate::plan::{Buckets, END_STEP, Keyed, Kind, Kpi, Promise, Selector, Step, TopicId};
use crate::text::section::Section;
use crate::text::tree::Table;
use crate::text::values;

const KEYS: [&str; 9] = [
    "start",
    "end",
    "cancel",
    "within",
    "objective",
    "horizon",
    "hold",
    "step",
    "histogram",
];

const MAX_STEPS: usize = 16;

pub(crate) fn read(definition: &Definition, builder: &mut Builder<'_>) -> Kpi {
    let section = open(definition, &KEYS, builder.problems);
    for (key, example) in [
        ("start", "{ type = \"order.placed\", key = \"order_id\" }"),
        ("end", "{ type = \"order.fulfilled\", key = \"order_id\" }"),
        ("within", "\"60s\""),
        ("objective", "0.95"),
    ] {
        if section.node(key).is_none() {
            section.missing(key, &format!("{key} = {example}"));
        }
    }
    let start = keyed(&section, "start", builder);
    let end = keyed(&section, "end", builder);
    let cancel = keyed(&section, "cancel", builder);
    let steps = steps(&section, builder);
    let within = section.span("within", Span::from_seconds(60));
    let horizon = section.span("horizon", Span::from_seconds(86_400));
    let hold = section.span("hold", Span::from_seconds(600));
    if within >= horizon {
        let place = common::place_of(&section, "within");
        let message = format!("\"within\" must be shorter than \"horizon\", which is {horizon}");
        builder.problems.add(place, message);
    }
    let objective = objective(&section);
    if let Some((start, end)) = start.as_ref().zip(end.as_ref()) {
        check_events(&section, builder, start, end, cancel.as_ref());
    }
    let edges = edges(within);
    let mut promise = Promise {
        start: start.unwrap_or_else(keyed_placeholder),
        end: end.unwrap_or_else(keyed_placeholder),
        cancel,
        steps,
        within,
        objective,
        horizon,
        hold,
        lateness: Span::ZERO,
        edges,
        buckets: buckets(&section),
    };
    check_topic_keys(&section, builder, &promise.topics());
    let topics = promise.topics().into_iter();
    let lateness = topics.filter_map(|topic| lateness(builder, topic)).max();
    promise.lateness = lateness.unwrap_or_default();
    finish(definition, &section, builder, Kind::Promise(promise))
}

/// Topics that are joined must be keyed alike, or an entity's records are in different partitions.
fn check_topic_keys(section: &Section<'_>, builder: &Builder<'_>, ids: &[TopicId]) {
    let topics = ids
        .iter()
        .filter_map(|id| builder.topics.get(usize::from(id.0)));
    let keyed: Vec<_> = topics
        .filter_map(|topic| topic.key.as_ref().zip(Some(&topic.name)))
        .collect();
    let Some((first_key, first)) = keyed.first() else {
        return;
    };
    for (key, name) in keyed.iter().filter(|(key, _)| key != first_key) {
        let message = format!(
            "{} joins topic \"{first}\" with key \"{first_key}\" and topic \"{name}\" with key \
             \"{key}\": records of one entity would be in different partitions",
            section.title()
        );
        builder.problems.add(section.place(), message);
    }
}

/// The lateness of a topic; nothing when no topic is configured, which is a problem already.
pub(crate) fn lateness(builder: &Builder<'_>, topic: TopicId) -> Option<Span> {
    builder
        .topics
        .get(usize::from(topic.0))
        .map(|topic| topic.lateness)
}

/// Upper edges of the duration's histogram. Four up to the limit tell how close to it the good ones
/// are, two right above it how badly the others miss it; the last two tell minutes from hours.
fn edges(within: Span) -> Vec<Span> {
    let parts = [
        (1, 12),
        (1, 4),
        (1, 2),
        (3, 4),
        (1, 1),
        (2, 1),
        (10, 1),
        (60, 1),
    ];
    parts
        .iter()
        .map(|(times, by)| Span(within.0 * times / by))
        .collect()
}

fn keyed(section: &Section<'_>, key: &str, builder: &mut Builder<'_>) -> Option<Keyed> {
    let node = section.node(key)?;
    Some(builder.keyed(&format!("{key} of {}", section.title()), node))
}

fn objective(section: &Section<'_>) -> f64 {
    let Some(objective) = section.number("objective") else {
        return 0.95;
    };
    if !(objective.value > 0.0 && objective.value < 1.0) {
        let message = format!(
            "\"objective\" in {} is a share between 0 and 1, like 0.95, not {}",
            section.title(),
            objective.value
        );
        section.problems.add(&objective.place, message);
    }
    objective.value
}

fn buckets(section: &Section<'_>) -> Buckets {
    let kinds = [
        ("both", Buckets::Both),
        ("classic", Buckets::Classic),
        ("native", Buckets::Native),
    ];
    section.word("histogram", &kinds).unwrap_or(Buckets::Both)
}

fn check_events(
    section: &Section<'_>,
    builder: &Builder<'_>,
    start: &Keyed,
    end: &Keyed,
    cancel: Option<&Keyed>,
) {
    let same = |key: &str, one: &Keyed, other: &Keyed, name: &str| {
        if overlaps(&one.event, &other.event) {
            let message = format!(
                "\"{key}\" and \"{name}\" of {} are one event",
                section.title()
            );
            builder
                .problems
                .add(common::place_of(section, key), message);
        }
    };
    same("end", end, start, "start");
    let Some(cancel) = cancel else { return };
    same("cancel", cancel, start, "start");
    same("cancel", cancel, end, "end");
    if cancel.event.topic != end.event.topic {
        let message = "\"cancel\" must be on the topic of \"end\": which came first decides";
        builder
            .problems
            .add(common::place_of(section, "cancel"), message);
    }
}

/// Whether an event can be both: types in common and nothing that tells them apart.
fn overlaps(one: &Selector, other: &Selector) -> bool {
    let shared = one.types.iter().any(|id| other.types.contains(id));
    shared && one.topic == other.topic && (one.filters.is_empty() || other.filters.is_empty())
}

fn steps(section: &Section<'_>, builder: &mut Builder<'_>) -> Vec<Step> {
    let tables = section.tables("step");
    if tables.len() > MAX_STEPS {
        let message = format!(
            "{} has {} steps: at most {MAX_STEPS}",
            section.title(),
            tables.len()
        );
        builder.problems.add(&tables[MAX_STEPS].place, message);
    }
    let mut steps: Vec<Step> = Vec::new();
    for table in tables {
        let Some(step) = step(section, table, builder) else {
            continue;
        };
        if steps.iter().any(|other| other.name == step.name) {
            builder.problems.add(
                &table.place,
                format!("step \"{}\" is there twice", step.name),
            );
        }
        steps.push(step);
    }
    steps
}

fn step(section: &Section<'_>, table: &Table, builder: &mut Builder<'_>) -> Option<Step> {
    let title = format!("step of {}", section.title());
    let inner = Section::new(
        table,
        title.clone(),
        &["name", "event", "owner"],
        builder.problems,
    );
    let parse = |text: &str| match text {
        END_STEP => Err(format!(
            "\"{END_STEP}\" is the way from the last step to the end"
        )),
        _ => values::metric_name(text).map(|()| text.to_owned()),
    };
    let name = inner.parsed("name", parse);
    if inner.node("name").is_none() {
        inner.missing("name", "name = \"payment\"");
    }
    if inner.node("event").is_none() {
        inner.missing(
            "event",
            "event = { type = \"payment.authorized\", key = \"order_id\" }",
        );
    }
    let event = builder.keyed(&format!("event of {title}"), inner.node("event")?);
    Some(Step {
        name: name?.value,
        event,
        owner: builder.owners.read(&inner),
    })
}
