//! A naive oracle: keeps every record and computes each number from its definition in DESIGN 3.
//!
//! Nothing is incremental and nothing is shared with the engine's code: where both agree, two
//! readings of the same text agree. For a task, a vector V of next offsets and a display time T it
//! loops over all records below V. A record is decoded once, by `serde_json`, when it is added.

mod count;
mod funnel;
mod intake;
mod place;
mod promise;
mod read;
mod survival;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::plan::{FieldId, Kind, Part, Plan, TopicId};
use events::{EventTime, KafkaTime, Reject};

pub use count::ExpectedCount;
pub use funnel::ExpectedFunnel;
pub use intake::ExpectedInput;
pub use promise::{ExpectedPromise, ExpectedWindow};
pub use read::{Read, read};
pub use survival::{Spell, quantile_with_open};

use intake::Intake;

/// Label values in the order of the KPI's `by`.
pub type LabelValues = Vec<String>;

/// A record as it was added; rejected ones keep their reason.
#[derive(Debug)]
struct Logged {
    offset: i64,
    timestamp: Option<KafkaTime>,
    content: Result<Read, Reject>,
}

/// Every record of every topic-partition.
#[derive(Debug)]
pub struct Oracle {
    plan: Arc<Plan>,
    logs: BTreeMap<(TopicId, i32), Vec<Logged>>,
}

/// What a task must publish at V and T.
#[derive(Debug)]
pub struct Expected {
    /// One per topic of the group.
    pub inputs: Vec<ExpectedInput>,
    /// One per KPI of the group.
    pub kpis: Vec<ExpectedKpi>,
    /// Contributions that came too late for a window, one per KPI of the group.
    pub window_dropped: Vec<u64>,
    /// Events that a KPI dropped for a field that it can't read, by field, one per KPI of the group.
    pub field_errors: Vec<BTreeMap<FieldId, u64>>,
}

/// What one KPI of a task must publish; label sets that nothing happened to are left out.
#[derive(Debug)]
pub enum ExpectedKpi {
    /// Kind `count`.
    Count(BTreeMap<LabelValues, ExpectedCount>),
    /// Kind `ratio`; a side that refers to another KPI is empty.
    Ratio(
        BTreeMap<LabelValues, ExpectedCount>,
        BTreeMap<LabelValues, ExpectedCount>,
    ),
    /// Kind `promise`.
    Promise(BTreeMap<LabelValues, ExpectedPromise>),
    /// Kind `funnel`.
    Funnel(BTreeMap<LabelValues, ExpectedFunnel>),
}

impl Oracle {
    /// Knows no record yet.
    pub fn new(plan: Arc<Plan>) -> Oracle {
        Oracle {
            plan,
            logs: BTreeMap::new(),
        }
    }

    /// Adds a record; offsets of a topic-partition ascend.
    pub fn record(
        &mut self,
        topic: TopicId,
        partition: i32,
        offset: i64,
        timestamp: Option<KafkaTime>,
        value: Option<&[u8]>,
    ) {
        let content = read(&self.plan, timestamp, value);
        let log = self.logs.entry((topic, partition)).or_default();
        assert!(
            log.last().is_none_or(|last| last.offset < offset),
            "offsets must ascend"
        );
        log.push(Logged {
            offset,
            timestamp,
            content,
        });
    }

    /// Adds a record that is decoded already.
    pub fn record_read(
        &mut self,
        (topic, partition): (TopicId, i32),
        offset: i64,
        timestamp: Option<KafkaTime>,
        content: Result<Read, Reject>,
    ) {
        let log = self.logs.entry((topic, partition)).or_default();
        assert!(
            log.last().is_none_or(|last| last.offset < offset),
            "offsets must ascend"
        );
        log.push(Logged {
            offset,
            timestamp,
            content,
        });
    }

    /// The numbers of the task (`group`, `partition`) at V (one next offset per topic of the
    /// group; `i64::MAX` for everything) and at the display time.
    pub fn expect(
        &self,
        group: usize,
        partition: i32,
        next_offsets: &[i64],
        display: EventTime,
    ) -> Expected {
        let group = &self.plan.groups[group];
        let intakes: Vec<Intake<'_>> = group
            .topics
            .iter()
            .zip(next_offsets)
            .map(|(topic, next)| {
                let log = self
                    .logs
                    .get(&(*topic, partition))
                    .map_or(&[][..], Vec::as_slice);
                let below = log.partition_point(|record| record.offset < *next);
                Intake::of(&self.plan, *topic, &log[..below])
            })
            .collect();
        let kpis = group.kpis.iter();
        let kpis = kpis.map(|kpi| self.expect_kpi(usize::from(kpi.0), &intakes, display));
        let (kpis, window_dropped) = kpis.unzip();
        let field_errors = group.kpis.iter();
        let field_errors = field_errors.map(|kpi| self.field_errors(usize::from(kpi.0), &intakes));
        let field_errors = field_errors.collect();
        let inputs = intakes.into_iter().map(|intake| intake.expected).collect();
        Expected {
            inputs,
            kpis,
            window_dropped,
            field_errors,
        }
    }

    fn field_errors(&self, kpi: usize, intakes: &[Intake<'_>]) -> BTreeMap<FieldId, u64> {
        let kpi = &self.plan.kpis[kpi];
        let counts = match &kpi.kind {
            Kind::Count(count) => vec![count],
            Kind::Ratio(ratio) => [&ratio.numerator, &ratio.denominator]
                .into_iter()
                .filter_map(|side| match side {
                    Part::Own(count) => Some(count),
                    Part::Of(_) => None,
                })
                .collect(),
            Kind::Promise(_) => Vec::new(),
            Kind::Funnel(it) => return funnel::field_errors(kpi, it, intakes),
        };
        let mut errors = BTreeMap::new();
        for (field, number) in counts
            .into_iter()
            .flat_map(|count| count::field_errors(count, intakes))
        {
            *errors.entry(field).or_default() += number;
        }
        errors
    }

    /// The KPI's series, and its contributions that came too late for a window.
    fn expect_kpi(
        &self,
        kpi: usize,
        intakes: &[Intake<'_>],
        display: EventTime,
    ) -> (ExpectedKpi, u64) {
        let kpi = &self.plan.kpis[kpi];
        let side = |part: &Part| match part {
            Part::Own(count) => count::expect(&self.plan, kpi, count, intakes, display),
            Part::Of(_) => (BTreeMap::new(), 0),
        };
        match &kpi.kind {
            Kind::Count(count) => {
                let (series, dropped) = count::expect(&self.plan, kpi, count, intakes, display);
                (ExpectedKpi::Count(series), dropped)
            }
            Kind::Ratio(ratio) => {
                let (numerator, above) = side(&ratio.numerator);
                let (denominator, below) = side(&ratio.denominator);
                (ExpectedKpi::Ratio(numerator, denominator), above + below)
            }
            Kind::Promise(it) => {
                let (series, dropped) = promise::expect(kpi, it, intakes, display);
                (ExpectedKpi::Promise(series), dropped)
            }
            Kind::Funnel(it) => {
                let (series, dropped) = funnel::expect(kpi, it, intakes, display);
                (ExpectedKpi::Funnel(series), dropped)
            }
        }
    }
}
