//! A funnel: how many reach each stage, as bars and as shares of the first and of the one before.

use catalogue::metrics::SeriesId;
use catalogue::plan::Funnel;

use super::Picture;
use super::chart::bar;
use super::figures::amounts;
use super::html::Html;
use super::numbers::{Figure, Reading};
use super::shown;

/// The longest window that the bars are drawn of, in seconds: long enough for people to decide,
/// short enough to be about now.
const BARS_SECONDS: f64 = 3600.0;

/// The section of one funnel; `at` is its place in the plan.
pub fn show(page: &mut Html, picture: &Picture<'_>, at: usize, funnel: &Funnel) {
    let kpi = &picture.plan.kpis[at];
    let reading = Reading::new(picture.plan, kpi, picture.numbers);
    page.add("<section>\n<h2>")
        .text(&kpi.help)
        .add(" <small>")
        .text(&kpi.id)
        .add("</small></h2>\n");
    let mut windows = kpi.windows.iter().rev();
    let window = windows.find(|window| window.length.seconds() <= BARS_SECONDS);
    let is_shown = reading.samples(SeriesId::FunnelOpen, &[]).next().is_some();
    let Some(window) = window.or(kpi.windows.first()).filter(|_| is_shown) else {
        page.add("<p>No numbers: nothing of it is shown by this instance now, or no event came yet.</p>\n</section>\n");
        return;
    };
    stages(page, &reading, funnel, &window.label);
    endings(page, &reading);
    page.add("</section>\n");
}

fn stages(page: &mut Html, reading: &Reading<'_>, funnel: &Funnel, window: &str) {
    page.add("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">reached in the last ")
        .text(window);
    page.add("</th><th scope=\"col\">number</th><th scope=\"col\">of the first</th><th scope=\"col\">of the one before</th></tr></thead>\n<tbody>\n");
    let reached = funnel.stages.iter().map(|stage| {
        let labels = [("window", window), ("stage", stage.name.as_str())];
        reading.sum(SeriesId::ReachedInWindow, &labels)
    });
    let reached: Vec<Figure> = reached.collect();
    for (at, stage) in funnel.stages.iter().enumerate() {
        let of_first = reached[at].over(&reached[0]);
        page.add("<tr><th scope=\"row\">").text(&stage.name);
        bar(page, of_first.value());
        page.add("</th><td>");
        reached[at].show(page, shown::count);
        page.add("</td><td>");
        of_first.show(page, shown::share);
        page.add("</td><td>");
        if at > 0 {
            reached[at].over(&reached[at - 1]).show(page, shown::share);
        }
        page.add("</td></tr>\n");
    }
    page.add("</tbody>\n</table></div>\n");
}

/// How they ended, since counting began.
fn endings(page: &mut Html, reading: &Reading<'_>) {
    page.add("<p class=\"soft\">Open now: ");
    reading
        .sum(SeriesId::FunnelOpen, &[])
        .show(page, shown::count);
    page.add(". Since counting began: ");
    for (outcome, words) in [("converted", " converted, "), ("abandoned", " abandoned, ")] {
        reading
            .sum(SeriesId::Ended, &[("outcome", outcome)])
            .show(page, shown::count);
        page.add(words);
    }
    reading
        .sum(SeriesId::Recovered, &[])
        .show(page, shown::count);
    page.add(" of those came back.");
    if reading
        .samples(SeriesId::AbandonedValue, &[])
        .next()
        .is_some()
    {
        page.add(" Left behind: ");
        amounts(page, reading, SeriesId::AbandonedValue);
        page.add(".");
    }
    page.add("</p>\n");
}
