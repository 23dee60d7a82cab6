//! Hundreds of thousands of damaged events against a naive decoder on top of serde_json.

use events::{Decoder, Record, Reject, parse_rfc3339};
use fastrand::Rng;
use serde_json::Value;

use crate::json::accepts;
use crate::{FIELDS, event, projection, start_of, write_event};

const SEED: u64 = 20_260_105;
const DOCUMENTS: u32 = 250_000;

const SNIPPETS: [&[u8]; 44] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"\\ude00",
    b"\\n",
    b"\n",
    b" ",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xc3",
    b"\xc3\xa9",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"0",
    b"-",
    b".",
    b"e",
    b"1e400",
    b"-0",
    b"18446744073709551616",
    b"null",
    b"true",
    b"\"\"",
    b"{}",
    b"[]",
    b"\"data\":{},",
    b"\"data\":",
    b"\"type\":\"order.placed\",",
    b"\"id\":",
    b"\"order_id\":",
    b"\"time\":\"2026-01-05T10:00:00Z\",",
    b"\"specversion\":\"1.0\",",
    b"\"data_base64\":",
    b"\"region\":",
];

fn seeds() -> Vec<Vec<u8>> {
    let order = r#","data":{"order_id":"o-1","cart_id":77,"region":"Z\u00fcrich 😀","total":"129.90","currency":"EUR","new":true,"lines":[{"sku":"a\\b","n":-1.5e3},[],{}]}"#;
    [
        event("order.placed", order),
        event("order.placed", r#", "subject" : null , "data" : { "order_id" : 9007199254740993 }"#),
        event("cart.viewed", r#","data":{"cart_id":"k","cart_id":"l","other":{"region":[1,2]}}"#),
        event("survey.answered", r#","datacontenttype":"application/json","data":null"#),
        event("survey.answered", r#","data_base64":"eA==""#),
        event("page.viewed", r#","data":"a longer text with \"escapes\" \/ and more""#),
        r#"{"data":{"order_id":1},"time":"2026-01-05T10:00:00.5+01:00","type":"order.placed","source":"/s","id":7,"specversion":"1.0"}"#.to_owned(),
        r#"[[],{"a":[0,-0.5,1E9,false]},"x"]"#.to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn mutate(random: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut text = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.u32(1..4) {
        let at = random.usize(..=text.len());
        let end = (at + random.usize(..12)).min(text.len());
        match random.u32(..8) {
            0..3 => drop(text.splice(at..at, SNIPPETS[random.usize(..SNIPPETS.len())].to_vec())),
            3 => drop(text.splice(at..end, SNIPPETS[random.usize(..SNIPPETS.len())].to_vec())),
            4 => drop(text.splice(at..end, [])),
            5 => drop(text.splice(at..at, text[at..end].to_vec())),
            6 if at < text.len() => text[at] = random.u8(..),
            7 if random.u32(..4) == 0 => text.truncate(at),
            _ => {
                let other = &seeds[random.usize(..seeds.len())];
                let from = random.usize(..other.len());
                let to = (from + random.usize(..40)).min(other.len());
                text.splice(at..end, other[from..to].to_vec());
            }
        }
    }
    text
}

/// The member of an object, `null` if there is none.
fn member<'v>(object: &'v Value, name: &str) -> &'v Value {
    object.get(name).unwrap_or(&Value::Null)
}

fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

fn missing(value: &Value) -> bool {
    value.is_null() || value == ""
}

/// The line of an event, or its reason, by looking at the whole tree.
fn naive(event: &Value) -> Result<String, &'static str> {
    if !event.is_object() {
        return Err("not_an_object");
    }
    if member(event, "specversion") != "1.0" {
        return Err("unknown_format");
    }
    let text = |name| member(event, name).as_str().filter(|text| !text.is_empty());
    let id = key(member(event, "id")).ok_or("missing_field")?;
    let source = text("source").ok_or("missing_field")?;
    let type_name = text("type").ok_or("missing_field")?;
    if missing(member(event, "time")) {
        return Err("missing_field");
    }
    let time = text("time").and_then(parse_rfc3339).ok_or("bad_time")?.0;
    let types = projection().types;
    let Some(type_id) = types.iter().position(|known| known.name == type_name) else {
        return Ok(format!("{source} {id} {type_name} {time}"));
    };
    let data = member(event, "data");
    if !data.is_null() && !data.is_object() || !member(event, "data_base64").is_null() {
        return Err("bad_data");
    }
    for &(field, required) in &types[type_id].keys {
        let value = member(data, FIELDS[usize::from(field.0)]);
        if missing(value) && required {
            return Err("missing_field");
        }
        if !missing(value) && key(value).is_none() {
            return Err("bad_key");
        }
    }
    let mut line = format!("{source} {id} {type_name} #{type_id} {time}");
    for name in FIELDS {
        match member(data, name) {
            Value::Null => {}
            Value::String(text) => line += &format!(" {name}='{text}'"),
            Value::Object(_) | Value::Array(_) => line += &format!(" {name}=nested"),
            scalar => line += &format!(" {name}={scalar}"),
        }
    }
    Ok(line)
}

/// The decoder's answer, with numbers written as serde_json writes them.
fn ours(decoder: &mut Decoder, text: &[u8]) -> Result<String, &'static str> {
    let record = Record {
        timestamp: None,
        key: None,
        value: Some(text),
        headers: &[],
    };
    let event = decoder.decode(&record).map_err(|reject| reject.as_str())?;
    let numbers: Vec<String> = event
        .fields
        .iter()
        .map(|value| normalised(*value))
        .collect();
    let pairs = event.fields.iter().zip(&numbers);
    let fields: Vec<_> = pairs
        .map(|(value, number)| match value {
            events::Value::Number(_) => events::Value::Number(number),
            other => *other,
        })
        .collect();
    Ok(write_event(&events::Event {
        fields: &fields,
        ..event
    }))
}

/// In binary mode the same text is `data`.
fn check_as_binary_data(decoder: &mut Decoder, text: &[u8]) {
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", "1"),
        ("ce_source", "/s"),
        ("ce_type", "survey.answered"),
        ("ce_time", "2026-01-05T10:00:00Z"),
    ];
    let headers = headers.map(|(name, value)| (name, Some(value.as_bytes())));
    let record = Record {
        timestamp: None,
        key: None,
        value: Some(text),
        headers: &headers,
    };
    let found = decoder.decode(&record).map(|event| event.fields.len());
    let expected = match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(_) | Value::Null) => Ok(FIELDS.len()),
        Ok(_) => Err(Reject::BadData),
        Err(error) if error.to_string().starts_with("number out of range") => return,
        Err(_) if text.is_empty() => Ok(FIELDS.len()),
        Err(_) if text.len() >= 5 && text[0] == 0 => Err(Reject::SchemaRegistryPayload),
        Err(_) => Err(Reject::NotJson),
    };
    assert_eq!(found, expected, "{}", start_of(text));
}

