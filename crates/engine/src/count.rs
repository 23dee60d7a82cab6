//! Kind `count` (and the sides of a `ratio`): events, an optional exact sum, events per window.

use std::sync::Arc;

use catalogue::plan::{Count, FieldId, Sum, Unit, Window};
use events::{Event, EventTime, KafkaTime, money};

use crate::encode::Encoder;
use crate::panes::{Panes, Reach};
use crate::series::{Dimensions, SeriesTable};
use crate::view::{Amount, CountSeries};

/// See the file's header.
#[derive(Clone, Debug)]
pub struct CountState {
    sum: Option<Sum>,
    windows: Vec<Window>,
    reach: Reach,
    series: SeriesTable<Series>,
    window_dropped: u64,
    /// Malformed amounts: these events were not counted.
    field_errors: u64,
}

#[derive(Clone, Debug)]
struct Series {
    total: u64,
    /// Few currencies: a list, in order of appearance on the one partition this KPI reads.
    sums: Vec<Amount>,
    panes: Vec<Panes<u64>>,
}

impl CountState {
    /// Nothing counted yet.
    pub fn new(count: &Count, windows: &[Window], reach: Reach) -> CountState {
        CountState {
            sum: count.sum.clone(),
            windows: windows.to_vec(),
            reach,
            series: SeriesTable::new(),
            window_dropped: 0,
            field_errors: 0,
        }
    }

    /// Counts one event that the partition saw at k.
    pub fn take(&mut self, event: &Event<'_>, k: EventTime, kafka: KafkaTime, by: Dimensions) {
        let Ok(amount) = self.amount(event) else {
            self.field_errors += 1;
            return;
        };
        let windows = &self.windows;
        let id = self.series.of(by, kafka, || Series {
            total: 0,
            sums: Vec::new(),
            panes: windows
                .iter()
                .map(|window| Panes::new(window.pane()))
                .collect(),
        });
        let series = self.series.state(id);
        series.total += 1;
        if let Some(amount) = amount {
            add(&mut series.sums, &amount);
        }
        let mut dropped = false;
        for panes in &mut series.panes {
            match panes
                .accepts(event.time, k, self.reach)
                .then(|| panes.at(event.time, k, self.reach))
            {
                Some(Some(pane)) => *pane += 1,
                _ => dropped = true,
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

    /// Malformed amounts by field name.
    pub fn field_errors(&self, field_names: &[String]) -> Vec<(Arc<str>, u64)> {
        let sum = self.sum.iter();
        sum.map(|sum| {
            (
                field_names[usize::from(sum.field.0)].as_str().into(),
                self.field_errors,
            )
        })
        .collect()
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
        out.unsigned(self.field_errors);
        self.series.encode(out, |series, out| {
            out.unsigned(series.total);
            encode_amounts(&series.sums, out);
            for panes in &series.panes {
                panes.encode(clock, self.reach, out, |count, out| out.unsigned(*count));
            }
        });
    }

    /// What the event adds to the sum; an error for a malformed or negative amount.
    fn amount(&self, event: &Event<'_>) -> Result<Option<Amount>, ()> {
        match &self.sum {
            None => Ok(None),
            Some(sum) => read_amount(event, sum.field, sum.unit).map(Some),
        }
    }
}

/// A non-negative amount of an event.
fn read_amount(event: &Event<'_>, field: FieldId, unit: Unit) -> Result<Amount, ()> {
    let text = event.field(field).text().ok_or(())?;
    let amount = match unit {
        Unit::Money { currency } => {
            let code = event.field(currency).text().ok_or(())?;
            let (units, code, decimals) = money::parse_money(text, code).map_err(|_| ())?;
            Amount {
                currency: Some(code),
                units,
                decimals,
            }
        }
        Unit::Number => {
            let units = money::parse_number(text).ok_or(())?;
            Amount {
                currency: None,
                units,
                decimals: 6,
            }
        }
    };
    if amount.units < 0 {
        Err(())
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
