//! Kind `promise`: a start, an end, a time limit; each order judged once and for good (DESIGN 3.3).
//!
//! Starts come on partition S, ends and cancels on E, steps on E, S or others; S and E may be one.
//! The state at a vector of offsets is the same however the partitions interleaved, because
//! - a fact (end, cancel, step) belongs to the first start of its key, by offset, with
//!   k_t <= start + horizon + lateness and k_s <= t.time + hold: no later start can change that;
//! - it waits for its start exactly until S's clock is past t.time + hold;
//! - whether an order is kept, broken, taken out or expired depends on the deciding fact's own k
//!   and on E's clock at V, not on what the other partitions showed meanwhile.

mod due;
mod facts;
mod key_text;
mod open;
mod orders;
mod saved;
mod series;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use catalogue::plan::{Promise, Window};
use events::{EventTime, KafkaTime, Key, Span};

use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::panes::{Reach, SavedPanes};
use crate::refused::{EntityLimit, Refused};
use crate::series::{By, SeriesTable};
use crate::table::{Identity, KeyMap};
use crate::view::{OverdueOrder, PromiseSeries};
use due::DueQueue;
use facts::Held;
use key_text::KeyText;
use orders::{Closed, NewOrder, Orders, Place};
use series::{Outcome, Series};

pub use key_text::OVERDUE_KEY_BYTES;

/// See the file's header.
#[derive(Clone, Debug)]
pub struct PromiseState {
    rule: Promise,
    windows: Vec<Window>,
    reach: Reach,
    /// Index of the start's partition among the task's inputs.
    start_input: usize,
    /// Index of the end's and cancel's partition.
    end_input: usize,
    /// Index of each step's partition.
    step_inputs: Vec<usize>,
    open_limit: usize,
    remembered_limit: usize,
    /// S's clock when room was last made in a full table.
    made_room_at: EventTime,
    held_limit: usize,
    orders: Orders,
    series: SeriesTable<Series>,
    /// Unjudged orders by their deadline.
    deadlines: DueQueue,
    /// Judged open orders by the first instant past their horizon.
    horizons: DueQueue,
    held: KeyMap<Vec<Held>>,
    /// Held facts by the last instant of S's clock at which they still wait.
    held_until: BinaryHeap<Reverse<(EventTime, Identity)>>,
    held_count: usize,
    window_dropped: u64,
    refused: Refused,
    /// Orders that a step may still name were let go of.
    overflowed: bool,
    /// The slowest clock of all its partitions when finished orders were last forgotten.
    forgotten_at: EventTime,
    saved_panes: SavedPanes,
}

/// What a record says about an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fact {
    /// It ended.
    End,
    /// It was cancelled.
    Cancel,
    /// It reached this step.
    Step(usize),
}

/// A record about an order, as its partition saw it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seen {
    /// Index of its partition among the task's inputs.
    pub input: usize,
    /// Its offset.
    pub offset: i64,
    /// Its event time.
    pub time: EventTime,
    /// Its partition's clock just before it.
    pub k: EventTime,
    /// Its Kafka timestamp.
    pub kafka: KafkaTime,
}

impl PromiseState {
    /// Before the first record. `inputs`: where the start, the end and each step are read. There is
    /// room for so many label sets.
    pub fn new(
        rule: &Promise,
        windows: &[Window],
        reach: Reach,
        (start_input, end_input, step_inputs): (usize, usize, Vec<usize>),
        limits: &catalogue::plan::Limits,
        label_sets: u64,
    ) -> PromiseState {
        PromiseState {
            windows: windows.to_vec(),
            reach,
            start_input,
            end_input,
            step_inputs,
            open_limit: limits.open_entities,
            remembered_limit: limits.remembered_entities,
            made_room_at: EventTime::MIN,
            held_limit: limits.held_entities,
            orders: Orders::new(rule.steps.len(), rule.horizon + rule.lateness),
            series: SeriesTable::new(label_sets),
            deadlines: DueQueue::default(),
            horizons: DueQueue::default(),
            held: KeyMap::default(),
            held_until: BinaryHeap::new(),
            held_count: 0,
            window_dropped: 0,
            refused: Refused::by(&[
                EntityLimit::Open,
                EntityLimit::Held,
                EntityLimit::Remembered,
            ]),
            overflowed: false,
            forgotten_at: EventTime::MIN,
            saved_panes: SavedPanes::new(windows),
            rule: rule.clone(),
        }
    }

