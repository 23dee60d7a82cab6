//! What the tasks are made of, followed from outside: by what workers notice, where they begin to
//! read, and the lineages that they commit and save under.
//!
//! A lineage has one history. The first worker that uses it tells the history; whoever uses it
//! later, by whatever way it came to it, must have the same.

use std::collections::BTreeMap;

use catalogue::fingerprint;
use catalogue::plan::TopicId;
use pipeline::LogGap;
use pipeline::lineage::Lineage;
use pipeline::name::SnapshotName;
use pipeline::port::{Assignment, Notice, Position, TaskId};

use super::World;
use super::broker::Place;
use super::hand::Gone;
use super::outcome::Check;
use super::truth::History;

impl World {
    /// What a task is made of, from what the worker said and did since it has the share.
    pub(super) fn begin_history(&mut self, worker: u64, partition: i32, starts: &[Assignment]) {
        let topics = self.topics();
        let task = TaskId {
            group: 0,
            partition,
        };
        let epoch = self.epochs.get(&task).copied().unwrap_or(0);
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let start = |topic| {
            let mut starts = starts.iter();
            starts.find(|it| (it.topic, it.partition) == (topic, partition))
        };
        let starts = topics.iter().map(|topic| start(*topic).map(|it| it.start));
        if starts.into_iter().any(|start| start.is_none()) {
            let detail = format!("worker {worker} begins with a part of partition {partition}");
            return self.fail(Check::Protocol, detail);
        }
        let ends = topics
            .iter()
            .map(|topic| self.broker.log((*topic, partition)).end);
        hand.ends.entry(task).or_insert_with(|| ends.collect());
        let logs = self
            .truth
            .logs(topics.iter().map(|topic| (*topic, partition)));
        let anew = !hand.settled.contains(&task);
        let standings: BTreeMap<Place, i64> = hand
            .logic
            .standings()
            .map(|(topic, partition, it)| ((topic, partition), it.position))
            .collect();
        // Not where delivery begins: the record before may be looked at once more.
        let stands = |topic: &TopicId| standings.get(&(*topic, partition)).copied();
        let stands: Vec<i64> = topics.iter().filter_map(stands).collect();
        hand.stood.insert(task, stands.clone());
        if anew {
            let history = History {
                origin: stands.clone(),
                logs: logs.clone(),
                plan: self.version,
                ..History::default()
            };
            hand.histories.insert(task, history);
        }
        let history = hand.histories.entry(task).or_default();
        if hand.lost.contains(&task) {
            let restored = hand.settled.contains(&task);
            let zeroed = topics.iter().map(|topic| {
                let place = (*topic, partition);
                let stands = standings.get(&place).copied().unwrap_or(0);
                zero_at(hand.positions.get(&place), stands, restored)
            });
            history.zeroed = Some(zeroed.collect());
            history.epoch = epoch;
        }
        let totals_lost = hand.lost.contains(&task);
        if anew || totals_lost {
            history.missed.clear();
            let missed = hand.missed.iter().filter(|it| it.0.0 == task);
            missed.for_each(|((_, input), records)| history.miss(*input, *records));
        }
        hand.settled.insert(task);
        if !anew || totals_lost {
            return;
        }
        self.remember_origin(worker, task, (logs, stands));
    }

    /// Where a task's history begins; another one than before is a new beginning, if it was shown.
    fn remember_origin(&mut self, worker: u64, task: TaskId, origin: (Vec<u32>, Vec<i64>)) {
        if !self.shown.contains(&task) {
            self.origins.insert(task, origin);
        } else if self.origins.get(&task) != Some(&origin) {
            self.begins_anew(worker, task);
        }
    }

