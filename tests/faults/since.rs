//! What an instance must show when some of its counters began anew at a known place: the oracle's
//! value at the end less the oracle's value there, digit for digit.

use support::{Kept, Samples};

use crate::agreement::{INTAKE, Truth};
use crate::expected::{Series, Table, decimal, plain};
use crate::stage::Stage;

/// Digits behind the point that no series has more of.
const DECIMALS: u32 = 9;
/// What counters end in.
const COUNTERS: [&str; 4] = ["_total", "_bucket", "_count", "_sum"];

/// What a series stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// For the whole log.
    ForAll,
    /// For what came after.
    ForTheRest,
    /// For something that the oracle can't tell.
    Apart,
}

impl Truth {
    /// All counters stand for what came after `before`; windows and gauges for all there is.
    #[track_caller]
    pub fn agrees_since(&self, before: &Truth, stage: &Stage, kept: &Kept) {
        let mut counts = self.counts();
        for (place, count) in before.counts() {
            *counts.entry(place).or_default() -= count;
        }
        let scrapes = self.await_counts(&counts, &[kept]);
        self.compare_since(before, &scrapes, |name| match is_counter(name) {
            true => Stands::ForTheRest,
            false => Stands::ForAll,
        });
        stage.watcher.assert_nothing_fell();
    }

    /// Counters whose names begin like this stand for what came after `before`, and gauges with
    /// such names are left out; all other series stand for all there is.
    #[track_caller]
    pub fn agrees_but_for(&self, anew: &[&str], before: &Truth, stage: &Stage, kept: &Kept) {
        let scrapes = self.await_all(&[kept]);
        let is_anew = |name: &str| anew.iter().any(|begin| name.starts_with(begin));
        self.compare_since(before, &scrapes, |name| {
            match (is_anew(name), is_counter(name)) {
                (false, _) => Stands::ForAll,
                (true, true) => Stands::ForTheRest,
                (true, false) => Stands::Apart,
            }
        });
        stage.watcher.assert_nothing_fell();
    }

    #[track_caller]
    fn compare_since(&self, before: &Truth, scrapes: &[Samples], rule: impl Fn(&str) -> Stands) {
        let after = self.table(scrapes);
        let before = before.table(scrapes);
        let (mut compared, mut differences) = (0, Vec::new());
        for (series, shown) in scrapes.iter().flat_map(of_tasks) {
            let stands = rule(&series.0);
            if stands == Stands::Apart {
                continue;
            }
            compared += 1;
            let expected = match stands {
                Stands::ForTheRest => units(&after, &series) - units(&before, &series),
                _ => units(&after, &series),
            };
            let expected = decimal(expected, DECIMALS);
            if plain(&shown) != expected {
                differences.push(format!("{series:?}: {shown}, expected {expected}"));
            }
        }
        assert!(compared > 500, "only {compared} series were compared");
        assert!(
            differences.is_empty(),
            "{} of {compared} series differ:\n{}",
            differences.len(),
            differences[..differences.len().min(40)].join("\n")
        );
        eprintln!("{compared} series are the oracle's, since the change or as a whole");
    }
}

/// The series of a scrape that belong to a task and that the oracle knows.
fn of_tasks(scrape: &Samples) -> impl Iterator<Item = (Series, String)> {
    let ours = scrape.iter().filter(|(name, labels, _)| {
        let is_ours = name.starts_with("shop_") || INTAKE.contains(name);
        is_ours && labels.iter().any(|label| label.0 == "partition")
    });
    ours.map(|(name, labels, text)| ((name.to_owned(), labels.to_vec()), text.to_owned()))
}

/// The series' value in units of 10^-9; 0 where it is not expected at all.
fn units(table: &Table, series: &Series) -> i128 {
    let text = table.0.get(series).map_or("0", String::as_str);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{part:0<width$}", width = DECIMALS as usize);
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{series:?}: {text} is not a decimal"))
}

fn is_counter(name: &str) -> bool {
    COUNTERS.iter().any(|end| name.ends_with(end))
}
