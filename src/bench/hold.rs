//! Holds orders or label sets in this process and says how much memory that takes: one case of
//! `memory`, whose header says what is compared with what.

use std::sync::Arc;

use anyhow::ensure;
use catalogue::Plan;
use clap::ValueEnum as _;
use engine::View;
use events::{KafkaTime, Record, WallTime};
use exposition::{families, plain_text};

use super::decode::{assigned, tick};
use super::event::Event;
use super::measure::{resident_bytes, say};
use super::scrape::series;
use super::work::{self, FIRST_MS, PARTITIONS, REGIONS, mix};
use crate::direct::Direct;

/// Between two orders: 500 are placed in a second, so some are past their limit, some are not.
const ORDER_EVERY_MS: i64 = 2;
/// Orders that are there before the first reading: one of each region on each partition.
const FIRST_ORDERS: u64 = REGIONS.len() as u64 * PARTITIONS as u64;
/// Windows' lengths in milliseconds, the longest first; each has sixty panes.
const WINDOWS_MS: [i64; 3] = [86_400_000, 3_600_000, 300_000];

/// What is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Holding {
    /// Open orders, no event ids.
    Open,
    /// Open orders and their event ids.
    OpenAndIds,
    /// Open orders of the pack `promise`, paid for.
    OpenWithSteps,
    /// Orders that were fulfilled, no event ids.
    Finished,
    /// Label sets of a count.
    Counts,
    /// Label sets of a promise.
    Promises,
}

/// One case.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Case {
    /// What is held.
    holding: Holding,
    /// How many orders or label sets.
    count: u64,
    /// Bytes of an order's id.
    #[arg(long, default_value_t = 12)]
    key_bytes: usize,
    /// Orders in each pane of each label set; 0: one a second for a day.
    #[arg(long, default_value_t = 1)]
    per_pane: i64,
    /// The same events, under one label.
    #[arg(long)]
    one_label: bool,
}

impl Case {
    /// So many orders.
    pub fn orders(holding: Holding, count: u64, key_bytes: usize) -> Case {
        Case {
            holding,
            count,
            key_bytes,
            per_pane: 1,
            one_label: false,
        }
    }

    /// So many label sets, or as many events under one.
    pub fn label_sets(holding: Holding, count: u64, per_pane: i64, one_label: bool) -> Case {
        Case {
            per_pane,
            one_label,
            ..Case::orders(holding, count, 12)
        }
    }

    /// As they are written on a command line.
    pub fn arguments(self) -> Vec<String> {
        let holding = self.holding.to_possible_value();
        let holding = holding.expect("no case is hidden").get_name().to_owned();
        let mut words = vec![holding, self.count.to_string()];
        words.extend(["--key-bytes".to_owned(), self.key_bytes.to_string()]);
        words.extend(["--per-pane".to_owned(), self.per_pane.to_string()]);
        words.extend(self.one_label.then(|| "--one-label".to_owned()));
        words
    }
}

/// What a case takes. Bytes and numbers as they are added and divided: all are below 2^53.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Held {
    /// How many orders, event ids or label sets.
    pub units: f64,
    /// What the resident set has grown by, in bytes.
    pub grown: f64,
    /// Likewise, with the published views held.
    pub grown_with_view: f64,
    /// What Kept itself says, in bytes.
    pub estimate: f64,
    /// Series on `/metrics`.
    pub series: f64,
}

impl Held {
    /// What this one has and the other has not.
    pub fn beyond(&self, other: &Held) -> Held {
        Held {
            units: self.units - other.units,
            grown: self.grown - other.grown,
            grown_with_view: self.grown_with_view - other.grown_with_view,
            estimate: self.estimate - other.estimate,
            series: self.series - other.series,
        }
    }

    fn line(&self) -> String {
        let (grown, with_view) = (self.grown, self.grown_with_view);
        format!(
            "{} {grown} {with_view} {} {}",
            self.units, self.estimate, self.series
        )
    }

    /// From the line that a child says.
    pub fn parse(line: &str) -> Option<Held> {
        let numbers = line.split_whitespace().map(|word| word.parse().ok());
        let numbers: Option<Vec<f64>> = numbers.collect();
        let [units, grown, grown_with_view, estimate, series] = *numbers?.as_slice() else {
            return None;
        };
        Some(Held {
            units,
            grown,
            grown_with_view,
            estimate,
            series,
        })
    }
}

