//! The reference page: every KPI with its metrics, rules and alerts, Kept's own metrics, labels.
//!
//! Made from the same lists that everything else is made from, so it can't lag behind.

use std::fmt::Write as _;

use catalogue::metrics::{MetricKind, Scope, families, kept};
use catalogue::plan::{Kind, Kpi, Role};

use crate::alertmanager::all;
use crate::book::Book;
use crate::promql::{dimensions, number};
use crate::recording;
use crate::rule::{Alert, Group, Rule};

/// The whole page.
pub fn page(book: &Book<'_>) -> String {
    let mut page = String::from(
        "# Reference\n\n<!-- Made by `kept generate reference`; changes by hand are lost. -->\n\n\
         Every KPI of the catalogue with what comes from its definition: metrics, recording rules \
         and alerts; then Kept's own. Each alert links to its runbook.\n\n",
    );
    let (groups, alerts) = (recording::groups(book), all(book));
    put(&mut page, "## KPIs\n");
    for kpi in &book.plan.kpis {
        put(&mut page, &format!("- [{}](#{})", kpi.help, kpi.id));
    }
    for kpi in &book.plan.kpis {
        of_kpi(&mut page, book, kpi, &groups, &alerts);
    }
    own(&mut page, &groups, &alerts);
    dashboards(&mut page, book);
    labels(&mut page, book);
    page
}

fn put(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a String can't fail");
}

fn of_kpi(page: &mut String, book: &Book<'_>, kpi: &Kpi, groups: &[Group], alerts: &[Alert]) {
    let (kind, role) = (kind(&kpi.kind), role(kpi.role));
    put(page, &format!("\n## {}\n", kpi.id));
    put(
        page,
        &format!(
            "{}. A {kind}, {role}, owned by {}.{}\n",
            kpi.help,
            book.owner(kpi),
            facts(kpi)
        ),
    );
    put(
        page,
        "| metric | type | labels | meaning |\n|---|---|---|---|",
    );
    for family in families(book.plan, kpi) {
        let mut labels: Vec<&str> = match family.scope {
            Scope::Partition | Scope::Instance => dimensions(kpi),
            Scope::Overall | Scope::Definition => Vec::new(),
        };
        labels.extend(family.labels);
        if family.scope == Scope::Partition {
            labels.push("partition");
        }
        row(page, &family.name, family.kind, &labels, &family.help);
    }
    let prefix = format!("{}_{}", book.plan.namespace, kpi.id);
    rules(page, groups, |name| {
        name == prefix || name.strip_suffix(":slow") == Some(&prefix)
    });
    let of_kpi: Vec<&Alert> = alerts
        .iter()
        .filter(|alert| alert.labels.contains(&("kpi", kpi.id.clone())))
        .collect();
    alert_table(page, &of_kpi);
}

fn row(page: &mut String, name: &str, kind: MetricKind, labels: &[&str], help: &str) {
    let kind = match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    let help = help.replace('|', "\\|");
    put(
        page,
        &format!("| `{name}` | {kind} | {} | {help} |", labels.join(", ")),
    );
}

/// What the definition says besides.
fn facts(kpi: &Kpi) -> String {
    let mut text = String::new();
    if let Kind::Promise(promise) = &kpi.kind {
        let share = number(promise.objective * 100.0);
        text += &format!(" Promised: {share} % within {}.", promise.within);
    }
    let windows: Vec<&str> = kpi.windows.iter().map(|w| w.label.as_str()).collect();
    text += &format!(" Windows: {}.", windows.join(", "));
    let target = kpi.target.unwrap_or_default();
    let bounds = [
        ("max", target.max),
        ("min", target.min),
        ("goal", target.goal),
        ("benchmark", target.benchmark),
    ];
    let bounds: Vec<String> = bounds
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", number(value?))))
        .collect();
    if !bounds.is_empty() {
        let quantile = target
            .quantile
            .map(|quantile| format!(" of the {} % percentile", number(quantile * 100.0)));
        let quantile = quantile.unwrap_or_default();
        text += &format!(" Target{quantile}: {}.", bounds.join(", "));
    }
    text
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Count(_) => "count",
        Kind::Ratio(_) => "ratio",
        Kind::Promise(_) => "promise",
        Kind::Funnel(_) => "funnel",
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Core => "core",
        Role::Supporting => "supporting",
        Role::Guardrail => "guardrail",
    }
}

