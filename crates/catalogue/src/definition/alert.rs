//! `alert = { ... }` of a KPI: thresholds of the generated alerts.

use events::Span;

use super::common::place_of;
use crate::generation::{Alerting, MINIMUM, STALLED_OVERDUE, missed_share};
use crate::plan::{Kind, Window};
use crate::text::section::Section;
use crate::text::tree::Table;

/// All of them; other kinds have the first two.
pub(crate) const PROMISE_KEYS: [&str; 5] = [
    "window",
    "minimum_events",
    "stalled_overdue",
    "missed_share",
    "minimum_orders",
];

/// The longest window that is taken without being named: longer ones answer too late.
const LONGEST: Span = Span::from_seconds(3600);
const MOST: i64 = 1_000_000_000;

/// Reads the thresholds around a kind and its windows, which are read already.
pub(crate) fn read(section: &Section<'_>, kind: &Kind, windows: &[Window]) -> Alerting {
    let is_promise = matches!(kind, Kind::Promise(_));
    let title = format!("alert of {}", section.title());
    let keys = if is_promise {
        &PROMISE_KEYS[..]
    } else {
        &PROMISE_KEYS[..2]
    };
    let empty = Table {
        place: section.place().clone(),
        entries: Vec::new(),
    };
    let table = section.table("alert").unwrap_or(&empty);
    let inner = Section::new(table, title, keys, section.problems);
    let count = |key: &str, default: u64| {
        inner
            .integer(key, 1, MOST)
            .map_or(default, |value| value as u64)
    };
    let default_share = match kind {
        Kind::Promise(promise) => missed_share(promise),
        _ => 0.5,
    };
    Alerting {
        stalled_overdue: count("stalled_overdue", STALLED_OVERDUE),
        missed_share: share(&inner, default_share),
        minimum_orders: count("minimum_orders", MINIMUM),
        window: window(&inner, windows),
        minimum_events: count("minimum_events", MINIMUM),
    }
}

fn share(section: &Section<'_>, default: f64) -> f64 {
    let Some(share) = section.number("missed_share") else {
        return default;
    };
    if !(share.value > 0.0 && share.value < 1.0) {
        let message = format!(
            "\"missed_share\" in {} is a share between 0 and 1, like 0.5, not {}",
            section.title(),
            share.value
        );
        section.problems.add(&share.place, message);
    }
    share.value
}

/// The window named, else the longest up to an hour, else the shortest.
fn window(section: &Section<'_>, windows: &[Window]) -> usize {
    let default = windows
        .iter()
        .rposition(|window| window.length <= LONGEST)
        .unwrap_or(0);
    let Some(named) = section.any_span("window") else {
        return default;
    };
    let found = windows
        .iter()
        .position(|window| window.length == named.value);
    found.unwrap_or_else(|| {
        let known: Vec<&str> = windows.iter().map(|window| window.label.as_str()).collect();
        let message = format!(
            "\"window\" in {} must be one of the KPI's windows: {}",
            section.title(),
            known.join(", ")
        );
        section.problems.add(place_of(section, "window"), message);
        default
    })
}
