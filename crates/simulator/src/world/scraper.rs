//! What Prometheus makes of the series: the greatest value of each per partition over all
//! instances, and how much that increased. It never falls but where totals were lost by the rules.

use std::collections::BTreeMap;
use std::rc::Rc;

use pipeline::port::TaskId;

use crate::compare::Flat;

/// A task's numbers as one instance shows them.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Which instance, for people.
    pub process: u64,
    /// `History::epoch` of the state.
    pub epoch: u32,
    /// Whether the worker was told which topics these are now.
    pub told: bool,
    /// V.
    pub offsets: Vec<i64>,
    /// The numbers.
    pub flat: Rc<Flat>,
}

/// What was seen of a task.
#[derive(Default, Debug)]
struct Seen {
    /// The least of those that were shown: as long as one of before is among them, its end may be a
    /// fall.
    epoch: u32,
    /// Somebody moved its offsets.
    moved: bool,
    by: String,
    values: BTreeMap<String, i128>,
    increases: BTreeMap<String, i128>,
}

/// See the file's header.
#[derive(Default, Debug)]
pub struct Scraper {
    tasks: BTreeMap<TaskId, Seen>,
    /// KPIs that began anew, whose increases add up to nothing that could be said.
    changed: Vec<String>,
}

impl Scraper {
    /// One scrape of one task: what the instances show of it. The error says what fell.
    pub fn scrape(&mut self, task: TaskId, shown: &[Shown]) -> Result<(), String> {
        let epochs = || shown.iter().map(|it| it.epoch);
        let (Some(least), Some(most)) = (epochs().min(), epochs().max()) else {
            return Ok(());
        };
        let mut greatest: BTreeMap<&String, i128> = BTreeMap::new();
        for (name, value) in shown.iter().flat_map(|it| it.flat.counters()) {
            let entry = greatest.entry(name).or_insert(value);
            *entry = value.max(*entry);
        }
        let seen = self.tasks.entry(task).or_default();
        let describe = |it: &Shown| format!("process {} at {:?}", it.process, it.offsets);
        let by: Vec<String> = shown.iter().map(describe).collect();
        let by = by.join(", ");
        if most == seen.epoch {
            for (name, before) in &seen.values {
                let now = greatest.get(name).copied().unwrap_or(0);
                if now < *before {
                    return Err(format!(
                        "{name} was {before} ({}) and is {now} ({by})",
                        seen.by
                    ));
                }
            }
        }
        for (name, now) in &greatest {
            let before = seen.values.get(*name).copied().unwrap_or(0);
            // A lower value is a reset for Prometheus: it counts from zero.
            let increase = if *now < before { *now } else { now - before };
            *seen.increases.entry((*name).clone()).or_default() += increase;
        }
        seen.values = greatest
            .into_iter()
            .map(|(name, value)| (name.clone(), value))
            .collect();
        (seen.epoch, seen.by) = (least, by);
        Ok(())
    }

    /// Everything begins anew.
    pub fn forget_all(&mut self) {
        self.tasks.clear();
    }

    /// What was seen of this task tells nothing about what comes.
    pub fn forget(&mut self, task: TaskId) {
        let seen = self.tasks.entry(task).or_default();
        seen.values.clear();
        seen.moved = true;
    }

    /// These KPIs of all tasks begin anew.
    pub fn forget_kpis(&mut self, ids: &[String]) {
        self.changed = ids.to_vec();
        for seen in self.tasks.values_mut() {
            seen.values.retain(|name, _| !is_of(name, ids));
        }
    }

    /// Which increases of a task differ from these totals, unless its counters fell by the rules.
    pub fn miscounted(&self, task: TaskId, totals: &Flat) -> Vec<String> {
        let Some(seen) = self
            .tasks
            .get(&task)
            .filter(|seen| seen.epoch == 0 && !seen.moved)
        else {
            return Vec::new();
        };
        let increases = seen.increases.iter().filter(|it| *it.1 != 0);
        let sums: BTreeMap<&String, i128> = increases.map(|(name, sum)| (name, *sum)).collect();
        let totals: BTreeMap<&String, i128> = totals.counters().collect();
        let names = sums
            .keys()
            .chain(totals.keys().filter(|name| !sums.contains_key(*name)));
        let value = |of: &BTreeMap<&String, i128>, name| of.get(name).copied().unwrap_or(0);
        names
            .filter(|name| !is_of(name, &self.changed))
            .filter(|name| value(&sums, *name) != value(&totals, *name))
            .map(|name| {
                let (sum, total) = (value(&sums, name), value(&totals, name));
                format!("{name}: increases add up to {sum}, the log holds {total}")
            })
            .collect()
    }
}

/// Whether a counter is one of these KPIs'.
fn is_of(name: &str, ids: &[String]) -> bool {
    let rest = |id: &String| name.strip_prefix(id.as_str());
    ids.iter()
        .filter_map(rest)
        .any(|rest| rest.starts_with(['{', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId {
        group: 0,
        partition: 0,
    };

    fn shown(process: u64, epoch: u32, total: i128) -> Shown {
        Shown {
            process,
            epoch,
            told: true,
            offsets: vec![],
            flat: Rc::new([("orders{}.total".to_owned(), total)].into_iter().collect()),
        }
    }

    #[test]
    fn an_instance_behind_the_other_is_no_fall_until_it_is_alone() {
        let mut scraper = Scraper::default();
        assert_eq!(
            scraper.scrape(TASK, &[shown(1, 0, 10), shown(2, 0, 7)]),
            Ok(())
        );
        assert_eq!(scraper.scrape(TASK, &[]), Ok(()));
        assert!(scraper.scrape(TASK, &[shown(2, 0, 8)]).is_err());
        assert_eq!(scraper.scrape(TASK, &[shown(2, 1, 3)]), Ok(()));
    }

    #[test]
    fn what_is_summed_twice_is_found() {
        let mut scraper = Scraper::default();
        let total = |value| shown(0, 0, value).flat;
        scraper
            .scrape(TASK, &[shown(1, 0, 4)])
            .expect("nothing fell");
        scraper
            .scrape(TASK, &[shown(1, 0, 9)])
            .expect("nothing fell");
        assert!(scraper.miscounted(TASK, &total(9)).is_empty());
        assert_eq!(scraper.miscounted(TASK, &total(8)).len(), 1);
    }
}