    /// A start. `clocks`: every partition of the task, this record's own still at its k.
    pub fn start(&mut self, key_text: &str, seen: Seen, by: By, clocks: &[EventTime]) {
        let key = Key::of(key_text);
        let lasts = self.lasts();
        if let Some(first) = self.orders.first(key, |start, _| seen.k <= start + lasts) {
            return self.repeated(first);
        }
        let series = self.series_of(by, seen.kafka);
        let slowest = self.slowest_clock(clocks);
        self.orders
            .forget_key(key, |start| slowest <= start + lasts);
        if self.orders.open() >= self.open_limit {
            return self.refused.add(EntityLimit::Open);
        }
        if !self.has_room(clocks) {
            return self.refused.add(EntityLimit::Remembered);
        }
        let deadline = self.deadline(seen.time, seen.k);
        self.saved_panes.touch(seen.time);
        let state = self.series.state(series);
        let in_windows = state.accepts_start(seen.time, seen.k, self.reach);
        self.window_dropped += u64::from(!in_windows.all(self.windows.len()));
        state.counters.started += 1;
        state.opened(seen.time, in_windows, clocks[self.start_input], self.reach);
        if let Some(waiting) = state.open_at_step.first_mut() {
            *waiting += 1;
        }
        state.awaits_judgement(seen.time, deadline);
        let place = self.orders.insert(NewOrder {
            key,
            text: KeyText::of(key_text),
            start: seen.time,
            k: seen.k,
            offset: seen.offset,
            series,
            in_windows,
        });
        self.attach_held(key, place, clocks);
        self.await_next(place, clocks);
    }

    /// A clock went on: lets go of what it decides.
    pub fn advance(&mut self, clocks: &[EventTime]) {
        let end_clock = clocks[self.end_input];
        let next = |state: &mut PromiseState| {
            state
                .deadlines
                .pop(end_clock)
                .or_else(|| state.horizons.pop(end_clock))
        };
        while let Some((_, place, generation)) = next(self) {
            let order = self.orders.at(place);
            if order.generation == generation && order.closed == Closed::No {
                self.await_next(place, clocks);
            }
        }
        let start_clock = clocks[self.start_input];
        while let Some(Reverse((until, key))) = self.held_until.peek().copied() {
            if start_clock <= until {
                break;
            }
            self.held_until.pop();
            self.release_held(key, start_clock);
        }
    }

    /// Frees what no record can refer to any more; logically it is gone already.
    pub fn forget(&mut self, clocks: &[EventTime]) {
        let (start, end) = (clocks[self.start_input], clocks[self.end_input]);
        for series in self.series.states() {
            series.forget(start, end, self.reach);
        }
        let slowest = self.slowest_clock(clocks);
        let lasts = self.lasts();
        if (slowest - self.forgotten_at).0 >= lasts.0 / 16 {
            self.orders.forget(|start| slowest <= start + lasts);
            self.forgotten_at = slowest;
        }
    }

    /// Whether one more order can be remembered. When the table is full, those that only wait for
    /// a step on a silent partition are let go of, and the numbers may be wrong from then on. It is
    /// looked through now and then, not for every start.
    fn has_room(&mut self, clocks: &[EventTime]) -> bool {
        if self.orders.len() < self.remembered_limit {
            return true;
        }
        let (start, end) = (clocks[self.start_input], clocks[self.end_input]);
        let lasts = self.lasts();
        if (start - self.made_room_at).0 >= lasts.0 / 64 {
            self.made_room_at = start;
            self.overflowed = true;
            self.orders.forget(|time| start.min(end) <= time + lasts);
            self.orders.forget_saved();
        }
        self.orders.len() < self.remembered_limit
    }

