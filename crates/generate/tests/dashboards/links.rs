//! Alerts lead to dashboards that exist, and these back to the runbook of each alert.

use std::collections::BTreeSet;

use catalogue::{Plan, Settings};
use serde_json::Value;

use super::{all_panels, catalogues, items, parsed};

#[test]
fn every_alert_leads_to_a_dashboard_that_links_its_runbook() {
    for (name, settings, plan) in catalogues::all() {
        let rules = generate::rules(&plan, &settings.generation);
        let alerts = rules.iter().find(|file| file.path.ends_with("alerts.yml"));
        let alerts = &alerts.expect("there are alerts").text;
        let dashboards = generate::dashboards(&plan, &settings.generation);
        let dashboards: Vec<Value> = dashboards.iter().map(parsed).collect();
        let mut seen = BTreeSet::new();
        for block in alerts.split("- alert: ").skip(1) {
            let of = |key: &str| {
                let (_, rest) = block.split_once(key)?;
                rest.lines()
                    .next()
                    .map(|line| line.trim_matches(['\'', ' ']))
            };
            let (Some(runbook), Some(url)) = (of("runbook_url:"), of("dashboard_url:")) else {
                panic!("{name}: no links: {block}");
            };
            let base = format!("{}/", settings.generation.dashboards_url);
            let uid = url
                .strip_prefix(&base)
                .unwrap_or_else(|| panic!("{name}: {url}"));
            let dashboard = dashboards.iter().find(|dashboard| dashboard["uid"] == uid);
            let dashboard = dashboard.unwrap_or_else(|| panic!("{name}: nothing at {url}"));
            assert!(
                urls(dashboard).contains(runbook),
                "{name}: {uid} has no link to {runbook}"
            );
            seen.insert(runbook.to_owned());
        }
        assert!(seen.len() > 20, "{name}: too few alerts: {seen:?}");
    }
}

/// Where the panels of a dashboard lead.
fn urls(dashboard: &Value) -> BTreeSet<&str> {
    let panels = all_panels(dashboard).into_iter();
    let links = panels.flat_map(|panel| items(&panel["links"]));
    links.filter_map(|link| link["url"].as_str()).collect()
}

#[test]
fn dashboards_lead_to_each_other_and_to_nothing_else() {
    for (name, settings, plan) in catalogues::all() {
        let base = format!("{}/", settings.generation.dashboards_url);
        let files = generate::dashboards(&plan, &settings.generation);
        let dashboards: Vec<Value> = files.iter().map(parsed).collect();
        let uids: BTreeSet<&str> = dashboards
            .iter()
            .filter_map(|d| d["uid"].as_str())
            .collect();
        let mut led = BTreeSet::new();
        for dashboard in &dashboards {
            assert_eq!(dashboard["links"][0]["tags"], dashboard["tags"], "{name}");
            for url in urls(dashboard) {
                if let Some(rest) = url.strip_prefix(&base) {
                    let uid = rest.split('?').next().unwrap_or_default();
                    assert!(uids.contains(uid), "{name}: {url}");
                    led.insert(uid.to_owned());
                }
            }
        }
        assert!(led.len() >= 3, "{name}: {led:?}");
    }
}

/// The dashboard of promises.
fn promises(settings: &Settings, plan: &Plan) -> Value {
    let files = generate::dashboards(plan, &settings.generation);
    let file = files.iter().find(|file| file.path.contains("promise"));
    parsed(file.expect("there is one of promises"))
}

/// `strict` has windows of 2 h only, which have no percentile with open orders.
#[test]
fn a_percentile_is_called_what_it_is() {
    let [shipped, own] = catalogues::all();
    for ((_, settings, plan), kpi, title, says, series) in [
        (
            shipped,
            "fulfilment",
            "p95, open orders in it",
            "count with their age",
            "with_open",
        ),
        (
            own,
            "strict",
            "p50, completed orders",
            "are not in it",
            "duration_in_window",
        ),
    ] {
        let dashboard = promises(&settings, &plan);
        let panels = all_panels(&dashboard);
        let mut found = panels.iter().filter(|panel| {
            let expression = panel["targets"][0]["expr"].as_str().unwrap_or_default();
            panel["title"] == title && expression.contains(kpi)
        });
        let panel = found
            .next()
            .unwrap_or_else(|| panic!("no panel {title} of {kpi}"));
        let [text, expression] = [&panel["description"], &panel["targets"][0]["expr"]];
        assert!(
            text.as_str().is_some_and(|text| text.contains(says)),
            "{text}"
        );
        let asked = expression.as_str().unwrap_or_default();
        assert!(asked.contains(series), "{asked}");
        assert_eq!(asked.contains("with_open"), says.contains("age"), "{asked}");
    }
}

#[test]
fn colours_of_a_promise_are_those_of_its_target_and_alerts() {
    let [shipped, _] = catalogues::all();
    let dashboard = promises(&shipped.1, &shipped.2);
    let steps = |title: &str| -> Vec<(String, Option<f64>)> {
        let panel = all_panels(&dashboard)
            .into_iter()
            .find(|panel| panel["title"] == title);
        let panel = panel.unwrap_or_else(|| panic!("no panel {title}"));
        let steps = items(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]);
        let color = |step: &Value| step["color"].as_str().unwrap_or_default().to_owned();
        steps
            .iter()
            .map(|step| (color(step), step["value"].as_f64()))
            .collect()
    };
    let of = |pairs: [(&str, Option<f64>); 3]| pairs.map(|(color, from)| (color.to_owned(), from));
    // `target = { quantile = 0.95, max = "60s", goal = "45s" }`.
    let wanted = of([("green", None), ("orange", Some(45.0)), ("red", Some(60.0))]);
    assert_eq!(steps("p95, open orders in it"), wanted);
    // PromiseMissed fires above half of all broken; 95 % are promised.
    let wanted = of([("red", None), ("orange", Some(0.5)), ("green", Some(0.95))]);
    assert_eq!(steps("kept, last 5 minutes"), wanted);
    // PromiseStalled fires from ten overdue ones on.
    let wanted = of([("green", None), ("orange", Some(1.0)), ("red", Some(10.0))]);
    assert_eq!(steps("overdue now"), wanted);
}
