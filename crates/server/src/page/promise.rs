//! A promise: is it kept, and if not, how late, for how many, where and since when.
//!
//! The verdict is that of the shortest window: the share kept against the objective, and the p95 with
//! open orders against the limit, which climbs while an outage goes on. Words say what colours say.

use catalogue::metrics::{LONGEST_WITH_OPEN, SeriesId};
use catalogue::plan::{Promise, Window};

use super::Picture;
use super::as_of::AsOf;
use super::chart::Chart;
use super::held::Held;
use super::html::Html;
use super::numbers::{Figure, Reading};
use super::{shown, steps, worst};

/// The section of one promise; `at` is its place in the plan.
pub fn show(page: &mut Html, picture: &Picture<'_>, at: usize, promise: &Promise) {
    let kpi = &picture.plan.kpis[at];
    let reading = Reading::new(picture.plan, kpi, picture.numbers);
    page.add("<section>\n<h2>").text(&kpi.help);
    page.add(" <small>")
        .text(&kpi.id)
        .add("</small></h2>\n<p class=\"soft\">Promised: ");
    page.text(shown::share(promise.objective)).add(" within ");
    page.text(shown::duration(promise.within.seconds()))
        .add(".");
    if let Some(owner) = &kpi.owner {
        page.add(" Owner: ").text(owner).add(".");
    }
    page.add(" <a href=\"/api/overdue?kpi=").text(&kpi.id);
    page.add("\">Who waits longest</a></p>\n");
    if reading.samples(SeriesId::Open, &[]).next().is_none() {
        page.add("<p>No numbers: nothing of it is shown by this instance now, or no event came yet.</p>\n</section>\n");
        return;
    }
    if let Some(window) = kpi.windows.first() {
        let held = Held::of_kpi(picture, at);
        verdict(page, &reading, promise, window, held.as_ref());
    }
    tiles(page, picture, at, &reading);
    if !kpi.windows.is_empty() {
        chart(page, picture, at, promise);
        windows(page, picture, at, &reading, promise);
    }
    steps::show(page, picture, at, &reading, promise);
    worst::show(page, &reading, promise);
    page.add("</section>\n");
}

/// The share kept of those judged, by start in the window.
pub fn share(reading: &Reading<'_>, window: &str) -> Figure {
    let [kept, broken] = ["kept", "broken"].map(|result| {
        let labels = [("window", window), ("result", result)];
        reading.sum(SeriesId::PromisesInWindow, &labels)
    });
    kept.over(&kept.plus(&broken))
}

fn p95(reading: &Reading<'_>, series: SeriesId, window: &str, q: &str) -> Figure {
    reading.one(series, &[("window", window), ("q", q)])
}

/// One word, why, and of how much of the shop.
fn verdict(
    page: &mut Html,
    reading: &Reading<'_>,
    promise: &Promise,
    window: &Window,
    held: Option<&Held<'_>>,
) {
    let label = window.label.as_str();
    let share = share(reading, label);
    let open = p95(reading, SeriesId::AllWithOpen, label, "0.95");
    let is_missed = share.known().is_some_and(|share| share < promise.objective);
    let is_late = open
        .known()
        .is_some_and(|open| open > promise.within.seconds());
    let word = match (share.known(), is_missed, is_late) {
        (None, _, false) => ["<p class=\"verdict soft\">", "Nothing to judge", "</p>\n"],
        (None, _, true) => ["<p class=\"verdict bad\">", "Late", "</p>\n"],
        (Some(_), true, _) => ["<p class=\"verdict bad\">", "Not kept", "</p>\n"],
        (Some(_), false, true) => [
            "<p class=\"verdict warn\">",
            "Kept so far, but getting late",
            "</p>\n",
        ],
        (Some(_), false, false) => ["<p class=\"verdict good\">", "Kept", "</p>\n"],
    };
    page.add(word[0]).add(word[1]).add(" <small>");
    match share.known() {
        None => page
            .add("no order of the last ")
            .text(label)
            .add(" was judged"),
        Some(_) => {
            share.show(page, shown::share);
            page.add(" of the orders of the last ")
                .text(label)
                .add(" within the limit")
        }
    };
    if let Some(held) = held {
        held.beside(page);
    }
    page.add("</small>").add(word[2]);
}

