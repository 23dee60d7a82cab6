//! Ends, cancels and steps: how a fact finds its order, waits for it, and what it changes.

use std::cmp::Reverse;

use events::{EventTime, Key, Span};

use super::orders::{Closed, Found, Place};
use super::series::Outcome;
use super::{Fact, PromiseState, Seen, waiting_for};
use crate::refused::EntityLimit;
use crate::series::NO_DIMENSIONS;
use crate::table::Identity;

/// A fact that waits for its start; ordered by partition and offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Held {
    pub(super) seen: Seen,
    pub(super) fact: Fact,
}

impl PromiseState {
    /// An end, a cancel or a step.
    pub fn fact(&mut self, key_text: &str, fact: Fact, seen: Seen, clocks: &[EventTime]) {
        let key = Key::of(key_text);
        let lasts = self.lasts();
        let latest_k = seen.time + self.rule.hold;
        let found = self
            .orders
            .first(key, |start, k| seen.k <= start + lasts && k <= latest_k);
        match found {
            Some(Found::At(place)) => self.attach(place, fact, seen, clocks),
            Some(finished) => {
                if !matches!(fact, Fact::Step(_)) {
                    self.repeated(finished);
                }
            }
            None if clocks[self.start_input] > latest_k => self.without_start(fact, seen),
            None if self.held_count >= self.held_limit => self.refused.add(EntityLimit::Held),
            None => {
                self.held
                    .entry(Identity(key))
                    .or_default()
                    .push(Held { seen, fact });
                self.held_until.push(Reverse((latest_k, Identity(key))));
                self.held_count += 1;
                self.forget_found();
            }
        }
    }

    /// Facts that found their start leave an entry in `held_until`: they are looked for once they
    /// are most of it, so that the limit of held facts bounds it too.
    fn forget_found(&mut self) {
        if self.held_until.len() <= 2 * self.held_count + 1024 {
            return;
        }
        let (hold, held) = (self.rule.hold, &self.held);
        self.held_until.retain(|Reverse((until, key))| {
            let facts = held.get(key);
            facts.is_some_and(|facts| facts.iter().any(|it| it.seen.time + hold == *until))
        });
    }

    /// A fact finds its order.
    fn attach(&mut self, place: Place, fact: Fact, seen: Seen, clocks: &[EventTime]) {
        match (fact, self.orders.at(place).closed) {
            (Fact::Step(step), _) => self.step(place, step, seen),
            (Fact::End, Closed::No) => self.complete(place, seen, clocks),
            (Fact::Cancel, Closed::No) => self.cancel(place, seen, clocks),
            (Fact::End | Fact::Cancel, _) => {
                self.repeated(Found::At(place));
            }
        }
    }

    fn complete(&mut self, place: Place, seen: Seen, clocks: &[EventTime]) {
        let order = self.orders.at(place);
        let (start, k, series, judged) = (order.start, order.k, order.series, order.judged);
        let in_time = seen.k < self.deadline(start, k);
        let took = (seen.time - start).max(Span::ZERO);
        let kept_its_word = took <= self.rule.within;
        let (end_clock, reach) = (clocks[self.end_input], self.reach);
        self.saved_panes.touch(seen.time);
        let state = self.series.state(series);
        state.counters.completed += 1;
        state.counters.negative_durations += u64::from(seen.time < start);
        state.counters.judged_too_early += u64::from(kept_its_word && !in_time);
        state.duration.observe(&self.rule.edges, took);
        let entered = state.completed(seen.time, took, seen.k, end_clock, reach);
        self.window_dropped += u64::from(!entered);
        if !judged {
            let kept = kept_its_word && in_time;
            self.judge(
                place,
                if kept { Outcome::Kept } else { Outcome::Broken },
                clocks,
            );
        }
        if let Some(before) = self.orders.step_times(place).last().copied()
            && before > EventTime::MIN
        {
            let leg = self.rule.steps.len();
            let took = (seen.time - before).max(Span::ZERO);
            self.series.state(series).steps[leg].observe(&self.rule.edges, took);
        }
        self.orders.at(place).ended = seen.time;
        self.close(place, Closed::Completed);
    }

    fn cancel(&mut self, place: Place, seen: Seen, clocks: &[EventTime]) {
        let order = self.orders.at(place);
        let (start, k, series, judged) = (order.start, order.k, order.series, order.judged);
        let age = (seen.time - start).max(Span::ZERO);
        let in_time = seen.k < self.deadline(start, k);
        self.saved_panes.touch(seen.time);
        let state = self.series.state(series);
        state.counters.cancelled += 1;
        state.left(seen.time, age, seen.k, clocks[self.end_input], self.reach);
        if !judged {
            self.judge(
                place,
                if in_time {
                    Outcome::TakenOut
                } else {
                    Outcome::Broken
                },
                clocks,
            );
        }
        self.close(place, Closed::Cancelled);
    }

