//! The oracle's own decoder: a structured CloudEvent by way of `serde_json`, every member kept.
//!
//! It knows the reasons that tests provoke, one defect per record; which of two defects a record is
//! rejected for is the real decoder's business.

use std::collections::HashMap;

use catalogue::plan::Plan;
use events::{Event, EventTime, KafkaTime, Reject, TypeId, Value};
use serde_json::value::RawValue;

/// A decoded event that owns its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub type_name: String,
    /// The type's index in the plan, if a KPI uses it.
    pub type_id: Option<TypeId>,
    /// When it happened.
    pub time: EventTime,
    /// By `FieldId`.
    members: Vec<Member>,
}

/// A member of `data`; numbers as written.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Member {
    Missing,
    Text(String),
    Number(String),
    Bool(bool),
    Nested,
}

impl Read {
    /// The plan's fields, by `FieldId`.
    pub fn values(&self) -> Vec<Value<'_>> {
        self.members.iter().map(Member::value).collect()
    }

    /// The same event as the engine takes it; `values` is what `Read::values` gave.
    pub fn event<'a>(&'a self, values: &'a [Value<'a>]) -> Event<'a> {
        Event {
            source: &self.source,
            id: &self.id,
            type_name: &self.type_name,
            type_id: self.type_id,
            time: self.time,
            fields: if self.type_id.is_some() { values } else { &[] },
        }
    }

    /// One field.
    pub fn field(&self, field: events::FieldId) -> Value<'_> {
        self.members[usize::from(field.0)].value()
    }
}

impl Member {
    fn of(raw: &RawValue) -> Member {
        let text = raw.get();
        match text.as_bytes()[0] {
            b'"' => Member::Text(serde_json::from_str(text).expect("a checked string")),
            b't' => Member::Bool(true),
            b'f' => Member::Bool(false),
            b'n' => Member::Missing,
            b'{' | b'[' => Member::Nested,
            _ => Member::Number(text.to_owned()),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Member::Missing => Value::Missing,
            Member::Text(text) => Value::Text(text),
            Member::Number(text) => Value::Number(text),
            Member::Bool(value) => Value::Bool(*value),
            Member::Nested => Value::Nested,
        }
    }
}

/// Decodes one record's value, or says why it can't be an event.
pub fn read(
    plan: &Plan,
    timestamp: Option<KafkaTime>,
    value: Option<&[u8]>,
) -> Result<Read, Reject> {
    let bytes = value.ok_or(Reject::NullValue)?;
    if bytes.len() > plan.limits.record_bytes {
        return Err(Reject::TooLarge);
    }
    if bytes.first() == Some(&0) {
        return Err(Reject::SchemaRegistryPayload);
    }
    let whole: &RawValue = serde_json::from_slice(bytes).map_err(|_| Reject::NotJson)?;
    let members: HashMap<String, &RawValue> =
        serde_json::from_str(whole.get()).map_err(|_| Reject::NotAnObject)?;
    if text(&members, "specversion").as_deref() != Some("1.0") {
        return Err(Reject::UnknownFormat);
    }
    let required = |name| text(&members, name).filter(|it| !it.is_empty());
    let required = |name| required(name).ok_or(Reject::MissingField);
    let (source, id) = (required("source")?, required("id")?);
    let (type_name, time) = (required("type")?, required("time")?);
    let time: jiff::Timestamp = time.parse().map_err(|_| Reject::BadTime)?;
    let time = EventTime(time.as_microsecond());
    if timestamp.is_some_and(|stamp| time > stamp.as_event_time() + plan.time.max_future) {
        return Err(Reject::FutureTime);
    }
    let data: HashMap<String, &RawValue> = match members.get("data") {
        Some(data) => serde_json::from_str(data.get()).map_err(|_| Reject::BadData)?,
        None => HashMap::new(),
    };
    let of = |name: &String| {
        data.get(name)
            .map_or(Member::Missing, |raw| Member::of(raw))
    };
    let members: Vec<Member> = plan.fields.iter().map(of).collect();
    let position = plan.types.iter().position(|it| it.name == type_name);
    let type_id = position.map(|index| TypeId(u16::try_from(index).expect("few types")));
    let event = Read {
        source,
        id,
        type_name,
        type_id,
        time,
        members,
    };
    check_keys(plan, &event)?;
    Ok(event)
}

fn text(members: &HashMap<String, &RawValue>, name: &str) -> Option<String> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

fn check_keys(plan: &Plan, event: &Read) -> Result<(), Reject> {
    let Some(type_id) = event.type_id else {
        return Ok(());
    };
    for key in &plan.types[usize::from(type_id.0)].keys {
        let value = event.field(key.field);
        let absent = matches!(value, Value::Missing | Value::Text(""));
        if absent && key.required {
            return Err(Reject::MissingField);
        }
        if !absent && value.key().is_none() {
            return Err(Reject::BadKey);
        }
    }
    Ok(())
}
