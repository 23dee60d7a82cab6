//! What one topic-partition accepts (DESIGN 3.2): its clock, duplicates, late and too-late events,
//! label values. Everything here looks at this topic-partition only.

use std::collections::{BTreeMap, HashMap};

use catalogue::plan::{FieldId, Funnel, Keyed, Kind, Part, Plan, Selector, TopicId};
use events::{EventTime, Reject, Span, TypeId};

use super::{LabelValues, Logged, Read};

/// An event that is not a duplicate, with what was known when it came.
#[derive(Debug)]
pub struct Taken<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its partition's clock just before it.
    pub k: EventTime,
    /// Its partition's clock just after it.
    pub clock: EventTime,
    /// Older than what the memory of ids covers.
    pub too_late: bool,
    /// The event.
    pub event: &'a Read,
}

/// What a topic-partition must publish whatever its KPIs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedInput {
    /// `None` before the first event.
    pub clock: Option<EventTime>,
    /// Used, ignored, duplicate: by type and source.
    pub events: BTreeMap<(String, String), [u64; 3]>,
    /// By `Reject::ALL`'s order.
    pub rejected: [u64; Reject::ALL.len()],
    /// Behind the clock by more than the topic's lateness.
    pub late: u64,
    /// By type: all that KPIs use once there was an event, and every other one seen.
    pub too_late: BTreeMap<String, u64>,
}

/// All of a topic-partition below its next offset.
#[derive(Debug)]
pub struct Intake<'a> {
    /// Which topic.
    pub topic: TopicId,
    /// The clock after all of it, `EventTime::MIN` before the first event.
    pub clock: EventTime,
    /// In offset order.
    pub taken: Vec<Taken<'a>>,
    /// The counters.
    pub expected: ExpectedInput,
    /// Per dimension's field, the values in order of first appearance.
    seen_values: HashMap<FieldId, Vec<String>>,
    most_values: usize,
}

impl<'a> Intake<'a> {
    /// Reads the records in offset order.
    pub fn of(plan: &Plan, topic: TopicId, log: &'a [Logged]) -> Intake<'a> {
        let mut intake = Intake {
            topic,
            clock: EventTime::MIN,
            taken: Vec::new(),
            expected: ExpectedInput {
                clock: None,
                events: BTreeMap::new(),
                rejected: [0; Reject::ALL.len()],
                late: 0,
                too_late: BTreeMap::new(),
            },
            seen_values: dimension_fields(plan),
            most_values: plan.limits.label_values,
        };
        let dedupes = plan.time.dedupe > Span::ZERO;
        let has_events = dedupes && log.iter().any(|record| record.content.is_ok());
        for used in plan.types.iter().enumerate().filter(|_| has_events) {
            let type_id = TypeId(u16::try_from(used.0).expect("few types"));
            if is_used(plan, topic, type_id) {
                let name = used.1.name.clone();
                intake.expected.too_late.insert(name, 0);
            }
        }
        let mut remembered_until: HashMap<(&str, &str), EventTime> = HashMap::new();
        for record in log {
            match &record.content {
                Err(reject) => {
                    let index = Reject::ALL.iter().position(|it| it == reject);
                    intake.expected.rejected[index.expect("a closed list")] += 1;
                }
                Ok(event) => intake.take(plan, record, event, &mut remembered_until),
            }
        }
        intake
    }

    fn take(
        &mut self,
        plan: &Plan,
        record: &Logged,
        event: &'a Read,
        remembered_until: &mut HashMap<(&'a str, &'a str), EventTime>,
    ) {
        let k = self.clock;
        let stamp = record
            .timestamp
            .map_or(event.time, |stamp| stamp.as_event_time());
        self.clock = k.max(event.time.min(stamp));
        self.expected.clock = Some(self.clock);
        let labels = (event.type_name.clone(), event.source.clone());
        let counts = self.expected.events.entry(labels).or_default();

        if event.time < k - plan.topics[usize::from(self.topic.0)].lateness {
            self.expected.late += 1;
        }

        let dedupe = plan.time.dedupe;
        let identity = (event.source.as_str(), event.id.as_str());
        if dedupe > Span::ZERO {
            let too_late = &mut self.expected.too_late;
            too_late.entry(event.type_name.clone()).or_default();
            if remembered_until
                .get(&identity)
                .is_some_and(|until| k <= *until)
            {
                counts[2] += 1;
                return;
            }
            remembered_until.insert(identity, k.max(event.time) + dedupe);
        }
        let uses = Uses::of(plan, self.topic, event);
        counts[usize::from(!uses.used)] += 1;
        let too_late = dedupe > Span::ZERO && event.time < k - dedupe;
        if too_late {
            let of_type = self.expected.too_late.get_mut(&event.type_name);
            *of_type.expect("made just above") += 1;
        }
        if uses.used {
            for (field, values) in &mut self.seen_values {
                if let Some(value) = event.field(*field).text().map(printable)
                    && uses.dimensions.contains(field)
                    && values.len() < self.most_values
                    && !values.contains(&value)
                    && value != "unknown"
                {
                    values.push(value);
                }
            }
            self.taken.push(Taken {
                offset: record.offset,
                k,
                clock: self.clock,
                too_late,
                event,
            });
        }
    }

    /// The label values of an event of this topic-partition.
    pub fn labels(&self, event: &Read, by: &[catalogue::plan::Dimension]) -> LabelValues {
        let label = |field: FieldId| match event.field(field).text().map(printable) {
            None => "unknown".to_owned(),
            Some(value) if value == "unknown" || self.seen_values[&field].contains(&value) => value,
            Some(_) => "other".to_owned(),
        };
        by.iter().map(|dimension| label(dimension.field)).collect()
    }

    /// The events that a selector selects, in offset order.
    pub fn select(&self, selector: &Selector) -> impl Iterator<Item = &Taken<'a>> {
        let here = selector.topic == self.topic;
        self.taken
            .iter()
            .filter(move |taken| here && selects(selector, taken.event))
    }

