//! Promises from their definition (DESIGN 3.3): first every order with what decided it, then the
//! numbers of every order, one after the other.
//!
//! `orders` finds which start each end, cancel and step belongs to; `judge` says what became of an
//! order at V; `ExpectedPromise::add` is what it contributes.

use std::collections::{BTreeMap, HashMap};

use catalogue::plan::{Keyed, Kpi, Promise};
use engine::view::PromiseCounters;
use events::{EventTime, Span};

use super::LabelValues;
use super::intake::{Intake, Taken};
use super::place::{Contribution, window_end};
use super::survival::Spell;

/// A label set of a promise.
#[derive(Clone, Debug)]
pub struct ExpectedPromise {
    /// The cumulative counters.
    pub counters: PromiseCounters,
    /// Of every completed order, unsorted.
    pub durations: Vec<Span>,
    /// Per step, and for the last leg; empty for a promise without steps.
    pub steps: Vec<Vec<Span>>,
    /// Open orders by the step they wait for: the one after the last they took.
    pub open_at_step: Vec<u64>,
    /// Open at V.
    pub open: u64,
    /// Open and past `within` at T.
    pub overdue: u64,
    /// Open and past the deadline at T, but not judged at V.
    pub overdue_unjudged: u64,
    /// The start of the oldest open one.
    pub oldest_open_start: Option<EventTime>,
    /// One per window.
    pub windows: Vec<ExpectedWindow>,
}

/// What a window shows.
#[derive(Clone, Default, Debug)]
pub struct ExpectedWindow {
    /// Of the orders completed in the window.
    pub completed: Vec<Span>,
    /// Of every order that was open at some moment of the window.
    pub spells: Vec<Spell>,
    /// Started in the window and kept.
    pub kept: u64,
    /// Started in the window and broken, or overdue and unjudged.
    pub broken: u64,
    /// Started in the window and not yet anything.
    pub pending: u64,
}

/// An accepted start with everything that belongs to it.
struct Order<'a> {
    start: &'a Taken<'a>,
    labels: LabelValues,
    /// The first end or cancel by offset; true for an end.
    decided: Option<(&'a Taken<'a>, bool)>,
    repeated_ends: u64,
    steps: Vec<Option<EventTime>>,
}

/// What became of an order at V.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Completed,
    Cancelled,
    Expired,
    Open,
}

/// How an order was judged at V.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Kept,
    Broken,
    TakenOut,
    NotYet,
}

/// Everything that finding and judging orders needs.
struct Court<'a> {
    kpi: &'a Kpi,
    promise: &'a Promise,
    intakes: &'a [Intake<'a>],
    display: EventTime,
}

