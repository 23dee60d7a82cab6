//! Ratios: of two counters over each window, and of a funnel's last stage to its first.
//!
//! A ratio of sums over partitions, never a sum of ratios. Without anything below the line it is
//! absent: that is "no orders", while "no data" has no counter either.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Count, Funnel, Kpi, KpiId, Part, Ratio, ReferenceSeries, Unit};
use events::Span;

use super::counters::{Split, counter, gauge, record};
use crate::book::{Book, HOUR};
use crate::promql::{Level, dimensions, increase, is, sum};

/// All of one ratio.
pub fn rules(book: &Book<'_>, id: KpiId, kpi: &Kpi, ratio: &Ratio) -> Split {
    let mut rules = Split::default();
    let windows = book.windows(id);
    let sides = [
        (&ratio.numerator, NUMERATOR),
        (&ratio.denominator, DENOMINATOR),
    ];
    for (part, [events, of_sum, in_window]) in sides {
        let Part::Own(count) = part else { continue };
        if count.sum.is_some() {
            counter(book, kpi, &book.metric(kpi, of_sum), &windows, &mut rules);
        } else {
            counter(book, kpi, &book.metric(kpi, events), &windows, &mut rules);
            gauge(book, kpi, &book.metric(kpi, in_window), &mut rules);
        }
    }
    for level in Level::of(kpi) {
        for window in &windows {
            let rule = record(
                name(book, kpi, *level, *window),
                expression(book, kpi, ratio, *level, *window),
            );
            if *window > HOUR {
                rules.slow.push(rule);
            } else {
                rules.fast.push(rule);
            }
        }
    }
    rules
}

const NUMERATOR: [SeriesId; 3] = [
    SeriesId::NumeratorEvents,
    SeriesId::NumeratorSum,
    SeriesId::NumeratorInWindow,
];
const DENOMINATOR: [SeriesId; 3] = [
    SeriesId::DenominatorEvents,
    SeriesId::DenominatorSum,
    SeriesId::DenominatorInWindow,
];

/// `job:shop_x:ratio1h`.
pub fn name(book: &Book<'_>, kpi: &Kpi, level: Level, window: Span) -> String {
    let prefix = level.prefix(kpi);
    format!("{prefix}:{}_{}:ratio{window}", book.plan.namespace, kpi.id)
}

fn expression(book: &Book<'_>, kpi: &Kpi, ratio: &Ratio, level: Level, window: Span) -> String {
    let above = side(book, kpi, &ratio.numerator, NUMERATOR, level, window);
    let below = side(book, kpi, &ratio.denominator, DENOMINATOR, level, window);
    let matching = match (
        has_currency(book, &ratio.numerator),
        has_currency(book, &ratio.denominator),
    ) {
        (true, false) => " ignoring (currency) group_left ()",
        (false, true) => " ignoring (currency) group_right ()",
        _ => "",
    };
    format!("{above}\n/{matching} ({below} > 0)")
}

/// What is below the line over a window: what a ratio's least number of events is about.
pub fn denominator(book: &Book<'_>, kpi: &Kpi, ratio: &Ratio, window: Span) -> String {
    side(
        book,
        kpi,
        &ratio.denominator,
        DENOMINATOR,
        Level::All,
        window,
    )
}

/// One side, at a level of the ratio: dimensions that only the other KPI has are added up.
fn side(
    book: &Book<'_>,
    kpi: &Kpi,
    part: &Part,
    [events, of_sum, _]: [SeriesId; 3],
    level: Level,
    window: Span,
) -> String {
    let Part::Of(reference) = part else {
        let series = if sum_of(part).is_some() {
            of_sum
        } else {
            events
        };
        return increase(&level.prefix(kpi), &book.metric(kpi, series), window);
    };
    let other = book.kpi(reference.kpi);
    let prefix = level.prefix(match level {
        Level::All => kpi,
        Level::Part => other,
    });
    let (metric, stage) = book.referred(reference);
    let mut series = increase(&prefix, &metric, window);
    let mut gone: Vec<&str> = Vec::new();
    if let Some(stage) = stage {
        series += &format!("{{{}}}", is("stage", &stage));
        gone.push("stage");
    }
    if level == Level::Part {
        let ours = dimensions(kpi);
        let more = dimensions(other);
        gone.extend(more.into_iter().filter(|label| !ours.contains(label)));
    }
    if gone.is_empty() {
        return series;
    }
    format!("sum without ({}) ({series})", gone.join(", "))
}

fn sum_of(part: &Part) -> Option<&catalogue::plan::Sum> {
    match part {
        Part::Own(Count { sum, .. }) => sum.as_ref(),
        Part::Of(_) => None,
    }
}

/// Whether a side is money, by currency.
pub fn has_currency(book: &Book<'_>, part: &Part) -> bool {
    let is_money = |sum: &catalogue::plan::Sum| matches!(sum.unit, Unit::Money { .. });
    match part {
        Part::Own(_) => sum_of(part).is_some_and(is_money),
        Part::Of(reference) if reference.series == ReferenceSeries::Sum => {
            let catalogue::plan::Kind::Count(count) = &book.kpi(reference.kpi).kind else {
                return false;
            };
            count.sum.as_ref().is_some_and(is_money)
        }
        Part::Of(_) => false,
    }
}

/// A funnel's share of those that reached the first stage who also reached the last, in each
/// window of event time.
pub fn converted(book: &Book<'_>, kpi: &Kpi, funnel: &Funnel, rules: &mut Split) {
    for level in Level::of(kpi) {
        let [first, last] = ends(book, kpi, funnel, *level);
        let expression =
            format!("sum without (stage) ({last})\n/ (sum without (stage) ({first}) > 0)");
        rules
            .fast
            .push(record(converted_name(book, kpi, *level), expression));
    }
}

/// `job:shop_x:converted_ratio`, by `window`.
pub fn converted_name(book: &Book<'_>, kpi: &Kpi, level: Level) -> String {
    let prefix = level.prefix(kpi);
    format!(
        "{prefix}:{}_{}:converted_ratio",
        book.plan.namespace, kpi.id
    )
}

/// Those that reached the first and the last stage, by `window`.
pub fn ends(book: &Book<'_>, kpi: &Kpi, funnel: &Funnel, level: Level) -> [String; 2] {
    let reached = sum(
        &level.prefix(kpi),
        &book.metric(kpi, SeriesId::ReachedInWindow),
    );
    let last = funnel.stages.len() - 1;
    [0, last].map(|at| format!("{reached}{{{}}}", is("stage", &funnel.stages[at].name)))
}
