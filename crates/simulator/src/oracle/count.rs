//! Counts and sums: one loop over the events that a selector selects.

use std::collections::BTreeMap;

use catalogue::plan::{Count, FieldId, Kpi, Plan, Unit};
use events::{EventTime, Value};

use super::LabelValues;
use super::intake::{Intake, Taken};
use super::place::Contribution;

/// A label set of a count.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ExpectedCount {
    /// Events so far.
    pub total: u64,
    /// By currency (none for plain numbers), in units of 10^-9.
    pub sums: BTreeMap<Option<String>, i128>,
    /// One per window.
    pub in_window: Vec<u64>,
}

/// Every label set of a count, and how many contributions came too late for a window.
pub fn expect(
    plan: &Plan,
    kpi: &Kpi,
    count: &Count,
    intakes: &[Intake<'_>],
    display: EventTime,
) -> (BTreeMap<LabelValues, ExpectedCount>, u64) {
    let lateness = plan.topics[usize::from(count.event.topic.0)].lateness;
    let mut series: BTreeMap<LabelValues, ExpectedCount> = BTreeMap::new();
    let mut dropped = 0;
    for intake in intakes {
        for taken in intake.select(&count.event).filter(|taken| !taken.too_late) {
            let Ok(amount) = amount_of(count, taken) else {
                continue;
            };
            let entry = series
                .entry(intake.labels(taken.event, &kpi.by))
                .or_default();
            entry.total += 1;
            if let Some((currency, units)) = amount {
                *entry.sums.entry(currency).or_default() += units;
            }
            entry.in_window.resize(kpi.windows.len(), 0);
            let contribution = Contribution {
                time: taken.event.time,
                k: taken.k,
                lateness,
            };
            dropped += u64::from(contribution.is_late_somewhere(kpi));
            for (shown, window) in entry.in_window.iter_mut().zip(&kpi.windows) {
                *shown += u64::from(contribution.is_shown(kpi, window, display));
            }
        }
    }
    (series, dropped)
}

/// How many events were dropped for a field that can't be read, by field.
pub fn field_errors(count: &Count, intakes: &[Intake<'_>]) -> BTreeMap<FieldId, u64> {
    let mut errors = BTreeMap::new();
    for intake in intakes {
        let selected = intake.select(&count.event);
        for taken in selected.filter(|taken| !taken.too_late) {
            if let Err(field) = amount_of(count, taken) {
                *errors.entry(field).or_default() += 1;
            }
        }
    }
    errors
}

/// What an event adds to the sum: `Ok(None)` where there is none, an error with the field that can't
/// be read.
fn amount_of(count: &Count, taken: &Taken<'_>) -> Result<Option<(Option<String>, i128)>, FieldId> {
    let Some(sum) = &count.sum else {
        return Ok(None);
    };
    let text = taken.event.field(sum.field).text().ok_or(sum.field)?;
    let code = match sum.unit {
        Unit::Number => None,
        Unit::Money { currency } => Some(taken.event.field(currency).text().ok_or(currency)?),
    };
    let units = decimal(Value::Text(text)).filter(|units| *units >= 0);
    let units = units.ok_or(sum.field)?;
    Ok(Some((code.map(str::to_owned), units)))
}

/// A plain decimal, as a string or a number, in units of 10^-9.
pub fn decimal(value: Value<'_>) -> Option<i128> {
    let (Value::Text(text) | Value::Number(text)) = value else {
        return None;
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let padded = format!("{whole}{fraction:0<9}");
    let units: i128 = padded.parse().ok()?;
    Some(if negative { -units } else { units })
}