    fn step(&mut self, place: Place, step: usize, seen: Seen) {
        let order = self.orders.at(place);
        let (start, series) = (order.start, order.series);
        let (closed, ended) = (order.closed, order.ended);
        if order.complete || closed != Closed::No && seen.input == self.end_input {
            return;
        }
        let times = self.orders.step_times(place);
        if times[step] > EventTime::MIN {
            return;
        }
        let waited_for = waiting_for(times);
        times[step] = seen.time;
        let waits_for = waiting_for(times);
        let before = if step == 0 {
            Some(start)
        } else {
            known(times[step - 1])
        };
        let after = match times.get(step + 1) {
            Some(time) => known(*time),
            None => match closed {
                Closed::Completed => Some(ended),
                _ => None,
            },
        };
        let edges = &self.rule.edges;
        let state = self.series.state(series);
        if let Some(before) = before {
            state.steps[step].observe(edges, (seen.time - before).max(Span::ZERO));
        }
        if let Some(after) = after {
            state.steps[step + 1].observe(edges, (after - seen.time).max(Span::ZERO));
        }
        if closed == Closed::No {
            state.open_at_step[waited_for] -= 1;
            state.open_at_step[waits_for] += 1;
        } else {
            self.compact_if_complete(place);
        }
    }

    pub(super) fn close(&mut self, place: Place, how: Closed) {
        let (start, series) = (self.orders.at(place).start, self.orders.at(place).series);
        let waited_for = waiting_for(self.orders.step_times(place));
        let state = self.series.state(series);
        state.closed(start);
        if let Some(waiting) = state.open_at_step.get_mut(waited_for) {
            *waiting -= 1;
        }
        self.orders.close(place, how);
        self.compact_if_complete(place);
    }

    /// A closed order keeps its place only while steps on other partitions may still come.
    fn compact_if_complete(&mut self, place: Place) {
        let end_input = self.end_input;
        let step_inputs = &self.step_inputs;
        let times = self.orders.step_times(place);
        let complete = times
            .iter()
            .zip(step_inputs)
            .all(|(time, input)| *time > EventTime::MIN || *input == end_input);
        if complete {
            self.orders.compact(place);
        }
    }

    /// Gives a new start the facts that waited for it, in the order of their offsets.
    pub(super) fn attach_held(&mut self, key: Key, place: Place, clocks: &[EventTime]) {
        let Some(mut held) = self.held.remove(&Identity(key)) else {
            return;
        };
        held.sort_unstable();
        let (start, k) = (self.orders.at(place).start, self.orders.at(place).k);
        let lasts = self.lasts();
        let hold = self.rule.hold;
        let generation = self.orders.at(place).generation;
        let suits = |held: &Held| held.seen.k <= start + lasts && k <= held.seen.time + hold;
        let (mine, others): (Vec<Held>, Vec<Held>) = held.into_iter().partition(suits);
        self.held_count -= mine.len();
        if !others.is_empty() {
            self.held.insert(Identity(key), others);
        }
        for Held { seen, fact } in mine {
            // The first end shrinks the order to its table entry: the rest are repeats.
            if self.orders.at(place).generation == generation {
                self.attach(place, fact, seen, clocks);
            } else {
                self.fact_of_finished(key, fact, seen);
            }
        }
    }

    fn fact_of_finished(&mut self, key: Key, fact: Fact, seen: Seen) {
        let (lasts, latest_k) = (self.lasts(), seen.time + self.rule.hold);
        let found = self
            .orders
            .first(key, |start, k| seen.k <= start + lasts && k <= latest_k);
        if let (Some(Found::Finished(series)), Fact::End | Fact::Cancel) = (found, fact) {
            self.series.state(series).counters.repeated += 1;
        }
    }

    /// Lets go of a key's facts that S's clock has passed.
    pub(super) fn release_held(&mut self, key: Identity, start_clock: EventTime) {
        let hold = self.rule.hold;
        let Some(held) = self.held.get_mut(&key) else {
            return;
        };
        let gone = |held: &mut Held| start_clock > held.seen.time + hold;
        let released: Vec<Held> = held.extract_if(.., gone).collect();
        if held.is_empty() {
            self.held.remove(&key);
        }
        self.held_count -= released.len();
        for Held { seen, fact } in released {
            self.without_start(fact, seen);
        }
    }

    fn without_start(&mut self, fact: Fact, seen: Seen) {
        if !matches!(fact, Fact::Step(_)) {
            let series = self.series_of(NO_DIMENSIONS, seen.kafka);
            self.series.state(series).counters.ends_without_start += 1;
        }
    }

    /// A start or an end after the first: counted for the order it repeats.
    pub(super) fn repeated(&mut self, first: Found) {
        let series = match first {
            Found::At(place) => self.orders.at(place).series,
            Found::Finished(series) => series,
        };
        self.series.state(series).counters.repeated += 1;
    }
}

fn known(time: EventTime) -> Option<EventTime> {
    (time > EventTime::MIN).then_some(time)
}