    /// The same, with the entity that each is about; events without one are left out.
    pub fn select_keyed(&self, keyed: &Keyed) -> impl Iterator<Item = (&str, &Taken<'a>)> {
        let field = keyed.key;
        let taken = self.select(&keyed.event);
        taken.filter_map(move |taken| Some((taken.event.field(field).key()?, taken)))
    }
}

/// Whether an event (of the selector's topic) is meant.
pub fn selects(selector: &Selector, event: &Read) -> bool {
    let of_type = event
        .type_id
        .is_some_and(|type_id| selector.types.contains(&type_id));
    of_type
        && selector.filters.iter().all(|filter| {
            let value = event.field(filter.field).text().unwrap_or("unknown");
            filter.values.iter().any(|it| it == value)
        })
}

/// A label value as it is shown: control characters are replaced.
fn printable(value: &str) -> String {
    let shown = |it: char| if it.is_control() { '\u{fffd}' } else { it };
    value.chars().map(shown).collect()
}

/// Whether some KPI reads this type from this topic.
fn is_used(plan: &Plan, topic: TopicId, type_id: TypeId) -> bool {
    plan.kpis.iter().any(|kpi| {
        let (giving, others) = selectors(&kpi.kind);
        giving
            .iter()
            .chain(&others)
            .any(|it| it.topic == topic && it.types.contains(&type_id))
    })
}

/// What KPIs do with a type on a topic, whatever their filters.
struct Uses {
    used: bool,
    /// The dimensions that an event of this type gives to some KPI.
    dimensions: Vec<FieldId>,
}

impl Uses {
    fn of(plan: &Plan, topic: TopicId, event: &Read) -> Uses {
        let mut uses = Uses {
            used: false,
            dimensions: Vec::new(),
        };
        let is_meant = |selector: &&Selector| {
            let of_type = event.type_id.is_some_and(|it| selector.types.contains(&it));
            selector.topic == topic && of_type
        };
        for kpi in &plan.kpis {
            let (giving, others) = selectors(&kpi.kind);
            let gives = giving.iter().any(is_meant);
            uses.used |= gives || others.iter().any(is_meant);
            if gives {
                uses.dimensions
                    .extend(kpi.by.iter().map(|dimension| dimension.field));
            }
        }
        uses
    }
}

/// The selectors of a KPI: those whose events give dimensions, and the others.
fn selectors(kind: &Kind) -> (Vec<&Selector>, Vec<&Selector>) {
    match kind {
        Kind::Count(count) => (vec![&count.event], Vec::new()),
        Kind::Ratio(ratio) => {
            let sides = [&ratio.numerator, &ratio.denominator];
            (
                sides.into_iter().filter_map(own_selector).collect(),
                Vec::new(),
            )
        }
        Kind::Promise(promise) => {
            let others = [Some(&promise.end), promise.cancel.as_ref()];
            let others = others.into_iter().flatten().map(|keyed| &keyed.event);
            let steps = promise.steps.iter().map(|step| &step.event.event);
            (vec![&promise.start.event], others.chain(steps).collect())
        }
        Kind::Funnel(funnel) => (funnel_selectors(funnel), Vec::new()),
    }
}

/// What a side of a ratio counts for itself.
fn own_selector(part: &Part) -> Option<&Selector> {
    match part {
        Part::Own(count) => Some(&count.event),
        Part::Of(_) => None,
    }
}

/// Every selector of a funnel: stages, touches, and what changes the value.
pub fn funnel_selectors(funnel: &Funnel) -> Vec<&Selector> {
    let stages = funnel.stages.iter().map(|stage| &stage.event);
    let mut selectors: Vec<&Selector> = stages.chain(&funnel.touch).collect();
    if let Some(value) = &funnel.value {
        selectors.push(&value.add);
        selectors.extend(&value.set);
        selectors.extend(&value.remove);
    }
    selectors
}

fn dimension_fields(plan: &Plan) -> HashMap<FieldId, Vec<String>> {
    let dimensions = plan.kpis.iter().flat_map(|kpi| &kpi.by);
    dimensions
        .map(|dimension| (dimension.field, Vec::new()))
        .collect()
}
