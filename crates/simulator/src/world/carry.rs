//! What a worker wants done is carried out, and what it may not want is found.

use std::rc::Rc;

use pipeline::note::Note;
use pipeline::port::{Assignment, CommitOffset, Effect, Input, TaskId};

use super::broker::Place;
use super::hand::{Ask, Call, Reading, Stage};
use super::outcome::Check;
use super::{COMMIT_TIMEOUT, World};

impl World {
    /// Tells a worker something and does what it wants.
    pub(super) fn step(&mut self, worker: u64, input: Input<'_>) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let mut effects = Vec::new();
        hand.logic.step(input, &mut effects);
        self.carry_out(worker, effects);
    }

    /// Does what a worker wants.
    pub(super) fn carry_out(&mut self, worker: u64, effects: Vec<Effect>) {
        // What is noticed explains what is done in the same step.
        for effect in &effects {
            if let Effect::Notice(notice) = effect {
                self.tell(|_| format!("worker {worker} notices {notice:?}"));
                self.noticed(worker, notice);
            }
        }
        self.tell_gaps(worker);
        for effect in effects {
            self.carry(worker, effect);
        }
    }

    fn carry(&mut self, worker: u64, effect: Effect) {
        let now = self.now;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        match effect {
            Effect::LookUp { assignment, reach } => {
                hand.looking = Some((assignment, reach, now));
                self.ask(worker, Ask::LookUp(assignment, reach));
            }
            Effect::List { task } => self.call(worker, Call::List(task)),
            Effect::Load { task, name } => self.call(worker, Call::Load(task, name)),
            Effect::Assign { assignment, starts } => self.assign(worker, assignment, &starts),
            Effect::Commit { commit, offsets } => self.send_commit(worker, commit, offsets),
            Effect::Publish { views, until } => self.published(worker, views, until),
            Effect::Withdraw { task } => {
                let process = self.processes.get_mut(&hand.process);
                let process = process.expect("a worker lives in a process");
                if process
                    .board
                    .get(&task)
                    .is_some_and(|post| post.worker == worker)
                {
                    process.board.remove(&task);
                }
            }
            Effect::Release => {
                if !matches!(hand.stage, Stage::Outside | Stage::Joining(_)) {
                    self.release(worker);
                }
            }
            Effect::Save {
                task,
                name,
                snapshot,
            } => {
                self.remember(worker, task, &name);
                let snapshot = Rc::new(snapshot);
                let next = 0;
                let call = Call::Save {
                    task,
                    name,
                    snapshot,
                    next,
                };
                self.call(worker, call);
            }
            Effect::Reject { .. } | Effect::Notice(_) => {}
            Effect::Pause { topic, partition } => self.pause(worker, (topic, partition), true),
            Effect::Resume { topic, partition } => self.pause(worker, (topic, partition), false),
            Effect::StartOver => hand.start_over = true,
            Effect::Fail(message) => self.gave_up(worker, &message),
        }
    }

    fn pause(&mut self, worker: u64, place: Place, paused: bool) {
        let hand = self.hands.get_mut(&worker);
        if let Some(reading) = hand.and_then(|hand| hand.reading.get_mut(&place)) {
            reading.paused = paused;
        }
    }

    fn assign(&mut self, worker: u64, assignment: u64, starts: &[Assignment]) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        if assignment != hand.share || hand.stage != Stage::Holding {
            return;
        }
        self.check_partitions(worker, starts);
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        for it in starts {
            let reading = Reading {
                next: it.start,
                fetched: 0,
                paused: false,
                told: None,
                lost: false,
            };
            hand.reading.insert((it.topic, it.partition), reading);
        }
        let mut partitions: Vec<i32> = starts.iter().map(|it| it.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions {
            self.begin_history(worker, partition, starts);
        }
        self.tell(|_| format!("worker {worker} reads from {starts:?}"));
    }

    fn send_commit(&mut self, worker: u64, commit: u64, offsets: Vec<CommitOffset>) {
        let now = self.now;
        self.report.commits += 1;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        // After a long stop the worker may have given one up before its shell did.
        if hand
            .commit
            .is_some_and(|(_, sent)| now.since(sent) <= COMMIT_TIMEOUT)
        {
            let detail = format!(
                "worker {worker} sends commit {commit} before the answer to {:?}",
                hand.commit
            );
            return self.fail(Check::Protocol, detail);
        }
        if offsets.is_empty() || matches!(hand.stage, Stage::Outside | Stage::Joining(_)) {
            let detail = format!("worker {worker} commits {offsets:?} without a share");
            return self.fail(Check::Protocol, detail);
        }
        hand.commit = Some((commit, now));
        let member = hand.member;
        for it in &offsets {
            let task = TaskId {
                group: 0,
                partition: it.partition,
            };
            match Note::parse(&it.note) {
                // What begins is committed before anything is read: no state is there yet.
                Some(note) if note.served => self.identify(worker, task, note.lineage),
                Some(_) => {}
                None => self.fail(Check::Protocol, format!("worker {worker} commits {it:?}")),
            }
        }
        self.ask(worker, Ask::Commit(commit, member, offsets));
    }

    /// The partitions go back to the group: it joins again, or is gone.
    pub(super) fn release(&mut self, worker: u64) {
        let now = self.now;
        self.tell(|_| format!("worker {worker} releases"));
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        hand.reading.clear();
        let member = hand.member.map(|member| member.0);
        if !matches!(hand.stage, Stage::Stopping(_)) {
            hand.stage = Stage::Joining(now);
            return self.ask(worker, Ask::Join(member));
        }
        if let Some(member) = member {
            self.ask(worker, Ask::Leave(member));
        }
        let Some(hand) = self.hands.remove(&worker) else {
            return;
        };
        let process = self.processes.get_mut(&hand.process);
        let process = process.expect("a worker lives in a process");
        process.workers.retain(|it| *it != worker);
        process.board.retain(|_, post| post.worker != worker);
        if process.workers.is_empty() {
            self.processes.remove(&hand.process);
        }
    }
}
