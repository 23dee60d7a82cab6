//! A task: partition p of every topic of a group, with the state of all its KPIs.
//!
//! `apply` is the whole of the hot path behind decoding. Its order matters: the record is judged
//! with its partition's clock as it was (k), then the clock moves, then what the clock decides
//! happens.

mod carried;
mod kpi;
mod saved;

use std::collections::BTreeSet;
use std::sync::Arc;

use catalogue::plan::{FieldId, KpiId, Plan};
use events::{Event, EventTime, KafkaTime, Reject, Span};

use crate::count::CountState;
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::funnel::FunnelState;
use crate::input::{Admission, InputState, dimensions};
use crate::promise::{PromiseState, Seen};
use crate::series::By;
use crate::snapshot::{SECTION_BYTES, SectionRef};
use crate::uses::{Role, TypeUses, matches, table, used_types};
use crate::view::{KindView, KpiView, OverdueOrder, View};

pub use saved::Restored;
pub(crate) use saved::outline_inputs;

/// How far the clocks go on between two sweeps of what is logically gone.
const FORGET_EVERY: Span = Span::from_seconds(60);

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Task {
    plan: Arc<Plan>,
    group: usize,
    partition: i32,
    inputs: Vec<InputState>,
    /// The inputs' clocks, beside each other for those who compare them.
    clocks: Vec<EventTime>,
    uses: Arc<Vec<Vec<TypeUses>>>,
    kpis: Vec<KpiSlot>,
    /// By input: a sweep follows the clock of what it sweeps.
    forgotten_at: Vec<EventTime>,
    /// Sections of snapshots that are known to be stored.
    stored: BTreeSet<SectionRef>,
    section_bytes: usize,
    /// Of the last snapshot's head.
    head_bytes: usize,
    /// Only in the simulator's proof: all inputs share the greatest clock, which is wrong.
    shared_clock: bool,
}

/// One KPI of the task.
#[derive(Clone, Debug)]
struct KpiSlot {
    id: KpiId,
    /// The fields of its dimensions.
    by: Vec<FieldId>,
    state: KpiState,
}

/// One side of a ratio that counts for itself, and its input.
type Side = Option<(usize, Box<CountState>)>;

#[derive(Clone, Debug)]
enum KpiState {
    Count {
        input: usize,
        state: Box<CountState>,
    },
    Ratio {
        numerator: Side,
        denominator: Side,
    },
    Promise {
        start_input: usize,
        state: Box<PromiseState>,
    },
    Funnel {
        input: usize,
        state: Box<FunnelState>,
    },
}

impl Task {
    /// Before its first record. `group` indexes `Plan::groups`.
    pub fn new(plan: Arc<Plan>, group: usize, partition: i32) -> Task {
        let definition = &plan.groups[group];
        let inputs: Vec<InputState> = definition
            .topics
            .iter()
            .map(|topic| InputState::new(&plan, *topic))
            .collect();
        let slot = |id: &KpiId| {
            let kpi = &plan.kpis[usize::from(id.0)];
            KpiSlot {
                id: *id,
                by: kpi.by.iter().map(|dimension| dimension.field).collect(),
                state: KpiState::new(&plan, kpi, &definition.topics),
            }
        };
        Task {
            group,
            partition,
            clocks: vec![EventTime::MIN; inputs.len()],
            inputs,
            uses: Arc::new(table(&plan, definition)),
            kpis: definition.kpis.iter().map(slot).collect(),
            forgotten_at: vec![EventTime::MIN; definition.topics.len()],
            stored: BTreeSet::new(),
            section_bytes: SECTION_BYTES,
            head_bytes: 0,
            shared_clock: false,
            plan,
        }
    }

    /// Reading an input begins at this offset.
    pub fn start_at(&mut self, input: usize, offset: i64) {
        self.inputs[input].start_at(offset);
    }

    /// The log has lost the next records of one input: so many are left out, and counted.
    pub fn skip(&mut self, input: usize, records: u64) {
        self.inputs[input].skip(records);
    }

    /// Breaks the rule that each input has a clock of its own: k and the clocks become the greatest
    /// of all inputs'. For the simulator's proof that it would notice.
    pub fn with_shared_clock(mut self) -> Task {
        self.shared_clock = true;
        self
    }

    /// The next offset of each input.
    pub fn offsets(&self) -> impl Iterator<Item = i64> {
        self.inputs.iter().map(InputState::next_offset)
    }

    /// The clock and the lateness of each input; the clock is `EventTime::MIN` before any event.
    pub fn clocks(&self) -> impl Iterator<Item = (EventTime, Span)> {
        self.inputs
            .iter()
            .map(|input| (input.clock(), input.lateness()))
    }

