//! Rules and their groups, and how a rule file shows them.
//!
//! A group is evaluated in order, so that a rule reads what the one above it has just recorded.

use events::Span;

use crate::yaml::{self, Yaml, map, text};

/// A recording rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// `level:metric:operations`.
    pub name: String,
    /// What is recorded.
    pub expression: String,
}

/// How much an alert wants of a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Wakes somebody.
    Critical,
    /// Becomes a ticket.
    Warning,
    /// Is only shown.
    Info,
}

impl Severity {
    /// The value of the label `severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// An alerting rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Alert {
    /// The alert's name: also that of its runbook.
    pub name: &'static str,
    /// It fires while this has values.
    pub expression: String,
    /// How long it must have had values.
    pub after: Span,
    /// How long it fires on when it has none any more: no flapping.
    pub keep_firing: Span,
    /// How much it wants of a person.
    pub severity: Severity,
    /// Who is to be asked.
    pub owner: String,
    /// Labels besides `severity` and `owner`.
    pub labels: Vec<(&'static str, String)>,
    /// One line, with numbers; a template.
    pub summary: String,
    /// What happened, with numbers; a template.
    pub description: String,
    /// The dashboard that shows it.
    pub dashboard: String,
}

/// Either.
#[derive(Clone, PartialEq, Debug)]
pub enum Rule {
    /// A recording rule.
    Record(Record),
    /// An alerting rule.
    Alert(Alert),
}

/// Rules that are evaluated one after the other.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its name, unique in its file.
    pub name: String,
    /// How often.
    pub interval: Span,
    /// In order.
    pub rules: Vec<Rule>,
}

/// Where links lead.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    /// Runbooks.
    pub runbooks: &'a str,
    /// Dashboards.
    pub dashboards: &'a str,
}

/// The rule file of some groups.
pub fn file(header: &str, groups: &[Group], query_offset: Span, links: Links<'_>) -> String {
    yaml::document(header, &root(groups, query_offset, links))
}

/// What a rule file holds: `groups`, with nothing above it.
pub fn root(groups: &[Group], query_offset: Span, links: Links<'_>) -> Yaml {
    let groups = groups.iter().map(|group| {
        let rules = group.rules.iter().map(|rule| show(rule, links));
        map([
            ("name", text(&group.name)),
            ("interval", text(group.interval.to_string())),
            ("query_offset", text(query_offset.to_string())),
            ("rules", Yaml::List(rules.collect())),
        ])
    });
    map([("groups", Yaml::List(groups.collect()))])
}

fn show(rule: &Rule, links: Links<'_>) -> Yaml {
    match rule {
        Rule::Record(record) => map([
            ("record", text(&record.name)),
            ("expr", text(&record.expression)),
        ]),
        Rule::Alert(alert) => show_alert(alert, links),
    }
}

fn show_alert(alert: &Alert, links: Links<'_>) -> Yaml {
    let mut pairs = vec![
        ("alert".to_owned(), text(alert.name)),
        ("expr".to_owned(), text(&alert.expression)),
    ];
    let mut span = |key: &str, span: Span| {
        if span > Span::ZERO {
            pairs.push((key.to_owned(), text(span.to_string())));
        }
    };
    span("for", alert.after);
    span("keep_firing_for", alert.keep_firing);
    let labels = alert
        .labels()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), text(value)));
    pairs.push(("labels".to_owned(), Yaml::Map(labels.collect())));
    let annotations = map([
        ("summary", text(&alert.summary)),
        ("description", text(&alert.description)),
        ("runbook_url", text(alert.runbook_url(links))),
        ("dashboard_url", text(alert.dashboard_url(links))),
    ]);
    pairs.push(("annotations".to_owned(), annotations));
    Yaml::Map(pairs)
}

impl Alert {
    /// All labels that the rule itself sets.
    pub fn labels(&self) -> Vec<(&str, &str)> {
        let own = [
            ("severity", self.severity.as_str()),
            ("owner", self.owner.as_str()),
        ];
        let more = self.labels.iter().map(|(key, value)| (*key, &value[..]));
        own.into_iter().chain(more).collect()
    }

    /// Where its runbook is.
    pub fn runbook_url(&self, links: Links<'_>) -> String {
        format!("{}/{}.md", links.runbooks, self.name)
    }

    /// Where its dashboard is.
    pub fn dashboard_url(&self, links: Links<'_>) -> String {
        format!("{}/{}", links.dashboards, self.dashboard)
    }
}
