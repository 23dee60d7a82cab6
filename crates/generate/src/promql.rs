//! The words of PromQL that rules are put together from: levels, windows, numbers.
//!
//! A rule's name is `level:metric:operations`. The level is what is left after adding up: `job`, or
//! the dimensions of the KPI; labels that nobody here knows of (a cluster) always stay.

use catalogue::plan::Kpi;
use events::Span;

/// How far a number is added up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Over all dimensions.
    All,
    /// By all dimensions of the KPI.
    Part,
}

impl Level {
    /// Those that a KPI has: one without dimensions has no parts.
    pub fn of(kpi: &Kpi) -> &'static [Level] {
        if kpi.by.is_empty() {
            &[Level::All]
        } else {
            &[Level::All, Level::Part]
        }
    }

    /// The first part of a rule's name: `job`, `region_channel`.
    pub fn prefix(self, kpi: &Kpi) -> String {
        match self {
            Level::All => "job".to_owned(),
            Level::Part => dimensions(kpi).join("_"),
        }
    }

    /// The value of an alert's label `level`.
    pub fn label(self) -> &'static str {
        match self {
            Level::All => "all",
            Level::Part => "part",
        }
    }

    /// The dimensions that are still there.
    pub fn left(self, kpi: &Kpi) -> Vec<&str> {
        match self {
            Level::All => Vec::new(),
            Level::Part => dimensions(kpi),
        }
    }

    /// The labels to add up over: `partition`, `more`, and the dimensions that go.
    pub fn without(self, kpi: &Kpi, more: &[&str]) -> String {
        let gone = match self {
            Level::All => dimensions(kpi),
            Level::Part => Vec::new(),
        };
        let labels = ["partition"].iter().chain(more).chain(&gone);
        labels.copied().collect::<Vec<_>>().join(", ")
    }
}

/// The labels of a KPI's dimensions.
pub fn dimensions(kpi: &Kpi) -> Vec<&str> {
    kpi.by.iter().map(|dimension| &dimension.name[..]).collect()
}

/// A label matcher `name="value"`.
pub fn is(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", escaped(value))
}

/// A matcher of any of the values.
pub fn is_any(name: &str, values: &[&str]) -> String {
    match values {
        [one] => is(name, one),
        _ => {
            let values: Vec<String> = values.iter().map(|value| verbatim(value)).collect();
            format!("{name}=~\"{}\"", values.join("|"))
        }
    }
}

/// A matcher of anything but the values.
pub fn is_none(name: &str, values: &[&str]) -> String {
    let any = is_any(name, values);
    let rest = any.strip_prefix(name).unwrap_or(&any);
    // `="a"` becomes `!="a"`, and `=~"a|b"` becomes `!~"a|b"`.
    match rest.strip_prefix("=~") {
        Some(values) => format!("{name}!~{values}"),
        None => format!("{name}!{rest}"),
    }
}

/// A regular expression that matches just this text, without a backslash.
fn verbatim(text: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | ':');
    let letter = |c: char| match c {
        c if legal(c) || !c.is_ascii() => c.to_string(),
        '^' => "\\\\^".to_owned(),
        '\\' => "\\\\\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        c => format!("[{c}]"),
    };
    text.chars().map(letter).collect()
}

/// Text inside double quotes.
pub fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The name of what a counter counts: without `_total`.
pub fn base(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// Per partition, whichever instance shows more: `partition:shop_x_total:max`.
pub fn partition_max(name: &str) -> String {
    format!("partition:{name}:max")
}

/// `job:shop_x:increase5m`.
pub fn increase(prefix: &str, name: &str, window: Span) -> String {
    format!("{prefix}:{}:increase{window}", base(name))
}

/// `job:shop_x_open:sum`.
pub fn sum(prefix: &str, name: &str) -> String {
    format!("{prefix}:{name}:sum")
}

/// A number as PromQL and people read it: without float noise (`1 - 0.95` is 0.05), at most nine
/// digits behind the point.
pub fn number(value: f64) -> String {
    let text = format!("{value:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Minutes.
pub const fn minutes(count: i64) -> Span {
    Span::from_seconds(60 * count)
}

/// Hours.
pub const fn hours(count: i64) -> Span {
    minutes(60 * count)
}

/// Days.
pub const fn days(count: i64) -> Span {
    hours(24 * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_float_noise() {
        assert_eq!(number(1.0 - 0.95), "0.05");
        assert_eq!(number(14.4 * (1.0 - 0.999)), "0.0144");
        assert_eq!(number(20.0), "20");
        assert_eq!(number(0.0), "0");
    }

    #[test]
    fn several_values_are_matched_word_for_word() {
        assert_eq!(is_any("type", &["a.b"]), "type=\"a.b\"");
        assert_eq!(is_any("type", &["a.b", "c|d"]), "type=~\"a[.]b|c[|]d\"");
        assert_eq!(is_none("type", &["a.b"]), "type!=\"a.b\"");
        assert_eq!(is_none("type", &["a", "b"]), "type!~\"a|b\"");
        assert_eq!(is("type", "a\"b\\"), "type=\"a\\\"b\\\\\"");
    }
}
