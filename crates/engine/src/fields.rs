//! What KPIs read of an event besides keys and dimensions: amounts, numbers, what changes a cart's
//! value. One reader for the state that takes them and for whoever looks at events beforehand
//! (`kept produce`), so that they can't disagree on what is malformed.

use catalogue::plan::{
    CartValue, Count, FieldId, Filter, Kind, KpiId, Part as Side, Plan, TopicId, Unit,
};
use events::{Event, Key, money};

use crate::count::read_amount;
use crate::funnel::Part;
use crate::uses::{Role, index_of, matches, table};
use crate::view::Amount;

/// What an event says about one line of a cart.
pub(crate) struct LineChange {
    /// Which product.
    pub(crate) product: Key,
    /// In millionths: how many more for an addition, else the new quantity.
    pub(crate) quantity: i128,
    /// The unit price, of an addition.
    pub(crate) price: Option<Amount>,
}

/// Reads it; an error names the malformed field.
pub(crate) fn read_line(
    value: &CartValue,
    part: Part,
    event: &Event<'_>,
) -> Result<LineChange, FieldId> {
    let product = event.field(value.product).key().ok_or(value.product)?;
    let quantity = match event.field(value.quantity).text() {
        None if part == Part::Add => Some(1_000_000),
        None if part == Part::Remove => Some(0),
        None => None,
        Some(text) => money::parse_number(text).filter(|quantity| *quantity >= 0),
    };
    let quantity = quantity.ok_or(value.quantity)?;
    let currency = value.currency;
    let price = match part {
        Part::Add => Some(read_amount(event, value.price, Unit::Money { currency })?),
        _ => None,
    };
    Ok(LineChange {
        product: Key::of(product),
        quantity,
        price,
    })
}

/// What a field should have held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// An amount of money that is not negative, in the currency of the other field.
    Money {
        /// Where the currency is.
        currency: FieldId,
    },
    /// An ISO 4217 code.
    Currency,
    /// A number that is not negative.
    Number,
    /// A string that is not empty, or a 64-bit integer.
    Key,
}

/// A field for which a KPI would drop an event, as `kept_field_errors_total{kpi,field}` counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadField {
    /// Whose.
    pub kpi: KpiId,
    /// The malformed or missing field.
    pub field: FieldId,
    /// What the KPI reads there.
    pub wanted: Wanted,
}

/// All fields that the KPIs of a plan read, by topic and type.
pub struct FieldChecks(Vec<Vec<Vec<Check>>>);

struct Check {
    kpi: KpiId,
    filters: Vec<Filter>,
    reads: Reads,
}

enum Reads {
    Amount(FieldId, Unit),
    /// Of an entity with this key only.
    Line(Part, Box<CartValue>, FieldId),
}

impl FieldChecks {
    /// For this plan.
    pub fn new(plan: &Plan) -> FieldChecks {
        let no_types = || plan.types.iter().map(|_| Vec::new()).collect();
        let mut checks: Vec<Vec<Vec<Check>>> = plan.topics.iter().map(|_| no_types()).collect();
        for group in &plan.groups {
            let uses = table(plan, group);
            for topic in &group.topics {
                let types = uses[index_of(&group.topics, *topic)].iter();
                for (of_type, into) in types.zip(&mut checks[usize::from(topic.0)]) {
                    for each in &of_type.uses {
                        let kpi = group.kpis[each.kpi];
                        add_checks(plan, kpi, &each.filters, &each.role, into);
                    }
                }
            }
        }
        FieldChecks(checks)
    }

    /// What is wrong with an event on this topic, decoded with the fields and types of the plan
    /// (others may follow them): at most one field of each KPI's use of it.
    pub fn bad_fields(&self, topic: TopicId, event: &Event<'_>) -> Vec<BadField> {
        let of_type = event.type_id.and_then(|type_id| {
            let types = &self.0[usize::from(topic.0)];
            types.get(usize::from(type_id.0))
        });
        let checks = of_type.into_iter().flatten();
        let checks = checks.filter(|check| matches(&check.filters, event));
        checks.filter_map(|check| check.bad_field(event)).collect()
    }
}

impl Check {
    fn bad_field(&self, event: &Event<'_>) -> Option<BadField> {
        let (field, wanted) = match &self.reads {
            Reads::Amount(field, unit) => {
                let bad = read_amount(event, *field, *unit).err()?;
                (bad, amount(*unit, bad))
            }
            Reads::Line(part, value, key) => {
                event.field(*key).key()?;
                let bad = read_line(value, *part, event).err()?;
                let currency = value.currency;
                let wanted = match bad {
                    bad if bad == value.product => Wanted::Key,
                    bad if bad == value.quantity => Wanted::Number,
                    bad => amount(Unit::Money { currency }, bad),
                };
                (bad, wanted)
            }
        };
        Some(BadField {
            kpi: self.kpi,
            field,
            wanted,
        })
    }
}

fn amount(unit: Unit, bad: FieldId) -> Wanted {
    match unit {
        Unit::Money { currency } if currency == bad => Wanted::Currency,
        Unit::Money { currency } => Wanted::Money { currency },
        Unit::Number => Wanted::Number,
    }
}

/// What one use of a type reads.
fn add_checks(plan: &Plan, kpi: KpiId, filters: &[Filter], role: &Role, into: &mut Vec<Check>) {
    let mut add = |filters: Vec<Filter>, reads| {
        into.push(Check {
            kpi,
            filters,
            reads,
        });
    };
    let sum = |count: &Count| {
        let sum = count.sum.as_ref();
        sum.map(|sum| Reads::Amount(sum.field, sum.unit))
    };
    let own = |side: &Side| match side {
        Side::Own(count) => sum(count),
        Side::Of(_) => None,
    };
    let read = match (role, &plan.kpis[usize::from(kpi.0)].kind) {
        (Role::Count, Kind::Count(count)) => sum(count),
        (Role::Numerator, Kind::Ratio(ratio)) => own(&ratio.numerator),
        (Role::Denominator, Kind::Ratio(ratio)) => own(&ratio.denominator),
        (Role::Funnel(parts), Kind::Funnel(funnel)) => {
            for (part, more) in parts {
                let is_line = matches!(part, Part::Add | Part::Set | Part::Remove);
                if let Some(value) = funnel.value.as_ref().filter(|_| is_line) {
                    let line = Reads::Line(*part, Box::new(value.clone()), funnel.key);
                    add([filters, more].concat(), line);
                }
            }
            None
        }
        _ => None,
    };
    if let Some(reads) = read {
        add(filters.to_vec(), reads);
    }
}