/// Every label set of a promise, and how many contributions came too late for a window.
pub fn expect(
    kpi: &Kpi,
    promise: &Promise,
    intakes: &[Intake<'_>],
    display: EventTime,
) -> (BTreeMap<LabelValues, ExpectedPromise>, u64) {
    let court = Court {
        kpi,
        promise,
        intakes,
        display,
    };
    let mut series: BTreeMap<LabelValues, ExpectedPromise> = BTreeMap::new();
    let entry = |labels| (labels, ExpectedPromise::new(kpi, promise));
    let (orders, repeated_starts, ends_without_start) = court.orders();
    let mut dropped = 0;
    for order in &orders {
        dropped += court.dropped(order);
        let (labels, empty) = entry(order.labels.clone());
        court.add(order, series.entry(labels).or_insert(empty));
    }
    for labels in repeated_starts {
        let (labels, empty) = entry(labels);
        series.entry(labels).or_insert(empty).counters.repeated += 1;
    }
    if ends_without_start > 0 {
        let (labels, empty) = entry(vec!["unknown".to_owned(); kpi.by.len()]);
        series
            .entry(labels)
            .or_insert(empty)
            .counters
            .ends_without_start = ends_without_start;
    }
    (series, dropped)
}

impl<'a> Court<'a> {
    fn intake(&self, keyed: &Keyed) -> &'a Intake<'a> {
        let topic = keyed.event.topic;
        let intake = self.intakes.iter().find(|intake| intake.topic == topic);
        intake.expect("a promise's topics are in its group")
    }

    fn clock(&self, keyed: &Keyed) -> EventTime {
        self.intake(keyed).clock
    }

    /// The last clock at which something can still belong to this start.
    fn reach(&self, start: &Taken<'_>) -> EventTime {
        start.event.time + self.promise.horizon + self.promise.lateness
    }

    /// Whether an end, cancel or step belongs to a start, if no earlier start takes it.
    fn belongs(&self, follower: &Taken<'_>, start: &Taken<'_>) -> bool {
        follower.k <= self.reach(start) && start.k <= follower.event.time + self.promise.hold
    }

    /// The accepted starts with all that belongs to them, the labels of repeated starts, and the
    /// number of ends and cancels that wait no longer.
    fn orders(&self) -> (Vec<Order<'a>>, Vec<LabelValues>, u64) {
        let (mut orders, by_key, repeated_starts) = self.starts();
        let find = |orders: &[Order<'a>], key: &str, follower: &Taken<'_>| {
            let starts: &[usize] = by_key.get(key).map_or(&[], Vec::as_slice);
            starts
                .iter()
                .copied()
                .find(|index| self.belongs(follower, orders[*index].start))
        };
        let mut without_start = 0;
        for (key, taken, is_end) in self.ends_and_cancels() {
            match find(&orders, key, taken) {
                Some(index) if orders[index].decided.is_some() => orders[index].repeated_ends += 1,
                Some(index) => orders[index].decided = Some((taken, is_end)),
                None => {
                    let given_up = taken.event.time + self.promise.hold;
                    without_start += u64::from(self.clock(&self.promise.start) > given_up);
                }
            }
        }
        for (number, step) in self.promise.steps.iter().enumerate() {
            let same_topic = step.event.event.topic == self.promise.end.event.topic;
            for (key, taken) in self.intake(&step.event).select_keyed(&step.event) {
                let Some(index) = find(&orders, key, taken) else {
                    continue;
                };
                let order = &mut orders[index];
                let decided_before = order
                    .decided
                    .is_some_and(|(decided, _)| decided.offset < taken.offset);
                if !(same_topic && decided_before) && order.steps[number].is_none() {
                    order.steps[number] = Some(taken.event.time);
                }
            }
        }
        (orders, repeated_starts, without_start)
    }

    /// The accepted starts in offset order, which of them are each key's, and the labels of the
    /// repeated ones.
    fn starts(
        &self,
    ) -> (
        Vec<Order<'a>>,
        HashMap<&'a str, Vec<usize>>,
        Vec<LabelValues>,
    ) {
        let mut orders: Vec<Order<'a>> = Vec::new();
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut repeated = Vec::new();
        let intake = self.intake(&self.promise.start);
        for (key, start) in intake.select_keyed(&self.promise.start) {
            let labels = intake.labels(start.event, &self.kpi.by);
            let before = by_key.entry(key).or_default();
            let first = before
                .iter()
                .find(|index| start.k <= self.reach(orders[**index].start));
            if let Some(first) = first {
                repeated.push(orders[*first].labels.clone());
                continue;
            }
            before.push(orders.len());
            let steps = vec![None; self.promise.steps.len()];
            orders.push(Order {
                start,
                labels,
                decided: None,
                repeated_ends: 0,
                steps,
            });
        }
        (orders, by_key, repeated)
    }

    /// Ends (true) and cancels in offset order: they are on one topic.
    fn ends_and_cancels(&self) -> Vec<(&'a str, &'a Taken<'a>, bool)> {
        let select = |keyed: &'a Keyed, is_end| {
            let taken = self.intake(keyed).select_keyed(keyed);
            taken.map(move |(key, taken)| (key, taken, is_end))
        };
        let mut all: Vec<_> = select(&self.promise.end, true).collect();
        if let Some(cancel) = &self.promise.cancel {
            all.extend(select(cancel, false));
        }
        all.sort_by_key(|(_, taken, is_end)| (taken.offset, !is_end));
        all.dedup_by_key(|(_, taken, _)| taken.offset);
        all
    }

    /// D: when an order without an end is broken.
    fn deadline(&self, start: &Taken<'_>) -> EventTime {
        start.event.time.max(start.k) + self.promise.within + self.promise.lateness
    }

    fn judge(&self, order: &Order<'_>) -> (Fate, Verdict) {
        let deadline = self.deadline(order.start);
        let clock = self.clock(&self.promise.end);
        match order.decided {
            Some((end, true)) => {
                let in_time = end.event.time - order.start.event.time <= self.promise.within;
                let kept = in_time && end.k < deadline;
                (
                    Fate::Completed,
                    if kept { Verdict::Kept } else { Verdict::Broken },
                )
            }
            Some((cancel, false)) if cancel.k < deadline => (Fate::Cancelled, Verdict::TakenOut),
            Some((_, false)) => (Fate::Cancelled, Verdict::Broken),
            None if clock > self.reach(order.start) => (Fate::Expired, Verdict::Broken),
            None if clock >= deadline => (Fate::Open, Verdict::Broken),
            None => (Fate::Open, Verdict::NotYet),
        }
    }

    /// What one order adds to its label set.
    fn add(&self, order: &Order<'_>, series: &mut ExpectedPromise) {
        let (fate, verdict) = self.judge(order);
        let counters = &mut series.counters;
        counters.started += 1;
        counters.repeated += order.repeated_ends;
        counters.completed += u64::from(fate == Fate::Completed);
        counters.cancelled += u64::from(fate == Fate::Cancelled);
        counters.expired += u64::from(fate == Fate::Expired);
        counters.kept += u64::from(verdict == Verdict::Kept);
        counters.broken += u64::from(verdict == Verdict::Broken);
        if let Some((end, true)) = order.decided {
            let duration = end.event.time - order.start.event.time;
            counters.negative_durations += u64::from(duration < Span::ZERO);
            counters.judged_too_early +=
                u64::from(duration <= self.promise.within && verdict == Verdict::Broken);
            series.durations.push(duration.max(Span::ZERO));
        }
        self.add_steps(order, series);
        if fate == Fate::Open {
            self.add_open(order, verdict, series);
        }
        self.add_windows(order, fate, verdict, series);
    }

    fn add_steps(&self, order: &Order<'_>, series: &mut ExpectedPromise) {
        if order.steps.is_empty() {
            return;
        }
        let mut times = vec![Some(order.start.event.time)];
        times.extend(&order.steps);
        times.push(match order.decided {
            Some((end, true)) => Some(end.event.time),
            _ => None,
        });
        for (leg, ends) in times.windows(2).enumerate() {
            if let [Some(from), Some(to)] = ends {
                series.steps[leg].push((*to - *from).max(Span::ZERO));
            }
        }
    }

    fn add_open(&self, order: &Order<'_>, verdict: Verdict, series: &mut ExpectedPromise) {
        let start = order.start.event.time;
        let taken = order.steps.iter().rposition(Option::is_some);
        if let Some(waiting) = series
            .open_at_step
            .get_mut(taken.map_or(0, |last| last + 1))
        {
            *waiting += 1;
        }
        series.open += 1;
        let overdue = up_to_second(start) + self.promise.within < self.display;
        series.overdue += u64::from(overdue);
        series.overdue_unjudged += u64::from(self.is_overdue_unjudged(order, verdict));
        let oldest = series.oldest_open_start.get_or_insert(start);
        *oldest = start.min(*oldest);
    }

    /// For an open order.
    fn is_overdue_unjudged(&self, order: &Order<'_>, verdict: Verdict) -> bool {
        verdict == Verdict::NotYet && up_to_second(self.deadline(order.start)) <= self.display
    }

    /// A start and an end contribute to windows; what becomes of a start goes where the start is.
    fn dropped(&self, order: &Order<'_>) -> u64 {
        let end = order
            .decided
            .filter(|decided| decided.1)
            .map(|decided| decided.0);
        let late = |taken: &Taken<'_>| self.contribution(taken).is_late_somewhere(self.kpi);
        u64::from(late(order.start)) + u64::from(end.is_some_and(late))
    }

    fn contribution(&self, taken: &Taken<'_>) -> Contribution {
        let (time, k) = (taken.event.time, taken.k);
        Contribution {
            time,
            k,
            lateness: self.promise.lateness,
        }
    }

    fn add_windows(
        &self,
        order: &Order<'_>,
        fate: Fate,
        verdict: Verdict,
        series: &mut ExpectedPromise,
    ) {
        let start = order.start.event.time;
        let started = self.contribution(order.start);
        let bad_by_now = fate == Fate::Open && self.is_overdue_unjudged(order, verdict);
        let left = match (fate, order.decided) {
            (Fate::Open, _) => None,
            (Fate::Expired, _) => Some((self.reach(order.start), false)),
            (_, decided) => decided.map(|(end, is_end)| (end.event.time, is_end)),
        };
        for (shown, window) in series.windows.iter_mut().zip(&self.kpi.windows) {
            if started.is_shown(self.kpi, window, self.display) {
                match verdict {
                    Verdict::Kept => shown.kept += 1,
                    Verdict::Broken => shown.broken += 1,
                    Verdict::NotYet if bad_by_now => shown.broken += 1,
                    Verdict::NotYet => shown.pending += 1,
                    Verdict::TakenOut => {}
                }
            }
            if let Some((end, true)) = order.decided {
                let ended = self.contribution(end);
                if ended.is_shown(self.kpi, window, self.display) {
                    shown
                        .completed
                        .push((end.event.time - start).max(Span::ZERO));
                }
            }
            let end = window_end(self.display, window);
            shown
                .spells
                .extend(Spell::within(start, left, end - window.length, end));
        }
    }
}

impl ExpectedPromise {
    fn new(kpi: &Kpi, promise: &Promise) -> ExpectedPromise {
        let steps = promise.steps.len();
        let legs = if steps == 0 { 0 } else { steps + 1 };
        ExpectedPromise {
            counters: PromiseCounters::default(),
            durations: Vec::new(),
            steps: vec![Vec::new(); legs],
            open_at_step: vec![0; legs],
            open: 0,
            overdue: 0,
            overdue_unjudged: 0,
            oldest_open_start: None,
            windows: vec![ExpectedWindow::default(); kpi.windows.len()],
        }
    }
}

/// Rounded up to a whole second: the engine counts ages by start second.
fn up_to_second(time: EventTime) -> EventTime {
    EventTime(time.0 + (-time.0).rem_euclid(1_000_000))
}
