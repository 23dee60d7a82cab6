//! The overview: how it stands now, then every KPI by its role, core first.

use catalogue::plan::{Kind, Kpi, KpiId, Role};

use super::model::{Color, Dashboard, Panel, Query, Row, Show, Unit};
use super::pick::{Pick, of_job};
use super::promise::{self, Subject};
use super::{kpi as panels, variables};
use crate::alerts::{HEALTH_DASHBOARD, OVERVIEW_DASHBOARD, PROMISE_DASHBOARD};
use crate::book::Book;
use crate::recording::kept::behind;

/// The dashboard.
pub fn dashboard(book: &Book<'_>) -> Dashboard {
    let mut rows = now(book);
    for (role, title) in [
        (Role::Core, "Core"),
        (Role::Supporting, "Supporting"),
        (Role::Guardrail, "Guardrails: what must not get worse"),
    ] {
        let of_role = book.kpis().filter(|(_, kpi)| kpi.role == role);
        let panels: Vec<Panel> = of_role
            .flat_map(|(id, kpi)| of_kpi(book, id, kpi))
            .collect();
        if !panels.is_empty() {
            rows.push(Row {
                title: title.to_owned(),
                folded: false,
                panels,
            });
        }
    }
    Dashboard {
        uid: OVERVIEW_DASHBOARD,
        title: "Kept: overview",
        description: "Is the shop keeping its promise to customers, and how do its numbers stand?",
        variables: variables::base(book),
        annotations: variables::annotations(&[]),
        rows,
    }
}

/// How it stands: a row for each promise, then what fires and whether Kept itself is well.
fn now(book: &Book<'_>) -> Vec<Row> {
    let row = |title: String, panels| Row {
        title,
        folded: false,
        panels,
    };
    let mut rows = Vec::new();
    for (id, kpi, promise) in promise::all(book) {
        let all = Pick::all(book, kpi);
        let subject = Subject {
            chosen: all,
            all,
            id,
            promise,
        };
        let stats = promise::stats(&subject, &all).into_iter();
        let panels = stats.map(|panel| panel.leads_to(PROMISE_DASHBOARD));
        let title = format!("{}, now ({})", kpi.help, book.owner(kpi));
        rows.push(row(title, panels.collect()));
    }
    let panels = vec![alerts(&[]).wide(20).high(7), kept()];
    rows.push(row("Alerts".to_owned(), panels));
    rows
}

/// What fires, worst first.
pub fn alerts(which: &[String]) -> Panel {
    let matchers = [
        "alertstate=\"firing\"".to_owned(),
        "severity!=\"info\"".to_owned(),
        // Without a job: that there is no instance at all.
        "job=~\"$job|\"".to_owned(),
    ];
    let matchers: Vec<String> = matchers.into_iter().chain(which.iter().cloned()).collect();
    let labels = "severity, alertname, kpi, owner, level, step, window";
    let expression = format!("sum by ({labels}) (ALERTS{{{}}})", matchers.join(", "));
    Panel::new(
        Show::Table,
        Unit::Number,
        "alerts that fire",
        "Critical ones have paged their owner, warnings are tickets. Empty is good, as long as the Watchdog is \
         heard.",
    )
    .query(Query::new("firing", expression).empty("nothing fires"))
    .colors(Color::Green, &[(1.0, Color::Red)])
    .runbooks(&["Watchdog"])
}

/// Whether the numbers can be trusted.
fn kept() -> Panel {
    Panel::new(
        Show::Stat,
        Unit::Number,
        "Kept itself",
        "Tasks and partitions that are behind. While there are any, the numbers are old and the alerts on them \
         are silent.",
    )
    .query(Query::new("", format!("sum({})", of_job(&behind(), &[]))))
    .colors(Color::Green, &[(1.0, Color::Red)])
    .word(0.0, Some(0.5), "up to date")
    .high(7)
    .leads_to(HEALTH_DASHBOARD)
    .runbooks(&["KeptBehind"])
}

fn of_kpi(book: &Book<'_>, id: KpiId, kpi: &Kpi) -> Vec<Panel> {
    let all = Pick::all(book, kpi);
    match &kpi.kind {
        Kind::Count(count) => panels::count(id, &all, count),
        Kind::Ratio(ratio) => vec![panels::of_ratio(&all, ratio)],
        Kind::Funnel(funnel) => vec![panels::of_funnel(&all, funnel)],
        Kind::Promise(promise) => {
            let subject = Subject {
                chosen: all,
                all,
                id,
                promise,
            };
            [
                promise::percentiles(&subject),
                promise::kept_share(&subject, &all),
            ]
            .map(|panel| panel.wide(12).leads_to(PROMISE_DASHBOARD))
            .into()
        }
    }
}
