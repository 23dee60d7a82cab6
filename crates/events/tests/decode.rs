//! Records in, events or reasons out. An event is written as one line: source, id, type, its number
//! if the plan uses it, time in microseconds, then the fields as `name=value`.

use std::fmt::Write;

use events::{Decoder, FieldId, ProjectedType, Projection, Record, Span, Value};

const MAX_BYTES: usize = 1 << 21;

fn projection() -> Projection {
    let fields = ["order_id", "cart_id", "region", "total", "currency", "new"];
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
        fields: fields.map(str::to_owned).to_vec(),
        max_future: Span::from_seconds(300),
        max_bytes: MAX_BYTES,
    }
}

fn show(decoder: &mut Decoder, record: &Record) -> String {
    let event = match decoder.decode(record) {
        Ok(event) => event,
        Err(reject) => return reject.as_str().to_owned(),
    };
    let mut line = format!("{} {} {}", event.source, event.id, event.type_name);
    if let Some(type_id) = event.type_id {
        write!(line, " #{}", type_id.0).unwrap();
    }
    write!(line, " {}", event.time.0).unwrap();
    for (name, value) in projection().fields.iter().zip(event.fields) {
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

fn decode(headers: &[(&str, Option<&[u8]>)], value: Option<&[u8]>) -> String {
    let record = Record {
        timestamp: None,
        key: None,
        value,
        headers,
    };
    let mut decoder = Decoder::new(&projection());
    let first = show(&mut decoder, &record);
    assert_eq!(
        show(&mut decoder, &record),
        first,
        "the scratch space is used again"
    );
    first
}

/// Structured mode.
#[track_caller]
fn check(value: &str, expected: &str) {
    let found = decode(&[], Some(value.as_bytes()));
    assert_eq!(found, expected, "{}", &value[..value.len().min(300)]);
}

#[test]
fn an_event_comes_with_its_projected_fields() {
    check(
        r#"{"specversion":"1.0","id":"6f1c","source":"/shop/web","type":"order.placed","subject":"o-123",
            "time":"2026-01-05T10:00:00.123Z","datacontenttype":"application/json",
            "data":{"order_id":"o-123","cart_id":"k-77","session_id":"s-9","customer_id":"c-4",
            "region":"eu-west","channel":"web","currency":"EUR","total":"129.90","items":3}}"#,
        "/shop/web 6f1c order.placed #0 1767607200123000 order_id='o-123' cart_id='k-77' \
         region='eu-west' total='129.90' currency='EUR'",
    );
}

#[test]
fn members_may_come_in_any_order() {
    check(
        r#"{"data":{"total":1.50,"order_id":7},"time":"1970-01-01T00:00:01Z","type":"order.placed","source":"/s","id":"1","specversion":"1.0"}"#,
        "/s 1 order.placed #0 1000000 order_id=7 total=1.50",
    );
}
