//! From a record to an event or a reject, by what the plan needs.
//!
//! The checks, in this order; the first that fails is the reason:
//! 1. value: `null_value`, `too_large`, `schema_registry_payload` (zero byte and a schema id)
//! 2. headers: `unknown_format`; then, for structured events, the value: `not_json` (invalid UTF-8
//!    anywhere included), `not_an_object`
//! 3. envelope: `unknown_format` (specversion is not "1.0"), `missing_field` (id, source, type;
//!    their headers are not UTF-8; no time), `bad_time`, `future_time`
//! 4. only if the plan uses the type: data in binary mode (`unknown_format` by its content type,
//!    `not_json`), `bad_data`, and per entity key `bad_key` or `missing_field`

use bumpalo::Bump;

use crate::cloudevents::{self, Envelope, Mode};
use crate::event::{Event, FieldId, Record, Reject, TypeId, Value};
use crate::names::Names;
use crate::rfc3339::parse_rfc3339;
use crate::scan::NotJson;
use crate::time::{EventTime, KafkaTime, Span};

/// What to take out of records.
#[derive(Clone, Debug)]
pub struct Projection {
    /// The event types that the plan uses, distinct; their index is the `TypeId`.
    pub types: Vec<ProjectedType>,
    /// The members of `data` that the plan reads, distinct; their index is the `FieldId`.
    pub fields: Vec<String>,
    /// Event times ahead of the Kafka timestamp by more are rejected.
    pub max_future: Span,
    /// Longer values are rejected.
    pub max_bytes: usize,
}

/// An event type that the plan uses.
#[derive(Clone, Debug)]
pub struct ProjectedType {
    /// The CloudEvents `type`.
    pub name: String,
    /// The fields that are entity keys on this type; the flag says that one must be there.
    pub keys: Vec<(FieldId, bool)>,
}

/// Decodes records for one projection. One per worker: its scratch space is used again and again.
pub struct Decoder {
    types: Names,
    keys: Vec<Vec<(FieldId, bool)>>,
    fields: Names,
    max_future: Span,
    max_bytes: usize,
    /// The current event's fields and unescaped strings. Keeps its largest size: some four times
    /// the largest value.
    scratch: Bump,
}

const SCRATCH_BYTES: usize = 4096;

impl Decoder {
    /// A decoder of what `projection` names.
    pub fn new(projection: &Projection) -> Decoder {
        Decoder {
            types: Names::new(projection.types.iter().map(|each| each.name.as_str())),
            keys: projection
                .types
                .iter()
                .map(|each| each.keys.clone())
                .collect(),
            fields: Names::new(projection.fields.iter().map(String::as_str)),
            max_future: projection.max_future,
            max_bytes: projection.max_bytes,
            scratch: Bump::with_capacity(SCRATCH_BYTES),
        }
    }

    /// The event in `record`, or why there is none. The event lives until the next call.
    pub fn decode<'d>(&'d mut self, record: &Record<'d>) -> Result<Event<'d>, Reject> {
        self.scratch.reset();
        let decoder: &'d Decoder = self;
        let bytes = record.value.ok_or(Reject::NullValue)?;
        if bytes.len() > decoder.max_bytes {
            return Err(Reject::TooLarge);
        }
        if bytes.len() >= 5 && bytes[0] == 0 {
            return Err(Reject::SchemaRegistryPayload);
        }
        let values = decoder
            .scratch
            .alloc_slice_fill_copy(decoder.fields.len(), Value::Missing);
        let mode = if record.headers.is_empty() {
            Mode::Structured
        } else {
            cloudevents::mode(record)?
        };
        match mode {
            Mode::Structured => {
                let text = str::from_utf8(bytes).map_err(|_| Reject::NotJson)?;
                let scratch = &decoder.scratch;
                let envelope = cloudevents::structured(text, &decoder.fields, values, scratch)?;
                let event = decoder.event(&envelope, record.timestamp)?;
                decoder.with_fields(event, envelope.foreign_data, values)
            }
            Mode::Binary(envelope, json) => {
                let event = decoder.event(&envelope, record.timestamp)?;
                let foreign = match (event.type_id, json) {
                    (None, _) => false,
                    (Some(_), true) => decoder.binary_data(bytes, values)?,
                    (Some(_), false) => return Err(Reject::UnknownFormat),
                };
                decoder.with_fields(event, foreign, values)
            }
        }
    }

