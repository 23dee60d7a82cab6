//! The windows of all series of a KPI in a snapshot: by window and block of panes, so that a block
//! that nothing contributes to any more is written once for all series.
//!
//! Only remembered panes are written, whatever memory holds. A block is closed once the clocks are
//! past its end and the lateness, until they forget it.

use std::collections::BTreeMap;
use std::ops::Range;

use catalogue::plan::Window;
use events::{EventTime, Span};

use super::{BLOCK, Panes, Reach, pane_of};
use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;
use crate::series::{Dimensions, SeriesId, SeriesTable};
use crate::snapshot::{Blocks, Sections, Writer};

/// What the last snapshot made of a KPI's windows.
#[derive(Clone, Debug)]
pub struct SavedPanes {
    windows: Vec<(Span, Blocks)>,
    /// What is later is in no block that the last snapshot closed.
    newest: EventTime,
}

/// The clocks that forget panes: of the starts' partition and of the ends'. Most KPIs have one.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Forgets panes that starts are in.
    pub start: EventTime,
    /// Forgets all others.
    pub end: EventTime,
    /// For how long.
    pub reach: Reach,
}

/// A series with windows: each has one or more rows of panes.
pub trait Windowed {
    /// Looks at each row of a window, with the clock that forgets it: adds the blocks that it has
    /// remembered panes in, but for those to `skip`.
    fn blocks(&self, window: usize, clocks: Clocks, skip: &Range<i64>, found: &mut Vec<i64>);
    /// Writes the remembered panes of a block that `blocks` found.
    fn save_block(&self, window: usize, block: i64, clocks: Clocks, out: &mut Encoder);
    /// Takes over the panes of a block. Blocks ascend.
    fn read_block(&mut self, window: usize, block: i64, from: &mut Decoder<'_>) -> Read<()>;
}

impl SavedPanes {
    /// No snapshot was made yet.
    pub fn new(windows: &[Window]) -> SavedPanes {
        let windows = windows.iter();
        SavedPanes {
            windows: windows
                .map(|window| (window.pane(), Blocks::default()))
                .collect(),
            newest: EventTime::MIN,
        }
    }

    /// A pane that `time` lies in is about to change, in each window.
    pub fn touch(&mut self, time: EventTime) {
        if time <= self.newest {
            for (length, blocks) in &mut self.windows {
                blocks.touch(pane_of(time, *length).div_euclid(BLOCK));
            }
        }
    }

    fn note_newest(&mut self) {
        let end =
            |(length, blocks): &(Span, Blocks)| blocks.end().map(|end| end * BLOCK * length.0);
        let newest = self.windows.iter().filter_map(end).max();
        self.newest = newest.map_or(EventTime::MIN, EventTime);
    }
}

/// How the blocks of a window are called.
fn name(length: Span) -> String {
    format!("window {}", Span(length.0 * 60))
}

impl<S: Windowed> SeriesTable<S> {
    /// Writes the panes of all series.
    pub fn save_windows(
        &self,
        clocks: Clocks,
        saved: &mut SavedPanes,
        writer: &mut Writer<'_>,
        out: &mut Encoder,
    ) {
        let ids = self.by_dimensions();
        for (window, (length, blocks)) in saved.windows.iter_mut().enumerate() {
            let first = |clock| first_remembered(*length, clock, clocks.reach);
            let oldest = first(clocks.start.max(clocks.end)) / BLOCK;
            let settled = clocks.start.min(clocks.end) - clocks.reach.lateness;
            let closed = oldest..pane_of(settled, *length).div_euclid(BLOCK);
            let known = blocks.known(writer);
            let known: Vec<i64> = known.filter(|number| closed.contains(number)).collect();
            let mut parts = self.parts(&ids, window, clocks, &last_run(&known));
            for number in known {
                parts.insert(number, Encoder::default());
            }
            let name = name(*length);
            out.length(parts.len());
            for (number, part) in parts {
                let block = (&*name, number, closed.contains(&number));
                writer.block(out, block, blocks, |out| out.raw(part.bytes()));
            }
        }
        saved.note_newest();
    }

