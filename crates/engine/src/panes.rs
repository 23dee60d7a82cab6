//! A window's short aligned slices of event time.
//!
//! Pane i of length p covers (i p, (i + 1) p]. A window (T - w, T] is read as the sixty panes that
//! end at T floored to a pane. What may still be added and what is still remembered depends on the
//! clock of one partition only, so both are functions of offsets:
//! - a contribution counts if its own record's k is not past the pane's end + the KPI's longest
//!   window + lateness, else it is dropped;
//! - a block of panes is remembered until the clock passes its end + the window + lateness +
//!   `SLACK`: nobody reads it later. The slack keeps windows whole while another topic of the same
//!   task is up to that far behind. Blocks come and go as a whole because snapshots store them so.

mod saved;

use std::collections::VecDeque;

use events::{EventTime, Span};

use crate::encode::Encoder;

/// How much longer a pane is remembered than it accepts contributions. At least twice the five
/// minutes that one topic of a task may be drained ahead of another.
const SLACK: Span = Span::from_seconds(600);

/// So many panes, aligned, are remembered, forgotten and stored together.
const BLOCK: i64 = 8;

/// How long panes of a KPI accept contributions and are read.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The KPI's longest window.
    pub longest: Span,
    /// The lateness of what it reads.
    pub lateness: Span,
}

pub use saved::{Clocks, SavedPanes, Windowed};

/// The panes of one window of one series, ascending, without empty ones.
#[derive(Clone, Debug)]
pub struct Panes<T> {
    length: Span,
    panes: VecDeque<(i64, T)>,
}

/// What becomes of a contribution.
#[derive(Debug)]
pub enum Contribution<'a, T> {
    /// Its record came too late for the pane: dropped, and to be counted.
    TooLate,
    /// The pane is not remembered any more: nobody will read it.
    Forgotten,
    /// Here it goes.
    Pane(&'a mut T),
}

/// The number of the pane of length `length` that `time` lies in.
pub fn pane_of(time: EventTime, length: Span) -> i64 {
    (time.0 - 1).div_euclid(length.0)
}

impl<T: Default> Panes<T> {
    /// No panes yet.
    pub fn new(length: Span) -> Panes<T> {
        Panes {
            length,
            panes: VecDeque::new(),
        }
    }

    /// Whether a record that saw its partition at `k` may still contribute to the pane of `time`.
    pub fn accepts(&self, time: EventTime, k: EventTime, reach: Reach) -> bool {
        k <= self.end(self.number(time)) + reach.longest + reach.lateness
    }

