//! How far a task's partitions are: positions, ends, the display time, and who has to wait.
//!
//! The display time of a partition is the greatest of what it was, its clock - lateness and, while
//! it is caught up, now - lateness; that of a task the least of its partitions' (DESIGN 3.5). So a
//! stuck partition doesn't freeze the others, silence slides windows to empty, and nothing of it
//! changes state.

use engine::Task;
use events::{EventTime, Span, WallTime};

/// A partition is caught up if it was seen at its end at most this long ago.
const CAUGHT_UP_FOR: Span = Span::from_seconds(5);
/// How far in event time one partition of a task may be drained ahead of one that lags.
const LEAD: Span = Span::from_seconds(300);

/// See the file's header.
#[derive(Debug)]
pub struct Progress {
    inputs: Vec<InputProgress>,
}

#[derive(Clone, Copy, Debug)]
struct InputProgress {
    /// The next offset; `None` until it is assigned.
    position: Option<i64>,
    /// The end, and when it was asked for.
    end: Option<(i64, WallTime)>,
    display: EventTime,
    paused: bool,
    /// It has to wait whatever the clocks say.
    held: bool,
}

/// Where a partition stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The next offset.
    pub position: i64,
    /// The end as last observed.
    pub end: Option<i64>,
    /// The partition clock.
    pub clock: Option<EventTime>,
}

impl Progress {
    /// Of a task with this many inputs, none assigned yet.
    pub fn new(inputs: usize) -> Progress {
        let unassigned = InputProgress {
            position: None,
            end: None,
            display: EventTime::MIN,
            paused: false,
            held: false,
        };
        Progress {
            inputs: vec![unassigned; inputs],
        }
    }

    /// An input is assigned and read from this offset. What was shown stays: display time doesn't
    /// go back.
    pub fn begins(&mut self, input: usize, start: i64) {
        self.inputs[input] = InputProgress {
            position: Some(start),
            end: None,
            display: self.inputs[input].display,
            paused: false,
            held: false,
        };
    }

    /// The next offset of an input; 0 if it is not assigned.
    pub fn position(&self, input: usize) -> i64 {
        self.inputs[input].position.unwrap_or(0)
    }

    /// An input has to wait, or may go on as the clocks say.
    pub fn hold(&mut self, input: usize, held: bool) {
        self.inputs[input].held = held;
    }

    /// Whether a record is new: offsets ascend, whatever is delivered again after a pause.
    pub fn expects(&self, input: usize, offset: i64) -> bool {
        self.inputs[input]
            .position
            .is_some_and(|position| offset >= position)
    }

    /// Everything before this offset was taken.
    pub fn moved_to(&mut self, input: usize, offset: i64) {
        let position = &mut self.inputs[input].position;
        *position = (*position).max(Some(offset));
    }

    /// The broker said where the partition ends.
    pub fn end_observed(&mut self, input: usize, end: i64, at: WallTime) {
        self.inputs[input].end = Some((end, at));
    }

    /// Whether all partitions were seen at their ends just now.
    pub fn caught_up(&self, now: WallTime) -> bool {
        self.inputs.iter().all(|input| input.caught_up(now))
    }

    /// Moves the display time on and returns it.
    pub fn advance(&mut self, task: &Task, now: WallTime) -> EventTime {
        for (input, (clock, lateness)) in self.inputs.iter_mut().zip(task.clocks()) {
            let by_wall = if input.caught_up(now) {
                now.as_event_time()
            } else {
                EventTime::MIN
            };
            input.display = input.display.max(clock.max(by_wall) - lateness);
        }
        self.display()
    }

    /// The display time as it stands.
    pub fn display(&self) -> EventTime {
        self.inputs
            .iter()
            .map(|input| input.display)
            .min()
            .unwrap_or(EventTime::MIN)
    }

    /// Which inputs have to be paused (true) or may go on (false), of those where it changes.
    pub fn balance(&mut self, task: &Task, now: WallTime) -> Vec<(usize, bool)> {
        let lagging = self
            .inputs
            .iter()
            .zip(task.clocks())
            .filter(|entry| !entry.0.held && !entry.0.caught_up(now));
        let slowest = lagging.map(|(_, (clock, _))| clock).min();
        let clocks: Vec<EventTime> = task.clocks().map(|entry| entry.0).collect();
        let held: Vec<bool> = self.inputs.iter().map(|input| input.held).collect();
        self.change(|input| {
            held[input] || slowest.is_some_and(|slowest| clocks[input] > slowest + LEAD)
        })
    }

    /// Where each input stands; unassigned ones at 0.
    pub fn standings(&self, task: &Task) -> impl Iterator<Item = Standing> {
        self.inputs
            .iter()
            .zip(task.clocks())
            .map(|(input, (clock, _))| Standing {
                position: input.position.unwrap_or(0),
                end: input.end.map(|end| end.0),
                clock: (clock > EventTime::MIN).then_some(clock),
            })
    }

    fn change(&mut self, wanted: impl Fn(usize) -> bool) -> Vec<(usize, bool)> {
        let mut changes = Vec::new();
        for (at, input) in self.inputs.iter_mut().enumerate() {
            if input.paused != wanted(at) {
                input.paused = wanted(at);
                changes.push((at, input.paused));
            }
        }
        changes
    }
}

impl InputProgress {
    fn caught_up(&self, now: WallTime) -> bool {
        let Some((end, at)) = self.end else {
            return false;
        };
        let fresh = now.0 - at.0 <= CAUGHT_UP_FOR.0;
        fresh && self.position.is_some_and(|position| position >= end)
    }
}
