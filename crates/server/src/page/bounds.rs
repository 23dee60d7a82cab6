//! Which percentiles with open orders are lower bounds: too few orders completed to reach them.
//!
//! A sample of `/metrics` can't say that of itself, so it is read off the same views' life tables,
//! merged as the exposition does: over all label sets and tasks. Only what is not reached is held.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalogue::Plan;
use engine::View;
use engine::survival::Survival;
use engine::view::KindView;

/// The percentiles that the page shows: the label `q`, and the quantile that it is.
const QUANTILES: [(&str, f64); 2] = [("0.5", 0.5), ("0.95", 0.95)];

/// Places of a KPI and of a window, with a `q`, that show a lower bound.
#[derive(Clone, Default, Debug)]
pub struct Bounds(BTreeSet<(usize, usize, &'static str)>);

impl Bounds {
    /// Of what these views show.
    pub fn of(plan: &Plan, views: &[Arc<View>]) -> Bounds {
        let mut bounds = Bounds::default();
        for (group, kpis) in plan.groups.iter().map(|group| &group.kpis).enumerate() {
            let views: Vec<&Arc<View>> = views.iter().filter(|view| view.group == group).collect();
            for (place, id) in kpis.iter().enumerate() {
                let at = usize::from(id.0);
                for window in 0..plan.kpis[at].windows.len() {
                    let kinds = views.iter().map(|view| &view.kpis[place].series);
                    bounds.look(at, window, &merged(kinds, window));
                }
            }
        }
        bounds
    }

    /// Notes what this table of a KPI's window doesn't reach.
    pub fn look(&mut self, at: usize, window: usize, table: &Survival) {
        let beyond = QUANTILES.iter().filter(|one| !table.reaches(one.1));
        self.0.extend(beyond.map(|one| (at, window, one.0)));
    }

    /// Whether it is a lower bound: the KPI's place in the plan, the window's in the KPI.
    pub fn has(&self, at: usize, window: usize, q: &str) -> bool {
        self.0.iter().any(|one| *one == (at, window, q))
    }
}

/// A window's life table over all label sets; empty for what has none.
fn merged<'a>(kinds: impl Iterator<Item = &'a KindView>, window: usize) -> Survival {
    let mut all = Survival::default();
    for kind in kinds {
        if let KindView::Promise(series) = kind {
            let tables = series.iter().map(|series| &series.windows[window]);
            let tables = tables.filter_map(|window| window.with_open.as_deref());
            tables.for_each(|table| all.append(table));
        }
    }
    all.fold();
    all
}
