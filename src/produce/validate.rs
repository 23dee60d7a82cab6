//! Is a line an event that this catalogue can use, which topic does it go to, and with which key?
//!
//! Decoder and readers of fields are those of the service. The decoder's projection is wider: the canonical types' required
//! fields and the topics' key fields are in it, and types that nobody knows are added as they come.

use catalogue::canonical;
use catalogue::plan::{Plan, TopicId};
use engine::fields::FieldChecks;
use events::{
    Decoder, EventTime, FieldId, KafkaTime, ProjectedType, Projection, Record, Reject, Value, shown,
};

use super::explain::{explain, explain_fields};

/// Types beyond the known ones that a file may have: each costs a new decoder.
const UNKNOWN_TYPES: usize = 1000;

/// A line that may be sent.
#[derive(PartialEq, Eq, Debug)]
pub struct Accepted<'l> {
    /// Index into `Plan::topics`.
    pub topic: usize,
    /// The record key; `None`: the event has no such field, or the topic no key.
    pub key: Option<&'l str>,
    /// When it happened.
    pub time: EventTime,
    /// Its type, if it is neither canonical nor used by a KPI.
    pub unknown_type: Option<&'l str>,
}

/// Why a line is not accepted.
#[derive(PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is no event, or not one for these topics: the reason, for a person.
    Bad(String),
    /// Its type has not been seen: call `learn` and check again.
    NewType(String),
    /// Several topics carry its type: the user has to choose.
    Ambiguous(String),
}

/// See the file's header.
pub struct Validator<'p> {
    plan: &'p Plan,
    /// The only topic that lines go to, if the user named it.
    chosen: Option<usize>,
    projection: Projection,
    decoder: Decoder,
    /// What the KPIs read: the plan's fields and types come first in the projection.
    checks: FieldChecks,
    /// By `TypeId`.
    rules: Vec<Rule>,
    known_types: usize,
}

/// What is asked of a type.
struct Rule {
    /// Fields that each event has.
    required: Vec<FieldId>,
    /// Topics that carry it.
    topics: Vec<usize>,
}

