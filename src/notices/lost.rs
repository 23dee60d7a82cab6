//! Totals that began at zero: how often, and of which tasks when. For want of a state, or because a
//! topic was deleted and made again.
//!
//! A loss is one however often the task is begun before it is shown: rebalances on the way don't
//! count. The time is what alerts read: it is one series a task, so that tasks can be counted, and
//! being a time it says the same to a Prometheus that has missed the moment itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use pipeline::TaskId;
use prometheus::{GaugeVec, IntCounter, Opts, Registry};

use crate::clock;

/// One for all workers of the process. Cloning shares it.
#[derive(Clone)]
pub struct LostTotals {
    count: IntCounter,
    last: GaugeVec,
    /// Begun at zero and not shown since.
    unseen: Arc<Mutex<BTreeSet<TaskId>>>,
}

impl LostTotals {
    /// Registers both metrics; fails if a name is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<LostTotals> {
        let count = IntCounter::new(
            "kept_state_lost_total",
            "How often totals of a task began at zero since this process began",
        )?;
        let last = GaugeVec::new(
            Opts::new(
                "kept_state_lost_timestamp_seconds",
                "When this process last began the totals of a task at zero; absent if it never did",
            ),
            &["topic", "partition"],
        )?;
        registry.register(Box::new(count.clone()))?;
        registry.register(Box::new(last.clone()))?;
        Ok(LostTotals {
            count,
            last,
            unseen: Arc::default(),
        })
    }

    /// The totals of a task begin at zero; `topic`: its first one.
    pub fn lost(&self, task: TaskId, topic: &str) {
        let mut unseen = self.unseen.lock().expect("nothing panics in here");
        if unseen.insert(task) {
            self.count.inc();
        }
        let labels = [topic, &task.partition.to_string()];
        let now = clock::now().as_event_time().seconds();
        self.last.with_label_values(&labels).set(now);
    }

    /// The task is shown: if its totals begin at zero after this, they are lost once more.
    pub fn shown(&self, task: TaskId) {
        let mut unseen = self.unseen.lock().expect("nothing panics in here");
        unseen.remove(&task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(partition: i32) -> TaskId {
        TaskId {
            group: 0,
            partition,
        }
    }

    /// Tasks with a time, and whether each of these is about now.
    fn times(registry: &Registry) -> (usize, bool) {
        let families = registry.gather();
        let name = "kept_state_lost_timestamp_seconds";
        let family = families.iter().find(|family| family.name() == name);
        let Some(family) = family else {
            return (0, true);
        };
        let now = clock::now().as_event_time().seconds();
        let mut values = family
            .get_metric()
            .iter()
            .map(|it| it.get_gauge().get_value());
        let is_recent = values.all(|at| (now - 600.0..=now).contains(&at));
        (family.get_metric().len(), is_recent)
    }

    #[test]
    fn a_loss_is_one_until_the_task_is_shown_and_each_task_has_its_time() {
        let registry = Registry::new();
        let lost = LostTotals::register(&registry).expect("an empty registry");
        assert_eq!((lost.count.get(), times(&registry).0), (0, 0));
        lost.lost(task(3), "shop.events");
        lost.lost(task(3), "shop.events");
        assert_eq!((lost.count.get(), times(&registry)), (1, (1, true)));
        lost.lost(task(4), "shop.events");
        assert_eq!((lost.count.get(), times(&registry)), (2, (2, true)));
        lost.shown(task(3));
        lost.lost(task(4), "shop.events");
        assert_eq!(lost.count.get(), 2);
        lost.lost(task(3), "shop.events");
        assert_eq!((lost.count.get(), times(&registry)), (3, (2, true)));
    }
}