    /// Takes the next record of one input: `input` indexes the group's topics.
    pub fn apply(
        &mut self,
        input: usize,
        offset: i64,
        timestamp: Option<KafkaTime>,
        decoded: Result<&Event<'_>, Reject>,
    ) {
        let event = match decoded {
            Ok(event) => event,
            Err(reason) => return self.inputs[input].reject(offset, reason, timestamp),
        };
        let uses = event
            .type_id
            .map(|type_id| &self.uses[input][usize::from(type_id.0)]);
        let uses = uses.filter(|uses| !uses.uses.is_empty());
        let admission = self.inputs[input].admit(offset, timestamp, event, uses.is_some());
        if let Some(uses) = uses
            && !admission.duplicate
        {
            self.inputs[input].intern(event, &uses.intern);
            let Admission {
                k, kafka, too_late, ..
            } = admission;
            let k = if self.shared_clock {
                self.clocks[input].max(k)
            } else {
                k
            };
            let seen = Seen {
                input,
                offset,
                time: event.time,
                k,
                kafka,
            };
            for each in &uses.uses {
                if matches(&each.filters, event) {
                    let slot = &mut self.kpis[each.kpi];
                    let by = dimensions(&self.inputs[input], &slot.by);
                    slot.take(&each.role, event, seen, too_late, by, &self.clocks);
                }
            }
        }
        if self.inputs[input].advance(event, admission.kafka) {
            self.clocks[input] = self.inputs[input].clock();
            if self.shared_clock {
                self.share_clock();
            }
            self.advance(input);
        }
    }

    /// What is published at a display time.
    pub fn view(&mut self, display: EventTime) -> View {
        let inputs = &self.inputs;
        let plan = &self.plan;
        let kpis = self
            .kpis
            .iter_mut()
            .map(|slot| slot.view(display, inputs, &plan.fields));
        View {
            group: self.group,
            partition: self.partition,
            offsets: inputs.iter().map(InputState::next_offset).collect(),
            display,
            kpis: kpis.collect(),
            exact: self.exact(),
            inputs: inputs
                .iter()
                .zip(self.uses.iter())
                .map(|(input, uses)| input.view(used_types(uses)))
                .collect(),
            entries: self.entries(),
        }
    }

    /// The oldest overdue orders of a promise, oldest first; none if the KPI isn't one of this task.
    pub fn overdue(&mut self, kpi: KpiId, display: EventTime, limit: usize) -> Vec<OverdueOrder> {
        let Some(slot) = self.kpis.iter_mut().find(|slot| slot.id == kpi) else {
            return Vec::new();
        };
        let KpiState::Promise { start_input, state } = &mut slot.state else {
            return Vec::new();
        };
        let input = &self.inputs[*start_input];
        let topic = self.plan.groups[self.group].topics[*start_input];
        state.overdue(
            display,
            limit,
            &dictionaries(input, &slot.by),
            (topic, self.partition),
        )
    }

    /// The canonical bytes of the state: equal for equal offsets, however they were reached.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        for input in &self.inputs {
            input.encode(&mut out);
        }
        for slot in &self.kpis {
            match &slot.state {
                KpiState::Count { input, state } => state.encode(self.clocks[*input], &mut out),
                KpiState::Ratio {
                    numerator,
                    denominator,
                } => {
                    for (input, state) in numerator.iter().chain(denominator) {
                        state.encode(self.clocks[*input], &mut out);
                    }
                }
                KpiState::Promise { state, .. } => state.encode(&self.clocks, &mut out),
                KpiState::Funnel { input, state } => state.encode(self.clocks[*input], &mut out),
            }
        }
        out.into_bytes()
    }

    fn share_clock(&mut self) {
        let greatest = self.clocks.iter().copied().max();
        self.clocks.fill(greatest.unwrap_or(EventTime::MIN));
    }

    /// The clock of one input went on.
    fn advance(&mut self, input: usize) {
        let clock = self.clocks[input];
        for slot in &mut self.kpis {
            match &mut slot.state {
                KpiState::Promise { state, .. } => state.advance(&self.clocks),
                KpiState::Funnel { input: own, state } if *own == input => state.advance(clock),
                _ => {}
            }
        }
        if clock - self.forgotten_at[input] >= FORGET_EVERY {
            self.forgotten_at[input] = clock;
            self.forget(input);
        }
    }

    fn forget(&mut self, input: usize) {
        let clock = self.clocks[input];
        for slot in &mut self.kpis {
            match &mut slot.state {
                KpiState::Count { input: own, state } if *own == input => state.forget(clock),
                KpiState::Ratio {
                    numerator,
                    denominator,
                } => {
                    let sides = numerator.iter_mut().chain(denominator);
                    for (_, state) in sides.filter(|side| side.0 == input) {
                        state.forget(clock);
                    }
                }
                KpiState::Promise { state, .. } => state.forget(&self.clocks),
                KpiState::Funnel { input: own, state } if *own == input => state.forget(clock),
                _ => {}
            }
        }
    }

    /// False once a limit was hit: then two tasks at the same offsets may differ.
    pub fn exact(&self) -> bool {
        let kpi_exact = |slot: &KpiSlot| match &slot.state {
            KpiState::Promise { state, .. } => state.exact(),
            KpiState::Funnel { state, .. } => state.exact(),
            _ => true,
        };
        self.inputs.iter().all(InputState::exact) && self.kpis.iter().all(kpi_exact)
    }
}