/// What is so at the display time: all of it by the same clock, so that no tile contradicts another.
fn tiles(page: &mut Html, picture: &Picture<'_>, at: usize, reading: &Reading<'_>) {
    let as_of = AsOf::of(picture, at);
    page.add("<dl class=\"tiles\">\n");
    let tile = |page: &mut Html, name, figure: &Figure, form| {
        page.add("<div><dt>").add(name).add("</dt><dd>");
        figure.show(page, form);
        page.add("</dd></div>\n");
    };
    tile(
        page,
        "overdue now",
        &reading.sum(SeriesId::Overdue, &[]),
        shown::count,
    );
    let oldest = as_of.oldest_wait(reading);
    tile(page, "oldest open waits", &oldest, shown::duration);
    tile(
        page,
        "open now",
        &reading.sum(SeriesId::Open, &[]),
        shown::count,
    );
    let unjudged = reading.sum(SeriesId::OverdueUnjudged, &[]);
    if unjudged.known().is_some_and(|unjudged| unjudged > 0.0) {
        tile(page, "overdue, not judged yet", &unjudged, shown::count);
    }
    page.add("</dl>\n");
    as_of.beside(page, picture.now);
}

fn chart(page: &mut Html, picture: &Picture<'_>, at: usize, promise: &Promise) {
    let chart = Chart {
        now: picture.now,
        limit: promise.within.seconds(),
        moments: picture.history.of(at).collect(),
    };
    page.add("<h3>p95 of the last ")
        .text(&picture.plan.kpis[at].windows[0].label);
    page.add(", over time</h3>\n");
    chart.show(page);
    page.add(
        "<p class=\"soft\">As far back as this process remembers, an hour at most; of this instance's partitions.</p>\n",
    );
}

/// Percentiles and shares, a window a column.
fn windows(
    page: &mut Html,
    picture: &Picture<'_>,
    at: usize,
    reading: &Reading<'_>,
    promise: &Promise,
) {
    let windows = &reading.kpi.windows;
    page.add("<h3>By window</h3>\n<div class=\"wide\"><table>\n<thead><tr><td></td>");
    for window in windows {
        page.element(["<th scope=\"col\">", "</th>"], &window.label);
    }
    page.add("</tr></thead>\n<tbody>\n");
    let quantiles = [("0.5", "p50"), ("0.95", "p95")];
    for (q, name) in quantiles {
        page.add("<tr><th scope=\"row\">")
            .add(name)
            .add(" of completed</th>");
        for window in windows {
            let figure = p95(reading, SeriesId::AllDurationInWindow, &window.label, q);
            cell(page, &figure, promise);
        }
        page.add("</tr>\n");
    }
    for (q, name) in quantiles {
        page.add("<tr><th scope=\"row\">")
            .add(name)
            .add(" with open orders</th>");
        for (place, window) in windows.iter().enumerate() {
            let is_bound = picture.bounds.has(at, place, q);
            with_open(page, reading, promise, (window, q), is_bound);
        }
        page.add("</tr>\n");
    }
    page.add("<tr><th scope=\"row\">share kept <small>of ")
        .text(shown::share(promise.objective))
        .add("</small></th>");
    for window in windows {
        let share = share(reading, &window.label);
        let is_bad = share.known().is_some_and(|share| share < promise.objective);
        marked(page, is_bad, "below", |page| share.show(page, shown::share));
    }
    page.add("</tr>\n");
    for result in ["kept", "broken", "pending"] {
        page.add("<tr><th scope=\"row\">").add(result).add("</th>");
        for window in windows {
            let labels = [("window", window.label.as_str()), ("result", result)];
            page.add("<td>");
            reading
                .sum(SeriesId::PromisesInWindow, &labels)
                .show(page, shown::count);
            page.add("</td>");
        }
        page.add("</tr>\n");
    }
    page.add("</tbody>\n</table></div>\n<p class=\"soft\">By start in the window; percentiles with open orders in them are for windows up to 1 h.</p>\n");
}

/// With open orders; "at least" where too few completed for the percentile to be reached: it is then
/// the greatest age at risk.
fn with_open(
    page: &mut Html,
    reading: &Reading<'_>,
    promise: &Promise,
    (window, q): (&Window, &str),
    is_bound: bool,
) {
    if window.length > LONGEST_WITH_OPEN {
        page.add("<td class=\"soft\">–</td>");
        return;
    }
    let figure = p95(reading, SeriesId::AllWithOpen, &window.label, q);
    let is_bad = figure
        .known()
        .is_some_and(|value| value > promise.within.seconds());
    marked(page, is_bad, "over", |page| {
        if is_bound {
            page.add("<small>at least</small> ");
        }
        figure.show(page, shown::duration);
    });
}

fn cell(page: &mut Html, figure: &Figure, promise: &Promise) {
    let is_bad = figure
        .known()
        .is_some_and(|value| value > promise.within.seconds());
    marked(page, is_bad, "over", |page| {
        figure.show(page, shown::duration)
    });
}

/// A cell that says in a word and by its colour what is wrong with it.
pub fn marked(page: &mut Html, is_bad: bool, word: &'static str, content: impl Fn(&mut Html)) {
    if !is_bad {
        page.add("<td>");
        content(page);
        page.add("</td>");
        return;
    }
    page.add("<td class=\"bad\">");
    content(page);
    page.add(" <small>").add(word).add("</small></td>");
}
