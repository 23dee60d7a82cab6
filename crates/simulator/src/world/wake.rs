//! A worker's thread comes round: the group's news, records, ends, and a tick. As the real shell's
//! loop, about ten times a second.

use events::{Record, Span};
use pipeline::port::Input;

use super::broker::Place;
use super::group::Beat;
use super::hand::{Ask, Reply, Stage};
use super::{COMMIT_TIMEOUT, DRAIN, Event, MAX_POLL, SESSION, World};

const BEAT_EVERY: Span = Span(1_000_000);
const ENDS_EVERY: Span = Span(1_000_000);
const TOPICS_EVERY: Span = Span(5_000_000);
/// A worker joins again if the group hasn't answered for so long.
const JOIN_TIMEOUT: Span = Span::from_seconds(15);
const LOOK_TIMEOUT: Span = Span::from_seconds(2);

impl World {
    /// The client's own thread: goes on while the worker is stuck, not while the process is frozen.
    pub(super) fn beat(&mut self, worker: u64) {
        let (now, connected) = (self.now, self.connected(worker));
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let frozen = self.processes[&hand.process].frozen;
        let overdue = hand.stuck.is_some_and(|since| now.since(since) > MAX_POLL);
        let wait = self.chance.uniform(0.5, 1.0).min(BEAT_EVERY);
        if let Some((member, generation)) = hand.member
            && !frozen
            && !matches!(hand.stage, Stage::Joining(_) | Stage::Outside)
        {
            if overdue {
                (hand.evicted, hand.member) = (true, None);
                self.ask(worker, Ask::Leave(member));
            } else if connected {
                let beat = self.group.beat(member, generation, now);
                let latency = self.latency();
                self.later(latency, Event::Reply(worker, Reply::Beat(beat)));
            }
        }
        self.later(wait, Event::Beat(worker));
    }

