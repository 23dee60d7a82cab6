//! Which KPIs take an event, by input and type: a table made once from the plan.

use catalogue::plan::{
    FieldId, Filter, Funnel, Group, Kind, Kpi, Part as Side, Plan, Promise, Selector, TopicId,
};
use events::{Event, TypeId};

use crate::funnel::Part;
use crate::promise::Fact;

/// What is to be done with an event of one type on one input.
#[derive(Clone, Default, Debug)]
pub struct TypeUses {
    /// Fields whose values number dimensions.
    pub intern: Vec<FieldId>,
    /// Who takes it.
    pub uses: Vec<Use>,
}

/// One KPI's use of an event.
#[derive(Clone, Debug)]
pub struct Use {
    /// Index among the group's KPIs.
    pub kpi: usize,
    /// Every filter must hold.
    pub filters: Vec<Filter>,
    /// As what.
    pub role: Role,
}

/// What an event is to a KPI.
#[derive(Clone, Debug)]
pub enum Role {
    /// Counted.
    Count,
    /// Counted above a ratio's line.
    Numerator,
    /// Counted below a ratio's line.
    Denominator,
    /// Starts the promise of the order that this field names.
    Start(FieldId),
    /// Says something about the order that this field names.
    Fact(Fact, FieldId),
    /// Is part of a funnel: each part with its own filters.
    Funnel(Vec<FunnelPart>),
}

/// A part of a funnel and the filters that must hold for it.
pub type FunnelPart = (Part, Vec<Filter>);

/// For each topic of the group, for each type of the plan.
pub fn table(plan: &Plan, group: &Group) -> Vec<Vec<TypeUses>> {
    let types = plan.types.len();
    let mut table: Vec<Vec<TypeUses>> = group
        .topics
        .iter()
        .map(|_| vec![TypeUses::default(); types])
        .collect();
    for (at, kpi) in group.kpis.iter().enumerate() {
        let kpi = &plan.kpis[usize::from(kpi.0)];
        let mut builder = Builder {
            table: &mut table,
            topics: &group.topics,
            kpi,
            at,
        };
        match &kpi.kind {
            Kind::Count(count) => builder.add(&count.event, true, &Role::Count),
            Kind::Ratio(ratio) => {
                if let Side::Own(count) = &ratio.numerator {
                    builder.add(&count.event, true, &Role::Numerator);
                }
                if let Side::Own(count) = &ratio.denominator {
                    builder.add(&count.event, true, &Role::Denominator);
                }
            }
            Kind::Promise(promise) => builder.promise(promise),
            Kind::Funnel(funnel) => builder.funnel(funnel),
        }
    }
    table
}

/// Whether every filter holds.
pub fn matches(filters: &[Filter], event: &Event<'_>) -> bool {
    filters.iter().all(|filter| {
        let value = event.field(filter.field).text().unwrap_or("unknown");
        filter.values.iter().any(|wanted| wanted == value)
    })
}

struct Builder<'a> {
    table: &'a mut [Vec<TypeUses>],
    topics: &'a [TopicId],
    kpi: &'a Kpi,
    at: usize,
}

impl Builder<'_> {
    fn promise(&mut self, promise: &Promise) {
        self.add(&promise.start.event, true, &Role::Start(promise.start.key));
        self.add(
            &promise.end.event,
            false,
            &Role::Fact(Fact::End, promise.end.key),
        );
        if let Some(cancel) = &promise.cancel {
            self.add(&cancel.event, false, &Role::Fact(Fact::Cancel, cancel.key));
        }
        for (number, step) in promise.steps.iter().enumerate() {
            self.add(
                &step.event.event,
                false,
                &Role::Fact(Fact::Step(number), step.event.key),
            );
        }
    }

    /// All parts that a type plays come in one use, stages first.
    fn funnel(&mut self, funnel: &Funnel) {
        let stages = funnel.stages.iter().enumerate();
        let mut parts: Vec<(Part, &Selector)> = stages
            .map(|(stage, definition)| (Part::Stage(stage), &definition.event))
            .collect();
        parts.extend(funnel.touch.iter().map(|selector| (Part::Touch, selector)));
        if let Some(value) = &funnel.value {
            parts.push((Part::Add, &value.add));
            parts.extend(value.set.iter().map(|selector| (Part::Set, selector)));
            parts.extend(value.remove.iter().map(|selector| (Part::Remove, selector)));
        }
        let mut by_type: Vec<(TypeId, Vec<FunnelPart>)> = Vec::new();
        for (part, selector) in parts {
            for type_id in &selector.types {
                let entry = (part, selector.filters.clone());
                match by_type.iter_mut().find(|known| known.0 == *type_id) {
                    Some(known) => known.1.push(entry),
                    None => by_type.push((*type_id, vec![entry])),
                }
            }
        }
        for (type_id, parts) in by_type {
            let selector = Selector {
                types: vec![type_id],
                topic: funnel.topic,
                filters: Vec::new(),
            };
            self.add(&selector, true, &Role::Funnel(parts));
        }
    }

    fn add(&mut self, selector: &Selector, gives_dimensions: bool, role: &Role) {
        let input = index_of(self.topics, selector.topic);
        for type_id in &selector.types {
            let uses = &mut self.table[input][usize::from(type_id.0)];
            if gives_dimensions {
                for dimension in &self.kpi.by {
                    if !uses.intern.contains(&dimension.field) {
                        uses.intern.push(dimension.field);
                    }
                }
            }
            let filters = selector.filters.clone();
            uses.uses.push(Use {
                kpi: self.at,
                filters,
                role: role.clone(),
            });
        }
    }
}

/// Where a topic stands among the group's.
pub fn index_of(topics: &[TopicId], topic: TopicId) -> usize {
    topics
        .iter()
        .position(|other| *other == topic)
        .expect("a group has all topics of its KPIs")
}

/// The types that some KPI reads.
pub fn used_types(uses: &[TypeUses]) -> impl Iterator<Item = TypeId> {
    let used = uses
        .iter()
        .enumerate()
        .filter(|each| !each.1.uses.is_empty());
    used.map(|each| TypeId(each.0 as u16))
}
