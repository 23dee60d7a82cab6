//! The two closed sets of values between a worker's logic and the world.
//!
//! A share of the group goes through these hands: `Assigned` -> `LookUp`, `List` -> `LookedUp`,
//! `Listed` -> perhaps `Load` -> `Loaded` -> perhaps `Commit` (a brand-new group's start) ->
//! `Committed` -> `Assign`, after which records flow (tasks that get ready later are added by an
//! `Assign` of their own); about once a second `Commit` -> `Committed`
//! -> `Publish`; now and then `Save` -> `Saved`; at last `Revoked` (or `Stopping`) -> a last
//! `Commit` -> `Release`. Every question has one answer, which may come late or never; answers for
//! a share that is over are dropped here, by their `assignment` or `commit` number.

use std::sync::Arc;

use catalogue::plan::TopicId;
use engine::View;
use engine::snapshot::Snapshot;
use events::{EventTime, Record, Reject, Span, WallTime};

use crate::log_id::LogId;
use crate::resume::Source;

pub use crate::storing::{LoadError, SaveError};

/// A clock for leases: microseconds since some moment; it never goes back and goes on while the
/// process, or the machine, is stopped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LeaseTime(pub i64);

/// Which task: partition p of every topic of a group of the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskId {
    /// Index into `Plan::groups`.
    pub group: usize,
    /// The partition of each of its topics.
    pub partition: i32,
}

/// A partition of this worker's share, and the offset it is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Which topic.
    pub topic: TopicId,
    /// Which partition.
    pub partition: i32,
    /// The first offset that will be delivered, or the next one to come if there is none yet.
    pub start: i64,
}

/// What the brokers know of a partition when it is given to this worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// Which topic.
    pub topic: TopicId,
    /// Which partition.
    pub partition: i32,
    /// What the group has committed, and the note (`crate::note`) that was committed with it.
    pub committed: Option<(i64, String)>,
    /// The first offset that the log still has.
    pub log_start: i64,
    /// The first offset that isn't there yet (last stable offset).
    pub log_end: i64,
    /// What `kafka.start` means now, as a number.
    pub fresh_start: i64,
    /// The first offset stamped at or after (the note's clock, or now without a note) - the
    /// `reach` that `LookUp` asked for.
    pub rebuild_start: i64,
    /// How many partitions the topic has now.
    pub partitions: i32,
    /// Which topic of this name it is now; `None`: not known, which is no evidence of anything. Asked
    /// for before the offsets.
    pub log: Option<LogId>,
}

/// What is committed of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitOffset {
    /// Which topic.
    pub topic: TopicId,
    /// Which partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Committed with it: Kafka calls it metadata.
    pub note: String,
}

/// What can happen to a worker.
#[derive(Debug)]
pub enum Input<'a> {
    /// The group gave exactly these partitions, in place of all before.
    Assigned {
        /// The number of this share; ascends.
        assignment: u64,
        /// By topic and partition.
        partitions: &'a [(TopicId, i32)],
    },
    /// The answer to `LookUp`: every partition of the share. The shell asks again until it has it.
    LookedUp {
        /// The share.
        assignment: u64,
        /// In any order.
        positions: &'a [Position],
    },
    /// The answer to `List`: the names of all snapshots of the task, in any order, and those of
    /// tasks that had some of its topics (`crate::name`).
    Listed {
        /// Which task.
        task: TaskId,
        /// Or why the store doesn't say.
        names: Result<Vec<String>, String>,
    },
    /// The answer to `Load`.
    Loaded {
        /// Which task.
        task: TaskId,
        /// Which snapshot.
        name: String,
        /// All of it.
        snapshot: Result<Snapshot, LoadError>,
    },
    /// All partitions are about to be taken away (the eager protocol takes all): nothing more will
    /// be delivered, but the membership holds until `Release`.
    Revoked,
    /// All partitions were taken away, without asking: the membership is gone already.
    Lost,
    /// The process was asked to stop: as `Revoked`, and what is new is saved.
    Stopping,
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
    /// The brokers said which topic of this name there is now. Asked for every few seconds.
    LogObserved {
        /// Which topic.
        topic: TopicId,
        /// Its id.
        log: LogId,
    },
    /// The consumer can't go on there: the log no longer has the offset it asked for.
    OutOfRange {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
    },
    /// The answer to `Commit`: yes for every partition of it, or why not.
    Committed {
        /// Which commit.
        commit: u64,
        /// Its words.
        result: Result<(), String>,
    },
    /// The answer to `Save`.
    Saved {
        /// Which task.
        task: TaskId,
        /// Which snapshot.
        name: String,
        /// How many bytes were written.
        result: Result<u64, SaveError>,
        /// How long the call of `step` that made the snapshot held the worker up.
        held_up: Span,
    },
    /// Time passed: about every 100 ms, and after each batch.
    Tick {
        /// Now.
        now: WallTime,
        /// Now, for leases.
        at: LeaseTime,
    },
}

