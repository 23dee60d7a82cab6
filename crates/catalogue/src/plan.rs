//! The validated catalogue: what the engine runs and what every generated artefact is made from.
//!
//! A `Plan` can only be had from `catalogue::read`, which has checked every rule named here; the
//! engine indexes with its ids without looking again. All orders are fixed by the definitions
//! (packs first, then files, each KPI in file order), so the same input gives the same plan.

pub use events::{FieldId, Span, TypeId};

/// Index into `Plan::topics`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicId(pub u16);

/// Index into `Plan::kpis`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KpiId(pub u16);

/// Everything in force.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Prefix of every KPI metric, e.g. `shop`.
    pub namespace: String,
    /// The clock rules.
    pub time: TimeRules,
    /// What bounds the state.
    pub limits: Limits,
    /// Input topics, by `TopicId`.
    pub topics: Vec<Topic>,
    /// Co-partitioned topics and the KPIs on them. Every topic and every KPI is in exactly one.
    pub groups: Vec<Group>,
    /// The event types that some KPI uses, by `TypeId`.
    pub types: Vec<EventType>,
    /// The `data` members that some KPI reads, by `FieldId`.
    pub fields: Vec<String>,
    /// The KPIs, by `KpiId`.
    pub kpis: Vec<Kpi>,
}

/// `[time]`.
#[derive(Clone, Copy, Debug)]
pub struct TimeRules {
    /// Event time ahead of the Kafka timestamp by more than this is rejected.
    pub max_future: Span,
    /// How long an event id is remembered; zero: no dedupe and no too-late rule.
    pub dedupe: Span,
}

/// `[limits]`: each with its overflow behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Values of one dimension on one topic-partition; further ones become `other`.
    pub label_values: usize,
    /// Open entities of one KPI in one task; further starts are dropped and `kept_exact` is 0.
    pub open_entities: usize,
    /// Entities of one KPI in one task that are remembered, open or not: finished orders until no
    /// record can refer to them, carts until they can't be recovered. Beyond it likewise.
    pub remembered_entities: usize,
    /// Ends and steps of one KPI in one task that wait for their start; likewise.
    pub held_entities: usize,
    /// Event ids remembered on one topic-partition; further ones are not remembered, likewise.
    pub dedupe_entries: usize,
    /// Bytes of a record's value; larger ones are rejected as `too_large`.
    pub record_bytes: usize,
    /// Series that one KPI may make in one partition, in whole label sets and at least one; further
    /// label sets count as `other` (see `estimate::label_set_limit`). A KPI that makes more with the
    /// values it declares is refused.
    pub max_series: usize,
}

/// An input topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name in Kafka.
    pub name: String,
    /// The `data` member that producers use as the record key.
    pub key: Option<String>,
    /// The event types it carries: exact names, `prefix.*`, or `*`.
    pub types: Vec<String>,
    /// How far behind the partition clock a record is still on time.
    pub lateness: Span,
}

impl Topic {
    /// Whether its list of types has this one: exact, `prefix.*` or `*`.
    pub fn carries(&self, type_name: &str) -> bool {
        self.types
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => type_name.starts_with(prefix),
                None => pattern == type_name,
            })
    }
}

/// Topics that some KPI joins, with equal partition counts; partition p of all of them is a task.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its topics, ascending.
    pub topics: Vec<TopicId>,
    /// Its KPIs, ascending. Without KPIs the group's records are only counted.
    pub kpis: Vec<KpiId>,
}

/// An event type that the plan uses.
#[derive(Clone, Debug)]
pub struct EventType {
    /// The CloudEvents `type`.
    pub name: String,
    /// Fields that some KPI follows as an entity key on this type. A malformed one rejects the record.
    pub keys: Vec<EntityKey>,
}

/// An entity key that an event type carries.
#[derive(Clone, Copy, Debug)]
pub struct EntityKey {
    /// Where it is.
    pub field: FieldId,
    /// A missing one rejects the record (else the event just has no such entity).
    pub required: bool,
}

/// One KPI.
#[derive(Clone, Debug)]
pub struct Kpi {
    /// Its id, e.g. `fulfilment`: metrics are `<namespace>_<id>_...`.
    pub id: String,
    /// What it is, in a sentence without a full stop.
    pub help: String,
    /// Its place on dashboards.
    pub role: Role,
    /// The team that owns it, if named.
    pub owner: Option<String>,
    /// The dimensions, in label order. At most `MAX_DIMENSIONS`.
    pub by: Vec<Dimension>,
    /// The windows, shortest first; each a whole number of minutes.
    pub windows: Vec<Window>,
    /// Its target, if any.
    pub target: Option<Target>,
    /// What it follows.
    pub kind: Kind,
}

