//! Between workers and brokers: messages that take their time, and are lost while one side can't
//! hear the other.

use std::collections::BTreeMap;

use catalogue::plan::TopicId;
use events::{KafkaTime, Span};
use pipeline::log_id::LogId;
use pipeline::note::Note;
use pipeline::port::{CommitOffset, Input, Position, TaskId};

use super::broker::Place;
use super::group::{Beat, Share};
use super::hand::{Ask, Reply, Stage};
use super::outcome::Check;
use super::{Event, World};

/// The share of answers in which a topic's id isn't known.
const IDS_UNKNOWN: f64 = 0.2;

impl World {
    /// Whether packets pass between a worker and the brokers.
    pub(super) fn connected(&self, worker: u64) -> bool {
        let process = self.hands.get(&worker).map(|hand| hand.process);
        let isolated = process.is_none_or(|process| self.processes[&process].isolated);
        self.conditions.brokers_away == 0 && !isolated
    }

    /// How long a message takes.
    pub(super) fn latency(&mut self) -> Span {
        let slow = self.conditions.slow_network.seconds();
        let extra = match slow > 0.0 {
            true => self.chance.uniform(0.0, slow),
            false => Span::ZERO,
        };
        self.chance.uniform(0.001, 0.03) + extra
    }

    /// A worker sends a question.
    pub(super) fn ask(&mut self, worker: u64, ask: Ask) {
        let mut arrives = self.now.after(self.latency());
        if let Some(hand) = self.hands.get_mut(&worker)
            && matches!(ask, Ask::Commit(..) | Ask::Leave(_) | Ask::Join(_))
        {
            arrives = arrives.max(hand.sent_until);
            hand.sent_until = arrives;
        }
        if self.connected(worker) {
            self.agenda.put(arrives, Event::Ask(worker, ask));
        }
    }

    /// It arrives, even if the process that sent it is dead by now.
    pub(super) fn asked(&mut self, worker: u64, ask: Ask) {
        let there = self.hands.contains_key(&worker);
        if self.conditions.brokers_away > 0 || there && !self.connected(worker) {
            return;
        }
        match ask {
            Ask::Join(member) => {
                self.group.join(member, worker, self.now);
            }
            Ask::Leave(member) => self.group.leave(member, self.now),
            Ask::LookUp(assignment, reach) => {
                let Some(hand) = self.hands.get(&worker) else {
                    return;
                };
                let places = hand.places.clone();
                let told = self.topic_ids();
                let positions = places.iter().map(|place| Position {
                    log: told.get(&place.0).copied(),
                    ..self.position(*place, reach)
                });
                let reply = Reply::LookedUp(assignment, positions.collect());
                self.answer(worker, reply);
            }
            Ask::Commit(commit, member, offsets) => {
                if self.chance.happens(self.conditions.commits_lost) {
                    return;
                }
                let before = self.group.committed.clone();
                let result = match member {
                    Some((member, generation)) => self.group.commit(member, generation, &offsets),
                    None => Err("no member".to_owned()),
                };
                if result.is_ok() {
                    self.check_commit(worker, &before, &offsets);
                }
                self.tell(|_| format!("commit {commit} of {worker}: {result:?}"));
                if !self.chance.happens(self.conditions.answers_lost) {
                    self.answer(worker, Reply::Committed(commit, result));
                }
            }
            Ask::Topics => {
                let told = self.topic_ids();
                self.answer(worker, Reply::Topics(told));
            }
            Ask::End(place, at) => {
                let end = self.broker.log(place).end;
                self.answer(worker, Reply::End(place, end, at));
            }
        }
    }

    fn answer(&mut self, worker: u64, reply: Reply) {
        let latency = self.latency();
        self.later(latency, Event::Reply(worker, reply));
    }

    fn position(&self, place: Place, reach: Span) -> Position {
        let log = self.broker.log(place);
        let committed = self.group.committed.get(&place).cloned();
        let note = committed.as_ref().and_then(|it| Note::parse(&it.1));
        let clock = note.and_then(|note| note.clock).map(|clock| clock.0);
        let fresh = Span(self.faults.fresh.0);
        let at = |time: i64| log.offset_at(KafkaTime(time)).max(log.start);
        Position {
            topic: place.0,
            partition: place.1,
            committed,
            log_start: log.start,
            log_end: log.end,
            fresh_start: at(self.now.0 - fresh.0),
            rebuild_start: at(clock.unwrap_or(self.now.0) - reach.0),
            partitions: self.partitions,
            log: None,
        }
    }

    /// Which topics these are, as far as the brokers tell this time.
    fn topic_ids(&mut self) -> BTreeMap<TopicId, LogId> {
        let mut told = BTreeMap::new();
        for topic in self.topics() {
            let unknown = self.topic_chance.happens(IDS_UNKNOWN);
            if self.faults.topic_ids && !unknown {
                told.insert(topic, self.broker.id(topic));
            }
        }
        told
    }

    /// Whether what a worker shows is to be looked at: if a topic was made anew, only once the worker
    /// was told so in its share. Where nobody tells topics apart records have to.
    pub(super) fn is_told(&self, worker: u64) -> bool {
        let told = self.hands.get(&worker).map(|hand| &hand.told);
        let is_told = |topic: &TopicId| {
            told.is_some_and(|told| told.get(topic) == Some(&self.broker.id(*topic)))
        };
        !self.faults.topic_ids || self.broker.made_anew().all(is_told)
    }

