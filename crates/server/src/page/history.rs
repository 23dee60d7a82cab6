//! What the page's charts remember: the published figures of each promise over the last hour.
//!
//! A ring in the server's memory, taken every 15 s from what `/metrics` would have said then. It
//! begins with the process, holds this instance's partitions only, and is no data base: Prometheus
//! is. It is bounded: 240 moments of a few dozen numbers for each promise.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use catalogue::Plan;
use catalogue::metrics::SeriesId;
use catalogue::plan::{END_STEP, Kind, Promise};

use super::numbers::{Buckets, Numbers, Reading, label};

/// How often a moment is taken.
pub const EVERY: Duration = Duration::from_secs(15);
/// How far back it goes, in seconds.
pub const SPAN_SECONDS: f64 = 3600.0;
/// How many moments that are.
const MOMENTS: usize = 240;
/// What the steps' percentiles speak of, in seconds.
const RECENT_SECONDS: f64 = 900.0;

/// The last hour, oldest first.
#[derive(Clone, Default, Debug)]
pub struct History {
    moments: VecDeque<Moment>,
}

/// What was published at one time.
#[derive(Clone, PartialEq, Debug)]
pub struct Moment {
    /// Wall time, in seconds since 1970.
    pub at: f64,
    /// One per KPI of the plan; only promises have one.
    pub promises: Vec<Option<PromiseMoment>>,
}

/// One promise at one time.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct PromiseMoment {
    /// The p95 of those completed in the shortest window, seconds; NaN without any.
    pub plain_p95: f64,
    /// The same with open ones in it; NaN where there is none.
    pub with_open_p95: f64,
    /// The share kept of those judged in the shortest window; NaN without any.
    pub share: f64,
    /// Which partitions it speaks of.
    pub partitions: BTreeSet<String>,
    /// The time of each step, added up over the label sets.
    pub steps: Vec<Buckets>,
}

impl Moment {
    /// What is published now.
    pub fn of(plan: &Plan, numbers: &Numbers<'_>, at: f64) -> Moment {
        let promises = plan.kpis.iter().map(|kpi| match &kpi.kind {
            Kind::Promise(promise) => {
                let reading = Reading::new(plan, kpi, numbers);
                Some(PromiseMoment::of(&reading, promise))
            }
            Kind::Count(_) | Kind::Ratio(_) | Kind::Funnel(_) => None,
        });
        Moment {
            at,
            promises: promises.collect(),
        }
    }
}

impl PromiseMoment {
    /// What a promise publishes.
    pub fn of(reading: &Reading<'_>, promise: &Promise) -> PromiseMoment {
        let window = reading.shortest_window().unwrap_or_default();
        let p95 = |series| {
            let labels = [("window", window), ("q", "0.95")];
            reading.one(series, &labels).value()
        };
        let names = promise.steps.iter().map(|step| step.name.as_str());
        let steps = names.chain([END_STEP]).map(|step| {
            let labels = [("step", step)];
            reading.buckets(SeriesId::StepDuration, &labels)
        });
        let partitions = reading.samples(SeriesId::Open, &[]);
        let partitions = partitions.filter_map(|sample| label(sample, "partition"));
        PromiseMoment {
            plain_p95: p95(SeriesId::AllDurationInWindow),
            with_open_p95: p95(SeriesId::AllWithOpen),
            share: super::promise::share(reading, window).value(),
            partitions: partitions.map(str::to_owned).collect(),
            steps: steps.collect(),
        }
    }
}

impl History {
    /// Adds a moment and forgets those that are too old or too many.
    pub fn push(&mut self, moment: Moment) {
        let oldest = moment.at - SPAN_SECONDS;
        // A clock that was set back would leave moments of the future.
        self.moments
            .retain(|one| one.at > oldest && one.at < moment.at);
        if self.moments.len() == MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back(moment);
    }

