//! Which events: reads selectors, numbers the types and fields that KPIs use, and finds the topic.
//!
//! A type must be carried by exactly one input topic, or the selector must name its topic: an
//! event that arrives on two topics would count twice.

use std::cell::RefCell;

use events::{FieldId, TypeId};

use super::owners::Owners;
use crate::canonical;
use crate::generation::{Alerting, Generation};
use crate::packs::PACK;
use crate::plan::{EntityKey, EventType, Filter, Keyed, Selector, Topic, TopicId};
use crate::problem::{Place, Problems, nearest, suggestion};
use crate::text::section::{Section, Sited};
use crate::text::tree::{Entry, Node, Table, Value};

/// Numbers types and fields in the order in which definitions name them.
pub(crate) struct Builder<'a> {
    pub problems: &'a Problems,
    pub topics: &'a [Topic],
    /// Labels that no dimension may have.
    pub generation: &'a Generation,
    /// The owners so far.
    pub owners: Owners,
    pub types: Vec<EventType>,
    pub fields: Vec<String>,
    /// The thresholds of each KPI's alerts, by its id, in the order of reading.
    pub alerting: Vec<(String, Alerting)>,
    /// Types that no topic carries: said once, not by each selector.
    missing: RefCell<Vec<String>>,
}

/// How strictly an entity key is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRule {
    /// Every event of the type must have it.
    Always,
    /// Where the canonical type has it as optional, an event without it has no such entity.
    AsCanonical,
}

/// What stands in for a selector that can't be read; the problem is noted already.
pub(crate) fn placeholder() -> Selector {
    Selector {
        types: Vec::new(),
        topic: TopicId(0),
        filters: Vec::new(),
    }
}

/// Likewise.
pub(crate) fn keyed_placeholder() -> Keyed {
    Keyed {
        event: placeholder(),
        key: FieldId(0),
    }
}

/// What to do about a type on two topics: nobody can edit a pack.
fn way_out(place: &Place) -> &'static str {
    if place.path.starts_with(PACK) {
        "narrow the topics' \"types\", or copy the pack's definition into a file of your own (in \
         \"files\", where it takes the pack's place) and name the \"topic\" there"
    } else {
        "name its \"topic\" here"
    }
}

