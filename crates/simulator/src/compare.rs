//! Engine's view against the oracle's expectation: both flattened to named whole numbers (zeros left
//! out), so that a difference prints as the name of a series and two values.

mod percentiles;

use std::collections::BTreeMap;

use catalogue::plan::{Kind, Kpi, Plan, Promise};
use engine::View;
use engine::sketch::Bucket;
use engine::view::{
    Amount, CountSeries, FunnelSeries, Histogram, InputView, KindView, Labels, PromiseSeries,
};
use events::{Reject, Span};

pub use percentiles::{percentile_differences, with_open_differences};

use crate::oracle::{
    Expected, ExpectedCount, ExpectedFunnel, ExpectedInput, ExpectedKpi, ExpectedPromise,
};

/// Named whole numbers; zeros are not kept.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Flat(BTreeMap<String, i128>);

impl Flat {
    /// All of them, by name.
    pub fn values(&self) -> &BTreeMap<String, i128> {
        &self.0
    }

    /// Those that only ever grow, by name.
    pub fn counters(&self) -> impl Iterator<Item = (&String, i128)> {
        let counters = self.0.iter().filter(|(name, _)| is_counter(name));
        counters.map(|(name, value)| (name, *value))
    }

    /// With counters that began at zero where `earlier` stands: windows and what is open stay.
    pub fn since(mut self, earlier: &Flat) -> Flat {
        for (name, value) in earlier.counters() {
            self.put(name, -value);
        }
        self.0.retain(|_, value| *value != 0);
        self
    }

    /// The sum of all numbers with such a part in their names.
    pub fn sum_of(&self, part: &str) -> i128 {
        let named = self.0.iter().filter(|(name, _)| name.contains(part));
        named.map(|(_, value)| value).sum()
    }

    /// Records of an input that were gone before anybody had read them.
    pub fn put_gap(&mut self, input: usize, records: u64) {
        self.put(&format!("input{input}.gap"), records);
    }

    fn put(&mut self, name: &str, value: impl Into<i128>) {
        let value = value.into();
        if value != 0 {
            *self.0.entry(name.to_owned()).or_default() += value;
        }
    }

    /// A series that is there even at zero.
    fn put_shown(&mut self, name: &str, value: impl Into<i128>) {
        self.put(&format!("{name}.shown"), 1);
        self.put(name, value);
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram) {
        for (bucket, count) in histogram.counts.iter().enumerate() {
            self.put(&format!("{name}.bucket{bucket}"), *count);
        }
        self.put(&format!("{name}.native.zero"), histogram.native.zero());
        for (bucket, count) in histogram.native.buckets() {
            self.put(&format!("{name}.native{bucket}"), count);
        }
        self.put(&format!("{name}.sum"), histogram.sum.0);
    }

    fn spans(&mut self, name: &str, spans: &[Span], edges: &[Span]) {
        for span in spans {
            let bucket = edges.iter().filter(|edge| **edge < *span).count();
            self.put(&format!("{name}.bucket{bucket}"), 1);
            match span.0 {
                0 => self.put(&format!("{name}.native.zero"), 1),
                // The definition: the first power of 2^(1/128) that is not less.
                _ => {
                    let native = (span.seconds().log2() * 128.0).ceil() as i64;
                    self.put(&format!("{name}.native{native}"), 1);
                }
            }
            self.put(&format!("{name}.sum"), span.0);
        }
    }
}

impl FromIterator<(String, i128)> for Flat {
    fn from_iter<I: IntoIterator<Item = (String, i128)>>(values: I) -> Flat {
        let mut flat = Flat::default();
        values
            .into_iter()
            .for_each(|(name, value)| flat.put(&name, value));
        flat
    }
}

/// Whether the series that a name of `Flat` belongs to only ever grows.
fn is_counter(name: &str) -> bool {
    // Label values may have dots of their own.
    let parts = name.rsplit_once('}').map_or(name, |(_, parts)| parts);
    !parts.split('.').any(|part| {
        let window = part.strip_prefix("window");
        window.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
            || ["clock", "open", "open_at_step", "oldest", "shown"].contains(&part)
            || part.starts_with("overdue")
    })
}

