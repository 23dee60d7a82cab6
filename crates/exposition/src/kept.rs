//! The `kept_*` families that come from views: what was read, what was refused, how much is held.
//!
//! Like all totals derived from records they are task state and carry `partition`. What speaks of a
//! whole task has the `topic` of its group's first topic.

use std::sync::Arc;

use catalogue::Plan;
use catalogue::plan::{Buckets, TopicId};
use engine::View;
use engine::view::{DELAY_EDGES, InputView, KpiView};
use events::{EventTime, KafkaTime, Reject};

use crate::model::{Edges, Family, Histogram, Labels, MetricKind, Sample, Value};

/// How many series the exposition has, this one included.
pub const SERIES: &str = "kept_series";

/// `kept_series` with this value.
pub fn series_family(series: u64) -> Family {
    let mut family = Family::new(SERIES, "Series in this exposition", MetricKind::Gauge);
    let none = Labels::none();
    family
        .samples
        .push(Sample::new([&none, &none, &none], Value::integer(series)));
    family
}

/// All of them; those without series are empty.
pub fn families(plan: &Plan, views: &[&View]) -> Vec<Family> {
    let mut input = InputFamilies::new();
    let mut task = TaskFamilies::new();
    let mut kpi = KpiFamilies::new();
    for view in views {
        for topic in &view.inputs {
            input.add(plan, view, topic);
        }
        task.add(plan, view);
        let kpis = plan.groups[view.group].kpis.iter();
        for (id, kpi_view) in kpis.zip(&view.kpis) {
            kpi.add(plan, usize::from(id.0), view, kpi_view);
        }
    }
    let mut families = Vec::from(input.into_families());
    families.extend(task.into_families());
    families.extend(kpi.into_families());
    families
}

fn counter(name: &str, help: &str) -> Family {
    Family::new(name, help, MetricKind::Counter)
}

fn gauge(name: &str, help: &str) -> Family {
    Family::new(name, help, MetricKind::Gauge)
}

/// The labels `topic` and `partition`.
fn place(plan: &Plan, topic: TopicId, partition: i32) -> Labels {
    let topic = plan.topics[usize::from(topic.0)].name.as_str();
    Labels::of([("topic", topic), ("partition", &partition.to_string())])
}

/// When a task's counting began.
fn first_record(view: &View) -> Option<KafkaTime> {
    view.inputs.iter().filter_map(|input| input.created).min()
}

/// What is counted of a topic-partition.
struct InputFamilies {
    none: Labels,
    outcomes: [Labels; 3],
    rejected_outcome: Labels,
    reasons: Vec<Labels>,
    delay_edges: Arc<Edges>,
    events: Family,
    rejected: Family,
    late: Family,
    gap: Family,
    too_late: Family,
    delay: Family,
    clock: Family,
}

impl InputFamilies {
    fn new() -> InputFamilies {
        let outcome = |value: &str| Labels::of([("outcome", value)]);
        let reasons = Reject::ALL
            .iter()
            .map(|reason| Labels::of([("reason", reason.as_str())]));
        InputFamilies {
            none: Labels::none(),
            outcomes: ["used", "ignored", "duplicate"].map(outcome),
            rejected_outcome: outcome("rejected"),
            reasons: reasons.collect(),
            delay_edges: Edges::of(DELAY_EDGES),
            events: counter(
                "kept_events_total",
                "Records by what became of them; the type and source of a rejected one are unknown",
            ),
            rejected: counter(
                "kept_records_rejected_total",
                "Records that can't be an event, by reason",
            ),
            late: counter(
                "kept_events_late_total",
                "Events further behind their partition clock than the lateness",
            ),
            gap: counter(
                "kept_log_gap_records_total",
                "Records that were gone from the log before they were read",
            ),
            too_late: counter(
                "kept_events_too_late_total",
                "Events older than the dedupe horizon, which counts don't take",
            ),
            delay: Family::new(
                "kept_event_delay_seconds",
                "Kafka timestamp minus event time; below 0 the producer's clock is ahead",
                MetricKind::Histogram,
            ),
            clock: gauge(
                "kept_partition_clock_timestamp_seconds",
                "The greatest event time accepted so far, absent before the first event",
            ),
        }
    }

    fn add(&mut self, plan: &Plan, view: &View, input: &InputView) {
        let place = place(plan, input.topic, view.partition);
        for counts in &input.events {
            let pair = [("type", &counts.type_name), ("source", &counts.source)];
            let pair = Labels::of(pair.map(|(name, value)| (name, Arc::clone(value))));
            let numbers = [counts.used, counts.ignored, counts.duplicate];
            for (outcome, number) in self.outcomes.iter().zip(numbers) {
                let sample = Sample::new([&place, &pair, outcome], Value::integer(number));
                self.events.samples.push(sample.since(input.created));
            }
        }
        let unknown = Labels::of([("type", "unknown"), ("source", "unknown")]);
        let rejected = Value::integer(input.rejected.iter().sum());
        let labels = [&place, &unknown, &self.rejected_outcome];
        let rejected = Sample::new(labels, rejected).since(input.created);
        self.events.samples.push(rejected);
        for (reason, number) in self.reasons.iter().zip(input.rejected) {
            let sample = Sample::new([&place, reason, &self.none], Value::integer(number));
            self.rejected.samples.push(sample.since(input.created));
        }
        self.add_times(&place, input);
    }

