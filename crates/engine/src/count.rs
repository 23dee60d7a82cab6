//! Kind `count` (and the sides of a `ratio`): events, an optional exact sum, events per window.

mod saved;

use catalogue::plan::{Count, FieldId, Sum, Unit, Window};
use events::{Event, EventTime, KafkaTime, MoneyError, money};

use crate::encode::Encoder;
use crate::field_errors::FieldErrors;
use crate::panes::{Contribution, Panes, Reach, SavedPanes};
use crate::series::{By, SeriesTable};
use crate::view::{Amount, CountSeries};

pub use saved::{read_amounts, save_counts, zero_amounts};

/// See the file's header.
#[derive(Clone, Debug)]
pub struct CountState {
    sum: Option<Sum>,
    windows: Vec<Window>,
    reach: Reach,
    series: SeriesTable<Series>,
    window_dropped: u64,
    /// Malformed amounts: these events were not counted.
    field_errors: FieldErrors,
    saved: SavedPanes,
}

#[derive(Clone, Debug)]
struct Series {
    total: u64,
    /// Few currencies: a list, in order of appearance on the one partition this KPI reads.
    sums: Vec<Amount>,
    panes: Vec<Panes<u64>>,
}

impl Series {
    fn new(windows: &[Window]) -> Series {
        let panes = |window: &Window| Panes::new(window.pane());
        Series {
            total: 0,
            sums: Vec::new(),
            panes: windows.iter().map(panes).collect(),
        }
    }
}

impl CountState {
    /// Nothing counted yet; with room for so many label sets.
    pub fn new(count: &Count, windows: &[Window], reach: Reach, label_sets: u64) -> CountState {
        let fields = match &count.sum {
            None => Vec::new(),
            Some(Sum {
                field,
                unit: Unit::Money { currency },
                ..
            }) => vec![*field, *currency],
            Some(Sum {
                field,
                unit: Unit::Number,
                ..
            }) => vec![*field],
        };
        CountState {
            sum: count.sum.clone(),
            windows: windows.to_vec(),
            reach,
            series: SeriesTable::new(label_sets),
            window_dropped: 0,
            field_errors: FieldErrors::of(&fields),
            saved: SavedPanes::new(windows),
        }
    }

    /// Counts one event that the partition saw at k.
    pub fn take(&mut self, event: &Event<'_>, k: EventTime, kafka: KafkaTime, by: By) {
        let amount = match self.amount(event) {
            Ok(amount) => amount,
            Err(field) => return self.field_errors.add(field),
        };
        let windows = &self.windows;
        let id = self.series.of(by, kafka, || Series::new(windows));
        let series = self.series.state(id);
        self.saved.touch(event.time);
        series.total += 1;
        if let Some(amount) = amount {
            add(&mut series.sums, &amount);
        }
        let mut dropped = false;
        for panes in &mut series.panes {
            match panes.contribute(event.time, k, k, self.reach) {
                Contribution::Pane(count) => *count += 1,
                Contribution::Forgotten => {}
                Contribution::TooLate => dropped = true,
            }
        }
        self.window_dropped += u64::from(dropped);
    }

    /// Lets go of panes that the clock has passed.
    pub fn forget(&mut self, clock: EventTime) {
        for series in self.series.states() {
            series
                .panes
                .iter_mut()
                .for_each(|panes| panes.forget(clock, self.reach));
        }
    }

    /// An estimate of the bytes of all series.
    pub fn bytes(&self) -> usize {
        self.series
            .bytes(|series| series.panes.iter().map(|panes| panes.bytes(0)).sum())
    }

    /// Malformed amounts and currencies.
    pub fn field_errors(&self) -> &FieldErrors {
        &self.field_errors
    }

    /// Contributions to windows that came too late for them.
    pub fn window_dropped(&self) -> u64 {
        self.window_dropped
    }

    /// Overflowed dimension values.
    pub fn overflow(&self, dimensions: usize) -> Vec<u64> {
        self.series.overflow(dimensions)
    }

    /// What is published at a display time.
    pub fn view(
        &mut self,
        display: EventTime,
        dictionaries: &[&crate::dictionary::Dictionary],
    ) -> Vec<CountSeries> {
        self.series
            .view(dictionaries, |labels, created, series| CountSeries {
                labels,
                created,
                total: series.total,
                sums: series.sums.clone(),
                in_window: series
                    .panes
                    .iter()
                    .map(|panes| panes.window(display).map(|pane| pane.1).sum())
                    .collect(),
            })
    }

    /// Writes the state at the clock of its partition.
    pub fn encode(&self, clock: EventTime, out: &mut Encoder) {
        out.unsigned(self.window_dropped);
        self.field_errors.encode(out);
        self.series.encode(out, |series, out| {
            out.unsigned(series.total);
            encode_amounts(&series.sums, out);
            for panes in &series.panes {
                panes.encode(clock, self.reach, out, |count, out| out.unsigned(*count));
            }
        });
    }

    /// What the event adds to the sum; an error names the malformed field.
    fn amount(&self, event: &Event<'_>) -> Result<Option<Amount>, FieldId> {
        match &self.sum {
            None => Ok(None),
            Some(sum) => read_amount(event, sum.field, sum.unit).map(Some),
        }
    }
}

/// A non-negative amount of an event; an error names the malformed field.
pub fn read_amount(event: &Event<'_>, field: FieldId, unit: Unit) -> Result<Amount, FieldId> {
    let text = event.field(field).text().ok_or(field)?;
    let amount = match unit {
        Unit::Money { currency } => {
            let code = event.field(currency).text().ok_or(currency)?;
            let parsed = money::parse_money(text, code).map_err(|error| match error {
                MoneyError::UnknownCurrency => currency,
                _ => field,
            });
            let (units, code, decimals) = parsed?;
            Amount {
                currency: Some(code),
                units,
                decimals,
            }
        }
        Unit::Number => {
            let units = money::parse_number(text).ok_or(field)?;
            Amount {
                currency: None,
                units,
                decimals: 6,
            }
        }
    };
    if amount.units < 0 {
        Err(field)
    } else {
        Ok(amount)
    }
}

/// Adds an amount to the one of its currency.
pub fn add(sums: &mut Vec<Amount>, amount: &Amount) {
    match sums.iter_mut().find(|sum| sum.currency == amount.currency) {
        Some(sum) => sum.units = sum.units.saturating_add(amount.units),
        None => sums.push(amount.clone()),
    }
}

/// Writes amounts in their order.
pub fn encode_amounts(sums: &[Amount], out: &mut Encoder) {
    out.length(sums.len());
    for sum in sums {
        out.text(sum.currency.unwrap_or(""));
        out.wide(sum.units);
    }
}
