//! The remembered ids in a snapshot: everything that memory holds, for the limit counts it too.
//!
//! Blocks of `until`, a sixteenth of the horizon each. A block is closed once no new id can fall
//! into it; it changes again when a sweep takes from it, or an id of it comes again too late.

use events::{EventTime, Span};

use super::{Dedupe, join, split};
use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;
use crate::snapshot::{KnownTimes, Sections, Writer, blocks, by_time};
use crate::table::Identity;

const WHAT: &str = "ids";

/// How many bytes an id takes.
const ID_BYTES: usize = 20;

/// Until when and which.
type Row = (EventTime, Identity);

/// The length of a block for this horizon.
pub(super) fn block_length(horizon: Span) -> Span {
    Span((horizon.0 / 16).max(1_000_000))
}

impl Dedupe {
    /// The block that an id remembered until then is in.
    pub(super) fn block_of(&self, until: EventTime) -> i64 {
        until.0.div_euclid(self.block_length.0)
    }

    /// Writes all ids, at the clock of their partition.
    pub fn save(&mut self, clock: EventTime, writer: &mut Writer<'_>, out: &mut Encoder) {
        out.byte(u8::from(self.overflowed));
        out.time(self.swept_at);
        out.signed(self.block_length.0);
        let known: Vec<i64> = self.saved.known(writer).collect();
        let times = KnownTimes::of(&known, self.block_length);
        let ids = self.until.iter();
        let ids = ids.map(|(id, until)| (split(*until), *id));
        let ids: Vec<Row> = ids.filter(|row| !times.has(row.0)).collect();
        let order = by_time(&ids, |row| *row);
        let until = |at: u32| ids[at as usize].0;
        let mut blocks = blocks(&order, self.block_length, until);
        blocks.extend(known.iter().map(|number| (*number, &[][..])));
        blocks.sort_unstable_by_key(|block| block.0);
        out.length(blocks.len());
        let open_from = self.block_of(clock + self.horizon);
        for (number, rows) in blocks {
            let closed = number < open_from;
            writer.block(out, (WHAT, number, closed), &mut self.saved, |out| {
                out.length(rows.len());
                out.reserve(rows.len() * ID_BYTES);
                rows.iter().for_each(|at| out.key(ids[*at as usize].1.0));
                rows.iter().for_each(|at| out.time(until(*at)));
            });
        }
    }

    /// Takes over what was written.
    pub fn read<'a>(&mut self, from: &mut Decoder<'a>, sections: &Sections<'a>) -> Read<()> {
        self.overflowed = from.flag()?;
        self.swept_at = from.time()?;
        let same_blocks = from.signed()? == self.block_length.0;
        let count = from.length(9)?;
        self.until
            .reserve(sections.bytes(&mut from.clone(), count, WHAT)? / ID_BYTES);
        for _ in 0..count {
            let mut block = sections.block(from, WHAT)?;
            self.read_ids(&mut block.content)?;
            if same_blocks {
                block.remember(&mut self.saved);
            }
        }
        if self.horizon == Span::ZERO {
            self.until.clear();
        }
        Ok(())
    }

    fn read_ids(&mut self, from: &mut Decoder<'_>) -> Read<()> {
        let count = from.length(ID_BYTES)?;
        let mut ids = from.part(count * 12)?;
        for _ in 0..count {
            let until = join(from.time()?);
            if self.until.insert(Identity(ids.key()?), until).is_some() {
                return Err(Unsound("an event id twice"));
            }
        }
        from.end()
    }
}
