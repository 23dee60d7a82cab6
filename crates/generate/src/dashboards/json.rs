//! A dashboard as Grafana's classic JSON, the one that Grafana 10 to 13 read.
//!
//! Keys and types are those of Grafana's own TypeScript types; a test checks every file against
//! them. Members are sorted by name, so the same dashboard gives the same bytes.

use serde_json::{Value, json};

use super::MARK;
use super::layout::{Place, PlacedRow, place};
use super::model::{Annotation, Dashboard, Panel, Query, Show, Variable};
use super::options;
use crate::rule::Links;

/// What classic dashboards had when Grafana 10 came; later versions read it.
const SCHEMA_VERSION: u32 = 39;
/// All of Kept's dashboards have it: links between them go by it.
const TAG: &str = "kept";
/// Any value of a label that is there.
const ANY: &str = ".+";

/// The file's text.
pub fn text(dashboard: &Dashboard, links: Links<'_>) -> String {
    let annotations: Vec<Value> = dashboard.annotations.iter().map(annotation).collect();
    let variables: Vec<Value> = dashboard.variables.iter().map(variable).collect();
    let root = json!({
        "annotations": {"list": annotations},
        "description": format!("{} {MARK}", dashboard.description),
        "editable": false,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": null,
        "links": [dashboards_link()],
        "panels": panels(dashboard, links),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": [TAG],
        "templating": {"list": variables},
        "time": {"from": "now-3h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": dashboard.title,
        "uid": dashboard.uid,
        "version": 1,
        "weekStart": "",
    });
    let mut text = format!("{root:#}");
    text.push('\n');
    text
}

/// The data source that is chosen.
fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// To the other dashboards, with the time and what is chosen.
fn dashboards_link() -> Value {
    json!({
        "asDropdown": false,
        "icon": "external link",
        "includeVars": true,
        "keepTime": true,
        "tags": [TAG],
        "targetBlank": false,
        "title": "Kept",
        "tooltip": "The other dashboards",
        "type": "dashboards",
        "url": "",
    })
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "datasource": data_source(),
        "enable": true,
        "expr": annotation.expression,
        "hide": false,
        "iconColor": annotation.color,
        "name": annotation.name,
        "step": "60s",
        "tagKeys": annotation.tags,
        "target": {"expr": annotation.expression, "interval": "60s", "refId": "Anno"},
        "textFormat": "",
        "titleFormat": annotation.title,
        "useValueForTime": false,
    })
}

fn variable(variable: &Variable) -> Value {
    match variable {
        Variable::DataSource => json!({
            "hide": 0,
            "includeAll": false,
            "label": "Data source",
            "multi": false,
            "name": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "regex": "",
            "skipUrlSync": false,
            "type": "datasource",
        }),
        Variable::One {
            name,
            series,
            first,
        } => {
            let mut value = labels(name, series);
            value["current"] = json!({"selected": true, "text": first, "value": first});
            value["includeAll"] = json!(false);
            value["multi"] = json!(false);
            value
        }
        Variable::Many { name, series } => {
            let mut value = labels(name, series);
            value["allValue"] = json!(ANY);
            value["current"] = json!({"selected": true, "text": ["All"], "value": ["$__all"]});
            value["includeAll"] = json!(true);
            value["multi"] = json!(true);
            value
        }
    }
}

/// A variable of the values of a label.
fn labels(name: &str, series: &str) -> Value {
    json!({
        "datasource": data_source(),
        "hide": 0,
        "label": name,
        "name": name,
        "query": variable_query(name, series),
        "refresh": 2,
        "regex": "",
        "skipUrlSync": false,
        "sort": 1,
        "type": "query",
    })
}

/// What a variable asks Grafana's Prometheus data source.
pub fn variable_query(label: &str, series: &str) -> String {
    format!("label_values({series}, {label})")
}

