//! The label sets of a promise that do worst: a few of them, and how many more there are.
//!
//! Worst is who has most overdue; then most broken in the shortest window; then the highest p95 with
//! open orders.

use std::collections::BTreeMap;

use catalogue::metrics::SeriesId;
use catalogue::plan::Promise;
use exposition::Sample;

use super::html::Html;
use super::numbers::{Reading, label, value_of};
use super::promise::marked;
use super::shown;

/// How many are shown.
const SHOWN: usize = 6;

/// The table; nothing for a promise without dimensions.
pub fn show(page: &mut Html, reading: &Reading<'_>, promise: &Promise) {
    let Some(window) = reading
        .shortest_window()
        .filter(|_| !reading.kpi.by.is_empty())
    else {
        return;
    };
    let sets = ranked(reading, window);
    page.add("<h3>By ");
    for (at, dimension) in reading.kpi.by.iter().enumerate() {
        page.add(if at > 0 { ", " } else { "" })
            .text(&dimension.name);
    }
    page.add(": the worst</h3>\n<div class=\"wide\"><table>\n<thead><tr><td></td><th scope=\"col\">overdue</th><th scope=\"col\">p95 with open</th><th scope=\"col\">kept</th></tr></thead>\n<tbody>\n");
    for set in sets.iter().take(SHOWN) {
        row(page, reading, promise, window, set);
    }
    page.add("</tbody>\n</table></div>\n");
    if sets.len() > SHOWN {
        page.add("<p class=\"soft\">and ")
            .text(shown::count((sets.len() - SHOWN) as f64));
        page.add(" more, none of them worse</p>\n");
    }
}

/// A label set and what it is ranked by.
struct Set<'a> {
    labels: Vec<(&'a str, &'a str)>,
    overdue: f64,
    broken: f64,
    p95: f64,
}

/// All label sets, the worst first. One pass over each family: there may be thousands.
fn ranked<'a>(reading: &'a Reading<'a>, window: &str) -> Vec<Set<'a>> {
    let names: Vec<&str> = reading.kpi.by.iter().map(|one| one.name.as_str()).collect();
    let values = |sample: &'a Sample| -> Vec<&'a str> {
        let values = names
            .iter()
            .map(|name| label(sample, name).unwrap_or_default());
        values.collect()
    };
    let mut sets: BTreeMap<Vec<&str>, [f64; 3]> = BTreeMap::new();
    let broken = [("window", window), ("result", "broken")];
    let open = [("window", window), ("q", "0.95")];
    let families: [(SeriesId, &[(&str, &str)]); 3] = [
        (SeriesId::Overdue, &[]),
        (SeriesId::PromisesInWindow, &broken),
        (SeriesId::WithOpen, &open),
    ];
    for (place, (series, wanted)) in families.into_iter().enumerate() {
        for sample in reading.samples(series, wanted) {
            let value = value_of(sample).filter(|value| value.is_finite());
            sets.entry(values(sample)).or_default()[place] += value.unwrap_or(0.0);
        }
    }
    let mut sets: Vec<Set<'_>> = sets
        .into_iter()
        .map(|(values, [overdue, broken, p95])| Set {
            labels: reading
                .kpi
                .by
                .iter()
                .map(|one| one.name.as_str())
                .zip(values)
                .collect(),
            overdue,
            broken,
            p95,
        })
        .collect();
    let rank = |set: &Set<'_>| [set.overdue, set.broken, set.p95];
    sets.sort_by(|one, other| {
        rank(other)
            .partial_cmp(&rank(one))
            .expect("known numbers compare")
    });
    sets
}

fn row<'a>(
    page: &mut Html,
    reading: &Reading<'a>,
    promise: &Promise,
    window: &'a str,
    set: &Set<'a>,
) {
    page.add("<tr><th scope=\"row\">");
    for (at, (_, value)) in set.labels.iter().enumerate() {
        page.add(if at > 0 { ", " } else { "" }).text(short(value));
    }
    page.add("</th>");
    let overdue = reading.sum(SeriesId::Overdue, &set.labels);
    page.add("<td>");
    overdue.show(page, shown::count);
    page.add("</td>");
    let with = |more: [(&'static str, &'a str); 2]| [&set.labels[..], &more].concat();
    let p95 = reading.one(
        SeriesId::WithOpen,
        &with([("window", window), ("q", "0.95")]),
    );
    let is_late = p95
        .known()
        .is_some_and(|p95| p95 > promise.within.seconds());
    marked(page, is_late, "over", |page| {
        p95.show(page, shown::duration)
    });
    let [kept, broken] = ["kept", "broken"].map(|result| {
        let labels = with([("window", window), ("result", result)]);
        reading.sum(SeriesId::PromisesInWindow, &labels)
    });
    let kept = kept.over(&kept.plus(&broken));
    let is_bad = kept.known().is_some_and(|kept| kept < promise.objective);
    marked(page, is_bad, "below", |page| kept.show(page, shown::share));
    page.add("</tr>\n");
}

/// A label value that fits a phone.
fn short(value: &str) -> String {
    const LONGEST: usize = 48;
    let mut short: String = value.chars().take(LONGEST).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}
