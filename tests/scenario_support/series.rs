//! Series in the text format, and what a scenario expects of one.

use std::collections::BTreeMap;
use std::fmt;

use super::times;

/// A name and labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// The metric's name with its suffix (`_total`, `_bucket`, ...).
    pub name: String,
    /// Label values by name, unescaped.
    pub labels: BTreeMap<String, String>,
}

/// A line of an exposition.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its series.
    pub series: Series,
    /// Its value as written.
    pub value: String,
    /// All of it.
    pub text: String,
}

/// What is expected of the one series that has these labels and maybe more.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the scenario says so.
    pub line: usize,
    /// How it says so.
    pub text: String,
    /// The name and the labels that must be there.
    pub series: Series,
    /// The value.
    pub value: WantedValue,
}

/// The value that a line expects.
#[derive(Clone, PartialEq, Debug)]
pub enum WantedValue {
    /// No series fits.
    Absent,
    /// This number, without zeros that change nothing.
    Exactly(String),
    /// A number that differs by at most this share of `value`.
    About {
        /// The middle.
        value: f64,
        /// 0.03 for 3 %.
        share: f64,
    },
}

impl Series {
    /// Reads `name{label="value",...}` and gives back what follows.
    pub fn parse(text: &str) -> Result<(Series, &str), String> {
        let end = text
            .find(['{', ' '])
            .ok_or(format!("`{text}` has no value"))?;
        let (name, rest) = text.split_at(end);
        let mut labels = BTreeMap::new();
        let Some(mut rest) = rest.strip_prefix('{') else {
            return Ok((
                Series {
                    name: name.to_owned(),
                    labels,
                },
                rest,
            ));
        };
        while !rest.starts_with('}') {
            let (label, after) = rest
                .split_once("=\"")
                .ok_or(format!("bad labels in `{text}`"))?;
            let (value, after) = quoted(after).ok_or(format!("bad labels in `{text}`"))?;
            labels.insert(label.trim().to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
            if rest.is_empty() {
                return Err(format!("`{text}` has no closing brace"));
            }
        }
        Ok((
            Series {
                name: name.to_owned(),
                labels,
            },
            &rest[1..],
        ))
    }

    /// Whether it has this name and at least these labels.
    pub fn fits(&self, wanted: &Series) -> bool {
        let has = |(label, value): (&String, &String)| self.labels.get(label) == Some(value);
        self.name == wanted.name && wanted.labels.iter().all(has)
    }
}

impl Line {
    /// All series of a text.
    pub fn all(text: &str) -> Vec<Line> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|text| {
                let (series, value) = Series::parse(text).expect("the exposition is well-formed");
                Line {
                    series,
                    value: value.trim().to_owned(),
                    text: text.to_owned(),
                }
            })
            .collect()
    }
}

impl Wanted {
    /// Reads `series value`, `series value +-3%` or `series absent`; a value may be `@10:00:00`.
    pub fn parse(line: usize, text: &str) -> Result<Wanted, String> {
        let (series, rest) = Series::parse(text)?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let value = match words[..] {
            ["absent"] => WantedValue::Absent,
            [value] => match value.strip_prefix('@') {
                Some(time) => WantedValue::Exactly(times::time(time)?.seconds().to_string()),
                None => WantedValue::Exactly(number(value)?),
            },
            [value, tolerance] => {
                let percent = tolerance
                    .strip_prefix("+-")
                    .and_then(|t| t.strip_suffix('%'));
                let percent = percent.and_then(|percent| percent.parse::<f64>().ok());
                let share = percent.ok_or(format!("`{tolerance}` is not like +-3%"))? / 100.0;
                let value = value
                    .parse()
                    .map_err(|_| format!("`{value}` is not a number"))?;
                WantedValue::About { value, share }
            }
            _ => return Err(format!("`{text}` is not a series and a value")),
        };
        Ok(Wanted {
            line,
            text: words_of(text),
            series,
            value,
        })
    }

    /// What is wrong with what was found, if anything.
    pub fn differs(&self, found: &[Line]) -> Option<String> {
        let fitting: Vec<&Line> = found
            .iter()
            .filter(|line| line.series.fits(&self.series))
            .collect();
        match (&fitting[..], &self.value) {
            ([], WantedValue::Absent) => None,
            ([], _) => Some("no such series".to_owned()),
            ([one], value) if value.accepts(&one.value) => None,
            ([one], _) => Some(one.value.clone()),
            (several, _) => Some(format!("{} series that fit", several.len())),
        }
    }
}

impl WantedValue {
    fn accepts(&self, found: &str) -> bool {
        match self {
            WantedValue::Absent => false,
            WantedValue::Exactly(value) => number(found).as_ref() == Ok(value),
            WantedValue::About { value, share } => found
                .parse::<f64>()
                .is_ok_and(|found| (found - value).abs() <= value.abs() * share),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A number without the zeros that change nothing: exact, unlike a float.
fn number(text: &str) -> Result<String, String> {
    text.parse::<f64>()
        .map_err(|_| format!("`{text}` is not a number"))?;
    Ok(match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    })
}

/// The text up to the closing quote, unescaped, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