    /// What is published at a display time.
    pub fn view(&mut self, display: EventTime, dictionaries: &[&Dictionary]) -> Vec<PromiseSeries> {
        let within = self.rule.within;
        self.series.view(dictionaries, |labels, created, series| {
            series.view(labels, created, within, display)
        })
    }

    /// The oldest open orders past their limit, at most `limit`, oldest first.
    pub fn overdue(
        &mut self,
        display: EventTime,
        limit: usize,
        dictionaries: &[&Dictionary],
        position: (catalogue::plan::TopicId, i32),
    ) -> Vec<OverdueOrder> {
        let latest = display - self.rule.within;
        let mut worst: BinaryHeap<(EventTime, i64, Place)> = BinaryHeap::new();
        for (place, order) in self
            .orders
            .iter_open()
            .filter(|entry| entry.1.start < latest)
        {
            worst.push((order.start, order.offset, place));
            if worst.len() > limit {
                worst.pop();
            }
        }
        let oldest_first = worst.into_sorted_vec().into_iter();
        let overdue = oldest_first.map(|(start, offset, place)| {
            let (order, steps) = self.orders.read(place);
            OverdueOrder {
                key: order.text.as_str().into(),
                start,
                age: display - start,
                waiting_for: waiting_for(steps),
                labels: self.series.labels(order.series, dictionaries),
                topic: position.0,
                partition: position.1,
                offset,
            }
        });
        overdue.collect()
    }

    /// Orders that are open, finished and waited for, and their bytes.
    pub fn memory(&self) -> (usize, usize, usize, usize) {
        let held = self.held_count * (size_of::<Held>() + size_of::<Identity>() * 3)
            + self.held_until.capacity() * size_of::<(EventTime, Identity)>();
        let series = self.series.bytes(Series::bytes);
        let bytes =
            series + self.orders.bytes() + (self.deadlines.len() + self.horizons.len()) * 16 + held;
        (
            self.orders.open(),
            self.orders.finished(),
            self.held_count,
            bytes,
        )
    }

    /// False once a limit was hit.
    pub fn exact(&self) -> bool {
        !self.overflowed && self.refused.is_none()
    }

    /// Events that found no room.
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Contributions to windows that came too late for them.
    pub fn window_dropped(&self) -> u64 {
        self.window_dropped
    }

    /// Overflowed dimension values.
    pub fn overflow(&self, dimensions: usize) -> Vec<u64> {
        self.series.overflow(dimensions)
    }

    /// Writes the state.
    pub fn encode(&self, clocks: &[EventTime], out: &mut Encoder) {
        out.unsigned(u64::from(self.overflowed));
        self.refused.encode(out);
        out.unsigned(self.window_dropped);
        let (start, end) = (clocks[self.start_input], clocks[self.end_input]);
        self.series.encode(out, |series, out| {
            series.encode(start, end, self.reach, out)
        });
        let slowest = self.slowest_clock(clocks);
        for (key, series, start, k, place) in self.orders.sorted() {
            if slowest > start + self.lasts() {
                continue;
            }
            out.key(key);
            out.dimensions(self.series.dimensions(series));
            out.time(start);
            out.time(k);
            if let Some(place) = place {
                self.encode_open(place, out);
            }
        }
        let mut held: Vec<_> = self.held.iter().collect();
        held.sort_unstable_by_key(|entry| entry.0);
        for (key, facts) in held {
            out.key(key.0);
            let mut facts = facts.clone();
            facts.sort_unstable();
            for Held { seen, fact } in facts {
                out.length(seen.input);
                out.signed(seen.offset);
                out.time(seen.time);
                out.time(seen.k);
                out.unsigned(match fact {
                    Fact::End => 0,
                    Fact::Cancel => 1,
                    Fact::Step(step) => 2 + step as u64,
                });
            }
        }
    }