impl Kpi {
    /// Which buckets of its histograms are published: only a promise may say.
    pub fn buckets(&self) -> Buckets {
        match &self.kind {
            Kind::Promise(promise) => promise.buckets,
            Kind::Count(_) | Kind::Ratio(_) | Kind::Funnel(_) => Buckets::Both,
        }
    }
}

/// The most dimensions a KPI can have.
pub const MAX_DIMENSIONS: usize = 4;

/// Where a KPI stands on dashboards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// First.
    Core,
    /// Second.
    Supporting,
    /// Must not get worse.
    Guardrail,
}

/// A label and the field it comes from (the label is the field's name).
#[derive(Clone, Debug)]
pub struct Dimension {
    /// The field, and the label.
    pub name: String,
    /// Where the decoder puts it.
    pub field: FieldId,
    /// Declared values: at 0 from the start. Empty: whatever comes.
    pub values: Vec<String>,
}

/// A window of event time: (T - length, T], T floored to a pane; a pane is a sixtieth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    /// The value of the `window` label, as configured: `5m`.
    pub label: String,
    /// Its length.
    pub length: Span,
}

impl Window {
    /// The length of one pane: a sixtieth of the window, a whole number of seconds.
    pub fn pane(&self) -> Span {
        Span(self.length.0 / 60)
    }
}

/// `target = { ... }`: `max`/`min` alert, `goal` and `benchmark` are drawn. Values are in the base
/// unit of the KPI: seconds for durations, a share for ratios, events in the window for counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target {
    /// The percentile that a duration target speaks of.
    pub quantile: Option<f64>,
    /// Alert above.
    pub max: Option<f64>,
    /// Alert below.
    pub min: Option<f64>,
    /// Where we want to be.
    pub goal: Option<f64>,
    /// What others reach.
    pub benchmark: Option<f64>,
}

/// What a KPI follows and how.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Events, optionally with a sum.
    Count(Count),
    /// Two counts.
    Ratio(Ratio),
    /// An entity with a start, an end and a time limit.
    Promise(Promise),
    /// An entity through stages.
    Funnel(Funnel),
}

/// Which events: of these types, on this topic, with these field values.
#[derive(Clone, Debug)]
pub struct Selector {
    /// One or more types, all on `topic`.
    pub types: Vec<TypeId>,
    /// The one topic they are read from.
    pub topic: TopicId,
    /// Every filter must hold.
    pub filters: Vec<Filter>,
}

/// `where = { field = "value" }` or `{ field = ["one", "other"] }`: a missing field matches `unknown`.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The field.
    pub field: FieldId,
    /// Any of these.
    pub values: Vec<String>,
}

/// Kind `count`.
#[derive(Clone, Debug)]
pub struct Count {
    /// What is counted.
    pub event: Selector,
    /// What is summed, if anything.
    pub sum: Option<Sum>,
}

/// The sum of a field.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The field.
    pub field: FieldId,
    /// The metric is `<namespace>_<name>_total`.
    pub name: String,
    /// Money or a plain number.
    pub unit: Unit,
}

/// What a summed field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A decimal amount; the currency is in the other field and becomes the `currency` label.
    Money {
        /// Where the ISO 4217 code is.
        currency: FieldId,
    },
    /// A number without a unit.
    Number,
}

/// Kind `ratio`.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// Above the line.
    pub numerator: Part,
    /// Below the line.
    pub denominator: Part,
}

/// One side of a ratio.
#[derive(Clone, Debug)]
pub enum Part {
    /// Counted by the ratio itself, as `_numerator_total` or `_denominator_total`.
    Own(Count),
    /// What another KPI counts: nothing is counted twice.
    Of(Reference),
}

/// A counter of another KPI: `"orders"`, `"orders.sum"`, `"cart.checkout"` (a funnel's stage).
#[derive(Clone, Debug)]
pub struct Reference {
    /// Whose.
    pub kpi: KpiId,
    /// Which.
    pub series: ReferenceSeries,
}

/// Which counter of the other KPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReferenceSeries {
    /// A count's events.
    Events,
    /// A count's sum.
    Sum,
    /// Entities that reached this stage of a funnel.
    Stage(usize),
}