impl<'p> Validator<'p> {
    /// For this plan; `chosen` is an index into its topics.
    pub fn new(plan: &'p Plan, chosen: Option<usize>) -> Validator<'p> {
        let mut projection = pipeline::projection(plan);
        let keys = plan.topics.iter().filter_map(|topic| topic.key.as_deref());
        let required = canonical::types().iter().flat_map(|known| known.required);
        for name in keys.chain(required.copied()) {
            if !projection.fields.iter().any(|known| known == name) {
                projection.fields.push(name.to_owned());
            }
        }
        for known in canonical::types() {
            if !projection.types.iter().any(|each| each.name == known.name) {
                projection.types.push(without_keys(known.name));
            }
        }
        let rules = projection.types.iter();
        let rules: Vec<Rule> = rules
            .map(|each| rule(plan, chosen, &projection, &each.name))
            .collect();
        Validator {
            plan,
            chosen,
            decoder: Decoder::new(&projection),
            checks: FieldChecks::new(plan),
            known_types: rules.len(),
            rules,
            projection,
        }
    }

    /// Looks at one line; `stamp` is the Kafka timestamp it would get, `None`: the event's own.
    pub fn check<'l>(
        &'l mut self,
        line: &'l [u8],
        stamp: Option<KafkaTime>,
    ) -> Result<Accepted<'l>, Refusal> {
        let record = Record {
            timestamp: stamp,
            key: None,
            value: Some(line),
            headers: &[],
        };
        let plan = self.plan;
        let event = self
            .decoder
            .decode(&record)
            .map_err(|reject| Refusal::Bad(explain(line, reject, plan)))?;
        let Some(type_id) = event.type_id else {
            return Err(Refusal::NewType(event.type_name.to_owned()));
        };
        let rule = &self.rules[usize::from(type_id.0)];
        let topic = match rule.topics[..] {
            [topic] => topic,
            [] => {
                let text = format!("no topic carries type \"{}\"", shown(event.type_name));
                return Err(Refusal::Bad(text));
            }
            _ => return Err(ambiguous(plan, event.type_name, &rule.topics)),
        };
        let lacks =
            |field: &FieldId| matches!(event.field(*field), Value::Missing | Value::Text(""));
        let missing: Vec<FieldId> = rule.required.iter().copied().filter(lacks).collect();
        if !missing.is_empty() {
            return Err(missing_fields(&self.projection, event.type_name, &missing));
        }
        let bad = self.checks.bad_fields(TopicId(topic as u16), &event);
        if !bad.is_empty() {
            return Err(Refusal::Bad(explain_fields(plan, &event, &bad)));
        }
        let field = plan.topics[topic].key.as_deref();
        let value = field.map_or(Value::Missing, |name| {
            event.field(field_id(&self.projection, name))
        });
        let key = match (value, value.key()) {
            (Value::Missing | Value::Text(""), _) => None,
            (_, Some(key)) => Some(key),
            (_, None) => return Err(bad_key(field.unwrap_or_default())),
        };
        Ok(Accepted {
            topic,
            key,
            time: event.time,
            unknown_type: (usize::from(type_id.0) >= self.known_types).then_some(event.type_name),
        })
    }

    /// Takes a new type in. An error: there are too many of them for a file of events.
    pub fn learn(&mut self, type_name: &str) -> Result<(), String> {
        if self.projection.types.len() - self.known_types >= UNKNOWN_TYPES {
            return Err(format!(
                "type \"{}\" is the {UNKNOWN_TYPES}th that nobody knows",
                shown(type_name)
            ));
        }
        let rule = rule(self.plan, self.chosen, &self.projection, type_name);
        self.rules.push(rule);
        self.projection.types.push(without_keys(type_name));
        self.decoder = Decoder::new(&self.projection);
        Ok(())
    }
}

fn without_keys(name: &str) -> ProjectedType {
    ProjectedType {
        name: name.to_owned(),
        keys: Vec::new(),
    }
}

fn rule(plan: &Plan, chosen: Option<usize>, projection: &Projection, name: &str) -> Rule {
    let required = canonical::of(name).map_or(&[][..], |known| known.required);
    let carriers = plan.topics.iter().enumerate();
    let carriers = carriers.filter(|(_, topic)| topic.carries(name));
    Rule {
        required: required
            .iter()
            .map(|field| field_id(projection, field))
            .collect(),
        topics: match chosen {
            Some(topic) => vec![topic],
            None => carriers.map(|(at, _)| at).collect(),
        },
    }
}

fn field_id(projection: &Projection, name: &str) -> FieldId {
    let at = projection.fields.iter().position(|known| known == name);
    FieldId(at.expect("all key and required fields are projected") as u16)
}

fn ambiguous(plan: &Plan, type_name: &str, topics: &[usize]) -> Refusal {
    let names = topics.iter().map(|&at| plan.topics[at].name.as_str());
    let names: Vec<&str> = names.collect();
    Refusal::Ambiguous(format!(
        "type \"{}\" is carried by {}: choose one with --topic",
        shown(type_name),
        names.join(" and ")
    ))
}

fn missing_fields(projection: &Projection, type_name: &str, missing: &[FieldId]) -> Refusal {
    let names = missing
        .iter()
        .map(|field| format!("data.{}", projection.fields[usize::from(field.0)]));
    let names: Vec<String> = names.collect();
    let reason = Reject::MissingField.as_str();
    Refusal::Bad(format!(
        "{reason}: {type_name} needs {}",
        names.join(" and ")
    ))
}

fn bad_key(field: &str) -> Refusal {
    let reason = Reject::BadKey.as_str();
    Refusal::Bad(format!(
        "{reason}: data.{field} is the record key, but neither a string nor a 64-bit integer"
    ))
}

#[cfg(test)]
mod tests;
