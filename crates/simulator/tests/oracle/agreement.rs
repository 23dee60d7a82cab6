//! The engine's numbers are the oracle's, at any point of any interleaving, and its state is a
//! function of the offsets alone: the same bytes whatever the interleaving.
//!
//! `KEPT_SEEDS` sets how many seeds each test runs. A failure prints the seed, the differences, the
//! plan and the log of the smallest failing case.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::plan::Plan;
use engine::Task;
use events::{EventTime, Span};
use simulator::shop::Chance;

use super::plans::Recipe;
use super::seeds;
use super::streams::{Line, after_base, describe, logs, oracle, recipe};
use simulator::compare::{differences, percentile_differences};

/// A plan and its logs.
pub struct Case {
    pub recipe: Recipe,
    pub plan: Arc<Plan>,
    pub logs: Vec<Vec<Line>>,
}

impl Case {
    pub fn of(chance: &mut Chance) -> Case {
        let recipe = recipe(chance);
        let plan = Arc::new(recipe.plan());
        let logs = logs(&plan, &recipe, chance);
        Case { recipe, plan, logs }
    }

    pub fn records(&self) -> usize {
        self.logs.iter().map(Vec::len).sum()
    }

    /// The order in which a worker might meet the records: topic by topic, or mixed.
    pub fn interleaving(&self, chance: &mut Chance) -> Vec<usize> {
        let mut left: Vec<usize> = self.logs.iter().map(Vec::len).collect();
        let stubborn = *chance.one_of(&[0.0, 0.5, 0.9, 0.99]);
        let mut order: Vec<usize> = Vec::with_capacity(self.records());
        while left.iter().any(|count| *count > 0) {
            let last = order.last().copied().filter(|last| left[*last] > 0);
            let input = match last {
                Some(last) if chance.happens(stubborn) => last,
                _ => chance.below(left.len() as u64) as usize,
            };
            if left[input] > 0 {
                left[input] -= 1;
                order.push(input);
            }
        }
        order
    }
}

/// A task and how far it has come.
pub struct Run<'a> {
    pub case: &'a Case,
    pub task: Task,
    pub next: Vec<usize>,
}

impl<'a> Run<'a> {
    pub fn new(case: &'a Case) -> Run<'a> {
        let task = Task::new(Arc::clone(&case.plan), 0, 0);
        Run {
            case,
            task,
            next: vec![0; case.logs.len()],
        }
    }

    pub fn step(&mut self, input: usize) {
        let offset = self.next[input];
        let line = &self.case.logs[input][offset];
        self.next[input] += 1;
        match &line.content {
            Ok(read) => {
                let values = read.values();
                let event = read.event(&values);
                self.task
                    .apply(input, offset as i64, line.timestamp, Ok(&event));
            }
            Err(reject) => self
                .task
                .apply(input, offset as i64, line.timestamp, Err(*reject)),
        }
    }

    /// A display time that the lifecycle could choose: never before the slowest clock allows.
    pub fn display(&self, chance: &mut Chance) -> EventTime {
        let clocks = self
            .task
            .clocks()
            .filter(|(clock, _)| *clock > EventTime::MIN);
        let behind = clocks.map(|(clock, lateness)| clock - lateness);
        // A topic is never drained more than five minutes ahead of another one of its task.
        let ahead = Span::from_seconds(chance.below(2) as i64 * chance.below(300) as i64);
        let base = behind.max().map(|base| base - ahead);
        let later = match chance.below(4) {
            0 => Span::ZERO,
            1 => Span::from_seconds(chance.below(20) as i64),
            2 => Span(chance.below(90_000_000) as i64),
            _ => Span::from_seconds(chance.below(4000) as i64),
        };
        base.unwrap_or(after_base(0)) + later
    }
}

/// The smallest failure of each kind.
#[derive(Default)]
pub struct Smallest(BTreeMap<String, (usize, usize, String)>);

impl Smallest {
    pub fn add(&mut self, kind: &str, size: usize, text: impl FnOnce() -> String) {
        let entry = self
            .0
            .entry(kind.to_owned())
            .or_insert((0, usize::MAX, String::new()));
        entry.0 += 1;
        if size < entry.1 {
            (entry.1, entry.2) = (size, text());
        }
    }

    pub fn report(self) {
        let mut kinds: Vec<_> = self.0.into_iter().collect();
        kinds.sort_by_key(|(_, (_, size, _))| *size);
        let failed = kinds.len();
        for (kind, (times, _, text)) in kinds {
            eprintln!("{times} times {kind}; the smallest:\n{text}");
        }
        assert!(failed == 0, "{failed} kinds of differences");
    }
}

/// The name of a series without its labels.
fn kind_of(difference: &str) -> String {
    let name = difference.split(": engine").next().unwrap_or(difference);
    let (head, tail) = name.split_once('{').unwrap_or((name, ""));
    let tail = tail.split_once('}').map_or("", |(_, tail)| tail);
    let tail: String = tail
        .chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect();
    format!("{head}{tail}")
}

#[test]
fn the_engine_agrees_with_the_oracle_on_adversarial_logs() {
    let mut smallest = Smallest::default();
    for seed in seeds(1500) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        let oracle = oracle(&case.plan, &case.logs);
        let mut run = Run::new(&case);
        let order = case.interleaving(&mut chance);
        for (done, input) in order.iter().enumerate() {
            run.step(*input);
            if done + 1 < order.len() && !chance.happens(0.1) {
                continue;
            }
            let display = run.display(&mut chance);
            let offsets: Vec<i64> = run.next.iter().map(|next| *next as i64).collect();
            let expected = oracle.expect(0, 0, &offsets, display);
            let view = run.task.view(display);
            let mut found = differences(&case.plan, &view, &expected);
            found.extend(percentile_differences(&view, &expected));
            if !found.is_empty() {
                smallest.add(&kind_of(&found[0]), done, || {
                    let logs: Vec<Vec<Line>> = case
                        .logs
                        .iter()
                        .zip(&run.next)
                        .map(|(log, next)| log[..*next].to_vec())
                        .collect();
                    let at = (display.0 - after_base(0).0) as f64 / 1e6;
                    let (found, recipe) = (found.join("\n  "), &case.recipe);
                    let log = describe(&logs);
                    format!("seed {seed}, display {at}\n  {found}\n{recipe:?}\n{log}")
                });
                break;
            }
        }
    }
    smallest.report();
}

#[test]
fn the_state_is_the_same_bytes_for_any_interleaving() {
    let mut smallest = Smallest::default();
    let mut interleavings = 0;
    for seed in seeds(2000) {
        let mut chance = Chance::new(seed);
        let case = Case::of(&mut chance);
        let finish = |order: &[usize], views: f64, chance: &mut Chance| {
            let mut run = Run::new(&case);
            for input in order {
                run.step(*input);
                if chance.happens(views) {
                    let display = run.display(chance);
                    run.task.view(display);
                }
            }
            run.task.encode()
        };
        let in_turn: Vec<usize> = case
            .logs
            .iter()
            .enumerate()
            .flat_map(|(input, log)| std::iter::repeat_n(input, log.len()))
            .collect();
        let expected = finish(&in_turn, 0.0, &mut chance);
        for _ in 0..10 {
            let order = case.interleaving(&mut chance);
            interleavings += 1;
            if finish(&order, 0.0, &mut chance) != expected {
                smallest.add("state", case.records(), || {
                    let log = describe(&case.logs);
                    format!("seed {seed}, order {order:?}\n{:?}\n{log}", case.recipe)
                });
            }
        }
    }
    smallest.report();
    assert!(interleavings > 0, "nothing was compared");
}