    /// A promise's moments with their times, oldest first; `kpi` is its place in the plan.
    pub fn of(&self, kpi: usize) -> impl Iterator<Item = (f64, &PromiseMoment)> {
        self.moments
            .iter()
            .filter_map(move |moment| Some((moment.at, moment.promises.get(kpi)?.as_ref()?)))
    }

    /// The oldest moment of the last quarter of an hour since when the instance has had the same
    /// partitions as in `now`: what its histograms have more now, they have since then. Where one had
    /// more then, totals have begun anew.
    pub fn recent(
        &self,
        kpi: usize,
        at: f64,
        now: &PromiseMoment,
    ) -> Option<(f64, &PromiseMoment)> {
        let mut found = None;
        let moments: Vec<(f64, &PromiseMoment)> = self.of(kpi).collect();
        for (time, moment) in moments.into_iter().rev() {
            let mut steps = now.steps.iter().zip(&moment.steps);
            let is_same = moment.partitions == now.partitions
                && steps.all(|(now, before)| now.is_since(before));
            if time < at - RECENT_SECONDS || !is_same {
                break;
            }
            found = Some((time, moment));
        }
        // A minute at least, or one order more would look like all of them.
        found.filter(|(time, _)| at - time >= 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: f64, partitions: &[&str]) -> Moment {
        let promise = PromiseMoment {
            partitions: partitions.iter().map(|one| (*one).to_owned()).collect(),
            ..PromiseMoment::default()
        };
        Moment {
            at,
            promises: vec![None, Some(promise)],
        }
    }

    fn history(moments: &[(f64, &[&str])]) -> History {
        let mut history = History::default();
        for (at, partitions) in moments {
            history.push(moment(*at, partitions));
        }
        history
    }

    #[test]
    fn it_holds_an_hour_and_no_more_moments_than_that() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.push(moment(f64::from(second), &[]));
        }
        let times: Vec<f64> = history.of(1).map(|(at, _)| at).collect();
        assert_eq!(times.len(), MOMENTS);
        assert_eq!(times.last(), Some(&9999.0));
        history.push(moment(20_000.0, &[]));
        assert_eq!(history.of(1).count(), 1, "the rest is over an hour old");
        history.push(moment(5.0, &[]));
        assert_eq!(history.of(1).count(), 1, "the clock was set back");
    }

    #[test]
    fn a_difference_is_taken_over_the_same_partitions_only() {
        let now = PromiseMoment {
            partitions: ["0".to_owned()].into(),
            ..PromiseMoment::default()
        };
        let since = |moments: &[(f64, &[&str])], at| {
            let history = history(moments);
            history.recent(1, at, &now).map(|(time, _)| time)
        };
        let same: &[&str] = &["0"];
        let other: &[&str] = &["0", "1"];
        assert_eq!(since(&[(0.0, same), (15.0, same)], 100.0), Some(0.0));
        assert_eq!(since(&[(0.0, other), (15.0, same)], 100.0), Some(15.0));
        assert_eq!(since(&[(0.0, same), (15.0, other)], 100.0), None);
        assert_eq!(
            since(&[(70.0, same)], 100.0),
            None,
            "half a minute is too little"
        );
        assert_eq!(since(&[(0.0, same), (500.0, same)], 1000.0), Some(500.0));
    }

    #[test]
    fn a_difference_begins_after_totals_began_anew() {
        let steps = |count: u64| PromiseMoment {
            steps: vec![Buckets::with(&[5.0], &[count, 0])],
            ..PromiseMoment::default()
        };
        let mut history = History::default();
        for (at, count) in [(0.0, 40), (15.0, 41), (30.0, 2), (45.0, 3)] {
            history.push(Moment {
                at,
                promises: vec![Some(steps(count))],
            });
        }
        let since = |count| history.recent(0, 120.0, &steps(count)).map(|(at, _)| at);
        assert_eq!(since(4), Some(30.0));
        assert_eq!(since(50), Some(0.0), "as far as the counts tell");
    }
}
