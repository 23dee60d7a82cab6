//! What is looked at: every view when it is published, and what all processes show at a scrape.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use engine::View;
use pipeline::port::{LeaseTime, TaskId};

use super::faults::TROUBLED;
use super::hand::{Post, Process};
use super::outcome::Check;
use super::scraper::Shown;
use super::truth::History;
use super::{BEGIN, LEASE, SETTLE, World};
use crate::compare::{Flat, flatten};

/// The share of views that are compared with the oracle, besides the first of each share.
const COMPARED: f64 = 0.02;

impl World {
    /// A worker shows these views until then.
    pub(super) fn published(&mut self, worker: u64, views: Vec<Arc<View>>, until: LeaseTime) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.until = until;
        }
        for view in views {
            self.publish(worker, view);
        }
    }

    fn publish(&mut self, worker: u64, view: Arc<View>) {
        let task = TaskId {
            group: view.group,
            partition: view.partition,
        };
        self.tell(|_| format!("worker {worker} shows {task:?} at {:?}", view.offsets));
        self.report.views += 1;
        self.check_committed(task, &view.offsets, worker);
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let Some(history) = hand.histories.get(&task).cloned() else {
            let detail = format!("worker {worker} shows {task:?}, which it never began");
            return self.fail(Check::Protocol, detail);
        };
        let count = hand.published.entry(task).or_default();
        *count += 1;
        let first = *count == 1;
        let process = hand.process;
        let ends = hand.ends.get(&task).cloned().unwrap_or_default();
        if history.zeroed.is_some() {
            self.shows_lost(task);
        }
        if self.shown.insert(task) {
            self.check_first(task, &view.offsets, &ends);
        }
        let flat = Rc::new(flatten(&self.plan, &view));
        let told = self.is_told(worker);
        if told {
            self.check_state(task, &view, &flat, &history, worker);
        }
        if told && (first || self.chance.happens(COMPARED)) {
            self.check_oracle(&view, &flat, &history, worker);
        }
        let epoch = history.epoch;
        let post = Post {
            worker,
            view,
            flat,
            epoch,
        };
        let process = self.processes.get_mut(&process);
        let process = process.expect("a worker lives in a process");
        process.board.insert(task, post);
    }

    /// The first view of all: hours of history must not look like one minute's rush.
    fn check_first(&mut self, task: TaskId, offsets: &[i64], ends: &[i64]) {
        for ((topic, offset), end) in self.topics().iter().zip(offsets).zip(ends) {
            let next = self.broker.log((*topic, task.partition)).read(*offset);
            if let Some(next) = next.filter(|next| next.offset < *end) {
                let detail = format!("{task:?} at {offsets:?}: {} was there", next.offset);
                return self.fail(Check::FirstShown, detail);
            }
        }
    }

    /// Equal histories and offsets: equal counters, whoever shows them.
    fn check_state(
        &mut self,
        task: TaskId,
        view: &View,
        flat: &Flat,
        history: &History,
        worker: u64,
    ) {
        let mut hasher = DefaultHasher::new();
        flat.counters()
            .for_each(|counter| counter.hash(&mut hasher));
        let digest = hasher.finish();
        self.report.digest = self.report.digest.rotate_left(5) ^ digest;
        let key = (task, history.clone(), view.offsets.clone());
        let before = *self.states.entry(key).or_insert(digest);
        if before != digest {
            let differences = self.truth.differences(view, flat, history).join("\n  ");
            let detail = format!(
                "worker {worker}, {task:?} at {:?}, unlike an earlier one; against the oracle:\n  \
                 {differences}",
                view.offsets
            );
            self.fail(Check::SameState, detail);
        }
    }

    fn check_oracle(&mut self, view: &View, flat: &Flat, history: &History, worker: u64) {
        self.report.compared += 1;
        self.report.with_gap += u64::from(flat.sum_of(".gap") > 0);
        self.report.with_field_errors += u64::from(flat.sum_of(".field_errors.") > 0);
        let differences = self.truth.differences(view, flat, history);
        if !differences.is_empty() {
            let detail = format!(
                "worker {worker}, partition {} at {:?}, {history:?}:\n  {}",
                view.partition,
                view.offsets,
                differences.join("\n  ")
            );
            self.fail(Check::Oracle, detail);
        }
    }

    fn check_committed(&mut self, task: TaskId, offsets: &[i64], worker: u64) {
        for (topic, offset) in self.topics().iter().zip(offsets) {
            let committed = self.group.committed.get(&(*topic, task.partition));
            let committed = committed.map_or(0, |it| it.0);
            if *offset > committed {
                let detail = format!(
                    "worker {worker} shows {task:?} at {offsets:?}: {committed} is committed of \
                     topic {}",
                    topic.0
                );
                self.fail(Check::Committed, detail);
            }
        }
    }

    /// Prometheus comes by at all processes that answer.
    pub(super) fn scrape(&mut self) {
        self.report.scrapes += 1;
        let mut shown: BTreeMap<TaskId, Vec<Shown>> = BTreeMap::new();
        let mut overdue = None;
        for (number, process) in &self.processes {
            for (task, post) in self.visible(process) {
                let hand = &self.hands[&post.worker];
                let age = self.now.since(hand.acknowledged);
                if age > LEASE {
                    overdue = Some((*number, post.worker, age));
                }
                shown.entry(*task).or_default().push(Shown {
                    process: *number,
                    epoch: post.epoch,
                    told: self.is_told(post.worker),
                    offsets: post.view.offsets.clone(),
                    flat: Rc::clone(&post.flat),
                });
            }
        }
        for (task, shown) in &shown {
            if let Err(fell) = self.scraper.scrape(*task, shown) {
                self.fail(Check::Monotonic, format!("{task:?}: {fell}"));
            }
        }
        if let Some((process, worker, age)) = overdue {
            let detail = format!(
                "process {process} shows worker {worker}'s views {:.1} s after the commit",
                age.seconds()
            );
            self.fail(Check::Lease, detail);
        }
        if self.settling {
            self.look_for_the_end(&shown);
        }
    }

    /// What a process answers: nothing while it is frozen, nothing past its lease.
    fn visible<'a>(&'a self, process: &'a Process) -> impl Iterator<Item = (&'a TaskId, &'a Post)> {
        let clock = process.lease_clock(self.now);
        process.board.iter().filter(move |(_, post)| {
            let hand = self.hands.get(&post.worker);
            !process.frozen && hand.is_some_and(|hand| clock < hand.until)
        })
    }

    /// Once nothing goes wrong any more: is all of the log served?
    fn look_for_the_end(&mut self, shown: &BTreeMap<TaskId, Vec<Shown>>) {
        let topics = self.topics();
        let mut behind = Vec::new();
        for partition in 0..self.partitions {
            let task = TaskId {
                group: 0,
                partition,
            };
            let complete = |it: &Shown| {
                let mut inputs = topics.iter().zip(&it.offsets);
                it.told
                    && inputs.all(|(topic, offset)| {
                        self.broker.log((*topic, partition)).read(*offset).is_none()
                    })
            };
            if !shown.get(&task).is_some_and(|it| it.iter().any(complete)) {
                behind.push(partition);
            }
        }
        if behind.is_empty() {
            self.check_the_end();
            self.done = true;
        } else if self.now > BEGIN.after(TROUBLED + SETTLE) {
            let detail = format!("partitions {behind:?} of {}", self.partitions);
            self.fail(Check::Served, detail);
        }
    }

    fn check_the_end(&mut self) {
        let processes: Vec<u64> = self.processes.keys().copied().collect();
        let mut ended: BTreeMap<TaskId, History> = BTreeMap::new();
        for number in processes {
            let process = &self.processes[&number];
            let posts: Vec<Post> = self.visible(process).map(|it| it.1.clone()).collect();
            for post in posts {
                let task = TaskId {
                    group: post.view.group,
                    partition: post.view.partition,
                };
                let history = self.hands[&post.worker].histories.get(&task).cloned();
                if let Some(history) = history.filter(|_| self.is_told(post.worker)) {
                    self.check_oracle(&post.view, &post.flat, &history, post.worker);
                    ended.insert(task, history);
                }
            }
        }
        for (task, history) in ended {
            let totals = self.truth.totals(task, &history);
            let wrong = self.scraper.miscounted(task, &totals);
            if !wrong.is_empty() {
                let detail = format!("{task:?}, {history:?}:\n  {}", wrong.join("\n  "));
                self.fail(Check::SummedOnce, detail);
            }
        }
    }
}
