//! What several instances of one service have shown, scrape by scrape, as a Prometheus that takes
//! the max per partition over the instances would see it.
//!
//! A counter of a partition must never be lower than it was in a scrape that was answered before
//! this one was asked for, unless another instance shows the higher value at the same time. A
//! partition may be absent for a while: the longest absences are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::samples::Samples;

/// An answer stands for the state at its end, not at its question, which may be long before it (a
/// stopped process answers when it goes on): give or take this.
const RENDERING: Duration = Duration::from_millis(300);
/// Another instance's scrape that is not older than this is at the same time.
const TOGETHER: Duration = Duration::from_millis(1500);
/// More falls than this say nothing new.
const MOST_FALLS: usize = 20;
/// What counters end in.
const COUNTERS: [&str; 4] = ["_total", "_bucket", "_count", "_sum"];
/// Whose counters belong to a task; the process' own begin anew with it.
const OF_TASKS: [&str; 8] = [
    "shop_",
    "kept_events_",
    "kept_records_rejected_",
    "kept_field_errors_",
    "kept_label_overflow_",
    "kept_window_dropped_",
    "kept_log_gap_",
    "kept_event_delay_seconds_bucket",
];
/// Is there for every task that is shown.
const SHOWN: &str = "kept_exact";

type Series = (String, Vec<(String, String)>);

/// See the module. Instances are numbers.
#[derive(Default, Debug)]
pub struct History {
    numbers: HashMap<Series, usize>,
    series: Vec<(String, i32)>,
    /// The greatest value of each series so far.
    floor: Vec<f64>,
    /// What `floor` was when a scrape was answered, oldest first.
    past: VecDeque<(Instant, Vec<f64>)>,
    latest: HashMap<u32, (Instant, HashMap<usize, f64>)>,
    seen: BTreeMap<i32, Instant>,
    gaps: BTreeMap<i32, Duration>,
    /// Whose counters may begin anew, once more.
    anew: BTreeSet<i32>,
    falls: Vec<String>,
    scrapes: u64,
}

impl History {
    /// Takes an instance's scrape.
    pub fn record(&mut self, instance: u32, asked: Instant, answered: Instant, scrape: &Samples) {
        self.scrapes += 1;
        self.see(answered, scrape);
        let values = self.counters(scrape);
        let since = asked.max(answered.checked_sub(RENDERING).unwrap_or(asked));
        let mut fallen: Vec<(usize, f64)> = self
            .floor_at(since)
            .into_iter()
            .enumerate()
            .filter(|(number, floor)| self.falls_below(*number, *floor, &values, scrape))
            .filter(|(number, floor)| !self.shown_elsewhere(instance, *number, *floor, answered))
            .collect();
        self.begin_anew(&mut fallen);
        let falls = fallen.into_iter().map(|(number, floor)| {
            let (name, now) = (&self.series[number].0, values.get(&number));
            format!("instance {instance}: {name} was {floor}, is {now:?}")
        });
        let falls: Vec<String> = falls.collect();
        let room = MOST_FALLS.saturating_sub(self.falls.len());
        self.falls.extend(falls.into_iter().take(room));
        for (number, value) in &values {
            self.floor[*number] = self.floor[*number].max(*value);
        }
        self.past.push_back((answered, self.floor.clone()));
        self.latest.insert(instance, (answered, values));
    }

    /// Numbers may begin anew from here: a reset that is announced.
    pub fn forget(&mut self) {
        let falls = std::mem::take(&mut self.falls);
        *self = History {
            falls,
            scrapes: self.scrapes,
            ..History::default()
        };
    }

    /// The counters of each of these partitions may begin anew, all of them in one scrape and once: a
    /// reset that is announced, with a moment of its own for each task.
    pub fn allow_anew(&mut self, partitions: impl IntoIterator<Item = i32>) {
        self.anew.extend(partitions);
    }

