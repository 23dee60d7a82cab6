//! Orders in a snapshot: what is logically there, whatever memory holds and however it holds it.
//!
//! A key with one remembered order that is complete is a row of a block of start times. A block is
//! closed once the start's clock is a block past it, until the first of its orders is forgotten. All
//! other keys are in the head by their first start, with their orders in turn.

use events::{EventTime, Key, Span};

use super::{Closed, InWindows, NewOrder, Order, Orders, Place, Slot, Unpacked};
use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;
use crate::promise::key_text::{KeyText, OVERDUE_KEY_BYTES};
use crate::series::{Dimensions, SeriesId, SeriesTable};
use crate::snapshot::{Blocks, KnownTimes, Sections, Writer, blocks, by_time};
use crate::table::Identity;

const WHAT: &str = "finished orders";

/// How many bytes a finished order takes.
const ROW_BYTES: usize = 36;
/// The least that an order of the head takes.
const ORDER_BYTES: usize = 33;

// What the first byte of an order of the head says; two bits are how it was closed.
const COMPLETE: u8 = 1;
const JUDGED: u8 = 2;
const CLOSED_AT: u8 = 2;
/// Another order of the same key follows.
const MORE: u8 = 16;

/// The start, the key, the start's k and the series of a finished order.
type Row = (EventTime, Identity, EventTime, u32);

