//! Questions and orders about topics and groups, for the commands that are not the service: does a topic
//! exist, what does it hold, create it, delete it.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

pub use crate::ask::Unanswered;
use crate::ask::{Asker, ask, asker};
use crate::context::classify;
use crate::metrics::Trouble;
use crate::settings::{Settings, client_config};
use crate::wait::block_on;

/// How long the broker may take to carry out an order.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks whether a deleted topic is gone, or a group's coordinator there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What came of the order to delete a consumer group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupDeletion {
    /// It and its committed offsets are gone.
    Done,
    /// There was none.
    NoSuchGroup,
    /// Somebody is in it: nothing was deleted.
    HasMembers,
}

/// What a broker knows about topics and groups.
pub struct Admin {
    settings: Settings,
    asker: Asker,
}

impl Admin {
    /// Connects lazily: an unreachable broker shows as the first question's error.
    pub fn new(settings: &Settings) -> KafkaResult<Admin> {
        Ok(Admin {
            settings: settings.clone(),
            asker: asker(&client_config(settings))?,
        })
    }

    /// The number of partitions; `None`: there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>, Unanswered> {
        let metadata = ask(&self.asker, |patience| {
            self.asker.fetch_metadata(Some(topic), patience)
        })?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(Into::into) {
            None => {
                let count = i32::try_from(found.partitions().len()).unwrap_or(i32::MAX);
                Ok((count > 0).then_some(count))
            }
            Some(code) if classify(Some(code)) == Trouble::TopicMissing => Ok(None),
            Some(code) => Err(KafkaError::MetadataFetch(code).into()),
        }
    }

    /// How many offsets a topic holds, over all its partitions; `None`: there is no such topic.
    pub fn records(&self, topic: &str) -> Result<Option<u64>, Unanswered> {
        let Some(partitions) = self.partitions(topic)? else {
            return Ok(None);
        };
        let mut sum = 0;
        for partition in 0..partitions {
            let (low, high) = ask(&self.asker, |patience| {
                self.asker.fetch_watermarks(topic, partition, patience)
            })?;
            sum += u64::try_from(high - low).unwrap_or(0);
        }
        Ok(Some(sum))
    }

    /// Creates a topic with the broker's default replication and these settings of Kafka's topics;
    /// one that exists already is fine, whatever its settings.
    pub fn create(
        &self,
        topic: &str,
        partitions: i32,
        config: &[(&str, &str)],
    ) -> Result<(), Unanswered> {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        for (key, value) in config {
            new = new.set(key, value);
        }
        for result in block_on(self.client()?.create_topics([&new], &options()))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
            }
        }
        Ok(())
    }

    /// Deletes a topic and waits until the broker knows nothing of it.
    pub fn delete(&self, topic: &str) -> Result<(), Unanswered> {
        for result in block_on(self.client()?.delete_topics(&[topic], &options()))? {
            result.map_err(|(_, code)| KafkaError::AdminOp(code))?;
        }
        let deadline = Instant::now() + PATIENCE;
        while self.partitions(topic)?.is_some() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// How many members a consumer group has; none if there is no such group.
    pub fn members(&self, group: &str) -> Result<usize, Unanswered> {
        let found = ask(&self.asker, |patience| {
            self.asker.fetch_group_list(Some(group), patience)
        })?;
        let groups = found.groups().iter().filter(|one| one.name() == group);
        Ok(groups.map(|one| one.members().len()).sum())
    }

    /// Deletes a consumer group with its committed offsets. A coordinator that is still being found
    /// or reads its log is waited for.
    pub fn delete_group(&self, group: &str) -> Result<GroupDeletion, Unanswered> {
        let client = self.client()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let results = block_on(client.delete_groups(&[group], &options()))?;
            let code = results.into_iter().find_map(|result| Some(result.err()?.1));
            match code {
                None => return Ok(GroupDeletion::Done),
                Some(RDKafkaErrorCode::GroupIdNotFound) => return Ok(GroupDeletion::NoSuchGroup),
                Some(RDKafkaErrorCode::NonEmptyGroup) => return Ok(GroupDeletion::HasMembers),
                Some(
                    RDKafkaErrorCode::CoordinatorLoadInProgress
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::NotCoordinator,
                ) if Instant::now() < deadline => std::thread::sleep(LOOK_EVERY),
                Some(code) => return Err(KafkaError::AdminOp(code).into()),
            }
        }
    }

    fn client(&self) -> KafkaResult<AdminClient<DefaultClientContext>> {
        client_config(&self.settings).create()
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE))
}
