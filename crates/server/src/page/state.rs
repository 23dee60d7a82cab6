//! Kept itself: does it serve, how old is what it shows, what did it refuse.

use std::collections::BTreeSet;

use super::Picture;
use super::held::Held;
use super::html::Html;
use super::numbers::{Buckets, Figure, label};
use super::shown;

/// What to do when it does not serve: at the head of the page.
pub fn readiness(page: &mut Html, picture: &Picture<'_>) {
    match picture.ready {
        Ok(()) if picture.tasks.is_empty() => {
            page.add("<p class=\"notice\">Ready, without a partition: other instances of the group have them all.</p>\n");
        }
        Ok(()) => {}
        Err(reasons) => {
            page.add("<div class=\"notice bad\" role=\"status\"><strong>Not everything is shown.</strong><ul>\n");
            for reason in reasons.lines() {
                page.element(["<li>", "</li>\n"], reason);
            }
            page.add("</ul></div>\n");
        }
    }
}

/// The section.
pub fn show(page: &mut Html, picture: &Picture<'_>) {
    page.add("<section>\n<h2>Kept itself</h2>\n<dl class=\"list\">\n");
    item(page, "State", |page| match picture.ready {
        Ok(()) => page.add("<span class=\"good\">serving</span>"),
        Err(_) => page.add("<span class=\"bad\">not ready</span>"),
    });
    tasks(page, picture);
    for group in 0..picture.plan.groups.len() {
        let held = Held::of(picture, group);
        item(page, "Partitions", |page| held.show(page));
    }
    times(page, picture);
    exactness(page, picture);
    snapshots(page, picture);
    records(page, picture);
    page.add("</dl>\n</section>\n");
}

fn item(page: &mut Html, name: &'static str, value: impl FnOnce(&mut Html) -> &mut Html) {
    page.add("<div><dt>").add(name).add("</dt><dd>");
    value(page).add("</dd></div>\n");
}

fn figure<'h>(page: &'h mut Html, figure: &Figure, form: fn(f64) -> String) -> &'h mut Html {
    figure.show(page, form);
    page
}

fn tasks(page: &mut Html, picture: &Picture<'_>) {
    let states = ["serving", "restoring", "catching_up", "fenced"];
    item(page, "Tasks", |page| {
        let mut first = true;
        for state in states {
            let tasks = picture.numbers.sum("kept_tasks", &[("state", state)]);
            if tasks.known().is_some_and(|tasks| tasks > 0.0) || (state == "serving") {
                page.add(if first { "" } else { ", " });
                figure(page, &tasks, shown::count)
                    .add(" ")
                    .text(state.replace('_', " "));
                first = false;
            }
        }
        page
    });
}

fn times(page: &mut Html, picture: &Picture<'_>) {
    let numbers = picture.numbers;
    item(page, "Shows the shop of", |page| {
        let age = numbers
            .min("kept_display_timestamp_seconds")
            .ago(picture.now);
        figure(page, &age, shown::duration).add(" ago (lateness included)")
    });
    item(page, "Behind Kafka by", |page| {
        figure(
            page,
            &numbers.max("kept_consumer_lag_seconds"),
            shown::duration,
        )
        .add(", ");
        let messages = numbers.sum("kept_consumer_lag_messages", &[]);
        figure(page, &messages, shown::count).add(" records")
    });
    item(page, "Events reach Kafka after", |page| {
        delay(page, picture)
    });
}

/// The p95 of Kafka timestamp minus event time of each source, the slowest few.
fn delay<'h>(page: &'h mut Html, picture: &Picture<'_>) -> &'h mut Html {
    const SOURCES: usize = 3;
    const NAME: &str = "kept_event_delay_seconds";
    let sources = picture
        .numbers
        .samples(NAME, &[])
        .filter_map(|sample| label(sample, "source"));
    let sources: BTreeSet<&str> = sources.collect();
    let mut delays: Vec<(&str, f64)> = Vec::new();
    for source in sources {
        let labels = [("source", source)];
        let buckets = Buckets::of(picture.numbers.samples(NAME, &labels));
        delays.extend(buckets.quantile(0.95).map(|p95| (source, p95)));
    }
    delays.sort_by(|one, other| other.1.total_cmp(&one.1));
    if delays.is_empty() {
        return page.add("no event yet");
    }
    for (at, (source, p95)) in delays.iter().take(SOURCES).enumerate() {
        page.add(if at > 0 { ", " } else { "" })
            .text(shown::duration(*p95));
        page.add(" <small>").text(source).add("</small>");
    }
    page.add(" <small>(p95 since counting began")
        .add(if delays.len() > SOURCES {
            ", the slowest sources)</small>"
        } else {
            ")</small>"
        })
}

fn exactness(page: &mut Html, picture: &Picture<'_>) {
    let exact = picture.numbers.min("kept_exact");
    item(page, "Numbers", |page| {
        match exact.known() {
        None => page.add("none shown"),
        Some(exact) if exact < 1.0 => page.add("<span class=\"bad\">not exact: a limit was hit (kept_entities_overflow_total says which)</span>"),
        Some(_) => page.add("exact"),
    }
    });
}

fn snapshots(page: &mut Html, picture: &Picture<'_>) {
    let name = "kept_snapshot_last_success_timestamp_seconds";
    let oldest = picture.numbers.min(name);
    item(page, "Oldest snapshot", |page| match oldest.known() {
        None => page.add("none: a restart reads the log again"),
        Some(_) => figure(page, &oldest.ago(picture.now), shown::duration).add(" old"),
    });
}

/// What was read and what of it was refused, since counting began.
fn records(page: &mut Html, picture: &Picture<'_>) {
    let numbers = picture.numbers;
    item(page, "Records", |page| {
        figure(page, &numbers.sum("kept_events_total", &[]), shown::count).add(" read");
        let refused = [
            ("kept_records_rejected_total", " rejected"),
            ("kept_events_too_late_total", " too late for counts"),
            ("kept_log_gap_records_total", " gone from the log unread"),
            ("kept_dead_letters_lost_total", " dead letters lost"),
        ];
        for (name, words) in refused {
            let sum = numbers.sum(name, &[]);
            if sum.known().is_some_and(|sum| sum > 0.0) {
                page.add(", <span class=\"warn\">");
                figure(page, &sum, shown::count).add(words).add("</span>");
            }
        }
        page.add(", since counting began")
    });
    item(page, "Version", |page| {
        let build = numbers.samples("kept_build_info", &[]).next();
        let version = build.and_then(|sample| label(sample, "version"));
        page.text(version.unwrap_or("unknown"))
    });
}
