//! Each rule broken once: the worlds find out, and hold again with the rule in force.

use pipeline::Rules;
use simulator::world::{Check, run, run_with};

/// Breaks a rule in seed after seed until a check breaks, which must be one of these.
fn is_found(name: &str, within: u64, checks: &[Check], break_it: impl Fn(&mut Rules)) {
    let mut rules = Rules::default();
    break_it(&mut rules);
    assert_ne!(rules, Rules::default(), "{name} is broken");
    let failed = (0..within).find_map(|seed| Some((seed, run_with(seed, rules).err()?)));
    let Some((seed, failure)) = failed else {
        panic!("without {name} nothing was found in {within} seeds");
    };
    eprintln!("without {name}, seed {seed}: {}", failure.check);
    assert!(
        checks.contains(&failure.check),
        "without {name}, seed {seed} finds something else:\n{failure}"
    );
    if let Err(failure) = run(seed) {
        panic!("seed {seed} doesn't hold with {name}:\n{failure}");
    }
}

#[test]
fn publishing_before_the_commit_is_found() {
    is_found("publish_after_commit", 5, &[Check::Committed], |it| {
        it.publish_after_commit = false;
    });
}

#[test]
fn views_without_a_lease_are_found() {
    let checks = [Check::Lease, Check::Monotonic];
    is_found("lease", 20, &checks, |it| it.lease = false);
}

#[test]
fn snapshots_without_their_offsets_are_found() {
    let checks = [Check::Oracle, Check::SameState];
    is_found("snapshot_offsets", 20, &checks, |it| {
        it.snapshot_offsets = false;
    });
}

#[test]
fn showing_before_what_is_committed_is_reached_is_found() {
    let checks = [Check::CommitBack, Check::Monotonic];
    is_found("wait_for_threshold", 20, &checks, |it| {
        it.wait_for_threshold = false;
    });
}
