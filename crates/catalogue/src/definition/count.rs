//! Kind `count`: events, optionally with the sum of a money or number field.

use super::selector::{Builder, placeholder};
use super::{Definition, common, finish, open};
use crate::plan::{Count, Kind, Kpi, Sum, Unit};
use crate::text::section::Section;
use crate::text::tree::Value;
use crate::text::values;

/// Fields that hold an amount of the event's `currency`.
const MONEY_FIELDS: [&str; 6] = [
    "total",
    "amount",
    "unit_price",
    "monthly",
    "previous_monthly",
    "saving",
];

/// The field with the ISO 4217 code.
pub(crate) const CURRENCY: &str = "currency";

pub(crate) fn read(definition: &Definition, builder: &mut Builder<'_>) -> Kpi {
    let section = open(definition, &["event", "sum", "sum_name"], builder.problems);
    let title = section.title();
    let event = match section.node("event") {
        Some(node) => builder.selector(&format!("event of {title}"), node),
        None => {
            section.missing("event", "event = { type = \"order.placed\" }");
            placeholder()
        }
    };
    let name = section.parsed("sum_name", |text| {
        values::metric_name(text).map(|()| text.to_owned())
    });
    let sum = sum(
        &section,
        builder,
        name.map(|name| name.value).unwrap_or_default(),
    );
    match (section.node("sum"), section.entry("sum_name")) {
        (Some(_), None) => section.missing("sum_name", "sum_name = \"order_revenue\""),
        (None, Some(entry)) => {
            builder.problems.add(
                &entry.key_place,
                "\"sum_name\" without \"sum\": what is summed?",
            );
        }
        _ => {}
    }
    finish(
        definition,
        &section,
        builder,
        Kind::Count(Count { event, sum }),
    )
}

/// `sum = "total"` or `{ field = "total", unit = "money" }`.
pub(crate) fn sum(section: &Section<'_>, builder: &mut Builder<'_>, name: String) -> Option<Sum> {
    let node = section.node("sum")?;
    let (field, money) = match &node.value {
        Value::Table(table) => {
            let title = format!("sum of {}", section.title());
            let inner = Section::new(table, title, &["field", "unit"], builder.problems);
            if inner.node("field").is_none() {
                inner.missing("field", "field = \"total\"");
            }
            let unit = inner.word("unit", &[("money", true), ("number", false)]);
            (inner.text("field")?.value, unit)
        }
        _ => (section.text("sum")?.value, None),
    };
    if field.is_empty() {
        builder
            .problems
            .add(common::place_of(section, "sum"), "\"sum\" names no field");
    }
    let is_money = money.unwrap_or(MONEY_FIELDS.contains(&field.as_str()));
    let unit = match is_money {
        true => Unit::Money {
            currency: builder.field(CURRENCY),
        },
        false => Unit::Number,
    };
    Some(Sum {
        field: builder.field(&field),
        name,
        unit,
    })
}
