//! `[[kafka.topic]]`: the input topics and the event types that each of them carries.

use events::Span;

use crate::plan::Topic;
use crate::problem::{Problems, suggestion};
use crate::text::section::Section;
use crate::text::tree::Table;
use crate::text::values;

/// Reads all of them; `lateness` is that of `[time]`.
pub(crate) fn read(kafka: &Section<'_>, lateness: Span, problems: &Problems) -> Vec<Topic> {
    let tables = kafka.tables("topic");
    if kafka.node("topic").is_none() {
        kafka.missing(
            "topic",
            "a table [[kafka.topic]] with name = \"shop.events\"",
        );
    }
    let several = tables.len() > 1;
    let mut topics: Vec<Topic> = Vec::new();
    for table in tables {
        let topic = topic(table, lateness, several, problems);
        if !topic.name.is_empty() && topics.iter().any(|other| other.name == topic.name) {
            problems.add(
                &table.place,
                format!("topic \"{}\" is there twice", topic.name),
            );
        }
        topics.push(topic);
    }
    topics
}

fn topic(table: &Table, lateness: Span, several: bool, problems: &Problems) -> Topic {
    let keys = ["name", "key", "types", "format", "lateness"];
    let section = Section::new(table, "[[kafka.topic]]", &keys, problems);
    let parse = |text: &str| values::kafka_name(text).map(|()| text.to_owned());
    let name = section.parsed("name", parse);
    if section.node("name").is_none() {
        section.missing("name", "name = \"shop.events\"");
    }
    if let Some(format) = section
        .text("format")
        .filter(|format| format.value != "cloudevents")
    {
        let hint = suggestion(&format.value, &["cloudevents"]);
        let message = format!("format \"{}\" is not supported{hint}", format.value);
        problems.add(&format.place, message);
    }
    let types = section
        .texts("types")
        .map(|list| list.value)
        .unwrap_or_default();
    if types.is_empty() && several {
        let example = "types = [\"order.*\", \"payment.authorized\"], when several topics are read";
        section.missing("types", example);
    }
    for pattern in &types {
        let stem = pattern.value.strip_suffix(".*").unwrap_or(&pattern.value);
        if pattern.value != "*" && (stem.is_empty() || stem.contains(['*', ' '])) {
            let text = &pattern.value;
            let message =
                format!("\"{text}\" is not a type: write order.placed, order.* or * alone");
            problems.add(&pattern.place, message);
        }
    }
    let mut types: Vec<String> = types.into_iter().map(|pattern| pattern.value).collect();
    if types.is_empty() {
        types.push("*".to_owned());
    }
    Topic {
        name: name.map(|name| name.value).unwrap_or_default(),
        key: section.text("key").map(|key| key.value),
        types,
        lateness: section
            .any_span("lateness")
            .map_or(lateness, |span| span.value),
    }
}
