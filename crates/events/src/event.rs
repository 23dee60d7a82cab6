//! What goes in and what comes out of decoding: a Kafka `Record`, an `Event`, a `Reject`.
//!
//! An `Event` borrows from the record and from the decoder's scratch space: nothing is allocated
//! for it. Of `data` it holds only the members that the projection asks for, by `FieldId`.

use crate::time::{EventTime, KafkaTime};

/// Index of an event type that the plan uses, in the order given to the projection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(pub u16);

/// Index of a `data` member that the plan reads, in the order given to the projection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FieldId(pub u16);

/// One Kafka record as it lies in the consumer's buffer. `headers` is empty for most records.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The record's timestamp; `None` when the broker gave none.
    pub timestamp: Option<KafkaTime>,
    /// The record's key, `None` for a null key.
    pub key: Option<&'a [u8]>,
    /// The record's value, `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The record's headers in order; a header's value may be null.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// A decoded record.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// CloudEvents `source`; with `id` it identifies the event.
    pub source: &'a str,
    /// CloudEvents `id`.
    pub id: &'a str,
    /// CloudEvents `type` as written.
    pub type_name: &'a str,
    /// The type's index in the projection, `None` if the plan does not use this type.
    pub type_id: Option<TypeId>,
    /// When it happened.
    pub time: EventTime,
    /// One value per projected field, by `FieldId`. Empty when `type_id` is `None`.
    pub fields: &'a [Value<'a>],
}

impl<'a> Event<'a> {
    /// The value of a projected field.
    pub fn field(&self, field: FieldId) -> Value<'a> {
        self.fields
            .get(usize::from(field.0))
            .copied()
            .unwrap_or(Value::Missing)
    }
}

/// The value of one member of `data`. Numbers stay as they were written: an id of 64 bits or an
/// amount never goes through a double.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Not there, or `null`.
    Missing,
    /// A JSON string, unescaped.
    Text(&'a str),
    /// A JSON number, as written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// An object or an array: no field of ours is one.
    Nested,
}

impl<'a> Value<'a> {
    /// As a dimension or a filter sees it: `None` for missing, empty and nested values.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Value::Text("") | Value::Missing | Value::Nested => None,
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
        }
    }

    /// As an entity's key: a non-empty string, or an integer of at most 64 bits, as text.
    /// Of an integer's spellings only the shortest is one (`-0` is none).
    pub fn key(self) -> Option<&'a str> {
        match self {
            Value::Text("") | Value::Number("-0") => None,
            Value::Text(text) => Some(text),
            Value::Number(text) => {
                let integer = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
                integer.then_some(text)
            }
            _ => None,
        }
    }
}

/// Why a record can't be an event. The closed list behind the `reason` label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reject {
    /// The value is null (a tombstone).
    NullValue,
    /// The value is not well-formed JSON in UTF-8, or nested deeper than the limit.
    NotJson,
    /// Well-formed JSON, but not an object.
    NotAnObject,
    /// The value is larger than the limit.
    TooLarge,
    /// Neither a CloudEvent 1.0 in structured JSON nor in binary mode.
    UnknownFormat,
    /// The value starts like a schema registry's framing (a zero byte and a schema id).
    SchemaRegistryPayload,
    /// A required member of the envelope is missing, empty or of the wrong type; or a required
    /// entity key is missing or empty.
    MissingField,
    /// `time` is not RFC 3339 with a zone.
    BadTime,
    /// `time` is ahead of the Kafka timestamp by more than `max_future`.
    FutureTime,
    /// `data` is there, but is not a JSON object.
    BadData,
    /// An entity key that the plan follows is neither a string nor a 64-bit integer.
    BadKey,
}

impl Reject {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Reject; 11] = [
        Reject::NullValue,
        Reject::NotJson,
        Reject::NotAnObject,
        Reject::TooLarge,
        Reject::UnknownFormat,
        Reject::SchemaRegistryPayload,
        Reject::MissingField,
        Reject::BadTime,
        Reject::FutureTime,
        Reject::BadData,
        Reject::BadKey,
    ];

    /// The value of the `reason` label and of the dead letter's reason header.
    pub fn as_str(self) -> &'static str {
        match self {
            Reject::NullValue => "null_value",
            Reject::NotJson => "not_json",
            Reject::NotAnObject => "not_an_object",
            Reject::TooLarge => "too_large",
            Reject::UnknownFormat => "unknown_format",
            Reject::SchemaRegistryPayload => "schema_registry_payload",
            Reject::MissingField => "missing_field",
            Reject::BadTime => "bad_time",
            Reject::FutureTime => "future_time",
            Reject::BadData => "bad_data",
            Reject::BadKey => "bad_key",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Value, text: Option<&str>, key: Option<&str>) {
        assert_eq!((value.text(), value.key()), (text, key), "{value:?}");
    }

    #[test]
    fn a_value_is_read_as_a_dimension_and_as_a_key() {
        check(Value::Missing, None, None);
        check(Value::Text(""), None, None);
        check(Value::Text("o-1"), Some("o-1"), Some("o-1"));
        check(Value::Number("7"), Some("7"), Some("7"));
        check(Value::Bool(true), Some("true"), None);
        check(Value::Bool(false), Some("false"), None);
        check(Value::Nested, None, None);
    }

    #[test]
    fn only_integers_of_64_bits_are_keys() {
        for text in [
            "0",
            "-1",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            check(Value::Number(text), Some(text), Some(text));
        }
        for text in [
            "-0",
            "1.0",
            "1e3",
            "18446744073709551616",
            "-9223372036854775809",
        ] {
            check(Value::Number(text), Some(text), None);
        }
    }

    #[test]
    fn every_reason_has_a_name_of_its_own_and_its_number() {
        for (number, reject) in Reject::ALL.into_iter().enumerate() {
            assert_eq!(reject as usize, number);
            let same = |other: &&Reject| other.as_str() == reject.as_str();
            assert_eq!(Reject::ALL.iter().filter(same).count(), 1, "{reject:?}");
        }
    }

    #[test]
    fn a_field_outside_the_projection_is_missing() {
        let event = Event {
            source: "s",
            id: "1",
            type_name: "t",
            type_id: None,
            time: EventTime(0),
            fields: &[Value::Bool(true)],
        };
        assert_eq!(event.field(FieldId(0)), Value::Bool(true));
        assert_eq!(event.field(FieldId(1)), Value::Missing);
    }
}
