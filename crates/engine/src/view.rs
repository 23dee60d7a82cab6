//! One immutable picture of everything a task publishes, at an exact vector of offsets.
//!
//! A view is a pure function of the task's state and of the display time. Additive numbers are
//! plain integers; what several tasks of an instance merge (percentiles) is kept as a mergeable
//! `Sketch` or `Survival`. Names and labels of metrics are the exposition's business.

use std::sync::Arc;

use catalogue::plan::TopicId;
use events::{EventTime, KafkaTime, Reject, Span};

use crate::decode::{Decoder, Read};
use crate::native::NativeBuckets;
use crate::refused::EntityLimit;
use crate::sketch::Sketch;
use crate::survival::Survival;

/// The label values of a series, in the order of the KPI's `by`; `unknown` and `other` included.
pub type Labels = Arc<[Arc<str>]>;

/// What a task publishes.
#[derive(Clone, Debug)]
pub struct View {
    /// Index into `Plan::groups`.
    pub group: usize,
    /// The partition of every topic of the group.
    pub partition: i32,
    /// The next offset of each topic of the group: the V that every number stands for.
    pub offsets: Vec<i64>,
    /// The display time T.
    pub display: EventTime,
    /// False once a limit was hit that the numbers can't show: `kept_exact`.
    pub exact: bool,
    /// One per topic of the group.
    pub inputs: Vec<InputView>,
    /// One per KPI of the group, in its order.
    pub kpis: Vec<KpiView>,
    /// How much state stands behind it.
    pub entries: Entries,
}

/// `kept_state_entries{kind}` and `kept_state_bytes`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Entries {
    /// Open promises.
    pub open: u64,
    /// Finished promises still remembered.
    pub finished: u64,
    /// Ends and steps waiting for a start.
    pub held: u64,
    /// Funnel entities.
    pub funnel: u64,
    /// Remembered event ids.
    pub dedupe: u64,
    /// An estimate of the bytes of all of them and of the series.
    pub bytes: u64,
}

/// What is counted of one topic-partition, whatever the KPIs.
#[derive(Clone, Debug)]
pub struct InputView {
    /// The topic.
    pub topic: TopicId,
    /// The partition clock, `None` before the first event.
    pub clock: Option<EventTime>,
    /// The Kafka timestamp of the first record counted here: the counters' created timestamp.
    pub created: Option<KafkaTime>,
    /// `kept_log_gap_records_total`: records that the log had lost before they were read.
    pub gap: u64,
    /// `kept_events_total` by type and source; both capped, then `other`.
    pub events: Vec<EventCounts>,
    /// `kept_records_rejected_total`, by `Reject::ALL`'s order.
    pub rejected: [u64; Reject::ALL.len()],
    /// `kept_events_late_total`.
    pub late: u64,
    /// `kept_events_too_late_total` by type.
    pub too_late: Vec<(Arc<str>, u64)>,
    /// `kept_event_delay_seconds` by source: Kafka timestamp - event time, edges `DELAY_EDGES`.
    pub delay: Vec<(Arc<str>, Histogram)>,
}

/// Upper edges of `kept_event_delay_seconds`, in seconds.
pub const DELAY_EDGES: [f64; 10] = [0.0, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 3600.0];

/// Events of one type and source.
#[derive(Clone, Debug)]
pub struct EventCounts {
    /// The CloudEvents `type`, or `other`.
    pub type_name: Arc<str>,
    /// The CloudEvents `source`, or `other`.
    pub source: Arc<str>,
    /// Taken by some KPI.
    pub used: u64,
    /// Well-formed, of a type that no KPI uses.
    pub ignored: u64,
    /// Seen before within the dedupe horizon.
    pub duplicate: u64,
}

/// A histogram, classic and native: of the same observations, each counted exactly.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Histogram {
    /// Classic: `counts[i]` observations in (edge[i-1], edge[i]], the last above all edges. Not
    /// cumulative; one more than there are edges.
    pub counts: Vec<u64>,
    /// Native.
    pub native: NativeBuckets,
    /// The exact sum.
    pub sum: Span,
}