/// What a worker wants done.
#[derive(Debug)]
pub enum Effect {
    /// Ask the brokers for the `Position` of every partition of this share.
    LookUp {
        /// The share.
        assignment: u64,
        /// How much history the state is made of, at most.
        reach: Span,
    },
    /// Ask the store which snapshots of the task there are, and of others with some of its topics.
    List {
        /// Which task.
        task: TaskId,
    },
    /// Get a snapshot, all of it.
    Load {
        /// Which task.
        task: TaskId,
        /// As `Listed` gave it.
        name: String,
    },
    /// Begin to deliver these partitions of the share. Others of it may follow: until then nothing
    /// of them is delivered.
    Assign {
        /// The share.
        assignment: u64,
        /// All partitions of some of its tasks, none that is delivered already.
        starts: Vec<Assignment>,
    },
    /// Commit these offsets to the group, without waiting. At most one commit is in flight. What was
    /// rejected before must be in the dead-letter topic first (5 s at most, then it counts as lost).
    Commit {
        /// Its number; ascends.
        commit: u64,
        /// By topic and partition; never empty.
        offsets: Vec<CommitOffset>,
    },
    /// Show these views, each in place of its task's last one; every view that this worker shows
    /// may be shown until `until`.
    Publish {
        /// Perhaps none: then only the lease is renewed.
        views: Vec<Arc<View>>,
        /// On the lease's clock.
        until: LeaseTime,
    },
    /// Stop showing the task's view.
    Withdraw {
        /// Which task.
        task: TaskId,
    },
    /// Give the partitions back: all that can be done before was done.
    Release,
    /// Save a snapshot: its sections, then its head, which makes it one. One at a time for a task.
    Save {
        /// Which task.
        task: TaskId,
        /// The object's name within the task's folder.
        name: String,
        /// What it is.
        snapshot: Snapshot,
    },
    /// The record just delivered can't be an event. Only ever an answer to `Input::Record`, while
    /// the shell still holds the record.
    Reject {
        /// Why.
        reason: Reject,
        /// Whether it was rejected before, in a run before this one: then it is neither logged nor
        /// written to the dead-letter topic again.
        replayed: bool,
    },
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
    /// Begin the share again, without leaving the group: what it stood on is gone. The answer is
    /// `Assigned` with a new number for the same partitions, or `Revoked` or `Lost` if the group is
    /// quicker; what is delivered before is dropped.
    StartOver,
    /// Worth a line in the log and a counter.
    Notice(Notice),
    /// This worker can't go on; what has to be done, in the user's words.
    Fail(String),
}

/// What happens to tasks and is worth telling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A task goes on from memory: it was revoked and given back.
    Kept {
        /// Which task.
        task: TaskId,
    },
    /// A task goes on from a snapshot.
    Restored {
        /// Which task.
        task: TaskId,
        /// From which.
        name: String,
        /// Records to be read again before it is shown.
        replay: u64,
    },
    /// A snapshot of another plan was taken over; these KPIs begin anew.
    Adopted {
        /// Which task.
        task: TaskId,
        /// Ids of KPIs.
        anew: Vec<String>,
    },
    /// A task goes on from snapshots of tasks that had its topics in other company: the catalogue's
    /// joins changed. These KPIs begin anew.
    Carried {
        /// Which task.
        task: TaskId,
        /// The tasks, as `topic+topic/partition`.
        from: Vec<String>,
        /// Records to be read again before it is shown.
        replay: u64,
        /// Ids of KPIs.
        anew: Vec<String>,
    },
    /// Snapshots of tasks that had some of its topics until now can't be gone on from; `TotalsLost`
    /// follows.
    LeftBehind {
        /// Which task.
        task: TaskId,
        /// Those tasks, as `topic+topic/partition`.
        tasks: Vec<String>,
    },
    /// A snapshot can't be used.
    Refused {
        /// Which task.
        task: TaskId,
        /// Which snapshot.
        name: String,
        /// Why.
        reason: String,
    },
    /// No snapshot is left, but the log has everything since the task began: it is rebuilt exactly.
    Rebuilding {
        /// Which task.
        task: TaskId,
        /// How many snapshots the store has of it, or of those that had some of its topics until now;
        /// none of them would do.
        stored: usize,
        /// Records to be read again.
        replay: u64,
    },
    /// Neither a state nor the log reaches what was shown: totals begin at zero.
    TotalsLost {
        /// Which task.
        task: TaskId,
        /// Where windows and open entities come from; from nothing they are rebuilt.
        from: Source,
        /// How many snapshots the store has of it, or of those that had some of its topics until now;
        /// none of them would do.
        stored: usize,
        /// Records to be read again.
        replay: u64,
    },
    /// What is committed carries no note of Kept's: somebody moved the offset by hand.
    ForeignCommit {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
        /// What is committed.
        offset: i64,
        /// The log's end, if that comes before it: it counts in its place.
        end: Option<i64>,
        /// Whether it changes anything: the task begins there, or isn't shown before it is there.
        /// Otherwise its state is further already.
        used: bool,
    },
    /// Records that this state lacks are gone from the log.
    Gap {
        /// Which topic.
        topic: TopicId,
        /// Which partition.
        partition: i32,
        /// How many offsets were never read by anybody: what is counted.
        records: u64,
        /// How many were read before, by a state that is lost: totals begin at zero.
        read_before: u64,
    },
    /// The log isn't the one that the state was made from: the topic's id or the last record is
    /// another one, or it ends before what is committed. The task begins anew; told once, whatever
    /// the number of its topics that were made anew.
    Recreated {
        /// Which topic; the first of several.
        topic: TopicId,
        /// Which partition.
        partition: i32,
        /// What shows it, of each of the topics.
        detail: String,
    },
    /// The store doesn't answer; it will be asked again.
    StoreUnavailable {
        /// Which task.
        task: TaskId,
        /// Its words.
        detail: String,
        /// Whether the task can't begin without it; else it goes on all the same.
        waits: bool,
    },
    /// A commit was refused or lost.
    CommitFailed {
        /// The broker's words.
        detail: String,
    },
    /// No commit went through for as long as the lease lasts: nothing of this worker is shown.
    Fenced,
    /// The log's end is reached and the totals are shown for the first time since the start.
    Serving {
        /// Which task.
        task: TaskId,
        /// The clock that the view shows, `None` before any event.
        clock: Option<EventTime>,
    },
}