    fn encode_open(&self, place: Place, out: &mut Encoder) {
        let (order, steps) = self.orders.read(place);
        if order.complete {
            return;
        }
        out.unsigned(u64::from(order.judged));
        out.unsigned(u64::from(order.in_windows.0));
        let (closed, at) = match order.closed {
            Closed::No => (0, EventTime::MIN),
            Closed::Completed => (1, order.ended),
            Closed::Cancelled => (2, EventTime::MIN),
            Closed::Expired => (3, EventTime::MIN),
        };
        out.unsigned(closed);
        out.time(at);
        steps.iter().for_each(|step| out.time(*step));
    }

    fn series_of(&mut self, by: By, kafka: KafkaTime) -> u32 {
        let (rule, windows) = (&self.rule, &self.windows);
        self.series.of(by, kafka, || Series::new(rule, windows))
    }

    /// How long after its start records can refer to an order.
    fn lasts(&self) -> Span {
        self.rule.horizon + self.rule.lateness
    }

    /// When an order is judged broken, on E's clock: a producer with a fast clock must not break
    /// everyone's promises, so it counts from the later of the start and S's clock.
    fn deadline(&self, start: EventTime, k: EventTime) -> EventTime {
        start.max(k) + self.rule.within + self.rule.lateness
    }

    /// The first instant of E's clock that is past the horizon.
    fn expiry(&self, start: EventTime) -> EventTime {
        EventTime((start + self.lasts()).0.saturating_add(1))
    }

    fn slowest_clock(&self, clocks: &[EventTime]) -> EventTime {
        let inputs = self
            .step_inputs
            .iter()
            .chain([&self.start_input, &self.end_input]);
        inputs
            .map(|input| clocks[*input])
            .min()
            .expect("a promise has a start")
    }

    /// Expires or judges an open order that is due by E's clock, and queues what comes next.
    fn await_next(&mut self, place: Place, clocks: &[EventTime]) {
        let end_clock = clocks[self.end_input];
        let order = self.orders.at(place);
        if order.closed != Closed::No {
            return;
        }
        let (start, k, judged, generation) = (order.start, order.k, order.judged, order.generation);
        let expiry = self.expiry(start);
        if end_clock >= expiry {
            return self.expire(place, clocks);
        }
        let deadline = self.deadline(start, k);
        if !judged && end_clock >= deadline {
            self.judge(place, Outcome::Broken, clocks);
        }
        if self.orders.at(place).judged {
            self.horizons.push((expiry, place, generation));
        } else {
            self.deadlines
                .push((deadline.min(expiry), place, generation));
        }
    }

    fn judge(&mut self, place: Place, outcome: Outcome, clocks: &[EventTime]) {
        let order = self.orders.at(place);
        order.judged = true;
        let (start, k, in_windows, series) = (order.start, order.k, order.in_windows, order.series);
        let deadline = self.deadline(start, k);
        self.saved_panes.touch(start);
        let state = self.series.state(series);
        state.judgement_came(start, deadline);
        state.decided(
            outcome,
            start,
            in_windows,
            clocks[self.start_input],
            self.reach,
        );
    }

    fn expire(&mut self, place: Place, clocks: &[EventTime]) {
        let (start, series, judged) = {
            let order = self.orders.at(place);
            (order.start, order.series, order.judged)
        };
        if !judged {
            self.judge(place, Outcome::Broken, clocks);
        }
        let lasts = self.lasts();
        self.saved_panes.touch(start + lasts);
        let state = self.series.state(series);
        state.counters.expired += 1;
        state.left(
            start + lasts,
            lasts,
            start + lasts,
            clocks[self.end_input],
            self.reach,
        );
        self.close(place, Closed::Expired);
    }
}

/// The step after the furthest one reached.
fn waiting_for(times: &[EventTime]) -> usize {
    times
        .iter()
        .rposition(|time| *time > EventTime::MIN)
        .map_or(0, |furthest| furthest + 1)
}
