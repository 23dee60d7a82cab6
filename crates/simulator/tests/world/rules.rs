//! Each rule broken once: the worlds find out, and hold again with the rule in force.

use std::ops::Range;

use events::Span;
use pipeline::{LogGap, Rules};
use simulator::world::{Check, Fault, FaultKind, FaultPlan, run, run_plan, run_with};

/// Breaks a rule in seed after seed until a check breaks, which must be one of these.
fn is_found(name: &str, seeds: Range<u64>, checks: &[Check], break_it: impl Fn(&mut Rules)) {
    let mut rules = Rules::default();
    break_it(&mut rules);
    assert_ne!(rules, Rules::default(), "{name} is broken");
    let failed = seeds
        .clone()
        .find_map(|seed| Some((seed, run_with(seed, rules).err()?)));
    let Some((seed, failure)) = failed else {
        panic!("without {name} nothing was found in the seeds {seeds:?}");
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
    is_found("publish_after_commit", 0..5, &[Check::Committed], |it| {
        it.publish_after_commit = false;
    });
}

#[test]
fn views_without_a_lease_are_found() {
    let checks = [Check::Lease, Check::Monotonic];
    is_found("lease", 0..20, &checks, |it| it.lease = false);
}

#[test]
fn snapshots_without_their_offsets_are_found() {
    // A state that is made again from its first offsets reads from others then: it begins anew.
    let checks = [Check::Oracle, Check::SameState, Check::Kept];
    is_found("snapshot_offsets", 0..20, &checks, |it| {
        it.snapshot_offsets = false;
    });
}

#[test]
fn showing_before_what_is_committed_is_reached_is_found() {
    let checks = [Check::CommitBack, Check::Monotonic];
    is_found("wait_for_threshold", 0..20, &checks, |it| {
        it.wait_for_threshold = false;
    });
}

#[test]
fn showing_a_new_task_before_it_has_caught_up_is_found() {
    is_found("catch_up_first", 0..10, &[Check::FirstShown], |it| {
        it.catch_up_first = false;
    });
}

#[test]
fn going_on_from_a_state_that_was_given_up_is_found() {
    is_found("same_lineage", 0..400, &[Check::Lineage], |it| {
        it.same_lineage = false;
    });
}

#[test]
fn a_log_that_is_taken_for_another_is_found() {
    let checks = [Check::Oracle, Check::SameState];
    is_found("ids and records", 0..400, &checks, |it| {
        (it.compare_records, it.compare_topics) = (false, false);
    });
}

#[test]
fn a_topic_that_is_taken_for_another_while_it_is_read_is_found() {
    let broken = Rules {
        compare_topics: false,
        ..Rules::default()
    };
    let plan = |seed| FaultPlan {
        topic_ids: true,
        faults: vec![Fault {
            at: Span::from_seconds(60),
            lasts: Span::ZERO,
            kind: FaultKind::RecreateUnderReaders(seed, 3000),
        }],
        ..overtaken(seed)
    };
    let failed = (0..10).find_map(|seed| Some((seed, run_plan(&plan(seed), broken).err()?)));
    let (seed, failure) = failed.expect("without compare_topics nothing was found");
    eprintln!("without compare_topics, seed {seed}: {}", failure.check);
    assert_eq!(failure.check, Check::Oracle, "{failure}");
    if let Err(failure) = run_plan(&plan(seed), Rules::default()) {
        panic!("seed {seed} doesn't hold with compare_topics:\n{failure}");
    }
}

#[test]
fn totals_that_begin_at_zero_at_different_times_are_found() {
    let checks = [Check::Oracle, Check::SameState];
    is_found("hold_lost_totals", 0..100, &checks, |it| {
        it.hold_lost_totals = false;
    });
}

#[test]
fn one_clock_for_all_inputs_is_found() {
    let checks = [Check::Oracle, Check::SameState];
    is_found("own_clocks", 0..5, &checks, |it| it.own_clocks = false);
}

/// Freezes one of two processes again and again while the other reads on and is then killed: the
/// one that comes back has an old view of a task on its board, and another task that is ready first.
fn overtaken(seed: u64) -> FaultPlan {
    let fault = |at: i64, lasts: i64, kind: FaultKind| Fault {
        at: Span::from_seconds(at),
        lasts: Span::from_seconds(lasts),
        kind,
    };
    let round = |at: i64| {
        [
            fault(at, 18, FaultKind::Freeze(0)),
            fault(at + 18, 8, FaultKind::Crash(1)),
        ]
    };
    FaultPlan {
        seed,
        partitions: 3,
        processes: 2,
        batch: 12,
        orders_per_second: 2.5,
        fresh: Span::ZERO,
        log_gap: LogGap::Continue,
        topic_ids: true,
        faults: [20, 60, 100].into_iter().flat_map(round).collect(),
    }
}

#[test]
fn a_view_that_was_overtaken_and_comes_back_is_found() {
    let broken = Rules {
        withdraw_overtaken: false,
        ..Rules::default()
    };
    let failed = (0..60).find_map(|seed| Some((seed, run_plan(&overtaken(seed), broken).err()?)));
    let (seed, failure) = failed.expect("without withdraw_overtaken nothing was found");
    eprintln!("without withdraw_overtaken, seed {seed}: {}", failure.check);
    assert_eq!(failure.check, Check::Monotonic, "{failure}");
    if let Err(failure) = run_plan(&overtaken(seed), Rules::default()) {
        panic!("seed {seed} doesn't hold with withdraw_overtaken:\n{failure}");
    }
}

/// Somebody joins and gets a part of what the first process had given back; that one is stopped before
/// it hears of it, and its successor is killed soon after it took over.
fn stopped_after_release(seed: u64) -> FaultPlan {
    let fault = |at_ms: i64, lasts_ms: i64, kind: FaultKind| Fault {
        at: Span(at_ms * 1000),
        lasts: Span(lasts_ms * 1000),
        kind,
    };
    let round = |number: i64| {
        let at = 12_000 + number * 16_000;
        let stops = 200 + (seed as i64 * 137 + number * 211) % 1300;
        [
            fault(at, 1, FaultKind::Join),
            fault(at + stops, 3000, FaultKind::Freeze(0)),
            fault(at + stops + 2700, 200, FaultKind::Crash(1)),
            fault(at + 10_000, 1, FaultKind::Leave(2)),
        ]
    };
    FaultPlan {
        seed,
        partitions: 3,
        processes: 2,
        batch: 12,
        orders_per_second: 2.5,
        fresh: Span::ZERO,
        log_gap: LogGap::Continue,
        topic_ids: true,
        faults: (0..8).flat_map(round).collect(),
    }
}

#[test]
fn a_view_of_a_share_given_back_that_a_stopped_worker_shows_is_found() {
    let broken = Rules {
        released_by_the_moment: false,
        ..Rules::default()
    };
    let run = |seed, rules| run_plan(&stopped_after_release(seed), rules);
    let failed = (0..200).find_map(|seed| Some((seed, run(seed, broken).err()?)));
    let (seed, failure) = failed.expect("without released_by_the_moment nothing was found");
    eprintln!(
        "without released_by_the_moment, seed {seed}: {}",
        failure.check
    );
    assert_eq!(failure.check, Check::Monotonic, "{failure}");
    if let Err(failure) = run(seed, Rules::default()) {
        panic!("seed {seed} doesn't hold with released_by_the_moment:\n{failure}");
    }
}

/// A store that is slow, and where nothing is left of a task: everybody dies soon after its totals
/// have begun at zero.
fn lost_and_killed(seed: u64) -> FaultPlan {
    let fault = |at_ms: i64, lasts_ms: i64, kind: FaultKind| Fault {
        at: Span(at_ms * 1000),
        lasts: Span(lasts_ms * 1000),
        kind,
    };
    let round = |number: i64| {
        let at = 15_000 + number * 30_000;
        let dies = 7000 + (seed as i64 * 137 + number * 1701) % 5000;
        [
            fault(at, 500, FaultKind::CrashAll),
            fault(at + 100, 1, FaultKind::Wipe),
            fault(at + 200, 1, FaultKind::Retention(Span::ZERO)),
            fault(at + dies, 300, FaultKind::CrashAll),
        ]
    };
    let slow = FaultKind::SlowStore(Span(1_400_000));
    let mut faults = vec![fault(0, 140_000, slow)];
    faults.extend((0..4).flat_map(round));
    FaultPlan {
        seed,
        partitions: 3,
        processes: 1,
        batch: 40,
        orders_per_second: 2.5,
        fresh: Span::ZERO,
        log_gap: LogGap::Continue,
        topic_ids: true,
        faults,
    }
}

#[test]
fn a_commit_before_what_nothing_else_would_give_again_is_saved_is_found() {
    let broken = Rules {
        saved_first: false,
        ..Rules::default()
    };
    let run = |seed, rules| run_plan(&lost_and_killed(seed), rules);
    let failed = (0..60).find_map(|seed| Some((seed, run(seed, broken).err()?)));
    let (seed, failure) = failed.expect("without saved_first nothing was found");
    eprintln!("without saved_first, seed {seed}: {}", failure.check);
    assert_eq!(failure.check, Check::Kept, "{failure}");
    for seed in 0..=seed.max(9) {
        if let Err(failure) = run(seed, Rules::default()) {
            panic!("seed {seed} doesn't hold with saved_first:\n{failure}");
        }
    }
}

/// Somebody dies while the store is away: what the others get waits for it, what they have does not.
fn dead_without_a_store(seed: u64) -> FaultPlan {
    let fault = |at: i64, lasts: i64, kind: FaultKind| Fault {
        at: Span::from_seconds(at),
        lasts: Span::from_seconds(lasts),
        kind,
    };
    FaultPlan {
        seed,
        partitions: 6,
        processes: 3,
        batch: 40,
        orders_per_second: 2.5,
        fresh: Span::ZERO,
        log_gap: LogGap::Continue,
        topic_ids: true,
        faults: vec![
            fault(30, 70, FaultKind::StoreDown),
            fault(35, 60, FaultKind::Crash(seed)),
        ],
    }
}

#[test]
fn a_task_that_is_ready_and_waits_for_one_that_is_not_is_found() {
    let broken = Rules {
        ready_first: false,
        ..Rules::default()
    };
    let run = |seed, rules| run_plan(&dead_without_a_store(seed), rules);
    let failed = (0..20).find_map(|seed| Some((seed, run(seed, broken).err()?)));
    let (seed, failure) = failed.expect("without ready_first nothing was found");
    eprintln!("without ready_first, seed {seed}: {}", failure.check);
    assert_eq!(failure.check, Check::Served, "{failure}");
    for seed in 0..=seed.max(9) {
        if let Err(failure) = run(seed, Rules::default()) {
            panic!("seed {seed} doesn't hold with ready_first:\n{failure}");
        }
    }
}
