//! Counts and ratios: a row each, with its target.
//!
//! Ratios of events are those of each window. A ratio with a sum in it (an average order value) has
//! no window on `/metrics`: it is the one since counting began.

use std::collections::BTreeSet;

use catalogue::metrics::SeriesId;
use catalogue::plan::{Count, Kind, Kpi, Part, Ratio, Reference, ReferenceSeries};

use super::Picture;
use super::html::Html;
use super::numbers::{Figure, Reading, label};
use super::shown;

/// The section of all counts and ratios of the catalogue; nothing without any.
pub fn show(page: &mut Html, picture: &Picture<'_>) {
    let kpis: Vec<&Kpi> = picture
        .by_role()
        .map(|at| &picture.plan.kpis[at])
        .filter(|kpi| matches!(kpi.kind, Kind::Count(_) | Kind::Ratio(_)))
        .collect();
    if kpis.is_empty() {
        return;
    }
    page.add("<section>\n<h2>Counts and ratios</h2>\n");
    if picture.tasks.is_empty() {
        page.add("<p>No numbers: nothing is shown by this instance now.</p>\n</section>\n");
        return;
    }
    page.add("<div class=\"wide\"><table class=\"figures\">\n<thead><tr><td></td>");
    let mut columns: Vec<&str> = Vec::new();
    for window in kpis.iter().flat_map(|kpi| &kpi.windows) {
        if !columns.contains(&window.label.as_str()) {
            columns.push(&window.label);
        }
    }
    for column in &columns {
        page.element(["<th scope=\"col\">", "</th>"], column);
    }
    page.add("</tr></thead>\n<tbody>\n");
    for kpi in kpis {
        let reading = Reading::new(picture.plan, kpi, picture.numbers);
        page.add("<tr><th scope=\"row\">").text(&kpi.help);
        target(page, kpi);
        page.add("</th>");
        match &kpi.kind {
            Kind::Count(count) => count_row(page, &reading, count, &columns),
            Kind::Ratio(ratio) => ratio_row(page, picture, &reading, ratio, &columns),
            Kind::Promise(_) | Kind::Funnel(_) => {}
        }
        page.add("</tr>\n");
    }
    page.add("</tbody>\n</table></div>\n</section>\n");
}

/// The target in words.
fn target(page: &mut Html, kpi: &Kpi) {
    let Some(target) = kpi.target else { return };
    let parts = [
        (" at most ", target.max),
        (" at least ", target.min),
        (" goal ", target.goal),
        (" benchmark ", target.benchmark),
    ];
    page.add(" <small>");
    let form = form(kpi);
    for (name, value) in parts {
        if let Some(value) = value {
            page.add(name).text(form(value));
        }
    }
    page.add("</small>");
}

/// How a number of this KPI is written: a ratio of events as a share, with a sum as an amount.
fn form(kpi: &Kpi) -> fn(f64) -> String {
    match (&kpi.kind, catalogue::metrics::target_unit(kpi)) {
        (Kind::Ratio(_), Some(_)) => shown::share,
        (Kind::Ratio(_), None) => shown::decimal,
        _ => shown::count,
    }
}

fn count_row(page: &mut Html, reading: &Reading<'_>, count: &Count, columns: &[&str]) {
    for column in columns {
        let figure = reading.sum(SeriesId::EventsInWindow, &[("window", column)]);
        judged(page, reading.kpi, &figure, column);
    }
    let Some(sum) = &count.sum else { return };
    page.add("</tr>\n<tr><th scope=\"row\" class=\"under\">")
        .text(&sum.name);
    page.add(" <small>since counting began</small></th><td colspan=\"")
        .text(columns.len())
        .add("\">");
    amounts(page, reading, SeriesId::Sum);
    page.add("</td>");
}

/// A family of amounts, by currency.
pub fn amounts(page: &mut Html, reading: &Reading<'_>, series: SeriesId) {
    let currencies = reading
        .samples(series, &[])
        .map(|sample| label(sample, "currency"));
    let currencies: BTreeSet<Option<&str>> = currencies.collect();
    if currencies.is_empty() {
        page.add("none");
    }
    for (at, currency) in currencies.into_iter().enumerate() {
        page.add(if at > 0 { ", " } else { "" });
        match currency {
            Some(currency) => {
                reading
                    .sum(series, &[("currency", currency)])
                    .show(page, shown::decimal);
                page.add("\u{a0}").text(currency);
            }
            None => reading.sum(series, &[]).show(page, shown::decimal),
        }
    }
}

fn ratio_row(
    page: &mut Html,
    picture: &Picture<'_>,
    reading: &Reading<'_>,
    ratio: &Ratio,
    columns: &[&str],
) {
    let sides = [
        (&ratio.numerator, NUMERATOR),
        (&ratio.denominator, DENOMINATOR),
    ];
    if sides.iter().any(|(part, _)| is_sum(part)) {
        page.add("<td colspan=\"").text(columns.len()).add("\">");
        let [above, below] = sides.map(|(part, own)| total(picture, reading, part, own));
        with_currencies(page, &above, &below);
        page.add(" <small>since counting began</small></td>");
        return;
    }
    for column in columns {
        let [above, below] =
            sides.map(|(part, own)| in_window(picture, reading, part, own, column));
        judged(page, reading.kpi, &above.over(&below), column);
    }
}

