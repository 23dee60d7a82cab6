//! From the catalogue to what watches the shop with it: recording rules, alerts, their tests,
//! routes, runbooks and the reference page. Pure: the same catalogue gives the same texts.
//!
//! Nothing of a KPI is written twice: names of metrics come from `catalogue::metrics`, names of
//! rules are made in one function each, which the rules, the alerts, their tests and the texts use.

mod alertmanager;
mod alerts;
mod book;
mod promql;
mod recording;
mod rule;
mod yaml;

use catalogue::Plan;
use catalogue::generation::Generation;

pub use alertmanager::Routed;
use book::Book;

/// A generated file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Below the output folder, with `/` between the parts.
    pub path: String,
    /// All of it.
    pub text: String,
}

const HEADER: &str = "Made by `kept generate rules` from the catalogue; changes by hand are lost.";

/// `reference.md` and the runbooks.
pub fn reference(plan: &Plan, generation: &Generation) -> Vec<File> {
    let _ = (plan, generation);
    Vec::new()
}

/// The configuration that gives the shipped packs as they are.
pub const SHIPPED: &str = include_str!("shipped.toml");

/// Recording rules, alerts, and Alertmanager's routes.
pub fn rules(plan: &Plan, generation: &Generation) -> Vec<File> {
    let book = Book { plan, generation };
    let show =
        |groups: &[rule::Group]| rule::file(HEADER, groups, generation.query_offset, book.links());
    vec![
        File {
            path: "prometheus/rules.yml".to_owned(),
            text: show(&recording::groups(&book)),
        },
        File {
            path: "prometheus/alerts.yml".to_owned(),
            text: show(&alerts::groups(&book)),
        },
        File {
            path: "alertmanager/alertmanager.yml".to_owned(),
            text: alertmanager::file(HEADER, &book),
        },
    ]
}

/// Each alert's labels with the receiver that Alertmanager must choose for it.
pub fn expected_routes(plan: &Plan, generation: &Generation) -> Vec<Routed> {
    alertmanager::expected_routes(&Book { plan, generation })
}
