//! Orders in a snapshot: what is logically there, whatever memory holds and however it holds it.
//!
//! A key with one remembered order that is complete is a row of a block of start times. A block is
//! closed once the start's clock is a block past it, until the first of its orders is forgotten. All
//! other keys are in the head with their orders in turn.

use events::{EventTime, Key, Span};

use super::{Closed, InWindows, NewOrder, Order, Orders, Place, Slot, Unpacked};
use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;
use crate::promise::key_text::{KeyText, OVERDUE_KEY_BYTES};
use crate::series::{Dimensions, SeriesTable};
use crate::snapshot::{Blocks, Sections, Writer};
use crate::table::Identity;

const WHAT: &str = "finished orders";

/// The start, the key, the start's k and the series of a finished order.
type Row = (EventTime, Identity, EventTime, u32);

/// The clocks that decide what is written.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The start's.
    pub start: EventTime,
    /// The slowest of all that the promise reads.
    pub slowest: EventTime,
    /// How long after its start an order is remembered.
    pub lasts: Span,
}

/// What is to be written.
#[derive(Default)]
struct Remembered {
    rows: Vec<Row>,
    /// Blocks with a row that memory holds as something else: they can't be known.
    unusual: Vec<i64>,
    chains: Vec<(Identity, Vec<Place>)>,
}

impl Orders {
    /// The block of an order that started then.
    fn block_of(&self, start: EventTime) -> i64 {
        start.0.div_euclid(self.block_length.0)
    }

    /// A finished order comes or goes.
    pub(super) fn touch(&mut self, start: EventTime) {
        let block = self.block_of(start);
        self.saved.touch(block);
    }

    /// Finished orders went that are remembered logically: nothing is known any more.
    pub fn forget_saved(&mut self) {
        self.saved = Blocks::default();
    }

    /// Writes all orders.
    pub fn save<S>(
        &mut self,
        clocks: Clocks,
        series: &SeriesTable<S>,
        writer: &mut Writer<'_>,
        out: &mut Encoder,
    ) {
        let oldest = self.block_of(clocks.slowest - clocks.lasts - Span(1)) + 1;
        let closed = oldest..self.block_of(clocks.start) - 1;
        let known = self.saved.known(writer);
        let mut known: Vec<i64> = known.filter(|number| closed.contains(number)).collect();
        let mut remembered = self.remembered(clocks, &known);
        if known.iter().any(|it| remembered.unusual.contains(it)) {
            known.retain(|number| !remembered.unusual.contains(number));
            remembered = self.remembered(clocks, &known);
        }
        for number in &remembered.unusual {
            self.saved.touch(*number);
        }
        self.save_chains(&mut remembered.chains, series, out);
        remembered.rows.sort_unstable();
        let length = self.block_length.0;
        let number = |row: &Row| row.0.0.div_euclid(length);
        let chunks = remembered
            .rows
            .chunk_by(|one, next| number(one) == number(next));
        let mut blocks: Vec<(i64, &[Row])> = chunks.map(|rows| (number(&rows[0]), rows)).collect();
        blocks.extend(known.iter().map(|number| (*number, &[][..])));
        blocks.sort_unstable_by_key(|block| block.0);
        out.length(blocks.len());
        for (number, rows) in blocks {
            let closed = closed.contains(&number);
            writer.block(out, (WHAT, number, closed), &mut self.saved, |out| {
                out.length(rows.len());
                rows.iter().for_each(|row| out.key(row.1.0));
                rows.iter().for_each(|row| out.time(row.0));
                rows.iter().for_each(|row| out.time(row.2));
                for row in rows {
                    out.unsigned(series.dimensions(row.3).packed());
                }
            });
        }
        for number in remembered.unusual {
            self.saved.touch(number);
        }
    }

    /// Everything that is remembered, without the rows of blocks that are `known`.
    fn remembered(&self, clocks: Clocks, known: &[i64]) -> Remembered {
        let alive = |start: EventTime| clocks.slowest <= start + clocks.lasts;
        let mut all = Remembered::default();
        for (key, slot) in &self.slots {
            match slot.unpack() {
                Unpacked::Finished { series, start, k } => {
                    let is_known = || known.binary_search(&self.block_of(start)).is_ok();
                    if alive(start) && !is_known() {
                        all.rows.push((start, *key, k, series));
                    }
                }
                Unpacked::Place(first) => {
                    let mut chain: Vec<Place> = Vec::new();
                    let mut next = Some(first);
                    while let Some(place) = next {
                        let order = &self.places[place as usize];
                        next = order.next;
                        if alive(order.start) {
                            chain.push(place);
                        }
                    }
                    let single = match chain[..] {
                        [place] => Some(&self.places[place as usize]),
                        _ => None,
                    };
                    if let Some(order) = single.filter(|order| order.complete) {
                        all.unusual.push(self.block_of(order.start));
                        all.rows.push((order.start, *key, order.k, order.series));
                    } else if !chain.is_empty() {
                        all.chains.push((*key, chain));
                    }
                }
            }
        }
        all
    }

