//! From a Kafka record to an event or a reject. Pure: no clock, no I/O, no allocation per event.
//!
//! `Decoder::decode` reads a CloudEvents 1.0 record (structured JSON or Kafka binary mode) and
//! takes from it the envelope and just the `data` members that the `Projection` names.
//! Bad data is a value (`Reject`), never a panic.

pub mod event;
pub mod key;
pub mod time;

pub use event::{Event, FieldId, Record, Reject, TypeId, Value};
pub use key::Key;
pub use time::{EventTime, KafkaTime, Span, WallTime};
