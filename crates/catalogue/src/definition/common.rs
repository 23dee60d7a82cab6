//! What all kinds share: help, dimensions, windows, role, owner, target.

use events::Span;

use super::selector::Builder;
use crate::generation::Generation;
use crate::metrics::QUANTILES;
use crate::plan::{Dimension, Kind, Kpi, MAX_DIMENSIONS, Role, Target, Window};
use crate::problem::{Place, Problems};
use crate::text::section::{Section, Sited, text_of};
use crate::text::tree::{Node, Value};
use crate::text::values;

/// The keys of every kind.
pub(crate) const KEYS: [&str; 8] = [
    "kind", "help", "by", "windows", "role", "owner", "target", "alert",
];

const ROLES: [(&str, Role); 3] = [
    ("core", Role::Core),
    ("supporting", Role::Supporting),
    ("guardrail", Role::Guardrail),
];

/// Reads the shared keys around a kind that is read already.
pub(crate) fn read(id: &str, section: &Section<'_>, builder: &mut Builder<'_>, kind: Kind) -> Kpi {
    let help = section.parsed("help", help).map(|help| help.value);
    if section.node("help").is_none() {
        section.missing("help", "help = \"From purchase to fulfilment\"");
    }
    let windows = windows(section);
    let alerting = super::alert::read(section, &kind, &windows);
    builder.alerting.push((id.to_owned(), alerting));
    Kpi {
        id: id.to_owned(),
        help: help.unwrap_or_default(),
        role: section.word("role", &ROLES).unwrap_or(Role::Supporting),
        owner: builder.owners.read(section),
        by: dimensions(section, builder),
        windows,
        target: target(section, &kind),
        kind,
    }
}

fn help(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it must say what the KPI is".to_owned()),
        text if text.contains('\n') => Err("it must be one line".to_owned()),
        text if text.contains("{{") => {
            Err("it can't have \"{{\": texts of alerts are templates".to_owned())
        }
        text => Ok(text.trim_end_matches('.').to_owned()),
    }
}

/// Labels that Prometheus, Kept, or its rules and alerts set themselves: an alert that sets a label of
/// its expression makes two of its parts one, and Prometheus then refuses all of them.
pub(crate) const RESERVED: [&str; 23] = [
    "le",
    "quantile",
    "job",
    "instance",
    "partition",
    "window",
    "q",
    "result",
    "outcome",
    "stage",
    "last_stage",
    "step",
    "currency",
    "reason",
    "kpi",
    "topic",
    "label",
    "severity",
    "alertname",
    "level",
    "owner",
    "bound",
    "limit",
];

/// Identities: each value would be a series of its own, without end.
const IDENTITIES: [&str; 11] = [
    "order_id",
    "cart_id",
    "session_id",
    "customer_id",
    "product_id",
    "shipment_id",
    "team_id",
    "subscription_id",
    "member_id",
    "account_id",
    "id",
];

fn dimensions(section: &Section<'_>, builder: &mut Builder<'_>) -> Vec<Dimension> {
    let Some(node) = section.node("by") else {
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        section.wrong_type("by", node, "a list like [\"region\", \"channel\"]");
        return Vec::new();
    };
    let mut by: Vec<Dimension> = Vec::new();
    for item in items {
        let Some((name, values)) = dimension(section, item) else {
            continue;
        };
        check_label(&name, section.problems);
        check_is_kept(&name, builder.generation, section.problems);
        if by.iter().any(|other| other.name == name.value) {
            section.problems.add(
                &name.place,
                format!("label \"{}\" is there twice", name.value),
            );
        }
        let field = builder.field(&name.value);
        by.push(Dimension {
            name: name.value,
            field,
            values,
        });
    }
    if by.len() > MAX_DIMENSIONS {
        let message = format!(
            "\"by\" in {} has {} labels: at most {MAX_DIMENSIONS}",
            section.title(),
            by.len()
        );
        section.problems.add(&node.place, message);
    }
    by
}

fn dimension(section: &Section<'_>, item: &Node) -> Option<(Sited<String>, Vec<String>)> {
    if let Value::Table(table) = &item.value {
        let title = format!("\"by\" of {}", section.title());
        let inner = Section::new(table, title, &["field", "values"], section.problems);
        if inner.node("field").is_none() {
            inner.missing("field", "field = \"region\"");
        }
        let values = inner
            .texts("values")
            .map(|list| list.value)
            .unwrap_or_default();
        super::unique(&values, "value", section.problems);
        let values = values.into_iter().map(|value| value.value).collect();
        return inner.text("field").map(|field| (field, values));
    }
    let Some(value) = text_of(item) else {
        section.wrong_type("by", item, "a list of field names or { field, values }");
        return None;
    };
    Some((
        Sited {
            value,
            place: item.place.clone(),
        },
        Vec::new(),
    ))
}

