//! CloudEvents 1.0 on Kafka: the envelope, from structured JSON or from `ce_` headers.
//!
//! Kafka Protocol Binding for CloudEvents 1.0.2, JSON Event Format 1.0.2. A content type of
//! `application/cloudevents+json` makes a record structured, else a `ce_specversion` header makes
//! it binary, else a record without any content type is read as structured JSON. Batches are not a
//! format of ours. Kafka header values are plain UTF-8, not percent-encoded as in HTTP. Of members
//! and headers that come twice the last one counts. This file says what is there; what is wrong
//! with it is judged in `decode`.

use bumpalo::Bump;

use crate::event::{Record, Reject, Value};
use crate::names::Names;
use crate::scan::{NotJson, Scanner};

/// The attributes we read, as they are written; the fields of `data` lie beside it.
pub(crate) struct Envelope<'d> {
    pub(crate) specversion: Value<'d>,
    pub(crate) id: Value<'d>,
    pub(crate) source: Value<'d>,
    pub(crate) type_name: Value<'d>,
    pub(crate) time: Value<'d>,
    /// There is data, and it is not a JSON object.
    pub(crate) foreign_data: bool,
}

impl Envelope<'_> {
    const EMPTY: Envelope<'static> = Envelope {
        specversion: Value::Missing,
        id: Value::Missing,
        source: Value::Missing,
        type_name: Value::Missing,
        time: Value::Missing,
        foreign_data: false,
    };
}

/// How a record carries its event.
pub(crate) enum Mode<'d> {
    /// The value is the whole event.
    Structured,
    /// The headers are the envelope; the value is `data`, JSON if the flag is set.
    Binary(Envelope<'d>, bool),
}

/// Reads the headers. `UnknownFormat` if they say that the record is something else.
pub(crate) fn mode<'d>(record: &Record<'d>) -> Result<Mode<'d>, Reject> {
    let mut envelope = Envelope::EMPTY;
    let mut content_type = None;
    for &(name, value) in record.headers {
        match name {
            "ce_specversion" => envelope.specversion = header(value),
            "ce_id" => envelope.id = header(value),
            "ce_source" => envelope.source = header(value),
            "ce_type" => envelope.type_name = header(value),
            "ce_time" => envelope.time = header(value),
            _ if name.eq_ignore_ascii_case("content-type") => content_type = value,
            _ => {}
        }
    }
    match content_type.map(ContentType::of) {
        Some(ContentType::CloudEvent) => Ok(Mode::Structured),
        other if envelope.specversion != Value::Missing => {
            Ok(Mode::Binary(envelope, other != Some(ContentType::Foreign)))
        }
        None => Ok(Mode::Structured),
        Some(_) => Err(Reject::UnknownFormat),
    }
}

/// A header's value; one that is not UTF-8 is there, but not a text.
fn header(value: Option<&[u8]>) -> Value<'_> {
    match value.map(str::from_utf8) {
        None => Value::Missing,
        Some(Ok(text)) => Value::Text(text),
        Some(Err(_)) => Value::Nested,
    }
}

#[derive(PartialEq, Eq)]
enum ContentType {
    CloudEvent,
    Json,
    Foreign,
}

impl ContentType {
    /// By the media type, in any case, whatever its parameters.
    fn of(value: &[u8]) -> ContentType {
        let media_type = value
            .split(|&byte| byte == b';')
            .next()
            .unwrap_or(value)
            .trim_ascii();
        let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
        let json = |tail: &[u8; 5]| tail.eq_ignore_ascii_case(b"+json");
        if is("application/cloudevents+json") {
            ContentType::CloudEvent
        } else if is("application/cloudevents-batch+json") {
            ContentType::Foreign
        } else if is("application/json") || media_type.last_chunk().is_some_and(json) {
            ContentType::Json
        } else {
            ContentType::Foreign
        }
    }
}