/// The recorded series of the groups that fit. Those per partition are steps on the way.
fn rules(page: &mut String, groups: &[Group], fits: impl Fn(&str) -> bool) {
    let rules = groups
        .iter()
        .filter(|group| fits(&group.name))
        .flat_map(|group| &group.rules);
    let mut names: Vec<&str> = rules
        .filter_map(|rule| match rule {
            Rule::Record(record) => Some(record.name.as_str()),
            Rule::Alert(_) => None,
        })
        .filter(|name| !name.starts_with("partition:"))
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return;
    }
    put(page, "\nRecorded (besides `partition:<metric>:max`):\n");
    for name in names {
        put(page, &format!("- `{name}`"));
    }
}

fn alert_table(page: &mut String, alerts: &[&Alert]) {
    if alerts.is_empty() {
        return;
    }
    put(
        page,
        "\n| alert | severity | owner | labels | fires after |\n|---|---|---|---|---|",
    );
    for alert in alerts {
        let labels: Vec<String> = alert
            .labels
            .iter()
            .filter(|(name, _)| *name != "kpi")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        put(
            page,
            &format!(
                "| [{name}](runbooks/{name}.md) | {} | {} | {} | {} |",
                alert.severity.as_str(),
                alert.owner,
                labels.join(", "),
                alert.after,
                name = alert.name
            ),
        );
    }
}

fn own(page: &mut String, groups: &[Group], alerts: &[Alert]) {
    put(page, "\n## Kept itself\n");
    put(
        page,
        "Besides these there are the `process_*` metrics of every Prometheus client.\n",
    );
    put(
        page,
        "| metric | type | labels | meaning |\n|---|---|---|---|",
    );
    for family in kept::OWN_FAMILIES {
        row(page, family.name, family.kind, family.labels, family.help);
    }
    rules(page, groups, |name| name == "kept");
    let own: Vec<&Alert> = alerts
        .iter()
        .filter(|alert| !alert.labels.iter().any(|label| label.0 == "kpi"))
        .collect();
    alert_table(page, &own);
}

fn dashboards(page: &mut String, book: &Book<'_>) {
    put(page, "\n## Dashboards\n");
    let base = &book.generation.dashboards_url;
    for (uid, title, description) in crate::dashboards::titles(book) {
        put(page, &format!("- [{title}]({base}/{uid}): {description}"));
    }
}

const LABELS: [(&str, &str); 14] = [
    (
        "partition",
        "The partition of the input topics whose task the series belongs to; the greatest of all instances counts",
    ),
    (
        "window",
        "A window of event time that ends at the display time; on alerts the long window of a burn rate",
    ),
    ("q", "The quantile of a percentile gauge"),
    ("result", "`kept`, `broken`, and in windows `pending`"),
    (
        "step",
        "A step of a promise; `end` is the way from the last one to the end",
    ),
    ("stage", "A stage of a funnel"),
    (
        "outcome",
        "Of a funnel `converted` or `abandoned`; of a record `used`, `ignored`, `duplicate` or `rejected`",
    ),
    (
        "last_stage",
        "The last stage that an ended entity had reached",
    ),
    ("currency", "The ISO 4217 code of an amount"),
    ("kpi", "The id of a KPI"),
    (
        "severity",
        "`critical` wakes somebody, `warning` is a ticket, `info` is only shown",
    ),
    ("owner", "The team that is asked"),
    (
        "level",
        "On alerts: `all` over all dimensions, `part` for one combination of them",
    ),
    ("bound", "On `TargetMissed`: `max` or `min`"),
];

fn labels(page: &mut String, book: &Book<'_>) {
    put(page, "\n## Labels\n\n| label | meaning |\n|---|---|");
    let mut dims: Vec<&str> = book.plan.kpis.iter().flat_map(dimensions).collect();
    dims.sort_unstable();
    dims.dedup();
    for label in dims {
        put(
            page,
            &format!("| `{label}` | A dimension: the event's field of that name, or `unknown` |"),
        );
    }
    for (label, meaning) in LABELS {
        put(page, &format!("| `{label}` | {meaning} |"));
    }
}