fn normalised(value: events::Value) -> String {
    let events::Value::Number(text) = value else {
        return String::new();
    };
    serde_json::from_str::<Value>(text)
        .expect("a number")
        .to_string()
}

#[test]
fn damaged_events_are_read_as_a_naive_decoder_reads_them() {
    eprintln!("seed {SEED}");
    let mut random = Rng::with_seed(SEED);
    let seeds = seeds();
    let mut decoder = Decoder::new(&projection());
    let (mut events, mut json, mut huge_numbers) = (0, 0, 0);
    for _ in 0..DOCUMENTS {
        let text = mutate(&mut random, &seeds);
        check_as_binary_data(&mut decoder, &text);
        let tree = match serde_json::from_slice::<Value>(&text) {
            Ok(tree) => tree,
            // To us a number too large for a double is JSON, if the rest is.
            Err(error) if error.to_string().starts_with("number out of range") => {
                accepts(&mut decoder, &text);
                huge_numbers += 1;
                continue;
            }
            Err(_) => {
                assert!(
                    !accepts(&mut decoder, &text),
                    "accepted: {}",
                    start_of(&text)
                );
                continue;
            }
        };
        let found = ours(&mut decoder, &text);
        assert_eq!(found, naive(&tree), "{}", start_of(&text));
        json += 1;
        events += u32::from(found.is_ok());
    }
    eprintln!("{json} are JSON, {events} are events, {huge_numbers} hold huge numbers");
    assert!(events > DOCUMENTS / 50 && json > events && json < DOCUMENTS / 2);
}

#[test]
fn every_cut_and_every_flipped_bit_is_survived() {
    let mut decoder = Decoder::new(&projection());
    for text in seeds() {
        for length in 0..text.len() {
            assert!(
                !accepts(&mut decoder, &text[..length]),
                "{}",
                start_of(&text[..length])
            );
        }
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut text = text.clone();
                text[at] ^= 1 << bit;
                let theirs = serde_json::from_slice::<Value>(&text).is_ok();
                assert_eq!(accepts(&mut decoder, &text), theirs, "{}", start_of(&text));
            }
        }
    }
}
