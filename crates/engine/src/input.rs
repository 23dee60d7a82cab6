//! One topic-partition as it is read: its clock, its memory of event ids, its dictionaries and
//! what is counted of it whatever the KPIs.

mod saved;

use std::sync::Arc;

use catalogue::plan::{FieldId, Plan, TopicId};
use events::{Event, EventTime, KafkaTime, Key, Reject, Span, TypeId};

use crate::dedupe::{Dedupe, Seen};
use crate::dictionary::{Dictionary, ValueId};
use crate::encode::Encoder;
use crate::series::{By, NO_DIMENSIONS};
use crate::view::{DELAY_EDGES, EventCounts, Histogram, InputView};

pub use saved::read_position;

/// Event types and sources told apart in `kept_events_total`; further ones are `other`.
const TYPE_NAMES: usize = 200;
const SOURCES: usize = 50;
/// Stands for an input of a snapshot that the task doesn't have.
pub const NO_INPUT: usize = usize::MAX;
/// Longer delays count as this long.
const LONGEST_DELAY: Span = Span::from_seconds(86_400);

/// See the file's header.
#[derive(Clone, Debug)]
pub struct InputState {
    topic: TopicId,
    lateness: Span,
    dedupe_horizon: Span,
    next_offset: i64,
    clock: EventTime,
    created: Option<KafkaTime>,
    /// Records that were never read: the log had lost them.
    gap: u64,
    dedupe: Dedupe,
    /// By `FieldId`; only those of dimensions are ever used.
    dictionaries: Vec<Dictionary>,
    /// The numbers of the current event's dimension values, by `FieldId`.
    current: Vec<ValueId>,
    /// Which of them are `other` for want of room.
    overflowed: Vec<bool>,
    type_names: Dictionary,
    /// The numbers of the plan's types, by `TypeId`.
    type_numbers: Vec<ValueId>,
    sources: Dictionary,
    /// By type number, then source number.
    counts: Vec<Vec<Outcomes>>,
    rejected: [u64; Reject::ALL.len()],
    late: u64,
    /// By type number.
    too_late: Vec<u64>,
    /// By source number.
    delay: Vec<Histogram>,
    delay_edges: [Span; DELAY_EDGES.len()],
}

#[derive(Clone, Copy, Default, Debug)]
struct Outcomes {
    used: u64,
    ignored: u64,
    duplicate: u64,
}

/// How the rest of the task has to take an event.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// The clock just before this record.
    pub k: EventTime,
    /// The record's Kafka timestamp, or the event time where there is none.
    pub kafka: KafkaTime,
    /// The id was seen before: nothing more is to be done.
    pub duplicate: bool,
    /// Too old to be checked for duplicates: counts don't take it.
    pub too_late: bool,
}

impl InputState {
    /// Before its first record.
    pub fn new(plan: &Plan, topic: TopicId) -> InputState {
        let delay_edges = DELAY_EDGES.map(|seconds| Span((seconds * 1e6) as i64));
        let mut dictionaries: Vec<Dictionary> = plan
            .fields
            .iter()
            .map(|_| Dictionary::new(plan.limits.label_values))
            .collect();
        for dimension in plan.kpis.iter().flat_map(|kpi| &kpi.by) {
            let dictionary = &mut dictionaries[usize::from(dimension.field.0)];
            dimension
                .values
                .iter()
                .for_each(|value| dictionary.declare(value));
        }
        let mut type_names = Dictionary::new(TYPE_NAMES);
        let declare = |name: &str| {
            type_names.declare(name);
            type_names.intern(Some(name)).0
        };
        let names = plan.types.iter().map(|definition| definition.name.as_str());
        let type_numbers = names.map(declare).collect();
        InputState {
            topic,
            lateness: plan.topics[usize::from(topic.0)].lateness,
            dedupe_horizon: plan.time.dedupe,
            next_offset: 0,
            clock: EventTime::MIN,
            created: None,
            gap: 0,
            dedupe: Dedupe::new(plan.time.dedupe, plan.limits.dedupe_entries),
            dictionaries,
            current: vec![0; plan.fields.len()],
            overflowed: vec![false; plan.fields.len()],
            type_names,
            type_numbers,
            sources: Dictionary::new(SOURCES),
            counts: Vec::new(),
            rejected: [0; Reject::ALL.len()],
            late: 0,
            too_late: Vec::new(),
            delay: Vec::new(),
            delay_edges,
        }
    }

