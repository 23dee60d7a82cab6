//! What the oracle expects, as the series of a scrape: names and labels as DESIGN 2.4 has them,
//! values as exact texts. Written against the contract, not against the exposition's code.

use std::collections::BTreeMap;
use std::fmt::Display;

use catalogue::plan::{Count, Funnel, Kind, Kpi, Part, Plan, Promise, Unit};
use events::{EventTime, Reject, Span};
use simulator::oracle::{
    Expected, ExpectedCount, ExpectedFunnel, ExpectedInput, ExpectedKpi, ExpectedPromise,
};

/// Name and sorted labels.
pub type Series = (String, Vec<(String, String)>);
type Own<'a> = &'a [(&'a str, &'a str)];

/// Series of tasks with their values. One that is not in here is at 0 or absent.
#[derive(Default)]
pub struct Table(pub BTreeMap<Series, String>);

/// Where a task's series stand: the labels that all of them have, and the KPI's prefix.
struct Row<'t> {
    table: &'t mut Table,
    prefix: String,
    labels: Vec<(String, String)>,
}

impl Row<'_> {
    fn put(&mut self, suffix: &str, own: Own<'_>, value: impl Display) {
        let name = format!("{}{suffix}", self.prefix);
        self.put_named(name, own, value);
    }

    fn put_named(&mut self, name: String, own: Own<'_>, value: impl Display) {
        let own = own
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut labels: Vec<_> = self.labels.iter().cloned().chain(own).collect();
        labels.sort();
        let before = self.table.0.insert((name, labels), value.to_string());
        assert!(before.is_none(), "a series is expected twice");
    }

    /// A classic histogram: cumulative buckets, sum and count.
    fn histogram(&mut self, suffix: &str, own: Own<'_>, spans: &[Span], edges: &[Span]) {
        let bucket = format!("{suffix}_bucket");
        let up_to = |edge: Span| spans.iter().filter(|span| **span <= edge).count();
        for edge in edges {
            let le = format!("{:?}", edge.seconds());
            self.put(
                &bucket,
                &[own, &[("le", le.as_str())]].concat(),
                up_to(*edge),
            );
        }
        self.put(&bucket, &[own, &[("le", "+Inf")]].concat(), spans.len());
        self.put(&format!("{suffix}_count"), own, spans.len());
        let sum: i128 = spans.iter().map(|span| i128::from(span.0)).sum();
        self.put(&format!("{suffix}_sum"), own, decimal(sum, 6));
    }
}

/// `units` x 10^-`decimals` without zeros at its end: how texts are compared.
pub fn decimal(units: i128, decimals: u32) -> String {
    let scale = 10_i128.pow(decimals);
    let width = decimals as usize;
    plain(&format!("{}.{:0width$}", units / scale, units % scale))
}

