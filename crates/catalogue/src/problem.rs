//! What is wrong with the configuration, where, and how to mend it; all problems are gathered.
//!
//! A problem never stops the reading: a placeholder takes the bad value's place, and the result is
//! thrown away at the end. So a user sees everything that is wrong at once.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The file, or `environment variable NAME`.
    pub path: String,
    /// Counted from 1; 0 when there is no line.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Where a key or a value was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub path: Arc<str>,
    pub line: u32,
    pub column: u32,
}

/// The problems so far. Shared by all readers of one run; nothing leaves it but the whole list.
#[derive(Default, Debug)]
pub(crate) struct Problems {
    list: RefCell<Vec<Problem>>,
    /// A table's header is broken: what stands below it is taken for another table's.
    is_misread: Cell<bool>,
}

/// How messages about the syntax begin.
const SYNTAX: &str = "not valid TOML: ";

impl Problems {
    pub fn add(&self, place: &Place, message: impl Into<String>) {
        self.list.borrow_mut().push(Problem {
            path: place.path.to_string(),
            line: place.line,
            column: place.column,
            message: message.into(),
        });
    }

    /// It is not TOML. After a broken header only that is reported: the rest would be about keys
    /// that are where they should be.
    pub fn add_syntax(&self, place: &Place, message: &str, in_header: bool) {
        self.add(place, format!("{SYNTAX}{message}"));
        self.is_misread.set(self.is_misread.get() || in_header);
    }

    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// All of them: sources in the order in which they were first complained of, then by position.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut list = self.list.into_inner();
        if self.is_misread.get() {
            list.retain(|problem| problem.message.starts_with(SYNTAX));
        }
        let mut paths: Vec<String> = Vec::new();
        for problem in &list {
            if !paths.contains(&problem.path) {
                paths.push(problem.path.clone());
            }
        }
        let rank = |problem: &Problem| paths.iter().position(|path| *path == problem.path);
        list.sort_by_key(|problem| (rank(problem), problem.line, problem.column));
        list.dedup();
        list
    }
}

/// `, did you mean "x"?` for the nearest of the valid names, else the names themselves.
pub(crate) fn suggestion(written: &str, valid: &[&str]) -> String {
    match meant(written, valid) {
        Some(name) => format!(", did you mean \"{name}\"?"),
        None if valid.is_empty() => String::new(),
        None => format!(", valid here: {}", valid.join(", ")),
    }
}

/// The valid name that was probably meant.
pub(crate) fn meant<'a>(written: &str, valid: &[&'a str]) -> Option<&'a str> {
    nearest(written, valid, written.chars().count() / 3 + 1)
}

/// The valid name that is at most so many edits away; of equally near ones the first by alphabet.
pub(crate) fn nearest<'a>(written: &str, valid: &[&'a str], most: usize) -> Option<&'a str> {
    let near = valid
        .iter()
        .map(|name| (edit_distance(written, name), *name))
        .min();
    near.filter(|(distance, _)| *distance <= most)
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other
/// (optimal string alignment).
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replace = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_swaps() {
        assert_eq!(edit_distance("lateness", "lateness"), 0);
        assert_eq!(edit_distance("latenes", "lateness"), 1);
        assert_eq!(edit_distance("gruop", "group"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_far_off_name_gets_the_list_instead_of_a_guess() {
        assert_eq!(
            suggestion("latenes", &["dedupe", "lateness"]),
            ", did you mean \"lateness\"?"
        );
        assert_eq!(
            suggestion("zzzzzz", &["dedupe", "lateness"]),
            ", valid here: dedupe, lateness"
        );
    }
}
