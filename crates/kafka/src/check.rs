//! `kept check --broker`: is this Kafka fit for this plan? Everything that isn't, at once.
//!
//! Topics exist, joined ones have equal partition counts, no input is compacted, records are
//! stamped by the broker, and no entity straddles partitions in a sample of the newest records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalogue::plan::{Plan, TopicId};
use events::shown;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::ask::{Asker, Unanswered, ask, asker};
use crate::compaction::{describe, refusal, unreadable, value};
use crate::settings::{Settings, consumer_config};
use crate::topics::{missing, partition_counts, unequal_counts};

/// How long the broker may take for each question.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Records looked at per partition.
const SAMPLE: i64 = 500;
/// How long the sample may take.
const SAMPLE_TIME: Duration = Duration::from_secs(10);
/// Straddling entities named per topic and field.
const NAMED: usize = 3;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// It runs, but something will be missing or wrong.
    Warning,
    /// It must not run like this.
    Error,
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What, and what to do.
    pub message: String,
}

/// Finds the entity keys of a record: the field's name and the key's text, into the vector.
/// Decoding is the caller's: this crate does not know what an event is.
pub type Keys<'k> = &'k mut dyn FnMut(TopicId, &events::Record<'_>, &mut Vec<(String, String)>);

/// What a broker is like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// All findings, errors first.
    pub findings: Vec<Finding>,
    /// The number of partitions, by `TopicId`; `None`: there is no such topic, or nobody answered.
    pub partitions: Vec<Option<usize>>,
}