impl<'a> Builder<'a> {
    pub fn new(
        topics: &'a [Topic],
        generation: &'a Generation,
        problems: &'a Problems,
    ) -> Builder<'a> {
        Builder {
            problems,
            topics,
            generation,
            owners: Owners::new(&generation.owner),
            types: Vec::new(),
            fields: Vec::new(),
            alerting: Vec::new(),
            missing: RefCell::default(),
        }
    }

    pub fn field(&mut self, name: &str) -> FieldId {
        let at = self
            .fields
            .iter()
            .position(|field| field == name)
            .unwrap_or_else(|| {
                self.fields.push(name.to_owned());
                self.fields.len() - 1
            });
        FieldId(at as u16)
    }

    fn type_id(&mut self, name: &str) -> TypeId {
        let at = self
            .types
            .iter()
            .position(|known| known.name == name)
            .unwrap_or_else(|| {
                self.types.push(EventType {
                    name: name.to_owned(),
                    keys: Vec::new(),
                });
                self.types.len() - 1
            });
        TypeId(at as u16)
    }

    /// Notes that events of these types are followed by this field.
    pub fn follow(&mut self, selector: &Selector, field: FieldId, rule: KeyRule) {
        for id in &selector.types {
            let event_type = &mut self.types[usize::from(id.0)];
            let required = rule == KeyRule::Always
                || canonical::of(&event_type.name)
                    .is_none_or(|known| known.requires(&self.fields[usize::from(field.0)]));
            match event_type.keys.iter_mut().find(|key| key.field == field) {
                Some(key) => key.required |= required,
                None => event_type.keys.push(EntityKey { field, required }),
            }
        }
    }

    /// `{ type, topic, where }`, or just the type or types.
    pub fn selector(&mut self, title: &str, node: &Node) -> Selector {
        match &node.value {
            Value::Table(table) => self.read_table(table, title, &["type", "topic", "where"]).0,
            _ => {
                let entry = Entry {
                    key: "type".to_owned(),
                    key_place: node.place.clone(),
                    node: node.clone(),
                };
                let table = Table {
                    place: node.place.clone(),
                    entries: vec![entry],
                };
                self.read_table(&table, title, &["type"]).0
            }
        }
    }

    /// `{ type, key, topic, where }`.
    pub fn keyed(&mut self, title: &str, node: &Node) -> Keyed {
        let Value::Table(table) = &node.value else {
            let example = "{ type = \"order.placed\", key = \"order_id\" }";
            self.problems.add(
                &node.place,
                format!("{title} must be a table like {example}"),
            );
            return keyed_placeholder();
        };
        let (event, section) = self.read_table(table, title, &["type", "key", "topic", "where"]);
        let key = section.text("key");
        if section.node("key").is_none() {
            section.missing("key", "key = \"order_id\"");
        }
        let key = self.field(key.as_ref().map_or("", |key| &key.value));
        self.follow(&event, key, KeyRule::Always);
        Keyed { event, key }
    }

    fn read_table<'t>(
        &mut self,
        table: &'t Table,
        title: &str,
        keys: &[&str],
    ) -> (Selector, Section<'t>)
    where
        'a: 't,
    {
        let section = Section::new(table, title, keys, self.problems);
        let types = section
            .texts("type")
            .map(|list| list.value)
            .unwrap_or_default();
        if section.node("type").is_none() {
            section.missing("type", "type = \"order.placed\"");
        }
        super::unique(&types, "type", self.problems);
        let topic = self.topic(section.text("topic").as_ref(), &types);
        let types = types.iter().map(|name| self.type_id(&name.value)).collect();
        let filters = self.filters(&section);
        (
            Selector {
                types,
                topic,
                filters,
            },
            section,
        )
    }

    fn filters(&mut self, section: &Section<'_>) -> Vec<Filter> {
        let Some(table) = section.table("where") else {
            return Vec::new();
        };
        let keys: Vec<&str> = table
            .entries
            .iter()
            .map(|entry| entry.key.as_str())
            .collect();
        let inner = Section::new(
            table,
            format!("where of {}", section.title()),
            &keys,
            self.problems,
        );
        let mut filters = Vec::new();
        for key in keys {
            let values = inner.texts(key).map(|list| list.value).unwrap_or_default();
            if values.is_empty() && inner.texts(key).is_some() {
                let message = format!("\"{key}\" in {} names no value", section.title());
                self.problems.add(&table.place, message);
            }
            let values = values.into_iter().map(|value| value.value).collect();
            filters.push(Filter {
                field: self.field(key),
                values,
            });
        }
        filters
    }

    /// The one topic that carries all the types.
    fn topic(&self, named: Option<&Sited<String>>, types: &[Sited<String>]) -> TopicId {
        if self.topics.is_empty() {
            return TopicId(0);
        }
        match named {
            Some(named) => self.named_topic(named, types),
            None => self.only_topic(types),
        }
    }

    fn named_topic(&self, named: &Sited<String>, types: &[Sited<String>]) -> TopicId {
        let Some(at) = self
            .topics
            .iter()
            .position(|topic| topic.name == named.value)
        else {
            let names: Vec<&str> = self
                .topics
                .iter()
                .map(|topic| topic.name.as_str())
                .collect();
            let hint = suggestion(&named.value, &names);
            let message = format!("topic \"{}\" is not an input{hint}", named.value);
            self.problems.add(&named.place, message);
            return TopicId(0);
        };
        for name in types
            .iter()
            .filter(|name| !self.topics[at].carries(&name.value))
        {
            let message = format!(
                "topic \"{}\" doesn't carry type \"{}\": add it to the topic's \"types\"",
                named.value, name.value
            );
            self.problems.add(&name.place, message);
        }
        TopicId(at as u16)
    }

    fn nobody_carries(&self, name: &Sited<String>) {
        let mut missing = self.missing.borrow_mut();
        if missing.contains(&name.value) {
            return;
        }
        missing.push(name.value.clone());
        let known: Vec<&str> = canonical::types().iter().map(|known| known.name).collect();
        let near = nearest(&name.value, &known, 4).filter(|near| *near != name.value);
        let hint = near
            .map(|near| format!(", did you mean \"{near}\"?"))
            .unwrap_or_default();
        let message = format!(
            "no topic carries type \"{}\": add it to a topic's \"types\"{hint}",
            name.value
        );
        self.problems.add(&name.place, message);
    }

    fn only_topic(&self, types: &[Sited<String>]) -> TopicId {
        let mut found: Option<usize> = None;
        for name in types {
            let all = 0..self.topics.len();
            let carriers: Vec<usize> = all
                .filter(|&at| self.topics[at].carries(&name.value))
                .collect();
            let names: Vec<&str> = carriers
                .iter()
                .map(|&at| self.topics[at].name.as_str())
                .collect();
            match (carriers[..].first(), carriers.len(), found) {
                (None, ..) => self.nobody_carries(name),
                (_, 2.., _) => {
                    let message = format!(
                        "type \"{}\" arrives on {} and would count twice: {}",
                        name.value,
                        names.join(" and "),
                        way_out(&name.place)
                    );
                    self.problems.add(&name.place, message);
                }
                (Some(&at), _, Some(first)) if at != first => {
                    let message = format!(
                        "type \"{}\" is on {}, type \"{}\" on {}: one selector reads one topic",
                        name.value, names[0], types[0].value, self.topics[first].name
                    );
                    self.problems.add(&name.place, message);
                }
                (Some(&at), ..) => found = found.or(Some(at)),
            }
        }
        TopicId(found.unwrap_or(0) as u16)
    }
}
