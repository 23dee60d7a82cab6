//! The recording rules: of each KPI by its kind, and of Kept itself.
//!
//! Order (why no other is right is in `counters.rs`): per partition, increase, sum, share.

pub mod counters;
pub mod kept;
pub mod promise;
pub mod ratio;

use catalogue::metrics::SeriesId;
use catalogue::plan::{Count, Funnel, Kind, Kpi, KpiId};

use crate::book::Book;
use crate::rule::Group;
use counters::{Split, counter, gauge, percentiles};

/// All groups, Kept's own first: the others read it.
pub fn groups(book: &Book<'_>) -> Vec<Group> {
    let mut groups = vec![Group {
        name: "kept".to_owned(),
        interval: book.generation.interval,
        rules: kept::rules(book),
    }];
    // Ratios read what the others record.
    let (ratios, others): (Vec<_>, Vec<_>) = book
        .kpis()
        .partition(|(_, kpi)| matches!(kpi.kind, Kind::Ratio(_)));
    for (id, kpi) in others.into_iter().chain(ratios) {
        groups.extend(of_kpi(book, id, kpi));
    }
    groups
}

fn of_kpi(book: &Book<'_>, id: KpiId, kpi: &Kpi) -> Vec<Group> {
    let split = match &kpi.kind {
        Kind::Count(count) => count_rules(book, id, kpi, count),
        Kind::Ratio(ratio) => ratio::rules(book, id, kpi, ratio),
        Kind::Promise(definition) => {
            let mut rules = promise::rules(book, kpi, definition);
            rules.fast.extend(promise::lag_rule(book, kpi, definition));
            rules.fast.push(promise::pipe(book, kpi, definition));
            rules
        }
        Kind::Funnel(funnel) => funnel_rules(book, id, kpi, funnel),
    };
    let name = format!("{}_{}", book.plan.namespace, kpi.id);
    let mut groups = vec![Group {
        name: name.clone(),
        interval: book.generation.interval,
        rules: split.fast,
    }];
    if !split.slow.is_empty() {
        groups.push(Group {
            name: format!("{name}:slow"),
            interval: book.slow_interval(),
            rules: split.slow,
        });
    }
    groups
}

fn count_rules(book: &Book<'_>, id: KpiId, kpi: &Kpi, count: &Count) -> Split {
    let mut rules = Split::default();
    let windows = book.windows(id);
    let events = book.metric(kpi, SeriesId::Events);
    counter(book, kpi, &events, &windows, &mut rules);
    if count.sum.is_some() {
        let sum = book.metric(kpi, SeriesId::Sum);
        counter(book, kpi, &sum, &windows, &mut rules);
    }
    let in_window = book.metric(kpi, SeriesId::EventsInWindow);
    gauge(book, kpi, &in_window, &mut rules);
    rules
}

fn funnel_rules(book: &Book<'_>, id: KpiId, kpi: &Kpi, funnel: &Funnel) -> Split {
    let mut rules = Split::default();
    let windows = book.windows(id);
    let mut counters = vec![SeriesId::Reached, SeriesId::Ended, SeriesId::Recovered];
    counters.extend(funnel.value.as_ref().map(|_| SeriesId::AbandonedValue));
    for series in counters {
        counter(book, kpi, &book.metric(kpi, series), &windows, &mut rules);
    }
    for series in [SeriesId::FunnelOpen, SeriesId::ReachedInWindow] {
        gauge(book, kpi, &book.metric(kpi, series), &mut rules);
    }
    let steps = book.metric(kpi, SeriesId::StageDuration);
    percentiles(book, kpi, &steps, &[0.5, 0.95], &mut rules);
    ratio::converted(book, kpi, funnel, &mut rules);
    rules
}
