//! A promise in a snapshot: what is logically there at these offsets, so that it is the same bytes
//! however the partitions interleaved. Queues are made anew from the orders.

use std::cmp::Reverse;

use events::{EventTime, KafkaTime};

use super::facts::Held;
use super::orders::{self, Place};
use super::series::Series;
use super::{Fact, PromiseState, Seen, waiting_for};
use crate::decode::{Decoder, Read, Unsound};
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::input::NO_INPUT;
use crate::panes::Clocks;
use crate::snapshot::{Sections, Writer, by_key};
use crate::table::Identity;

impl PromiseState {
    /// Writes the state.
    pub fn save(&mut self, clocks: &[EventTime], writer: &mut Writer<'_>, out: &mut Encoder) {
        out.byte(u8::from(self.overflowed));
        self.refused.encode(out);
        out.unsigned(self.window_dropped);
        out.time(self.made_room_at);
        let (start, end) = (clocks[self.start_input], clocks[self.end_input]);
        let ids = self.series.by_dimensions();
        self.series.save(&ids, out, Series::save);
        let reach = self.reach;
        let of_panes = Clocks { start, end, reach };
        self.series
            .save_windows(of_panes, &mut self.saved_panes, writer, out);
        let of_orders = orders::Clocks {
            start,
            slowest: self.slowest_clock(clocks),
            lasts: self.lasts(),
        };
        self.orders.save(of_orders, &self.series, &ids, writer, out);
        self.save_held(out);
    }

    fn save_held(&self, out: &mut Encoder) {
        let held: Vec<_> = self.held.iter().collect();
        out.length(held.len());
        for at in by_key(&held, |entry| *entry.0) {
            let (key, facts) = held[at as usize];
            out.key(key.0);
            out.short(facts.len() as u32);
            match &facts[..] {
                [fact] => save_fact(fact, out),
                _ => {
                    let mut facts = facts.clone();
                    facts.sort_unstable();
                    facts.iter().for_each(|fact| save_fact(fact, out));
                }
            }
        }
    }

    /// Takes over what was written. `inputs`: the task's index of each input as they were numbered
    /// then.
    pub fn read<'a>(
        &mut self,
        inputs: &[usize],
        clocks: &[EventTime],
        dictionaries: &[&Dictionary],
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        self.overflowed = from.flag()?;
        self.refused.read(from)?;
        self.window_dropped = from.count()?;
        self.made_room_at = from.time()?;
        let (rule, windows) = (&self.rule, &self.windows);
        self.series
            .read(dictionaries, from, |from| Series::read(from, rule, windows))?;
        self.series
            .read_windows(&mut self.saved_panes, from, sections)?;
        self.orders.read_all(&self.series, from, sections)?;
        self.reopen();
        self.read_held(inputs, from)?;
        self.forgotten_at = self.slowest_clock(clocks);
        Ok(())
    }

    /// Counts the open orders of a snapshot and queues what comes next for them.
    fn reopen(&mut self) {
        let open = self.orders.iter_open();
        let open: Vec<Place> = open.map(|(place, _)| place).collect();
        let mut due = Vec::with_capacity(open.len());
        for place in open {
            let order = self.orders.at(place);
            let (start, k, series) = (order.start, order.k, order.series);
            let (judged, generation) = (order.judged, order.generation);
            let deadline = self.deadline(start, k);
            let waits_for = waiting_for(self.orders.step_times(place));
            let expiry = self.expiry(start);
            let state = self.series.state(series);
            state.reopened(start, waits_for);
            if !judged {
                state.awaits_judgement(start, deadline);
            }
            let at = if judged { expiry } else { deadline.min(expiry) };
            due.push((at, place, generation, judged));
        }
        due.sort_unstable();
        for (at, place, generation, judged) in due {
            let queue = if judged {
                &mut self.horizons
            } else {
                &mut self.deadlines
            };
            queue.push((at, place, generation));
        }
    }

    fn read_held(&mut self, inputs: &[usize], from: &mut Decoder<'_>) -> Read<()> {
        for _ in 0..from.length(16)? {
            let key = Identity(from.key()?);
            let mut facts = Vec::new();
            for _ in 0..from.short()? {
                let held = self.read_fact(inputs, from)?;
                let until = held.seen.time + self.rule.hold;
                self.held_until.push(Reverse((until, key)));
                facts.push(held);
            }
            self.held_count += facts.len();
            if facts.is_empty() || self.held.insert(key, facts).is_some() {
                return Err(Unsound("facts of an order twice, or none"));
            }
        }
        Ok(())
    }

    fn read_fact(&self, inputs: &[usize], from: &mut Decoder<'_>) -> Read<Held> {
        let input = inputs.get(from.short()? as usize).copied();
        let input = input.filter(|input| *input != NO_INPUT);
        let seen = Seen {
            input: input.ok_or(Unsound("a fact of an input that is none"))?,
            offset: from.offset()?,
            time: from.time()?,
            k: from.time()?,
            kafka: KafkaTime(from.signed()?),
        };
        let fact = match from.short()? as usize {
            0 => Fact::End,
            1 => Fact::Cancel,
            step if step - 2 < self.rule.steps.len() => Fact::Step(step - 2),
            _ => return Err(Unsound("a fact that is none")),
        };
        Ok(Held { seen, fact })
    }

    /// Begins the totals at 0.
    pub fn zero_totals(&mut self) {
        self.window_dropped = 0;
        self.refused.clear();
        self.series.zero(Series::zero_totals);
    }
}

fn save_fact(Held { seen, fact }: &Held, out: &mut Encoder) {
    out.short(seen.input as u32);
    out.signed(seen.offset);
    out.time(seen.time);
    out.time(seen.k);
    out.signed(seen.kafka.0);
    out.short(match fact {
        Fact::End => 0,
        Fact::Cancel => 1,
        Fact::Step(step) => 2 + *step as u32,
    });
}