    fn add_times(&mut self, place: &Labels, input: &InputView) {
        let none = &self.none;
        let late = Sample::new([place, none, none], Value::integer(input.late));
        self.late.samples.push(late.since(input.created));
        let gap = Sample::new([place, none, none], Value::integer(input.gap));
        self.gap.samples.push(gap.since(input.created));
        for (type_name, number) in &input.too_late {
            let labels = Labels::of([("type", Arc::clone(type_name))]);
            let sample = Sample::new([place, &labels, none], Value::integer(*number));
            self.too_late.samples.push(sample.since(input.created));
        }
        for (source, delay) in &input.delay {
            let labels = Labels::of([("source", Arc::clone(source))]);
            let value = Value::Histogram(Histogram::of(&self.delay_edges, delay, Buckets::Both));
            let sample = Sample::new([place, &labels, none], value);
            self.delay.samples.push(sample.since(input.created));
        }
        if let Some(clock) = input.clock {
            let value = Value::float(clock.seconds());
            self.clock
                .samples
                .push(Sample::new([place, none, none], value));
        }
    }

    fn into_families(self) -> [Family; 7] {
        [
            self.events,
            self.rejected,
            self.late,
            self.gap,
            self.too_late,
            self.delay,
            self.clock,
        ]
    }
}

/// What is known of a task.
struct TaskFamilies {
    exact: Family,
    display: Family,
    entries: Family,
    bytes: Family,
}

impl TaskFamilies {
    fn new() -> TaskFamilies {
        TaskFamilies {
            exact: gauge(
                "kept_exact",
                "0 after a limit was hit that the numbers can't show, until the task is rebuilt",
            ),
            display: gauge(
                "kept_display_timestamp_seconds",
                "The event time that gauges and windows of the task stand for",
            ),
            entries: gauge(
                "kept_state_entries",
                "Entries held in the task's state, by kind",
            ),
            bytes: gauge(
                "kept_state_bytes",
                "An estimate of the bytes of the task's state",
            ),
        }
    }

    fn add(&mut self, plan: &Plan, view: &View) {
        let Some(topic) = plan.groups[view.group].topics.first() else {
            return;
        };
        let place = place(plan, *topic, view.partition);
        let none = Labels::none();
        let sample = |value| Sample::new([&place, &none, &none], value);
        self.exact
            .samples
            .push(sample(Value::integer(u64::from(view.exact))));
        // Before a task's first event its display time is nowhere near any date.
        if view.display > EventTime(0) {
            self.display
                .samples
                .push(sample(Value::float(view.display.seconds())));
        }
        self.bytes
            .samples
            .push(sample(Value::integer(view.entries.bytes)));
        let kinds = [
            ("open", view.entries.open),
            ("finished", view.entries.finished),
            ("held", view.entries.held),
            ("funnel", view.entries.funnel),
            ("dedupe", view.entries.dedupe),
        ];
        for (kind, number) in kinds {
            let kind = Labels::of([("kind", kind)]);
            let sample = Sample::new([&place, &kind, &none], Value::integer(number));
            self.entries.samples.push(sample);
        }
    }

    fn into_families(self) -> [Family; 4] {
        [self.exact, self.display, self.entries, self.bytes]
    }
}

/// What is counted per KPI beside its own series. Each KPI is in one group, so a KPI and a
/// partition name a task.
struct KpiFamilies {
    field_errors: Family,
    overflow: Family,
    refused: Family,
    dropped: Family,
}

impl KpiFamilies {
    fn new() -> KpiFamilies {
        KpiFamilies {
            field_errors: counter(
                "kept_field_errors_total",
                "Events that a KPI did not take because of a malformed field",
            ),
            overflow: counter(
                "kept_label_overflow_total",
                "Events whose label value became `other` because there were too many",
            ),
            refused: counter(
                "kept_entities_overflow_total",
                "Events that were not followed because the KPI's limit of entities was reached",
            ),
            dropped: counter(
                "kept_window_dropped_total",
                "Contributions to windows that came after these were closed; totals have them",
            ),
        }
    }

    fn add(&mut self, plan: &Plan, id: usize, view: &View, kpi_view: &KpiView) {
        let kpi = &plan.kpis[id];
        let created = first_record(view);
        let name = Labels::of([("kpi", kpi.id.as_str())]);
        let partition = Labels::of([("partition", view.partition.to_string())]);
        for (field, number) in &kpi_view.field_errors {
            let field = Labels::of([("field", Arc::clone(field))]);
            let sample = Sample::new([&name, &field, &partition], Value::integer(*number));
            self.field_errors.samples.push(sample.since(created));
        }
        for (dimension, number) in kpi.by.iter().zip(&kpi_view.label_overflow) {
            let label = Labels::of([("label", dimension.name.as_str())]);
            let sample = Sample::new([&name, &label, &partition], Value::integer(*number));
            self.overflow.samples.push(sample.since(created));
        }
        for (limit, number) in &kpi_view.entities_overflow {
            let limit = Labels::of([("limit", limit.as_str())]);
            let sample = Sample::new([&name, &limit, &partition], Value::integer(*number));
            self.refused.samples.push(sample.since(created));
        }
        let value = Value::integer(kpi_view.window_dropped);
        let sample = Sample::new([&name, &Labels::none(), &partition], value);
        self.dropped.samples.push(sample.since(created));
    }

    fn into_families(self) -> [Family; 4] {
        [self.field_errors, self.overflow, self.refused, self.dropped]
    }
}
