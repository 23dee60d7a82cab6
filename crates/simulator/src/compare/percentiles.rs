//! Percentiles of a view against the oracle's exact ones: within the sketch's bound, and with open
//! orders within what DESIGN 3.4 allows.

use catalogue::plan::Plan;
use engine::View;
use engine::sketch::RELATIVE_ERROR;
use engine::view::{KindView, PromiseWindow};
use events::{EventTime, Span};

use crate::oracle::{Expected, ExpectedKpi, ExpectedWindow, quantile_with_open};

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
