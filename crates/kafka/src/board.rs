//! The last published view of every task of this process.
//!
//! Workers put views here, renderers take all of them; a view is shared, never copied. When a task
//! moves from one worker to another of this process, only its newest holder can take it down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use engine::View;

/// A view and the number of the worker that published it.
type Post = (usize, Arc<View>);

/// See the module.
#[derive(Default, Debug)]
pub struct Board {
    posts: Mutex<BTreeMap<(usize, i32), Post>>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Board {
        Board::default()
    }

    /// Shows `view` in place of its task's last one.
    pub fn publish(&self, worker: usize, view: Arc<View>) {
        self.lock()
            .insert((view.group, view.partition), (worker, view));
    }

    /// Takes the task's view down, if `worker` is still the one that shows it.
    pub fn withdraw(&self, worker: usize, group: usize, partition: i32) {
        let mut posts = self.lock();
        if posts
            .get(&(group, partition))
            .is_some_and(|post| post.0 == worker)
        {
            posts.remove(&(group, partition));
        }
    }

    /// Takes down all that `worker` shows.
    pub fn withdraw_all(&self, worker: usize) {
        self.lock().retain(|_, post| post.0 != worker);
    }

    /// What is shown, by group and partition.
    pub fn views(&self) -> Vec<Arc<View>> {
        self.lock()
            .values()
            .map(|post| Arc::clone(&post.1))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(usize, i32), Post>> {
        self.posts
            .lock()
            .expect("nothing panics while it holds the board")
    }
}

#[cfg(test)]
mod tests {
    use events::EventTime;

    use super::*;

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

    #[test]
    fn a_task_that_moved_to_another_worker_is_not_taken_down_by_the_first() {
        let board = Board::new();
        board.publish(0, view(3, 1));
        board.publish(1, view(3, 2));
        board.withdraw(0, 0, 3);
        let shown: Vec<EventTime> = board.views().iter().map(|view| view.display).collect();
        assert_eq!(shown, [EventTime(2)]);
        board.withdraw(1, 0, 3);
        assert!(board.views().is_empty());
    }

    #[test]
    fn a_worker_that_ends_takes_down_all_of_its_own() {
        let board = Board::new();
        board.publish(0, view(1, 1));
        board.publish(0, view(2, 1));
        board.publish(1, view(3, 1));
        board.withdraw_all(0);
        let shown: Vec<i32> = board.views().iter().map(|view| view.partition).collect();
        assert_eq!(shown, [3]);
    }
}
