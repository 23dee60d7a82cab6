//! Every query, as the real Prometheus parses it: it asks for series that are made, with labels that
//! they have; selects the job, the instances and the dimensions; takes counters under a rate over
//! `$__rate_interval`; and adds nothing up before the greatest per partition was taken.

use std::collections::BTreeMap;

use generate::{Asked, Place, Values, substitute};
use serde_json::Value;
use support::Prometheus;

use super::catalogues;
use super::names::{Known, Names};

/// Values that occur nowhere else, so that they are recognised in what was parsed.
const JOB: &str = "the-job";
const RATE: (&str, u64) = ("61s", 61_000);
const RANGE: &str = "59m";

/// What parses queries.
struct Parser(Prometheus);

impl Parser {
    fn new() -> Parser {
        Parser(Prometheus::start_with("global: {}\n"))
    }

    /// The query as a tree.
    fn parse(&self, expression: &str) -> Result<Value, String> {
        let answer = self.0.ask("/api/v1/parse_query", &[("query", expression)]);
        let value: Value =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        match value["status"].as_str() {
            Some("success") => Ok(value["data"].clone()),
            _ => Err(format!("it can't be parsed: {}", value["error"])),
        }
    }
}

/// One node of a query above the one that is looked at.
struct Above<'a> {
    kind: &'a str,
    /// The function or the aggregation.
    name: &'a str,
    grouping: Vec<&'a str>,
    range: Option<u64>,
}

/// What is wrong with a query.
fn faults(parser: &Parser, names: &Names, asked: &Asked) -> Vec<String> {
    let values = Values::at_first(JOB, RATE.0, RANGE);
    let expression = substitute(&asked.expression, &values);
    let tree = match parser.parse(&expression) {
        Ok(tree) => tree,
        Err(fault) => return vec![fault],
    };
    let mut faults = Vec::new();
    walk(&tree, &mut Vec::new(), &mut |selector, above| {
        let found = selector_faults(names, &asked.place, selector, above);
        faults.extend(found);
    });
    faults
}

/// Goes down to each selector with all that is above it, outermost first.
fn walk<'a>(
    node: &'a Value,
    above: &mut Vec<Above<'a>>,
    visit: &mut impl FnMut(&'a Value, &[Above<'a>]),
) {
    let text = |value: &'a Value| value.as_str().unwrap_or_default();
    let kind = text(&node["type"]);
    if kind == "vectorSelector" || kind == "matrixSelector" {
        let range = node["range"].as_u64();
        above.push(Above {
            kind,
            name: "",
            grouping: vec![],
            range,
        });
        visit(node, above);
        above.pop();
        return;
    }
    above.push(Above {
        kind,
        name: match kind {
            "call" => text(&node["func"]["name"]),
            _ => text(&node["op"]),
        },
        grouping: super::items(&node["grouping"]).iter().map(text).collect(),
        range: node["range"].as_u64(),
    });
    for child in ["expr", "lhs", "rhs"] {
        if node[child].is_object() {
            walk(&node[child], above, visit);
        }
    }
    for argument in super::items(&node["args"]) {
        walk(argument, above, visit);
    }
    above.pop();
}