    /// The pane of `time` for a record that saw its partition at `k`, if it is in time for it and
    /// the pane is not forgotten at `clock`, where that partition stands now.
    pub fn contribute(
        &mut self,
        time: EventTime,
        k: EventTime,
        clock: EventTime,
        reach: Reach,
    ) -> Contribution<'_, T> {
        let number = self.number(time);
        let end = self.end(number);
        if k > end + reach.longest + reach.lateness {
            Contribution::TooLate
        } else if !self.is_remembered(number, clock, reach) {
            Contribution::Forgotten
        } else {
            Contribution::Pane(self.pane(number))
        }
    }

    /// The pane of `time`, unless it is forgotten at this clock.
    pub fn at(&mut self, time: EventTime, clock: EventTime, reach: Reach) -> Option<&mut T> {
        let number = self.number(time);
        let remembered = self.is_remembered(number, clock, reach);
        remembered.then(|| self.pane(number))
    }

    /// Lets go of what is forgotten at this clock.
    pub fn forget(&mut self, clock: EventTime, reach: Reach) {
        let first = self.first_remembered(clock, reach);
        while self.panes.front().is_some_and(|pane| pane.0 < first) {
            self.panes.pop_front();
        }
    }

    /// The panes of the window that ends at `display`, floored to a pane.
    pub fn window(&self, display: EventTime) -> impl Iterator<Item = (i64, &T)> {
        let end = self.floor(display);
        self.range(end - 60, end)
    }

    /// The panes after `display`, floored to a pane.
    pub fn after(&self, display: EventTime) -> impl Iterator<Item = (i64, &T)> {
        self.range(self.floor(display), i64::MAX)
    }

    /// The number of the first pane after `display`: it changes when the window slides.
    pub fn floor(&self, display: EventTime) -> i64 {
        display.0.div_euclid(self.length.0)
    }

    /// The number of the pane of `time`: without a division where it is the newest one.
    fn number(&self, time: EventTime) -> i64 {
        if let Some((newest, _)) = self.panes.back() {
            let since = time.0 - newest * self.length.0;
            if since > 0 && since <= self.length.0 {
                return *newest;
            }
        }
        pane_of(time, self.length)
    }

    /// The pane with this number, made if it isn't there.
    fn pane(&mut self, number: i64) -> &mut T {
        let newest = self.panes.back().map_or(i64::MIN, |pane| pane.0);
        let position = if newest == number {
            self.panes.len() - 1
        } else if newest < number {
            self.panes.push_back((number, T::default()));
            self.panes.len() - 1
        } else {
            match self.panes.binary_search_by_key(&number, |pane| pane.0) {
                Ok(position) => position,
                Err(position) => {
                    self.panes.insert(position, (number, T::default()));
                    position
                }
            }
        };
        &mut self.panes[position].1
    }

    /// The end of a pane.
    pub fn end(&self, number: i64) -> EventTime {
        EventTime(number.saturating_add(1).saturating_mul(self.length.0))
    }

    /// Writes the panes that are remembered at this clock.
    pub fn encode(
        &self,
        clock: EventTime,
        reach: Reach,
        out: &mut Encoder,
        mut each: impl FnMut(&T, &mut Encoder),
    ) {
        let first = self.first_remembered(clock, reach);
        let remembered = self.panes.iter().filter(|pane| pane.0 >= first);
        out.length(remembered.clone().count());
        for (number, pane) in remembered {
            out.signed(*number);
            each(pane, out);
        }
    }

    /// The length of a pane.
    pub fn length(&self) -> Span {
        self.length
    }

    /// An estimate of the bytes of all panes; `heap` is what one has outside of itself.
    pub fn bytes(&self, heap: usize) -> usize {
        self.panes.capacity() * size_of::<(i64, T)>() + self.panes.len() * heap
    }

    fn range(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &T)> {
        let first = self.panes.partition_point(|pane| pane.0 < from);
        self.panes
            .range(first..)
            .take_while(move |pane| pane.0 < to)
            .map(|pane| (pane.0, &pane.1))
    }

    /// How long after its end a pane is remembered: sixty panes are this window's length.
    fn remembered_for(&self, reach: Reach) -> Span {
        Span(self.length.0 * 60) + reach.lateness + SLACK
    }

    fn is_remembered(&self, number: i64, clock: EventTime, reach: Reach) -> bool {
        let last_of_block = number | (BLOCK - 1);
        clock <= self.end(last_of_block) + self.remembered_for(reach)
    }

    /// The first pane that is still remembered at this clock: the first one of a block.
    fn first_remembered(&self, clock: EventTime, reach: Reach) -> i64 {
        let oldest_end = clock - self.remembered_for(reach);
        pane_of(oldest_end, self.length) & -BLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime(seconds * 1_000_000)
    }

    /// Of a KPI with a window of five minutes, of 5 s panes, and 30 s of lateness.
    fn reach() -> Reach {
        Reach {
            longest: Span::from_seconds(300),
            lateness: Span::from_seconds(30),
        }
    }

    #[test]
    fn a_short_window_forgets_what_only_a_longer_one_still_accepts() {
        let reach = Reach {
            longest: Span::from_seconds(86_400),
            ..reach()
        };
        let mut panes: Panes<u64> = Panes::new(Span::from_seconds(5));
        // Its block ends at 40 s.
        let late = panes.contribute(at(5), at(971), at(971), reach);
        assert!(matches!(late, Contribution::Forgotten));
        let in_time = panes.contribute(at(5), at(970), at(970), reach);
        assert!(matches!(in_time, Contribution::Pane(_)));
    }

    #[test]
    fn a_window_is_open_at_its_start_and_closed_at_its_end() {
        let length = Span::from_seconds(5);
        let reach = reach();
        let mut panes: Panes<u64> = Panes::new(length);
        for second in [0, 1, 5, 300, 301, 305, 306] {
            *panes.at(at(second), at(306), reach).expect("remembered") += 1;
        }
        let count = |second| panes.window(at(second)).map(|pane| pane.1).sum::<u64>();
        assert_eq!(count(300), 3, "(0, 300] has 1, 5 and 300");
        assert_eq!(count(305), 3, "(5, 305] has 300, 301 and 305");
        assert_eq!(count(309), 3, "309 is floored to 305");
        assert_eq!(panes.after(at(305)).count(), 1);
    }

    #[test]
    fn contributions_are_dropped_and_panes_forgotten_by_the_clock_alone() {
        let reach = reach();
        let mut panes: Panes<u64> = Panes::new(Span::from_seconds(5));
        assert!(panes.accepts(at(5), at(335), reach));
        assert!(!panes.accepts(at(5), EventTime(at(335).0 + 1), reach));
        *panes
            .at(at(5), at(370 + 600), reach)
            .expect("remembered to the end of its block's slack") += 1;
        panes.forget(at(370 + 600), reach);
        assert_eq!(panes.panes.len(), 1);
        assert!(panes.at(at(5), EventTime(at(970).0 + 1), reach).is_none());
        panes.forget(EventTime(at(970).0 + 1), reach);
        assert_eq!(panes.panes.len(), 0);
    }
}
