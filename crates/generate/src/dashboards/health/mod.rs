//! The dashboard of Kept itself: is it up, is it up to date, what does it get, what does it hold?

mod holds;
mod inputs;
mod now;
mod progress;

use catalogue::metrics::kept;

use super::model::{Dashboard, Panel, Query, Row, Show, Unit};
use super::pick::of_job;
use super::variables;
use crate::alerts::HEALTH_DASHBOARD;
use crate::book::Book;

/// Why a counter of troubles has no series.
const NO_TROUBLE: &str = "it never happened";

/// The dashboard.
pub fn dashboard(book: &Book<'_>) -> Dashboard {
    let row = |title: &str, panels| Row {
        title: title.to_owned(),
        folded: false,
        panels,
    };
    Dashboard {
        uid: HEALTH_DASHBOARD,
        title: "Kept: health",
        description: "Can the numbers be trusted: is Kept up, up to date, and fed with what it can use?",
        variables: variables::base(book),
        annotations: variables::annotations(&["kpi=\"\"".to_owned()]),
        rows: vec![
            row("Now", now::panels(book)),
            row("Is it up to date?", progress::panels()),
            row("What does it get?", inputs::inputs(book)),
            row("What could it not use?", inputs::losses(book)),
            row("What does it hold?", holds::state()),
            row("Commits and snapshots", holds::snapshots(book)),
            row("The process", holds::process()),
        ],
    }
}

/// The last snapshot of each task, whoever made it.
fn newest_snapshots() -> String {
    format!(
        "max by (topic, partition) ({})",
        of_job(kept::SNAPSHOT_SUCCESS.name, &[])
    )
}

fn lines(unit: Unit, title: &str, text: &str) -> Panel {
    Panel::new(Show::Lines, unit, title, text)
}

/// A counter of troubles, which has no series before the first.
fn trouble(legend: &str, expression: String) -> Query {
    Query::new(legend, expression).empty(NO_TROUBLE)
}
