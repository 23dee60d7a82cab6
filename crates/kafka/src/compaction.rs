//! Is an input topic compacted? Then Kafka removes events, and nothing counted from it is exact:
//! `kept check --broker` and `kept run` refuse it in the same words.
//!
//! The settings of topics are another right than reading them, so a broker may keep them to itself:
//! that is an answer of its own.

use std::time::Duration;

use catalogue::plan::Plan;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use crate::ask::Unanswered;
use crate::settings::{Settings, client_config};
use crate::wait::block_on;

/// A topic's settings, or why the broker doesn't tell them.
pub(crate) type TopicSettings = Result<ConfigResource, RDKafkaErrorCode>;

/// What could be learnt about the input topics.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Compaction {
    /// One message for each compacted topic: what is wrong and what to do.
    pub compacted: Vec<String>,
    /// One message for each topic whose settings the broker keeps to itself.
    pub unknown: Vec<String>,
    /// Some topic is not there yet: ask again later.
    pub is_incomplete: bool,
}

/// Asks the broker once about all input topics; it may take so long.
pub fn compaction(
    settings: &Settings,
    plan: &Plan,
    patience: Duration,
) -> Result<Compaction, Unanswered> {
    let names: Vec<&str> = plan
        .topics
        .iter()
        .map(|topic| topic.name.as_str())
        .collect();
    let mut found = Compaction::default();
    for (name, answer) in names.iter().zip(describe(settings, &names, patience)?) {
        let policy = answer.map(|resource| value(&resource, "cleanup.policy"));
        found.judge(name, policy.as_ref().map(Option::as_deref));
    }
    Ok(found)
}

impl Compaction {
    fn judge(&mut self, topic: &str, policy: Result<Option<&str>, &RDKafkaErrorCode>) {
        match policy {
            Ok(policy) => self.compacted.extend(refusal(topic, policy)),
            Err(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => self.is_incomplete = true,
            Err(code) => self.unknown.push(unreadable(topic, *code)),
        }
    }
}

/// The settings of these topics, in their order.
pub(crate) fn describe(
    settings: &Settings,
    topics: &[&str],
    patience: Duration,
) -> KafkaResult<Vec<TopicSettings>> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let admin: AdminClient<DefaultClientContext> = client_config(settings).create()?;
    let asked: Vec<_> = topics
        .iter()
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(patience));
    block_on(admin.describe_configs(&asked, &options))
}

/// One of a topic's settings.
pub(crate) fn value(resource: &ConfigResource, key: &str) -> Option<String> {
    resource.get(key).and_then(|entry| entry.value.clone())
}

/// Why a topic with this cleanup policy must not be read, if so.
pub(crate) fn refusal(topic: &str, policy: Option<&str>) -> Option<String> {
    let is_compacted = policy.is_some_and(|policy| policy.contains("compact"));
    is_compacted.then(|| {
        format!(
            "topic \"{topic}\" is compacted: Kafka removes its events, so nothing counted from it \
             is exact; set cleanup.policy=delete"
        )
    })
}

/// Says that the broker doesn't tell.
pub(crate) fn unreadable(topic: &str, code: RDKafkaErrorCode) -> String {
    format!("the settings of topic \"{topic}\" can't be read: {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compacted_is_refused_and_what_is_not_told_is_said() {
        let mut found = Compaction::default();
        found.judge("kept", Ok(Some("delete")));
        found.judge("untold", Ok(None));
        assert_eq!(found, Compaction::default());
        found.judge("both", Ok(Some("compact,delete")));
        found.judge("secret", Err(&RDKafkaErrorCode::TopicAuthorizationFailed));
        assert!(found.compacted[0].contains("\"both\" is compacted"));
        assert!(found.unknown[0].contains("\"secret\" can't be read"));
        assert!(!found.is_incomplete);
        found.judge("later", Err(&RDKafkaErrorCode::UnknownTopicOrPartition));
        assert!(found.is_incomplete);
        assert_eq!((found.compacted.len(), found.unknown.len()), (1, 1));
    }
}
