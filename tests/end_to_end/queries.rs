//! Every query, variable and annotation of the dashboards, run on the Prometheus of a healthy shop.
//!
//! Each must have a series with a number in it, without warnings. Some are empty while all is well,
//! and say when; of those, each metric must at least be one that Kept or the rules make, so that a
//! name that doesn't exist is found there too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use catalogue::Sources;
use generate::{Asked, Place, Values, substitute};
use serde_json::Value;
use support::Prometheus;

/// Four scrapes, and the time that a dashboard shows.
const SHOWN: (&str, &str) = ("1m", "15m");
/// Why a query has no series, where a healthy shop gives it some all the same.
const NEVER_HERE: [&str; 2] = [
    "there were no orders",
    "fewer than 20 events in ten minutes",
];
/// What counters and histograms add to their family's name.
const SUFFIXES: [&str; 4] = ["_total", "_bucket", "_sum", "_count"];

/// What is wrong with the dashboards' queries.
pub fn faults(prometheus: &Prometheus) -> Vec<String> {
    let known = known(prometheus);
    let asked = all();
    let mut faults: Vec<String> = asked
        .iter()
        .filter_map(|asked| fault(prometheus, &known, asked))
        .collect();
    faults.extend(a_wrong_name_is_found(prometheus, &known, &asked));
    faults
}

/// All that the shipped dashboards ask.
fn all() -> Vec<Asked> {
    let sources = Sources {
        path: "the shipped packs",
        text: generate::SHIPPED,
        environment: &[],
        files: &[],
    };
    let (settings, plan) = catalogue::read(&sources).expect("the shipped packs are good");
    let asked = generate::queries(&plan, &settings.generation);
    assert!(asked.len() > 50, "{} queries only", asked.len());
    asked
}

/// The same checks on a query of each kind with a metric that nobody makes.
fn a_wrong_name_is_found(
    prometheus: &Prometheus,
    known: &BTreeSet<String>,
    asked: &[Asked],
) -> Option<String> {
    let panel = asked
        .iter()
        .find(|asked| asked.empty_when.is_none() && matches!(asked.place, Place::Panel(..)))?;
    let may_be_empty = asked.iter().find(|asked| asked.empty_when.is_some())?;
    let wrong = |asked: &Asked| Asked {
        expression: "sum(rate(shop_fulfilment_misspelt_total{job=\"$job\"}[$__rate_interval]))"
            .to_owned(),
        ..asked.clone()
    };
    let unnoticed = [panel, may_be_empty]
        .into_iter()
        .filter(|asked| fault(prometheus, known, &wrong(asked)).is_none())
        .count();
    (unnoticed > 0).then(|| "a metric that does not exist goes unnoticed".to_owned())
}

fn fault(prometheus: &Prometheus, known: &BTreeSet<String>, asked: &Asked) -> Option<String> {
    let values = Values::at_first("kept", SHOWN.0, SHOWN.1);
    let expression = substitute(&asked.expression, &values);
    let found = match &asked.place {
        Place::Variable(label) => values_of(prometheus, label, &expression),
        _ => series(prometheus, &expression, asked.instant),
    };
    let unknown = names(prometheus, &expression)
        .into_iter()
        .find(|name| !is_known(known, name));
    let optional = asked.empty_when.filter(|when| !NEVER_HERE.contains(when));
    let what = match (found, unknown) {
        (Err(what), _) => what,
        (_, Some(name)) => format!("nobody makes {name}"),
        (Ok(0), None) if optional.is_none() => "no series, or only NaN".to_owned(),
        (Ok(_), None) => return None,
    };
    let (dashboard, place) = (asked.dashboard, &asked.place);
    Some(format!("{dashboard} {place:?}: {what}: {expression}"))
}

/// How many series with a number the answer has; `Err`: an error, warning or info.
fn series(prometheus: &Prometheus, expression: &str, instant: bool) -> Result<usize, String> {
    let now = now_seconds();
    let answer = if instant {
        data(prometheus, "query", &[("query", expression)])?
    } else {
        let (start, end) = ((now - 600).to_string(), now.to_string());
        let times = [("start", &*start), ("end", &*end), ("step", "15")];
        let parameters: Vec<(&str, &str)> =
            [("query", expression)].into_iter().chain(times).collect();
        data(prometheus, "query_range", &parameters)?
    };
    if answer["resultType"] == "scalar" {
        return Ok(1);
    }
    let found = answer["result"].as_array().expect("a list of series");
    Ok(found.iter().filter(|series| has_number(series)).count())
}

/// True if some sample is a number, or a native histogram.
fn has_number(series: &Value) -> bool {
    let is_number = |sample: &Value| sample[1].as_str().is_some_and(|value| value != "NaN");
    let values = series["values"].as_array();
    is_number(&series["value"])
        || values.is_some_and(|values| values.iter().any(is_number))
        || series.get("histogram").is_some()
        || series.get("histograms").is_some()
}

fn values_of(prometheus: &Prometheus, label: &str, series: &str) -> Result<usize, String> {
    let path = format!("label/{label}/values");
    let found = data(prometheus, &path, &[("match[]", series)])?;
    Ok(found.as_array().expect("a list of values").len())
}

/// The `data` of an answer of the API; `Err`: it has errors, warnings or infos.
fn data(prometheus: &Prometheus, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let answer = prometheus.ask(&format!("/api/v1/{path}"), parameters);
    let mut answer: Value =
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    for complaint in ["error", "warnings", "infos"] {
        if let Some(complaint) = answer.get(complaint) {
            return Err(complaint.to_string());
        }
    }
    Ok(answer["data"].take())
}

/// All metric names that Prometheus, Kept's own description and the shipped rules know.
fn known(prometheus: &Prometheus) -> BTreeSet<String> {
    let ask = |path| data(prometheus, path, &[]).expect("Prometheus answers");
    let mut known: BTreeSet<String> = strings(&ask("label/__name__/values")).collect();
    let described = ask("metadata");
    let described = described.as_object().expect("families by name");
    known.extend(described.keys().cloned());
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules.yml");
    let rules = fs::read_to_string(rules).expect("the rules are shipped");
    let recorded = rules.lines().filter_map(|line| {
        let (_, name) = line.split_once("- record: ")?;
        Some(name.trim_matches('\'').to_owned())
    });
    known.extend(recorded);
    known
}

fn is_known(known: &BTreeSet<String>, name: &str) -> bool {
    let mut names = SUFFIXES
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix));
    known.contains(name) || names.any(|family| known.contains(family))
}

fn strings(list: &Value) -> impl Iterator<Item = String> {
    let list = list.as_array().expect("a list").iter();
    list.filter_map(|value| value.as_str().map(str::to_owned))
}

/// The names of all metrics that an expression selects.
fn names(prometheus: &Prometheus, expression: &str) -> Vec<String> {
    let parsed = data(prometheus, "parse_query", &[("query", expression)]);
    let mut names = Vec::new();
    collect(&parsed.unwrap_or_default(), &mut names);
    names
}

fn collect(node: &Value, names: &mut Vec<String>) {
    match node {
        Value::Object(members) => {
            let selects = matches!(
                members.get("type").and_then(Value::as_str),
                Some("vectorSelector" | "matrixSelector")
            );
            let name = members.get("name").and_then(Value::as_str);
            if let (true, Some(name)) = (selects, name.filter(|name| !name.is_empty())) {
                names.push(name.to_owned());
            }
            members.values().for_each(|member| collect(member, names));
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| collect(node, names)),
        _ => {}
    }
}

fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("it is after 1970").as_secs()
}
