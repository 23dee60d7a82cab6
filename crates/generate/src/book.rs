//! The catalogue as generators look things up in it: the names of metrics, the windows that are
//! wanted of a counter, owners.
//!
//! A metric's name comes from `catalogue::metrics` and from nowhere else.

use catalogue::Plan;
use catalogue::generation::{Alerting, Generation};
use catalogue::metrics::{SeriesId, families};
use catalogue::plan::{Kind, Kpi, KpiId, Part, Reference, ReferenceSeries};
use events::Span;

use crate::promql::minutes;
use crate::rule::Links;

/// See the file's header.
#[derive(Clone, Copy, Debug)]
pub struct Book<'a> {
    /// The KPIs.
    pub plan: &'a Plan,
    /// `[generate]`.
    pub generation: &'a Generation,
}

impl<'a> Book<'a> {
    /// The full name of a KPI's family. One that the kind doesn't have is a mistake in a generator.
    pub fn metric(&self, kpi: &Kpi, series: SeriesId) -> String {
        let found = families(self.plan, kpi)
            .into_iter()
            .find(|family| family.series == series);
        found
            .unwrap_or_else(|| panic!("KPI {} has no series {series:?}", kpi.id))
            .name
    }

    /// The KPIs with their ids.
    pub fn kpis(&self) -> impl Iterator<Item = (KpiId, &'a Kpi)> {
        let kpis = self.plan.kpis.iter().enumerate();
        kpis.map(|(at, kpi)| (KpiId(at as u16), kpi))
    }

    /// A KPI by its id.
    pub fn kpi(&self, id: KpiId) -> &'a Kpi {
        &self.plan.kpis[usize::from(id.0)]
    }

    /// The thresholds of a KPI's alerts.
    pub fn alerting(&self, id: KpiId) -> &'a Alerting {
        &self.generation.kpis[usize::from(id.0)]
    }

    /// Who is asked about a KPI.
    pub fn owner(&self, kpi: &Kpi) -> String {
        kpi.owner.as_ref().unwrap_or(&self.generation.owner).clone()
    }

    /// The labels that tell instances apart, as a list inside `without (...)`.
    pub fn instance_labels(&self) -> String {
        self.generation.instance_labels.join(", ")
    }

    /// `without (instance, ..., more)`.
    pub fn without(&self, more: &[&str]) -> String {
        let labels = self.generation.instance_labels.iter().map(String::as_str);
        let labels: Vec<&str> = labels.chain(more.iter().copied()).collect();
        format!("without ({})", labels.join(", "))
    }

    /// The labels that alerts of one Kept have in common: the job, and what tells two of one job apart.
    pub fn deployment(&self) -> Vec<&'a str> {
        let more = self.generation.deployment_labels.iter();
        ["job"]
            .into_iter()
            .chain(more.map(String::as_str))
            .collect()
    }

    /// `job=%q,namespace=%q`: inside a query of an alert's text, its own Kept; a label that the alert
    /// lacks is empty, and so matched where it is missing. `same_values` fills it in.
    pub fn same(&self) -> String {
        let labels = self.deployment();
        let matchers: Vec<String> = labels.iter().map(|label| format!("{label}=%q")).collect();
        matchers.join(",")
    }

    /// `$labels.job $labels.namespace`.
    pub fn same_values(&self) -> String {
        let labels = self.deployment();
        let values: Vec<String> = labels
            .iter()
            .map(|label| format!("$labels.{label}"))
            .collect();
        values.join(" ")
    }

    /// The names of an event type and its like, from a selector.
    pub fn types(&self, selector: &catalogue::plan::Selector) -> Vec<&'a str> {
        let name = |id: &events::TypeId| &self.plan.types[usize::from(id.0)].name[..];
        selector.types.iter().map(name).collect()
    }

    /// The windows that increases of a KPI's counters are recorded for: its own and those of the
    /// ratios that read it, each once, shortest first.
    pub fn windows(&self, id: KpiId) -> Vec<Span> {
        let of = |kpi: &Kpi| -> Vec<Span> { kpi.windows.iter().map(|w| w.length).collect() };
        let mut windows = of(self.kpi(id));
        for kpi in &self.plan.kpis {
            let Kind::Ratio(ratio) = &kpi.kind else {
                continue;
            };
            let reads = |part: &Part| matches!(part, Part::Of(other) if other.kpi == id);
            if reads(&ratio.numerator) || reads(&ratio.denominator) {
                windows.extend(of(kpi));
            }
        }
        windows.sort_unstable();
        windows.dedup();
        windows
    }

    /// Where links lead.
    pub fn links(&self) -> Links<'a> {
        Links {
            runbooks: &self.generation.runbooks_url,
            dashboards: &self.generation.dashboards_url,
        }
    }

    /// How often slow rules are evaluated.
    pub fn slow_interval(&self) -> Span {
        Span(self.generation.interval.0 * 4)
    }

    /// The series that a reference reads, and the matcher inside it, if any.
    pub fn referred(&self, reference: &Reference) -> (String, Option<String>) {
        let kpi = self.kpi(reference.kpi);
        match (reference.series, &kpi.kind) {
            (ReferenceSeries::Events, _) => (self.metric(kpi, SeriesId::Events), None),
            (ReferenceSeries::Sum, _) => (self.metric(kpi, SeriesId::Sum), None),
            (ReferenceSeries::Stage(at), Kind::Funnel(funnel)) => {
                let stage = &funnel.stages[at].name;
                (self.metric(kpi, SeriesId::Reached), Some(stage.clone()))
            }
            (ReferenceSeries::Stage(_), _) => panic!("only funnels have stages: {}", kpi.id),
        }
    }
}

/// The window of the fast look at a promise.
pub const FAST: Span = minutes(5);
/// The window of most other looks.
pub const HOUR: Span = minutes(60);
