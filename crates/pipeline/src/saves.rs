//! When a task is saved.
//!
//! The first snapshot is made soon after reading began, so that a short life is covered too; then
//! one every `snapshot_every`, or less often if making them would hold the worker up for more than
//! 3 % of the time. While the store doesn't take them the pauses double. One is on its way at a
//! time. An unchanged state is saved now and then all the same: the age of the last snapshot tells
//! whether saving works.

use catalogue::settings::UNCHANGED_SAVED_AFTER;
use engine::snapshot::SectionRef;
use events::Span;

use crate::port::LeaseTime;

/// How long a first commit waits for the first snapshot of its lineage.
const FIRST_WITHIN: Span = Span::from_seconds(2);
/// The first snapshot comes this long after reading began.
const FIRST_AFTER: Span = Span::from_seconds(1);
/// The pauses after failures.
const RETRY_FIRST: Span = Span::from_seconds(2);
const RETRY_MOST: Span = Span::from_seconds(60);
/// An answer that is late by this much won't come.
const PATIENCE: Span = Span::from_seconds(60);
/// One part of the time in 33: 3 %.
const COST_SHARE: i64 = 33;

/// Of one task; see the file's header.
#[derive(Default, Debug)]
pub(crate) struct Saves {
    /// `None`: not reading yet.
    due: Option<LeaseTime>,
    on_its_way: Option<OnItsWay>,
    /// The last one that went through, and when it was made.
    saved: Option<(String, LeaseTime)>,
    /// What lies in the store under these names is unsound.
    avoided: Vec<String>,
    failures: u32,
    held_up: Span,
    /// The present lineage has no snapshot, and the log alone doesn't give it again: committed and
    /// then lost, its totals and its gaps would be gone. So nothing of it is committed before it is
    /// saved, unless the store doesn't take it.
    first_awaited: bool,
}

#[derive(Debug)]
struct OnItsWay {
    name: String,
    sections: Vec<SectionRef>,
    since: LeaseTime,
}

impl Saves {
    /// Reading begins.
    pub(crate) fn begin(&mut self, at: LeaseTime) {
        let after = match self.first_awaited {
            true => Span::ZERO,
            false => FIRST_AFTER,
        };
        self.due = Some(LeaseTime(at.0 + after.0));
    }

    /// A lineage begins that the store doesn't have and the log doesn't give again.
    pub(crate) fn await_first(&mut self) {
        self.first_awaited = true;
    }

    /// Whether a commit has to wait for the first snapshot.
    pub(crate) fn holds_back(&self, at: LeaseTime) -> bool {
        let sent = self.on_its_way.as_ref();
        let in_time = sent.is_none_or(|sent| at.0 - sent.since.0 < FIRST_WITHIN.0);
        self.first_awaited && in_time
    }

    /// When the next one is due, if none is on its way.
    pub(crate) fn due(&self) -> Option<LeaseTime> {
        self.due.filter(|_| self.on_its_way.is_none())
    }

    /// Whether one may be sent at once, whatever the cadence: not so soon after a failure.
    pub(crate) fn may_be_sent(&self, at: LeaseTime) -> bool {
        let paused = self.failures > 0 && self.due.is_some_and(|due| due > at);
        self.on_its_way.is_none() && !paused
    }

    /// How long the last one held the worker up.
    pub(crate) fn held_up(&self) -> Span {
        self.held_up
    }

    /// Nothing is saved under these names: something unsound is there, and objects are never
    /// written over. The state has another name as soon as it has read on.
    pub(crate) fn avoid(&mut self, names: Vec<String>) {
        self.avoided = names;
    }

    /// Whether this very state is stored, or can't be.
    pub(crate) fn has(&self, name: &str) -> bool {
        let saved = self.saved.as_ref().is_some_and(|saved| saved.0 == name);
        saved || self.avoided.iter().any(|avoided| avoided == name)
    }

    /// Whether this state was stored so lately that it needn't be again, or can't be stored; it is
    /// then due later.
    pub(crate) fn puts_off(&mut self, name: &str, at: LeaseTime, every: Span) -> bool {
        let fresh = |saved: &(String, LeaseTime)| {
            saved.0 == name && at.0 - saved.1.0 < every.0.saturating_mul(UNCHANGED_SAVED_AFTER)
        };
        let avoided = self.avoided.iter().any(|avoided| avoided == name);
        self.first_awaited &= !avoided;
        let fresh = avoided || self.saved.as_ref().is_some_and(fresh);
        if fresh {
            self.due = Some(LeaseTime(at.0.saturating_add(every.0)));
        }
        fresh
    }

    /// One is sent.
    pub(crate) fn sent(&mut self, name: String, sections: Vec<SectionRef>, at: LeaseTime) {
        self.on_its_way = Some(OnItsWay {
            name,
            sections,
            since: at,
        });
    }

    /// Its answer is here: the sections that were sent with it, and when. `None` if it isn't the
    /// one on its way.
    pub(crate) fn answered(
        &mut self,
        name: &str,
        held_up: Span,
    ) -> Option<(Vec<SectionRef>, LeaseTime)> {
        let sent = self.on_its_way.take_if(|sent| sent.name == name)?;
        self.held_up = held_up;
        Some((sent.sections, sent.since))
    }