impl KpiSlot {
    /// An event that the filters let through, as its partition saw it.
    fn take(
        &mut self,
        role: &Role,
        event: &Event<'_>,
        seen: Seen,
        too_late: bool,
        by: By,
        clocks: &[EventTime],
    ) {
        let Seen { time, k, kafka, .. } = seen;
        match (&mut self.state, role) {
            (KpiState::Promise { state, .. }, Role::Start(field)) => {
                if let Some(key) = event.field(*field).key() {
                    state.start(key, seen, by, clocks);
                }
            }
            (KpiState::Promise { state, .. }, Role::Fact(fact, field)) => {
                if let Some(key) = event.field(*field).key() {
                    state.fact(key, *fact, seen, clocks);
                }
            }
            (KpiState::Funnel { state, .. }, Role::Funnel(parts)) => {
                let clock = k.max(time.min(kafka.as_event_time()));
                state.take(event, parts, (k, clock), kafka, by);
            }
            (KpiState::Count { state, .. }, _) if !too_late => state.take(event, k, kafka, by),
            (
                KpiState::Ratio {
                    numerator,
                    denominator,
                },
                role,
            ) if !too_late => {
                let above = matches!(role, Role::Numerator);
                let side = if above { numerator } else { denominator };
                let side = side.as_mut().expect("a use has its own side");
                side.1.take(event, k, kafka, by);
            }
            _ => debug_assert!(too_late, "roles fit kinds"),
        }
    }

    fn view(
        &mut self,
        display: EventTime,
        inputs: &[InputState],
        field_names: &[String],
    ) -> KpiView {
        let by = &self.by;
        let dictionaries = |input: usize| dictionaries(&inputs[input], by);
        let count = self.by.len();
        match &mut self.state {
            KpiState::Count { input, state } => KpiView {
                series: KindView::Count(state.view(display, &dictionaries(*input))),
                field_errors: state.field_errors().view(field_names),
                label_overflow: state.overflow(count),
                entities_overflow: Vec::new(),
                window_dropped: state.window_dropped(),
            },
            KpiState::Ratio {
                numerator,
                denominator,
            } => {
                let sides = || {
                    numerator
                        .iter()
                        .chain(denominator.iter())
                        .map(|side| &side.1)
                };
                let field_errors = sides().flat_map(|side| side.field_errors().view(field_names));
                let field_errors = field_errors.collect();
                let overflows = sides().map(|side| side.overflow(count));
                let label_overflow = overflows.fold(vec![0; count], |sum, overflow| {
                    sum.iter()
                        .zip(overflow)
                        .map(|(sum, more)| sum + more)
                        .collect()
                });
                let window_dropped = sides().map(|side| side.window_dropped()).sum();
                let view = |side: &mut Side| match side {
                    Some((input, state)) => state.view(display, &dictionaries(*input)),
                    None => Vec::new(),
                };
                let series = KindView::Ratio(view(numerator), view(denominator));
                KpiView {
                    series,
                    field_errors,
                    label_overflow,
                    entities_overflow: Vec::new(),
                    window_dropped,
                }
            }
            KpiState::Promise { start_input, state } => KpiView {
                series: KindView::Promise(state.view(display, &dictionaries(*start_input))),
                field_errors: Vec::new(),
                label_overflow: state.overflow(count),
                entities_overflow: state.refused().view(),
                window_dropped: state.window_dropped(),
            },
            KpiState::Funnel { input, state } => KpiView {
                series: KindView::Funnel(state.view(display, &dictionaries(*input))),
                field_errors: state.field_errors().view(field_names),
                label_overflow: state.overflow(count),
                entities_overflow: state.refused().view(),
                window_dropped: state.window_dropped(),
            },
        }
    }
}

fn dictionaries<'a>(input: &'a InputState, by: &[FieldId]) -> Vec<&'a Dictionary> {
    by.iter().map(|field| input.dictionary(*field)).collect()
}