    /// A task that was shown before begins as a brand-new one: its counters fall.
    fn begins_anew(&mut self, worker: u64, task: TaskId) {
        let epoch = self.epochs.entry(task).or_default();
        *epoch += 1;
        let epoch = *epoch;
        if !self.excuse.anew {
            self.fail(Check::Kept, format!("worker {worker} begins {task:?} anew"));
        }
        let history = self
            .hands
            .get_mut(&worker)
            .and_then(|hand| hand.histories.get_mut(&task));
        if let Some(history) = history {
            history.epoch = epoch;
        }
    }

    /// The worker's state of a task goes by this lineage.
    pub(super) fn identify(&mut self, worker: u64, task: TaskId, lineage: Lineage) {
        let told = self
            .hands
            .get(&worker)
            .and_then(|hand| hand.histories.get(&task));
        // A log that was made anew may be taken for the old one where nothing is left that would tell.
        let same =
            |it: &&History| told.is_none_or(|told| told.logs.is_empty() || told.logs == it.logs);
        let known = self.lineages.get(&(task, lineage)).filter(same).cloned();
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let history = match (known, hand.histories.get(&task)) {
            (Some(known), _) => known,
            (None, told) => {
                // A state that was made ready in a share that ended before it was read was kept: it
                // begins where it stood when it was first read.
                let plan = fingerprint::of_plan(&self.plan, task.group);
                let stood = hand.stood.get(&task).cloned().unwrap_or_default();
                let fresh = Lineage::origin(plan, &stood) == lineage;
                match told {
                    Some(told) if !fresh => told.clone(),
                    _ => History {
                        logs: told.map(|told| told.logs.clone()).unwrap_or_default(),
                        origin: stood,
                        plan: self.version,
                        // Its counters may have fallen when it began.
                        epoch: told.map_or(0, |told| told.epoch),
                        ..History::default()
                    },
                }
            }
        };
        hand.histories.insert(task, history.clone());
        self.lineages.insert((task, lineage), history);
    }

    /// A snapshot is handed out: whoever takes it takes its history.
    pub(super) fn remember(&mut self, worker: u64, task: TaskId, name: &str) {
        let Some(parsed) = SnapshotName::parse(name) else {
            return self.fail(Check::Protocol, format!("worker {worker} saves {name}"));
        };
        self.identify(worker, task, parsed.lineage);
        let history = self
            .hands
            .get(&worker)
            .and_then(|hand| hand.histories.get(&task));
        if let Some(history) = history {
            self.saved.insert((task, name.to_owned()), history.clone());
        }
    }

