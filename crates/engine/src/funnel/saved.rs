//! A funnel in a snapshot: everything that memory holds, for the limits count it too.
//!
//! Open entities are in the head. Ended ones are in blocks of their latest event time, closed once
//! the clock shows that all of a block have ended; a block changes again when one comes back, is
//! let go of, or began and ended far behind the clock.

use std::cmp::Reverse;
use std::ops::Range;

use events::{EventTime, Key, Span};

use super::entity::{Entity, Line, Series, State};
use super::{Funnel, FunnelState};
use crate::count::{encode_amounts, read_amounts, save_counts, zero_amounts};
use crate::decode::{Decoder, Read, Unsound};
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::panes::{Clocks, Windowed};
use crate::series::Dimensions;
use crate::snapshot::{KnownTimes, Sections, Writer, blocks, by_key, by_time};
use crate::table::Identity;
use crate::view::Histogram;

const WHAT: &str = "ended entities";

type Row<'a> = (&'a Identity, &'a Entity);

/// How long an entity is remembered after its latest event.
pub(super) fn lasts(rule: &Funnel) -> Span {
    rule.idle_timeout + rule.lateness + rule.recover
}

/// How much of the latest event times one block covers.
fn block_length(rule: &Funnel) -> Span {
    Span((lasts(rule).0 / 64).max(1_000_000))
}

/// The block of an ended entity with this latest event time.
pub(super) fn block_of(rule: &Funnel, latest: EventTime) -> i64 {
    latest.0.div_euclid(block_length(rule).0)
}

impl FunnelState {
    /// Writes the state at the clock of its partition.
    pub fn save(
        &mut self,
        clock: EventTime,
        field_names: &[String],
        writer: &mut Writer<'_>,
        out: &mut Encoder,
    ) {
        self.refused.encode(out);
        out.unsigned(self.window_dropped);
        out.time(self.forgotten_at);
        self.field_errors.save(field_names, out);
        self.series
            .save(&self.series.in_order(), out, |series, out| {
                let counts = series.reached.iter().chain(&series.abandoned);
                counts.for_each(|count| out.unsigned(*count));
                out.unsigned(series.converted);
                out.unsigned(series.recovered);
                series.steps.iter().for_each(|step| step.encode(out));
                encode_amounts(&series.value, out);
            });
        let clocks = Clocks {
            start: clock,
            end: clock,
            reach: self.reach,
        };
        self.series
            .save_windows(clocks, &mut self.saved_panes, writer, out);
        self.save_entities(clock, writer, out);
    }

    fn save_entities(&mut self, clock: EventTime, writer: &mut Writer<'_>, out: &mut Encoder) {
        let known: Vec<i64> = self.saved_entities.known(writer).collect();
        let times = KnownTimes::of(&known, block_length(&self.rule));
        let (mut open, mut ended): (Vec<Row<'_>>, Vec<Row<'_>>) = Default::default();
        for row @ (_, entity) in &self.entities {
            if entity.state == State::Open {
                open.push(row);
            } else if !times.has(entity.latest) {
                ended.push(row);
            }
        }
        out.length(open.len());
        for at in by_key(&open, |row| *row.0) {
            self.save_entity(open[at as usize], out);
        }
        let order = by_time(&ended, |row| (row.1.latest, *row.0));
        let latest = |at: u32| ended[at as usize].1.latest;
        let mut blocks = blocks(&order, block_length(&self.rule), latest);
        blocks.extend(known.iter().map(|number| (*number, &[][..])));
        blocks.sort_unstable_by_key(|block| block.0);
        out.length(blocks.len());
        let silent = self.rule.idle_timeout + self.rule.lateness;
        let open_from = block_of(&self.rule, clock - silent);
        let mut saved = std::mem::take(&mut self.saved_entities);
        for (number, entities) in blocks {
            let closed = number < open_from;
            writer.block(out, (WHAT, number, closed), &mut saved, |out| {
                for at in entities {
                    self.save_entity(ended[*at as usize], out);
                }
            });
        }
        self.saved_entities = saved;
    }

    fn save_entity(&self, (key, entity): Row<'_>, out: &mut Encoder) {
        out.key(key.0);
        out.unsigned(self.series.dimensions(entity.series).packed());
        out.byte(entity.state as u8);
        out.short(entity.counted);
        out.time(entity.latest);
        let times = entity.stage_times.iter().enumerate();
        let counted = times.filter(|(stage, _)| entity.counted >> stage & 1 == 1);
        counted.for_each(|(_, time)| out.time(*time));
        out.length(entity.lines.len());
        for line in &entity.lines {
            out.key(line.product);
            out.wide(line.quantity);
            encode_amounts(line.price.as_slice(), out);
        }
    }

