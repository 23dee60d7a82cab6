//! The alerts: on promises, on targets, on Kept itself. Each has a runbook of its name.

pub mod burn;
pub mod kept;
pub mod promise;
pub mod target;
mod text;

use catalogue::plan::{Kind, Kpi};
use events::Span;

use crate::book::Book;
use crate::promql::{Level, minutes};
use crate::recording::kept::behind;
use crate::rule::{Alert, Group, Rule};

/// The dashboard of promises.
pub const PROMISE_DASHBOARD: &str = "kept-promise";
/// The dashboard of all KPIs.
pub const OVERVIEW_DASHBOARD: &str = "kept-overview";
/// The dashboard of carts and other funnels.
pub const FUNNEL_DASHBOARD: &str = "kept-cart";
/// The dashboard of Kept itself.
pub const HEALTH_DASHBOARD: &str = "kept-health";

/// A page goes on for so long after its condition ended: a gap of that length is no new page.
pub const PAGE_KEEPS: Span = minutes(5);
/// Likewise a page for a part of the shop: shorter, so that the parts are silent before the whole
/// that silences them is over.
pub const PART_KEEPS: Span = minutes(3);
/// Likewise a ticket.
pub const TICKET_KEEPS: Span = minutes(15);

/// All groups.
pub fn groups(book: &Book<'_>) -> Vec<Group> {
    let mut groups = vec![group(book, "kept:alerts".to_owned(), kept::alerts(book))];
    for (id, kpi) in book.kpis() {
        let mut alerts = match &kpi.kind {
            Kind::Promise(definition) => promise::alerts(book, id, kpi, definition),
            _ => Vec::new(),
        };
        alerts.extend(target::alerts(book, id, kpi));
        if !alerts.is_empty() {
            let name = format!("{}_{}:alerts", book.plan.namespace, kpi.id);
            groups.push(group(book, name, alerts));
        }
    }
    groups
}

fn group(book: &Book<'_>, name: String, alerts: Vec<Alert>) -> Group {
    Group {
        name,
        interval: book.generation.interval,
        rules: alerts.into_iter().map(Rule::Alert).collect(),
    }
}

/// The end of each expression on a KPI: silent while Kept is behind. `more` are labels of the
/// expression besides the level's dimensions.
fn unless_behind(kpi: &Kpi, level: Level, more: &[&str]) -> String {
    let ignored: Vec<&str> = level
        .left(kpi)
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    let behind = behind();
    if ignored.is_empty() {
        format!("unless {behind} > 0")
    } else {
        format!("unless ignoring ({}) {behind} > 0", ignored.join(", "))
    }
}
