//! The steps of a promise: where the time goes, who owns it, and where open orders wait.
//!
//! The times come from the step histograms: what they have more now than a quarter of an hour ago,
//! as this instance remembers it; before there is a minute of that, all since counting began.

use catalogue::metrics::SeriesId;
use catalogue::plan::{END_STEP, Promise};

use super::Picture;
use super::chart::bar;
use super::history::PromiseMoment;
use super::html::Html;
use super::numbers::{Buckets, Reading};
use super::shown;

/// A table of the steps; nothing for a promise without any.
pub fn show(
    page: &mut Html,
    picture: &Picture<'_>,
    at: usize,
    reading: &Reading<'_>,
    promise: &Promise,
) {
    if promise.steps.is_empty() {
        return;
    }
    let now = PromiseMoment::of(reading, promise);
    let before = picture.history.recent(at, picture.now, &now);
    let times: Vec<Buckets> = match before {
        Some((_, before)) => {
            let pairs = now.steps.iter().zip(&before.steps);
            pairs.map(|(now, before)| now.since(before)).collect()
        }
        None => now.steps,
    };
    page.add("<h3>Where the time goes</h3>\n<p class=\"soft\">");
    match before {
        Some((time, _)) => page
            .add("Times of the last ")
            .text(shown::duration(picture.now - time)),
        None => page.add("Times since counting began"),
    };
    page.add(", estimated from histogram buckets.</p>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\">wait there now</th><th scope=\"col\">p50</th><th scope=\"col\">p95</th></tr></thead>\n<tbody>\n");
    let longest = times
        .iter()
        .filter_map(|one| one.quantile(0.95))
        .fold(0.0, f64::max);
    let owners = promise.steps.iter().map(|step| step.owner.as_ref());
    let names = promise.steps.iter().map(|step| step.name.as_str());
    let legs = names
        .chain([END_STEP])
        .zip(owners.chain([reading.kpi.owner.as_ref()]));
    for ((name, owner), times) in legs.zip(&times) {
        page.add("<tr><th scope=\"row\">").text(name);
        if let Some(owner) = owner {
            page.add(" <small>").text(owner).add("</small>");
        }
        page.add("</th><td>");
        let labels = [("step", name)];
        reading
            .sum(SeriesId::OpenAtStep, &labels)
            .show(page, shown::count);
        page.add("</td><td class=\"time\">");
        page.text(quantile(times, 0.5));
        page.add("</td><td class=\"time\">");
        page.text(quantile(times, 0.95));
        bar(page, times.quantile(0.95).unwrap_or(0.0) / longest);
        page.add("</td></tr>\n");
    }
    page.add("</tbody>\n</table></div>\n");
}

fn quantile(times: &Buckets, quantile: f64) -> String {
    shown::duration(times.quantile(quantile).unwrap_or(f64::NAN))
}
