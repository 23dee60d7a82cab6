//! A worker's hands: what the Kafka shell does for it, over the virtual broker. And the process
//! around its workers: clocks of its own, one board.
//!
//! As in the real shell there is one commit in flight, a commit without an answer fails after a
//! while, and what was answered to a share that is over still reaches the worker: telling them
//! apart is the worker's business.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use catalogue::plan::TopicId;
use engine::View;
use engine::snapshot::Snapshot;
use events::{Span, WallTime};
use pipeline::Worker;
use pipeline::log_id::LogId;
use pipeline::port::{CommitOffset, LeaseTime, LoadError, Position, SaveError, TaskId};

use super::broker::Place;
use super::group::{Beat, MemberId, Share};
use super::moment::Moment;
use super::truth::History;
use crate::compare::Flat;

/// Where a worker is in the group's protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// No member, and about to join.
    Outside,
    /// Waits for the rebalance to end, since then.
    Joining(Moment),
    /// Has a share.
    Holding,
    /// Was told to give all back, at that moment.
    Draining(Moment),
    /// Was told to stop, at that moment.
    Stopping(Moment),
}

/// A partition that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The next offset.
    pub next: i64,
    /// What came from the brokers already and can be delivered without them.
    pub fetched: i64,
    /// Not delivered for now.
    pub paused: bool,
    /// The end that was told last.
    pub told: Option<i64>,
    /// The log no longer has the next offset; that was told.
    pub lost: bool,
}

/// What is gone from the log of an input of a task.
#[derive(Clone, Copy, Debug)]
pub struct Gone {
    /// Which task.
    pub task: TaskId,
    /// Which of its inputs.
    pub input: usize,
    /// The first offset that is gone.
    pub from: i64,
    /// The first one that isn't.
    pub to: i64,
    /// How many of them nobody had read.
    pub unread: u64,
}

/// A worker and all that its shell knows.
pub struct Hand {
    /// The production code.
    pub logic: Worker,
    /// The process it lives in.
    pub process: u64,
    /// In the group's protocol.
    pub stage: Stage,
    /// Who it is in the group, if it is a member.
    pub member: Option<(MemberId, u64)>,
    /// The number of its share.
    pub share: u64,
    /// What the share is.
    pub places: Vec<Place>,
    /// What is read of it.
    pub reading: BTreeMap<Place, Reading>,
    /// The commit in flight and when it was sent.
    pub commit: Option<(u64, Moment)>,
    /// When the last commit that went through was sent.
    pub acknowledged: Moment,
    /// The question for positions that has no answer yet, and when it was asked.
    pub looking: Option<(u64, Span, Moment)>,
    /// Messages to the coordinator arrive in order: no earlier than this.
    pub sent_until: Moment,
    /// When a heartbeat was last answered.
    pub heard: Moment,
    /// What the last heartbeat's answer said.
    pub beat: Beat,
    /// Doesn't come back from a call, since then.
    pub stuck: Option<Moment>,
    /// Thrown out by its own client, for it didn't poll.
    pub evicted: bool,
    /// What came while it was stuck or frozen.
    pub inbox: Vec<Reply>,
    /// When the ends were last asked for.
    pub ends_asked: Moment,
    /// It wants its share to be looked up anew.
    pub start_over: bool,
    /// What its views may be shown until.
    pub until: LeaseTime,
    /// Which topics the brokers said that these are, since it has the share.
    pub told: BTreeMap<TopicId, LogId>,
    /// When that was last asked for.
    pub topics_asked: Moment,
    /// What the brokers said of the share.
    pub positions: BTreeMap<Place, Position>,
    /// What its tasks are made of.
    pub histories: BTreeMap<TaskId, History>,
    /// Where they stood when they were last begun.
    pub stood: BTreeMap<TaskId, Vec<i64>>,
    /// Where the logs ended when they were first begun here.
    pub ends: BTreeMap<TaskId, Vec<i64>>,
    /// Tasks whose history is known for this share.
    pub settled: BTreeSet<TaskId>,
    /// The snapshot that each of them was taken from.
    pub restored: BTreeMap<TaskId, String>,
    /// Tasks whose totals are lost in this share.
    pub lost: BTreeSet<TaskId>,
    /// What the worker said is gone from the log, until it is told to a history.
    pub gaps: Vec<Gone>,
    /// The records of it that nobody had read, in this share.
    pub missed: BTreeMap<(TaskId, usize), u64>,
    /// Views published of each task in this share.
    pub published: BTreeMap<TaskId, u64>,
}

