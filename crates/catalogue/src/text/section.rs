//! Reading one table with a known set of keys: each getter gives the typed value or says what is
//! wrong with it. A key that is not in the set is a problem that names the nearest one that is.

use events::Span;

use super::tree::{Entry, Node, Table, Value};
use super::values;
use crate::problem::{Place, Problems, meant, suggestion};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Sited<T> {
    pub value: T,
    pub place: Place,
}

/// A table being read.
pub(crate) struct Section<'a> {
    table: &'a Table,
    title: String,
    /// Valid keys that were probably meant by unknown ones.
    misspelt: Vec<String>,
    pub problems: &'a Problems,
}

impl<'a> Section<'a> {
    /// `title` is how messages call it: `[time]`, `kpi.orders`.
    pub fn new(
        table: &'a Table,
        title: impl Into<String>,
        keys: &[&str],
        problems: &'a Problems,
    ) -> Section<'a> {
        let title = title.into();
        let mut misspelt = Vec::new();
        for entry in &table.entries {
            if !keys.contains(&entry.key.as_str()) {
                let hint = suggestion(&entry.key, keys);
                let message = format!("unknown key \"{}\" in {title}{hint}", entry.key);
                problems.add(&entry.key_place, message);
                misspelt.extend(meant(&entry.key, keys).map(str::to_owned));
            }
        }
        Section {
            table,
            title,
            misspelt,
            problems,
        }
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn place(&self) -> &'a Place {
        &self.table.place
    }

    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table.get(key)
    }

    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key).map(|entry| &entry.node)
    }

    /// Says that a key is missing; `example` shows how to write it. Nothing when it is there under
    /// a name that isn't quite right: that was said already.
    pub fn missing(&self, key: &str, example: &str) {
        if self.misspelt.iter().any(|meant| meant == key) {
            return;
        }
        let message = format!("{} needs \"{key}\", like {example}", self.title);
        self.problems.add(self.place(), message);
    }

    pub fn wrong_type(&self, key: &str, node: &Node, expected: &str) {
        let found = node.value.describe();
        let message = format!(
            "\"{key}\" in {} must be {expected}, not {found}",
            self.title
        );
        self.problems.add(&node.place, message);
    }

    pub fn text(&self, key: &str) -> Option<Sited<String>> {
        let node = self.node(key)?;
        match text_of(node) {
            Some(value) => Some(Sited {
                value,
                place: node.place.clone(),
            }),
            None => {
                self.wrong_type(key, node, "text in quotes");
                None
            }
        }
    }

    /// Text that a parser accepts.
    pub fn parsed<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Sited<T>> {
        let text = self.text(key)?;
        match parse(&text.value) {
            Ok(value) => Some(Sited {
                value,
                place: text.place,
            }),
            Err(message) => {
                self.problems.add(
                    &text.place,
                    format!("\"{key}\" in {}: {message}", self.title),
                );
                None
            }
        }
    }

    /// A duration that is more than nothing.
    pub fn span(&self, key: &str, default: Span) -> Span {
        match self.any_span(key) {
            Some(span) if span.value == Span::ZERO => {
                let message = format!("\"{key}\" in {} must be more than 0s", self.title);
                self.problems.add(&span.place, message);
                default
            }
            Some(span) => span.value,
            None => default,
        }
    }

    /// A duration that may be nothing.
    pub fn any_span(&self, key: &str) -> Option<Sited<Span>> {
        let node = self.node(key)?;
        if text_of(node).is_none() || matches!(node.value, Value::Integer(_)) && node.raw.is_none()
        {
            self.wrong_type(key, node, "a duration in quotes like \"30s\"");
            return None;
        }
        self.parsed(key, values::duration)
    }

    pub fn integer(&self, key: &str, least: i64, most: i64) -> Option<i64> {
        let node = self.node(key)?;
        let Value::Integer(value) = node.value else {
            self.wrong_type(key, node, "a whole number");
            return None;
        };
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let message = format!(
            "\"{key}\" in {} is {value}: it must be {least} to {most}",
            self.title
        );
        self.problems.add(&node.place, message);
        None
    }

    pub fn number(&self, key: &str) -> Option<Sited<f64>> {
        let node = self.node(key)?;
        let value = match node.value {
            Value::Integer(value) => value as f64,
            Value::Float(value) if value.is_finite() => value,
            _ => {
                self.wrong_type(key, node, "a number");
                return None;
            }
        };
        Some(Sited {
            value,
            place: node.place.clone(),
        })
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let hint = suggestion(&text.value, &names);
            let title = &self.title;
            let message = format!("\"{key}\" in {title} can't be \"{}\"{hint}", text.value);
            self.problems.add(&text.place, message);
        }
        found.map(|(_, value)| *value)
    }

    /// A list of text; a single text is a list of one.
    pub fn texts(&self, key: &str) -> Option<Sited<Vec<Sited<String>>>> {
        let node = self.node(key)?;
        let place = node.place.clone();
        let items: Option<Vec<_>> = match &node.value {
            Value::List(items) => items.iter().map(sited_text).collect(),
            _ => sited_text(node).map(|text| vec![text]),
        };
        if items.is_none() {
            self.wrong_type(key, node, "text or a list of text");
        }
        Some(Sited {
            value: items?,
            place,
        })
    }

    /// A table under a key.
    pub fn table(&self, key: &str) -> Option<&'a Table> {
        let node = self.node(key)?;
        match &node.value {
            Value::Table(table) => Some(table),
            _ => {
                self.wrong_type(key, node, "a table");
                None
            }
        }
    }

    /// `[[...]]` under a key; empty when it is not there.
    pub fn tables(&self, key: &str) -> Vec<&'a Table> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong_type(key, node, "a list of tables, written with [[ ]]");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => tables.push(table),
                _ => self.wrong_type(key, item, "a list of tables, written with [[ ]]"),
            }
        }
        tables
    }
}

/// As text: a string, or whatever the environment gave.
pub(crate) fn text_of(node: &Node) -> Option<String> {
    match (&node.value, &node.raw) {
        (Value::Text(text), _) => Some(text.clone()),
        (_, Some(raw)) => Some(raw.clone()),
        _ => None,
    }
}

fn sited_text(node: &Node) -> Option<Sited<String>> {
    text_of(node).map(|value| Sited {
        value,
        place: node.place.clone(),
    })
}
