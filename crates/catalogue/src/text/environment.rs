//! Environment variables laid over the file: `KEPT__KAFKA__BROKERS` is `brokers` in `[kafka]`.
//!
//! After `KEPT__` the parts between `__` are the keys, in any case. A value that is TOML is taken as
//! such (`30`, `true`, `["a", "b"]`), everything else as text. Under `KEPT__KAFKA__CLIENT__` one `_`
//! stands for a dot (`SASL_PASSWORD` is `sasl.password`, `SASL_PASSWORD_FILE` is
//! `sasl.password_file`) and so does `__`; a name with dots in it is taken as it is, and a value is
//! always text.

use super::tree::{Entry, Node, Table, Value, parse_value};
use crate::problem::{Place, Problems};

/// What every variable of ours begins with.
pub const PREFIX: &str = "KEPT__";

/// Lays the variables over the document; those with another prefix are not ours.
pub(crate) fn overlay(document: &mut Table, variables: &[(String, String)], problems: &Problems) {
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let path = format!("environment variable {name}").into();
        let place = Place {
            path,
            line: 0,
            column: 0,
        };
        let keys = keys_of(rest);
        if keys.iter().any(String::is_empty) {
            problems.add(&place, "names no key: write it like KEPT__KAFKA__BROKERS");
            continue;
        }
        let is_client = keys.len() > 2 && keys[..2] == ["kafka", "client"];
        let parsed = if is_client {
            None
        } else {
            parse_value(&place, text, problems)
        };
        let node = parsed.unwrap_or_else(|| Node {
            place: place.clone(),
            value: Value::Text(text.clone()),
            raw: Some(text.clone()),
        });
        set(document, &keys, node, problems);
    }
}

fn keys_of(rest: &str) -> Vec<String> {
    let lower = rest.to_ascii_lowercase();
    if let Some(client) = lower.strip_prefix("kafka__client__") {
        return vec!["kafka".to_owned(), "client".to_owned(), client_key(client)];
    }
    lower.split("__").map(str::to_owned).collect()
}

fn client_key(name: &str) -> String {
    if name.contains('.') {
        return name.to_owned();
    }
    // Whoever writes `__` between keys elsewhere writes it here as well.
    let name = name.replace("__", "_");
    match name.strip_suffix("_file") {
        Some(base) => format!("{}_file", base.replace('_', ".")),
        None => name.replace('_', "."),
    }
}

fn set(table: &mut Table, keys: &[String], node: Node, problems: &Problems) {
    let (key, rest) = keys
        .split_first()
        .expect("the caller refuses names without keys");
    if table.get(key).is_none() {
        let place = node.place.clone();
        let value = Value::Table(Table {
            place: place.clone(),
            entries: Vec::new(),
        });
        let empty = Node {
            place: place.clone(),
            value,
            raw: None,
        };
        table.entries.push(Entry {
            key: key.clone(),
            key_place: place,
            node: empty,
        });
    }
    let entry = table.get_mut(key).expect("it was just put there");
    if rest.is_empty() {
        entry.key_place = node.place.clone();
        entry.node = node;
        return;
    }
    match &mut entry.node.value {
        Value::Table(inner) => set(inner, rest, node, problems),
        _ => problems.add(
            &node.place,
            format!("\"{key}\" has no keys inside it to override"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_name_are_keys() {
        assert_eq!(keys_of("KAFKA__BROKERS"), ["kafka", "brokers"]);
        assert_eq!(
            keys_of("kafka__dead_letter_topic"),
            ["kafka", "dead_letter_topic"]
        );
        assert_eq!(keys_of("HTTP"), ["http"]);
    }

    #[test]
    fn under_the_client_an_underscore_is_a_dot() {
        let client = |name: &str| keys_of(&format!("KAFKA__CLIENT__{name}")).pop();
        assert_eq!(client("SASL_PASSWORD").as_deref(), Some("sasl.password"));
        assert_eq!(client("SASL__PASSWORD").as_deref(), Some("sasl.password"));
        for file in [
            "SASL_PASSWORD_FILE",
            "SASL__PASSWORD__FILE",
            "SASL__PASSWORD_FILE",
        ] {
            assert_eq!(
                client(file).as_deref(),
                Some("sasl.password_file"),
                "{file}"
            );
        }
        assert_eq!(
            client("sasl.oauthbearer.assertion.private.key.file").as_deref(),
            Some("sasl.oauthbearer.assertion.private.key.file")
        );
    }
}