/// Measures one case; the result goes to standard output as a line.
pub fn measure(case: Case) -> anyhow::Result<()> {
    let plan = Arc::new(plan(case)?);
    let mut feed = Feed::new(&plan);
    let before = match case.holding {
        Holding::Counts | Holding::Promises => {
            let before = resident_bytes()?;
            feed.label_sets(case);
            before
        }
        _ => {
            feed.orders(case, 0..FIRST_ORDERS);
            let before = resident_bytes()?;
            feed.orders(case, FIRST_ORDERS..FIRST_ORDERS + case.count);
            before
        }
    };
    let after = resident_bytes()?;
    let views = feed.views();
    let shown = resident_bytes()?;
    let text = plain_text(&families(&plan, &views, &[]));
    let held = Held {
        units: units(case, &views)? as f64,
        grown: after as f64 - before as f64,
        grown_with_view: shown as f64 - before as f64,
        estimate: views.iter().map(|view| view.entries.bytes).sum::<u64>() as f64,
        series: series(&text) as f64,
    };
    say(&held.line());
    Ok(())
}

/// How many there are: those asked for, or the case is not what it says.
fn units(case: Case, views: &[Arc<View>]) -> anyhow::Result<u64> {
    let entries = views.iter().map(|view| view.entries);
    let (mut open, mut finished, mut ids) = (0, 0, 0);
    for each in entries {
        open += each.open;
        finished += each.finished;
        ids += each.dedupe;
    }
    let held = match case.holding {
        Holding::Open | Holding::OpenWithSteps => open - FIRST_ORDERS,
        Holding::Finished => finished - FIRST_ORDERS,
        // Beyond the same orders without ids: all of them count.
        Holding::OpenAndIds => return Ok(ids + case.count),
        Holding::Counts | Holding::Promises if case.one_label => return Ok(1),
        Holding::Counts | Holding::Promises => case.count,
    };
    ensure!(held == case.count, "{held} of {} are held", case.count);
    Ok(held)
}

fn plan(case: Case) -> anyhow::Result<Plan> {
    let dedupe = match case.holding {
        Holding::OpenAndIds => "15m",
        _ => "0s",
    };
    let packs = match case.holding {
        Holding::OpenWithSteps => "packs = [\"promise\"]",
        _ => "files = [\"kpis\"]",
    };
    let text = format!(
        "[kafka]\nbrokers = \"localhost:9092\"\ngroup = \"bench\"\n\
         [[kafka.topic]]\nname = \"bench\"\nkey = \"order_id\"\n\
         [time]\ndedupe = \"{dedupe}\"\n[limits]\nlabel_values = 10000\n\
         [catalogue]\nmax_series = 100000000\n{packs}\n"
    );
    let kpi = match case.holding {
        Holding::Counts => "kind = \"count\"\nevent = \"order.placed\"\n",
        _ => {
            "kind = \"promise\"\nwithin = \"60s\"\nobjective = 0.95\nhorizon = \"1h\"\n\
             start = { type = \"order.placed\", key = \"order_id\" }\n\
             end = { type = \"order.fulfilled\", key = \"order_id\" }\n"
        }
    };
    let kpis = format!("[kpi.held]\nhelp = \"Held\"\nby = [\"region\"]\n{kpi}");
    Ok(work::read(&text, &kpis)?.1)
}

/// A worker and what it was given.
struct Feed {
    worker: Direct,
    /// Of each partition, how many records it has.
    ends: Vec<usize>,
    text: String,
    last_millis: i64,
    shown_at: WallTime,
}

impl Feed {
    fn new(plan: &Arc<Plan>) -> Feed {
        Feed {
            worker: assigned(plan),
            ends: vec![0; PARTITIONS as usize],
            text: String::new(),
            last_millis: 0,
            shown_at: WallTime(0),
        }
    }

    fn take(&mut self, partition: usize, event: Event<'_>) {
        event.write(&mut self.text);
        let record = Record {
            timestamp: Some(KafkaTime::from_millis(event.millis)),
            key: None,
            value: Some(self.text.as_bytes()),
            headers: &[],
        };
        let offset = self.ends[partition] as i64;
        let taken = self.worker.record(partition as i32, offset, record);
        assert!(taken, "an event of ours is refused");
        self.ends[partition] += 1;
        self.last_millis = event.millis;
    }