    /// A commit that was accepted must not take anything back.
    fn check_commit(
        &mut self,
        worker: u64,
        before: &BTreeMap<Place, (i64, String)>,
        offsets: &[CommitOffset],
    ) {
        for it in offsets {
            self.check_lineage(worker, it);
            let before = before.get(&(it.topic, it.partition));
            if let Some((before, _)) = before
                && it.offset < *before
                && !self.excuse.anew
            {
                let (topic, partition, offset) = (it.topic.0, it.partition, it.offset);
                let detail = format!(
                    "worker {worker} commits {offset} of {topic}/{partition} after {before}"
                );
                return self.fail(Check::CommitBack, detail);
            }
        }
    }

    fn check_lineage(&mut self, worker: u64, it: &CommitOffset) {
        let Some(note) = Note::parse(&it.note).filter(|note| note.served) else {
            return;
        };
        let task = TaskId {
            group: 0,
            partition: it.partition,
        };
        let before = self.committed.entry(task).or_default();
        if before.last() == Some(&note.lineage) {
            return;
        }
        if before.contains(&note.lineage) {
            let detail = format!("worker {worker} commits {it:?} after {before:?}");
            return self.fail(Check::Lineage, detail);
        }
        before.push(note.lineage);
    }

    /// The coordinator looks round; shares go out.
    pub(super) fn coordinate(&mut self) {
        let topics = self.topics();
        if self.conditions.brokers_away == 0 {
            let shares = self.group.tick(&topics, self.partitions, self.now);
            for share in shares {
                self.tell(|_| format!("generation {}: {:?}", share.generation, share));
                self.answer(share.worker, Reply::Shared(share));
            }
        }
        self.later(Span(100_000), Event::Coordinate);
    }

    /// Something comes back: at once, or when the worker can hear it again.
    pub(super) fn reply(&mut self, worker: u64, reply: Reply) {
        let from_store = matches!(
            reply,
            Reply::Listed(..) | Reply::Loaded(..) | Reply::Saved(..)
        );
        if !from_store && !self.connected(worker) {
            return;
        }
        let now = self.now;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let frozen = self.processes[&hand.process].frozen;
        match reply {
            Reply::Beat(beat) if !frozen => {
                (hand.beat, hand.heard) = (beat, now);
            }
            reply if frozen || hand.stuck.is_some() => hand.inbox.push(reply),
            reply => self.handle(worker, reply),
        }
    }

    /// The worker's thread takes what came back.
    pub(super) fn handle(&mut self, worker: u64, reply: Reply) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        match reply {
            Reply::Beat(beat) => hand.beat = beat,
            Reply::Shared(share) => self.shared(worker, &share),
            Reply::LookedUp(assignment, positions) => {
                if hand.looking.is_none_or(|looking| looking.0 != assignment) {
                    return;
                }
                hand.looking = None;
                let told = positions.iter();
                hand.told
                    .extend(told.filter_map(|it| Some((it.topic, it.log?))));
                let by_place = positions
                    .iter()
                    .map(|it| ((it.topic, it.partition), it.clone()));
                hand.positions = by_place.collect();
                let positions = &positions[..];
                let input = Input::LookedUp {
                    assignment,
                    positions,
                };
                self.step(worker, input);
            }
            Reply::Listed(task, names) => self.step(worker, Input::Listed { task, names }),
            Reply::Loaded(task, name, snapshot) => {
                let input = Input::Loaded {
                    task,
                    name,
                    snapshot,
                };
                self.step(worker, input);
            }
            Reply::Committed(commit, result) => self.committed(worker, commit, result),
            Reply::Saved(task, name, result) => {
                let held_up = self.chance.uniform(0.0, 0.02);
                let input = Input::Saved {
                    task,
                    name,
                    result,
                    held_up,
                };
                self.step(worker, input);
            }
            Reply::Topics(told) => {
                hand.told.extend(told.clone());
                for (topic, log) in told {
                    self.step(worker, Input::LogObserved { topic, log });
                }
            }
            Reply::End((topic, partition), end, at) => {
                let input = Input::EndObserved {
                    topic,
                    partition,
                    end,
                    at,
                };
                self.step(worker, input);
            }
        }
    }

    fn shared(&mut self, worker: u64, share: &Share) {
        let now = self.now;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        if !matches!(hand.stage, Stage::Joining(_)) {
            return;
        }
        hand.stage = Stage::Holding;
        hand.member = Some((share.member, share.generation));
        (hand.heard, hand.beat) = (now, Beat::Fine);
        hand.begin_share(share.places.clone());
        let assignment = hand.share;
        let partitions = &share.places[..];
        self.tell(|_| format!("worker {worker} has {partitions:?}"));
        let input = Input::Assigned {
            assignment,
            partitions,
        };
        self.step(worker, input);
    }

    fn committed(&mut self, worker: u64, commit: u64, result: Result<(), String>) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let Some((_, sent)) = hand.commit.take_if(|it| it.0 == commit) else {
            return;
        };
        if result.is_ok() {
            hand.acknowledged = sent;
        }
        self.step(worker, Input::Committed { commit, result });
    }
}
