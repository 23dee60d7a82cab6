//! Records in, events or reasons out. An event is written as one line: source, id, type, `#` and
//! its number if the plan uses it, time in microseconds, then the fields as `name=value`.
#![allow(clippy::disallowed_methods, reason = "the test data are files")]

mod binary;
mod json;
mod mutation;
mod structured;
mod times;

use std::fmt::Write;

use events::{Decoder, Event, FieldId, ProjectedType, Projection, Record, Span, Value};

const MAX_BYTES: usize = 1 << 21;

const FIELDS: [&str; 6] = ["order_id", "cart_id", "region", "total", "currency", "new"];

fn projection() -> Projection {
    let typed = |name: &str, keys: &[(u16, bool)]| ProjectedType {
        name: name.to_owned(),
        keys: keys
            .iter()
            .map(|&(field, required)| (FieldId(field), required))
            .collect(),
    };
    Projection {
        types: vec![
            typed("order.placed", &[(0, true), (1, false)]),
            typed("cart.viewed", &[(1, true)]),
            typed("survey.answered", &[]),
        ],
        fields: FIELDS.map(str::to_owned).to_vec(),
        max_future: Span::from_seconds(300),
        max_bytes: MAX_BYTES,
    }
}

/// Decodes twice with one decoder: the first event must leave nothing behind.
fn decode(record: &Record) -> String {
    let mut decoder = Decoder::new(&projection());
    let first = show(&mut decoder, record);
    assert_eq!(show(&mut decoder, record), first);
    first
}

fn show(decoder: &mut Decoder, record: &Record) -> String {
    match decoder.decode(record) {
        Ok(event) => write_event(&event),
        Err(reject) => reject.as_str().to_owned(),
    }
}

fn write_event(event: &Event) -> String {
    let mut line = format!("{} {} {}", event.source, event.id, event.type_name);
    if let Some(type_id) = event.type_id {
        write!(line, " #{}", type_id.0).unwrap();
    }
    write!(line, " {}", event.time.0).unwrap();
    for (name, value) in FIELDS.iter().zip(event.fields) {
        match value {
            Value::Missing => {}
            Value::Text(text) => write!(line, " {name}='{text}'").unwrap(),
            Value::Number(text) => write!(line, " {name}={text}").unwrap(),
            Value::Bool(flag) => write!(line, " {name}={flag}").unwrap(),
            Value::Nested => write!(line, " {name}=nested").unwrap(),
        }
    }
    line
}

/// A structured event of this type with further members, each behind its comma.
fn event(type_name: &str, members: &str) -> String {
    let time = "1970-01-01T00:00:01Z";
    format!(
        r#"{{"specversion":"1.0","id":"1","source":"/s","type":"{type_name}","time":"{time}"{members}}}"#
    )
}

/// Shown in messages: the start of what may be long.
fn start_of(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(400)]).into_owned()
}
