//! Engine's view against the oracle's expectation: both flattened to named whole numbers (zeros left
//! out), so that a difference prints as the name of a series and two values.

use std::collections::BTreeMap;

use catalogue::plan::{Kind, Kpi, Plan, Promise};
use engine::View;
use engine::sketch::{Bucket, RELATIVE_ERROR};
use engine::view::{
    Amount, CountSeries, FunnelSeries, Histogram, InputView, KindView, Labels, PromiseSeries,
    PromiseWindow,
};
use events::{EventTime, Reject, Span};
use simulator::oracle::{
    Expected, ExpectedCount, ExpectedFunnel, ExpectedInput, ExpectedKpi, ExpectedPromise,
    ExpectedWindow, quantile_with_open,
};

/// Named whole numbers; zeros are not kept.
#[derive(Default, PartialEq, Debug)]
struct Flat(BTreeMap<String, i128>);

impl Flat {
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
        self.put(&format!("{name}.sum"), histogram.sum.0);
    }

    fn spans(&mut self, name: &str, spans: &[Span], edges: &[Span]) {
        for span in spans {
            let bucket = edges.iter().filter(|edge| **edge < *span).count();
            self.put(&format!("{name}.bucket{bucket}"), 1);
            self.put(&format!("{name}.sum"), span.0);
        }
    }
}

/// Every exact number that differs, as `name: engine x, oracle y`.
pub fn differences(plan: &Plan, view: &View, expected: &Expected) -> Vec<String> {
    let (mut engine, mut oracle) = (Flat::default(), Flat::default());
    for (index, (seen, wanted)) in view.inputs.iter().zip(&expected.inputs).enumerate() {
        flatten_input(&mut engine, index, seen);
        flatten_expected_input(&mut oracle, index, wanted);
    }
    let group = &plan.groups[view.group];
    for (id, (seen, wanted)) in group.kpis.iter().zip(view.kpis.iter().zip(&expected.kpis)) {
        let kpi = &plan.kpis[usize::from(id.0)];
        flatten_kpi(&mut engine, kpi, &seen.series);
        flatten_expected_kpi(&mut oracle, kpi, wanted);
    }
    for ((id, seen), wanted) in group
        .kpis
        .iter()
        .zip(&view.kpis)
        .zip(&expected.window_dropped)
    {
        let name = format!("{}.window_dropped", plan.kpis[usize::from(id.0)].id);
        engine.put(&name, seen.window_dropped);
        oracle.put(&name, *wanted);
    }
    let names = engine
        .0
        .keys()
        .chain(oracle.0.keys().filter(|name| !engine.0.contains_key(*name)));
    let value = |flat: &Flat, name: &String| flat.0.get(name).copied().unwrap_or(0);
    names
        .filter(|name| value(&engine, name) != value(&oracle, name))
        .map(|name| {
            format!(
                "{name}: engine {}, oracle {}",
                value(&engine, name),
                value(&oracle, name)
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

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];
/// What DESIGN 3.4 allows the percentiles with open orders.
const WITH_OPEN_ERROR: f64 = 0.03;
/// With fewer at risk, single orders decide the higher percentiles.
const ENOUGH_AT_RISK: usize = 400;

/// Percentiles of completed orders that are further from the exact ones than the sketch's bound.
pub fn percentile_differences(view: &View, expected: &Expected) -> Vec<String> {
    let mut differences = Vec::new();
    each_window(view, expected, |name, _, seen, wanted| {
        let shown = seen.completed.quantiles(QUANTILES);
        let exact = plain_quantiles(&wanted.completed);
        let close = match (shown, exact) {
            (None, None) => true,
            (Some(shown), Some(exact)) => shown
                .iter()
                .zip(exact)
                .all(|(shown, exact)| (shown - exact).abs() <= exact * RELATIVE_ERROR + 2e-6),
            _ => false,
        };
        if !close {
            differences.push(format!("{name}: engine {shown:?}, oracle {exact:?}"));
        }
    });
    differences
}

/// Percentiles with open orders that are further from the exact ones than 3 % and two orders'
/// ranks. Only of windows with at least ten panes of history since `begin`: the engine knows when
/// an order left a window to a pane, which in an hour's window is a minute.
pub fn with_open_differences(
    plan: &Plan,
    view: &View,
    expected: &Expected,
    begin: EventTime,
) -> (usize, Vec<String>) {
    let mut compared = 0;
    let mut differences = Vec::new();
    let group = &plan.groups[view.group];
    each_window(view, expected, |name, (kpi, window), seen, wanted| {
        let kpi = &plan.kpis[usize::from(group.kpis[kpi].0)];
        let pane = kpi.windows[window].pane();
        let young = view.display < begin + Span(pane.0 * 10);
        let Some(table) = &seen.with_open else { return };
        if young || wanted.spells.len() < ENOUGH_AT_RISK {
            return;
        }
        compared += 1;
        let shown = table.quantiles(QUANTILES).unwrap_or_default();
        let ranks = 2.0 / wanted.spells.len() as f64;
        let exact = |q: f64| quantile_with_open(&wanted.spells, q).map_or(f64::NAN, Span::seconds);
        for (q, shown) in QUANTILES.into_iter().zip(shown) {
            let least = exact(q - ranks) * (1.0 - WITH_OPEN_ERROR);
            let most = exact((q + ranks).min(1.0)) * (1.0 + WITH_OPEN_ERROR);
            if !(least..=most).contains(&shown) {
                let (count, exact) = (wanted.spells.len(), exact(q));
                differences.push(format!(
                    "{name} with {count} open, q {q}: engine {shown}, oracle {exact}"
                ));
            }
        }
    });
    (compared, differences)
}

/// Every window of every series of every promise, as both have it; (KPI, window) by index.
fn each_window(
    view: &View,
    expected: &Expected,
    mut look: impl FnMut(&str, (usize, usize), &PromiseWindow, &ExpectedWindow),
) {
    for (kpi, (seen, wanted)) in view.kpis.iter().zip(&expected.kpis).enumerate() {
        let (KindView::Promise(seen), ExpectedKpi::Promise(wanted)) = (&seen.series, wanted) else {
            continue;
        };
        for series in seen {
            let labels: Vec<String> = series.labels.iter().map(|it| it.to_string()).collect();
            let Some(wanted) = wanted.get(&labels) else {
                continue;
            };
            for (index, (seen, wanted)) in series.windows.iter().zip(&wanted.windows).enumerate() {
                look(
                    &format!("{labels:?} window {index}"),
                    (kpi, index),
                    seen,
                    wanted,
                );
            }
        }
    }
}

fn plain_quantiles(durations: &[Span]) -> Option<[f64; 4]> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = |q: f64| ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1;
    (!sorted.is_empty()).then(|| QUANTILES.map(|q| sorted[rank(q)].seconds()))
}