    /// Gaps that were noticed after a state was taken up belong to it.
    pub(super) fn tell_gaps(&mut self, worker: u64) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        for gone in hand.gaps.drain(..) {
            hand.missed.insert((gone.task, gone.input), gone.unread);
            if hand.settled.contains(&gone.task)
                && let Some(history) = hand.histories.get_mut(&gone.task)
            {
                history.gaps.push((gone.input, gone.from, gone.to));
                history.miss(gone.input, gone.unread);
            }
        }
    }

    /// What a notice says of a task's history.
    pub(super) fn noticed(&mut self, worker: u64, notice: &Notice) {
        *self.report.notices.entry(name(notice)).or_default() += 1;
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        match notice {
            Notice::Restored { task, name, .. } => {
                let Some(history) = self.saved.get(&(*task, name.clone())) else {
                    let detail = format!("worker {worker} took {name}, which nobody wrote");
                    return self.fail(Check::Protocol, detail);
                };
                let mut history = history.clone();
                if !self.faults.topic_ids {
                    self.truth.carry_over(*task, &mut history, name);
                }
                hand.histories.insert(*task, history);
                hand.restored.insert(*task, name.clone());
                hand.settled.insert(*task);
            }
            Notice::Kept { task } => {
                hand.settled.insert(*task);
                self.awaits_reading(worker, *task);
            }
            Notice::TotalsLost { task, .. } => {
                hand.lost.insert(*task);
                *self.epochs.entry(*task).or_default() += 1;
                self.totals_lost(worker, *task);
            }
            Notice::Adopted { task, anew } => self.adopted(worker, *task, anew),
            Notice::Gap {
                topic,
                partition,
                records,
                read_before,
            } => self.gap(worker, (*topic, *partition), *records, *read_before),
            Notice::Recreated { .. } if !self.excuse.anew || self.log_gap == LogGap::Stop => {
                self.fail(Check::Kept, format!("worker {worker}: {notice:?}"));
            }
            _ => {}
        }
    }

    /// A snapshot of other KPIs was taken over: those that are the same go on.
    fn adopted(&mut self, worker: u64, task: TaskId, anew: &[String]) {
        let version = self.version;
        let changed = self.truth.changed.clone();
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let name = hand.restored.get(&task);
        let at = name.and_then(|name| SnapshotName::parse(name));
        let (Some(history), Some(at)) = (hand.histories.get_mut(&task), at) else {
            let detail = format!("worker {worker} adopts {task:?} without a snapshot");
            return self.fail(Check::Protocol, detail);
        };
        history.plan = version;
        history.anew = Some(at.offsets);
        if *anew != changed {
            let detail = format!("worker {worker}, {task:?}: {anew:?} begin anew, not {changed:?}");
            self.fail(Check::Kept, detail);
        }
    }

    /// Records were gone when the worker came by. Who had read some of them had committed that.
    fn gap(&mut self, worker: u64, place: Place, unread: u64, read_before: u64) {
        let input = self.topics().iter().position(|topic| *topic == place.0);
        let task = TaskId {
            group: 0,
            partition: place.1,
        };
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        let position = hand.positions.get(&place);
        let (Some(position), Some(input)) = (position, input) else {
            let detail =
                format!("worker {worker} notices a gap in what it doesn't have: {place:?}");
            return self.fail(Check::Protocol, detail);
        };
        let start = position.log_start;
        let committed = position.committed.as_ref();
        // A state that was saved or kept in memory may have read more than was committed.
        let most = committed.map_or(0, |it| (start - it.0).max(0));
        let records = i64::try_from(unread + read_before).unwrap_or(i64::MAX);
        hand.gaps.push(Gone {
            task,
            input,
            from: start - records,
            to: start,
            unread,
        });
        let most = most.unsigned_abs();
        if unread > most || read_before > 0 && unread != most {
            let detail =
                format!("worker {worker} counts {unread} lost records of {place:?}, not {most}");
            self.fail(Check::Oracle, detail);
        }
        if !self.excuse.retention || self.log_gap == LogGap::Stop {
            self.fail(
                Check::Kept,
                format!("worker {worker} notices a gap: {place:?}, {records}"),
            );
        }
    }
}

fn name(notice: &Notice) -> &'static str {
    match notice {
        Notice::Kept { .. } => "kept in memory",
        Notice::Restored { .. } => "restored",
        Notice::Adopted { .. } => "adopted",
        Notice::Carried { .. } => "carried over",
        Notice::LeftBehind { .. } => "left behind",
        Notice::Refused { .. } => "snapshot refused",
        Notice::Rebuilding { .. } => "rebuilt",
        Notice::TotalsLost { .. } => "totals lost",
        Notice::Gap { .. } => "gap",
        Notice::Recreated { .. } => "recreated",
        Notice::ForeignCommit { .. } => "foreign commit",
        Notice::StoreUnavailable { .. } => "store unavailable",
        Notice::CommitFailed { .. } => "commit failed",
        Notice::Fenced => "fenced",
        Notice::Serving { .. } => "serving",
    }
}

/// Where the totals of an input are set to zero: at what is committed, or behind what is gone.
fn zero_at(position: Option<&Position>, stands: i64, restored: bool) -> i64 {
    let committed = position.and_then(|it| it.committed.as_ref());
    let end = position.map_or(0, |it| it.log_end);
    let committed = committed.map_or(0, |it| it.0.min(end));
    let after_gap = position.map_or(0, |it| it.log_start);
    committed.max(if restored { stands } else { after_gap })
}
