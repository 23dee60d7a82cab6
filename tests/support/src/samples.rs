//! A scrape, taken apart: every sample of the text format by name and labels.

use std::collections::BTreeMap;

/// Name and sorted labels of a sample.
type Series = (String, Vec<(String, String)>);

/// Every sample of one scrape: its value, and the text that stood for it.
#[derive(Clone, Default, Debug)]
pub struct Samples(BTreeMap<Series, (f64, String)>);

impl Samples {
    /// Reads the text format 0.0.4; a line that is not understood fails the test.
    #[track_caller]
    pub fn parse(text: &str) -> Samples {
        let mut samples = BTreeMap::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (series, value) =
                parse_line(line).unwrap_or_else(|| panic!("not a sample: {line}"));
            let before = samples.insert(series, value);
            assert!(before.is_none(), "the series is there twice: {line}");
        }
        Samples(samples)
    }

    /// The value of one series, all of its labels given in any order.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        Some(self.find(name, labels)?.0)
    }

    /// Likewise, as it was written: every digit of a decimal.
    pub fn text(&self, name: &str, labels: &[(&str, &str)]) -> Option<&str> {
        Some(self.find(name, labels)?.1.as_str())
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<&(f64, String)> {
        let mut labels: Vec<(String, String)> = labels
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect();
        labels.sort();
        self.0.get(&(name.to_owned(), labels))
    }

    /// The sum over all series of this name that have at least these labels; `None`: there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self
            .matching(name, labels)
            .map(|(_, value)| value)
            .peekable();
        found.peek()?;
        Some(found.sum())
    }

    /// All series of this name that have at least these labels, with their labels.
    pub fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a [(String, String)], f64)> {
        let has = move |series: &[(String, String)]| {
            let in_series = |label: &(&str, &str)| {
                series
                    .iter()
                    .any(|(key, value)| (key.as_str(), value.as_str()) == *label)
            };
            labels.iter().all(in_series)
        };
        let named = self
            .0
            .iter()
            .filter(move |(series, _)| series.0 == name && has(&series.1));
        named.map(|(series, value)| (series.1.as_slice(), value.0))
    }

    /// All series: name, sorted labels, and the value as it was written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[(String, String)], &str)> {
        let all = self.0.iter();
        all.map(|(series, value)| (series.0.as_str(), series.1.as_slice(), value.1.as_str()))
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn parse_line(line: &str) -> Option<(Series, (f64, String))> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, rest) = match rest.strip_prefix('{') {
        None => (Vec::new(), rest),
        Some(rest) => parse_labels(rest)?,
    };
    let text = rest.split_whitespace().next()?;
    let value = (text.parse().ok()?, text.to_owned());
    Some(((name.to_owned(), labels), value))
}

/// `a="b",c="d"} 1` as labels and what is left after the brace.
fn parse_labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            labels.sort();
            return Some((labels, rest));
        }
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = unescape(after)?;
        labels.push((key.to_owned(), value));
        rest = after;
    }
}

/// A label's value up to its closing quote, and what is left after that.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_in_any_order_and_unescaped() {
        let samples = Samples::parse(
            "# HELP x y\nx_total{b=\"two, }\",a=\"o\\\"n\\\\e\"} 3\nx_total{a=\"z\"} 4 1700\nup NaN\n",
        );
        assert_eq!(
            samples.get("x_total", &[("a", "o\"n\\e"), ("b", "two, }")]),
            Some(3.0)
        );
        assert_eq!(samples.sum("x_total", &[]), Some(7.0));
        assert_eq!(samples.sum("x_total", &[("a", "z")]), Some(4.0));
        assert_eq!(samples.sum("x_total", &[("a", "none")]), None);
        assert!(samples.get("up", &[]).is_some_and(f64::is_nan));
        assert_eq!(samples.text("up", &[]), Some("NaN"));
        assert_eq!(
            samples.iter().map(|(_, _, text)| text).collect::<String>(),
            "NaN34"
        );
    }

    #[test]
    #[should_panic(expected = "twice")]
    fn a_series_that_is_there_twice_is_refused() {
        Samples::parse("x{a=\"1\"} 1\nx{a=\"1\"} 2\n");
    }
}
