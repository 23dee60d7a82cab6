//! What one label set of a promise counts, and the view of it at a display time.
//!
//! A view costs by series and panes, not by orders: see `open`. A second, like a pane, is open at its
//! start and closed at its end, and stands for its end.

mod life;
mod saved;

use std::sync::Arc;

use catalogue::plan::{Promise, Window};
use events::{EventTime, KafkaTime, Span};

use super::open::OpenOrders;
use super::orders::InWindows;
use crate::encode::Encoder;
use crate::panes::{Contribution, Panes, Reach, pane_of};
use crate::sketch::{Bucket, PaneSketch, Sketch};
use crate::view::{Histogram, Labels, PromiseCounters, PromiseSeries, PromiseWindow};
use life::Life;

/// Windows up to this long have a percentile with open orders in it.
const LONGEST_WITH_OPEN: Span = Span::from_seconds(3600);

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Series {
    /// The cumulative counters.
    pub counters: PromiseCounters,
    /// Durations of completed orders.
    pub duration: Histogram,
    /// Durations of the steps and of the way to the end; none for a promise without steps.
    pub steps: Vec<Histogram>,
    /// Open orders that wait for each of them.
    pub open_at_step: Vec<u64>,
    open: OpenOrders,
    windows: Vec<SeriesWindow>,
}

/// One window of one label set.
#[derive(Clone, Debug)]
struct SeriesWindow {
    with_open: bool,
    /// By the time of the end.
    completed: Panes<PaneSketch>,
    /// Cancelled and expired ones, by the time they left; only where `with_open`.
    left: Panes<PaneSketch>,
    /// By the time of the start.
    started: Panes<Started>,
    shown: Option<Shown>,
}

/// Orders by start, for `promises_in_window`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Started {
    started: u64,
    kept: u64,
    broken: u64,
    taken_out: u64,
}

/// What was merged for the window that ends at pane `floor`; void once something in it changed. So
/// a view is a function of state and display time, whatever was looked at before.
#[derive(Clone, Debug)]
struct Shown {
    floor: i64,
    completed: Arc<Sketch>,
    life: Option<Life>,
}

/// What a start did not live to see, or did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Completed within the limit, seen in time.
    Kept,
    /// Everything else.
    Broken,
    /// Cancelled before it was judged.
    TakenOut,
}

impl Series {
    /// All zero.
    pub fn new(promise: &Promise, windows: &[Window]) -> Series {
        let legs = if promise.steps.is_empty() {
            0
        } else {
            promise.steps.len() + 1
        };
        let window = |window: &Window| SeriesWindow {
            with_open: window.length <= LONGEST_WITH_OPEN,
            completed: Panes::new(window.pane()),
            left: Panes::new(window.pane()),
            started: Panes::new(window.pane()),
            shown: None,
        };
        Series {
            counters: PromiseCounters::default(),
            duration: Histogram::new(promise.edges.len()),
            steps: (0..legs)
                .map(|_| Histogram::new(promise.edges.len()))
                .collect(),
            open_at_step: vec![0; legs],
            open: OpenOrders::new(windows),
            windows: windows.iter().map(window).collect(),
        }
    }

    /// The windows that a start seen at k is in time for.
    pub fn accepts_start(&self, start: EventTime, k: EventTime, reach: Reach) -> InWindows {
        let windows = self.windows.iter().enumerate();
        let bit = |(at, window): (usize, &SeriesWindow)| {
            u8::from(window.started.accepts(start, k, reach)) << at
        };
        InWindows(windows.map(bit).sum())
    }

    /// An order opened; `clock` is its start's partition clock.
    pub fn opened(
        &mut self,
        start: EventTime,
        in_windows: InWindows,
        clock: EventTime,
        reach: Reach,
    ) {
        self.open.opened(start);
        self.in_start_panes(start, in_windows, clock, reach, |pane| pane.started += 1);
    }

