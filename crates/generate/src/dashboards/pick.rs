//! Selectors and expressions of panels. Each selects the job; what has an instance also the chosen
//! instances, and what has dimensions the chosen values.
//!
//! What adds up is read from recorded series, which were taken per partition first; what has no
//! rule is taken per partition here, in a subquery at the rules' interval.

use catalogue::metrics::SeriesId;
use catalogue::metrics::kept::OwnFamily;
use catalogue::plan::{Buckets, Kpi};
use events::Span;

use crate::book::Book;
use crate::promql::{Level, base, increase, is, sum};
use crate::recording::counters;

/// `name{job="$job", more}`.
pub fn of_job(name: &str, more: &[String]) -> String {
    let mut matchers = vec![is("job", "$job")];
    matchers.extend_from_slice(more);
    format!("{name}{{{}}}", matchers.join(", "))
}

/// `name{job="$job", instance=~"$instance", more}`.
pub fn of_instances(name: &str, more: &[String]) -> String {
    let mut matchers = vec![chosen("instance")];
    matchers.extend_from_slice(more);
    of_job(name, &matchers)
}

/// `name=~"$name"`.
pub fn chosen(label: &str) -> String {
    format!("{label}=~\"${label}\"")
}

/// What adds up, per partition over the instances: a counter's increase at each moment.
pub fn increases(book: &Book<'_>, family: &OwnFamily, by: &[&str]) -> String {
    let per_partition = format!("max by ({}) ({})", labels(family), of_job(family.name, &[]));
    let (by, step) = (by.join(", "), book.generation.interval);
    format!("sum by ({by}) (increase(({per_partition})[$__rate_interval:{step}]))")
}

/// What adds up, per partition over the instances: a gauge.
pub fn gauge(family: &OwnFamily, by: &[&str]) -> String {
    let by = by.join(", ");
    format!(
        "sum by ({by}) (max by ({}) ({}))",
        labels(family),
        of_job(family.name, &[])
    )
}

fn labels(family: &OwnFamily) -> String {
    let labels: Vec<&str> = ["job"].iter().chain(family.labels).copied().collect();
    labels.join(", ")
}

/// A counter that each instance has for itself: its increase.
pub fn own_increase(family: &OwnFamily, by: &[&str]) -> String {
    let counter = of_instances(family.name, &[]);
    let increase = format!("increase({counter}[$__rate_interval])");
    if by.is_empty() {
        return format!("sum({increase})");
    }
    format!("sum by ({}) ({increase})", by.join(", "))
}

/// A percentile of a histogram that each instance has for itself: from native buckets where they
/// are, else from classic ones.
pub fn own_percentile(family: &OwnFamily, quantile: f64) -> String {
    let native = of_instances(family.name, &[]);
    let classic = of_instances(&format!("{}_bucket", family.name), &[]);
    format!(
        "histogram_quantile({quantile}, sum(rate({native}[$__rate_interval])))\n\
         or\n\
         histogram_quantile({quantile}, sum by (le) (rate({classic}[$__rate_interval])))"
    )
}

/// The recorded series of a KPI: over all dimensions, or of the chosen values of them.
#[derive(Clone, Copy)]
pub struct Pick<'a> {
    /// The catalogue.
    pub book: &'a Book<'a>,
    /// The KPI.
    pub kpi: &'a Kpi,
    level: Level,
}

