//! Where something is in event time: its pane, whether that pane was closed already, and whether
//! a window at the display time shows it (DESIGN 3.2, last paragraph).

use catalogue::plan::{Kpi, Window};
use events::{EventTime, Span};

/// The end of the pane that holds `time`: pane i covers (i*p, (i+1)*p].
pub fn pane_end(time: EventTime, pane: Span) -> EventTime {
    EventTime(time.0 + (-time.0).rem_euclid(pane.0))
}

/// T floored to the window's pane: where the window ends.
pub fn window_end(display: EventTime, window: &Window) -> EventTime {
    EventTime(display.0 - display.0.rem_euclid(window.pane().0))
}

/// A contribution to the windows of a KPI, made by a record with this k.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// Where it goes.
    pub time: EventTime,
    /// The partition clock before the record that makes it.
    pub k: EventTime,
    /// The lateness of what makes it.
    pub lateness: Span,
}

impl Contribution {
    /// Whether its pane was closed already in some window: then it is counted, once.
    pub fn is_late_somewhere(self, kpi: &Kpi) -> bool {
        kpi.windows
            .iter()
            .any(|window| self.is_dropped(kpi, window))
    }

    /// Whether its pane was closed already.
    fn is_dropped(self, kpi: &Kpi, window: &Window) -> bool {
        let longest = kpi
            .windows
            .iter()
            .map(|it| it.length)
            .max()
            .unwrap_or_default();
        self.k > pane_end(self.time, window.pane()) + longest + self.lateness
    }

    /// Whether `window` shows it at the display time.
    pub fn is_shown(self, kpi: &Kpi, window: &Window, display: EventTime) -> bool {
        let end = window_end(display, window);
        let pane = pane_end(self.time, window.pane());
        !self.is_dropped(kpi, window) && pane <= end && pane > end - window.length
    }
}