    /// The content of all blocks of a window but of those to `skip`: each series in turn, so that it
    /// is looked at once.
    fn parts(
        &self,
        ids: &[SeriesId],
        window: usize,
        clocks: Clocks,
        skip: &Range<i64>,
    ) -> BTreeMap<i64, Encoder> {
        let mut parts: BTreeMap<i64, Encoder> = BTreeMap::new();
        let mut numbers = Vec::new();
        for id in ids {
            let series = self.get(*id);
            numbers.clear();
            series.blocks(window, clocks, skip, &mut numbers);
            numbers.sort_unstable();
            numbers.dedup();
            for number in &numbers {
                let part = parts.entry(*number).or_default();
                part.unsigned(self.dimensions(*id).packed());
                series.save_block(window, *number, clocks, part);
            }
        }
        parts
    }

    /// Takes over the panes of series that are there already.
    pub fn read_windows<'a>(
        &mut self,
        saved: &mut SavedPanes,
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        for (window, (length, blocks)) in saved.windows.iter_mut().enumerate() {
            let most = -EventTime::MIN.0 / length.0 / BLOCK;
            let name = name(*length);
            let mut before = i64::MIN;
            for _ in 0..from.length(9)? {
                let mut block = sections.block(from, &name)?;
                let number = block.number;
                if number <= before || !(-most..most).contains(&number) {
                    return Err(Unsound("blocks of panes that don't ascend"));
                }
                before = number;
                let mut last = None;
                while !block.content.is_at_end() {
                    let dimensions = Dimensions::unpack(block.content.number()?);
                    if last >= Some(dimensions) {
                        return Err(Unsound("series that don't ascend"));
                    }
                    last = Some(dimensions);
                    let id = self.find(dimensions);
                    let id = id.ok_or(Unsound("panes of a series that isn't there"))?;
                    self.state(id)
                        .read_block(window, number, &mut block.content)?;
                }
                block.remember(blocks);
            }
        }
        saved.note_newest();
        Ok(())
    }
}

impl<T: Default> Panes<T> {
    /// See `Windowed::blocks`.
    pub fn blocks(&self, clock: EventTime, reach: Reach, skip: &Range<i64>, found: &mut Vec<i64>) {
        if self.panes.is_empty() {
            return;
        }
        let mut next = first_remembered(self.length, clock, reach);
        loop {
            let at = self.panes.partition_point(|pane| pane.0 < next);
            let Some((number, _)) = self.panes.get(at) else {
                return;
            };
            let block = number.div_euclid(BLOCK);
            if skip.contains(&block) {
                next = skip.end * BLOCK;
            } else {
                found.push(block);
                next = (block + 1) * BLOCK;
            }
        }
    }

    /// Writes the panes of a block if they are remembered at this clock.
    pub fn save_block(
        &self,
        block: i64,
        (clock, reach): (EventTime, Reach),
        out: &mut Encoder,
        mut each: impl FnMut(&T, &mut Encoder),
    ) {
        let first = block * BLOCK;
        let mut end = first + BLOCK;
        if self.panes.is_empty() || first < first_remembered(self.length, clock, reach) {
            end = first;
        }
        let panes = self.range(first, end);
        let count = panes.map(|_| 1u8).sum();
        out.byte(count);
        if count > 0 {
            for (number, pane) in self.range(first, end) {
                out.byte((number - first) as u8);
                each(pane, out);
            }
        }
    }

    /// Takes over the panes of a block, which is later than all before.
    pub fn read_block(
        &mut self,
        block: i64,
        from: &mut Decoder<'_>,
        mut each: impl FnMut(&mut Decoder<'_>) -> Read<T>,
    ) -> Read<()> {
        for _ in 0..from.byte()? {
            let offset = i64::from(from.byte()?);
            let number = block * BLOCK + offset;
            let ascends = self.panes.back().is_none_or(|last| last.0 < number);
            if offset >= BLOCK || !ascends {
                return Err(Unsound("panes that don't ascend"));
            }
            self.panes.push_back((number, each(from)?));
        }
        Ok(())
    }
}

/// The newest of these blocks without a gap: nearly always all of them.
fn last_run(numbers: &[i64]) -> Range<i64> {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    match runs.last() {
        Some(run) => run[0]..run[0] + run.len() as i64,
        None => 0..0,
    }
}

/// See `Panes::first_remembered`.
fn first_remembered(length: Span, clock: EventTime, reach: Reach) -> i64 {
    Panes::<u64>::new(length).first_remembered(clock, reach)
}
