//! The one line that the demo shows: the fulfilment promise over all label sets and partitions.

use std::fmt;
use std::sync::Arc;

use catalogue::Plan;
use engine::View;
use engine::sketch::Sketch;
use engine::survival::Survival;
use engine::view::KindView;

/// The KPI that the demo is about.
pub const KPI: &str = "fulfilment";

/// Its numbers, those of windows over the shortest window.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Summary {
    /// Orders so far.
    pub started: u64,
    /// Orders open now.
    pub open: u64,
    /// Open longer than promised.
    pub overdue: u64,
    /// The share of kept promises among those judged, of the window's orders.
    pub kept_ratio: Option<f64>,
    /// The 95th percentile of the window's completed orders, in seconds.
    pub plain_p95: Option<f64>,
    /// The same with open orders in it.
    pub with_open_p95: Option<f64>,
}

impl Summary {
    /// Of these views, which come from `plan`.
    pub fn of(plan: &Plan, views: &[Arc<View>]) -> Summary {
        let mut summary = Summary::default();
        let (mut plain, mut with_open) = (Sketch::default(), Survival::default());
        let (mut kept, mut broken) = (0, 0);
        for view in views {
            let kpis = plan.groups[view.group].kpis.iter().zip(&view.kpis);
            for (id, kpi) in kpis {
                let KindView::Promise(series) = &kpi.series else {
                    continue;
                };
                if plan.kpis[usize::from(id.0)].id != KPI {
                    continue;
                }
                for one in series {
                    summary.started += one.counters.started;
                    summary.open += one.open;
                    summary.overdue += one.overdue;
                    let window = &one.windows[0];
                    kept += window.kept;
                    broken += window.broken;
                    plain.merge(&window.completed);
                    if let Some(table) = &window.with_open {
                        with_open.merge(table);
                    }
                }
            }
        }
        summary.kept_ratio = (kept + broken > 0).then(|| kept as f64 / (kept + broken) as f64);
        summary.plain_p95 = plain.quantiles([0.95]).map(|[p95]| p95);
        summary.with_open_p95 = with_open.quantiles([0.95]).map(|[p95]| p95);
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.0} s"));
        let kept = self.kept_ratio;
        let kept = kept.map_or("-".into(), |ratio| format!("{:.1} %", ratio * 100.0));
        write!(
            f,
            "p95 {:>5} | p95 with open {:>5} | kept {kept:>7} | overdue {:>4} | open {:>4} | orders {:>6}",
            seconds(self.plain_p95),
            seconds(self.with_open_p95),
            self.overdue,
            self.open,
            self.started,
        )
    }
}
