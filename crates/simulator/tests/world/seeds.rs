//! Seeds with all rules in force: a fixed set that everybody runs, and a few that nobody has seen.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use simulator::world::{FaultPlan, Report, run};

/// How many seeds: the test's own number, or what the environment says.
#[expect(clippy::disallowed_methods, reason = "a test asks how long to run")]
fn asked(usual: u64) -> u64 {
    let asked = std::env::var("KEPT_SEEDS").ok();
    asked.map_or(usual, |text| text.parse().expect("KEPT_SEEDS is a number"))
}

/// Runs them all; one that fails prints itself and how to see it again.
fn hold(seeds: impl Iterator<Item = u64>) -> Report {
    let mut total = Report::default();
    for seed in seeds {
        match run(seed) {
            Ok(report) => total.add(&report),
            Err(failure) => panic!("{failure}\nkept simulate --seed {seed}"),
        }
    }
    total
}

/// What a fixed half of the seeds must have seen, or the faults have no teeth.
fn bites(report: &Report, notices: &[&str]) {
    for notice in notices {
        let count = report.notices.get(notice).copied().unwrap_or(0);
        assert!(count > 0, "no {notice} in {report:?}");
    }
    assert!(report.compared > 500, "{report:?}");
    assert!(report.with_field_errors > 100, "{report:?}");
}

const USUAL: [&str; 8] = [
    "kept in memory",
    "restored",
    "snapshot refused",
    "store unavailable",
    "commit failed",
    "fenced",
    "serving",
    "rebuilt",
];

#[test]
fn even_seeds_hold() {
    let report = hold((0..asked(100)).map(|index| 2 * index));
    bites(&report, &USUAL);
}

#[test]
fn odd_seeds_hold() {
    let report = hold((0..asked(100)).map(|index| 2 * index + 1));
    bites(&report, &USUAL);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "seeds that nobody has seen")]
fn fresh_seeds_hold() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let first = now.expect("after 1970").as_micros() as u64 % 1_000_000_000_000;
    eprintln!("fresh seeds from {first}");
    hold(first..first + 6);
}

/// A topic made anew before anything of it was read, where all that tells is what was committed.
#[test]
fn seed_1261_holds() {
    let report = run(1261).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.notices["recreated"] >= 2, "{report:?}");
}

/// Seeds in which retention overtakes what was read: the gap that is shown is the oracle's.
#[test]
fn seeds_with_gaps_hold() {
    for seed in [226, 486, 603] {
        let report = run(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(report.with_gap > 0, "seed {seed}: {report:?}");
    }
}

#[test]
fn a_seed_is_one_history() {
    for seed in [3, 17] {
        assert_eq!(run(seed).ok(), run(seed).ok(), "seed {seed}");
        assert_ne!(
            run(seed).ok().map(|report| report.digest),
            run(seed + 1).ok().map(|report| report.digest)
        );
    }
}

#[test]
fn every_kind_of_fault_is_drawn() {
    let mut drawn: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..200 {
        for fault in FaultPlan::draw(seed).faults {
            let text = format!("{:?}", fault.kind);
            let name = text.split(['(', ' ']).next().unwrap_or_default();
            *drawn.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(drawn.len(), 26, "{drawn:?}");
    assert!(drawn.values().all(|count| *count >= 2), "{drawn:?}");
}