/// The exact numbers of a view.
pub fn flatten(plan: &Plan, view: &View) -> Flat {
    let mut flat = Flat::default();
    for (index, input) in view.inputs.iter().enumerate() {
        flatten_input(&mut flat, index, input);
    }
    for (id, kpi) in plan.groups[view.group].kpis.iter().zip(&view.kpis) {
        let definition = &plan.kpis[usize::from(id.0)];
        flatten_kpi(&mut flat, definition, &kpi.series);
        flat.put(
            &format!("{}.window_dropped", definition.id),
            kpi.window_dropped,
        );
        for (field, number) in &kpi.field_errors {
            flat.put(&format!("{}.field_errors.{field}", definition.id), *number);
        }
    }
    flat
}

/// The same of what the oracle expects of a task of this group.
pub fn flatten_expected(plan: &Plan, group: usize, expected: &Expected) -> Flat {
    let mut flat = Flat::default();
    for (index, input) in expected.inputs.iter().enumerate() {
        flatten_expected_input(&mut flat, index, input);
    }
    let kpis = expected.kpis.iter().zip(&expected.window_dropped);
    let kpis = kpis.zip(&expected.field_errors);
    for (id, ((kpi, dropped), errors)) in plan.groups[group].kpis.iter().zip(kpis) {
        let definition = &plan.kpis[usize::from(id.0)];
        flatten_expected_kpi(&mut flat, definition, kpi);
        flat.put(&format!("{}.window_dropped", definition.id), *dropped);
        for (field, number) in errors {
            let field = &plan.fields[usize::from(field.0)];
            flat.put(&format!("{}.field_errors.{field}", definition.id), *number);
        }
    }
    flat
}

/// Every exact number that differs, as `name: engine x, oracle y`.
pub fn differences(plan: &Plan, view: &View, expected: &Expected) -> Vec<String> {
    flat_differences(
        &flatten(plan, view),
        &flatten_expected(plan, view.group, expected),
    )
}

/// The same of numbers that are flat already.
pub fn flat_differences(engine: &Flat, oracle: &Flat) -> Vec<String> {
    let names = engine
        .0
        .keys()
        .chain(oracle.0.keys().filter(|name| !engine.0.contains_key(*name)));
    let value = |flat: &Flat, name: &String| flat.0.get(name).copied().unwrap_or(0);
    names
        .filter(|name| value(engine, name) != value(oracle, name))
        .map(|name| {
            format!(
                "{name}: engine {}, oracle {}",
                value(engine, name),
                value(oracle, name)
            )
        })
        .collect()
}

fn flatten_input(flat: &mut Flat, index: usize, input: &InputView) {
    let name = format!("input{index}");
    flat.put(
        &format!("{name}.clock"),
        input.clock.map_or(0, |clock| clock.0),
    );
    for counts in &input.events {
        let of = format!("{name}.events.{}.{}", counts.type_name, counts.source);
        flat.put(&format!("{of}.used"), counts.used);
        flat.put(&format!("{of}.ignored"), counts.ignored);
        flat.put(&format!("{of}.duplicate"), counts.duplicate);
    }
    for (reject, count) in Reject::ALL.iter().zip(input.rejected) {
        flat.put(&format!("{name}.rejected.{}", reject.as_str()), count);
    }
    flat.put(&format!("{name}.late"), input.late);
    flat.put_gap(index, input.gap);
    for (type_name, count) in &input.too_late {
        flat.put_shown(&format!("{name}.too_late.{type_name}"), *count);
    }
}

fn flatten_expected_input(flat: &mut Flat, index: usize, input: &ExpectedInput) {
    let name = format!("input{index}");
    flat.put(
        &format!("{name}.clock"),
        input.clock.map_or(0, |clock| clock.0),
    );
    for ((type_name, source), [used, ignored, duplicate]) in &input.events {
        let of = format!("{name}.events.{type_name}.{source}");
        flat.put(&format!("{of}.used"), *used);
        flat.put(&format!("{of}.ignored"), *ignored);
        flat.put(&format!("{of}.duplicate"), *duplicate);
    }
    for (reject, count) in Reject::ALL.iter().zip(input.rejected) {
        flat.put(&format!("{name}.rejected.{}", reject.as_str()), count);
    }
    flat.put(&format!("{name}.late"), input.late);
    for (type_name, count) in &input.too_late {
        flat.put_shown(&format!("{name}.too_late.{type_name}"), *count);
    }
}