    /// Takes over what was written.
    pub fn read<'a>(
        &mut self,
        field_names: &[String],
        dictionaries: &[&Dictionary],
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        self.refused.read(from)?;
        self.window_dropped = from.count()?;
        self.forgotten_at = from.time()?;
        self.field_errors.read(field_names, from)?;
        let (rule, windows) = (&self.rule, &self.windows);
        self.series.read(dictionaries, from, |from| {
            let mut series = Series::new(rule, windows);
            let counts = series.reached.iter_mut().chain(&mut series.abandoned);
            for count in counts.chain([&mut series.converted, &mut series.recovered]) {
                *count = from.count()?;
            }
            for step in &mut series.steps {
                *step = Histogram::read(from, rule.edges.len())?;
            }
            series.value = read_amounts(from)?;
            Ok(series)
        })?;
        self.series
            .read_windows(&mut self.saved_panes, from, sections)?;
        for _ in 0..from.length(33)? {
            self.read_entity(from)?;
        }
        for _ in 0..from.length(9)? {
            let mut block = sections.block(from, WHAT)?;
            while !block.content.is_at_end() {
                self.read_entity(&mut block.content)?;
            }
            block.remember(&mut self.saved_entities);
        }
        Ok(())
    }

    fn read_entity(&mut self, from: &mut Decoder<'_>) -> Read<()> {
        let key = Identity(from.key()?);
        let series = self.series.find(Dimensions::unpack(from.number()?));
        let series = series.ok_or(Unsound("an entity of a series that isn't there"))?;
        let state = match from.byte()? {
            0 => State::Open,
            1 => State::Converted,
            2 => State::Abandoned,
            _ => return Err(Unsound("a state that is none")),
        };
        let stages = self.rule.stages.len();
        let counted = from.short()?;
        if counted == 0 || u64::from(counted) >> stages != 0 {
            return Err(Unsound("stages that can't be"));
        }
        let latest = from.time()?;
        let mut stage_times = vec![EventTime::MIN; stages].into_boxed_slice();
        for (stage, time) in stage_times.iter_mut().enumerate() {
            if counted >> stage & 1 == 1 {
                *time = from.time()?;
            }
        }
        let lines = (0..from.length(36)?).map(|_| read_line(from));
        let entity = Entity {
            series,
            counted,
            state,
            queued: state == State::Open,
            latest,
            stage_times,
            lines: lines.collect::<Read<_>>()?,
        };
        if state == State::Open {
            let due = latest + self.rule.idle_timeout + self.rule.lateness;
            self.due.push(Reverse((due, key)));
            self.series.state(series).open += 1;
            self.open += 1;
        }
        self.lines += entity.lines.len();
        match self.entities.insert(key, entity) {
            None => Ok(()),
            Some(_) => Err(Unsound("an entity twice")),
        }
    }

    /// Begins the totals at 0.
    pub fn zero_totals(&mut self) {
        self.window_dropped = 0;
        self.refused.clear();
        self.field_errors.clear();
        self.series.zero(|series| {
            series.reached.fill(0);
            series.abandoned.fill(0);
            series.converted = 0;
            series.recovered = 0;
            series.steps.iter_mut().for_each(Histogram::clear);
            zero_amounts(&mut series.value);
        });
    }
}

fn read_line(from: &mut Decoder<'_>) -> Read<Line> {
    let product: Key = from.key()?;
    let quantity = from.wide()?;
    let price = read_amounts(from)?.pop();
    Ok(Line {
        product,
        quantity,
        price,
    })
}

impl Windowed for Series {
    fn blocks(&self, window: usize, clocks: Clocks, skip: &Range<i64>, found: &mut Vec<i64>) {
        for panes in &self.panes[window] {
            panes.blocks(clocks.end, clocks.reach, skip, found);
        }
    }

    fn save_block(&self, window: usize, block: i64, clocks: Clocks, out: &mut Encoder) {
        for panes in &self.panes[window] {
            save_counts(panes, block, clocks, out);
        }
    }

    fn read_block(&mut self, window: usize, block: i64, from: &mut Decoder<'_>) -> Read<()> {
        let mut stages = self.panes[window].iter_mut();
        stages.try_for_each(|panes| panes.read_block(block, from, |from| from.count()))
    }
}
