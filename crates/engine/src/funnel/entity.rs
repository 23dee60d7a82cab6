//! One entity of a funnel and one label set: what an event does to them.

use catalogue::plan::{FieldId, Funnel, FunnelMode, Window};
use events::{Event, EventTime, Key, Span};

use super::Part;
use crate::count::add;
use crate::fields::{LineChange, read_line};
use crate::panes::{Contribution, Panes, Reach};
use crate::series::SeriesId;
use crate::view::{Amount, Histogram};

/// Products of one cart that its value takes into account; further ones are left out.
const LINES: usize = 500;

#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) series: SeriesId,
    /// Bit per stage.
    pub(super) counted: u32,
    pub(super) state: State,
    /// Whether `due` has it.
    pub(super) queued: bool,
    /// Its latest event time.
    pub(super) latest: EventTime,
    /// When each counted stage was reached; `EventTime::MIN` for not yet.
    pub(super) stage_times: Box<[EventTime]>,
    pub(super) lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Open,
    Converted,
    Abandoned,
}

/// One product of a cart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) product: Key,
    /// In millionths.
    pub(super) quantity: i128,
    /// Per unit.
    pub(super) price: Option<Amount>,
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) reached: Vec<u64>,
    pub(super) converted: u64,
    pub(super) abandoned: Vec<u64>,
    pub(super) recovered: u64,
    pub(super) steps: Vec<Histogram>,
    pub(super) open: u64,
    pub(super) value: Vec<Amount>,
    /// By window, then stage.
    pub(super) panes: Vec<Vec<Panes<u64>>>,
}

impl Series {
    pub(super) fn new(rule: &Funnel, windows: &[Window]) -> Series {
        let stages = rule.stages.len();
        let panes = |window: &Window| (0..stages).map(|_| Panes::new(window.pane())).collect();
        Series {
            reached: vec![0; stages],
            converted: 0,
            abandoned: vec![0; stages],
            recovered: 0,
            steps: (1..stages)
                .map(|_| Histogram::new(rule.edges.len()))
                .collect(),
            open: 0,
            value: Vec::new(),
            panes: windows.iter().map(panes).collect(),
        }
    }
}

/// Counts a stage if it is the entity's first time there and, in ordered mode, its turn.
/// True if the contribution came too late for a window.
pub(super) fn reach_stage(
    entity: &mut Entity,
    series: &mut Series,
    rule: &Funnel,
    stage: usize,
    time: EventTime,
    k: EventTime,
    reach: Reach,
) -> bool {
    if entity.counted >> stage & 1 == 1 {
        return false;
    }
    let before = stage
        .checked_sub(1)
        .map(|before| entity.stage_times[before]);
    let counted_before = before.filter(|time| *time > EventTime::MIN);
    if rule.mode == FunnelMode::Ordered
        && before.is_some()
        && counted_before.is_none_or(|before| time < before)
    {
        return false;
    }
    entity.counted |= 1 << stage;
    entity.stage_times[stage] = time;
    series.reached[stage] += 1;
    if let Some(before) = counted_before {
        series.steps[stage - 1].observe(&rule.edges, (time - before).max(Span::ZERO));
    }
    let mut late = false;
    for stages in &mut series.panes {
        let panes = &mut stages[stage];
        match panes.contribute(time, k, k, reach) {
            Contribution::Pane(count) => *count += 1,
            Contribution::Forgotten => {}
            Contribution::TooLate => late = true,
        }
    }
    late
}

/// An entity fell silent.
pub(super) fn end(entity: &mut Entity, series: &mut Series) {
    series.open -= 1;
    let last = u32::BITS - 1 - entity.counted.leading_zeros();
    if last as usize == entity.stage_times.len() - 1 {
        entity.state = State::Converted;
        series.converted += 1;
        entity.lines = Vec::new();
        return;
    }
    entity.state = State::Abandoned;
    series.abandoned[last as usize] += 1;
    for line in &entity.lines {
        if let Some(price) = &line.price {
            // Quantities are in millionths; a fraction of a minor unit is cut off.
            let units = price.units.saturating_mul(line.quantity) / 1_000_000;
            add(
                &mut series.value,
                &Amount {
                    units,
                    ..price.clone()
                },
            );
        }
    }
}

/// Why an event did not change the value of a cart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotTaken {
    /// This field is malformed.
    Malformed(FieldId),
    /// It has `LINES` products already.
    Full,
}

impl From<FieldId> for NotTaken {
    fn from(field: FieldId) -> NotTaken {
        NotTaken::Malformed(field)
    }
}

/// Changes the value of a cart; after an error it is as before. The first addition in a currency
/// makes the series of what is left behind in it, at 0.
pub(super) fn change_line(
    entity: &mut Entity,
    series: &mut Series,
    rule: &Funnel,
    part: Part,
    event: &Event<'_>,
) -> Result<(), NotTaken> {
    let Some(value) = &rule.value else {
        return Ok(());
    };
    let LineChange {
        product,
        quantity,
        price,
    } = read_line(value, part, event)?;
    let at = entity.lines.iter().position(|line| line.product == product);
    let Some(price) = price else {
        if let Some(at) = at {
            entity.lines[at].quantity = quantity;
        }
        return Ok(());
    };
    let nothing = Amount {
        units: 0,
        ..price.clone()
    };
    add(&mut series.value, &nothing);
    let price = Some(price);
    match at {
        Some(at) => {
            let line = &mut entity.lines[at];
            line.quantity = line.quantity.saturating_add(quantity);
            line.price = price;
        }
        None if entity.lines.len() < LINES => entity.lines.push(Line {
            product,
            quantity,
            price,
        }),
        None => return Err(NotTaken::Full),
    }
    Ok(())
}