fn selector_faults(
    names: &Names,
    place: &Place,
    selector: &Value,
    above: &[Above<'_>],
) -> Vec<String> {
    let matchers: BTreeMap<&str, &str> = super::items(&selector["matchers"])
        .iter()
        .filter_map(|matcher| Some((matcher["name"].as_str()?, matcher["value"].as_str()?)))
        .collect();
    let asked_names: Vec<&str> = match matchers.get("__name__") {
        Some(list) => list.split('|').collect(),
        None => vec![],
    };
    let mut faults = Vec::new();
    for name in &asked_names {
        match names.get(name) {
            None => faults.push(format!("there is no series {name}")),
            Some(known) => {
                let found = known_faults(place, known, &matchers, above);
                faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
            }
        }
    }
    if asked_names.is_empty() {
        faults.push("a selector without a name".to_owned());
    }
    faults
}

/// What is wrong with how one series is asked for.
fn known_faults(
    place: &Place,
    known: &Known,
    matchers: &BTreeMap<&str, &str>,
    above: &[Above<'_>],
) -> Vec<String> {
    let mut faults = Vec::new();
    let is_job_itself = matches!(place, Place::Variable(name) if name == "job");
    let job = matchers.get("job").copied().unwrap_or_default();
    // An alert on the absence of everything has no job.
    if !is_job_itself && job.trim_end_matches('|') != JOB {
        faults.push("the job is not selected".to_owned());
    }
    if let Some(labels) = &known.labels {
        let added = ["job", "instance", "__name__"];
        let odd = matchers.keys().filter(|label| !added.contains(label));
        let odd = odd.filter(|label| !labels.contains(**label));
        faults.extend(odd.map(|label| format!("it has no label {label}")));
    }
    // A variable is asked for before anything is chosen.
    if !matches!(place, Place::Panel(..)) {
        return faults;
    }
    let per_partition = above
        .iter()
        .any(|node| node.name == "max" && node.grouping.contains(&"partition"));
    if known.is_scraped && !matchers.contains_key("instance") && !per_partition {
        faults.push("the instances are not selected".to_owned());
    }
    let chosen = matchers.iter().filter(|(_, value)| **value == ".+");
    let chosen: Vec<&str> = chosen.map(|(label, _)| *label).collect();
    let missing = known
        .dimensions
        .iter()
        .filter(|label| !chosen.contains(&label.as_str()));
    faults.extend(missing.map(|label| format!("{label} is not selected")));
    faults.extend(order_faults(known, above, per_partition));
    faults
}

/// Rates before sums, and the greatest per partition before both.
fn order_faults(known: &Known, above: &[Above<'_>], per_partition: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let is_rate = |name: &str| matches!(name, "rate" | "increase");
    let rate = above.iter().position(|node| is_rate(node.name));
    let needs_rate = known.is_counter || known.is_native;
    if needs_rate && rate.is_none() {
        faults.push("it is not taken under a rate".to_owned());
    }
    if let Some(at) = rate {
        let ranged = above[at..].iter().find_map(|node| node.range);
        if ranged != Some(RATE.1) {
            faults.push(format!(
                "a rate over {ranged:?} ms, not over $__rate_interval"
            ));
        }
        let inside = above[at..].iter().filter(|node| node.kind == "aggregation");
        if inside.clone().any(|node| node.name != "max") {
            faults.push("a rate of a sum".to_owned());
        }
    }
    let adds_up = |node: &Above<'_>| matches!(node.name, "sum" | "avg" | "count" | "sum_over_time");
    if known.is_additive && known.is_scraped && above.iter().any(adds_up) && !per_partition {
        faults.push("it is added up before the greatest per partition is taken".to_owned());
    }
    faults
}

#[test]
fn every_query_asks_for_what_is_made_and_in_the_right_order() {
    let parser = Parser::new();
    for (name, settings, plan) in catalogues::all() {
        let names = Names::new(&plan, &settings);
        let asked = generate::queries(&plan, &settings.generation);
        assert!(asked.len() > 150, "{name}: too few: {}", asked.len());
        let mut wrong = Vec::new();
        for asked in asked {
            let faults = faults(&parser, &names, &asked);
            if !faults.is_empty() {
                let Asked {
                    dashboard, place, ..
                } = &asked;
                wrong.push(format!(
                    "{dashboard} {place:?}: {faults:?}\n{}",
                    asked.expression
                ));
            }
        }
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    }
}

#[test]
fn what_is_listed_is_what_the_files_ask() {
    for (name, settings, plan) in catalogues::all() {
        let mut listed: Vec<String> = generate::queries(&plan, &settings.generation)
            .iter()
            .map(Asked::as_in_grafana)
            .collect();
        let mut asked = Vec::new();
        for file in generate::dashboards(&plan, &settings.generation) {
            let dashboard = super::parsed(&file);
            let panels = super::all_panels(&dashboard).into_iter();
            let targets = panels.flat_map(|panel| super::items(&panel["targets"]));
            let annotations = super::items(&dashboard["annotations"]["list"]);
            let variables = super::items(&dashboard["templating"]["list"]);
            let variables = variables
                .iter()
                .filter(|variable| variable["type"] == "query");
            let texts = targets.chain(annotations).map(|target| &target["expr"]);
            let texts = texts.chain(variables.map(|variable| &variable["query"]));
            asked.extend(texts.filter_map(|text| text.as_str().map(str::to_owned)));
        }
        asked.sort();
        listed.sort();
        assert_eq!(asked, listed, "{name}");
    }
}

#[test]
fn each_mistake_in_a_query_is_found() {
    let parser = Parser::new();
    let (_, settings, plan) = &catalogues::all()[0];
    let names = Names::new(plan, settings);
    for (expression, wanted) in mistakes() {
        let asked = Asked {
            dashboard: "x",
            place: Place::Panel("x".to_owned(), "A".to_owned()),
            expression: expression.clone(),
            instant: false,
            empty_when: None,
        };
        let found = faults(&parser, &names, &asked);
        assert!(
            found.iter().any(|fault| fault.contains(wanted)),
            "{expression}: {found:?}"
        );
    }
}

/// Queries, each with what is wrong with it.
fn mistakes() -> Vec<(String, &'static str)> {
    let started = "shop_fulfilment_started_total";
    let all = "job=\"$job\", instance=~\"$instance\", region=~\"$region\", channel=~\"$channel\"";
    vec![
        (
            "sum(job:shop_fulfilment_opened:sum{job=\"$job\"})".to_owned(),
            "no series",
        ),
        ("sum(up{job=\"$job\"}".to_owned(), "can't be parsed"),
        (
            "sum(up{instance=~\"$instance\"})".to_owned(),
            "the job is not selected",
        ),
        (
            "sum(up{job=\"$job\"})".to_owned(),
            "the instances are not selected",
        ),
        (
            "sum(region_channel:shop_fulfilment_open:sum{job=\"$job\", region=~\"$region\"})"
                .to_owned(),
            "channel is not selected",
        ),
        (
            "sum(job:shop_fulfilment_open:sum{job=\"$job\", step=\"payment\"})".to_owned(),
            "it has no label step",
        ),
        (format!("max({started}{{{all}}})"), "not taken under a rate"),
        (
            format!("max(increase({started}{{{all}}}[5m]))"),
            "not over $__rate_interval",
        ),
        (
            format!("sum(increase({started}{{{all}}}[$__rate_interval]))"),
            "before the greatest per partition",
        ),
        (
            format!(
                "increase((sum by (job) (max by (job, partition) ({started}{{{all}}})))[$__rate_interval:15s])"
            ),
            "a rate of a sum",
        ),
        (
            format!("sum(shop_fulfilment_open{{{all}}})"),
            "before the greatest per partition",
        ),
        (
            format!("histogram_quantile(0.5, sum(shop_fulfilment_duration_seconds{{{all}}}))"),
            "not taken under a rate",
        ),
    ]
}
