//! What a task makes of a KPI's definition, and how much it holds for all of them.

use catalogue::estimate::label_set_limit;
use catalogue::plan::{Count, Kind, Kpi, Part, Plan, TopicId};
use events::Span;

use super::{KpiState, Task};
use crate::count::CountState;
use crate::funnel::FunnelState;
use crate::panes::Reach;
use crate::promise::PromiseState;
use crate::uses::index_of;
use crate::view::Entries;

impl KpiState {
    /// Before the first record; `topics` are those of the group.
    pub(super) fn new(plan: &Plan, kpi: &Kpi, topics: &[TopicId]) -> KpiState {
        let longest = kpi
            .windows
            .iter()
            .map(|window| window.length)
            .max()
            .unwrap_or(Span::ZERO);
        let topic_reach = |topic: TopicId| Reach {
            longest,
            lateness: plan.topics[usize::from(topic.0)].lateness,
        };
        let label_sets = label_set_limit(plan, kpi);
        let counted = |count: &Count| {
            let topic = count.event.topic;
            let state = CountState::new(count, &kpi.windows, topic_reach(topic), label_sets);
            (index_of(topics, topic), Box::new(state))
        };
        let side = |side: &Part| match side {
            Part::Own(count) => Some(counted(count)),
            Part::Of(_) => None,
        };
        match &kpi.kind {
            Kind::Count(count) => {
                let (input, state) = counted(count);
                KpiState::Count { input, state }
            }
            Kind::Ratio(ratio) => KpiState::Ratio {
                numerator: side(&ratio.numerator),
                denominator: side(&ratio.denominator),
            },
            Kind::Promise(promise) => {
                let input = |topic| index_of(topics, topic);
                let start_input = input(promise.start.event.topic);
                let end_input = input(promise.end.event.topic);
                let steps = promise
                    .steps
                    .iter()
                    .map(|step| input(step.event.event.topic));
                let places = (start_input, end_input, steps.collect());
                let reach = Reach {
                    longest,
                    lateness: promise.lateness,
                };
                let state = PromiseState::new(
                    promise,
                    &kpi.windows,
                    reach,
                    places,
                    &plan.limits,
                    label_sets,
                );
                KpiState::Promise {
                    start_input,
                    state: Box::new(state),
                }
            }
            Kind::Funnel(funnel) => {
                let reach = topic_reach(funnel.topic);
                let state = FunnelState::new(funnel, &kpi.windows, reach, &plan.limits, label_sets);
                KpiState::Funnel {
                    input: index_of(topics, funnel.topic),
                    state: Box::new(state),
                }
            }
        }
    }
}

impl Task {
    /// How much state there is.
    pub(super) fn entries(&self) -> Entries {
        let mut entries = Entries::default();
        for input in &self.inputs {
            let (dedupe, bytes) = input.memory();
            entries.dedupe += dedupe as u64;
            entries.bytes += bytes as u64;
        }
        for of_kpi in self.kpi_entries() {
            entries.open += of_kpi.open;
            entries.finished += of_kpi.finished;
            entries.held += of_kpi.held;
            entries.funnel += of_kpi.funnel;
            entries.bytes += of_kpi.bytes;
        }
        entries
    }

    /// How much state each KPI has, in the order of the group's; event ids are no KPI's.
    pub fn kpi_entries(&self) -> impl Iterator<Item = Entries> {
        self.kpis.iter().map(|slot| slot.state.entries())
    }
}

impl KpiState {
    fn entries(&self) -> Entries {
        let mut entries = Entries::default();
        match self {
            KpiState::Promise { state, .. } => {
                let (open, finished, held, bytes) = state.memory();
                entries.open = open as u64;
                entries.finished = finished as u64;
                entries.held = held as u64;
                entries.bytes = bytes as u64;
            }
            KpiState::Funnel { state, .. } => {
                let (entities, bytes) = state.memory();
                entries.funnel = entities as u64;
                entries.bytes = bytes as u64;
            }
            KpiState::Count { state, .. } => entries.bytes = state.bytes() as u64,
            KpiState::Ratio {
                numerator,
                denominator,
            } => {
                let sides = numerator.iter().chain(denominator);
                entries.bytes = sides.map(|side| side.1.bytes() as u64).sum();
            }
        }
        entries
    }
}
