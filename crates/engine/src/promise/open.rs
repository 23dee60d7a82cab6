//! The open orders of one label set: by the second they started in, unjudged ones also by the second
//! of their deadline.
//!
//! A view must not cost by open orders. What it asks for are sums of all seconds before one that
//! moves with the display time; so the sum is kept, follows the orders that come and go, and takes
//! in the seconds that the display time has passed since it was last asked for. These sums are
//! memory of what was asked, not state: `encode` leaves them out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use catalogue::plan::Window;
use events::{EventTime, Span};

use crate::encode::Encoder;
use crate::panes::pane_of;
use crate::survival::Survival;

const SECOND: Span = Span::from_seconds(1);

/// See the file's header.
#[derive(Clone, Debug)]
pub struct OpenOrders {
    starts: BTreeMap<i64, u64>,
    /// Of all of `starts`.
    total: u64,
    /// Of `starts` before `overdue_before`.
    overdue: u64,
    overdue_before: i64,
    /// By (deadline second, start second).
    unjudged: BTreeMap<(i64, i64), u64>,
    /// Of `unjudged` with a deadline before `due_before`.
    due: u64,
    due_before: i64,
    /// The due ones by the pane of their start, for each window's length of a pane.
    due_panes: Vec<(Span, BTreeMap<i64, u64>)>,
    /// Orders that came and went since the last view: life tables follow them. `None`: too many.
    changes: Option<Vec<Change>>,
}

/// An order that opened or is open no longer, by the second it started in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Opened.
    Opened(i64),
    /// Closed.
    Closed(i64),
}

/// So many changes are kept for the next view, and more where many seconds would have to be read.
const CHANGES: usize = 64;

impl OpenOrders {
    /// None yet.
    pub fn new(windows: &[Window]) -> OpenOrders {
        let panes = |window: &Window| (window.pane(), BTreeMap::new());
        OpenOrders {
            starts: BTreeMap::new(),
            total: 0,
            overdue: 0,
            overdue_before: i64::MIN,
            unjudged: BTreeMap::new(),
            due: 0,
            due_before: i64::MIN,
            due_panes: windows.iter().map(panes).collect(),
            changes: None,
        }
    }

    /// An order opened.
    pub fn opened(&mut self, start: EventTime) {
        let second = pane_of(start, SECOND);
        *self.starts.entry(second).or_default() += 1;
        self.total += 1;
        self.overdue += u64::from(second < self.overdue_before);
        self.note(Change::Opened(second));
    }

    /// An order is open no longer.
    pub fn closed(&mut self, start: EventTime) {
        let second = pane_of(start, SECOND);
        take(&mut self.starts, second, 1);
        self.total -= 1;
        self.overdue -= u64::from(second < self.overdue_before);
        self.note(Change::Closed(second));
    }

    /// An order waits for a judgement at `deadline`.
    pub fn awaits_judgement(&mut self, start: EventTime, deadline: EventTime) {
        let (deadline, start) = (pane_of(deadline, SECOND), pane_of(start, SECOND));
        *self.unjudged.entry((deadline, start)).or_default() += 1;
        if deadline < self.due_before {
            self.became_due(start, 1);
        }
    }

