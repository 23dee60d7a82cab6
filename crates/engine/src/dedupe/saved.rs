//! The remembered ids in a snapshot: everything that memory holds, for the limit counts it too.
//!
//! Blocks of `until`, a sixteenth of the horizon each. A block is closed once no new id can fall
//! into it; it changes again when a sweep takes from it, or an id of it comes again too late.

use events::{EventTime, Span};

use super::{Dedupe, join, split};
use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;
use crate::snapshot::{Sections, Writer};
use crate::table::Identity;

const WHAT: &str = "ids";

/// The block, until when and which.
type Row = (i64, EventTime, Identity);

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
        let mut ids: Vec<Row> = Vec::new();
        for (id, until) in &self.until {
            let until = split(*until);
            let number = self.block_of(until);
            if known.binary_search(&number).is_err() {
                ids.push((number, until, *id));
            }
        }
        ids.sort_unstable();
        let mut blocks: Vec<(i64, &[Row])> = ids
            .chunk_by(|one, next| one.0 == next.0)
            .map(|ids| (ids[0].0, ids))
            .collect();
        blocks.extend(known.iter().map(|number| (*number, &[][..])));
        blocks.sort_unstable_by_key(|block| block.0);
        out.length(blocks.len());
        let open_from = self.block_of(clock + self.horizon);
        for (number, ids) in blocks {
            let closed = number < open_from;
            writer.block(out, (WHAT, number, closed), &mut self.saved, |out| {
                out.length(ids.len());
                ids.iter().for_each(|entry| out.key(entry.2.0));
                ids.iter().for_each(|entry| out.time(entry.1));
            });
        }
    }

    /// Takes over what was written.
    pub fn read<'a>(&mut self, from: &mut Decoder<'a>, sections: &Sections<'a>) -> Read<()> {
        self.overflowed = from.flag()?;
        self.swept_at = from.time()?;
        let same_blocks = from.signed()? == self.block_length.0;
        let blocks = from.length(9)?;
        for _ in 0..blocks {
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
        let count = from.length(20)?;
        let mut ids = from.part(count * 12)?;
        self.until.reserve(count);
        for _ in 0..count {
            let until = join(from.time()?);
            if self.until.insert(Identity(ids.key()?), until).is_some() {
                return Err(Unsound("an event id twice"));
            }
        }
        from.end()
    }
}
