//! Faults begin and end: what they do to the world.

use events::Span;
use pipeline::port::{Input, TaskId};
use pipeline::{Options, Worker};

use super::faults::FaultKind;
use super::hand::{Hand, Process, Stage};
use super::{Event, LEASE, SNAPSHOT_EVERY, World};

/// More processes than this don't join.
const PROCESSES: usize = 5;

/// What is wrong at the moment, besides what is wrong with single processes.
#[derive(Default, Debug)]
pub struct Conditions {
    /// How many faults keep the brokers away.
    pub brokers_away: u32,
    /// Likewise the store.
    pub store_away: u32,
    /// Probabilities.
    pub commits_lost: f64,
    /// Likewise.
    pub answers_lost: f64,
    /// Likewise.
    pub store_trouble: f64,
    /// At most so much longer.
    pub slow_network: Span,
    /// Likewise.
    pub slow_store: Span,
}

/// What went wrong so far that totals can be lost by.
#[derive(Default, Debug)]
pub struct Excuse {
    /// A snapshot was damaged or all were deleted.
    pub damage: bool,
    /// Records are gone from the log.
    pub retention: bool,
    /// Offsets are gone or were moved, or a topic is another one: tasks begin anew.
    pub anew: bool,
    /// The KPIs were changed: what has no snapshot yet can't be rebuilt.
    pub plan: bool,
}

impl World {
    pub(super) fn fault_begins(&mut self, index: usize) {
        let fault = self.faults.faults[index];
        self.tell(|_| format!("BEGIN {:?}", fault.kind));
        self.give_reason(fault);
        match fault.kind {
            FaultKind::Crash(who) => {
                if let Some(process) = self.nth_process(who) {
                    self.kill(process);
                }
            }
            FaultKind::Freeze(who) => self.with_process(who, |it| it.frozen = true),
            FaultKind::Isolate(who) => self.with_process(who, |it| it.isolated = true),
            FaultKind::ClockSet(who, by) => self.with_process(who, |it| it.skew = it.skew + by),
            FaultKind::Stuck(who) => self.stick(who),
            FaultKind::Join => self.spawn(),
            FaultKind::Leave(who) => self.leave(who),
            FaultKind::Restart(who) => {
                self.leave(who);
                let wait = self.chance.uniform(0.0, 2.0);
                self.later(wait, Event::Spawn);
            }
            FaultKind::BrokerDown => self.conditions.brokers_away += 1,
            FaultKind::CommitsLost(share) => self.conditions.commits_lost = share,
            FaultKind::AnswersLost(share) => self.conditions.answers_lost = share,
            FaultKind::SlowNetwork(most) => self.conditions.slow_network = most,
            FaultKind::StoreDown => self.conditions.store_away += 1,
            FaultKind::StoreTrouble(share) => self.conditions.store_trouble = share,
            FaultKind::SlowStore(most) => self.conditions.slow_store = most,
            FaultKind::Damage { task, how, head } => {
                let partition = task as i32 % self.partitions;
                let task = TaskId {
                    group: 0,
                    partition,
                };
                self.excuse.damage |= self.store.damage(task, how, head, &mut self.chance);
            }
            FaultKind::Wipe => {
                self.store.wipe();
                self.excuse.damage = true;
            }
            FaultKind::CrashAll | FaultKind::MoveOffsets(..) => self.kill_all(),
            FaultKind::ChangePlan => self.change_plan(),
            FaultKind::Repartition => self.repartition(),
            FaultKind::Unmounted => {
                let mounted = std::mem::take(&mut self.store);
                self.unmounted.push(mounted);
                self.excuse.damage = true;
            }
            FaultKind::Forget => {
                self.kill_all();
                self.group.committed.clear();
                self.excuse.anew = true;
            }
            FaultKind::Recreate(which, before) => {
                self.kill_all();
                self.recreate(which, before);
            }
            FaultKind::RecreateUnderReaders(which, before) => {
                self.recreate(which, before);
            }
            FaultKind::Retention(reach) => {
                self.excuse.retention = true;
                let places: Vec<_> = self.broker.logs.keys().copied().collect();
                for place in places {
                    self.broker.retain(place, self.now.as_kafka_time(), reach);
                }
            }
        }
    }

    /// A worker's thread hangs.
    fn stick(&mut self, who: u64) {
        let workers: Vec<u64> = self.hands.keys().copied().collect();
        if !workers.is_empty() {
            let worker = workers[who as usize % workers.len()];
            let now = self.now;
            self.hands
                .entry(worker)
                .and_modify(|it| it.stuck = Some(now));
        }
    }