impl KindView {
    /// How many label sets there are, of both sides of a ratio.
    pub fn label_sets(&self) -> usize {
        match self {
            KindView::Count(series) => series.len(),
            KindView::Ratio(numerator, denominator) => numerator.len() + denominator.len(),
            KindView::Promise(series) => series.len(),
            KindView::Funnel(series) => series.len(),
        }
    }
}

impl Histogram {
    /// With room for `edges` edges.
    pub fn new(edges: usize) -> Histogram {
        Histogram {
            counts: vec![0; edges + 1],
            native: NativeBuckets::default(),
            sum: Span::ZERO,
        }
    }

    /// Adds one observation; `edges` are ascending upper edges, inclusive.
    pub fn observe(&mut self, edges: &[Span], value: Span) {
        let bucket = edges
            .iter()
            .position(|edge| value <= *edge)
            .unwrap_or(edges.len());
        self.counts[bucket] += 1;
        self.native.add(value);
        self.sum = self.sum + value;
    }

    /// How many observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bytes outside of itself.
    pub fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>() + self.native.bytes()
    }
}

/// One KPI in one task.
#[derive(Clone, Debug)]
pub struct KpiView {
    /// `kept_field_errors_total{kpi,field}`: the field's name and how often it was malformed.
    pub field_errors: Vec<(Arc<str>, u64)>,
    /// `kept_label_overflow_total{kpi,label}`, one per dimension.
    pub label_overflow: Vec<u64>,
    /// `kept_entities_overflow_total{kpi,limit}`: events that found no room; none where a kind follows
    /// no entities.
    pub entities_overflow: Vec<(EntityLimit, u64)>,
    /// `kept_window_dropped_total{kpi}`: contributions to panes that were closed already.
    pub window_dropped: u64,
    /// The series.
    pub series: KindView,
}

/// The series of a KPI, by its kind.
#[derive(Clone, Debug)]
pub enum KindView {
    /// Kind `count`.
    Count(Vec<CountSeries>),
    /// Kind `ratio`: the sides that count for themselves; a side that refers to another KPI is empty.
    Ratio(Vec<CountSeries>, Vec<CountSeries>),
    /// Kind `promise`.
    Promise(Vec<PromiseSeries>),
    /// Kind `funnel`.
    Funnel(Vec<FunnelSeries>),
}

/// A label set of a count.
#[derive(Clone, Debug)]
pub struct CountSeries {
    /// The dimensions.
    pub labels: Labels,
    /// The Kafka timestamp of the record that made the series; `None` for declared ones.
    pub created: Option<KafkaTime>,
    /// Events so far.
    pub total: u64,
    /// The sums so far: one per currency for money, one without a currency for numbers.
    pub sums: Vec<Amount>,
    /// Events in each window, in the order of the KPI's windows.
    pub in_window: Vec<u64>,
}

/// An exact decimal: `units` x 10^-`decimals`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Amount {
    /// ISO 4217 code; `None` for a plain number.
    pub currency: Option<&'static str>,
    /// Minor units.
    pub units: i128,
    /// How many of them are behind the decimal point.
    pub decimals: u8,
}

/// A label set of a promise.
#[derive(Clone, Debug)]
pub struct PromiseSeries {
    /// The dimensions.
    pub labels: Labels,
    /// The Kafka timestamp of the record that made the series; `None` for declared ones.
    pub created: Option<KafkaTime>,
    /// The cumulative counters.
    pub counters: PromiseCounters,
    /// `_duration_seconds`, over `Promise::edges`.
    pub duration: Histogram,
    /// `_step_seconds`, one per step and one for the way to the end, over `Promise::edges`.
    pub steps: Vec<Histogram>,
    /// `_open_at_step`, likewise: open orders that wait for it.
    pub open_at_step: Vec<u64>,
    /// `_open`: open at V.
    pub open: u64,
    /// `_overdue`: open and past `within` at the display time.
    pub overdue: u64,
    /// `_overdue_unjudged`.
    pub overdue_unjudged: u64,
    /// The start of the oldest open one, rounded up to a second.
    pub oldest_open_start: Option<EventTime>,
    /// One per window of the KPI.
    pub windows: Vec<PromiseWindow>,
}

