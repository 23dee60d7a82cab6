//! A reject, for the person who wrote the line: the decoder names only the reason, so the line is
//! read once more, slowly, to say which member it is about. Likewise a field that some KPI would not
//! take.

use catalogue::plan::Plan;
use engine::fields::{BadField, Wanted};
use events::{Event, Reject};
use serde_json::{Map, Value};

/// Characters of a value or a word that are shown.
const SHOWN: usize = 40;

/// `reason: what exactly`.
pub fn explain(line: &[u8], reject: Reject, plan: &Plan) -> String {
    let document: Result<Value, serde_json::Error> = serde_json::from_slice(line);
    let nothing = Map::new();
    let members = match &document {
        Ok(Value::Object(members)) => members,
        _ => &nothing,
    };
    let detail = match reject {
        Reject::NotJson => document
            .err()
            .map_or("nested too deeply".into(), |error| not_json(line, &error)),
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

/// What was read where, counted in characters from 1.
fn not_json(line: &[u8], error: &serde_json::Error) -> String {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    // Without its place, which counts lines within this one line.
    let mut what = error.to_string();
    what.truncate(what.find(" at line ").unwrap_or(what.len()));
    let is_word_wrong = what == "expected ident";
    // Its column counts bytes, and it is at the last one looked at: a word began before that.
    let at = error.column().saturating_sub(1).min(line.len());
    let rest = &line[at..];
    let begin = if is_word_wrong || rest.first().is_some_and(is_word) {
        let before = line[..at].iter().rev().take_while(|byte| is_word(byte));
        at - before.count()
    } else {
        at
    };
    let column = |at: usize| String::from_utf8_lossy(&line[..at]).chars().count() + 1;
    let what = match what.as_str() {
        "expected ident" | "expected value" => "no JSON value begins like that",
        other => other,
    };
    if error.is_eof() {
        let last = column(line.len()) - 1;
        return format!("the line ends after column {last}, but something in it is still open");
    }
    let seen = String::from_utf8_lossy(&line[begin..]);
    let end = seen
        .char_indices()
        .skip(1)
        .find(|(_, each)| !each.is_alphanumeric());
    let end = end.map_or(seen.len(), |(end, _)| end);
    let seen: String = seen[..end].chars().take(SHOWN).collect();
    format!("at column {} there is {seen:?}: {what}", column(begin))
}

/// Fields that some KPI reads and would not take, each with its value and what it should be.
pub fn explain_fields(plan: &Plan, event: &Event<'_>, bad: &[BadField]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (at, one) in bad.iter().enumerate() {
        let is_same = |other: &&BadField| other.field == one.field && other.wanted == one.wanted;
        if bad[..at].iter().any(|other| is_same(&other)) {
            continue;
        }
        let readers = bad.iter().filter(is_same);
        let readers = readers.map(|each| plan.kpis[usize::from(each.kpi.0)].id.as_str());
        let readers: Vec<&str> = readers.collect();
        let field = &plan.fields[usize::from(one.field.0)];
        let value = value(event.field(one.field));
        let (readers, wanted) = (readers.join(" and "), wanted(plan, event, one.wanted));
        texts.push(format!(
            "data.{field} is {value}, but kpi {readers} reads {wanted}"
        ));
    }
    format!("bad_field: {}", texts.join("; "))
}

fn value(value: events::Value<'_>) -> String {
    match value {
        events::Value::Missing => "missing".into(),
        events::Value::Text(text) => {
            let shown: String = text.chars().take(SHOWN).collect();
            let more = if shown.len() < text.len() { " ..." } else { "" };
            format!("{shown:?}{more}")
        }
        events::Value::Number(text) => text.chars().take(SHOWN).collect(),
        events::Value::Bool(value) => value.to_string(),
        events::Value::Nested => "an object or a list".into(),
    }
}

fn wanted(plan: &Plan, event: &Event<'_>, wanted: Wanted) -> String {
    match wanted {
        Wanted::Money { currency } => {
            let name = &plan.fields[usize::from(currency.0)];
            let code = event.field(currency).text().unwrap_or("its currency");
            format!(
                "an amount of money there: a decimal number like 129.90, not negative, with no \
                 more decimals than {code} has (data.{name})"
            )
        }
        Wanted::Currency => "an ISO 4217 currency there, like EUR".into(),
        Wanted::Number => "a number there that is not negative, like 3 or 2.5".into(),
        Wanted::Key => "an id there: a string that is not empty, or a 64-bit integer".into(),
    }
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