fn flatten_kpi(flat: &mut Flat, kpi: &Kpi, series: &KindView) {
    let name = |labels: &Labels, side: &str| {
        let values: Vec<&str> = labels.iter().map(|value| &**value).collect();
        format!("{}{side}{{{}}}", kpi.id, values.join(","))
    };
    match series {
        KindView::Count(series) => {
            series
                .iter()
                .for_each(|it| flatten_count(flat, &name(&it.labels, ""), it));
        }
        KindView::Ratio(numerator, denominator) => {
            for (side, series) in [(".numerator", numerator), (".denominator", denominator)] {
                series
                    .iter()
                    .for_each(|it| flatten_count(flat, &name(&it.labels, side), it));
            }
        }
        KindView::Promise(series) => {
            series
                .iter()
                .for_each(|it| flatten_promise(flat, &name(&it.labels, ""), it));
        }
        KindView::Funnel(series) => {
            series
                .iter()
                .for_each(|it| flatten_funnel(flat, &name(&it.labels, ""), it));
        }
    }
}

fn flatten_expected_kpi(flat: &mut Flat, kpi: &Kpi, expected: &ExpectedKpi) {
    let name = |labels: &[String], side: &str| format!("{}{side}{{{}}}", kpi.id, labels.join(","));
    match (expected, &kpi.kind) {
        (ExpectedKpi::Count(series), _) => {
            for (labels, it) in series {
                flatten_expected_count(flat, &name(labels, ""), it);
            }
        }
        (ExpectedKpi::Ratio(numerator, denominator), _) => {
            for (side, series) in [(".numerator", numerator), (".denominator", denominator)] {
                for (labels, it) in series {
                    flatten_expected_count(flat, &name(labels, side), it);
                }
            }
        }
        (ExpectedKpi::Promise(series), Kind::Promise(promise)) => {
            for (labels, it) in series {
                flatten_expected_promise(flat, &name(labels, ""), it, promise);
            }
        }
        (ExpectedKpi::Funnel(series), Kind::Funnel(funnel)) => {
            for (labels, it) in series {
                flatten_expected_funnel(flat, &name(labels, ""), it, &funnel.edges);
            }
        }
        _ => unreachable!("the expectation is of the KPI's kind"),
    }
}

fn flatten_count(flat: &mut Flat, name: &str, series: &CountSeries) {
    flat.put(&format!("{name}.total"), series.total);
    for amount in &series.sums {
        put_amount(flat, name, amount);
    }
    put_list(flat, &format!("{name}.window"), &series.in_window);
}

fn flatten_expected_count(flat: &mut Flat, name: &str, series: &ExpectedCount) {
    flat.put(&format!("{name}.total"), series.total);
    for (currency, units) in &series.sums {
        flat.put_shown(
            &format!("{name}.sum.{}", currency.as_deref().unwrap_or("")),
            *units,
        );
    }
    put_list(flat, &format!("{name}.window"), &series.in_window);
}

/// Amounts are compared in units of 10^-9.
fn put_amount(flat: &mut Flat, name: &str, amount: &Amount) {
    let units = amount.units * 10i128.pow(9 - u32::from(amount.decimals));
    flat.put_shown(
        &format!("{name}.sum.{}", amount.currency.unwrap_or("")),
        units,
    );
}

fn put_list(flat: &mut Flat, name: &str, values: &[u64]) {
    for (index, value) in values.iter().enumerate() {
        flat.put(&format!("{name}.{index}"), *value);
    }
}

fn put_counters(flat: &mut Flat, name: &str, counters: &engine::view::PromiseCounters) {
    for (counter, value) in [
        ("started", counters.started),
        ("completed", counters.completed),
        ("kept", counters.kept),
        ("broken", counters.broken),
        ("judged_too_early", counters.judged_too_early),
        ("cancelled", counters.cancelled),
        ("expired", counters.expired),
        ("ends_without_start", counters.ends_without_start),
        ("repeated", counters.repeated),
        ("negative_durations", counters.negative_durations),
    ] {
        flat.put(&format!("{name}.{counter}"), value);
    }
}

