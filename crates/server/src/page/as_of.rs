//! The time that a promise's tiles stand for: the display time of its tasks, `lateness` ago.
//!
//! Whether an order is overdue is decided by its partition's display time, so how long the oldest one
//! waits is measured to the same: else a healthy shop would show a wait beyond the limit and nobody
//! overdue beside it.

use std::collections::BTreeMap;

use catalogue::metrics::SeriesId;
use catalogue::plan::KpiId;

use super::Picture;
use super::html::Html;
use super::numbers::{Figure, Reading, label, value_of};
use super::shown;

const DISPLAY: &str = "kept_display_timestamp_seconds";

/// The display times of a KPI's tasks.
pub struct AsOf<'a> {
    /// The topic by which its tasks are named.
    topic: &'a str,
    /// By partition, in seconds since 1970.
    times: BTreeMap<&'a str, f64>,
}

impl<'a> AsOf<'a> {
    /// Of the KPI at this place in the plan.
    pub fn of(picture: &Picture<'a>, at: usize) -> AsOf<'a> {
        let has = |kpi: &KpiId| usize::from(kpi.0) == at;
        let mut groups = picture.plan.groups.iter();
        let group = groups.find(|group| group.kpis.iter().any(has));
        let topic = group.and_then(|group| group.topics.first());
        let topic = topic.map_or("", |topic| &picture.plan.topics[usize::from(topic.0)].name);
        let labels = [("topic", topic)];
        let times = picture.numbers.samples(DISPLAY, &labels);
        let times = times.filter_map(|time| Some((label(time, "partition")?, value_of(time)?)));
        AsOf {
            topic,
            times: times.collect(),
        }
    }

    /// How long the oldest open order had waited by then, in seconds; nothing where none is open.
    pub fn oldest_wait(&self, reading: &Reading<'_>) -> Figure {
        let series = SeriesId::OldestOpenStart;
        let waits = reading.samples(series, &[]).filter_map(|start| {
            let time = self.times.get(label(start, "partition")?)?;
            Some((time - value_of(start)?).max(0.0))
        });
        let query = format!(
            "max({} - on (instance, partition) group_right {})",
            self.selector(),
            reading.name(series)
        );
        Figure::new(query, waits.reduce(f64::max))
    }

    /// Says how long ago the oldest of these times is.
    pub fn beside(&self, page: &mut Html, now: f64) {
        let time = self.times.values().copied().reduce(f64::min);
        let time = Figure::new(format!("min({})", self.selector()), time);
        page.add("<p class=\"soft\">As of ");
        time.ago(now).show(page, shown::duration);
        page.add(" ago: events that come late are waited for.</p>\n");
    }

    fn selector(&self) -> String {
        format!("{DISPLAY}{{topic={:?}}}", self.topic)
    }
}