    /// It waits no longer.
    pub fn judgement_came(&mut self, start: EventTime, deadline: EventTime) {
        let (deadline, start) = (pane_of(deadline, SECOND), pane_of(start, SECOND));
        take(&mut self.unjudged, (deadline, start), 1);
        if deadline < self.due_before {
            self.is_due_no_longer(start, 1);
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The start of the oldest one, rounded up to a second.
    pub fn oldest(&self) -> Option<EventTime> {
        self.starts
            .first_key_value()
            .map(|(second, _)| end_of(*second))
    }

    /// How many started before this instant; a second stands for its end.
    pub fn started_before(&mut self, limit: EventTime) -> u64 {
        let (last, now) = (self.overdue_before, pane_of(limit, SECOND));
        let sum = |from: i64, to: i64| {
            self.starts
                .range(from..to)
                .map(|entry| entry.1)
                .sum::<u64>()
        };
        if last <= now {
            self.overdue += sum(last, now);
        } else {
            self.overdue -= sum(now, last);
        }
        self.overdue_before = now;
        self.overdue
    }

    /// How many are unjudged past their deadline at the display time.
    pub fn due(&mut self, display: EventTime) -> u64 {
        let (last, now) = (self.due_before, whole_seconds(display));
        let (from, to) = (last.min(now), last.max(now));
        let passed = self.unjudged.range((from, i64::MIN)..(to, i64::MIN));
        let passed: Vec<(i64, u64)> = passed.map(|(&(_, start), &count)| (start, count)).collect();
        for (start, count) in passed {
            if last <= now {
                self.became_due(start, count);
            } else {
                self.is_due_no_longer(start, count);
            }
        }
        self.due_before = now;
        self.due
    }

    /// Of the due ones, those that started in the sixty panes before pane `floor` of a window.
    pub fn due_in_window(&self, window: usize, floor: i64) -> u64 {
        let panes = &self.due_panes[window].1;
        panes.range(floor - 60..floor).map(|entry| entry.1).sum()
    }

    /// The life table of those that started before the end of this window.
    pub fn life_table(&self, bounds: Bounds) -> Survival {
        let mut table = Survival::default();
        let started = self.starts.range(..whole_seconds(bounds.end));
        table.add_all_left(started.map(|(second, count)| {
            let (entry, exit) = bounds.at_risk(*second);
            (entry, exit, *count)
        }));
        table.fold();
        table
    }

    /// The orders that came and went since `begin_changes`, or `None` where they were too many.
    pub fn changes(&self) -> Option<&[Change]> {
        self.changes.as_deref()
    }

    /// Begins to keep what changes anew.
    pub fn begin_changes(&mut self) {
        self.changes.get_or_insert_default().clear();
    }

    fn note(&mut self, change: Change) {
        let most = CHANGES.max(self.starts.len() / 16);
        if let Some(changes) = &mut self.changes {
            if changes.len() < most {
                changes.push(change);
            } else {
                self.changes = None;
            }
        }
    }

    /// An estimate of the bytes outside of itself.
    pub fn bytes(&self) -> usize {
        let due: usize = self.due_panes.iter().map(|panes| panes.1.len()).sum();
        let changes = self.changes.as_ref().map_or(0, Vec::capacity) * size_of::<Change>();
        self.starts.len() * 24 + self.unjudged.len() * 32 + due * 24 + changes
    }

    /// Writes the orders by second.
    pub fn encode(&self, out: &mut Encoder) {
        out.length(self.starts.len());
        for (second, count) in &self.starts {
            out.signed(*second);
            out.unsigned(*count);
        }
        out.length(self.unjudged.len());
        for ((deadline, start), count) in &self.unjudged {
            out.signed(*deadline);
            out.signed(*start);
            out.unsigned(*count);
        }
    }

    fn became_due(&mut self, start: i64, count: u64) {
        self.due += count;
        for (length, panes) in &mut self.due_panes {
            *panes.entry(pane_of(end_of(start), *length)).or_default() += count;
        }
    }

    fn is_due_no_longer(&mut self, start: i64, count: u64) {
        self.due -= count;
        for (length, panes) in &mut self.due_panes {
            take(panes, pane_of(end_of(start), *length), count);
        }
    }
}

/// A window (begin, end] of a life table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Where it begins.
    pub begin: EventTime,
    /// Where it ends.
    pub end: EventTime,
}

impl Bounds {
    /// The ages between which an order that started then is at risk, if it is open at the end.
    pub fn ages(self, start: EventTime) -> (Span, Span) {
        ((self.begin - start).max(Span::ZERO), self.end - start)
    }

    /// The same for the middle of a second.
    fn at_risk(self, second: i64) -> (Span, Span) {
        self.ages(EventTime(second * SECOND.0 + SECOND.0 / 2))
    }

    /// Lets the life table of open orders follow one that came or went; false if it is not in it.
    pub fn follow(self, table: &mut Survival, change: Change) -> bool {
        let (Change::Opened(second) | Change::Closed(second)) = change;
        if second >= whole_seconds(self.end) {
            return false;
        }
        let (entry, exit) = self.at_risk(second);
        match change {
            Change::Opened(_) => table.put_left(entry, exit),
            Change::Closed(_) => table.take_left(entry, exit),
        }
        true
    }
}

/// How many whole seconds the epoch is ago at `time`.
fn whole_seconds(time: EventTime) -> i64 {
    time.0.div_euclid(SECOND.0)
}

fn end_of(second: i64) -> EventTime {
    EventTime((second + 1) * SECOND.0)
}

fn take<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, count: u64) {
    let Entry::Occupied(mut entry) = counts.entry(key) else {
        panic!("an order is taken from where it was counted");
    };
    *entry.get_mut() -= count;
    if *entry.get() == 0 {
        entry.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime(seconds * SECOND.0)
    }

    fn orders() -> OpenOrders {
        OpenOrders::new(&[])
    }

    #[test]
    fn sums_follow_the_display_time_forth_and_back_and_orders_that_come_and_go() {
        let mut open = orders();
        for second in 1..=100 {
            open.opened(at(second));
            open.awaits_judgement(at(second), at(second + 60));
        }
        assert_eq!(open.started_before(at(50)), 49);
        assert_eq!(open.started_before(at(80)), 79);
        open.closed(at(10));
        open.closed(at(90));
        open.opened(at(20));
        assert_eq!(open.started_before(at(80)), 79);
        assert_eq!(open.started_before(at(30)), 29);
        assert_eq!((open.total(), open.oldest()), (99, Some(at(1))));
        assert_eq!(open.due(at(100)), 40);
        open.judgement_came(at(1), at(61));
        open.judgement_came(at(99), at(159));
        open.awaits_judgement(at(5), at(65));
        assert_eq!(open.due(at(100)), 40);
        assert_eq!(open.due(at(70)), 10);
        assert_eq!(open.due(at(1000)), 99);
    }
}
