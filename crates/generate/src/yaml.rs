//! A small writer of YAML: maps, lists and scalars in the order given, so that the same catalogue
//! gives the same bytes.
//!
//! Scalars are plain only when no reader could take them for anything but text; others stand in
//! single quotes, where only the quote itself needs care, or in a block when they have lines.

/// A value to write.
#[derive(Clone, PartialEq, Debug)]
pub enum Yaml {
    /// Text.
    Text(String),
    /// A number.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Yaml>),
    /// A map, in this order.
    Map(Vec<(String, Yaml)>),
}

/// Text.
pub fn text(text: impl Into<String>) -> Yaml {
    Yaml::Text(text.into())
}

/// A map out of pairs.
pub fn map<const N: usize>(pairs: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(pairs.map(|(key, value)| (key.to_owned(), value)).into())
}

/// A list of texts.
pub fn texts<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Yaml {
    let items = items.into_iter().map(|item| text(item.as_ref()));
    Yaml::List(items.collect())
}

/// The document, with `header` as comments above it.
pub fn document(header: &str, root: &Yaml) -> String {
    let mut out = comments(header);
    write(&mut out, root, 0);
    out
}

/// Text as comments, a line each.
pub fn comments(text: &str) -> String {
    text.lines().map(comment).collect()
}

fn comment(line: &str) -> String {
    format!("# {line}").trim_end().to_owned() + "\n"
}

/// Writes a map or a list at the start of a line, indented by `depth`.
fn write(out: &mut String, node: &Yaml, depth: usize) {
    match node {
        Yaml::Map(pairs) => {
            for (key, value) in pairs {
                indent(out, depth);
                entry(out, key, value, depth);
            }
        }
        Yaml::List(items) => {
            for item in items {
                indent(out, depth);
                list_item(out, item, depth);
            }
        }
        scalar => {
            indent(out, depth);
            write_scalar(out, scalar, depth);
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n(' ', depth));
}

fn entry(out: &mut String, key: &str, value: &Yaml, depth: usize) {
    out.push_str(&scalar(key));
    out.push(':');
    match value {
        Yaml::Map(pairs) if !pairs.is_empty() => {
            out.push('\n');
            write(out, value, depth + 2);
        }
        Yaml::List(items) if !items.is_empty() => {
            out.push('\n');
            write(out, value, depth + 2);
        }
        value => {
            out.push(' ');
            write_scalar(out, value, depth + 2);
        }
    }
}

/// A map's first pair stands behind the dash.
fn list_item(out: &mut String, item: &Yaml, depth: usize) {
    out.push_str("- ");
    match item {
        Yaml::Map(pairs) if !pairs.is_empty() => {
            for (at, (key, value)) in pairs.iter().enumerate() {
                if at > 0 {
                    indent(out, depth + 2);
                }
                entry(out, key, value, depth + 2);
            }
        }
        Yaml::List(items) if !items.is_empty() => {
            out.push('\n');
            write(out, item, depth + 2);
        }
        value => write_scalar(out, value, depth + 2),
    }
}

fn write_scalar(out: &mut String, node: &Yaml, depth: usize) {
    match node {
        Yaml::Text(text) if text.contains('\n') => {
            out.push_str("|-\n");
            for line in text.lines() {
                if !line.is_empty() {
                    indent(out, depth);
                    out.push_str(line);
                }
                out.push('\n');
            }
            return;
        }
        Yaml::Text(text) => out.push_str(&scalar(text)),
        Yaml::Float(number) => out.push_str(&number.to_string()),
        Yaml::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Yaml::List(_) => out.push_str("[]"),
        Yaml::Map(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// Words that a reader takes for something else.
const TAKEN: [&str; 10] = [
    "true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan",
];

fn scalar(text: &str) -> String {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    let taken = TAKEN.contains(&text.to_ascii_lowercase().as_str());
    if first && !taken && text.chars().all(legal) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_lists_are_indented_and_scalars_quoted_when_in_doubt() {
        let root = map([
            ("plain", text("a_word")),
            ("taken", text("No")),
            ("digits", text("5")),
            ("quote", text("it's {{ a }}: b")),
            ("empty", text("")),
            ("none", Yaml::List(vec![])),
            (
                "list",
                Yaml::List(vec![
                    map([("a", Yaml::Flag(true)), ("b", text("one\ntwo"))]),
                    text("x y"),
                ]),
            ),
        ]);
        let expected = "# head\nplain: a_word\ntaken: 'No'\ndigits: '5'\n\
            quote: 'it''s {{ a }}: b'\nempty: ''\nnone: []\nlist:\n  - a: true\n    b: |-\n      \
            one\n      two\n  - 'x y'\n";
        assert_eq!(document("head", &root), expected);
    }
}