impl<'a> Pick<'a> {
    /// Over all dimensions.
    pub fn all(book: &'a Book<'a>, kpi: &'a Kpi) -> Pick<'a> {
        let level = Level::All;
        Pick { book, kpi, level }
    }

    /// Of the chosen values of the dimensions; a KPI without any is taken as it is.
    pub fn chosen(book: &'a Book<'a>, kpi: &'a Kpi) -> Pick<'a> {
        let level = match kpi.by.is_empty() {
            true => Level::All,
            false => Level::Part,
        };
        Pick { book, kpi, level }
    }

    /// The level of the recorded series.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The first part of the recorded names.
    pub fn prefix(&self) -> String {
        self.level.prefix(self.kpi)
    }

    /// A series with the job, the chosen dimensions and more matchers.
    pub fn select(&self, name: &str, more: &[String]) -> String {
        of_job(name, &self.matchers(more))
    }

    /// The chosen dimensions and more matchers.
    pub fn matchers(&self, more: &[String]) -> Vec<String> {
        let dims = self.level.left(self.kpi).into_iter().map(chosen);
        dims.chain(more.iter().cloned()).collect()
    }

    /// The name of one of the KPI's families.
    pub fn metric(&self, series: SeriesId) -> String {
        self.book.metric(self.kpi, series)
    }

    /// A recorded increase.
    pub fn increase(&self, series: SeriesId, window: Span, more: &[String]) -> String {
        let name = increase(&self.prefix(), &self.metric(series), window);
        self.select(&name, more)
    }

    /// A recorded gauge.
    pub fn gauge(&self, series: SeriesId, more: &[String]) -> String {
        let name = sum(&self.prefix(), &self.metric(series));
        self.select(&name, more)
    }

    /// A percentile of one of the KPI's histograms, by the labels: from native buckets where they
    /// are, else from the recorded classic ones.
    pub fn percentile(
        &self,
        quantile: f64,
        series: SeriesId,
        by: &[&str],
        more: &[String],
    ) -> String {
        let name = self.metric(series);
        let native = of_instances(&name, &self.matchers(more));
        let classic = self.select(&self.buckets(&name), more);
        let with_le: Vec<&str> = by.iter().copied().chain(["le"]).collect();
        let (by, with_le) = (summed(by), summed(&with_le));
        self.published(
            format!("histogram_quantile({quantile}, {by} (rate({native}[$__rate_interval])))"),
            "or",
            format!("histogram_quantile({quantile}, {with_le} ({classic}))"),
        )
    }

    /// A percentile of one of the KPI's histograms over the time shown.
    pub fn percentile_shown(&self, quantile: f64, series: SeriesId) -> String {
        let name = self.metric(series);
        let native = self.select(&counters::rate(&self.prefix(), &name), &[]);
        let classic = self.select(&self.buckets(&name), &[]);
        self.published(
            format!("histogram_quantile({quantile}, sum(sum_over_time({native}[$__range])))"),
            "or",
            format!(
                "histogram_quantile({quantile}, sum by (le) (sum_over_time({classic}[$__range])))"
            ),
        )
    }

    /// A histogram for a heat map: native where it is, else the recorded classic buckets.
    pub fn spread(&self, series: SeriesId, more: &[String]) -> String {
        let name = self.metric(series);
        let native = of_instances(&name, &self.matchers(more));
        let classic = self.select(&self.buckets(&name), more);
        self.published(
            format!("sum(rate({native}[$__rate_interval]))"),
            "or on ()",
            format!("sum by (le) ({classic})"),
        )
    }

    /// What reads native buckets, what reads classic ones, or one instead of the other: as the KPI
    /// publishes them.
    fn published(&self, native: String, or: &str, classic: String) -> String {
        match self.kpi.buckets() {
            Buckets::Both => format!("{native}\n{or}\n{classic}"),
            Buckets::Classic => classic,
            Buckets::Native => native,
        }
    }

    /// Which buckets the KPI's percentiles are read from, for people.
    pub fn buckets_read(&self) -> &'static str {
        match self.kpi.buckets() {
            Buckets::Both => {
                "native buckets where they are scraped, else classic ones over five minutes"
            }
            Buckets::Classic => "classic buckets over five minutes",
            Buckets::Native => "native buckets",
        }
    }

    fn buckets(&self, name: &str) -> String {
        counters::rate(&self.prefix(), &format!("{name}_bucket"))
    }
}

/// `sum by (labels)`, or `sum` without any.
pub fn summed(by: &[&str]) -> String {
    if by.is_empty() {
        "sum".to_owned()
    } else {
        format!("sum by ({})", by.join(", "))
    }
}

/// A family's name as people read it: without the namespace and `_total`.
pub fn short(name: &str, namespace: &str) -> String {
    let name = base(name);
    let name = name.strip_prefix(namespace).unwrap_or(name);
    name.trim_start_matches('_').replace('_', " ")
}
