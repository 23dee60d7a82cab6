//! Percentile gauges against the exact ones: those of completed orders within the sketch's stated
//! bound, those with open orders within 3 % and two orders' ranks.

use catalogue::plan::{Kind, Kpi, Plan};
use engine::sketch::RELATIVE_ERROR;
use events::{EventTime, Span};
use simulator::oracle::{Expected, ExpectedKpi, ExpectedWindow, LabelValues, quantile_with_open};
use support::Samples;

const QUANTILES: [&str; 4] = ["0.5", "0.9", "0.95", "0.99"];
const WITH_OPEN_ERROR: f64 = 0.03;
/// With fewer at risk, single orders decide the higher percentiles.
const ENOUGH_AT_RISK: usize = 400;

/// All that one window of one gauge is made of: the orders of all tasks.
#[derive(Default)]
struct Orders {
    window: ExpectedWindow,
}

impl Orders {
    fn add(&mut self, window: &ExpectedWindow) {
        self.window.completed.extend(&window.completed);
        self.window.spells.extend(&window.spells);
    }
}

/// Compares every percentile of every promise; returns how many. `begin`: when the first event was.
pub fn compare(plan: &Plan, samples: &Samples, expected: &[Expected], begin: EventTime) -> usize {
    let mut compared = 0;
    for (place, id) in plan.groups[0].kpis.iter().enumerate() {
        let kpi = &plan.kpis[usize::from(id.0)];
        if !matches!(kpi.kind, Kind::Promise(_)) {
            continue;
        }
        let mut sets: Vec<Option<LabelValues>> = Vec::new();
        for expected in expected {
            let ExpectedKpi::Promise(series) = &expected.kpis[place] else {
                unreachable!("a promise")
            };
            sets.extend(series.keys().cloned().map(Some));
        }
        sets.sort();
        sets.dedup();
        sets.push(None);
        for labels in &sets {
            for index in 0..kpi.windows.len() {
                let mut orders = Orders::default();
                for expected in expected {
                    let ExpectedKpi::Promise(series) = &expected.kpis[place] else {
                        unreachable!("a promise")
                    };
                    let of_set = series
                        .iter()
                        .filter(|(of, _)| labels.as_ref().is_none_or(|labels| labels == *of));
                    of_set.for_each(|(_, it)| orders.add(&it.windows[index]));
                }
                let gauge = Gauge {
                    plan,
                    kpi,
                    labels: labels.as_ref(),
                    window: index,
                    samples,
                };
                compared += gauge.compare(&mut orders.window, begin);
            }
        }
    }
    compared
}

struct Gauge<'a> {
    plan: &'a Plan,
    kpi: &'a Kpi,
    /// `None`: over all label sets.
    labels: Option<&'a LabelValues>,
    window: usize,
    samples: &'a Samples,
}

impl Gauge<'_> {
    fn compare(&self, orders: &mut ExpectedWindow, begin: EventTime) -> usize {
        orders.completed.sort_unstable();
        for q in QUANTILES {
            self.compare_plain(q, &orders.completed);
        }
        let window = &self.kpi.windows[self.window];
        let with_open = window.length <= Span::from_seconds(3600);
        let old = self.display() >= begin + Span(window.pane().0 * 10);
        if !with_open || !old || orders.spells.len() < ENOUGH_AT_RISK {
            return QUANTILES.len();
        }
        for q in QUANTILES {
            self.compare_with_open(q, orders);
        }
        2 * QUANTILES.len()
    }

    fn compare_plain(&self, q: &str, sorted: &[Span]) {
        let shown = self.shown("duration_in_window_seconds", q);
        if sorted.is_empty() {
            assert!(
                shown.is_nan(),
                "{}: {shown}, but there is no order",
                self.name(q)
            );
            return;
        }
        let rank = (number(q) * sorted.len() as f64).ceil() as usize;
        let exact = sorted[rank.clamp(1, sorted.len()) - 1].seconds();
        let bound = exact * RELATIVE_ERROR + 2e-6;
        assert!(
            (shown - exact).abs() <= bound,
            "{}: {shown}, exactly {exact}",
            self.name(q)
        );
    }

    fn compare_with_open(&self, q: &str, orders: &ExpectedWindow) {
        let shown = self.shown("duration_with_open_seconds", q);
        let ranks = 2.0 / orders.spells.len() as f64;
        let exact =
            |q: f64| quantile_with_open(&orders.spells, q.min(1.0)).map_or(f64::NAN, Span::seconds);
        let least = exact(number(q) - ranks) * (1.0 - WITH_OPEN_ERROR);
        let most = exact(number(q) + ranks) * (1.0 + WITH_OPEN_ERROR);
        assert!(
            (least..=most).contains(&shown),
            "{} with open: {shown}, not in {least}..={most}",
            self.name(q)
        );
    }

    fn shown(&self, family: &str, q: &str) -> f64 {
        let all = if self.labels.is_none() { "all_" } else { "" };
        let name = format!("{}_{}_{all}{family}", self.plan.namespace, self.kpi.id);
        let names = self.kpi.by.iter().map(|dimension| dimension.name.as_str());
        let values = self.labels.into_iter().flatten().map(String::as_str);
        let mut labels: Vec<(&str, &str)> = names.zip(values).collect();
        labels.extend([
            ("window", self.kpi.windows[self.window].label.as_str()),
            ("q", q),
        ]);
        let value = self.samples.get(&name, &labels);
        value.unwrap_or_else(|| panic!("there is no {name} with {labels:?}"))
    }

    /// The earliest of the tasks' display times.
    fn display(&self) -> EventTime {
        let shown = self.samples.matching("kept_display_timestamp_seconds", &[]);
        let least = shown
            .map(|(_, seconds)| seconds)
            .fold(f64::INFINITY, f64::min);
        EventTime((least * 1e6) as i64)
    }

    fn name(&self, q: &str) -> String {
        let window = &self.kpi.windows[self.window].label;
        format!("{} {:?} in {window}, q {q}", self.kpi.id, self.labels)
    }
}

fn number(q: &str) -> f64 {
    q.parse().expect("a number")
}
