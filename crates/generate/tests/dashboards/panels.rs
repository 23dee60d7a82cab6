//! The rules of Grafana's linter that are about a dashboard's form, and that no two panels overlap.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{all_panels, catalogues, items, parsed};

#[test]
fn every_dashboard_is_in_good_form() {
    for (name, settings, plan) in catalogues::all() {
        for file in generate::dashboards(&plan, &settings.generation) {
            let faults = faults(&parsed(&file));
            assert!(faults.is_empty(), "{name} {}: {faults:#?}", file.path);
        }
    }
}

/// What is wrong with a dashboard's form.
fn faults(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if dashboard["editable"] != false {
        faults.push("it can be edited".to_owned());
    }
    if !has_text(&dashboard["description"]) {
        faults.push("it has no description".to_owned());
    }
    let variables = items(&dashboard["templating"]["list"]);
    for wanted in ["datasource", "job", "instance"] {
        if !variables.iter().any(|variable| variable["name"] == wanted) {
            faults.push(format!("it has no variable {wanted}"));
        }
    }
    let panels = all_panels(dashboard);
    let ids: BTreeSet<String> = panels.iter().map(|panel| panel["id"].to_string()).collect();
    if ids.len() != panels.len() {
        faults.push("two panels have one id".to_owned());
    }
    for panel in &panels {
        if panel["type"] != "row" {
            let title = panel["title"].as_str().unwrap_or_default();
            let found = panel_faults(panel);
            faults.extend(found.into_iter().map(|fault| format!("{title}: {fault}")));
        }
    }
    faults.extend(overlaps(items(&dashboard["panels"])));
    for row in &panels {
        faults.extend(overlaps(items(&row["panels"])));
    }
    faults
}

fn has_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn panel_faults(panel: &Value) -> Vec<&'static str> {
    let defaults = &panel["fieldConfig"]["defaults"];
    let targets = items(&panel["targets"]);
    let source = &json!({"type": "prometheus", "uid": "${datasource}"});
    let names: BTreeSet<&str> = targets
        .iter()
        .filter_map(|target| target["refId"].as_str())
        .collect();
    let checks = [
        (has_text(&panel["title"]), "no title"),
        (has_text(&panel["description"]), "no description"),
        (has_text(&defaults["unit"]), "no unit"),
        (!targets.is_empty(), "no query"),
        (names.len() == targets.len(), "two queries of one name"),
        (&panel["datasource"] == source, "another data source"),
        (
            targets.iter().all(|target| &target["datasource"] == source),
            "a query of another data source",
        ),
        (
            are_ascending(items(&defaults["thresholds"]["steps"])),
            "thresholds out of order",
        ),
    ];
    let failed = checks.into_iter().filter(|(good, _)| !good);
    failed.map(|(_, fault)| fault).collect()
}

fn are_ascending(steps: &[Value]) -> bool {
    let values: Vec<f64> = steps
        .iter()
        .skip(1)
        .filter_map(|step| step["value"].as_f64())
        .collect();
    let is_base = steps.first().is_some_and(|step| step["value"].is_null());
    is_base && values.len() + 1 == steps.len() && values.is_sorted_by(|a, b| a < b)
}

/// Panels that stand on one another, or out of the page.
fn overlaps(panels: &[Value]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut faults = Vec::new();
    for panel in panels {
        let edge = |name: &str| panel["gridPos"][name].as_u64().unwrap_or(99);
        let (x, y, width, height) = (edge("x"), edge("y"), edge("w"), edge("h"));
        let cells = (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y)));
        // Not `all`: every cell is taken, whether one before it was free or not.
        let fits = cells.fold(x + width <= 24 && width > 0, |fits, cell| {
            taken.insert(cell) && fits
        });
        if !fits {
            faults.push(format!("{} overlaps or is out of the page", panel["title"]));
        }
    }
    faults
}

#[test]
fn each_fault_of_form_is_found() {
    let (_, settings, plan) = &catalogues::all()[0];
    let files = generate::dashboards(plan, &settings.generation);
    let good = parsed(&files[0]);
    let broken = [
        ("/editable", json!(true), "edited"),
        ("/description", json!(" "), "no description"),
        ("/templating/list/1/name", json!("jobs"), "no variable job"),
        ("/panels/2/id", json!(2), "one id"),
        ("/panels/1/title", json!(""), "no title"),
        ("/panels/1/description", json!(null), "no description"),
        ("/panels/1/fieldConfig/defaults/unit", json!(""), "no unit"),
        ("/panels/1/targets", json!([]), "no query"),
        (
            "/panels/1/datasource/uid",
            json!("x"),
            "another data source",
        ),
        (
            "/panels/1/targets/0/datasource/uid",
            json!("x"),
            "a query of another",
        ),
        ("/panels/2/gridPos/x", json!(1), "overlaps"),
        ("/panels/1/gridPos/w", json!(25), "overlaps"),
        (
            "/panels/1/fieldConfig/defaults/thresholds/steps/2/value",
            json!(0.01),
            "out of order",
        ),
    ];
    for (place, value, fault) in broken {
        let mut copy = good.clone();
        *copy.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
        let found = faults(&copy);
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{place}: {found:?}"
        );
    }
}