/// The counters of a promise. At any V: started = completed + cancelled + expired + open.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct PromiseCounters {
    /// Starts accepted.
    pub started: u64,
    /// Ends matched to a start.
    pub completed: u64,
    /// Judged kept.
    pub kept: u64,
    /// Judged broken.
    pub broken: u64,
    /// Judged broken too early: the pipe was late.
    pub judged_too_early: u64,
    /// Taken out by a cancel.
    pub cancelled: u64,
    /// No end within the horizon.
    pub expired: u64,
    /// Ends that found no start.
    pub ends_without_start: u64,
    /// Starts or ends after the first.
    pub repeated: u64,
    /// Durations below zero, counted as zero.
    pub negative_durations: u64,
}

/// What a promise's label set shows of one window.
#[derive(Clone, Debug)]
pub struct PromiseWindow {
    /// Durations of the orders completed in the window.
    pub completed: Arc<Sketch>,
    /// The life table with open orders in it; `None` for windows over an hour.
    pub with_open: Option<Arc<Survival>>,
    /// Started in the window and kept.
    pub kept: u64,
    /// Started in the window and broken, or overdue and unjudged.
    pub broken: u64,
    /// Started in the window, neither.
    pub pending: u64,
}

/// A label set of a funnel.
#[derive(Clone, Debug)]
pub struct FunnelSeries {
    /// The dimensions.
    pub labels: Labels,
    /// The Kafka timestamp of the record that made the series; `None` for declared ones.
    pub created: Option<KafkaTime>,
    /// `_reached_total`, one per stage.
    pub reached: Vec<u64>,
    /// `_ended_total{outcome="converted"}` (their last stage is the last one).
    pub converted: u64,
    /// `_ended_total{outcome="abandoned"}` by last stage; the last entry is always 0.
    pub abandoned: Vec<u64>,
    /// `_recovered_total`: abandoned ones that came back.
    pub recovered: u64,
    /// `_step_seconds`, from the stage before; one per stage but the first.
    pub steps: Vec<Histogram>,
    /// `_open`: entities that have not ended.
    pub open: u64,
    /// The value left behind by abandoned entities, per currency; at 0 from the first price on.
    pub value: Vec<Amount>,
    /// `_reached_in_window`, by window and stage.
    pub in_window: Vec<Vec<u64>>,
}

/// An open order past its limit, for `/api/overdue`. Asked for on demand, not part of a view.
#[derive(Clone, Debug)]
pub struct OverdueOrder {
    /// The entity's key as written, cut after `OVERDUE_KEY_BYTES`.
    pub key: Box<str>,
    /// When it started.
    pub start: EventTime,
    /// How old it was at the display time.
    pub age: Span,
    /// The step it waits for: index into the promise's steps, their number for the end.
    pub waiting_for: usize,
    /// The dimensions.
    pub labels: Labels,
    /// Where its start is.
    pub topic: TopicId,
    /// Likewise.
    pub partition: i32,
    /// Likewise.
    pub offset: i64,
}

impl Histogram {
    /// Writes it, canonically.
    pub(crate) fn encode(&self, out: &mut crate::encode::Encoder) {
        self.counts.iter().for_each(|count| out.unsigned(*count));
        out.signed(self.sum.0);
        self.native.encode(out);
    }

    /// What `encode` wrote, of so many edges.
    pub(crate) fn read(from: &mut Decoder<'_>, edges: usize) -> Read<Histogram> {
        let counts = (0..=edges).map(|_| from.count());
        let mut histogram = Histogram {
            counts: counts.collect::<Read<_>>()?,
            native: NativeBuckets::default(),
            sum: from.span()?,
        };
        let count = histogram
            .counts
            .iter()
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        histogram.native = NativeBuckets::read(from, count)?;
        Ok(histogram)
    }

    /// Nothing was observed yet.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.native = NativeBuckets::default();
        self.sum = Span::ZERO;
    }
}