    /// It waits for a judgement at `deadline`.
    pub fn awaits_judgement(&mut self, start: EventTime, deadline: EventTime) {
        self.open.awaits_judgement(start, deadline);
    }

    /// It waits no longer.
    pub fn judgement_came(&mut self, start: EventTime, deadline: EventTime) {
        self.open.judgement_came(start, deadline);
    }

    /// An order's fate is known.
    pub fn decided(
        &mut self,
        outcome: Outcome,
        start: EventTime,
        in_windows: InWindows,
        clock: EventTime,
        reach: Reach,
    ) {
        let counters = &mut self.counters;
        match outcome {
            Outcome::Kept => counters.kept += 1,
            Outcome::Broken => counters.broken += 1,
            Outcome::TakenOut => {}
        }
        self.in_start_panes(start, in_windows, clock, reach, |pane| match outcome {
            Outcome::Kept => pane.kept += 1,
            Outcome::Broken => pane.broken += 1,
            Outcome::TakenOut => pane.taken_out += 1,
        });
    }

    /// An order is open no longer.
    pub fn closed(&mut self, start: EventTime) {
        self.open.closed(start);
    }

    /// A duration enters the windows at the time of its end; false if it came too late for one.
    /// `k`: the clock before the end's record; `clock`: the same partition's clock now.
    pub fn completed(
        &mut self,
        at: EventTime,
        took: Span,
        k: EventTime,
        clock: EventTime,
        reach: Reach,
    ) -> bool {
        let bucket = Bucket::of(took);
        let mut in_time = true;
        for window in &mut self.windows {
            match window.completed.contribute(at, k, clock, reach) {
                Contribution::Pane(pane) => pane.add(bucket),
                Contribution::Forgotten => {}
                Contribution::TooLate => in_time = false,
            }
        }
        self.void_before(at);
        in_time
    }

    /// A cancelled or expired order leaves the life tables; arguments as for `completed`.
    pub fn left(&mut self, at: EventTime, age: Span, k: EventTime, clock: EventTime, reach: Reach) {
        let bucket = Bucket::of(age);
        for window in self.windows.iter_mut().filter(|window| window.with_open) {
            if let Contribution::Pane(pane) = window.left.contribute(at, k, clock, reach) {
                pane.add(bucket);
            }
        }
        self.void_before(at);
    }

    /// Lets go of panes that the clocks of start and end have passed.
    pub fn forget(&mut self, start_clock: EventTime, end_clock: EventTime, reach: Reach) {
        for window in &mut self.windows {
            window.started.forget(start_clock, reach);
            window.completed.forget(end_clock, reach);
            window.left.forget(end_clock, reach);
        }
    }

    /// An estimate of the bytes outside of itself: seconds, histograms, and panes with some eight
    /// buckets each.
    pub fn bytes(&self) -> usize {
        let window = |window: &SeriesWindow| {
            window.completed.bytes(64) + window.left.bytes(64) + window.started.bytes(0)
        };
        let histograms = self.steps.iter().chain([&self.duration]);
        self.windows.iter().map(window).sum::<usize>()
            + histograms.map(Histogram::bytes).sum::<usize>()
            + self.open.bytes()
            + 1024
    }

    /// What is published at a display time.
    pub fn view(
        &mut self,
        labels: Labels,
        created: Option<KafkaTime>,
        within: Span,
        display: EventTime,
    ) -> PromiseSeries {
        let overdue = self.open.started_before(display - within);
        let overdue_unjudged = self.open.due(display);
        let open = &self.open;
        let windows = self.windows.iter_mut().enumerate();
        let windows = windows
            .map(|(at, window)| window.view(at, open, display))
            .collect();
        self.open.begin_changes();
        let open = &self.open;
        PromiseSeries {
            labels,
            created,
            counters: self.counters,
            duration: self.duration.clone(),
            steps: self.steps.clone(),
            open_at_step: self.open_at_step.clone(),
            open: open.total(),
            overdue,
            overdue_unjudged,
            oldest_open_start: open.oldest(),
            windows,
        }
    }

