//! The two closed sets of values between a worker's logic and the world.

use std::sync::Arc;

use catalogue::plan::TopicId;
use engine::View;
use events::{Record, Reject, WallTime};

/// A partition given to this worker, and the offset it reads from (already resolved to a number).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Which topic.
    pub topic: TopicId,
    /// Which partition.
    pub partition: i32,
    /// The first offset that will be delivered, or the next one to come if there is none yet.
    pub start: i64,
}

/// What can happen to a worker.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The group gave these partitions, in addition to what is owned already.
    Assigned(&'a [Assignment]),
    /// All partitions were taken away (the eager protocol takes all).
    Revoked,
    /// A record was delivered. Offsets of a partition ascend, with gaps.
    Record {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// The record itself.
        record: Record<'a>,
    },
    /// The consumer stands at `offset` and nothing more is there: control records have no delivery.
    ReachedEnd {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
        /// The next offset that the consumer will fetch.
        offset: i64,
    },
    /// The broker said where the partition ends (last stable offset). Asked for each second.
    EndObserved {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
        /// The first offset that isn't there yet.
        end: i64,
        /// When the question was sent.
        at: WallTime,
    },
    /// Time passed: about every 100 ms, and after each batch.
    Tick {
        /// Now.
        now: WallTime,
    },
}

/// What a worker wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Show this view in place of the task's last one.
    Publish(Arc<View>),
    /// Stop showing the task's view.
    Withdraw {
        /// Index into `Plan::groups`.
        group: usize,
        /// The task's partition.
        partition: i32,
    },
    /// The record just delivered can't be an event: count and log it, send it to the dead-letter
    /// topic. Only ever an answer to `Input::Record`, while the shell still holds the record.
    Reject(Reject),
    /// Stop delivering this partition for now: it is too far ahead of the others of its task.
    Pause {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
    },
    /// Deliver this partition again.
    Resume {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
    },
}
