//! From a Kafka record to an event or a reject. Pure: no clock, no I/O, no allocation per event.
//!
//! `Decoder::decode` reads a CloudEvents 1.0 record (structured JSON or Kafka binary mode) and
//! takes from it the envelope and just the `data` members that the `Projection` names.
//! Bad data is a value (`Reject`), never a panic. `money` reads exact amounts out of its fields.

mod cloudevents;
mod currency;
mod decimal;
pub mod decode;
mod escape;
pub mod event;
pub mod key;
pub mod money;
mod names;
pub mod rfc3339;
mod scan;
mod shown;
pub mod time;

pub use decode::{Decoder, ProjectedType, Projection};
pub use event::{Event, FieldId, Record, Reject, TypeId, Value};
pub use key::Key;
pub use money::{MoneyError, parse_money, parse_number};
pub use rfc3339::parse_rfc3339;
pub use shown::shown;
pub use time::{EventTime, KafkaTime, Span, WallTime};
