//! The virtual group coordinator: the classic protocol with the eager strategy.
//!
//! A rebalance begins when a member joins, leaves or isn't heard of for the session timeout. It
//! ends when all members have joined it, or when the rebalance timeout throws the others out; then
//! the generation goes up and partition p of every topic goes to one member (`range`). A commit
//! counts only from a member of the current generation.

use std::collections::BTreeMap;

use catalogue::plan::TopicId;
use events::Span;
use pipeline::port::CommitOffset;

use super::broker::Place;
use super::moment::Moment;

/// A member's number; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberId(pub u64);

/// Who is told what a rebalance gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// The member.
    pub member: MemberId,
    /// The worker that it is.
    pub worker: u64,
    /// Since when it is so.
    pub generation: u64,
    /// What it has, by topic and partition.
    pub places: Vec<Place>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beat {
    /// All is as it was.
    Fine,
    /// A rebalance is on: give everything back and join.
    Rebalance,
    /// No longer a member.
    Unknown,
}

#[derive(Clone, Debug)]
struct Member {
    worker: u64,
    heard: Moment,
    /// Whether it joined the rebalance that is on.
    joined: bool,
}

/// See the file's header.
#[derive(Debug)]
pub struct Coordinator {
    session: Span,
    rebalance: Span,
    generation: u64,
    rebalancing_since: Option<Moment>,
    members: BTreeMap<MemberId, Member>,
    next_member: u64,
    /// What is committed, by partition: the offset and its note.
    pub committed: BTreeMap<Place, (i64, String)>,
}

/// A rebalance takes at least so long, so that others can join it.
const SETTLING: Span = Span(300_000);

impl Coordinator {
    /// A group without members.
    pub fn new(session: Span, rebalance: Span) -> Coordinator {
        Coordinator {
            session,
            rebalance,
            generation: 0,
            rebalancing_since: None,
            members: BTreeMap::new(),
            next_member: 1,
            committed: BTreeMap::new(),
        }
    }

    /// A worker joins, or joins again.
    pub fn join(&mut self, member: Option<MemberId>, worker: u64, now: Moment) -> MemberId {
        let known = member.filter(|member| self.members.contains_key(member));
        let id = known.unwrap_or_else(|| {
            self.next_member += 1;
            MemberId(self.next_member)
        });
        let member = Member {
            worker,
            heard: now,
            joined: true,
        };
        self.members.insert(id, member);
        self.begin(now);
        id
    }

    /// A member leaves.
    pub fn leave(&mut self, member: MemberId, now: Moment) {
        if self.members.remove(&member).is_some() {
            self.begin(now);
        }
    }

    /// A member is heard of.
    pub fn beat(&mut self, id: MemberId, generation: u64, now: Moment) -> Beat {
        let Some(member) = self.members.get_mut(&id) else {
            return Beat::Unknown;
        };
        member.heard = now;
        if member.joined {
            Beat::Fine
        } else if self.rebalancing_since.is_some() {
            Beat::Rebalance
        } else if generation == self.generation {
            Beat::Fine
        } else {
            Beat::Unknown
        }
    }

    /// A commit arrives. The error is the broker's word.
    pub fn commit(
        &mut self,
        member: MemberId,
        generation: u64,
        offsets: &[CommitOffset],
    ) -> Result<(), String> {
        if !self.members.contains_key(&member) {
            return Err("unknown member".to_owned());
        }
        if generation != self.generation {
            return Err("illegal generation".to_owned());
        }
        for it in offsets {
            let place = (it.topic, it.partition);
            let entry = (it.offset, it.note.clone());
            self.committed.insert(place, entry);
        }
        Ok(())
    }

    /// Throws out who isn't heard of and ends a rebalance that can end: the shares, if so.
    pub fn tick(&mut self, topics: &[TopicId], partitions: i32, now: Moment) -> Vec<Share> {
        let session = self.session;
        let before = self.members.len();
        self.members
            .retain(|_, member| member.joined || now.since(member.heard) <= session);
        if self.members.len() < before {
            self.begin(now);
        }
        let Some(since) = self.rebalancing_since else {
            return Vec::new();
        };
        let all_in = self.members.values().all(|member| member.joined);
        let waited = now.since(since);
        if waited < SETTLING || !all_in && waited < self.rebalance {
            return Vec::new();
        }
        self.members.retain(|_, member| member.joined);
        self.rebalancing_since = None;
        self.generation += 1;
        self.shares(topics, partitions, now)
    }

    fn begin(&mut self, now: Moment) {
        self.rebalancing_since.get_or_insert(now);
    }

    /// `range`: each topic's partitions in a row, the first members one more.
    fn shares(&mut self, topics: &[TopicId], partitions: i32, now: Moment) -> Vec<Share> {
        let members = i32::try_from(self.members.len()).expect("few members");
        let mut first = 0;
        let mut shares = Vec::new();
        for (index, (id, member)) in self.members.iter_mut().enumerate() {
            member.joined = false;
            member.heard = now;
            let index = i32::try_from(index).expect("few members");
            let count = partitions / members + i32::from(index < partitions % members);
            let range = first..first + count;
            first += count;
            let places = topics
                .iter()
                .flat_map(|topic| range.clone().map(move |partition| (*topic, partition)));
            shares.push(Share {
                member: *id,
                worker: member.worker,
                generation: self.generation,
                places: places.collect(),
            });
        }
        shares
    }
}