fn panels(dashboard: &Dashboard, links: Links<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    for row in place(dashboard) {
        let panels: Vec<Value> = row
            .panels
            .iter()
            .map(|(id, place, panel)| self::panel(*id, *place, panel, links))
            .collect();
        let (inside, after) = if row.row.folded {
            (panels, vec![])
        } else {
            (vec![], panels)
        };
        values.push(heading(&row, &inside));
        values.extend(after);
    }
    values
}

fn heading(row: &PlacedRow<'_>, inside: &[Value]) -> Value {
    json!({
        "collapsed": row.row.folded,
        "gridPos": position(row.place),
        "id": row.id,
        "panels": inside,
        "title": row.row.title,
        "type": "row",
    })
}

fn position(place: Place) -> Value {
    json!({"h": place.height, "w": place.width, "x": place.x, "y": place.y})
}

fn panel(id: u32, place: Place, panel: &Panel, links: Links<'_>) -> Value {
    let targets = panel.queries.iter().enumerate();
    let targets: Vec<Value> = targets
        .map(|(at, query)| target(&reference(at), panel, query))
        .collect();
    let mut value = json!({
        "datasource": data_source(),
        "description": panel.description,
        "fieldConfig": options::field_config(panel),
        "gridPos": position(place),
        "id": id,
        "links": panel_links(panel, links),
        "options": options::options(panel),
        "targets": targets,
        "title": panel.title,
        "type": kind(panel.show),
    });
    if panel.by_minutes {
        value["interval"] = json!("1m");
    }
    if panel.show == Show::Table {
        value["transformations"] = options::transformations(panel);
    }
    value
}

/// The name of a panel's kind.
fn kind(show: Show) -> &'static str {
    match show {
        Show::Lines | Show::Stack => "timeseries",
        Show::Stat => "stat",
        Show::Bars => "bargauge",
        Show::Table => "table",
        Show::Heat => "heatmap",
    }
}

/// A, B, ..., Z, A1, ...: a query's name in its panel.
pub fn reference(at: usize) -> String {
    let letter = char::from(b'A' + (at % 26) as u8);
    match at / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

fn target(reference: &str, panel: &Panel, query: &Query) -> Value {
    let is_instant = query.at_end || panel.show == Show::Table;
    let format = match panel.show {
        Show::Table => "table",
        Show::Heat => "heatmap",
        _ => "time_series",
    };
    json!({
        "datasource": data_source(),
        "editorMode": "code",
        "expr": query.expression,
        "format": format,
        "instant": is_instant,
        "legendFormat": query.legend,
        "range": !is_instant,
        "refId": reference,
    })
}

fn panel_links(panel: &Panel, links: Links<'_>) -> Vec<Value> {
    let runbooks = panel.runbooks.iter().map(|alert| {
        let url = format!("{}/{alert}.md", links.runbooks);
        panel_link(&format!("Runbook: {alert}"), &url, true)
    });
    let leads_to = panel.leads_to.iter().map(|uid| {
        let chosen = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}&\
                      ${instance:queryparam}";
        let url = format!("{}/{uid}?{chosen}", links.dashboards);
        panel_link("More", &url, false)
    });
    runbooks.chain(leads_to).collect()
}

fn panel_link(title: &str, url: &str, elsewhere: bool) -> Value {
    json!({
        "asDropdown": false,
        "icon": "",
        "includeVars": false,
        "keepTime": !elsewhere,
        "tags": [],
        "targetBlank": elsewhere,
        "title": title,
        "tooltip": "",
        "type": "link",
        "url": url,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_have_names_of_their_own() {
        let names: Vec<String> = [0, 1, 25, 26, 53].map(reference).into();
        assert_eq!(names, ["A", "B", "Z", "A1", "B2"]);
    }

    #[test]
    fn every_value_of_a_label_is_chosen_at_first() {
        let many = variable(&Variable::Many {
            name: "region".to_owned(),
            series: "x".to_owned(),
        });
        assert_eq!(many["query"], "label_values(x, region)");
        assert_eq!(many["current"]["value"][0], "$__all");
        assert_eq!(many["allValue"], ".+");
    }
}
