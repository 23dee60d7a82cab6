//! What a label set of a promise counts, in a snapshot. What open orders add to it is not written:
//! they are, and it is counted anew.

use std::ops::Range;

use catalogue::plan::{Promise, Window};
use events::{EventTime, Span};

use super::{Series, Started};
use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;
use crate::panes::{Clocks, Windowed};
use crate::sketch::{Bucket, PaneSketch};
use crate::view::{Histogram, PromiseCounters};

impl Series {
    /// Writes the cumulative numbers.
    pub fn save(&self, out: &mut Encoder) {
        let PromiseCounters {
            started,
            completed,
            kept,
            broken,
            judged_too_early,
            cancelled,
            expired,
            ends_without_start,
            repeated,
            negative_durations,
        } = self.counters;
        for counter in [started, completed, kept, broken, judged_too_early] {
            out.unsigned(counter);
        }
        for counter in [cancelled, expired, ends_without_start] {
            out.unsigned(counter);
        }
        out.unsigned(repeated);
        out.unsigned(negative_durations);
        self.duration.encode(out);
        self.steps.iter().for_each(|step| step.encode(out));
    }

    /// What was written, still without windows and open orders.
    pub fn read(from: &mut Decoder<'_>, rule: &Promise, windows: &[Window]) -> Read<Series> {
        let mut series = Series::new(rule, windows);
        series.counters = PromiseCounters {
            started: from.count()?,
            completed: from.count()?,
            kept: from.count()?,
            broken: from.count()?,
            judged_too_early: from.count()?,
            cancelled: from.count()?,
            expired: from.count()?,
            ends_without_start: from.count()?,
            repeated: from.count()?,
            negative_durations: from.count()?,
        };
        series.duration = Histogram::read(from, rule.edges.len())?;
        for step in &mut series.steps {
            *step = Histogram::read(from, rule.edges.len())?;
        }
        Ok(series)
    }

    /// An open order of a snapshot, and the step it waits for.
    pub fn reopened(&mut self, start: EventTime, waits_for: usize) {
        self.open.opened(start);
        if let Some(waiting) = self.open_at_step.get_mut(waits_for) {
            *waiting += 1;
        }
    }

    /// Begins the totals at 0.
    pub fn zero_totals(&mut self) {
        self.counters = PromiseCounters::default();
        self.duration.clear();
        self.steps.iter_mut().for_each(Histogram::clear);
    }
}

impl Windowed for Series {
    fn blocks(&self, window: usize, clocks: Clocks, skip: &Range<i64>, found: &mut Vec<i64>) {
        let Clocks { start, end, reach } = clocks;
        let window = &self.windows[window];
        window.completed.blocks(end, reach, skip, found);
        window.left.blocks(end, reach, skip, found);
        window.started.blocks(start, reach, skip, found);
    }

    fn save_block(&self, window: usize, block: i64, clocks: Clocks, out: &mut Encoder) {
        let window = &self.windows[window];
        let (by_start, by_end) = ((clocks.start, clocks.reach), (clocks.end, clocks.reach));
        window.completed.save_block(block, by_end, out, save_sketch);
        window.left.save_block(block, by_end, out, save_sketch);
        let started = &window.started;
        started.save_block(block, by_start, out, |pane, out| {
            for count in [pane.started, pane.kept, pane.broken, pane.taken_out] {
                out.unsigned(count);
            }
        });
    }

    fn read_block(&mut self, window: usize, block: i64, from: &mut Decoder<'_>) -> Read<()> {
        let window = &mut self.windows[window];
        window.completed.read_block(block, from, read_sketch)?;
        window.left.read_block(block, from, read_sketch)?;
        window.started.read_block(block, from, |from| {
            Ok(Started {
                started: from.count()?,
                kept: from.count()?,
                broken: from.count()?,
                taken_out: from.count()?,
            })
        })
    }
}

/// Most panes have a few buckets: six bytes each.
fn save_sketch(pane: &PaneSketch, out: &mut Encoder) {
    out.short(pane.buckets().len() as u32);
    for (bucket, count) in pane.buckets() {
        out.raw(&bucket.0.to_le_bytes());
        out.short(*count);
    }
}

fn read_sketch(from: &mut Decoder<'_>) -> Read<PaneSketch> {
    let highest = Bucket::of(Span(i64::MAX));
    let mut pane = Vec::new();
    for _ in 0..from.short()? {
        let bucket = Bucket(u16::from(from.byte()?) | u16::from(from.byte()?) << 8);
        let ascends = pane
            .last()
            .is_none_or(|last: &(Bucket, u32)| last.0 < bucket);
        if bucket > highest || !ascends {
            return Err(Unsound("buckets that can't be"));
        }
        pane.push((bucket, from.short()?));
    }
    Ok(PaneSketch::of_buckets(pane))
}