fn check_label(name: &Sited<String>, problems: &Problems) {
    let text = name.value.as_str();
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let message = if !first || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        format!("\"{text}\" can't be a label: use a-z, A-Z, 0-9 and _, a letter first")
    } else if RESERVED.contains(&text) || text.starts_with("__") || text.starts_with("exported_") {
        format!("label \"{text}\" is reserved for Prometheus or Kept: name the field otherwise")
    } else if IDENTITIES.contains(&text) {
        format!("label \"{text}\" would make a series per {text}, without end: group by less")
    } else {
        return;
    };
    problems.add(&name.place, message);
}

/// Rules drop the labels of instances before they add up: of two values of such a dimension only the
/// greater number would be left. By those of deployments alerts find their like: a part would never
/// be of the same Kept as its whole.
fn check_is_kept(name: &Sited<String>, generation: &Generation, problems: &Problems) {
    let text = &name.value;
    let (key, what) = if text == "instance" {
        return;
    } else if generation.instance_labels.contains(text) {
        ("instance_labels", "which rules drop")
    } else if generation.deployment_labels.contains(text) {
        ("deployment_labels", "which tell two Kepts apart")
    } else {
        return;
    };
    let message = format!(
        "label \"{text}\" is one of \"{key}\" in [generate], {what}: name the field otherwise, or \
         set \"{key}\" without it"
    );
    problems.add(&name.place, message);
}

const MINUTE: i64 = 60_000_000;
const LONGEST: Span = Span::from_seconds(7 * 86_400);
const MAX_WINDOWS: usize = 8;

fn windows(section: &Section<'_>) -> Vec<Window> {
    let Some(list) = section.texts("windows") else {
        return ["5m", "1h", "1d"]
            .iter()
            .filter_map(|label| window(label).ok())
            .collect();
    };
    let mut windows: Vec<Window> = Vec::new();
    for text in &list.value {
        match window(&text.value) {
            Ok(window) if windows.iter().any(|other| other.length == window.length) => {
                let message = format!("window \"{}\" is there twice", text.value);
                section.problems.add(&text.place, message);
            }
            Ok(window) => windows.push(window),
            Err(message) => section.problems.add(&text.place, message),
        }
    }
    if list.value.is_empty() || list.value.len() > MAX_WINDOWS {
        let message = format!(
            "\"windows\" in {} must have 1 to {MAX_WINDOWS}",
            section.title()
        );
        section.problems.add(&list.place, message);
    }
    windows.sort_by_key(|window| window.length);
    windows
}

fn window(label: &str) -> Result<Window, String> {
    let length = values::duration(label)?;
    if length.0 == 0 || length.0 % MINUTE != 0 || length > LONGEST {
        return Err(format!(
            "window \"{label}\" must be whole minutes, at most 7d"
        ));
    }
    Ok(Window {
        label: label.to_owned(),
        length,
    })
}

fn target(section: &Section<'_>, kind: &Kind) -> Option<Target> {
    let table = section.table("target")?;
    let is_promise = matches!(kind, Kind::Promise(_));
    let all = ["max", "min", "goal", "benchmark", "quantile"];
    let keys = if is_promise { &all[..] } else { &all[..4] };
    let title = format!("target of {}", section.title());
    let inner = Section::new(table, title, keys, section.problems);
    let value = |key: &str| {
        if is_promise {
            seconds(&inner, key)
        } else {
            plain(&inner, key)
        }
    };
    let target = Target {
        quantile: if is_promise { quantile(&inner) } else { None },
        max: value("max"),
        min: value("min"),
        goal: value("goal"),
        benchmark: value("benchmark"),
    };
    if target
        .min
        .zip(target.max)
        .is_some_and(|(min, max)| min > max)
    {
        section
            .problems
            .add(&table.place, "the target's min is above its max");
    }
    Some(target)
}

fn seconds(section: &Section<'_>, key: &str) -> Option<f64> {
    match section.node(key).map(|node| &node.value) {
        Some(Value::Text(_)) => section.any_span(key).map(|span| span.value.seconds()),
        _ => plain(section, key),
    }
}

fn plain(section: &Section<'_>, key: &str) -> Option<f64> {
    let number = section.number(key)?;
    if number.value < 0.0 {
        let message = format!("\"{key}\" in {} must not be negative", section.title());
        section.problems.add(&number.place, message);
    }
    Some(number.value)
}

fn quantile(section: &Section<'_>) -> Option<f64> {
    let names = QUANTILES.map(|q| q.to_string());
    let Some(number) = section.number("quantile") else {
        if section.node("quantile").is_none() {
            section.missing("quantile", "quantile = 0.95");
        }
        return None;
    };
    if !QUANTILES.contains(&number.value) {
        let message = format!(
            "\"quantile\" must be one that is published: {}",
            names.join(", ")
        );
        section.problems.add(&number.place, message);
    }
    Some(number.value)
}

/// Where a key is, or its section if it isn't there.
pub(crate) fn place_of<'a>(section: &Section<'a>, key: &str) -> &'a Place {
    section
        .node(key)
        .map_or(section.place(), |node| &node.place)
}