/// The length of a block of orders that last so long. Those of the newest two are written with each
/// snapshot; the shorter they are, the more objects there are.
pub(super) fn block_length(lasts: Span) -> Span {
    Span((lasts.0 / 128).max(1_000_000))
}

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
    /// All other keys, each by the first of its orders and that one's start.
    others: Vec<(EventTime, Identity, Place)>,
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

    /// Writes all orders. `ids`: the series in the order in which they were written.
    pub fn save<S>(
        &mut self,
        clocks: Clocks,
        series: &SeriesTable<S>,
        ids: &[SeriesId],
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
        let Remembered {
            rows,
            unusual,
            others,
        } = remembered;
        for number in &unusual {
            self.saved.touch(*number);
        }
        self.save_others(clocks, &others, ids, out);
        let order = by_time(&rows, |row| (row.0, row.1));
        let start = |at: u32| rows[at as usize].0;
        let mut blocks = blocks(&order, self.block_length, start);
        blocks.extend(known.iter().map(|number| (*number, &[][..])));
        blocks.sort_unstable_by_key(|block| block.0);
        out.length(blocks.len());
        for (number, block) in blocks {
            let closed = closed.contains(&number);
            writer.block(out, (WHAT, number, closed), &mut self.saved, |out| {
                save_rows(&rows, block, series, out);
            });
        }
        for number in unusual {
            self.saved.touch(number);
        }
    }

    /// Everything that is remembered, without the rows of blocks that are `known`.
    fn remembered(&self, clocks: Clocks, known: &[i64]) -> Remembered {
        let known = KnownTimes::of(known, self.block_length);
        let mut all = Remembered::default();
        for (key, slot) in &self.slots {
            if let Unpacked::Finished { series, start, k } = slot.unpack()
                && clocks.remember(start)
                && !known.has(start)
            {
                all.rows.push((start, *key, k, series));
            }
        }
        // Places are looked at as they lie in memory, not by key: only the later ones of a key's
        // have to be known, and there are few.
        let in_use = |order: &&Order| order.generation % 2 == 1;
        let later = self.places.iter().filter(in_use);
        let mut later: Vec<Place> = later.filter_map(|order| order.next).collect();
        later.sort_unstable();
        all.others.reserve(self.places.len() - self.free.len());
        for (place, order) in self.places.iter().enumerate() {
            let place = place as Place;
            if !in_use(&order) || !later.is_empty() && later.binary_search(&place).is_ok() {
                continue;
            }
            let Some(first) = self.remembered_from(Some(place), clocks) else {
                continue;
            };
            let order = &self.places[first as usize];
            let is_single = self.remembered_from(order.next, clocks).is_none();
            let key = Identity(order.key);
            if is_single && order.complete {
                all.unusual.push(self.block_of(order.start));
                all.rows.push((order.start, key, order.k, order.series));
            } else {
                all.others.push((order.start, key, first));
            }
        }
        all
    }

    /// The first order of a chain from there on that is remembered.
    fn remembered_from(&self, mut next: Option<Place>, clocks: Clocks) -> Option<Place> {
        while let Some(place) = next {
            let order = &self.places[place as usize];
            if clocks.remember(order.start) {
                return next;
            }
            next = order.next;
        }
        None
    }

    fn save_others(
        &self,
        clocks: Clocks,
        others: &[(EventTime, Identity, Place)],
        ids: &[SeriesId],
        out: &mut Encoder,
    ) {
        let mut ranks = vec![0; ids.len()];
        for (rank, id) in ids.iter().enumerate() {
            ranks[*id as usize] = rank as u32;
        }
        out.length(others.len());
        for at in by_time(others, |other| (other.0, other.1)) {
            let (_, key, place) = others[at as usize];
            out.key(key.0);
            let mut next = Some(place);
            while let Some(place) = next {
                let (order, steps) = self.read(place);
                next = self.remembered_from(order.next, clocks);
                let more = if next.is_some() { MORE } else { 0 };
                let flags = flags(order) | more;
                save_order(order, flags, ranks[order.series as usize], steps, out);
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
        let count = from.length(ORDER_BYTES)?;
        self.slots.reserve(count);
        let ids = series.in_order();
        for _ in 0..count {
            let key = from.key()?;
            if self.slots.contains_key(&Identity(key)) {
                return Err(Unsound("an order twice"));
            }
            while self.read_order(key, &ids, from)? {}
        }
        let count = from.length(9)?;
        let bytes = sections.bytes(&mut from.clone(), count, WHAT)?;
        self.slots.reserve(bytes / ROW_BYTES);
        for _ in 0..count {
            let mut block = sections.block(from, WHAT)?;
            self.read_rows(series, &mut block.content)?;
            block.remember(&mut self.saved);
        }
        Ok(())
    }

    fn read_rows<S>(&mut self, series: &SeriesTable<S>, from: &mut Decoder<'_>) -> Read<()> {
        let count = from.length(ROW_BYTES)?;
        let mut keys = from.part(count * 12)?;
        let mut starts = from.part(count * 8)?;
        let mut ks = from.part(count * 8)?;
        let mut last = None;
        for _ in 0..count {
            let dimensions = Dimensions::unpack(from.number()?);
            let id = match last {
                Some((known, id)) if known == dimensions => id,
                _ => find(series, dimensions)?,
            };
            last = Some((dimensions, id));
            let slot = Slot::finished(id, starts.time()?, ks.time()?);
            if self.slots.insert(Identity(keys.key()?), slot).is_some() {
                return Err(Unsound("an order twice"));
            }
        }
        from.end()
    }

    /// Whether another one of this key follows.
    fn read_order(&mut self, key: Key, ids: &[SeriesId], from: &mut Decoder<'_>) -> Read<bool> {
        let flags = from.byte()?;
        let series = from.short()? as usize;
        let series = ids.get(series).copied();
        let place = self.insert(NewOrder {
            key,
            text: KeyText::EMPTY,
            series: series.ok_or(Unsound("an order of a series that isn't there"))?,
            start: from.time()?,
            k: from.time()?,
            offset: 0,
            in_windows: InWindows(0),
        });
        let closed = match flags >> CLOSED_AT & 3 {
            0 => Closed::No,
            1 => Closed::Completed,
            2 => Closed::Cancelled,
            _ => Closed::Expired,
        };
        let (complete, judged) = (flags & COMPLETE != 0, flags & JUDGED != 0);
        if flags > 2 * MORE - 1 || closed != Closed::No && !judged {
            return Err(Unsound("an order that can't be"));
        }
        self.at(place).complete = complete;
        self.at(place).judged = judged;
        if complete {
            if closed != Closed::Cancelled {
                return Err(Unsound("a complete order in another way"));
            }
            self.close(place, Closed::Cancelled);
            return Ok(flags & MORE != 0);
        }
        self.at(place).in_windows = InWindows(from.byte()?);
        for time in self.step_times(place) {
            if from.flag()? {
                *time = from.time()?;
            }
        }
        if closed == Closed::No {
            self.at(place).offset = from.offset()?;
            let length = usize::from(from.byte()?);
            self.at(place).text = KeyText::of(from.text_of(length, OVERDUE_KEY_BYTES)?);
        } else {
            if closed == Closed::Completed {
                self.at(place).ended = from.time()?;
            }
            self.close(place, closed);
        }
        Ok(flags & MORE != 0)
    }
}

impl Clocks {
    /// Whether an order that started then is remembered.
    fn remember(self, start: EventTime) -> bool {
        self.slowest <= start + self.lasts
    }
}

/// Columns: key, start, k and dimensions of each.
fn save_rows<S>(rows: &[Row], block: &[u32], series: &SeriesTable<S>, out: &mut Encoder) {
    let rows = block.iter().map(|at| &rows[*at as usize]);
    out.length(block.len());
    out.reserve(block.len() * ROW_BYTES);
    rows.clone().for_each(|row| out.key(row.1.0));
    rows.clone().for_each(|row| out.time(row.0));
    rows.clone().for_each(|row| out.time(row.2));
    rows.for_each(|row| out.unsigned(series.dimensions(row.3).packed()));
}

/// Of a complete one nothing but that is to be known: what comes is a repeat.
fn flags(order: &Order) -> u8 {
    let closed = |way: u8| way << CLOSED_AT;
    if order.complete {
        return COMPLETE | JUDGED | closed(2);
    }
    let judged = if order.judged { JUDGED } else { 0 };
    judged
        | closed(match order.closed {
            Closed::No => 0,
            Closed::Completed => 1,
            Closed::Cancelled => 2,
            Closed::Expired => 3,
        })
}

/// What is to be known of an order with a place.
fn save_order(order: &Order, flags: u8, series: u32, steps: &[EventTime], out: &mut Encoder) {
    out.byte(flags);
    out.short(series);
    out.time(order.start);
    out.time(order.k);
    if order.complete {
        return;
    }
    out.byte(order.in_windows.0);
    for time in steps {
        out.byte(u8::from(*time > EventTime::MIN));
        if *time > EventTime::MIN {
            out.time(*time);
        }
    }
    match order.closed {
        Closed::No => {
            out.signed(order.offset);
            let text = order.text.as_bytes();
            out.byte(text.len() as u8);
            out.raw(text);
        }
        Closed::Completed => out.time(order.ended),
        _ => {}
    }
}

fn find<S>(series: &SeriesTable<S>, dimensions: Dimensions) -> Read<SeriesId> {
    let found = series.find(dimensions);
    found.ok_or(Unsound("an order of a series that isn't there"))
}