    /// It went through; `present`: it is of the present lineage.
    pub(crate) fn succeeded(&mut self, name: String, made: LeaseTime, every: Span, present: bool) {
        self.failures = 0;
        self.saved = Some((name, made));
        self.first_awaited &= !present;
        let pause = match self.first_awaited {
            true => Span::ZERO,
            false => every,
        };
        self.due = Some(LeaseTime(made.0.saturating_add(pause.0)));
    }

    /// It did not.
    pub(crate) fn failed(&mut self, at: LeaseTime) {
        let doubled = RETRY_FIRST.0 << self.failures.min(16);
        self.failures += 1;
        self.first_awaited = false;
        self.due = Some(LeaseTime(at.0 + doubled.min(RETRY_MOST.0)));
    }

    /// Gives up on an answer that is too late.
    pub(crate) fn gave_up(&mut self, at: LeaseTime) -> bool {
        let late = |sent: &mut OnItsWay| at.0 - sent.since.0 > PATIENCE.0;
        let gave_up = self.on_its_way.take_if(late).is_some();
        if gave_up {
            self.failed(at);
        }
        gave_up
    }
}

/// The time between two snapshots of a task, where making one of each task holds the worker up for
/// `held_up` altogether.
pub(crate) fn every(at_least: Span, held_up: Span) -> Span {
    Span(at_least.0.max(held_up.0.saturating_mul(COST_SHARE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Span = Span::from_seconds(10);

    fn seconds(seconds: i64) -> LeaseTime {
        LeaseTime(seconds * 1_000_000)
    }

    #[test]
    fn saving_costs_at_most_three_percent_of_the_time() {
        assert_eq!(every(EVERY, Span(0)), EVERY);
        let costly = every(EVERY, Span::from_seconds(3));
        assert!(costly >= Span::from_seconds(97), "{costly:?}");
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_a_success_ends_them() {
        let mut saves = Saves::default();
        saves.begin(seconds(0));
        assert_eq!(saves.due(), Some(seconds(1)));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            saves.failed(seconds(100));
            let due = saves.due().expect("none is on its way");
            pauses.push((due.0 - seconds(100).0) / 1_000_000);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        saves.succeeded("a".into(), seconds(200), EVERY, true);
        assert_eq!(saves.due(), Some(seconds(210)));
        saves.failed(seconds(210));
        assert_eq!(saves.due(), Some(seconds(212)));
    }

    #[test]
    fn one_is_on_its_way_and_only_its_own_answer_counts() {
        let mut saves = Saves::default();
        saves.begin(seconds(0));
        saves.sent("a".into(), Vec::new(), seconds(1));
        assert_eq!(saves.due(), None);
        assert_eq!(saves.answered("b", Span(1)), None);
        assert_eq!(saves.answered("a", Span(1)), Some((Vec::new(), seconds(1))));
        assert_eq!(saves.answered("a", Span(1)), None);
    }

    /// A lineage that nothing else would give again.
    fn new_lineage() -> Saves {
        let mut saves = Saves::default();
        saves.await_first();
        saves.begin(seconds(0));
        assert_eq!(saves.due(), Some(seconds(0)), "at once");
        assert!(saves.holds_back(seconds(100)), "it wasn't even sent");
        saves.sent("a".into(), Vec::new(), seconds(0));
        saves
    }

    #[test]
    fn the_first_commit_of_a_lineage_waits_for_its_first_snapshot() {
        let mut saves = new_lineage();
        assert!(saves.holds_back(seconds(1)));
        assert!(saves.answered("a", Span(1)).is_some());
        saves.succeeded("a".into(), seconds(0), EVERY, false);
        assert!(saves.holds_back(seconds(1)), "that was another lineage's");
        assert_eq!(saves.due(), Some(seconds(0)));
        saves.succeeded("b".into(), seconds(1), EVERY, true);
        assert!(!saves.holds_back(seconds(1)));
        assert_eq!(saves.due(), Some(seconds(11)));
    }

    #[test]
    fn the_first_commit_does_not_wait_for_a_store_that_does_not_take_it() {
        let mut refused = new_lineage();
        refused.failed(seconds(0));
        assert!(!refused.holds_back(seconds(0)));
        let silent = new_lineage();
        assert!(!silent.holds_back(seconds(2)));
        let mut unsound = new_lineage();
        unsound.avoid(vec!["a".into()]);
        assert!(unsound.puts_off("a", seconds(0), EVERY));
        assert!(!unsound.holds_back(seconds(0)));
        let mut known = Saves::default();
        known.begin(seconds(0));
        assert!(!known.holds_back(seconds(0)));
    }

    #[test]
    fn an_answer_that_never_comes_is_given_up() {
        let mut saves = Saves::default();
        saves.sent("a".into(), Vec::new(), seconds(0));
        assert!(!saves.gave_up(seconds(60)));
        assert!(saves.gave_up(seconds(61)));
        assert_eq!(saves.due(), Some(seconds(63)));
    }

    #[test]
    fn an_unchanged_state_is_saved_seldom() {
        let mut saves = Saves::default();
        saves.succeeded("a".into(), seconds(0), EVERY, true);
        assert!(saves.puts_off("a", seconds(10), EVERY));
        assert_eq!(saves.due(), Some(seconds(20)));
        assert!(!saves.puts_off("b", seconds(20), EVERY));
        assert!(!saves.puts_off("a", seconds(100), EVERY));
    }
}