    /// The worker's own thread.
    pub(super) fn wake(&mut self, worker: u64) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let wait = self.chance.uniform(0.1, 0.25);
        self.agenda.put(self.now.after(wait), Event::Wake(worker));
        if hand.stuck.is_some() || self.processes[&hand.process].frozen {
            return;
        }
        // Answers that came in the meantime may be handled after the clock was looked at.
        let inbox = std::mem::take(&mut hand.inbox);
        if !inbox.is_empty() && self.chance.happens(0.5) {
            self.tick(worker);
        }
        for reply in inbox {
            self.handle(worker, reply);
        }
        self.follow_group(worker);
        self.time_out(worker);
        self.deliver(worker);
        self.look_at_ends(worker);
        self.tick(worker);
    }

    pub(super) fn tick(&mut self, worker: u64) {
        let Some(hand) = self.hands.get(&worker) else {
            return;
        };
        let process = &self.processes[&hand.process];
        let (now, at) = (process.wall(self.now), process.lease_clock(self.now));
        self.step(worker, Input::Tick { now, at });
    }

    /// What the group's protocol wants of this worker.
    fn follow_group(&mut self, worker: u64) {
        let now = self.now;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let holds = matches!(hand.stage, Stage::Holding | Stage::Draining(_));
        let silent = now.since(hand.heard) > SESSION || hand.beat == Beat::Unknown;
        if holds && (hand.evicted || silent) {
            hand.reading.clear();
            (hand.stage, hand.member) = (Stage::Outside, None);
            (hand.evicted, hand.beat) = (false, Beat::Fine);
            self.tell(|_| format!("worker {worker} lost its share"));
            self.step(worker, Input::Lost);
            return;
        }
        match hand.stage {
            Stage::Outside => {
                hand.stage = Stage::Joining(now);
                let member = hand.member.map(|member| member.0);
                self.ask(worker, Ask::Join(member));
            }
            Stage::Joining(since) if now.since(since) > JOIN_TIMEOUT => {
                hand.stage = Stage::Outside;
            }
            Stage::Holding if hand.beat == Beat::Rebalance => {
                hand.stage = Stage::Draining(now);
                hand.beat = Beat::Fine;
                self.tell(|_| format!("worker {worker} is revoked"));
                self.step(worker, Input::Revoked);
            }
            Stage::Holding if hand.start_over => {
                let places = hand.places.clone();
                hand.begin_share(places.clone());
                let assignment = hand.share;
                self.tell(|_| format!("worker {worker} starts over"));
                let partitions = &places[..];
                self.step(
                    worker,
                    Input::Assigned {
                        assignment,
                        partitions,
                    },
                );
            }
            Stage::Draining(since) | Stage::Stopping(since) if now.since(since) > DRAIN => {
                self.release(worker);
            }
            _ => {}
        }
    }

    /// What has no answer for too long.
    fn time_out(&mut self, worker: u64) {
        let now = self.now;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        if let Some((assignment, reach, since)) = hand.looking
            && now.since(since) > LOOK_TIMEOUT
        {
            hand.looking = Some((assignment, reach, now));
            self.ask(worker, Ask::LookUp(assignment, reach));
        }
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        if let Some((commit, since)) = hand.commit
            && now.since(since) > COMMIT_TIMEOUT
        {
            hand.commit = None;
            let result = Err("no answer".to_owned());
            self.step(worker, Input::Committed { commit, result });
        }
    }

    /// Records of any of its partitions, in any interleaving, then the ends that are reached.
    fn deliver(&mut self, worker: u64) {
        let connected = self.connected(worker);
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        if hand.stage != Stage::Holding {
            return;
        }
        if connected {
            for (place, reading) in &mut hand.reading {
                reading.fetched = self.broker.log(*place).end;
            }
        }
        // What is paused in the middle of a batch is still in it.
        let readable = |it: &(&Place, &super::hand::Reading)| !it.1.paused;
        let readable = hand.reading.iter().filter(readable);
        let mut places: Vec<Place> = readable.map(|it| *it.0).collect();
        for _ in 0..self.chance.below(self.faults.batch) {
            if places.is_empty() || self.failure.is_some() {
                return;
            }
            let at = self.chance.below(places.len() as u64) as usize;
            if !self.deliver_one(worker, places[at]) {
                places.swap_remove(at);
            }
        }
    }

    /// Delivers the next record of a partition; false if there is none for now.
    fn deliver_one(&mut self, worker: u64, place: Place) -> bool {
        let connected = self.connected(worker);
        let Some(hand) = self.hands.get_mut(&worker) else {
            return false;
        };
        let Some(reading) = hand.reading.get_mut(&place) else {
            return false;
        };
        let log = self.broker.log(place);
        let (topic, partition) = place;
        if reading.next < log.start || reading.next > log.end {
            let told = std::mem::replace(&mut reading.lost, true);
            if !told && connected {
                self.step(worker, Input::OutOfRange { topic, partition });
            }
            return false;
        }
        let mut effects = Vec::new();
        match log.read(reading.next) {
            Some(stored) if stored.offset < reading.fetched => {
                reading.next = stored.offset + 1;
                let record = Record {
                    timestamp: Some(stored.timestamp),
                    key: Some(&stored.key),
                    value: Some(&stored.value),
                    headers: &[],
                };
                let offset = stored.offset;
                let input = Input::Record {
                    topic,
                    partition,
                    offset,
                    record,
                };
                hand.logic.step(input, &mut effects);
                self.carry_out(worker, effects);
                true
            }
            None if connected && reading.told != Some(log.end) => {
                (reading.next, reading.told) = (log.end, Some(log.end));
                let offset = log.end;
                let input = Input::ReachedEnd {
                    topic,
                    partition,
                    offset,
                };
                self.step(worker, input);
                false
            }
            _ => false,
        }
    }

    fn look_at_ends(&mut self, worker: u64) {
        let now = self.now;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        if now.since(hand.ends_asked) < ENDS_EVERY || hand.stage != Stage::Holding {
            return;
        }
        hand.ends_asked = now;
        let topics_due = now.since(hand.topics_asked) >= TOPICS_EVERY;
        if topics_due {
            hand.topics_asked = now;
        }
        let at = self.processes[&hand.process].wall(now);
        let places: Vec<Place> = hand.reading.keys().copied().collect();
        for place in places {
            self.ask(worker, Ask::End(place, at));
        }
        if topics_due {
            self.ask(worker, Ask::Topics);
        }
    }
}
