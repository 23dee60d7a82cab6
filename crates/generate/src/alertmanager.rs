//! Alertmanager's routes and inhibition: one page per incident, to the owner.
//!
//! Pages of one KPI are one notification, however many regions and windows fire; tickets likewise
//! by alert. A KPI's trouble over the whole shop silences that of its parts, and a worse alert the
//! milder ones of the same KPI. While Kept itself can't see, nobody is paged about the shop. All of
//! it holds within one Kept: two of one job are told apart by `deployment_labels`, and a label that
//! both alerts lack is equal.

use catalogue::generation::slug;

use crate::alerts;
use crate::book::Book;
use crate::promql::dimensions;
use crate::rule::{Alert, Rule, Severity};
use crate::yaml::{self, Yaml, map, text, texts};

/// Gets the Watchdog, whose silence is the alarm.
pub const WATCHDOG: &str = "watchdog";
/// Gets what is only shown: nobody is told.
pub const SHOWN: &str = "shown";

/// `alertmanager.yml`.
pub fn file(header: &str, book: &Book<'_>) -> String {
    let owners = owners(book);
    let root = map([
        ("route", root_route(book, &owners)),
        ("inhibit_rules", Yaml::List(inhibitions(book))),
        ("receivers", Yaml::List(receivers(book, &owners))),
    ]);
    yaml::document(header, &root)
}

/// All alerts, in order.
pub fn all(book: &Book<'_>) -> Vec<Alert> {
    let groups = alerts::groups(book);
    let rules = groups.into_iter().flat_map(|group| group.rules);
    let alert = |rule| match rule {
        Rule::Alert(alert) => Some(alert),
        Rule::Record(_) => None,
    };
    rules.filter_map(alert).collect()
}

/// Who owns an alert, each once, Kept's own first.
fn owners(book: &Book<'_>) -> Vec<String> {
    let mut owners = vec![book.generation.owner.clone()];
    for alert in all(book) {
        if !owners.contains(&alert.owner) {
            owners.push(alert.owner);
        }
    }
    owners
}

/// `page-fulfilment-team`, `ticket-fulfilment-team`, or one of the two without an owner.
pub fn receiver(severity: Severity, owner: &str) -> String {
    match severity {
        Severity::Critical => format!("page-{}", slug(owner)),
        Severity::Warning => format!("ticket-{}", slug(owner)),
        Severity::Info => SHOWN.to_owned(),
    }
}

fn equals(label: &str, value: &str) -> String {
    format!("{label}=\"{}\"", crate::promql::escaped(value))
}

