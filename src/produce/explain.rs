//! A reject, for the person who wrote the line: the decoder names only the reason, so the line is
//! read once more, slowly, to say which member it is about.

use catalogue::plan::Plan;
use events::Reject;
use serde_json::{Map, Value};

/// `reason: what exactly`.
pub fn explain(line: &[u8], reject: Reject, plan: &Plan) -> String {
    let document: Result<Value, serde_json::Error> = serde_json::from_slice(line);
    let nothing = Map::new();
    let members = match &document {
        Ok(Value::Object(members)) => members,
        _ => &nothing,
    };
    let detail = match reject {
        Reject::NotJson => document.err().map_or("nested too deeply".into(), |error| {
            // Its line is that within the line.
            error.to_string().replace("at line 1 column", "at column")
        }),
        Reject::NotAnObject => "a line is one CloudEvent, a JSON object".into(),
        Reject::TooLarge => format!(
            "{} bytes, more than record_bytes = {} in [limits]",
            line.len(),
            plan.limits.record_bytes
        ),
        Reject::UnknownFormat => match members.get("specversion") {
            None => "no \"specversion\": a line is a CloudEvent 1.0".into(),
            Some(other) => format!("\"specversion\" is {other}, not \"1.0\""),
        },
        Reject::MissingField => missing(members, plan),
        Reject::BadTime => format!(
            "{} is not RFC 3339 with a zone, such as 2026-01-05T10:00:00Z",
            shown(members.get("time"))
        ),
        Reject::FutureTime => format!(
            "{} is more than {} ahead of now (--timestamp event takes the event's own time)",
            shown(members.get("time")),
            plan.time.max_future
        ),
        Reject::BadData => "\"data\" is not a JSON object".into(),
        Reject::BadKey => bad_keys(members, plan),
        Reject::NullValue | Reject::SchemaRegistryPayload => "not text".into(),
    };
    format!("{}: {detail}", reject.as_str())
}

/// The members that the decoder wants and does not find.
fn missing(members: &Map<String, Value>, plan: &Plan) -> String {
    let absent = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    let odd = |name: &str, value: Option<&Value>| match value {
        Some(Value::Number(_)) => name != "id",
        other => absent(other) || !matches!(other, Some(Value::String(_))),
    };
    let envelope = ["id", "source", "type", "time"].into_iter();
    let mut names: Vec<String> = envelope
        .filter(|name| odd(name, members.get(*name)))
        .map(str::to_owned)
        .collect();
    let data = members.get("data");
    for field in entity_keys(members, plan, true) {
        if absent(data.and_then(|data| data.get(field))) {
            names.push(format!("data.{field}"));
        }
    }
    names.join(" and ")
}

fn bad_keys(members: &Map<String, Value>, plan: &Plan) -> String {
    let data = members.get("data");
    let bad = |value: &Value| match value {
        Value::Null | Value::String(_) => false,
        Value::Number(number) => !number.is_i64() && !number.is_u64(),
        _ => true,
    };
    let keys = entity_keys(members, plan, false).into_iter();
    let names: Vec<String> = keys
        .filter(|field| data.and_then(|data| data.get(field)).is_some_and(bad))
        .map(|field| format!("data.{field}"))
        .collect();
    let names = names.join(" and ");
    format!("{names}: an id is a string or a 64-bit integer")
}

/// The fields that some KPI follows on this type.
fn entity_keys<'p>(
    members: &Map<String, Value>,
    plan: &'p Plan,
    only_required: bool,
) -> Vec<&'p str> {
    let name = members.get("type").and_then(Value::as_str);
    let known = plan
        .types
        .iter()
        .find(|each| Some(each.name.as_str()) == name);
    let keys = known.map_or(&[][..], |known| &known.keys).iter();
    keys.filter(|key| key.required || !only_required)
        .map(|key| plan.fields[usize::from(key.field.0)].as_str())
        .collect()
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("nothing".into(), ToString::to_string)
}