    /// Every fall so far, in words. None is what is wanted.
    pub fn falls(&self) -> &[String] {
        &self.falls
    }

    /// How many scrapes were answered.
    pub fn scrapes(&self) -> u64 {
        self.scrapes
    }

    /// The longest time without a scrape of any instance that shows the partition, over all
    /// partitions, since the first that did or the last `reset_gaps`.
    pub fn longest_gap(&self) -> Duration {
        self.gaps.values().max().copied().unwrap_or_default()
    }

    /// Measures gaps anew; one that is open goes on from its begin.
    pub fn reset_gaps(&mut self) {
        self.gaps.clear();
    }

    fn see(&mut self, answered: Instant, scrape: &Samples) {
        for partition in partitions(scrape) {
            if let Some(before) = self.seen.insert(partition, answered) {
                let gap = answered.saturating_duration_since(before);
                let longest = self.gaps.entry(partition).or_default();
                *longest = gap.max(*longest);
            }
        }
    }

    /// The tasks' counters of a scrape; new series get a number.
    fn counters(&mut self, scrape: &Samples) -> HashMap<usize, f64> {
        let mut values = HashMap::new();
        for (name, labels, text) in scrape.iter() {
            let partition = labels.iter().find(|label| label.0 == "partition");
            let Some((_, partition)) = partition.filter(|_| is_counter(name)) else {
                continue;
            };
            let key = (name.to_owned(), labels.to_vec());
            let next = self.series.len();
            let number = *self.numbers.entry(key).or_insert(next);
            if number == next {
                let partition = partition.parse().expect("a partition is a number");
                self.series.push((format!("{name}{labels:?}"), partition));
                self.floor.push(0.0);
            }
            values.insert(number, text.parse().expect("a counter is a number"));
        }
        values
    }

    /// The greatest values that had been shown at `time`.
    fn floor_at(&mut self, time: Instant) -> Vec<f64> {
        while self.past.get(1).is_some_and(|next| next.0 <= time) {
            // Answers come in any order within `RENDERING`: what is dropped is below what is kept.
            self.past.pop_front();
        }
        let first = self.past.front().filter(|(at, _)| *at <= time);
        first.map_or_else(Vec::new, |(_, floor)| floor.clone())
    }

    /// Of partitions that may begin anew, what was shown before counts no more, and they may not again.
    fn begin_anew(&mut self, fallen: &mut Vec<(usize, f64)>) {
        let partitions = fallen.iter().map(|(number, _)| self.series[*number].1);
        let begun: BTreeSet<i32> = partitions.filter(|one| self.anew.contains(one)).collect();
        self.anew.retain(|one| !begun.contains(one));
        fallen.retain(|(number, _)| !begun.contains(&self.series[*number].1));
        let floors = self.past.iter_mut().map(|(_, floor)| floor);
        for floor in floors.chain([&mut self.floor]) {
            for (value, (_, partition)) in floor.iter_mut().zip(&self.series) {
                if begun.contains(partition) {
                    *value = 0.0;
                }
            }
        }
    }

    /// Lower than before, or not there although its task is shown.
    fn falls_below(
        &self,
        number: usize,
        floor: f64,
        values: &HashMap<usize, f64>,
        scrape: &Samples,
    ) -> bool {
        match values.get(&number) {
            Some(value) => *value < floor,
            None => floor > 0.0 && partitions(scrape).any(|shown| shown == self.series[number].1),
        }
    }

    fn shown_elsewhere(&self, instance: u32, number: usize, floor: f64, now: Instant) -> bool {
        self.latest.iter().any(|(other, (at, values))| {
            let together = now.saturating_duration_since(*at) <= TOGETHER;
            let value = values.get(&number);
            *other != instance && together && value.is_some_and(|value| *value >= floor)
        })
    }
}