    fn save_chains<S>(
        &self,
        chains: &mut [(Identity, Vec<Place>)],
        series: &SeriesTable<S>,
        out: &mut Encoder,
    ) {
        chains.sort_unstable_by_key(|chain| chain.0);
        out.length(chains.len());
        for (key, chain) in chains {
            out.key(key.0);
            out.short(chain.len() as u32);
            for place in chain {
                let (order, steps) = self.read(*place);
                out.unsigned(series.dimensions(order.series).packed());
                out.time(order.start);
                out.time(order.k);
                save_order(order, steps, out);
            }
        }
    }

    /// Takes over what was written. Queues and counts of open orders are not made here.
    pub fn read_all<'a, S>(
        &mut self,
        series: &SeriesTable<S>,
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        for _ in 0..from.length(16)? {
            let key = from.key()?;
            let count = from.short()?;
            if count == 0 || self.slots.contains_key(&Identity(key)) {
                return Err(Unsound("an order twice, or none"));
            }
            for _ in 0..count {
                self.read_order(key, series, from)?;
            }
        }
        for _ in 0..from.length(9)? {
            let mut block = sections.block(from, WHAT)?;
            self.read_rows(series, &mut block.content)?;
            block.remember(&mut self.saved);
        }
        Ok(())
    }

    fn read_rows<S>(&mut self, series: &SeriesTable<S>, from: &mut Decoder<'_>) -> Read<()> {
        let count = from.length(36)?;
        let mut keys = from.part(count * 12)?;
        let mut starts = from.part(count * 8)?;
        let mut ks = from.part(count * 8)?;
        self.slots.reserve(count);
        for _ in 0..count {
            let id = find(series, from)?;
            let slot = Slot::finished(id, starts.time()?, ks.time()?);
            if self.slots.insert(Identity(keys.key()?), slot).is_some() {
                return Err(Unsound("an order twice"));
            }
        }
        from.end()
    }

    fn read_order<S>(
        &mut self,
        key: Key,
        series: &SeriesTable<S>,
        from: &mut Decoder<'_>,
    ) -> Read<()> {
        let place = self.insert(NewOrder {
            key,
            text: KeyText::EMPTY,
            series: find(series, from)?,
            start: from.time()?,
            k: from.time()?,
            offset: 0,
            in_windows: InWindows(0),
        });
        let complete = from.flag()?;
        self.at(place).complete = complete;
        if complete {
            self.at(place).judged = true;
            self.close(place, Closed::Cancelled);
            return Ok(());
        }
        self.at(place).judged = from.flag()?;
        self.at(place).in_windows = InWindows(from.byte()?);
        let closed = match from.byte()? {
            0 => Closed::No,
            1 => Closed::Completed,
            2 => Closed::Cancelled,
            3 => Closed::Expired,
            _ => return Err(Unsound("a way to close an order that is none")),
        };
        for time in self.step_times(place) {
            if from.flag()? {
                *time = from.time()?;
            }
        }
        match closed {
            Closed::No => {
                self.at(place).offset = from.offset()?;
                self.at(place).text = KeyText::of(from.text(OVERDUE_KEY_BYTES)?);
            }
            Closed::Completed => {
                self.at(place).ended = from.time()?;
                self.close(place, closed);
            }
            _ => self.close(place, closed),
        }
        if closed != Closed::No && !self.at(place).judged {
            return Err(Unsound("a closed order that was not judged"));
        }
        Ok(())
    }
}

/// What is to be known of an order with a place.
fn save_order(order: &Order, steps: &[EventTime], out: &mut Encoder) {
    out.byte(u8::from(order.complete));
    if order.complete {
        return;
    }
    out.byte(u8::from(order.judged));
    out.byte(order.in_windows.0);
    out.byte(match order.closed {
        Closed::No => 0,
        Closed::Completed => 1,
        Closed::Cancelled => 2,
        Closed::Expired => 3,
    });
    for time in steps {
        out.byte(u8::from(*time > EventTime::MIN));
        if *time > EventTime::MIN {
            out.time(*time);
        }
    }
    match order.closed {
        Closed::No => {
            out.signed(order.offset);
            out.text(order.text.as_str());
        }
        Closed::Completed => out.time(order.ended),
        _ => {}
    }
}

fn find<S>(series: &SeriesTable<S>, from: &mut Decoder<'_>) -> Read<u32> {
    let dimensions = Dimensions::unpack(from.number()?);
    let found = series.find(dimensions);
    found.ok_or(Unsound("an order of a series that isn't there"))
}
