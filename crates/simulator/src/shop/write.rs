//! Writes an event as structured CloudEvents JSON, straight into bytes.
//!
//! Every text that a shop makes up is plain ASCII without quotes or backslashes, so nothing here
//! needs escaping; the tests parse what is written.

use std::io::Write;

use events::{EventTime, Span};

use super::money::Money;

/// An entity's id: a string, or an integer that doesn't fit a double.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Id {
    /// Written in quotes.
    Text(String),
    /// Written as a JSON number.
    Number(u64),
}

impl Id {
    /// The id as a record key.
    pub fn to_key(&self) -> Vec<u8> {
        match self {
            Id::Text(text) => text.clone().into_bytes(),
            Id::Number(number) => number.to_string().into_bytes(),
        }
    }
}

/// The members of `data`, written one after the other.
#[derive(Debug)]
pub struct Members<'a> {
    bytes: &'a mut Vec<u8>,
    first: bool,
}

impl Members<'_> {
    /// A string.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        put(self.bytes, &["\"", value, "\""]);
        self
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.name(name);
        put_number(self.bytes, value);
        self
    }

    /// An entity's id.
    pub fn id(&mut self, name: &str, value: &Id) -> &mut Self {
        match value {
            Id::Text(text) => self.text(name, text),
            Id::Number(number) => self.number(name, *number),
        }
    }

    /// An amount as a decimal string.
    pub fn money(&mut self, name: &str, value: Money) -> &mut Self {
        self.name(name);
        write!(self.bytes, "\"{value}\"").expect("writing to memory can't fail");
        self
    }

    fn name(&mut self, name: &str) {
        put(
            self.bytes,
            &[if self.first { "\"" } else { ",\"" }, name, "\":"],
        );
        self.first = false;
    }
}

/// The members of the envelope.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// CloudEvents `type`.
    pub type_name: &'a str,
    /// CloudEvents `source`.
    pub source: &'a str,
    /// The two parts of the CloudEvents `id`: the run of the shop, and the event in it.
    pub id: (&'a str, u64),
    /// CloudEvents `time`.
    pub time: EventTime,
}

/// One event; `members` writes what is in `data`.
pub fn cloud_event(envelope: Envelope<'_>, members: impl FnOnce(&mut Members<'_>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(448);
    put(
        &mut bytes,
        &["{\"specversion\":\"1.0\",\"id\":\"", envelope.id.0, "-"],
    );
    put_number(&mut bytes, envelope.id.1);
    put(&mut bytes, &["\",\"source\":\"", envelope.source]);
    put(
        &mut bytes,
        &["\",\"type\":\"", envelope.type_name, "\",\"time\":\""],
    );
    put_time(&mut bytes, envelope.time);
    put(
        &mut bytes,
        &["\",\"datacontenttype\":\"application/json\",\"data\":{"],
    );
    members(&mut Members {
        bytes: &mut bytes,
        first: true,
    });
    bytes.extend_from_slice(b"}}");
    bytes
}

fn put(bytes: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
    }
}

fn put_number(bytes: &mut Vec<u8>, value: u64) {
    write!(bytes, "{value}").expect("writing to memory can't fail");
}

/// RFC 3339 in UTC with milliseconds. The date of the last event is nearly always this one's, but
/// a conversion costs little beside the rest, so none is remembered.
fn put_time(bytes: &mut Vec<u8>, time: EventTime) {
    let instant = jiff::Timestamp::from_microsecond(time.0).unwrap_or(jiff::Timestamp::MAX);
    write!(bytes, "{instant:.3}").expect("writing to memory can't fail");
}

/// A time rounded down to whole milliseconds, as it is written.
pub fn to_milliseconds(time: EventTime) -> EventTime {
    time - Span(time.0.rem_euclid(1000))
}
