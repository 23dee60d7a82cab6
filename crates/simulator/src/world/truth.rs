//! What is true: every record that was ever in the log, and what a task's numbers must be.
//!
//! A state is a function of its history: where it began, what was missing from the log when it
//! came by, and where its totals began at zero. The world follows each task's history by what the
//! workers say in public (where they begin to read, which snapshot they took, what they notice).

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::plan::Plan;
use engine::View;
use events::{EventTime, KafkaTime, Reject};
use pipeline::port::TaskId;

use super::broker::{Log, Place, Stored};
use crate::compare::{Flat, flat_differences, flatten_expected, percentile_differences};
use crate::oracle::{Expected, Oracle, Read, read};
use crate::shop::Produced;

/// What a task's state is made of, besides the offsets it stands at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct History {
    /// Which log of each input, if it isn't the first: topics are recreated.
    pub logs: Vec<u32>,
    /// The first offset of each input.
    pub origin: Vec<i64>,
    /// What was gone from the log: input, first offset, first offset after it.
    pub gaps: Vec<(usize, i64, i64)>,
    /// Where the totals began at zero, if they did.
    pub zeroed: Option<Vec<i64>>,
    /// How often its counters could have fallen, by the rules.
    pub epoch: u32,
}

#[derive(Clone, Debug)]
struct Known {
    offset: i64,
    timestamp: Option<KafkaTime>,
    content: Result<Read, Reject>,
}

/// See the file's header.
#[derive(Debug)]
pub struct Truth {
    plan: Arc<Plan>,
    logs: BTreeMap<Place, Vec<Vec<Known>>>,
}

impl Truth {
    /// Knows no record yet.
    pub fn new(plan: Arc<Plan>) -> Truth {
        Truth {
            plan,
            logs: BTreeMap::new(),
        }
    }

    /// A record came into the log.
    pub fn record(&mut self, place: Place, offset: i64, record: &Produced) {
        let timestamp = Some(record.timestamp);
        let content = read(&self.plan, timestamp, Some(&record.value));
        let logs = self.logs.entry(place).or_insert_with(|| vec![Vec::new()]);
        let last = logs.last_mut().expect("one log is there");
        last.push(Known {
            offset,
            timestamp,
            content,
        });
    }

    /// The log begins anew with these.
    pub fn recreated(&mut self, place: Place, log: &Log) {
        let known = |stored: &Stored| {
            let timestamp = Some(stored.timestamp);
            Known {
                offset: stored.offset,
                timestamp,
                content: read(&self.plan, timestamp, Some(&stored.value)),
            }
        };
        let known = log.records().map(known).collect();
        let logs = self.logs.entry(place).or_insert_with(|| vec![Vec::new()]);
        logs.push(known);
    }

    /// Which log each of these is now.
    pub fn logs(&self, places: impl Iterator<Item = Place>) -> Vec<u32> {
        let number = |place| self.logs.get(&place).map_or(0, |logs| logs.len() - 1);
        places
            .map(|place| u32::try_from(number(place)).expect("few"))
            .collect()
    }

    /// How a view differs from what it must be, as lines for people.
    pub fn differences(&self, view: &View, flat: &Flat, history: &History) -> Vec<String> {
        let task = TaskId {
            group: view.group,
            partition: view.partition,
        };
        let expected = self.expect(task, history, &view.offsets, view.display);
        let mut wanted = flatten_expected(&self.plan, view.group, &expected);
        if let Some(zeroed) = &history.zeroed {
            let then = self.expect(task, history, zeroed, view.display);
            wanted = wanted.since(&flatten_expected(&self.plan, view.group, &then));
        }
        let mut found = flat_differences(flat, &wanted);
        if history.zeroed.is_some() {
            // Which series are there at zero after totals were lost isn't laid down.
            found.retain(|line| !line.contains(".shown: "));
        }
        found.extend(percentile_differences(view, &expected));
        if !view.exact {
            found.push("exact is false: no limit was reached".to_owned());
        }
        found
    }

    /// The counters over the whole log, for a state of this history whose totals were never lost.
    pub fn totals(&self, task: TaskId, history: &History) -> Flat {
        let everything = vec![i64::MAX; history.origin.len()];
        let expected = self.expect(task, history, &everything, EventTime::MIN);
        flatten_expected(&self.plan, task.group, &expected)
    }

    fn expect(
        &self,
        task: TaskId,
        history: &History,
        offsets: &[i64],
        display: EventTime,
    ) -> Expected {
        let mut oracle = Oracle::new(Arc::clone(&self.plan));
        let topics = &self.plan.groups[task.group].topics;
        for (input, topic) in topics.iter().enumerate() {
            let place = (*topic, task.partition);
            let number = history.logs.get(input).copied().unwrap_or(0) as usize;
            let log = self.logs.get(&place).map_or(&[][..], |logs| &logs[number]);
            let first = log.partition_point(|it| it.offset < history.origin[input]);
            let last = log.partition_point(|it| it.offset < offsets[input]);
            let gone = |offset: i64| {
                let mut gaps = history.gaps.iter();
                gaps.any(|gap| gap.0 == input && (gap.1..gap.2).contains(&offset))
            };
            for known in log[first.min(last)..last]
                .iter()
                .filter(|it| !gone(it.offset))
            {
                let content = known.content.clone();
                oracle.record_read(place, known.offset, known.timestamp, content);
            }
        }
        oracle.expect(task.group, task.partition, offsets, display)
    }
}