/// Looks at everything. `keys` tells which entities a sampled record is about.
pub fn check_broker(settings: &Settings, plan: &Plan, keys: Keys<'_>) -> Checked {
    let mut findings = Vec::new();
    let mut partitions = vec![None; plan.topics.len()];
    if let Err(error) = check_all(settings, plan, keys, &mut partitions, &mut findings) {
        let message = format!("asking Kafka at {}: {error}", settings.brokers);
        findings.push(Finding {
            level: Level::Error,
            message,
        });
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    Checked {
        findings,
        partitions,
    }
}

fn check_all(
    settings: &Settings,
    plan: &Plan,
    keys: Keys<'_>,
    partitions: &mut Vec<Option<usize>>,
    findings: &mut Vec<Finding>,
) -> Result<(), Unanswered> {
    let consumer = asker(&check_config(settings))?;
    let counts = ask(&consumer, |patience| {
        partition_counts(&consumer, plan, patience)
    })?;
    partitions.clone_from(&counts);
    let error = |message| Finding {
        level: Level::Error,
        message,
    };
    findings.extend(
        missing(plan, &counts, &settings.brokers)
            .into_iter()
            .map(error),
    );
    findings.extend(unequal_counts(plan, &counts).into_iter().map(error));
    check_dead_letters(&consumer, settings, findings)?;
    check_settings(settings, plan, &counts, findings)?;
    for (id, count) in (0_u16..).map(TopicId).zip(&counts) {
        if let Some(count) = *count {
            check_straddling(&consumer, plan, id, count, keys, findings)?;
        }
    }
    Ok(())
}

fn check_dead_letters(
    consumer: &Asker,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> KafkaResult<()> {
    let missing = missing_dead_letters(consumer, settings, TIMEOUT)?;
    findings.extend(missing.map(|message| Finding {
        level: Level::Warning,
        message,
    }));
    Ok(())
}

/// What to say of a dead-letter topic that does not exist; `None`: it does, or none is configured.
/// The broker may take so long.
pub fn dead_letters(settings: &Settings, patience: Duration) -> Result<Option<String>, Unanswered> {
    if settings.dead_letter_topic.is_none() {
        return Ok(None);
    }
    let consumer = asker(&check_config(settings))?;
    Ok(missing_dead_letters(&consumer, settings, patience)?)
}

fn missing_dead_letters(
    consumer: &Asker,
    settings: &Settings,
    patience: Duration,
) -> KafkaResult<Option<String>> {
    let Some(topic) = &settings.dead_letter_topic else {
        return Ok(None);
    };
    let metadata = consumer.fetch_metadata(Some(topic), patience)?;
    let mut found = metadata.topics().iter();
    let is_missing = found.all(|topic| topic.partitions().is_empty());
    Ok(is_missing.then(|| {
        format!(
            "dead-letter topic \"{topic}\" does not exist on {}: rejected records are lost",
            settings.brokers
        )
    }))
}

/// Sampling needs a group's name for the client, but joins none.
fn check_config(settings: &Settings) -> ClientConfig {
    let mut config = consumer_config(settings, 0);
    config.set("group.id", format!("{}-check", settings.group));
    config.remove("group.instance.id");
    config
}

fn check_settings(
    settings: &Settings,
    plan: &Plan,
    counts: &[Option<usize>],
    findings: &mut Vec<Finding>,
) -> KafkaResult<()> {
    let there = plan
        .topics
        .iter()
        .zip(counts)
        .filter(|(_, count)| count.is_some());
    let names: Vec<&str> = there.map(|(topic, _)| topic.name.as_str()).collect();
    for (name, answer) in names.iter().zip(describe(settings, &names, TIMEOUT)?) {
        match answer {
            Err(code) => findings.push(Finding {
                level: Level::Warning,
                message: unreadable(name, code),
            }),
            Ok(resource) => {
                let cleanup = value(&resource, "cleanup.policy");
                let stamped = value(&resource, "message.timestamp.type");
                findings.extend(judge_settings(name, cleanup.as_deref(), stamped.as_deref()));
            }
        }
    }
    Ok(())
}

/// What a topic's settings mean for exactness.
fn judge_settings(topic: &str, cleanup: Option<&str>, stamped: Option<&str>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = refusal(topic, cleanup)
        .map(|message| Finding {
            level: Level::Error,
            message,
        })
        .into_iter()
        .collect();
    if stamped == Some("CreateTime") {
        findings.push(Finding {
            level: Level::Warning,
            message: format!(
                "topic \"{topic}\" is stamped by its producers: a wrong clock there can hide a \
                 wrong event time; set message.timestamp.type=LogAppendTime"
            ),
        });
    }
    findings
}

fn check_straddling(
    consumer: &Asker,
    plan: &Plan,
    topic: TopicId,
    count: usize,
    keys: Keys<'_>,
    findings: &mut Vec<Finding>,
) -> KafkaResult<()> {
    let name = &plan.topics[usize::from(topic.0)].name;
    let mut seen: BTreeMap<(String, String), (i32, bool)> = BTreeMap::new();
    let mut found = Vec::new();
    sample(
        consumer,
        name,
        i32::try_from(count).unwrap_or(i32::MAX),
        |partition, record| {
            keys(topic, record, &mut found);
            for key in found.drain(..) {
                let first = seen.entry(key).or_insert((partition, false));
                first.1 |= first.0 != partition;
            }
        },
    )?;
    let mut by_field: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for ((field, key), _) in seen.iter().filter(|(_, first)| first.1) {
        by_field.entry(field).or_default().push(key);
    }
    for (field, keys) in by_field {
        let examples = keys.iter().take(NAMED).map(|key| shown(key));
        let examples = examples.collect::<Vec<String>>().join(", ");
        findings.push(Finding {
            level: Level::Warning,
            message: format!(
                "topic \"{name}\": {} values of {field} were seen in more than one partition (such \
                 as {examples}): key the records so that what belongs together is together",
                keys.len()
            ),
        });
    }
    Ok(())
}

/// Reads the newest records of every partition.
fn sample(
    consumer: &Asker,
    topic: &str,
    count: i32,
    mut each: impl FnMut(i32, &events::Record<'_>),
) -> KafkaResult<()> {
    let mut from = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..count {
        let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT)?;
        let start = low.max(high - SAMPLE);
        left += high - start;
        from.add_partition_offset(topic, partition, Offset::Offset(start))?;
    }
    consumer.assign(&from)?;
    let deadline = Instant::now() + SAMPLE_TIME;
    // Control records count as records here: the ends of the partitions end the sample then.
    let mut ends = 0;
    while left > 0 && ends < count && Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(_)) => ends += 1,
            Some(Ok(message)) => {
                left -= 1;
                let headers: Vec<(&str, Option<&[u8]>)> = match message.headers() {
                    None => Vec::new(),
                    Some(all) => all
                        .iter()
                        .map(|header| (header.key, header.value))
                        .collect(),
                };
                let record = events::Record {
                    timestamp: message
                        .timestamp()
                        .to_millis()
                        .map(events::KafkaTime::from_millis),
                    key: message.key(),
                    value: message.payload(),
                    headers: &headers,
                };
                each(message.partition(), &record);
            }
        }
    }
    consumer.unassign()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compaction_is_an_error_and_producers_stamps_a_warning() {
        let judge = |cleanup, stamped| -> Vec<Level> {
            let findings = judge_settings("t", Some(cleanup), Some(stamped));
            findings.into_iter().map(|finding| finding.level).collect()
        };
        assert_eq!(judge("delete", "LogAppendTime"), []);
        assert_eq!(judge("compact,delete", "LogAppendTime"), [Level::Error]);
        assert_eq!(judge("delete", "CreateTime"), [Level::Warning]);
    }
}