    /// Writes the state at the clocks of the start's and the end's partition.
    pub fn encode(
        &self,
        start_clock: EventTime,
        end_clock: EventTime,
        reach: Reach,
        out: &mut Encoder,
    ) {
        let c = &self.counters;
        let early = c.judged_too_early;
        for counter in [
            c.started,
            c.completed,
            c.kept,
            c.broken,
            early,
            c.cancelled,
            c.expired,
        ] {
            out.unsigned(counter);
        }
        for counter in [c.ends_without_start, c.repeated, c.negative_durations] {
            out.unsigned(counter);
        }
        self.duration.encode(out);
        self.steps.iter().for_each(|step| step.encode(out));
        self.open_at_step
            .iter()
            .for_each(|open| out.unsigned(*open));
        self.open.encode(out);
        for window in &self.windows {
            window
                .completed
                .encode(end_clock, reach, out, encode_sketch);
            window.left.encode(end_clock, reach, out, encode_sketch);
            window.started.encode(start_clock, reach, out, |pane, out| {
                for count in [pane.started, pane.kept, pane.broken, pane.taken_out] {
                    out.unsigned(count);
                }
            });
        }
    }

    fn in_start_panes(
        &mut self,
        start: EventTime,
        in_windows: InWindows,
        clock: EventTime,
        reach: Reach,
        change: impl Fn(&mut Started),
    ) {
        for (at, window) in self.windows.iter_mut().enumerate() {
            if let Some(pane) = in_windows
                .has(at)
                .then(|| window.started.at(start, clock, reach))
                .flatten()
            {
                change(pane);
            }
        }
    }

    /// An order ended at `time`: what is shown of windows that end at or after it has to be merged
    /// anew, and earlier ones have one order less that was open at their end.
    fn void_before(&mut self, time: EventTime) {
        for window in &mut self.windows {
            let Some(shown) = &mut window.shown else {
                continue;
            };
            if pane_of(time, window.completed.length()) < shown.floor {
                window.shown = None;
            } else if let Some(life) = &mut shown.life {
                life.touch();
            }
        }
    }
}

impl SeriesWindow {
    /// `at`: its index among the windows.
    fn view(&mut self, at: usize, open: &OpenOrders, display: EventTime) -> PromiseWindow {
        let floor = self.completed.floor(display);
        let bounds = self.bounds(display);
        match &mut self.shown {
            Some(shown) if shown.floor == floor => {
                if let Some(life) = &mut shown.life {
                    life.follow(open, bounds);
                }
            }
            _ => {
                let completed = Sketch::of_panes(self.completed.window(display).map(|pane| pane.1));
                self.shown = Some(Shown {
                    floor,
                    completed: Arc::new(completed),
                    life: self.with_open.then(|| self.life(open, display)),
                });
            }
        }
        let with_open = self.life_table(display);
        let shown = self.shown.as_ref().expect("made just above");
        let mut sum = Started::default();
        for (_, pane) in self.started.window(display) {
            sum.started += pane.started;
            sum.kept += pane.kept;
            sum.broken += pane.broken;
            sum.taken_out += pane.taken_out;
        }
        let late = open.due_in_window(at, floor);
        let decided = sum.kept + sum.broken + sum.taken_out;
        PromiseWindow {
            completed: Arc::clone(&shown.completed),
            with_open,
            kept: sum.kept,
            broken: sum.broken + late,
            pending: sum.started.saturating_sub(decided + late),
        }
    }
}

fn encode_sketch(pane: &PaneSketch, out: &mut Encoder) {
    out.length(pane.buckets().len());
    for (bucket, count) in pane.buckets() {
        out.unsigned(u64::from(bucket.0));
        out.unsigned(u64::from(*count));
    }
}
