//! Kind `funnel`: an entity through stages, on one topic, ended by silence.

use events::Span;

use super::count::CURRENCY;
use super::promise::lateness;
use super::selector::{Builder, KeyRule};
use super::{Definition, common, finish, open};
use crate::plan::{CartValue, Funnel, FunnelMode, Kind, Kpi, Selector, Stage, TopicId};
use crate::problem::Place;
use crate::text::section::Section;
use crate::text::tree::{Table, Value};
use crate::text::values;

const KEYS: [&str; 7] = [
    "key",
    "mode",
    "idle_timeout",
    "recover",
    "stage",
    "touch",
    "value",
];
const MODES: [(&str, FunnelMode); 2] = [
    ("reached", FunnelMode::Reached),
    ("ordered", FunnelMode::Ordered),
];
const STAGES: std::ops::RangeInclusive<usize> = 2..=32;

/// Upper edges of the time between stages: what a person takes between a click and a half hour.
const EDGES: [Span; 8] = [
    Span::from_seconds(10),
    Span::from_seconds(30),
    Span::from_seconds(60),
    Span::from_seconds(120),
    Span::from_seconds(300),
    Span::from_seconds(600),
    Span::from_seconds(1800),
    Span::from_seconds(3600),
];

pub(crate) fn read(definition: &Definition, builder: &mut Builder<'_>) -> Kpi {
    let section = open(definition, &KEYS, builder.problems);
    for (key, example) in [
        ("key", "\"cart_id\""),
        ("mode", "\"reached\" or \"ordered\""),
    ] {
        if section.node(key).is_none() {
            section.missing(key, &format!("{key} = {example}"));
        }
    }
    let mut events = Events {
        topic: None,
        key: section.text("key").map(|key| key.value),
    };
    let stages = stages(&section, builder, &mut events);
    let touch = touch(&section, builder, &mut events);
    let value = value(&section, builder, &mut events);
    let topic = events.topic.unwrap_or(TopicId(0));
    let funnel = Funnel {
        key: builder.field(&events.key.unwrap_or_default()),
        topic,
        mode: section.word("mode", &MODES).unwrap_or(FunnelMode::Reached),
        idle_timeout: section.span("idle_timeout", Span::from_seconds(1800)),
        recover: section
            .any_span("recover")
            .map_or(Span::from_seconds(86_400), |span| span.value),
        stages,
        touch,
        value,
        lateness: lateness(builder, topic).unwrap_or_default(),
        edges: EDGES.to_vec(),
    };
    finish(definition, &section, builder, Kind::Funnel(funnel))
}

/// What all events of a funnel have in common.
struct Events {
    topic: Option<TopicId>,
    key: Option<String>,
}

impl Events {
    /// Notes the entity key on the event's types; says if it is on another topic than the first.
    fn take(&mut self, selector: &Selector, place: &Place, builder: &mut Builder<'_>) {
        if let Some(key) = &self.key {
            let field = builder.field(key);
            builder.follow(selector, field, KeyRule::AsCanonical);
        }
        let first = *self.topic.get_or_insert(selector.topic);
        if first != selector.topic {
            let name = |topic: TopicId| {
                builder
                    .topics
                    .get(usize::from(topic.0))
                    .map(|t| &t.name[..])
            };
            let message = format!(
                "all events of a funnel must be on one topic: this is on {}, the first on {}",
                name(selector.topic).unwrap_or_default(),
                name(first).unwrap_or_default()
            );
            builder.problems.add(place, message);
        }
    }
}

fn stages(section: &Section<'_>, builder: &mut Builder<'_>, events: &mut Events) -> Vec<Stage> {
    let tables = section.tables("stage");
    if !STAGES.contains(&tables.len()) {
        let title = section.title();
        let count = tables.len();
        let message =
            format!("{title} needs 2 to 32 stages, each as [[{title}.stage]]: it has {count}");
        builder
            .problems
            .add(common::place_of(section, "stage"), message);
    }
    let mut stages: Vec<Stage> = Vec::new();
    for table in tables {
        let Some(stage) = stage(section, table, builder, events) else {
            continue;
        };
        if stages.iter().any(|other| other.name == stage.name) {
            builder.problems.add(
                &table.place,
                format!("stage \"{}\" is there twice", stage.name),
            );
        }
        stages.push(stage);
    }
    stages
}

fn stage(
    section: &Section<'_>,
    table: &Table,
    builder: &mut Builder<'_>,
    events: &mut Events,
) -> Option<Stage> {
    let title = format!("stage of {}", section.title());
    let inner = Section::new(table, title.clone(), &["name", "event"], builder.problems);
    let name = inner.parsed("name", |text| {
        values::metric_name(text).map(|()| text.to_owned())
    });
    if inner.node("name").is_none() {
        inner.missing("name", "name = \"checkout\"");
    }
    if inner.node("event").is_none() {
        inner.missing("event", "event = { type = \"checkout.started\" }");
    }
    let node = inner.node("event")?;
    let event = builder.selector(&format!("event of {title}"), node);
    events.take(&event, &node.place, builder);
    Some(Stage {
        name: name?.value,
        event,
    })
}

/// A list of selectors, or of types, or both.
fn touch(section: &Section<'_>, builder: &mut Builder<'_>, events: &mut Events) -> Vec<Selector> {
    let Some(node) = section.node("touch") else {
        return Vec::new();
    };
    let items = match &node.value {
        Value::List(items) => &items[..],
        _ => std::slice::from_ref(node),
    };
    let mut touch = Vec::new();
    for item in items {
        let selector = builder.selector(&format!("touch of {}", section.title()), item);
        events.take(&selector, &item.place, builder);
        touch.push(selector);
    }
    touch
}

const VALUE_KEYS: [&str; 8] = [
    "name", "add", "set", "remove", "product", "quantity", "price", "currency",
];

fn value(
    section: &Section<'_>,
    builder: &mut Builder<'_>,
    events: &mut Events,
) -> Option<CartValue> {
    let table = section.table("value")?;
    let title = format!("value of {}", section.title());
    let inner = Section::new(table, title.clone(), &VALUE_KEYS, builder.problems);
    let name = inner.parsed("name", |text| {
        values::metric_name(text).map(|()| text.to_owned())
    });
    if inner.node("name").is_none() {
        inner.missing("name", "name = \"cart_value_abandoned\"");
    }
    if inner.node("add").is_none() {
        inner.missing("add", "add = \"cart.item_added\"");
    }
    let mut event = |key: &str, builder: &mut Builder<'_>| {
        let node = inner.node(key)?;
        let selector = builder.selector(&format!("{key} of {title}"), node);
        events.take(&selector, &node.place, builder);
        Some(selector)
    };
    let add = event("add", builder);
    let set = event("set", builder);
    let remove = event("remove", builder);
    let mut field = |key: &str, default: &str| {
        let text = inner.text(key);
        builder.field(text.as_ref().map_or(default, |text| &text.value))
    };
    let (product, quantity) = (
        field("product", "product_id"),
        field("quantity", "quantity"),
    );
    let (price, currency) = (field("price", "unit_price"), field("currency", CURRENCY));
    Some(CartValue {
        name: name?.value,
        add: add?,
        set,
        remove,
        product,
        quantity,
        price,
        currency,
    })
}
