//! How Kept stands now: is it up, does it serve, is it on time, what fires?

use catalogue::metrics::kept;

use super::newest_snapshots;
use crate::alerts::snapshot;
use crate::book::Book;
use crate::dashboards::model::{Color, Panel, Query, Show, Unit};
use crate::dashboards::overview::alerts;
use crate::dashboards::pick::{of_instances, of_job};
use crate::recording::kept as recorded;

/// All of the row.
pub fn panels(book: &Book<'_>) -> Vec<Panel> {
    let mut panels = presence();
    panels.extend(trust(book));
    panels.extend(tables());
    panels
}

fn stat(unit: Unit, title: &str, text: &str, expression: String) -> Panel {
    Panel::new(Show::Stat, unit, title, text).query(Query::new("", expression))
}

/// Whether it runs.
fn presence() -> Vec<Panel> {
    let sum = |name: &str| format!("sum({})", of_job(name, &[]));
    vec![
        stat(
            Unit::Number,
            "instances up",
            "Instances that Prometheus can scrape.",
            format!("sum({})", of_instances("up", &[])),
        )
        .colors(Color::Red, &[(1.0, Color::Green)])
        .runbooks(&["KeptDown", "KeptAbsent"]),
        stat(
            Unit::Number,
            "tasks that serve",
            "Partitions with their state whose numbers are shown.",
            sum(&recorded::serving()),
        )
        .colors(Color::Red, &[(1.0, Color::Green)])
        .runbooks(&["KeptNotReady"]),
        stat(
            Unit::Number,
            "behind",
            "Tasks that don't serve and partitions that lag more than a minute. While there are any, alerts on \
             KPIs are silent.",
            sum(&recorded::behind()),
        )
        .colors(Color::Green, &[(1.0, Color::Red)])
        .runbooks(&["KeptBehind"]),
    ]
}

/// Whether its numbers can be trusted.
fn trust(book: &Book<'_>) -> Vec<Panel> {
    let limits = [
        (recorded::SIGN_OF_LAG.seconds(), Color::Orange),
        (recorded::BEHIND.seconds(), Color::Red),
    ];
    vec![
        stat(
            Unit::Seconds,
            "worst lag",
            "How far the partition that is furthest behind is behind now.",
            format!("max({})", of_job(&recorded::worst_lag(), &[])),
        )
        .colors(Color::Green, &limits)
        .runbooks(&["KeptBehind"]),
        stat(
            Unit::Number,
            "exact?",
            "0 after a limit was hit that the numbers can't show.",
            format!("min({})", of_instances(kept::EXACT.name, &[])),
        )
        .colors(Color::Red, &[(1.0, Color::Green)])
        .word(0.0, Some(0.5), "inexact")
        .word(0.5, None, "exact")
        .runbooks(&["KeptInexact"]),
        stat(
            Unit::Seconds,
            "oldest snapshot",
            "Of the task whose last snapshot is the oldest: a restart reads the log from there.",
            format!("time() - min({})", newest_snapshots()),
        )
        .colors(
            Color::Green,
            &[(snapshot::limit(book).seconds(), Color::Red)],
        )
        .runbooks(&["KeptSnapshotOld"]),
    ]
}

/// What fires and what runs.
fn tables() -> Vec<Panel> {
    vec![
        alerts(&["kpi=\"\"".to_owned()]).wide(12).high(6),
        Panel::new(
            Show::Table,
            Unit::Number,
            "what runs",
            "Instances by version; more than one version only while one is rolled out.",
        )
        .query(Query::new(
            "instances",
            format!(
                "count by (version, instance) ({})",
                of_instances(kept::BUILD_INFO.name, &[])
            ),
        ))
        .wide(12)
        .high(6),
    ]
}