/// A view on a process' board.
#[derive(Clone)]
pub struct Post {
    /// Who put it there.
    pub worker: u64,
    /// The view.
    pub view: Arc<View>,
    /// Its numbers.
    pub flat: Rc<Flat>,
    /// `History::epoch` of its state.
    pub epoch: u32,
}

/// A process: its workers share a board, a wall clock and a lease clock.
#[derive(Default)]
pub struct Process {
    /// Its workers.
    pub workers: Vec<u64>,
    /// SIGSTOP.
    pub frozen: bool,
    /// Cut off from the brokers.
    pub isolated: bool,
    /// How far its wall clock is ahead.
    pub skew: Span,
    /// How far its lease clock is ahead: it counts from some boot.
    pub boot: i64,
    /// What it shows.
    pub board: BTreeMap<TaskId, Post>,
}

impl Process {
    /// Now, by its wall clock.
    pub fn wall(&self, now: Moment) -> WallTime {
        WallTime(now.0 + self.skew.0)
    }

    /// Now, by its lease clock.
    pub fn lease_clock(&self, now: Moment) -> LeaseTime {
        LeaseTime(now.0 + self.boot)
    }
}

/// What comes back to a worker.
pub enum Reply {
    /// The rebalance is over.
    Shared(Share),
    /// A heartbeat's answer.
    Beat(Beat),
    /// To `LookUp`.
    LookedUp(u64, Vec<Position>),
    /// To `List`.
    Listed(TaskId, Result<Vec<String>, String>),
    /// To `Load`.
    Loaded(TaskId, String, Result<Snapshot, LoadError>),
    /// To `Commit`.
    Committed(u64, Result<(), String>),
    /// To `Save`.
    Saved(TaskId, String, Result<u64, SaveError>),
    /// Which topics these are, of those that are known.
    Topics(BTreeMap<TopicId, LogId>),
    /// Where a partition ends, and when that was asked for.
    End(Place, i64, WallTime),
}

/// What a worker asks the brokers.
pub enum Ask {
    /// To be a member, or one again.
    Join(Option<MemberId>),
    /// To be none.
    Leave(MemberId),
    /// The positions of a share, with this much history.
    LookUp(u64, Span),
    /// To commit, as this member of this generation.
    Commit(u64, Option<(MemberId, u64)>, Vec<CommitOffset>),
    /// Which topics these are.
    Topics,
    /// Where a partition ends; asked at this time by its clock.
    End(Place, WallTime),
}

/// What a worker asks the store.
pub enum Call {
    /// Names.
    List(TaskId),
    /// One snapshot.
    Load(TaskId, String),
    /// To write one: what is left to be written begins with section number `next`.
    Save {
        /// Which task.
        task: TaskId,
        /// The object's name.
        name: String,
        /// What it is.
        snapshot: Rc<Snapshot>,
        /// Sections before this one are written.
        next: usize,
    },
}

impl Hand {
    /// A worker that was just started.
    pub fn new(logic: Worker, process: u64, now: Moment) -> Hand {
        Hand {
            logic,
            process,
            stage: Stage::Outside,
            member: None,
            share: 0,
            places: Vec::new(),
            reading: BTreeMap::new(),
            commit: None,
            acknowledged: now,
            looking: None,
            sent_until: now,
            heard: now,
            beat: Beat::Fine,
            stuck: None,
            evicted: false,
            inbox: Vec::new(),
            ends_asked: now,
            start_over: false,
            until: LeaseTime(i64::MIN),
            told: BTreeMap::new(),
            topics_asked: now,
            positions: BTreeMap::new(),
            histories: BTreeMap::new(),
            stood: BTreeMap::new(),
            ends: BTreeMap::new(),
            settled: BTreeSet::new(),
            restored: BTreeMap::new(),
            lost: BTreeSet::new(),
            gaps: Vec::new(),
            missed: BTreeMap::new(),
            published: BTreeMap::new(),
        }
    }

    /// A share begins: nothing is known of its tasks, and an answer to a commit of the one before
    /// is of no use any more.
    pub fn begin_share(&mut self, places: Vec<Place>) {
        self.share += 1;
        self.places = places;
        self.reading.clear();
        self.commit = None;
        self.looking = None;
        self.positions.clear();
        self.told.clear();
        self.settled.clear();
        self.restored.clear();
        self.lost.clear();
        self.gaps.clear();
        self.missed.clear();
        self.published.clear();
        self.start_over = false;
    }
}
