//! An event line of a scenario as the Kafka records it stands for.

use events::{EventTime, KafkaTime, Span};

use super::times;

/// A record on its way to a topic-partition.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `None`: the first topic of the configuration.
    pub topic: Option<String>,
    /// Of that topic, from 0.
    pub partition: i32,
    /// The time on the line: the event's own.
    pub time: EventTime,
    /// The record's timestamp.
    pub kafka: KafkaTime,
    /// The `ce_` headers in binary mode, else none.
    pub headers: Vec<(String, String)>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
}

/// The records of the line: `TIME [to TIME every SPAN] TYPE field=value ...`.
pub fn records(line: usize, text: &str) -> Result<Vec<Sent>, String> {
    let (first, rest) = word(text);
    let first = times::time(first)?;
    let (mut last, mut every, mut rest) = (first, Span::from_seconds(1), rest);
    if let ("to", after) = word(rest) {
        let (end, after) = word(after);
        let ("every", after) = word(after) else {
            return Err("after `to` comes a time and `every` with a duration".to_owned());
        };
        let (span, after) = word(after);
        (last, every, rest) = (times::time(end)?, times::span(span)?, after);
    }
    let count = (last - first).0 / every.0;
    (0..=count)
        .map(|index| {
            let time = first + Span(every.0 * index);
            record(
                line,
                index + 1,
                time,
                &rest.replace("{n}", &(index + 1).to_string()),
            )
        })
        .collect()
}

/// Whether a line stands for several records.
pub fn is_range(text: &str) -> bool {
    word(word(text).1).0 == "to"
}

fn record(line: usize, number: i64, time: EventTime, text: &str) -> Result<Sent, String> {
    let (kind, mut rest) = word(text);
    let mut options = Options {
        topic: None,
        partition: 0,
        kafka: KafkaTime(time.0),
        id: format!("line-{line}-{number}"),
        source: "/shop".to_owned(),
        binary: false,
        bytes: 0,
    };
    let mut data = Vec::new();
    loop {
        let (next, after) = word(rest);
        match next.strip_prefix('@') {
            Some(option) => options.set(time, option)?,
            None if next.is_empty() || kind == "raw" => break,
            None => data.push(field(next)?),
        }
        rest = after;
    }
    let data = format!("{{{}}}", data.join(","));
    let (headers, value) = match kind {
        "null" => (Vec::new(), None),
        "raw" => (Vec::new(), Some(rest.replace("\\0", "\0"))),
        _ if options.binary => (options.headers(kind, time), Some(data)),
        _ => {
            let members = options.attributes(kind, time).into_iter();
            let members = members.map(|(name, value)| format!("{}:{}", json(name), json(&value)));
            let members: Vec<String> = members.collect();
            (
                Vec::new(),
                Some(format!("{{{},\"data\":{data}}}", members.join(","))),
            )
        }
    };
    Ok(Sent {
        topic: options.topic,
        partition: options.partition,
        time,
        kafka: options.kafka,
        headers,
        value: value.map(|value| lengthened(value, options.bytes)),
    })
}

/// What words with an `@` say.
struct Options {
    topic: Option<String>,
    partition: i32,
    kafka: KafkaTime,
    id: String,
    source: String,
    binary: bool,
    /// The value is made this long with spaces behind it.
    bytes: usize,
}

impl Options {
    fn set(&mut self, time: EventTime, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "topic" => self.topic = Some(value.to_owned()),
            "partition" => {
                self.partition = value
                    .parse()
                    .map_err(|_| format!("`{value}` is no partition"))?;
            }
            "kafka" => {
                let kafka = match (value.strip_prefix('+'), value.strip_prefix('-')) {
                    (Some(after), _) => time + times::span(after)?,
                    (_, Some(before)) => time - times::span(before)?,
                    _ => times::time(value)?,
                };
                self.kafka = KafkaTime(kafka.0);
            }
            "id" => self.id = value.to_owned(),
            "source" => self.source = value.to_owned(),
            "binary" => self.binary = true,
            "bytes" => {
                self.bytes = value
                    .parse()
                    .map_err(|_| format!("`{value}` is no number of bytes"))?;
            }
            _ => return Err(format!("there is no option `@{name}`")),
        }
        Ok(())
    }

    fn attributes(&self, kind: &str, time: EventTime) -> [(&'static str, String); 5] {
        [
            ("specversion", "1.0".to_owned()),
            ("id", self.id.clone()),
            ("source", self.source.clone()),
            ("type", kind.to_owned()),
            ("time", times::rfc3339(time)),
        ]
    }

    fn headers(&self, kind: &str, time: EventTime) -> Vec<(String, String)> {
        let attributes = self.attributes(kind, time).into_iter();
        attributes
            .map(|(name, value)| (format!("ce_{name}"), value))
            .collect()
    }
}

/// `name=text` or `name:=json`, as a member of `data`.
fn field(text: &str) -> Result<String, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or(format!("`{text}` is not like order_id=o-1"))?;
    Ok(match name.strip_suffix(':') {
        Some(name) => format!("{}:{value}", json(name)),
        None => format!("{}:{}", json(name), json(value)),
    })
}

fn lengthened(value: String, bytes: usize) -> Vec<u8> {
    let mut value = value.into_bytes();
    value.resize(value.len().max(bytes), b' ');
    value
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}