    fn binary_data<'d>(
        &'d self,
        bytes: &'d [u8],
        values: &mut [Value<'d>],
    ) -> Result<bool, NotJson> {
        let text = str::from_utf8(bytes).map_err(|_| NotJson)?;
        cloudevents::binary(text, &self.fields, values, &self.scratch)
    }

    /// The event without its fields.
    fn event<'d>(
        &self,
        envelope: &Envelope<'d>,
        timestamp: Option<KafkaTime>,
    ) -> Result<Event<'d>, Reject> {
        if envelope.specversion != Value::Text("1.0") {
            return Err(Reject::UnknownFormat);
        }
        // CloudEvents ids are strings; producers send integers too.
        let id = envelope.id.key().ok_or(Reject::MissingField)?;
        let source = non_empty(envelope.source)?;
        let type_name = non_empty(envelope.type_name)?;
        let time = self.time(envelope.time, timestamp)?;
        let type_id = self.types.find(type_name).map(TypeId);
        Ok(Event {
            source,
            id,
            type_name,
            type_id,
            time,
            fields: &[],
        })
    }

    fn time(&self, time: Value, timestamp: Option<KafkaTime>) -> Result<EventTime, Reject> {
        let time = match time {
            Value::Missing | Value::Text("") => return Err(Reject::MissingField),
            Value::Text(text) => parse_rfc3339(text).ok_or(Reject::BadTime)?,
            _ => return Err(Reject::BadTime),
        };
        match timestamp {
            Some(kafka) if time > kafka.as_event_time() + self.max_future => {
                Err(Reject::FutureTime)
            }
            _ => Ok(time),
        }
    }

    /// The event with its fields, if the plan uses its type, after a check of its entity keys.
    fn with_fields<'d>(
        &self,
        event: Event<'d>,
        foreign_data: bool,
        values: &'d [Value<'d>],
    ) -> Result<Event<'d>, Reject> {
        let Some(type_id) = event.type_id else {
            return Ok(event);
        };
        if foreign_data {
            return Err(Reject::BadData);
        }
        let event = Event {
            fields: values,
            ..event
        };
        for &(field, required) in &self.keys[usize::from(type_id.0)] {
            match event.field(field) {
                Value::Missing | Value::Text("") if required => return Err(Reject::MissingField),
                Value::Missing | Value::Text(_) => {}
                value if value.key().is_some() => {}
                _ => return Err(Reject::BadKey),
            }
        }
        Ok(event)
    }
}

fn non_empty(value: Value<'_>) -> Result<&str, Reject> {
    match value {
        Value::Text(text) if !text.is_empty() => Ok(text),
        _ => Err(Reject::MissingField),
    }
}

impl From<NotJson> for Reject {
    fn from(NotJson: NotJson) -> Reject {
        Reject::NotJson
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scratch_space_does_not_grow_from_event_to_event() {
        let fields = (0..300).map(|number| format!("field_{number}")).collect();
        let projection = Projection {
            types: vec![],
            fields,
            max_future: Span::ZERO,
            max_bytes: 1 << 20,
        };
        let mut decoder = Decoder::new(&projection);
        let value = format!(
            r#"{{"specversion":"1.0","id":"\u0031","source":"{}\n","type":"t","time":"1970-01-01T00:00:00Z"}}"#,
            "s".repeat(10_000),
        );
        let record = Record {
            timestamp: None,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        let mut sizes = Vec::new();
        for _ in 0..1000 {
            assert!(decoder.decode(&record).is_ok());
            sizes.push(decoder.scratch.allocated_bytes());
        }
        assert!(
            sizes[2..].iter().all(|size| *size == sizes[2]),
            "{:?}",
            &sizes[..10]
        );
    }
}
