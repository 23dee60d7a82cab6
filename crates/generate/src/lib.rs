//! From the catalogue to what watches the shop with it: recording rules, alerts, their tests,
//! routes, runbooks, dashboards and the reference page. Pure: the same catalogue gives the same texts.
//!
//! Nothing of a KPI is written twice: names of metrics come from `catalogue::metrics`, names of
//! rules are made in one function each, which the rules, the alerts, their tests and the texts use.

mod alertmanager;
mod alerts;
mod book;
mod dashboards;
mod kubernetes;
mod made;
mod promql;
mod proof;
mod recording;
mod reference;
mod rule;
mod runbooks;
mod yaml;

use catalogue::Plan;
use catalogue::generation::Generation;

pub use alertmanager::Routed;
use book::Book;
pub use dashboards::queries::{Asked, Place, Values, substitute};
pub use made::is_made;

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
    let book = Book { plan, generation };
    let page = File {
        path: "reference.md".to_owned(),
        text: reference::page(&book),
    };
    let mut files = vec![page];
    files.extend(runbooks::files(&book));
    files
}

/// The configuration that gives the shipped packs as they are.
pub const SHIPPED: &str = include_str!("shipped.toml");

/// Recording rules and alerts, the same for the Prometheus operator, and Alertmanager's routes.
pub fn rules(plan: &Plan, generation: &Generation) -> Vec<File> {
    let book = Book { plan, generation };
    let show =
        |groups: &[rule::Group]| rule::file(HEADER, groups, generation.query_offset, book.links());
    let (records, alerting) = (recording::groups(&book), alerts::groups(&book));
    let mut files = vec![
        File {
            path: "prometheus/rules.yml".to_owned(),
            text: show(&records),
        },
        File {
            path: "prometheus/alerts.yml".to_owned(),
            text: show(&alerting),
        },
        File {
            path: "alertmanager/alertmanager.yml".to_owned(),
            text: alertmanager::file(HEADER, &book),
        },
    ];
    let groups: Vec<rule::Group> = records.into_iter().chain(alerting).collect();
    files.push(File {
        path: "kubernetes/base/prometheusrule.yml".to_owned(),
        text: kubernetes::file(HEADER, &groups, &book),
    });
    files.extend(proof::files(&book, HEADER, &groups));
    files
}

/// Each alert's labels with the receiver that Alertmanager must choose for it.
pub fn expected_routes(plan: &Plan, generation: &Generation) -> Vec<Routed> {
    alertmanager::expected_routes(&Book { plan, generation })
}

/// Grafana's dashboards, as classic JSON.
pub fn dashboards(plan: &Plan, generation: &Generation) -> Vec<File> {
    dashboards::files(&Book { plan, generation })
}

/// Every query, variable and annotation of the dashboards; `substitute` makes each ready to be run.
pub fn queries(plan: &Plan, generation: &Generation) -> Vec<Asked> {
    dashboards::queries::list(&Book { plan, generation })
}