/// A decimal without zeros at its end.
pub fn plain(text: &str) -> String {
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

impl Table {
    /// Adds everything that the task (`group`, `partition`) must publish.
    pub fn add(&mut self, plan: &Plan, group: usize, partition: i32, expected: &Expected) {
        let group = &plan.groups[group];
        let partition = partition.to_string();
        for (topic, input) in group.topics.iter().zip(&expected.inputs) {
            let topic = plan.topics[usize::from(topic.0)].name.clone();
            let labels = vec![
                ("topic".to_owned(), topic),
                ("partition".to_owned(), partition.clone()),
            ];
            put_input(
                &mut Row {
                    table: self,
                    prefix: String::new(),
                    labels,
                },
                input,
            );
        }
        for (id, kpi_expected) in group.kpis.iter().zip(&expected.kpis) {
            let kpi = &plan.kpis[usize::from(id.0)];
            self.add_kpi(
                &Place {
                    plan,
                    kpi,
                    partition: &partition,
                },
                kpi_expected,
            );
        }
    }

    fn add_kpi(&mut self, place: &Place<'_>, expected: &ExpectedKpi) {
        match (expected, &place.kpi.kind) {
            (ExpectedKpi::Count(series), Kind::Count(count)) => {
                for (labels, it) in series {
                    put_count(&mut place.row(self, labels), place, count, it);
                }
            }
            (ExpectedKpi::Ratio(above, below), Kind::Ratio(ratio)) => {
                for (labels, it) in above {
                    put_side(
                        &mut place.row(self, labels),
                        place.kpi,
                        "_numerator",
                        &ratio.numerator,
                        it,
                    );
                }
                for (labels, it) in below {
                    put_side(
                        &mut place.row(self, labels),
                        place.kpi,
                        "_denominator",
                        &ratio.denominator,
                        it,
                    );
                }
            }
            (ExpectedKpi::Promise(series), Kind::Promise(promise)) => {
                for (labels, it) in series {
                    put_promise(&mut place.row(self, labels), place.kpi, promise, it);
                }
            }
            (ExpectedKpi::Funnel(series), Kind::Funnel(funnel)) => {
                for (labels, it) in series {
                    put_funnel(&mut place.row(self, labels), place.kpi, funnel, it);
                }
            }
            _ => unreachable!("the expectation is of the KPI's kind"),
        }
    }
}

/// A KPI of a task.
struct Place<'a> {
    plan: &'a Plan,
    kpi: &'a Kpi,
    partition: &'a str,
}

impl Place<'_> {
    fn row<'t>(&self, table: &'t mut Table, values: &[String]) -> Row<'t> {
        let names = self.kpi.by.iter().map(|dimension| dimension.name.clone());
        let mut labels: Vec<_> = names.zip(values.iter().cloned()).collect();
        labels.push(("partition".to_owned(), self.partition.to_owned()));
        let prefix = format!("{}_{}", self.plan.namespace, self.kpi.id);
        Row {
            table,
            prefix,
            labels,
        }
    }
}

fn put_input(row: &mut Row<'_>, input: &ExpectedInput) {
    for ((type_name, source), counts) in &input.events {
        for (outcome, count) in ["used", "ignored", "duplicate"].iter().zip(counts) {
            let own = [
                ("type", type_name.as_str()),
                ("source", source),
                ("outcome", outcome),
            ];
            row.put("kept_events_total", &own, count);
        }
    }
    let own = [
        ("type", "unknown"),
        ("source", "unknown"),
        ("outcome", "rejected"),
    ];
    row.put(
        "kept_events_total",
        &own,
        input.rejected.iter().sum::<u64>(),
    );
    for (reason, count) in Reject::ALL.iter().zip(input.rejected) {
        row.put(
            "kept_records_rejected_total",
            &[("reason", reason.as_str())],
            count,
        );
    }
    row.put("kept_events_late_total", &[], input.late);
    for (type_name, count) in &input.too_late {
        row.put("kept_events_too_late_total", &[("type", type_name)], count);
    }
    if let Some(clock) = input.clock {
        row.put("kept_partition_clock_timestamp_seconds", &[], time(clock));
    }
}

fn put_count(row: &mut Row<'_>, place: &Place<'_>, count: &Count, series: &ExpectedCount) {
    row.put("_total", &[], series.total);
    if let Some(sum) = &count.sum {
        let name = format!("{}_{}_total", place.plan.namespace, sum.name);
        for (currency, units) in &series.sums {
            let own = currency.as_deref().map(|currency| [("currency", currency)]);
            let own = own.as_ref().map_or(&[][..], |own| &own[..]);
            row.put_named(name.clone(), own, decimal(*units, 9));
        }
    }
    put_windows(row, place.kpi, "_in_window", &[], &series.in_window);
}

