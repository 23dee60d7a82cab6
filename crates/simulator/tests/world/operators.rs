//! What people do to a deployment, once in each world: changed KPIs, moved offsets, a partition more,
//! and a log that is shorter than the policy allows.

use events::Span;
use pipeline::{LogGap, Rules};
use simulator::world::{Fault, FaultKind, FaultPlan, Report, run_plan};

const SEEDS: u64 = 12;

/// Worlds in which only this happens, at the 70th second, and then a crash.
fn worlds(log_gap: LogGap, happens: &[FaultKind]) -> Report {
    let mut total = Report::default();
    for seed in 0..SEEDS {
        let at = |seconds: i64, kind: FaultKind| Fault {
            at: Span::from_seconds(seconds),
            lasts: Span::from_seconds(3),
            kind,
        };
        let mut faults: Vec<Fault> = happens.iter().map(|kind| at(70, *kind)).collect();
        faults.push(at(110, FaultKind::CrashAll));
        let plan = FaultPlan {
            seed,
            partitions: 2,
            processes: 2,
            batch: 40,
            orders_per_second: 1.5,
            fresh: Span::from_seconds(30),
            log_gap,
            topic_ids: true,
            faults,
        };
        match run_plan(&plan, Rules::default()) {
            Ok(report) => total.add(&report),
            Err(failure) => panic!("{failure}"),
        }
    }
    total
}

fn count(report: &Report, notice: &str) -> u64 {
    report.notices.get(notice).copied().unwrap_or(0)
}

#[test]
fn changed_kpis_begin_anew_and_the_others_go_on() {
    let report = worlds(LogGap::Continue, &[FaultKind::ChangePlan]);
    assert!(count(&report, "adopted") >= 2 * SEEDS, "{report:?}");
    assert_eq!(count(&report, "totals lost"), 0, "{report:?}");
}

#[test]
fn offsets_that_were_moved_are_noticed() {
    for by in [-40, 15] {
        let report = worlds(LogGap::Continue, &[FaultKind::MoveOffsets(1, by)]);
        assert!(
            count(&report, "foreign commit") >= SEEDS,
            "{by}: {report:?}"
        );
    }
}

#[test]
fn an_offset_beyond_the_end_is_somebody_elses_and_the_log_the_same() {
    let report = worlds(LogGap::Continue, &[FaultKind::MoveOffsets(1, 5000)]);
    assert!(count(&report, "foreign commit") >= SEEDS, "{report:?}");
    // Where the topic's id isn't known at that moment it may as well be another log.
    assert!(count(&report, "recreated") <= SEEDS / 2, "{report:?}");
}

#[test]
fn a_topic_made_anew_under_its_readers_is_noticed_once_a_task() {
    let report = worlds(
        LogGap::Continue,
        &[FaultKind::RecreateUnderReaders(1, 3000)],
    );
    assert_eq!(count(&report, "recreated"), 2 * SEEDS, "{report:?}");
}

#[test]
fn more_partitions_are_refused_until_the_state_is_reset() {
    let report = worlds(LogGap::Stop, &[FaultKind::Repartition]);
    assert_eq!(count(&report, "partitions changed"), SEEDS, "{report:?}");
}

#[test]
fn a_gap_stops_the_service_if_that_is_the_policy() {
    let gap = [
        FaultKind::CrashAll,
        FaultKind::Wipe,
        FaultKind::Retention(Span::ZERO),
    ];
    let report = worlds(LogGap::Stop, &gap);
    assert!(count(&report, "stopped at a gap") >= 1, "{report:?}");
}