    /// Places orders, and pays for them or fulfils them, as the case wants.
    fn orders(&mut self, case: Case, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let placed = FIRST_MS as i64 + number as i64 * ORDER_EVERY_MS;
            let partition = (number % PARTITIONS as u64) as usize;
            let region = number / PARTITIONS as u64 % REGIONS.len() as u64;
            let event = Event {
                id: (mix(number), number),
                type_name: "order.placed",
                millis: placed,
                order: &key(number, case.key_bytes),
                region: REGIONS[region as usize],
                channel: "web",
                chance: mix(number),
            };
            self.take(partition, event);
            let then = match case.holding {
                Holding::OpenWithSteps => "payment.authorized",
                Holding::Finished => "order.fulfilled",
                _ => continue,
            };
            let next = Event {
                type_name: then,
                ..event
            };
            self.take(partition, next);
        }
    }

    /// Fills every pane of every window of each label set, all on one partition.
    fn label_sets(&mut self, case: Case) {
        for (millis, order, ends) in story(case.per_pane) {
            if ends && case.holding == Holding::Counts {
                continue;
            }
            for set in 0..case.count {
                let region = if case.one_label { 0 } else { set };
                let event = Event {
                    id: (set, order),
                    type_name: if ends {
                        "order.fulfilled"
                    } else {
                        "order.placed"
                    },
                    millis,
                    order: &format!("o-{set}-{order}"),
                    region: &format!("region-{region}"),
                    channel: "web",
                    chance: mix(order),
                };
                self.take(0, event);
            }
        }
    }

    /// The views of all tasks, caught up with everything.
    fn views(&mut self) -> Vec<Arc<View>> {
        // A second after the last ones at least, or there are no new ones.
        let next = self.shown_at.0 + 1_000_000;
        self.shown_at = WallTime(next.max(self.last_millis * 1000));
        tick(&mut self.worker, &self.ends, self.shown_at)
    }
}

/// An order's id: hexadecimal digits, with dashes where a UUID has them.
fn key(number: u64, bytes: usize) -> String {
    let (first, second) = (mix(number), mix(!number));
    let digits = format!("{first:016x}{second:016x}{first:016x}{second:016x}");
    let dash = |at| [8, 13, 18, 23].contains(&at) && bytes == 36;
    let mut digits = digits.chars();
    let each = |at| if dash(at) { Some('-') } else { digits.next() };
    (0..bytes).filter_map(each).collect()
}

/// One label set's day, by time: milliseconds, the order's number, whether it is the order's end.
fn story(per_pane: i64) -> Vec<(i64, u64, bool)> {
    let day_ends = FIRST_MS as i64 + 2 * WINDOWS_MS[0];
    let starts: Vec<i64> = if per_pane == 0 {
        (-WINDOWS_MS[0]..0).step_by(1000).collect()
    } else {
        let of_window =
            |length: i64| (0..60 * per_pane).map(move |n| n * (length / 60 / per_pane) - length);
        WINDOWS_MS.into_iter().flat_map(of_window).collect()
    };
    let mut story = Vec::new();
    for (order, start) in (0..).zip(starts) {
        let placed = day_ends + start;
        let took = 5_000 + (mix(order) % 85_000) as i64;
        story.push((placed, order, false));
        story.push((placed + took, order, true));
    }
    story.sort_unstable();
    story
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_survives_the_way_from_child_to_parent() {
        let held = Held {
            units: 200_000.0,
            grown: 26_214_400.0,
            grown_with_view: 27_000_000.0,
            estimate: 25_000_000.0,
            series: 12.0,
        };
        assert_eq!(Held::parse(&held.line()), Some(held));
        assert_eq!(Held::parse("thread panicked"), None);
    }

    #[test]
    fn ids_have_the_length_asked_for_and_differ() {
        assert_eq!(key(7, 36).len(), 36);
        assert_eq!(key(7, 36).matches('-').count(), 4);
        assert_eq!((key(7, 12).len(), key(7, 64).len()), (12, 64));
        assert_ne!(key(7, 12), key(8, 12));
    }
}