/// A side that sums publishes its sum, one that counts its events.
fn put_side(row: &mut Row<'_>, kpi: &Kpi, side: &str, part: &Part, series: &ExpectedCount) {
    let Part::Own(count) = part else { return };
    match &count.sum {
        Some(sum) => {
            assert_eq!(sum.unit, Unit::Number, "no test sums money in a ratio");
            let units = series.sums.get(&None).copied().unwrap_or(0);
            row.put(&format!("{side}_total"), &[], decimal(units, 9));
        }
        None => {
            row.put(&format!("{side}_total"), &[], series.total);
            put_windows(
                row,
                kpi,
                &format!("{side}_in_window"),
                &[],
                &series.in_window,
            );
        }
    }
}

fn put_windows(row: &mut Row<'_>, kpi: &Kpi, suffix: &str, own: Own<'_>, values: &[u64]) {
    for (window, value) in kpi.windows.iter().zip(values) {
        row.put(
            suffix,
            &[own, &[("window", window.label.as_str())]].concat(),
            value,
        );
    }
}

fn put_promise(row: &mut Row<'_>, kpi: &Kpi, promise: &Promise, series: &ExpectedPromise) {
    let counters = &series.counters;
    for (name, value) in [
        ("started", counters.started),
        ("completed", counters.completed),
        ("judged_too_early", counters.judged_too_early),
        ("cancelled", counters.cancelled),
        ("expired", counters.expired),
        ("ends_without_start", counters.ends_without_start),
        ("repeated", counters.repeated),
        ("negative_durations", counters.negative_durations),
    ] {
        row.put(&format!("_{name}_total"), &[], value);
    }
    row.put("_promises_total", &[("result", "kept")], counters.kept);
    row.put("_promises_total", &[("result", "broken")], counters.broken);
    row.histogram("_duration_seconds", &[], &series.durations, &promise.edges);
    let steps = promise
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .chain(["end"]);
    for ((step, spans), open) in steps.zip(&series.steps).zip(&series.open_at_step) {
        row.histogram("_step_seconds", &[("step", step)], spans, &promise.edges);
        row.put("_open_at_step", &[("step", step)], open);
    }
    row.put("_open", &[], series.open);
    row.put("_overdue", &[], series.overdue);
    row.put("_overdue_unjudged", &[], series.overdue_unjudged);
    if let Some(oldest) = series.oldest_open_start {
        // Open orders are counted by the second they started in; its end is shown.
        let second = EventTime(oldest.0 + (-oldest.0).rem_euclid(1_000_000));
        row.put("_oldest_open_start_timestamp_seconds", &[], time(second));
    }
    for (window, shown) in kpi.windows.iter().zip(&series.windows) {
        let results = [
            ("kept", shown.kept),
            ("broken", shown.broken),
            ("pending", shown.pending),
        ];
        for (result, value) in results {
            let own = [("window", window.label.as_str()), ("result", result)];
            row.put("_promises_in_window", &own, value);
        }
    }
}

fn put_funnel(row: &mut Row<'_>, kpi: &Kpi, funnel: &Funnel, series: &ExpectedFunnel) {
    let stages: Vec<&str> = funnel
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect();
    let last = stages.len() - 1;
    for (index, stage) in stages.iter().enumerate() {
        row.put("_reached_total", &[("stage", stage)], series.reached[index]);
        let (outcome, ended) = match index == last {
            true => ("converted", series.converted),
            false => ("abandoned", series.abandoned[index]),
        };
        row.put(
            "_ended_total",
            &[("outcome", outcome), ("last_stage", stage)],
            ended,
        );
        let in_window: Vec<u64> = series
            .in_window
            .iter()
            .map(|window| window[index])
            .collect();
        put_windows(
            row,
            kpi,
            "_reached_in_window",
            &[("stage", stage)],
            &in_window,
        );
    }
    for (stage, spans) in stages[1..].iter().zip(&series.steps) {
        row.histogram("_step_seconds", &[("stage", stage)], spans, &funnel.edges);
    }
    row.put("_recovered_total", &[], series.recovered);
    row.put("_open", &[], series.open);
    assert!(
        series.value.is_empty(),
        "no test has a funnel with a value here"
    );
}

fn time(time: EventTime) -> f64 {
    time.seconds()
}
