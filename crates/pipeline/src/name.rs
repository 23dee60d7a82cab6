//! The name of a snapshot in its task's folder: which plan, which lineage, at which offsets.
//!
//! `<plan>-<lineage>-<offset>[.<offset>...][~].kept`: hexadecimal numbers of 16 digits, decimal
//! offsets of 20, one for each topic of the task's group. One name, one content: but for those with
//! `~`, whose state has hit a limit that it can't be exact beyond (`kept_exact` 0).
//!
//! A snapshot of another task, one of whose topics this task reads now, goes by
//! `<topic>[+<topic>...]/<name>`: Kafka's topics have neither `+` nor `/` in their names.

use std::fmt;

use crate::lineage::{Lineage, parse_hex};

/// See the file's header.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotName {
    /// Fingerprint of the group's plan.
    pub plan: u64,
    /// How the state began.
    pub lineage: Lineage,
    /// The next offset of each topic of the group: V.
    pub offsets: Vec<i64>,
    /// Whether equal names mean equal bytes.
    pub exact: bool,
}

/// A snapshot of a task that had other topics; see the file's header.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EarlierName {
    /// The topics of that task, in its order: one for each offset of the name.
    pub topics: Vec<String>,
    /// The name in that task's folder.
    pub name: SnapshotName,
}

const EXTENSION: &str = ".kept";
const OFFSET_DIGITS: usize = 20;

impl SnapshotName {
    /// Reads one; `None` if it is the name of something else.
    pub fn parse(text: &str) -> Option<SnapshotName> {
        let stem = text.strip_suffix(EXTENSION)?;
        let (stem, exact) = match stem.strip_suffix('~') {
            Some(stem) => (stem, false),
            None => (stem, true),
        };
        let mut parts = stem.split('-');
        let (plan, lineage, offsets) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let offset = |digits: &str| {
            let sound = digits.len() == OFFSET_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
            sound.then(|| digits.parse().ok()).flatten()
        };
        Some(SnapshotName {
            plan: parse_hex(plan)?,
            lineage: Lineage(parse_hex(lineage)?),
            offsets: offsets.split('.').map(offset).collect::<Option<_>>()?,
            exact,
        })
    }
}

impl EarlierName {
    /// Reads one; `None` if it is the name of something else.
    pub fn parse(text: &str) -> Option<EarlierName> {
        let (topics, name) = text.split_once('/')?;
        let topics: Vec<String> = topics.split('+').map(str::to_owned).collect();
        let name = SnapshotName::parse(name)?;
        let whole = topics.len() == name.offsets.len() && topics.iter().all(|it| !it.is_empty());
        whole.then_some(EarlierName { topics, name })
    }

    /// What the store calls it for the task of these topics: by its name alone if it is its own.
    pub(crate) fn for_task(&self, topics: &[String]) -> String {
        match self.topics == topics {
            true => self.name.to_string(),
            false => self.to_string(),
        }
    }

    /// Where it stands on a topic, if it is of a task with that topic.
    pub(crate) fn offset_of(&self, topic: &str) -> Option<i64> {
        let at = self.topics.iter().position(|known| known == topic)?;
        Some(self.name.offsets[at])
    }
}

impl fmt::Display for EarlierName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.topics.join("+"), self.name)
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}-{}-", self.plan, self.lineage)?;
        for (at, offset) in self.offsets.iter().enumerate() {
            let dot = if at > 0 { "." } else { "" };
            write!(out, "{dot}{offset:0OFFSET_DIGITS$}")?;
        }
        let mark = if self.exact { "" } else { "~" };
        write!(out, "{mark}{EXTENSION}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let one = SnapshotName {
            plan: 1,
            lineage: Lineage(2),
            offsets: vec![3],
            exact: true,
        };
        let two = SnapshotName {
            offsets: vec![i64::MAX, 0],
            exact: false,
            ..one.clone()
        };
        let text = "0000000000000001-0000000000000002-00000000000000000003.kept";
        assert_eq!(one.to_string(), text);
        for name in [one, two] {
            assert_eq!(SnapshotName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn a_name_of_another_task_is_read_with_its_topics() {
        let name = "0000000000000001-0000000000000002-00000000000000000003.kept";
        let two =
            "0000000000000001-0000000000000002-00000000000000000003.00000000000000000004.kept";
        for text in [format!("orders/{name}"), format!("orders+ends/{two}")] {
            let earlier = EarlierName::parse(&text).expect("a name");
            assert_eq!(earlier.to_string(), text);
            assert_eq!(SnapshotName::parse(&text), None, "never taken for its own");
        }
        for text in [
            name,
            &format!("orders/{two}"),
            &format!("a+/{two}"),
            "orders/",
        ] {
            assert_eq!(EarlierName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn other_objects_have_other_names() {
        for text in [
            "",
            "sections",
            "0000000000000001-0000000000000002-00000000000000000003",
            "0000000000000001-0000000000000002-3.kept",
            "0000000000000001-0000000000000002-00000000000000000003.kept.tmp",
            "0000000000000001-0000000000000002-99999999999999999999.kept",
            "0000000000000001-0000000000000002-0000000000000000003x.kept",
            "0000000000000001-0000000000000002-.kept",
            "0000000000000001-00000000000000000003.kept",
        ] {
            assert_eq!(SnapshotName::parse(text), None, "{text}");
        }
    }
}
