//! Orders by what comes next for them: nearly sorted already, so a line with a heap for the rest.
//!
//! Deadlines and horizons of one promise ascend as its starts do, but for starts out of order. What
//! arrives in order is appended to the line; taking from it is a step, not a sift.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use events::EventTime;

use super::orders::Place;

/// When an order is due, its place, and the generation of the place that is meant.
pub type Due = (EventTime, Place, u32);

/// See the file's header.
#[derive(Clone, Default, Debug)]
pub struct DueQueue {
    line: VecDeque<Due>,
    rest: BinaryHeap<Reverse<Due>>,
}

impl DueQueue {
    /// Adds an order.
    pub fn push(&mut self, due: Due) {
        if self.line.back().is_none_or(|last| last.0 <= due.0) {
            self.line.push_back(due);
        } else {
            self.rest.push(Reverse(due));
        }
    }

    /// Takes the first order that is due at this clock.
    pub fn pop(&mut self, clock: EventTime) -> Option<Due> {
        let next = self.line.front().copied();
        let other = self.rest.peek().map(|due| due.0);
        let (first, from_line) = match (next, other) {
            (Some(next), Some(other)) if other.0 < next.0 => (other, false),
            (Some(next), _) => (next, true),
            (None, Some(other)) => (other, false),
            (None, None) => return None,
        };
        if first.0 > clock {
            return None;
        }
        if from_line {
            self.line.pop_front();
        } else {
            self.rest.pop();
        }
        Some(first)
    }

    /// How many there are, void ones included.
    pub fn len(&self) -> usize {
        self.line.len() + self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_out_by_time_whatever_the_order_it_came_in() {
        let mut queue = DueQueue::default();
        for seconds in [5, 9, 3, 12, 4, 4] {
            queue.push((EventTime(seconds), 0, 0));
        }
        let due = |queue: &mut DueQueue, clock| {
            std::iter::from_fn(|| queue.pop(EventTime(clock)))
                .map(|due| due.0.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(due(&mut queue, 8), [3, 4, 4, 5]);
        assert_eq!((due(&mut queue, 12), queue.len()), (vec![9, 12], 0));
    }
}
