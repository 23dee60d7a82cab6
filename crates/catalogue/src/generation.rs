//! `[generate]` and each KPI's `alert = { ... }`: what rules and alerts need beside the plan.
//!
//! It is no part of the `Plan`: a changed threshold must not look like a changed definition, whose
//! state would have to be built anew. Defaults are here, in one place.

use events::Span;

use crate::definition::RESERVED;
use crate::plan::Promise;
use crate::problem::Problems;
use crate::text::section::Section;
use crate::text::tree::Table;

/// `[generate]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Generation {
    /// Prometheus' job that scrapes Kept.
    pub job: String,
    /// Labels that tell instances apart and are dropped before anything adds up.
    pub instance_labels: Vec<String>,
    /// Labels that tell two Kepts of one job apart: alerts of one are never taken for the other's.
    pub deployment_labels: Vec<String>,
    /// `[state] snapshot_every`: what an old snapshot is depends on it.
    pub snapshot_every: Span,
    /// How far behind now rules look, so that all scrapes of that moment have arrived.
    pub query_offset: Span,
    /// How often rules are evaluated; slow ones four times less often.
    pub interval: Span,
    /// Who owns Kept itself, and the KPIs that name no owner.
    pub owner: String,
    /// Where the runbooks are served, without a slash at the end; `/<alert>.md` is added.
    pub runbooks_url: String,
    /// Where Grafana's dashboards are, without a slash at the end; `/<dashboard>` is added.
    pub dashboards_url: String,
    /// Where Alertmanager sends, without a slash at the end; `/page/<owner>`, `/ticket/<owner>` or
    /// `/watchdog` is added.
    pub receivers_url: String,
    /// By `KpiId`.
    pub kpis: Vec<Alerting>,
}

/// `alert = { ... }` of a KPI.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Alerting {
    /// Promise: stalled when nothing completes and so many are overdue.
    pub stalled_overdue: u64,
    /// Promise: missed when more than this share of five minutes is broken, in (0, 1).
    pub missed_share: f64,
    /// Promise: the least orders that a share is judged by.
    pub minimum_orders: u64,
    /// The window that the target speaks of: an index into the KPI's windows.
    pub window: usize,
    /// The least events in that window that a target is judged by.
    pub minimum_events: u64,
}

/// The least orders or events when nothing else is said.
pub(crate) const MINIMUM: u64 = 20;
/// Overdue orders of a stalled promise when nothing else is said.
pub(crate) const STALLED_OVERDUE: u64 = 10;

/// Half of all, or thrice what the objective allows; never more than half way from there to all,
/// or a generous objective could never be missed.
pub(crate) fn missed_share(promise: &Promise) -> f64 {
    let budget = 1.0 - promise.objective;
    (3.0 * budget).max(0.5).min((1.0 + budget) / 2.0)
}

const KEYS: [&str; 9] = [
    "job",
    "instance_labels",
    "deployment_labels",
    "query_offset",
    "interval",
    "owner",
    "runbooks_url",
    "dashboards_url",
    "receivers_url",
];

const INSTANCE_LABELS: [&str; 6] = ["instance", "pod", "container", "endpoint", "node", "host"];
const DEPLOYMENT_LABELS: [&str; 2] = ["namespace", "cluster"];

/// Reads `[generate]`; the KPIs are added when they are read.
pub(crate) fn read(table: &Table, snapshot_every: Span, problems: &Problems) -> Generation {
    let section = Section::new(table, "[generate]", &KEYS, problems);
    let text = |key: &str, default: &str| {
        let text = section.parsed(key, plain);
        text.map_or(default.to_owned(), |text| text.value)
    };
    let url = |key: &str, default: &str| {
        let url = section.parsed(key, url);
        url.map_or(default.to_owned(), |url| url.value)
    };
    let query_offset = section.any_span("query_offset");
    let instance_labels = instance_labels(&section);
    Generation {
        job: text("job", "kept"),
        deployment_labels: deployment_labels(&section, &instance_labels),
        instance_labels,
        snapshot_every,
        query_offset: query_offset.map_or(Span::from_seconds(10), |span| span.value),
        interval: section.span("interval", Span::from_seconds(15)),
        owner: text("owner", "kept-team"),
        runbooks_url: url("runbooks_url", "http://localhost:9464/runbooks"),
        dashboards_url: url("dashboards_url", "http://localhost:3000/d"),
        receivers_url: url("receivers_url", "http://localhost:9099"),
        kpis: Vec::new(),
    }
}

fn instance_labels(section: &Section<'_>) -> Vec<String> {
    let Some(list) = section.texts("instance_labels") else {
        return INSTANCE_LABELS.map(str::to_owned).into();
    };
    let mut labels = Vec::new();
    for label in list.value {
        if let Err(message) = label_name(&label.value) {
            section.problems.add(&label.place, message);
        }
        labels.push(label.value);
    }
    if !labels.iter().any(|label| label == "instance") {
        let message =
            "\"instance_labels\" in [generate] must have \"instance\": Prometheus sets it";
        section.problems.add(&list.place, message);
    }
    labels
}

