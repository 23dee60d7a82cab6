//! The dashboards: Grafana's own types accept them, they follow the rules of Grafana's linter, and
//! every query is one that Prometheus can parse and that asks for series which are made.
//!
//! Two catalogues: the shipped packs, and one with several promises and funnels, some without
//! dimensions. Each check is also shown a mistake that it must find.
#![allow(
    clippy::disallowed_methods,
    reason = "the tools are processes that read files"
)]

mod catalogues;
mod links;
mod lint;
mod names;
mod panels;
mod types;

use serde_json::Value;

/// A dashboard's file as a value.
fn parsed(file: &generate::File) -> Value {
    serde_json::from_str(&file.text).expect("a dashboard is JSON")
}

/// The items of a list.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// All panels of a dashboard with its rows, those inside folded rows too.
fn all_panels(dashboard: &Value) -> Vec<&Value> {
    let outer = items(&dashboard["panels"]).iter();
    outer
        .flat_map(|panel| [panel].into_iter().chain(items(&panel["panels"])))
        .collect()
}