    pub(super) fn fault_ends(&mut self, index: usize) {
        let fault = self.faults.faults[index];
        self.tell(|_| format!("END {:?}", fault.kind));
        self.give_reason(fault);
        match fault.kind {
            FaultKind::Crash(_)
            | FaultKind::CrashAll
            | FaultKind::Forget
            | FaultKind::ChangePlan
            | FaultKind::Repartition
            | FaultKind::Recreate(..) => self.spawn(),
            FaultKind::MoveOffsets(which, by) => {
                self.kill_all();
                self.move_offsets(which, by);
                self.spawn();
            }
            FaultKind::Unmounted => self.store = self.unmounted.pop().unwrap_or_default(),
            FaultKind::Freeze(_) => {
                self.processes.values_mut().for_each(|it| it.frozen = false);
                // Its HTTP thread may be the first that runs again.
                self.scrape();
            }
            FaultKind::Stuck(_) => self.hands.values_mut().for_each(|it| it.stuck = None),
            FaultKind::Isolate(_) => {
                self.processes
                    .values_mut()
                    .for_each(|it| it.isolated = false);
            }
            FaultKind::BrokerDown => self.conditions.brokers_away -= 1,
            FaultKind::CommitsLost(_) => self.conditions.commits_lost = 0.0,
            FaultKind::AnswersLost(_) => self.conditions.answers_lost = 0.0,
            FaultKind::SlowNetwork(_) => self.conditions.slow_network = Span::ZERO,
            FaultKind::StoreDown => self.conditions.store_away -= 1,
            FaultKind::StoreTrouble(_) => self.conditions.store_trouble = 0.0,
            FaultKind::SlowStore(_) => self.conditions.slow_store = Span::ZERO,
            FaultKind::Join
            | FaultKind::Leave(_)
            | FaultKind::Restart(_)
            | FaultKind::Damage { .. }
            | FaultKind::Wipe
            | FaultKind::Retention(_)
            | FaultKind::RecreateUnderReaders(..)
            | FaultKind::ClockSet(..) => {}
        }
    }

    /// The last fault is over: from now on somebody is there.
    pub(super) fn settle(&mut self) {
        self.settling = true;
        let stays = |it: &&Hand| !matches!(it.stage, Stage::Stopping(_));
        if self.hands.values().find(stays).is_none() {
            self.spawn();
        }
    }

    /// A process starts, with one or two workers.
    pub(super) fn spawn(&mut self) {
        if self.processes.len() >= PROCESSES {
            return;
        }
        self.numbers += 1;
        let number = self.numbers;
        let mut process = Process {
            skew: self.chance.uniform(-1.5, 1.5),
            boot: self.chance.uniform(-1e6, 1e6).0,
            ..Process::default()
        };
        for _ in 0..=self.chance.below(2) {
            self.numbers += 1;
            let worker = self.numbers;
            let options = Options {
                lease: LEASE,
                snapshot_every: SNAPSHOT_EVERY,
                log_gap: self.log_gap,
                state: true,
            };
            let logic = Worker::new(std::sync::Arc::clone(&self.plan), options, self.rules);
            self.hands
                .insert(worker, Hand::new(logic, number, self.now));
            process.workers.push(worker);
            let wait = self.chance.uniform(0.0, 0.3);
            self.later(wait, Event::Wake(worker));
            self.later(wait, Event::Beat(worker));
        }
        self.tell(|_| format!("process {number} starts: workers {:?}", process.workers));
        self.processes.insert(number, process);
    }

    /// kill -9.
    fn kill(&mut self, number: u64) {
        self.tell(|_| format!("process {number} is killed"));
        let process = self.processes.remove(&number);
        for worker in process.into_iter().flat_map(|process| process.workers) {
            self.hands.remove(&worker);
        }
    }

    pub(super) fn kill_all(&mut self) {
        let all: Vec<u64> = self.processes.keys().copied().collect();
        all.into_iter().for_each(|process| self.kill(process));
    }

    fn recreate(&mut self, which: u64, before: i64) {
        self.excuse.anew = true;
        let topics = self.topics();
        let topic = topics[which as usize % topics.len()];
        for place in self.broker.recreate(topic, before) {
            self.truth.recreated(place, self.broker.log(place));
        }
    }

    /// SIGTERM.
    fn leave(&mut self, who: u64) {
        let Some(number) = self.nth_process(who) else {
            return;
        };
        let process = &self.processes[&number];
        if process.frozen {
            return;
        }
        for worker in process.workers.clone() {
            let now = self.now;
            let Some(hand) = self.hands.get_mut(&worker) else {
                continue;
            };
            if hand.stuck.is_some() || matches!(hand.stage, Stage::Stopping(_)) {
                continue;
            }
            hand.stage = Stage::Stopping(now);
            self.tell(|_| format!("worker {worker} is asked to stop"));
            self.step(worker, Input::Stopping);
        }
    }

    fn nth_process(&self, who: u64) -> Option<u64> {
        let count = self.processes.len();
        let at = who as usize % count.max(1);
        self.processes.keys().nth(at).copied()
    }

    fn with_process(&mut self, who: u64, change: impl FnOnce(&mut Process)) {
        if let Some(number) = self.nth_process(who) {
            self.tell(|_| format!("it is process {number}"));
            self.processes.entry(number).and_modify(change);
        }
    }
}