    /// Where reading begins.
    pub fn start_at(&mut self, offset: i64) {
        self.next_offset = self.next_offset.max(offset);
    }

    /// So many records will never be read.
    pub fn skip(&mut self, records: u64) {
        self.gap += records;
        self.next_offset = self.next_offset.saturating_add_unsigned(records);
    }

    /// The next offset.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The partition clock; `EventTime::MIN` before the first event.
    pub fn clock(&self) -> EventTime {
        self.clock
    }

    /// The lateness of its topic.
    pub fn lateness(&self) -> Span {
        self.lateness
    }

    /// Counts a record that is no event.
    pub fn reject(&mut self, offset: i64, reason: Reject, timestamp: Option<KafkaTime>) {
        self.next_offset = offset + 1;
        self.rejected[reason as usize] += 1;
        if self.created.is_none() {
            self.created = timestamp;
        }
    }

    /// Takes notice of an event; `used`: some KPI reads its type from this topic.
    /// The clock still stands where it was: `advance` moves it.
    pub fn admit(
        &mut self,
        offset: i64,
        timestamp: Option<KafkaTime>,
        event: &Event<'_>,
        used: bool,
    ) -> Admission {
        self.next_offset = offset + 1;
        let kafka = timestamp.unwrap_or(KafkaTime(event.time.0));
        self.created.get_or_insert(kafka);
        let k = self.clock;
        let seen = self
            .dedupe
            .see(Key::of_pair(event.source, event.id), k, event.time);
        let duplicate = seen == Seen::Duplicate;
        let too_late =
            !duplicate && self.dedupe_horizon > Span::ZERO && event.time < k - self.dedupe_horizon;
        self.count(event, kafka, used, duplicate, too_late);
        Admission {
            k,
            kafka,
            duplicate,
            too_late,
        }
    }

    /// Moves the clock past an admitted event and says whether it went on.
    pub fn advance(&mut self, event: &Event<'_>, kafka: KafkaTime) -> bool {
        let bounded = event.time.min(kafka.as_event_time());
        if bounded <= self.clock {
            return false;
        }
        self.clock = bounded;
        self.dedupe.sweep(bounded);
        true
    }

    /// Numbers the event's values of these fields; `dimensions` reads them.
    pub fn intern(&mut self, event: &Event<'_>, fields: &[FieldId]) {
        for field in fields {
            let at = usize::from(field.0);
            (self.current[at], self.overflowed[at]) =
                self.dictionaries[at].intern(event.field(*field).text());
        }
    }

    /// The dictionary of a field.
    pub fn dictionary(&self, field: FieldId) -> &Dictionary {
        &self.dictionaries[usize::from(field.0)]
    }

    /// False once an event id could not be remembered.
    pub fn exact(&self) -> bool {
        !self.dedupe.overflowed()
    }

    /// Remembered ids and their bytes.
    pub fn memory(&self) -> (usize, usize) {
        let delay: usize = self.delay.iter().map(Histogram::bytes).sum();
        (self.dedupe.len(), self.dedupe.bytes() + delay)
    }

    /// What is published of this partition; `used`: the types that KPIs read from its topic.
    pub fn view(&self, used: impl Iterator<Item = TypeId>) -> InputView {
        let type_name = |number: usize| Arc::clone(self.type_names.value(number as ValueId));
        let source = |number: usize| Arc::clone(self.sources.value(number as ValueId));
        let mut events = Vec::new();
        for (type_number, by_source) in self.counts.iter().enumerate() {
            for (source_number, outcomes) in by_source.iter().enumerate() {
                let Outcomes {
                    used,
                    ignored,
                    duplicate,
                } = *outcomes;
                if used + ignored + duplicate > 0 {
                    let (type_name, source) = (type_name(type_number), source(source_number));
                    events.push(EventCounts {
                        type_name,
                        source,
                        used,
                        ignored,
                        duplicate,
                    });
                }
            }
        }
        let delay = self
            .delay
            .iter()
            .enumerate()
            .filter(|entry| entry.1.count() > 0);
        InputView {
            topic: self.topic,
            clock: (self.clock > EventTime::MIN).then_some(self.clock),
            created: self.created,
            gap: self.gap,
            events,
            rejected: self.rejected,
            late: self.late,
            too_late: self.too_late(used),
            delay: delay
                .map(|(number, delay)| (source(number), delay.clone()))
                .collect(),
        }
    }

