//! The last published view of every task of this process, for as long as its worker's lease lasts.
//!
//! Workers put views here, renderers take all of them; a view is shared, never copied. When a task
//! moves from one worker to another of this process, only its newest holder can take it down. What
//! a worker shows is not shown any more once its lease is over, whether or not it still runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use engine::View;
use pipeline::port::LeaseTime;

/// See the module.
#[derive(Default, Debug)]
pub struct Board(Mutex<Posts>);

#[derive(Default, Debug)]
struct Posts {
    /// By group and partition: the view and the number of the worker that published it.
    views: BTreeMap<(usize, i32), (usize, Arc<View>)>,
    /// By worker: when its lease ends.
    until: BTreeMap<usize, LeaseTime>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Board {
        Board::default()
    }

    /// Shows each of `views` in place of its task's last one; everything that `worker` shows may
    /// be shown until `until`.
    pub fn publish(&self, worker: usize, views: Vec<Arc<View>>, until: LeaseTime) {
        let mut posts = self.lock();
        posts.until.insert(worker, until);
        for view in views {
            posts
                .views
                .insert((view.group, view.partition), (worker, view));
        }
    }

    /// Takes the task's view down, if `worker` is still the one that shows it.
    pub fn withdraw(&self, worker: usize, group: usize, partition: i32) {
        let mut posts = self.lock();
        if posts
            .views
            .get(&(group, partition))
            .is_some_and(|post| post.0 == worker)
        {
            posts.views.remove(&(group, partition));
        }
    }

    /// Takes down all that `worker` shows.
    pub fn withdraw_all(&self, worker: usize) {
        self.lock().views.retain(|_, post| post.0 != worker);
    }

    /// What may be shown at `now`, by group and partition.
    pub fn views(&self, now: LeaseTime) -> Vec<Arc<View>> {
        let posts = self.lock();
        let lasts = |worker| posts.until.get(worker).is_some_and(|until| now < *until);
        let shown = posts.views.values().filter(|(worker, _)| lasts(worker));
        shown.map(|post| Arc::clone(&post.1)).collect()
    }

    /// The partitions of `group` whose tasks `worker` is the one to show at `now`.
    pub fn shown_by(&self, worker: usize, group: usize, now: LeaseTime) -> Vec<i32> {
        let posts = self.lock();
        if posts.until.get(&worker).is_none_or(|until| now >= *until) {
            return Vec::new();
        }
        let ours = posts.views.iter().filter(|(_, post)| post.0 == worker);
        let ours = ours.filter(|(task, _)| task.0 == group);
        ours.map(|(task, _)| task.1).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Posts> {
        self.0
            .lock()
            .expect("nothing panics while it holds the board")
    }
}

#[cfg(test)]
mod tests {
    use events::EventTime;

    use super::*;

    const UNTIL: LeaseTime = LeaseTime(100);
    const NOW: LeaseTime = LeaseTime(99);

    fn view(partition: i32, display: i64) -> Arc<View> {
        Arc::new(View {
            group: 0,
            partition,
            offsets: Vec::new(),
            display: EventTime(display),
            exact: true,
            inputs: Vec::new(),
            kpis: Vec::new(),
            entries: engine::view::Entries::default(),
        })
    }

    fn partitions(board: &Board, now: LeaseTime) -> Vec<i32> {
        let views = board.views(now);
        views.iter().map(|view| view.partition).collect()
    }

    #[test]
    fn a_task_that_moved_to_another_worker_is_not_taken_down_by_the_first() {
        let board = Board::new();
        board.publish(0, vec![view(3, 1)], UNTIL);
        board.publish(1, vec![view(3, 2)], UNTIL);
        board.withdraw(0, 0, 3);
        let shown: Vec<EventTime> = board.views(NOW).iter().map(|view| view.display).collect();
        assert_eq!(shown, [EventTime(2)]);
        board.withdraw(1, 0, 3);
        assert!(board.views(NOW).is_empty());
    }

    #[test]
    fn a_worker_that_ends_takes_down_all_of_its_own() {
        let board = Board::new();
        board.publish(0, vec![view(1, 1), view(2, 1)], UNTIL);
        board.publish(1, vec![view(3, 1)], UNTIL);
        board.withdraw_all(0);
        assert_eq!(partitions(&board, NOW), [3]);
    }

    #[test]
    fn nothing_is_shown_beyond_its_workers_lease() {
        let board = Board::new();
        board.publish(0, vec![view(1, 1), view(2, 1)], UNTIL);
        board.publish(1, vec![view(3, 1)], LeaseTime(200));
        assert_eq!(partitions(&board, NOW), [1, 2, 3]);
        assert_eq!(partitions(&board, UNTIL), [3]);
        // Renewed without a new view: what was shown is shown again.
        board.publish(0, Vec::new(), LeaseTime(300));
        assert_eq!(partitions(&board, LeaseTime(200)), [1, 2]);
    }
}
