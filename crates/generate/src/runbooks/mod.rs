//! One runbook for each alert: what it means, what to look at, what to do, and the rules themselves.
//!
//! What a person does is written in `texts.rs`; names, thresholds and queries come from the alerts.

pub mod texts;

use std::fmt::Write as _;

use catalogue::plan::{Kind, Kpi};

use crate::alertmanager::all;
use crate::book::Book;
use crate::rule::Alert;
use crate::{File, promql};
use texts::{TEXTS, Text};

/// The line near its head that says where a runbook is from.
pub const MARK: &str = "<!-- Made by `kept generate reference`; changes by hand are lost. -->";

/// The runbooks, by name of the alert.
pub fn files(book: &Book<'_>) -> Vec<File> {
    let alerts = all(book);
    let mut names: Vec<&str> = alerts.iter().map(|alert| alert.name).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| file(book, &alerts, name)).collect()
}

fn file(book: &Book<'_>, alerts: &[Alert], name: &str) -> File {
    let text = TEXTS.iter().find(|text| text.alert == name);
    let text = text.unwrap_or_else(|| panic!("{name} has no runbook"));
    let rules: Vec<&Alert> = alerts.iter().filter(|alert| alert.name == name).collect();
    File {
        path: format!("runbooks/{name}.md"),
        text: page(book, text, &rules),
    }
}

fn page(book: &Book<'_>, text: &Text, rules: &[&Alert]) -> String {
    let mut page = format!("# {}\n\n", text.alert);
    put(&mut page, &format!("{MARK}\n"));
    put(
        &mut page,
        &format!("## What it means\n\n{}\n", text.meaning),
    );
    list(&mut page, "What to look at", text.look);
    let kpis = kpis(book, rules);
    if !kpis.is_empty() {
        put(&mut page, &kpis);
    }
    list(&mut page, "What to do", text.act);
    put(&mut page, "## The rules\n");
    for rule in rules {
        put(&mut page, &shown(book, rule));
    }
    page.trim_end().to_owned() + "\n"
}

fn put(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a String can't fail");
}

fn list(page: &mut String, title: &str, items: &[&str]) {
    put(page, &format!("## {title}\n"));
    for (at, item) in items.iter().enumerate() {
        put(page, &format!("{}. {item}", at + 1));
    }
    put(page, "");
}

/// Where to look for each promise that the alert speaks of.
fn kpis(book: &Book<'_>, rules: &[&Alert]) -> String {
    let mut text = String::new();
    for kpi in &book.plan.kpis {
        let spoken_of = |rule: &&Alert| rule.labels.contains(&("kpi", kpi.id.clone()));
        if let Kind::Promise(_) = &kpi.kind
            && rules.iter().any(spoken_of)
        {
            put(&mut text, &of_promise(book, kpi));
        }
    }
    text
}

fn of_promise(book: &Book<'_>, kpi: &Kpi) -> String {
    use catalogue::metrics::SeriesId;
    let Kind::Promise(promise) = &kpi.kind else {
        return String::new();
    };
    let metric = |series| book.metric(kpi, series);
    let sum = |series| promql::sum("job", &metric(series));
    let mut text = format!(
        "For `{id}` ({help}, within {within}):\n\n\
         - The worst open orders, with key, age, step, partition and offset, on each instance (each knows \
         its own partitions): \
         `curl 'http://INSTANCE/api/overdue?kpi={id}&limit=20'`\n\
         - Overdue now: `{overdue}`; oldest: `time() - job:{oldest}:min`\n",
        id = kpi.id,
        help = kpi.help,
        within = promise.within,
        overdue = sum(SeriesId::Overdue),
        oldest = metric(SeriesId::OldestOpenStart),
    );
    if !kpi.by.is_empty() {
        let part = promql::Level::Part.prefix(kpi);
        let overdue = promql::sum(&part, &metric(SeriesId::Overdue));
        put(&mut text, &format!("- Where: `topk(5, {overdue})`"));
    }
    if !promise.steps.is_empty() {
        let waiting = sum(SeriesId::OpenAtStep);
        let owners: Vec<String> = promise
            .steps
            .iter()
            .filter_map(|step| Some(format!("{} is {}'s", step.name, step.owner.as_ref()?)))
            .collect();
        put(
            &mut text,
            &format!(
                "- Which step they wait for: `{waiting}` ({})",
                owners.join(", ")
            ),
        );
    }
    let signs = crate::recording::promise::pipe_signs(book, kpi);
    put(
        &mut text,
        &format!(
            "- Shop or pipe: `{signs}` counts the signs of a late pipe; events that are not \
                sent at all leave none"
        ),
    );
    text
}

fn shown(book: &Book<'_>, rule: &Alert) -> String {
    let labels: Vec<String> = rule
        .labels()
        .iter()
        .map(|(name, value)| format!("{name} `{value}`"))
        .collect();
    let after = if rule.after == events::Span::ZERO {
        "at once".to_owned()
    } else {
        format!("after {}", rule.after)
    };
    format!(
        "{}, {after}; [dashboard]({}):\n\n```\n{}\n```\n",
        labels.join(", "),
        rule.dashboard_url(book.links()),
        rule.expression
    )
}
