//! When snapshots are saved again: told once, when all that could not be saved are, and nothing has
//! failed for a while. Tasks save one after the other, so after a store was emptied each fails once
//! and is well two seconds later: that is one event, not one for each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline::TaskId;

/// Nothing has failed for so long: longer than the usual time between two snapshots of a task.
const SETTLED: Duration = Duration::from_secs(30);

/// One for all workers of the process. Cloning shares it.
#[derive(Clone, Default)]
pub struct Outage(Arc<Mutex<Failures>>);

#[derive(Default)]
struct Failures {
    /// Their last snapshot was not saved.
    failing: BTreeSet<TaskId>,
    /// Those and the ones that are well by now.
    concerned: BTreeSet<TaskId>,
    last: Option<Instant>,
}

impl Outage {
    /// A snapshot of the task was not saved.
    pub fn failed(&self, task: TaskId, now: Instant) {
        let mut failures = self.0.lock().expect("nothing panics in here");
        failures.failing.insert(task);
        failures.concerned.insert(task);
        failures.last = Some(now);
    }

    /// One was. How many tasks could not be saved, if that is over now for all of them.
    pub fn saved(&self, task: TaskId, now: Instant) -> Option<usize> {
        let mut failures = self.0.lock().expect("nothing panics in here");
        failures.failing.remove(&task);
        let settled = failures.last.is_some_and(|last| now - last >= SETTLED);
        if !settled || !failures.failing.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut *failures).concerned.len())
    }

    /// The task is not this process' any more, and nor is its trouble.
    pub fn gone(&self, task: TaskId) {
        let mut failures = self.0.lock().expect("nothing panics in here");
        failures.failing.remove(&task);
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

    #[test]
    fn the_end_of_an_outage_is_told_once_and_when_it_is_over_for_all() {
        let (outage, start) = (Outage::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(outage.saved(task(0), at(0)), None, "nothing had failed");
        // The folder is emptied: each fails at its own time and is saved two seconds later.
        for second in 1..6 {
            outage.failed(task(second), at(second as u64));
            assert_eq!(outage.saved(task(second), at(second as u64 + 2)), None);
        }
        outage.failed(task(9), at(6));
        assert_eq!(outage.saved(task(1), at(40)), None, "one still fails");
        assert_eq!(outage.saved(task(9), at(41)), Some(6));
        assert_eq!(outage.saved(task(1), at(42)), None);
    }

    #[test]
    fn a_task_that_is_given_away_holds_nothing_up() {
        let (outage, start) = (Outage::default(), Instant::now());
        outage.failed(task(1), start);
        outage.failed(task(2), start);
        outage.gone(task(2));
        assert_eq!(outage.saved(task(1), start + SETTLED), Some(2));
    }
}