/// The partitions whose task is shown.
pub fn partitions(scrape: &Samples) -> impl Iterator<Item = i32> {
    scrape.matching(SHOWN, &[]).filter_map(|(labels, _)| {
        let partition = labels.iter().find(|label| label.0 == "partition")?;
        partition.1.parse().ok()
    })
}

fn is_counter(name: &str) -> bool {
    COUNTERS.iter().any(|end| name.ends_with(end))
        && OF_TASKS.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history whose scrapes come each second.
    struct Told(History, Instant);

    impl Told {
        fn new() -> Told {
            Told(History::default(), Instant::now())
        }

        fn scrape(&mut self, second: u64, instance: u32, value: Option<u32>) {
            self.slow(second, second, instance, value);
        }

        fn slow(&mut self, asked: u64, answered: u64, instance: u32, value: Option<u32>) {
            let at = |second| self.1 + Duration::from_secs(second);
            let text = value.map_or_else(String::new, |value| {
                format!(
                    "kept_exact{{partition=\"0\"}} 1\nshop_x_total{{partition=\"0\"}} {value}\n"
                )
            });
            let samples = Samples::parse(&text);
            self.0.record(instance, at(asked), at(answered), &samples);
        }
    }

    #[test]
    fn absence_is_a_gap_and_a_lower_value_a_fall() {
        let mut told = Told::new();
        told.scrape(1, 1, Some(5));
        told.scrape(2, 1, None);
        told.scrape(4, 2, Some(5));
        assert_eq!(told.0.falls().len(), 0);
        assert_eq!(told.0.longest_gap(), Duration::from_secs(3));
        told.scrape(8, 2, Some(4));
        assert_eq!(told.0.falls().len(), 1, "{:?}", told.0.falls());
    }

    #[test]
    fn a_lower_value_beside_a_higher_one_is_no_fall() {
        let mut told = Told::new();
        told.scrape(1, 1, Some(5));
        told.scrape(2, 2, Some(7));
        told.scrape(3, 1, Some(5));
        assert_eq!(told.0.falls().len(), 0, "instance 2 shows 7");
        told.scrape(6, 1, Some(5));
        assert_eq!(told.0.falls().len(), 1, "nobody shows 7 any more");
    }

    #[test]
    fn an_old_question_does_not_excuse_an_old_answer() {
        let mut told = Told::new();
        told.scrape(1, 1, Some(5));
        told.scrape(9, 2, Some(7));
        told.slow(2, 20, 1, Some(5));
        assert_eq!(told.0.falls().len(), 1);
    }

    #[test]
    fn a_series_that_vanishes_from_a_task_that_is_shown_is_a_fall() {
        let mut told = Told::new();
        told.scrape(1, 1, Some(5));
        let bare = Samples::parse("kept_exact{partition=\"0\"} 1\n");
        let at = told.1 + Duration::from_secs(4);
        told.0.record(1, at, at, &bare);
        assert_eq!(told.0.falls().len(), 1);
        told.0.forget();
        told.scrape(9, 1, Some(1));
        assert_eq!(told.0.falls().len(), 1, "it was forgotten");
    }

    #[test]
    fn what_may_begin_anew_does_so_once() {
        let mut told = Told::new();
        told.scrape(1, 1, Some(5));
        told.0.allow_anew([0]);
        told.scrape(2, 1, Some(6));
        told.scrape(3, 1, None);
        told.scrape(4, 1, Some(2));
        told.scrape(5, 1, Some(3));
        assert_eq!(told.0.falls().len(), 0, "{:?}", told.0.falls());
        told.scrape(6, 1, Some(2));
        assert_eq!(told.0.falls().len(), 1, "a second time");
    }

    #[test]
    fn another_partition_may_not_begin_anew() {
        let mut told = Told::new();
        told.scrape(1, 1, Some(5));
        told.0.allow_anew([1]);
        told.scrape(2, 1, Some(4));
        assert_eq!(told.0.falls().len(), 1);
    }
}
