//! Where the objects of a task lie. Two tasks never share a folder; the same task has the same
//! folder in every process, whatever its catalogue says.

use engine::snapshot::SectionRef;
use pipeline::name::{EarlierName, SnapshotName};

/// How the name of a snapshot's head ends.
pub(crate) const HEAD_SUFFIX: &str = ".kept";
/// The folder of a task's sections, inside the task's own.
pub(crate) const SECTIONS: &str = "sections";

/// Which task: its input topics in the plan's order, and the partition of each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskFolder {
    /// Names of topics; never empty.
    pub topics: Vec<String>,
    /// The partition of each of them.
    pub partition: i32,
}

impl TaskFolder {
    /// `topic+topic/partition`. Kafka's names have no `+` and no `/`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.topics.join("+"), self.partition)
    }

    /// Whether they are of different topics, but not of all different ones.
    pub(crate) fn is_related(&self, topics: &[String]) -> bool {
        let shared = topics.iter().any(|topic| self.topics.contains(topic));
        shared && self.topics != topics
    }

    /// The task, of the same partition, that a snapshot of another task is of, and its name there.
    pub(crate) fn of_earlier(&self, name: &str) -> Option<(TaskFolder, SnapshotName)> {
        let EarlierName { topics, name } = EarlierName::parse(name)?;
        let partition = self.partition;
        self.is_related(&topics)
            .then_some((TaskFolder { topics, partition }, name))
    }

    /// What `path` made.
    pub(crate) fn parse(topics: &str, partition: &str) -> Option<TaskFolder> {
        Some(TaskFolder {
            topics: topics.split('+').map(str::to_owned).collect(),
            partition: partition.parse().ok()?,
        })
    }
}

/// The name of a section's object.
pub(crate) fn section_name(section: &SectionRef) -> String {
    format!("{:032x}", section.hash)
}

/// A folder's name for any text: what isn't a letter, a digit, `.`, `_` or `-` is percent-encoded,
/// and so are the dots of a name that is nothing else.
pub(crate) fn encoded(text: &str) -> String {
    let only_dots = text.bytes().all(|byte| byte == b'.');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) || byte == b'.' && !only_dots {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_back_as_it_was_written() {
        let folder = TaskFolder {
            topics: vec!["shop.orders".to_owned(), "shop.ends".to_owned()],
            partition: 12,
        };
        assert_eq!(folder.path(), "shop.orders+shop.ends/12");
        let parsed = TaskFolder::parse("shop.orders+shop.ends", "12");
        assert_eq!(parsed, Some(folder));
        assert_eq!(TaskFolder::parse("shop.orders", "sections"), None);
    }

    #[test]
    fn tasks_are_related_that_share_a_topic_and_not_all() {
        let of = |topics: &str| TaskFolder::parse(topics, "3").expect("a folder");
        let joined = of("orders+ends");
        let related = [
            "orders",
            "ends",
            "ends+orders",
            "orders+other",
            "other",
            "orders+ends",
        ];
        let related = related.map(|topics| joined.is_related(&of(topics).topics));
        assert_eq!(related, [true, true, true, true, false, false]);
    }

    #[test]
    fn a_snapshot_of_a_related_task_is_found_in_its_folder() {
        let of = |topics: &str| TaskFolder::parse(topics, "3").expect("a folder");
        let joined = of("orders+ends");
        let one = "0000000000000001-0000000000000002-00000000000000000003.kept";
        let two =
            "0000000000000001-0000000000000002-00000000000000000003.00000000000000000004.kept";
        let (task, name) = joined
            .of_earlier(&format!("orders/{one}"))
            .expect("a related task");
        assert_eq!((task, name.to_string()), (of("orders"), one.to_owned()));
        for other in [
            two,
            &format!("other/{one}"),
            &format!("orders+ends/{two}"),
            "orders/one.kept",
        ] {
            assert_eq!(joined.of_earlier(other), None, "{other}");
        }
    }

    #[test]
    fn no_group_leaves_its_folder() {
        let encoded = ["kept", "..", ".", "a/b", "50%", "a b"].map(encoded);
        let expected = ["kept", "%2E%2E", "%2E", "a%2Fb", "50%25", "a%20b"];
        assert_eq!(encoded, expected);
    }
}