/// Events and sum in all, events in a window.
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

fn is_sum(part: &Part) -> bool {
    match part {
        Part::Own(count) => count.sum.is_some(),
        Part::Of(reference) => reference.series == ReferenceSeries::Sum,
    }
}

/// A side of events in one window.
fn in_window(
    picture: &Picture<'_>,
    reading: &Reading<'_>,
    part: &Part,
    own: [SeriesId; 3],
    window: &str,
) -> Figure {
    let Part::Of(reference) = part else {
        return reading.sum(own[2], &[("window", window)]);
    };
    let other = referred(picture, reference);
    match stage(reference, other.kpi) {
        Some(stage) => other.sum(
            SeriesId::ReachedInWindow,
            &[("window", window), ("stage", stage)],
        ),
        None => other.sum(SeriesId::EventsInWindow, &[("window", window)]),
    }
}

/// A side since counting began, by currency where it is money.
fn total(
    picture: &Picture<'_>,
    reading: &Reading<'_>,
    part: &Part,
    own: [SeriesId; 3],
) -> Vec<(Option<String>, Figure)> {
    let Part::Of(reference) = part else {
        let series = if is_sum(part) { own[1] } else { own[0] };
        return by_currency(reading, series);
    };
    let other = referred(picture, reference);
    match (reference.series, stage(reference, other.kpi)) {
        (ReferenceSeries::Sum, _) => by_currency(&other, SeriesId::Sum),
        (_, Some(stage)) => {
            vec![(None, other.sum(SeriesId::Reached, &[("stage", stage)]))]
        }
        (_, None) => by_currency(&other, SeriesId::Events),
    }
}

fn by_currency(reading: &Reading<'_>, series: SeriesId) -> Vec<(Option<String>, Figure)> {
    let currencies = reading
        .samples(series, &[])
        .map(|sample| label(sample, "currency"));
    let currencies: BTreeSet<Option<&str>> = currencies.collect();
    let figure = |currency: Option<&str>| match currency {
        Some(currency) => reading.sum(series, &[("currency", currency)]),
        None => reading.sum(series, &[]),
    };
    let figures = currencies.into_iter();
    figures
        .map(|currency| (currency.map(str::to_owned), figure(currency)))
        .collect()
}

/// One side over the other: the same currencies, or one of them without any, as the rules have it.
///
/// Nothing counts orders by currency. So where money of several currencies is over orders of all of
/// them, each is a part of the average order: they are shown as what they are, parts of one sum.
fn with_currencies(
    page: &mut Html,
    above: &[(Option<String>, Figure)],
    below: &[(Option<String>, Figure)],
) {
    let is_mixed = above.len() > 1 && below.iter().all(|(currency, _)| currency.is_none());
    let mut any = false;
    for (one, above) in above {
        for (other, below) in below {
            if one.is_some() && other.is_some() && one != other {
                continue;
            }
            page.add(match (any, is_mixed) {
                (false, _) => "",
                (true, true) => " + ",
                (true, false) => ", ",
            });
            above.over(below).show(page, shown::decimal);
            if let Some(currency) = one.as_ref().or(other.as_ref()) {
                page.add("\u{a0}").text(currency);
            }
            any = true;
        }
    }
    page.add(if any { "" } else { "none" });
    if is_mixed {
        page.add(" <small>together, over those of all currencies: not the average of those in one;</small>");
    }
}

fn referred<'a>(picture: &'a Picture<'a>, reference: &Reference) -> Reading<'a> {
    let kpi = &picture.plan.kpis[usize::from(reference.kpi.0)];
    Reading::new(picture.plan, kpi, picture.numbers)
}

fn stage<'a>(reference: &Reference, kpi: &'a Kpi) -> Option<&'a str> {
    match (reference.series, &kpi.kind) {
        (ReferenceSeries::Stage(at), Kind::Funnel(funnel)) => Some(&funnel.stages[at].name),
        _ => None,
    }
}

/// A cell, with a word where it is out of its bounds. Bounds of a count speak of one window, which
/// the catalogue's alerts know; only shares are judged here.
fn judged(page: &mut Html, kpi: &Kpi, figure: &Figure, window: &str) {
    if !kpi.windows.iter().any(|one| one.label == window) {
        page.add("<td></td>");
        return;
    }
    let target = kpi
        .target
        .filter(|_| matches!(kpi.kind, Kind::Ratio(_)))
        .unwrap_or_default();
    let is_over = |most: f64| figure.known().is_some_and(|value| value > most);
    let is_under = |least: f64| figure.known().is_some_and(|value| value < least);
    let form = form(kpi);
    if target.max.is_some_and(is_over) {
        super::promise::marked(page, true, "over", |page| figure.show(page, form));
    } else if target.min.is_some_and(is_under) {
        super::promise::marked(page, true, "under", |page| figure.show(page, form));
    } else if target.goal.is_some_and(is_under) {
        page.add("<td>");
        figure.show(page, form);
        page.add(" <small>below goal</small></td>");
    } else {
        page.add("<td>");
        figure.show(page, form);
        page.add("</td>");
    }
}