/// Reads a structured event: one pass, with the wanted members of `data` put into `values`,
/// whether `type` comes before or after it.
pub(crate) fn structured<'d>(
    text: &'d str,
    names: &Names,
    values: &mut [Value<'d>],
    scratch: &'d Bump,
) -> Result<Envelope<'d>, Reject> {
    let mut scanner = Scanner::new(text);
    if !scanner.enter_object() {
        scanner.skip(0)?;
        scanner.end()?;
        return Err(Reject::NotAnObject);
    }
    let mut envelope = Envelope::EMPTY;
    let (mut data, mut data_base64) = (Data::Absent, Value::Missing);
    let mut first = true;
    while let Some(name) = scanner.member(first, scratch)? {
        first = false;
        let attribute = match name {
            "specversion" => &mut envelope.specversion,
            "id" => &mut envelope.id,
            "source" => &mut envelope.source,
            "type" => &mut envelope.type_name,
            "time" => &mut envelope.time,
            "data_base64" => &mut data_base64,
            "data" => {
                if data == Data::Object {
                    values.fill(Value::Missing);
                }
                data = read_data(&mut scanner, 1, names, values, scratch)?;
                continue;
            }
            _ => {
                scanner.skip(1)?;
                continue;
            }
        };
        *attribute = scanner.value(1, scratch)?;
    }
    scanner.end()?;
    envelope.foreign_data = data_base64 != Value::Missing || data == Data::Foreign;
    Ok(envelope)
}

/// Reads the value of a binary event. An empty one is an event without data.
/// Returns whether it is something else than an object.
pub(crate) fn binary<'d>(
    text: &'d str,
    names: &Names,
    values: &mut [Value<'d>],
    scratch: &'d Bump,
) -> Result<bool, NotJson> {
    if text.is_empty() {
        return Ok(false);
    }
    let mut scanner = Scanner::new(text);
    let data = read_data(&mut scanner, 0, names, values, scratch)?;
    scanner.end()?;
    Ok(data == Data::Foreign)
}

#[derive(PartialEq, Eq)]
enum Data {
    /// Not there, or null.
    Absent,
    Object,
    Foreign,
}

/// Takes the wanted members of the object that begins here. Each counts as its last occurrence.
#[inline]
fn read_data<'d>(
    scanner: &mut Scanner<'d>,
    depth: u32,
    names: &Names,
    values: &mut [Value<'d>],
    scratch: &'d Bump,
) -> Result<Data, NotJson> {
    if !scanner.enter_object() {
        let data = scanner.value(depth, scratch)?;
        return Ok(if data == Value::Missing {
            Data::Absent
        } else {
            Data::Foreign
        });
    }
    let mut first = true;
    while let Some(name) = scanner.member(first, scratch)? {
        first = false;
        match names
            .find(name)
            .and_then(|field| values.get_mut(usize::from(field)))
        {
            Some(value) => *value = scanner.value(depth + 1, scratch)?,
            None => scanner.skip(depth + 1)?,
        }
    }
    Ok(Data::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: &str) {
        let headers: Vec<_> = headers
            .iter()
            .map(|&(name, value)| (name, Some(value.as_bytes())))
            .collect();
        let record = Record {
            timestamp: None,
            key: None,
            value: None,
            headers: &headers,
        };
        let found = match mode(&record) {
            Ok(Mode::Structured) => "structured",
            Ok(Mode::Binary(_, true)) => "binary, JSON",
            Ok(Mode::Binary(_, false)) => "binary, other",
            Err(reject) => reject.as_str(),
        };
        assert_eq!(found, expected, "{headers:?}");
    }

    #[test]
    fn headers_decide_the_mode() {
        check(&[], "structured");
        check(&[("traceparent", "00-1-2-01")], "structured");
        check(
            &[("content-type", "application/cloudevents+json")],
            "structured",
        );
        check(
            &[(
                "Content-Type",
                "Application/CloudEvents+JSON ; charset=UTF-8",
            )],
            "structured",
        );
        check(
            &[("content-type", "application/cloudevents-batch+json")],
            "unknown_format",
        );
        check(
            &[("content-type", "application/cloudevents+avro")],
            "unknown_format",
        );
        check(&[("content-type", "application/json")], "unknown_format");
        check(&[("content-type", "")], "unknown_format");
        let binary = ("ce_specversion", "1.0");
        check(&[binary], "binary, JSON");
        check(
            &[binary, ("content-type", "application/json; charset=utf-8")],
            "binary, JSON",
        );
        check(
            &[("content-type", "application/vnd.shop+JSON"), binary],
            "binary, JSON",
        );
        check(
            &[binary, ("content-type", "application/avro")],
            "binary, other",
        );
        check(
            &[
                binary,
                ("content-type", "application/cloudevents-batch+json"),
            ],
            "binary, other",
        );
        check(
            &[binary, ("content-type", "application/cloudevents+json")],
            "structured",
        );
        check(&[("ce_id", "1"), ("ce_type", "order.placed")], "structured");
    }
}