/// A label that rules drop tells nothing apart any more: it is left out of the default, and refused
/// where it is named.
fn deployment_labels(section: &Section<'_>, dropped: &[String]) -> Vec<String> {
    let Some(list) = section.texts("deployment_labels") else {
        let labels = DEPLOYMENT_LABELS.map(str::to_owned).into_iter();
        return labels.filter(|label| !dropped.contains(label)).collect();
    };
    let mut labels: Vec<String> = Vec::new();
    for label in list.value {
        let name = &label.value;
        let problem = if dropped.contains(name) {
            Some(format!(
                "\"{name}\" is one of \"instance_labels\", which rules drop"
            ))
        } else if RESERVED.contains(&&name[..]) {
            Some(format!("\"{name}\" is a label of Prometheus or Kept"))
        } else if labels.contains(name) {
            Some(format!("\"{name}\" is there twice"))
        } else {
            label_name(name).err()
        };
        if let Some(message) = problem {
            section.problems.add(&label.place, message);
        }
        labels.push(label.value);
    }
    labels
}

fn label_name(text: &str) -> Result<(), String> {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text {
        "job" | "partition" => Err(format!("rules add up by \"{text}\": it can't be dropped")),
        _ if first && text.chars().all(legal) => Ok(()),
        _ => Err(format!("\"{text}\" is not the name of a label")),
    }
}

/// An owner's name in the names and URLs of receivers; the reader sees to it that no two owners
/// have one.
pub fn slug(owner: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    owner.chars().map(letter).collect()
}

/// A word for a label's value: it stands inside rules, routes and file names.
pub(crate) fn plain(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(legal) {
        return Err(format!("\"{text}\" must be made of a-z A-Z 0-9 - _ ."));
    }
    Ok(text.to_owned())
}

fn url(text: &str) -> Result<String, String> {
    let good = ["http://", "https://"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    });
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '{' | '}');
    if !good || !text.chars().all(legal) {
        return Err(format!(
            "\"{text}\" is not a URL, like https://grafana.example/d"
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::alert::PROMISE_KEYS;

    const PAGE: &str = include_str!("../../../docs/settings.md");
    const KAFKA: &str = "[kafka]\nbrokers = \"k:1\"\ntopic = [{ name = \"shop.events\" }]\n";

    /// The keys of the table below a title, in its order.
    fn documented(title: &str) -> Vec<&'static str> {
        let (_, section) = PAGE.split_once(title).expect("the title is there");
        let section = section.split("\n## ").next().unwrap_or(section);
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| row.split('`').next()).collect()
    }

    /// What the table below a title says of a key in its column `default`.
    fn default_of(title: &str, key: &str) -> &'static str {
        let (_, section) = PAGE.split_once(title).expect("the title is there");
        let row = format!("| `{key}` |");
        let row = section.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{key} is in no row"));
        let cell = row.split('|').nth(3);
        cell.expect("the third column is the default").trim()
    }

    fn generation(more: &str) -> Generation {
        let sources = crate::Sources {
            path: "kept.toml",
            text: &format!("{KAFKA}{more}"),
            environment: &[],
            files: &[],
        };
        let (settings, _) = crate::read(&sources).expect("a good configuration");
        settings.generation
    }

    #[test]
    fn each_key_is_on_the_page_of_settings_and_no_other() {
        assert_eq!(documented("## `[generate]`"), KEYS);
        let mut alert = documented("## `alert =");
        let mut keys = PROMISE_KEYS;
        alert.sort_unstable();
        keys.sort_unstable();
        assert_eq!(alert, keys);
    }

    #[test]
    fn the_page_s_example_has_every_key_at_its_default() {
        let (_, rest) = PAGE.split_once("```toml\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        for key in KEYS {
            assert!(example.contains(&format!("\n{key} = ")), "{key}");
        }
        assert_eq!(generation(example), generation(""));
        let changed = example.replace("15s", "16s");
        assert_ne!(generation(&changed), generation(""), "it is read");
    }

    #[test]
    fn the_page_s_thresholds_are_the_defaults() {
        let text = format!("{KAFKA}[catalogue]\npacks = [\"promise\"]\n");
        let sources = crate::Sources {
            path: "kept.toml",
            text: &text,
            environment: &[],
            files: &[],
        };
        let (settings, plan) = crate::read(&sources).expect("a good configuration");
        let kinds = plan.kpis.iter().zip(settings.generation.kpis);
        let promise = kinds
            .filter(|(kpi, _)| matches!(kpi.kind, crate::plan::Kind::Promise(_)))
            .map(|(_, alerting)| alerting)
            .next();
        let promise = promise.expect("the pack has a promise");
        let default = |key| default_of("## `alert =", key);
        assert_eq!(
            default("stalled_overdue"),
            promise.stalled_overdue.to_string()
        );
        assert_eq!(
            default("minimum_orders"),
            promise.minimum_orders.to_string()
        );
        assert_eq!(
            default("minimum_events"),
            promise.minimum_events.to_string()
        );
        let share = default("missed_share");
        assert!(
            share.starts_with(&format!("{},", promise.missed_share)),
            "{share}: {promise:?}"
        );
    }
}