    /// By type, in the order of numbers: at 0 for all that are used once there was an event, and
    /// for others from their first one on. Without dedupe nothing is ever too late.
    fn too_late(&self, used: impl Iterator<Item = TypeId>) -> Vec<(Arc<str>, u64)> {
        if self.counts.is_empty() || self.dedupe_horizon == Span::ZERO {
            return Vec::new();
        }
        let mut numbers: Vec<ValueId> = used
            .map(|type_id| self.type_numbers[usize::from(type_id.0)])
            .collect();
        let seen = self.counts.iter().enumerate();
        let seen = seen.filter(|entry| !entry.1.is_empty());
        numbers.extend(seen.map(|entry| entry.0 as ValueId));
        numbers.sort_unstable();
        numbers.dedup();
        let count = |number: ValueId| self.too_late.get(usize::from(number)).copied();
        numbers
            .into_iter()
            .map(|number| {
                let name = Arc::clone(self.type_names.value(number));
                (name, count(number).unwrap_or(0))
            })
            .collect()
    }

    /// Writes everything that decides or is published.
    pub fn encode(&self, out: &mut Encoder) {
        out.signed(self.next_offset);
        out.time(self.clock);
        out.signed(self.created.map_or(i64::MIN, |created| created.0));
        out.unsigned(self.gap);
        self.dedupe.encode(self.clock, out);
        for dictionary in self
            .dictionaries
            .iter()
            .chain([&self.type_names, &self.sources])
        {
            dictionary.encode(out);
        }
        for by_source in &self.counts {
            out.length(by_source.len());
            for outcomes in by_source {
                out.unsigned(outcomes.used);
                out.unsigned(outcomes.ignored);
                out.unsigned(outcomes.duplicate);
            }
        }
        self.rejected
            .iter()
            .chain(&self.too_late)
            .for_each(|count| out.unsigned(*count));
        out.unsigned(self.late);
        for delay in &self.delay {
            delay.encode(out);
        }
    }

    fn type_number(&mut self, event: &Event<'_>) -> ValueId {
        match event.type_id {
            Some(type_id) => self.type_numbers[usize::from(type_id.0)],
            None => self.type_names.intern(Some(event.type_name)).0,
        }
    }

    fn count(
        &mut self,
        event: &Event<'_>,
        kafka: KafkaTime,
        used: bool,
        duplicate: bool,
        too_late: bool,
    ) {
        let type_number = usize::from(self.type_number(event));
        let source_number = usize::from(self.sources.intern(Some(event.source)).0);
        grow(&mut self.counts, type_number, Vec::new);
        grow(
            &mut self.counts[type_number],
            source_number,
            Outcomes::default,
        );
        let outcomes = &mut self.counts[type_number][source_number];
        match (duplicate, used) {
            (true, _) => outcomes.duplicate += 1,
            (false, true) => outcomes.used += 1,
            (false, false) => outcomes.ignored += 1,
        }
        if event.time < self.clock - self.lateness {
            self.late += 1;
        }
        if too_late {
            grow(&mut self.too_late, type_number, || 0);
            self.too_late[type_number] += 1;
        }
        grow(&mut self.delay, source_number, || {
            Histogram::new(DELAY_EDGES.len())
        });
        // A producer ahead of time counts as no delay: a histogram's sum must not fall. A clock
        // that is years behind counts as a day, or a few such events would fill the sum for ever.
        let delay = (kafka.as_event_time() - event.time).clamp(Span::ZERO, LONGEST_DELAY);
        self.delay[source_number].observe(&self.delay_edges, delay);
    }
}

/// Makes `at` a valid index.
fn grow<T>(items: &mut Vec<T>, at: usize, make: impl FnMut() -> T) {
    if items.len() <= at {
        items.resize_with(at + 1, make);
    }
}

/// The dimensions of the current event for a KPI.
pub fn dimensions(input: &InputState, fields: &[FieldId]) -> By {
    let mut by = NO_DIMENSIONS;
    for (at, field) in fields.iter().enumerate() {
        by.dimensions.0[at] = input.current[usize::from(field.0)];
        by.overflowed |= u8::from(input.overflowed[usize::from(field.0)]) << at;
    }
    by
}