/// Kind `promise`.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The start; its event gives the dimensions.
    pub start: Keyed,
    /// The end.
    pub end: Keyed,
    /// The cancel, on the same topic as the end.
    pub cancel: Option<Keyed>,
    /// The steps in between, in order.
    pub steps: Vec<Step>,
    /// The time limit.
    pub within: Span,
    /// The share to be kept, in (0, 1).
    pub objective: f64,
    /// A start without an end is held this long.
    pub horizon: Span,
    /// An end without a start is held this long.
    pub hold: Span,
    /// The largest lateness of the topics it reads.
    pub lateness: Span,
    /// Upper edges of the classic histogram, ascending, without +Inf; one is exactly `within`.
    pub edges: Vec<Span>,
    /// Which buckets of its histograms are published.
    pub buckets: Buckets,
}

/// Which buckets of a histogram are published. State has both whatever is said here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Buckets {
    /// Classic ones, and native ones in protobuf.
    Both,
    /// Classic ones in all formats.
    Classic,
    /// Native ones in protobuf. Text, which has no words for them, is left with +Inf, sum and count.
    Native,
}

impl Buckets {
    /// Whether classic buckets are published.
    pub fn has_classic(self) -> bool {
        self != Buckets::Native
    }

    /// Whether native buckets are published.
    pub fn has_native(self) -> bool {
        self != Buckets::Classic
    }
}

impl Promise {
    /// The topics it reads: start, end, then those of the steps; each once, in this order.
    pub fn topics(&self) -> Vec<TopicId> {
        let mut topics = vec![self.start.event.topic];
        let others = self.steps.iter().map(|step| step.event.event.topic);
        for topic in std::iter::once(self.end.event.topic).chain(others) {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        topics
    }
}

/// A selector with the field that names the entity.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// Which events.
    pub event: Selector,
    /// Whose: the entity key's field.
    pub key: FieldId,
}

/// A step of a promise.
#[derive(Clone, Debug)]
pub struct Step {
    /// The value of the `step` label. The way from the last step to the end has `END_STEP`.
    pub name: String,
    /// Its event.
    pub event: Keyed,
    /// The team that owns the way from the step before to this one.
    pub owner: Option<String>,
}

/// The `step` label of the last leg: from the last step to the end.
pub const END_STEP: &str = "end";

/// Kind `funnel`: lives on one topic-partition.
#[derive(Clone, Debug)]
pub struct Funnel {
    /// The entity's key field, the same in every event.
    pub key: FieldId,
    /// The topic all its events are on.
    pub topic: TopicId,
    /// How a stage is counted.
    pub mode: FunnelMode,
    /// The entity ends when it is silent for this long.
    pub idle_timeout: Span,
    /// An ended entity that comes back within this is a return.
    pub recover: Span,
    /// The stages, in order; at least two, at most 32.
    pub stages: Vec<Stage>,
    /// Events that keep the entity alive without being a stage.
    pub touch: Vec<Selector>,
    /// What the entity is worth, counted when it is abandoned.
    pub value: Option<CartValue>,
    /// The topic's lateness.
    pub lateness: Span,
    /// Upper edges of the classic step histogram, ascending, without +Inf.
    pub edges: Vec<Span>,
}

/// How a funnel counts a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunnelMode {
    /// At its first event.
    Reached,
    /// At its first event after the stage before was counted, with a time not before that one's.
    Ordered,
}

/// A stage of a funnel.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The value of the `stage` label.
    pub name: String,
    /// Its event.
    pub event: Selector,
}

/// The value of a cart: the sum over its products of quantity times unit price.
/// Published, for abandoned entities only, as `<namespace>_<name>_total{dims,currency}`.
#[derive(Clone, Debug)]
pub struct CartValue {
    /// The metric is `<namespace>_<name>_total`.
    pub name: String,
    /// Adds `quantity` of a product at `price`.
    pub add: Selector,
    /// Sets the quantity of a product to a new absolute one.
    pub set: Option<Selector>,
    /// Sets the quantity of a product to the event's `quantity`, or to none where it has none.
    pub remove: Option<Selector>,
    /// The product's id.
    pub product: FieldId,
    /// How many.
    pub quantity: FieldId,
    /// The unit price.
    pub price: FieldId,
    /// Its currency.
    pub currency: FieldId,
}
