//! A TOML document as a plain tree in which every key and value has its place.
//!
//! The `config` crate, which one would reach for, forgets where a value came from; `toml`'s spanned
//! document remembers, so files and environment variables are laid over each other here by hand.
//! Tables keep the order of the file.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Place, Problems};

/// A value and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Value,
    /// The text as given, when it came from the environment: `123` may be meant as text.
    pub raw: Option<String>,
}

/// What a value can be.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime,
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// With its article, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "a boolean",
            Value::Datetime => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A table's members, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub place: Place,
    pub entries: Vec<Entry>,
}

/// A member.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }
}

/// Reads a document; what can't be parsed is a problem each, the rest is there.
pub(crate) fn parse(path: &str, text: &str, problems: &Problems) -> Table {
    let lines = Lines {
        path: Arc::from(path),
        text,
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        problems.add_syntax(&lines.place(at), error.message(), lines.is_header(at));
    }
    lines.table(0, document.get_ref(), problems)
}

/// Reads one value, as an environment variable holds it; `None` when it is not TOML.
pub(crate) fn parse_value(place: &Place, text: &str, problems: &Problems) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let lines = Lines {
        path: Arc::clone(&place.path),
        text: "",
    };
    Some(Node {
        raw: Some(text.to_owned()),
        ..lines.node(&value, problems)
    })
}

/// Turns byte offsets into lines and columns. With an empty text every place is line 0.
struct Lines<'a> {
    path: Arc<str>,
    text: &'a str,
}

impl Lines<'_> {
    fn place(&self, offset: usize) -> Place {
        let path = Arc::clone(&self.path);
        if self.text.is_empty() {
            return Place {
                path,
                line: 0,
                column: 0,
            };
        }
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
        Place { path, line, column }
    }

    /// Whether this is in the header of a table.
    fn is_header(&self, offset: usize) -> bool {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        self.text[begin..].trim_start().starts_with('[')
    }

    fn table(&self, at: usize, table: &DeTable<'_>, problems: &Problems) -> Table {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        let entries = members
            .into_iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_place: self.place(key.span().start),
                node: self.node(value, problems),
            })
            .collect();
        Table {
            place: self.place(at),
            entries,
        }
    }

    fn node(&self, spanned: &Spanned<DeValue<'_>>, problems: &Problems) -> Node {
        let at = spanned.span().start;
        let place = self.place(at);
        let value = match spanned.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Table(table) => Value::Table(self.table(at, table, problems)),
            DeValue::Array(list) => {
                Value::List(list.iter().map(|item| self.node(item, problems)).collect())
            }
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                Value::Integer(parsed.unwrap_or_else(|_| {
                    problems.add(&place, format!("{number} is too large a number"));
                    0
                }))
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        };
        Node {
            place,
            value,
            raw: None,
        }
    }
}
