//! How each kind of panel is drawn: Grafana's options, the configuration of its values, and what a
//! table does with its queries.

use serde_json::{Value, json};

use super::json::reference;
use super::model::{Color, Line, Panel, Query, Show, Word};

/// Units, thresholds, words, and how lines look.
pub fn field_config(panel: &Panel) -> Value {
    let mut defaults = json!({
        "color": {"mode": color_mode(panel)},
        "mappings": mappings(&panel.words),
        "thresholds": {"mode": "absolute", "steps": steps(panel)},
        "unit": panel.unit.as_str(),
    });
    if let Some(custom) = custom(panel) {
        defaults["custom"] = custom;
    }
    let overrides: Vec<Value> = match panel.show {
        Show::Table => panel.queries.iter().filter_map(column).collect(),
        _ => panel.queries.iter().filter_map(dashed).collect(),
    };
    json!({"defaults": defaults, "overrides": overrides})
}

fn color_mode(panel: &Panel) -> &'static str {
    match panel.show {
        Show::Lines | Show::Stack => "palette-classic",
        _ => "thresholds",
    }
}

fn steps(panel: &Panel) -> Vec<Value> {
    let base = json!({"color": panel.below.as_str(), "value": null});
    let steps = panel.thresholds.iter().map(|threshold| {
        let color = threshold.color.as_str();
        json!({"color": color, "value": threshold.from})
    });
    std::iter::once(base).chain(steps).collect()
}

fn mappings(words: &[Word]) -> Vec<Value> {
    let words = words.iter().enumerate();
    words
        .map(|(index, word)| {
            let result = json!({"index": index, "text": word.text});
            json!({
                "options": {"from": word.from, "result": result, "to": word.to},
                "type": "range",
            })
        })
        .collect()
}

/// What only some kinds of panels have.
fn custom(panel: &Panel) -> Option<Value> {
    let stacked = match panel.show {
        Show::Lines => false,
        Show::Stack => true,
        Show::Table => {
            return Some(
                json!({"align": "auto", "cellOptions": {"type": "auto"}, "inspect": false}),
            );
        }
        Show::Heat => return Some(json!({"scaleDistribution": {"type": "linear"}})),
        Show::Stat | Show::Bars => return None,
    };
    let (fill, stacking) = if stacked { (60, "normal") } else { (0, "none") };
    Some(json!({
        "axisPlacement": "auto",
        "axisSoftMin": 0,
        "drawStyle": "line",
        "fillOpacity": fill,
        "lineInterpolation": "linear",
        "lineWidth": if stacked { 1 } else { 2 },
        "pointSize": 4,
        "showPoints": "never",
        "spanNulls": false,
        "stacking": {"group": "A", "mode": stacking},
        "thresholdsStyle": {"mode": threshold_lines(panel)},
    }))
}

/// Thresholds are drawn unless a query draws the limit.
fn threshold_lines(panel: &Panel) -> &'static str {
    let has_line = panel.queries.iter().any(|query| query.line.is_some());
    if panel.thresholds.is_empty() || has_line {
        "off"
    } else {
        "dashed"
    }
}

/// A limit: dashed, in its colour, not part of a stack.
fn dashed(query: &Query) -> Option<Value> {
    let line: Line = query.line?;
    let properties = json!([
        {"id": "color", "value": {"fixedColor": line.color().as_str(), "mode": "fixed"}},
        {"id": "custom.lineStyle", "value": {"dash": [10, 10], "fill": "dash"}},
        {"id": "custom.fillOpacity", "value": 0},
        {"id": "custom.lineWidth", "value": 1},
        {"id": "custom.stacking", "value": {"group": "B", "mode": "none"}},
    ]);
    Some(json!({
        "matcher": {"id": "byName", "options": query.legend},
        "properties": properties,
    }))
}

/// A column's unit.
fn column(query: &Query) -> Option<Value> {
    let unit = query.unit?.as_str();
    Some(json!({
        "matcher": {"id": "byName", "options": query.legend},
        "properties": [{"id": "unit", "value": unit}],
    }))
}

/// One table of all queries: a column for each, named by its legend, and their labels.
pub fn transformations(panel: &Panel) -> Value {
    let mut names = serde_json::Map::new();
    for (at, query) in panel.queries.iter().enumerate() {
        let name = match panel.queries.len() {
            1 => "Value".to_owned(),
            _ => format!("Value #{}", reference(at)),
        };
        names.insert(name, json!(query.legend));
    }
    let organize = json!({
        "excludeByName": {"Time": true},
        "indexByName": {},
        "renameByName": names,
    });
    json!([
        {"id": "merge", "options": {}},
        {"id": "organize", "options": organize},
    ])
}

/// The options of the panel's kind.
pub fn options(panel: &Panel) -> Value {
    match panel.show {
        Show::Lines | Show::Stack => json!({
            "legend": {
                "calcs": ["lastNotNull", "max"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": true,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
        Show::Stat => json!({
            "colorMode": if panel.below == Color::Blue { "none" } else { "value" },
            "graphMode": if panel.queries.iter().any(|query| query.at_end) { "none" } else { "area" },
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": latest(),
            "showPercentChange": false,
            "textMode": "auto",
            "wideLayout": true,
        }),
        Show::Bars => bars(),
        Show::Table => json!({
            "cellHeight": "sm",
            "frameIndex": 0,
            "showHeader": true,
            "sortBy": [],
        }),
        Show::Heat => heat(panel),
    }
}

fn bars() -> Value {
    json!({
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false},
        "maxVizHeight": 300,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": latest(),
        "showUnfilled": true,
        "sizing": "auto",
        "valueMode": "color",
    })
}

fn latest() -> Value {
    json!({"calcs": ["lastNotNull"], "fields": "", "values": false})
}

fn heat(panel: &Panel) -> Value {
    json!({
        "calculate": false,
        "cellGap": 1,
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": false,
            "scale": "exponential",
            "scheme": "Oranges",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": true},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": false, "yHistogram": false},
        "yAxis": {"axisPlacement": "left", "reverse": false, "unit": panel.unit.as_str()},
    })
}
