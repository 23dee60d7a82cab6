//! The rules as a resource of the Prometheus operator: a `PrometheusRule` whose `spec` is the groups
//! of `rules.yml` and `alerts.yml`, one after the other, and nothing else.

use crate::book::Book;
use crate::rule::{self, Group};
use crate::yaml::{self, map, text};

/// `prometheusrule.yml`, out of all groups. Which namespace it is in, and the labels by which a
/// Prometheus chooses its rules, are for the kustomization to say.
pub fn file(header: &str, groups: &[Group], book: &Book<'_>) -> String {
    let spec = rule::root(groups, book.generation.query_offset, book.links());
    let root = map([
        ("apiVersion", text("monitoring.coreos.com/v1")),
        ("kind", text("PrometheusRule")),
        ("metadata", map([("name", text("kept"))])),
        ("spec", spec),
    ]);
    yaml::document(header, &root)
}
