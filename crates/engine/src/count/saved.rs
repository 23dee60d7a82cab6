//! A count in a snapshot.

use std::ops::Range;

use events::{EventTime, money};

use super::{CountState, Series, encode_amounts};
use crate::decode::{Decoder, Read, Unsound};
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::panes::{Clocks, Panes, Windowed};
use crate::snapshot::{Sections, Writer};
use crate::view::Amount;

impl CountState {
    /// Writes the state at the clock of its partition.
    pub fn save(
        &mut self,
        clock: EventTime,
        field_names: &[String],
        writer: &mut Writer<'_>,
        out: &mut Encoder,
    ) {
        out.unsigned(self.window_dropped);
        self.field_errors.save(field_names, out);
        self.series
            .save(&self.series.in_order(), out, |series, out| {
                out.unsigned(series.total);
                encode_amounts(&series.sums, out);
            });
        let clocks = self.clocks(clock);
        self.series
            .save_windows(clocks, &mut self.saved, writer, out);
    }

    /// Takes over what was written.
    pub fn read<'a>(
        &mut self,
        field_names: &[String],
        dictionaries: &[&Dictionary],
        from: &mut Decoder<'a>,
        sections: &Sections<'a>,
    ) -> Read<()> {
        self.window_dropped = from.count()?;
        self.field_errors.read(field_names, from)?;
        let windows = &self.windows;
        self.series.read(dictionaries, from, |from| {
            let mut series = Series::new(windows);
            series.total = from.count()?;
            series.sums = read_amounts(from)?;
            Ok(series)
        })?;
        self.series.read_windows(&mut self.saved, from, sections)
    }

    /// Begins the totals at 0.
    pub fn zero_totals(&mut self) {
        self.window_dropped = 0;
        self.field_errors.clear();
        self.series.zero(|series| {
            series.total = 0;
            zero_amounts(&mut series.sums);
        });
    }

    fn clocks(&self, clock: EventTime) -> Clocks {
        Clocks {
            start: clock,
            end: clock,
            reach: self.reach,
        }
    }
}

impl Windowed for Series {
    fn blocks(&self, window: usize, clocks: Clocks, skip: &Range<i64>, found: &mut Vec<i64>) {
        self.panes[window].blocks(clocks.end, clocks.reach, skip, found);
    }

    fn save_block(&self, window: usize, block: i64, clocks: Clocks, out: &mut Encoder) {
        save_counts(&self.panes[window], block, clocks, out);
    }

    fn read_block(&mut self, window: usize, block: i64, from: &mut Decoder<'_>) -> Read<()> {
        self.panes[window].read_block(block, from, |from| from.count())
    }
}

/// Writes a block of counts.
pub fn save_counts(panes: &Panes<u64>, block: i64, clocks: Clocks, out: &mut Encoder) {
    let until = (clocks.end, clocks.reach);
    panes.save_block(block, until, out, |count, out| out.unsigned(*count));
}

/// What `encode_amounts` wrote.
pub fn read_amounts(from: &mut Decoder<'_>) -> Read<Vec<Amount>> {
    let count = from.length(24)?;
    (0..count).map(|_| read_amount(from)).collect()
}

fn read_amount(from: &mut Decoder<'_>) -> Read<Amount> {
    let code = from.text(3)?;
    let units = from.wide()?;
    if code.is_empty() {
        return Ok(Amount {
            currency: None,
            units,
            decimals: 6,
        });
    }
    let (_, currency, decimals) =
        money::parse_money("0", code).map_err(|_| Unsound("a currency that is none"))?;
    Ok(Amount {
        currency: Some(currency),
        units,
        decimals,
    })
}

/// Begins sums at 0; their currencies stay.
pub fn zero_amounts(sums: &mut [Amount]) {
    sums.iter_mut().for_each(|sum| sum.units = 0);
}