fn flatten_promise(flat: &mut Flat, name: &str, series: &PromiseSeries) {
    put_counters(flat, name, &series.counters);
    flat.histogram(&format!("{name}.duration"), &series.duration);
    for (leg, histogram) in series.steps.iter().enumerate() {
        flat.histogram(&format!("{name}.step{leg}"), histogram);
    }
    put_list(flat, &format!("{name}.open_at_step"), &series.open_at_step);
    flat.put(&format!("{name}.open"), series.open);
    flat.put(&format!("{name}.overdue"), series.overdue);
    flat.put(&format!("{name}.overdue_unjudged"), series.overdue_unjudged);
    flat.put(
        &format!("{name}.oldest"),
        series.oldest_open_start.map_or(0, |start| start.0),
    );
    for (index, window) in series.windows.iter().enumerate() {
        let name = format!("{name}.window{index}");
        flat.put(&format!("{name}.kept"), window.kept);
        flat.put(&format!("{name}.broken"), window.broken);
        flat.put(&format!("{name}.pending"), window.pending);
        for (bucket, count) in window.completed.buckets() {
            flat.put(&format!("{name}.completed.{}", bucket.0), *count);
        }
    }
}

fn flatten_expected_promise(
    flat: &mut Flat,
    name: &str,
    series: &ExpectedPromise,
    promise: &Promise,
) {
    put_counters(flat, name, &series.counters);
    flat.spans(
        &format!("{name}.duration"),
        &series.durations,
        &promise.edges,
    );
    for (leg, spans) in series.steps.iter().enumerate() {
        flat.spans(&format!("{name}.step{leg}"), spans, &promise.edges);
    }
    put_list(flat, &format!("{name}.open_at_step"), &series.open_at_step);
    flat.put(&format!("{name}.open"), series.open);
    flat.put(&format!("{name}.overdue"), series.overdue);
    flat.put(&format!("{name}.overdue_unjudged"), series.overdue_unjudged);
    // The engine counts open orders by the second they started in, and shows its end.
    let oldest = series.oldest_open_start.map_or(0, |start| start.0);
    flat.put(
        &format!("{name}.oldest"),
        oldest + (-oldest).rem_euclid(1_000_000),
    );
    for (index, window) in series.windows.iter().enumerate() {
        let name = format!("{name}.window{index}");
        flat.put(&format!("{name}.kept"), window.kept);
        flat.put(&format!("{name}.broken"), window.broken);
        flat.put(&format!("{name}.pending"), window.pending);
        for span in &window.completed {
            flat.put(&format!("{name}.completed.{}", Bucket::of(*span).0), 1);
        }
    }
}

fn flatten_funnel(flat: &mut Flat, name: &str, series: &FunnelSeries) {
    put_list(flat, &format!("{name}.reached"), &series.reached);
    put_list(flat, &format!("{name}.abandoned"), &series.abandoned);
    flat.put(&format!("{name}.converted"), series.converted);
    flat.put(&format!("{name}.recovered"), series.recovered);
    flat.put(&format!("{name}.open"), series.open);
    for (step, histogram) in series.steps.iter().enumerate() {
        flat.histogram(&format!("{name}.step{step}"), histogram);
    }
    for amount in &series.value {
        put_amount(flat, name, amount);
    }
    for (window, stages) in series.in_window.iter().enumerate() {
        put_list(flat, &format!("{name}.window{window}"), stages);
    }
}

fn flatten_expected_funnel(flat: &mut Flat, name: &str, series: &ExpectedFunnel, edges: &[Span]) {
    put_list(flat, &format!("{name}.reached"), &series.reached);
    put_list(flat, &format!("{name}.abandoned"), &series.abandoned);
    flat.put(&format!("{name}.converted"), series.converted);
    flat.put(&format!("{name}.recovered"), series.recovered);
    flat.put(&format!("{name}.open"), series.open);
    for (step, spans) in series.steps.iter().enumerate() {
        flat.spans(&format!("{name}.step{step}"), spans, edges);
    }
    for (currency, units) in &series.value {
        flat.put_shown(&format!("{name}.sum.{currency}"), *units);
    }
    for (window, stages) in series.in_window.iter().enumerate() {
        put_list(flat, &format!("{name}.window{window}"), stages);
    }
}
