//! What is true: every record that was ever in the log, and what a task's numbers must be.
//!
//! A state is a function of its history: where it began, what was missing from the log when it
//! came by, and where its totals began at zero. The world follows each task's history by what the
//! workers say in public (where they begin to read, which snapshot they took, what they notice).

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::fingerprint;
use catalogue::plan::{KpiId, Plan};
use engine::View;
use events::{EventTime, KafkaTime, Reject};
use pipeline::name::SnapshotName;
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
    /// How many records of each input nobody ever read, since its totals began.
    pub missed: Vec<u64>,
    /// Where the totals began at zero, if they did.
    pub zeroed: Option<Vec<i64>>,
    /// Which plan reads it.
    pub plan: usize,
    /// Where the KPIs that are changed began anew, if they did.
    pub anew: Option<Vec<i64>>,
    /// How often its counters could have fallen, by the rules.
    pub epoch: u32,
}

impl History {
    /// More records of an input were gone.
    pub fn miss(&mut self, input: usize, records: u64) {
        if self.missed.len() <= input {
            self.missed.resize(input + 1, 0);
        }
        self.missed[input] += records;
    }

    fn put_missed(&self, flat: &mut Flat) {
        for (input, records) in self.missed.iter().enumerate() {
            flat.put_gap(input, *records);
        }
    }
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
    plans: [Arc<Plan>; 2],
    /// The KPIs that are not the same in both: counts, so that what they count anew is a difference.
    pub changed: Vec<String>,
    logs: BTreeMap<Place, Vec<Vec<Known>>>,
}

impl Truth {
    /// Knows no record yet.
    pub fn new(plans: [Arc<Plan>; 2]) -> Truth {
        let [before, after] = &plans;
        let ids = before.groups[0].kpis.iter();
        let differs =
            |kpi: &&KpiId| fingerprint::of_kpi(before, **kpi) != fingerprint::of_kpi(after, **kpi);
        let changed = ids
            .filter(differs)
            .map(|kpi| before.kpis[usize::from(kpi.0)].id.clone());
        Truth {
            changed: changed.collect(),
            plans,
            logs: BTreeMap::new(),
        }
    }

    /// The KPIs of this number.
    pub fn plan(&self, number: usize) -> Arc<Plan> {
        Arc::clone(&self.plans[number])
    }

    /// A record came into the log.
    pub fn record(&mut self, place: Place, offset: i64, record: &Produced) {
        let timestamp = Some(record.timestamp);
        let content = read(&self.plans[0], timestamp, Some(&record.value));
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
                content: read(&self.plans[0], timestamp, Some(&stored.value)),
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

    /// A state that has read nothing of a topic is that of a topic made anew too, if nobody tells the
    /// two apart. `name` is its snapshot's.
    pub fn carry_over(&self, task: TaskId, history: &mut History, name: &str) {
        let Some(name) = SnapshotName::parse(name) else {
            return;
        };
        let topics = &self.plans[history.plan].groups[task.group].topics;
        for (input, topic) in topics.iter().enumerate() {
            let (Some(logs), Some(number)) = (
                self.logs.get(&(*topic, task.partition)),
                history.logs.get_mut(input),
            ) else {
                continue;
            };
            let read = history.origin[input]..name.offsets[input];
            let log = &logs[*number as usize];
            if !log.iter().any(|known| read.contains(&known.offset)) {
                *number = u32::try_from(logs.len() - 1).expect("few");
            }
        }
    }

    /// How a view differs from what it must be, as lines for people.
    pub fn differences(&self, view: &View, flat: &Flat, history: &History) -> Vec<String> {
        let task = TaskId {
            group: view.group,
            partition: view.partition,
        };
        let plan = &self.plans[history.plan];
        let expected = self.expect(task, history, &view.offsets, view.display);
        let wanted = flatten_expected(plan, view.group, &expected);
        let mut wanted = wanted.since(&self.not_counted(task, history));
        history.put_missed(&mut wanted);
        let mut found = flat_differences(flat, &wanted);
        if history.zeroed.is_some() {
            // Which series are there at zero after totals were lost isn't laid down.
            found.retain(|line| !line.contains(".shown: "));
        }
        if history.anew.is_some() {
            // Its windows lack what came before, for as long as they reach back.
            let vague = |line: &str| line.contains(".window") || line.contains(".shown: ");
            found.retain(|line| !self.is_changed(line) || !vague(line));
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
        let mut totals = flatten_expected(&self.plans[history.plan], task.group, &expected);
        history.put_missed(&mut totals);
        totals
    }

    /// What its counters don't hold: before totals began at zero, or changed KPIs anew, whichever
    /// came later.
    fn not_counted(&self, task: TaskId, history: &History) -> Flat {
        let at = |offsets: &Vec<i64>| {
            let then = self.expect(task, history, offsets, EventTime::MIN);
            flatten_expected(&self.plans[history.plan], task.group, &then)
        };
        let anew = history.anew.as_ref().filter(|anew| {
            let later =
                |zeroed: &Vec<i64>| anew.iter().zip(zeroed).all(|(anew, zero)| anew >= zero);
            history.zeroed.as_ref().is_none_or(later)
        });
        let zeroed = history.zeroed.as_ref().map(at).unwrap_or_default();
        let begun = anew.map(at).unwrap_or_default();
        let all = zeroed
            .counters()
            .filter(|(name, _)| anew.is_none() || !self.is_changed(name));
        let changed = begun.counters().filter(|(name, _)| self.is_changed(name));
        let counters = all.chain(changed);
        counters
            .map(|(name, value)| (name.clone(), value))
            .collect()
    }

    fn is_changed(&self, name: &str) -> bool {
        let of = |id: &String| {
            name.strip_prefix(id.as_str())
                .is_some_and(|rest| rest.starts_with(['{', '.']))
        };
        self.changed.iter().any(of)
    }

    fn expect(
        &self,
        task: TaskId,
        history: &History,
        offsets: &[i64],
        display: EventTime,
    ) -> Expected {
        let mut oracle = Oracle::new(Arc::clone(&self.plans[history.plan]));
        let topics = &self.plans[history.plan].groups[task.group].topics;
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
