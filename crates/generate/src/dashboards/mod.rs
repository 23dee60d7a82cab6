//! Grafana dashboards: the overview by role, promises, funnels, and Kept's own health.
//!
//! What a panel reads are the series that the rules record, by the names that the rules give them;
//! limits and colours come from what the alerts compare with. Nothing here knows a metric's name.

mod funnel;
mod health;
mod json;
mod kpi;
mod layout;
mod model;
mod options;
mod overview;
mod panel;
mod pick;
mod promise;
pub mod queries;
mod targets;
mod variables;

use crate::File;
use crate::book::Book;
use model::Dashboard;

/// What the description of a dashboard's file ends with: where it is from.
pub const MARK: &str =
    "Made by `kept generate dashboards` from the catalogue; changes by hand are lost.";

/// All dashboards: those without a KPI to show are left out.
fn all(book: &Book<'_>) -> Vec<Dashboard> {
    let mut all = vec![overview::dashboard(book)];
    all.extend(promise::dashboard(book));
    all.extend(funnel::dashboard(book));
    all.push(health::dashboard(book));
    all
}

/// Uid, title and description of each.
pub fn titles(book: &Book<'_>) -> Vec<(&'static str, &'static str, &'static str)> {
    let title = |dashboard: &Dashboard| (dashboard.uid, dashboard.title, dashboard.description);
    all(book).iter().map(title).collect()
}

/// Their files, below `grafana/dashboards`, each named by its uid.
pub fn files(book: &Book<'_>) -> Vec<File> {
    let file = |dashboard: &Dashboard| File {
        path: format!("grafana/dashboards/{}.json", dashboard.uid),
        text: json::text(dashboard, book.links()),
    };
    all(book).iter().map(file).collect()
}