fn root_route(book: &Book<'_>, owners: &[String]) -> Yaml {
    let own = &book.generation.owner;
    let by = |more: &[&'static str]| [&book.deployment()[..], more].concat();
    let (by_kpi, by_alert) = (by(&["kpi"]), by(&["kpi", "alertname"]));
    let watchdog = map([
        ("receiver", text(WATCHDOG)),
        ("matchers", texts([equals("alertname", "Watchdog")])),
        ("group_wait", text("0s")),
        ("group_interval", text("1m")),
        ("repeat_interval", text("5m")),
    ]);
    let routes = [
        watchdog,
        severity_route(Severity::Critical, own, owners, &by_kpi, "1h"),
        severity_route(Severity::Warning, own, owners, &by_alert, "12h"),
        severity_route(Severity::Info, own, &[], &["alertname"], "24h"),
    ];
    map([
        // What nobody knows of is a ticket, not silence.
        ("receiver", text(receiver(Severity::Warning, own))),
        ("group_by", texts(&by_alert)),
        ("group_wait", text("15s")),
        ("group_interval", text("5m")),
        ("repeat_interval", text("12h")),
        ("routes", Yaml::List(routes.into())),
    ])
}

fn severity_route(
    severity: Severity,
    default: &str,
    owners: &[String],
    group_by: &[&str],
    repeat: &str,
) -> Yaml {
    let mut pairs = vec![
        ("receiver".to_owned(), text(receiver(severity, default))),
        (
            "matchers".to_owned(),
            texts([equals("severity", severity.as_str())]),
        ),
        ("group_by".to_owned(), texts(group_by)),
        ("repeat_interval".to_owned(), text(repeat)),
    ];
    if severity == Severity::Critical {
        // Worse news of what was paged already don't wait for five minutes.
        pairs.push(("group_interval".to_owned(), text("1m")));
    }
    let by_owner: Vec<Yaml> = owners
        .iter()
        .map(|owner| {
            map([
                ("receiver", text(receiver(severity, owner))),
                ("matchers", texts([equals("owner", owner)])),
            ])
        })
        .collect();
    if !by_owner.is_empty() {
        pairs.push(("routes".to_owned(), Yaml::List(by_owner)));
    }
    Yaml::Map(pairs)
}

fn inhibition(source: &[String], target: &[String], equal: &[&str]) -> Yaml {
    map([
        ("source_matchers", texts(source)),
        ("target_matchers", texts(target)),
        ("equal", texts(equal)),
    ])
}

fn inhibitions(book: &Book<'_>) -> Vec<Yaml> {
    let critical = equals("severity", "critical");
    // Kept's own warnings name a KPI too, where its limits are hit: they are no trouble of the shop,
    // and nothing about the shop silences them.
    let of_kpi = any("Promise.+|Target.+");
    let whole = equals("level", "all");
    let same = book.deployment();
    let same_kpi = [&same[..], &["kpi"]].concat();
    let mut place = [&same_kpi[..], &["level"]].concat();
    for kpi in &book.plan.kpis {
        for label in dimensions(kpi) {
            if !place.contains(&label) {
                place.push(label);
            }
        }
    }
    let burns = "PromiseBudgetBurnsFast|PromiseBudgetBurnsSlowly";
    let mut all = vec![
        // The whole shop has it: its regions need not say so too.
        inhibition(
            &[critical.clone(), of_kpi.clone(), whole],
            &[of_kpi.clone(), equals("level", "part")],
            &same_kpi,
        ),
        // A page on the whole KPI says more than its tickets, but for the one to a step's owner, whom
        // nobody has paged.
        inhibition(
            &[critical, of_kpi.clone(), equals("level", "all")],
            &[
                of_kpi.clone(),
                "severity=~\"warning|info\"".to_owned(),
                "alertname!=\"PromiseEventsMissing\"".to_owned(),
            ],
            &same_kpi,
        ),
        // Stalled is missed, and missed burns.
        inhibition(
            &[named("PromiseStalled")],
            &[any(&format!("PromiseMissed|{burns}"))],
            &place,
        ),
        inhibition(&[named("PromiseMissed")], &[any(burns)], &place),
        inhibition(
            &[named("PromiseBudgetBurnsFast")],
            &[named("PromiseBudgetBurnsSlowly")],
            &place,
        ),
    ];
    all.extend(blind(&same, &of_kpi));
    all
}

/// Blind: what was last seen of the shop is no reason to wake anybody.
fn blind(same: &[&str], of_kpi: &str) -> Vec<Yaml> {
    let by = |source: &str, target: &str, equal: &[&str]| {
        inhibition(&[source.to_owned()], &[target.to_owned()], equal)
    };
    let behind = any("KeptBehind|KeptNotReady");
    // Its job is a label that the alert sets, and all that it has: no Kept of that job answers,
    // wherever it runs.
    let absent = named("KeptAbsent");
    let explained = any("KeptDown|KeptNotReady|KeptBehind|KeptSnapshotOld");
    vec![
        by(&behind, of_kpi, same),
        by(&absent, &explained, &["job"]),
        by(&absent, of_kpi, &["job"]),
        by(&named("KeptNotReady"), &named("KeptBehind"), same),
    ]
}

fn named(name: &str) -> String {
    equals("alertname", name)
}

fn any(names: &str) -> String {
    format!("alertname=~\"{names}\"")
}

fn receivers(book: &Book<'_>, owners: &[String]) -> Vec<Yaml> {
    let base = &book.generation.receivers_url;
    let hook = |name: String, url: String| {
        let hook = map([("url", text(url)), ("send_resolved", Yaml::Flag(true))]);
        map([
            ("name", text(name)),
            ("webhook_configs", Yaml::List(vec![hook])),
        ])
    };
    let mut receivers = vec![
        hook(WATCHDOG.to_owned(), format!("{base}/watchdog")),
        map([("name", text(SHOWN))]),
    ];
    for owner in owners {
        for (severity, folder) in [(Severity::Critical, "page"), (Severity::Warning, "ticket")] {
            let url = format!("{base}/{folder}/{}", slug(owner));
            receivers.push(hook(receiver(severity, owner), url));
        }
    }
    receivers
}

/// An alert's labels and who gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routed {
    /// `name=value`, as `amtool config routes test` takes them.
    pub labels: Vec<String>,
    /// The receiver.
    pub receiver: String,
}

/// Who gets each alert: what the routing tests compare with.
pub fn expected_routes(book: &Book<'_>) -> Vec<Routed> {
    let routed = |alert: Alert| {
        let mut labels = vec![format!("alertname={}", alert.name)];
        let own = alert.labels().into_iter();
        labels.extend(own.map(|(key, value)| format!("{key}={value}")));
        let receiver = match alert.name {
            "Watchdog" => WATCHDOG.to_owned(),
            _ => receiver(alert.severity, &alert.owner),
        };
        Routed { labels, receiver }
    };
    all(book).into_iter().map(routed).collect()
}
