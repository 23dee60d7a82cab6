//! The life table of one window of one label set (`crate::survival`), kept from view to view.
//!
//! It is the sum of three: orders that ended within the window, orders that were open at its end
//! and ended since, and open orders. The first is large and hardly ever changes while the window
//! stays; the second is a few panes; the third follows each order that comes or goes. All are
//! counts, so the sum is the same whenever it is made: ends and starts are taken at the middle of
//! their pane or second.

use std::sync::Arc;

use events::{EventTime, Span};

use super::SeriesWindow;
use crate::promise::open::{Bounds, OpenOrders};
use crate::survival::Survival;

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Life {
    within: Survival,
    open: Survival,
    /// The sum, unless an order ended since.
    sum: Option<Arc<Survival>>,
}

impl Life {
    /// An order ended after the window.
    pub fn touch(&mut self) {
        self.sum = None;
    }

    /// Takes in what came and went since the last view of this window.
    pub fn follow(&mut self, open: &OpenOrders, bounds: Bounds) {
        match open.changes() {
            Some(changes) => {
                for change in changes {
                    if bounds.follow(&mut self.open, *change) {
                        self.sum = None;
                    }
                }
            }
            None => {
                self.open = open.life_table(bounds);
                self.sum = None;
            }
        }
    }
}

impl SeriesWindow {
    /// The parts for the window that ends at `display`, floored to a pane.
    pub(super) fn life(&self, open: &OpenOrders, display: EventTime) -> Life {
        let bounds = self.bounds(display);
        let mut within = Survival::default();
        let entry = |start: EventTime| bounds.ages(start).0;
        for (number, pane) in self.completed.window(display) {
            for (bucket, count) in pane.buckets() {
                let took = bucket.middle();
                let entry = entry(self.middle(number) - took).min(took);
                within.add_completed(entry, took, u64::from(*count));
            }
        }
        for (number, pane) in self.left.window(display) {
            for (bucket, count) in pane.buckets() {
                let age = bucket.middle();
                let entry = entry(self.middle(number) - age).min(age);
                within.add_left(entry, age, u64::from(*count));
            }
        }
        within.fold();
        Life {
            within,
            open: open.life_table(bounds),
            sum: None,
        }
    }

    /// The whole table of the window that is shown; `None` where windows of this length have none.
    pub(super) fn life_table(&mut self, display: EventTime) -> Option<Arc<Survival>> {
        let life = self.shown.as_ref()?.life.as_ref()?;
        let sum = match &life.sum {
            Some(sum) => Arc::clone(sum),
            None => {
                let mut table = life.within.clone();
                table.append(&life.open);
                self.add_ended_after(&mut table, display);
                table.fold();
                Arc::new(table)
            }
        };
        let life = self.shown.as_mut()?.life.as_mut()?;
        life.sum = Some(Arc::clone(&sum));
        Some(sum)
    }

    /// Those that started before the window's end and ended after it.
    fn add_ended_after(&self, table: &mut Survival, display: EventTime) {
        let bounds = self.bounds(display);
        let (completed, left) = (self.completed.after(display), self.left.after(display));
        for (number, pane) in completed.chain(left) {
            for (bucket, count) in pane.buckets() {
                let start = self.middle(number) - bucket.middle();
                if start < bounds.end {
                    let (entry, exit) = bounds.ages(start);
                    table.add_left(entry, exit, u64::from(*count));
                }
            }
        }
    }

    /// The window that ends at `display`, floored to a pane.
    pub(super) fn bounds(&self, display: EventTime) -> Bounds {
        let length = self.completed.length();
        let end = EventTime(self.completed.floor(display) * length.0);
        let begin = end - Span(length.0 * 60);
        Bounds { begin, end }
    }

    fn middle(&self, pane: i64) -> EventTime {
        let length = self.completed.length();
        EventTime(pane * length.0 + length.0 / 2)
    }
}
