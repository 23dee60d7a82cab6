//! What must have a reason: that totals are lost once more, and that a task that is ready waits for
//! others.
//!
//! Reasons are the faults that could explain it, until they are over. Where there may be one nothing
//! is said.

use std::collections::BTreeMap;

use events::Span;
use pipeline::port::TaskId;

use super::faults::{Fault, FaultKind};
use super::hand::Stage;
use super::moment::Moment;
use super::outcome::Check;
use super::{BEGIN, Event, World};

/// A first commit waits for its snapshot somewhat longer than a store this slow takes.
const SLOW: Span = Span(1_500_000);
/// After this time a task that is ready is read, whatever the others of its share wait for.
const READ_WITHIN: Span = Span::from_seconds(10);

/// See the file's header.
#[derive(Default, Debug)]
pub struct Reasons {
    /// Until when something can make a state vanish; `None`: nothing did.
    vanish: Option<Moment>,
    /// Until when something can hold a whole worker up.
    hold_up: Option<Moment>,
    /// When totals that had begun at zero were first shown.
    shown: BTreeMap<TaskId, Moment>,
}

impl World {
    /// A fault begins or ends.
    pub(super) fn give_reason(&mut self, fault: Fault) {
        let end = BEGIN.after(fault.at + fault.lasts).max(self.now);
        let vanish = match fault.kind {
            // What was written may be bad for ever.
            FaultKind::Damage { .. } | FaultKind::StoreTrouble(_) => Some(Moment(i64::MAX)),
            FaultKind::SlowStore(most) if most <= SLOW => None,
            FaultKind::Crash(_)
            | FaultKind::CrashAll
            | FaultKind::Join
            | FaultKind::Leave(_)
            | FaultKind::Restart(_) => None,
            _ => Some(end),
        };
        let hold_up = match fault.kind {
            FaultKind::Crash(_)
            | FaultKind::CrashAll
            | FaultKind::Join
            | FaultKind::Leave(_)
            | FaultKind::Restart(_)
            | FaultKind::StoreDown
            | FaultKind::StoreTrouble(_)
            | FaultKind::SlowStore(_)
            | FaultKind::Damage { .. }
            | FaultKind::Wipe
            | FaultKind::Unmounted => None,
            _ => Some(end),
        };
        self.reasons.vanish = self.reasons.vanish.max(vanish);
        self.reasons.hold_up = self.reasons.hold_up.max(hold_up);
    }

    /// A state whose totals began at zero is shown: whoever comes next has to find it.
    pub(super) fn shows_lost(&mut self, task: TaskId) {
        self.reasons.shown.entry(task).or_insert(self.now);
    }

    /// A worker can't find the totals of a task.
    pub(super) fn totals_lost(&mut self, worker: u64, task: TaskId) {
        if !self.excuse.retention && !self.excuse.damage && !self.excuse.plan {
            self.fail(Check::Kept, format!("worker {worker}, {task:?}"));
        }
        let shown = self.reasons.shown.remove(&task);
        if let Some(shown) = shown.filter(|shown| Some(*shown) > self.reasons.vanish) {
            let ago = self.now.since(shown).seconds();
            let detail =
                format!("worker {worker} begins {task:?} at zero once more, {ago:.3} s later");
            self.fail(Check::Kept, detail);
        }
    }

    /// A worker goes on with a task from memory: soon it has to be read.
    pub(super) fn awaits_reading(&mut self, worker: u64, task: TaskId) {
        if let Some(hand) = self.hands.get(&worker) {
            self.later(READ_WITHIN, Event::Look(worker, hand.share, task));
        }
    }

    /// Is it?
    pub(super) fn look(&mut self, worker: u64, share: u64, task: TaskId) {
        let since = Moment(self.now.0 - READ_WITHIN.0);
        let Some(hand) = self.hands.get(&worker) else {
            return;
        };
        let held_up = self.reasons.hold_up.is_some_and(|until| until >= since);
        let read = hand.reading.keys().any(|place| place.1 == task.partition);
        if !held_up && !read && hand.share == share && hand.stage == Stage::Holding {
            let detail = format!("worker {worker} is ready for {task:?} and doesn't read it");
            self.fail(Check::Served, detail);
        }
    }
}
