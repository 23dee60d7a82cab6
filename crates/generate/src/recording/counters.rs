//! Recording rules of anything that adds up, in the one right order: first the greatest per
//! partition over the instances (two of them show a partition while it changes hands), then the
//! increase, and the sum last. A sum that is increased afterwards would count every restart.

use catalogue::plan::{Buckets, Kpi};
use events::Span;

use crate::book::{Book, HOUR};
use crate::promql::{Level, base, hours, increase, partition_max, sum};
use crate::rule::{Record, Rule};

/// Increases over longer windows are put together from hourly ones: a range of days over every
/// series of every partition would read more samples than Prometheus allows.
const LONGEST_RANGE: Span = hours(6);

/// A recording rule.
pub fn record(name: String, expression: String) -> Rule {
    Rule::Record(Record { name, expression })
}

/// The greatest per partition over the instances.
pub fn of_partitions(book: &Book<'_>, name: &str) -> Rule {
    let expression = format!("max {} ({name})", book.without(&[]));
    record(partition_max(name), expression)
}

/// The increase of a counter over a window, at a level.
pub fn increases(kpi: &Kpi, name: &str, level: Level, window: Span) -> Rule {
    let prefix = level.prefix(kpi);
    let expression = if is_long(window) {
        let hourly = increase(&prefix, name, HOUR);
        format!("sum_over_time({hourly}[{window}:{HOUR}])")
    } else {
        let labels = level.without(kpi, &[]);
        format!(
            "sum without ({labels}) (increase({}[{window}]))",
            partition_max(name)
        )
    };
    record(increase(&prefix, name, window), expression)
}

/// Whether an increase is put together from hourly ones.
pub fn is_long(window: Span) -> bool {
    window > LONGEST_RANGE && window.0 % HOUR.0 == 0
}

/// Per partition, then the increases at each level over the windows; with long windows among them
/// also over an hour. Slow ones come apart, to be evaluated less often.
pub fn counter(book: &Book<'_>, kpi: &Kpi, name: &str, windows: &[Span], rules: &mut Split) {
    rules.fast.push(of_partitions(book, name));
    for level in Level::of(kpi) {
        rules.increases(kpi, name, *level, windows);
    }
}

/// A gauge that adds up over partitions.
pub fn gauge(book: &Book<'_>, kpi: &Kpi, name: &str, rules: &mut Split) {
    rules.fast.push(of_partitions(book, name));
    for level in Level::of(kpi) {
        let labels = level.without(kpi, &[]);
        let expression = format!("sum without ({labels}) ({})", partition_max(name));
        rules
            .fast
            .push(record(sum(&level.prefix(kpi), name), expression));
    }
}

/// The buckets of a histogram that are published: their rates, then percentiles out of them. Where a
/// series is there with native buckets, those are read: a `max` of them has no meaning, so they go
/// straight to the rate.
pub fn percentiles(book: &Book<'_>, kpi: &Kpi, name: &str, quantiles: &[f64], rules: &mut Split) {
    let published = kpi.buckets();
    let buckets = format!("{name}_bucket");
    if published.has_classic() {
        rules.fast.push(of_partitions(book, &buckets));
    }
    for level in Level::of(kpi) {
        let prefix = level.prefix(kpi);
        let labels = level.without(kpi, &[]);
        let (classic, native) = (rate(&prefix, &buckets), rate(&prefix, name));
        if published.has_classic() {
            let per_partition = partition_max(&buckets);
            let expression = format!("sum without ({labels}) (rate({per_partition}[5m]))");
            rules.fast.push(record(classic.clone(), expression));
        }
        if published.has_native() {
            let instances = book.instance_labels();
            let expression = format!("sum without ({instances}, {labels}) (rate({name}[5m]))");
            rules.fast.push(record(native.clone(), expression));
        }
        for quantile in quantiles {
            let expression = quantile_of(*quantile, published, &native, &classic);
            let name = percentile(&prefix, name, *quantile);
            rules.fast.push(record(name, expression));
        }
    }
}

/// A percentile out of recorded rates; nothing where nothing was observed.
fn quantile_of(quantile: f64, published: Buckets, native: &str, classic: &str) -> String {
    let from_native =
        format!("histogram_quantile({quantile}, {native}) and histogram_count({native}) > 0");
    let from_classic = format!(
        "histogram_quantile({quantile}, {classic}) and ignoring (le) {classic}{{le=\"+Inf\"}} > 0"
    );
    match published {
        Buckets::Both => format!("({from_native})\nor\n({from_classic})"),
        Buckets::Classic => from_classic,
        Buckets::Native => from_native,
    }
}

/// `job:shop_x_seconds:rate5m`.
pub fn rate(prefix: &str, name: &str) -> String {
    format!("{prefix}:{}:rate5m", base(name))
}

/// `job:shop_x_seconds:p95_5m`.
pub fn percentile(prefix: &str, name: &str, quantile: f64) -> String {
    format!("{prefix}:{name}:p{}_5m", quantile * 100.0)
}

/// The rules of one KPI: those that are evaluated often, and the slow ones.
#[derive(Default, Debug)]
pub struct Split {
    /// At the interval of `[generate]`.
    pub fast: Vec<Rule>,
    /// Four times less often.
    pub slow: Vec<Rule>,
}

impl Split {
    /// The increases of one counter at one level, each window once.
    pub fn increases(&mut self, kpi: &Kpi, name: &str, level: Level, windows: &[Span]) {
        let mut windows = windows.to_vec();
        if windows.iter().any(|window| is_long(*window)) {
            windows.push(HOUR);
        }
        windows.sort_unstable();
        windows.dedup();
        for window in windows {
            let rule = increases(kpi, name, level, window);
            if window > HOUR {
                self.slow.push(rule);
            } else {
                self.fast.push(rule);
            }
        }
    }
}
