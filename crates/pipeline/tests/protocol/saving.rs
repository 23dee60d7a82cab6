//! When tasks are saved, and what becomes of it when they can't be.

use events::Span;
use pipeline::Input;
use pipeline::port::{Notice, SaveError};

use crate::plans::{MORNING, SECOND, orders};
use crate::restarts::crashed;
use crate::rig::{Rig, TASK};

/// Reads for so long, with a record every second, and says when it was saved, in seconds.
fn saved_at(rig: &mut Rig, seconds: i64) -> Vec<i64> {
    rig.saves.clear();
    let begun = rig.world.now;
    for _ in 0..seconds {
        rig.append(0, "order.placed", 1);
        rig.pass(1);
    }
    rig.saves
        .iter()
        .map(|(at, _)| (at - begun) / SECOND)
        .collect()
}

fn assigned() -> Rig {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 1);
    rig.assign();
    rig
}

#[test]
fn the_first_snapshot_is_made_soon_and_then_one_an_interval() {
    let mut rig = assigned();
    let times = saved_at(&mut rig, 45);
    assert_eq!(times.len(), 5, "{times:?}");
    assert!(times[0] <= 2, "{times:?}");
    assert!(
        times
            .windows(2)
            .all(|pair| (9..=11).contains(&(pair[1] - pair[0]))),
        "{times:?}"
    );
}

#[test]
fn costly_snapshots_are_made_less_often() {
    let mut rig = assigned();
    rig.world.held_up = Span::from_seconds(1);
    let times = saved_at(&mut rig, 100);
    assert_eq!(times.len(), 4, "a second each, 3 % of the time: {times:?}");
}

#[test]
fn an_unchanged_state_is_saved_seldom() {
    let mut rig = assigned();
    rig.pass(90);
    assert_eq!(rig.saves.len(), 1);
    rig.pass(30);
    assert_eq!(rig.saves.len(), 2);
}

#[test]
fn a_store_that_is_down_does_not_stop_the_publishing() {
    let mut rig = assigned();
    rig.world.store_down = true;
    let times = saved_at(&mut rig, 60);
    assert!(
        (4..=6).contains(&times.len()),
        "the pauses double: {times:?}"
    );
    assert_eq!(rig.orders(), Some(61));
    assert!(rig.told(|notice| matches!(notice, Notice::StoreUnavailable { .. })) >= 4);
    rig.world.store_down = false;
    assert!(!saved_at(&mut rig, 60).is_empty());
    assert!(rig.failed.is_none());
}

#[test]
fn another_snapshot_of_the_same_name_stops_the_worker() {
    let mut rig = assigned();
    rig.world.save_error = Some(SaveError::Differs("byte 7".into()));
    rig.pass(3);
    let message = rig.failed.as_deref().unwrap_or_default();
    assert!(
        message.contains("byte 7") && message.contains("bug"),
        "{message}"
    );
    let sent = rig.sent.len();
    rig.pass(5);
    assert_eq!(rig.sent.len(), sent, "it does nothing more");
}

#[test]
fn a_store_that_was_emptied_gets_everything_again() {
    let mut rig = assigned();
    rig.pass(3);
    rig.append(0, "order.placed", 5);
    rig.world.save_error = Some(SaveError::Incomplete("sections are gone".into()));
    rig.pass(15);
    rig.world.heads.clear();
    rig.world.sections.clear();
    rig.append(0, "order.placed", 5);
    rig.pass(12);
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Restored { .. })),
        1
    );
    assert_eq!(rig.orders(), Some(11));
}

#[test]
fn a_stop_saves_what_was_committed_last() {
    let mut rig = assigned();
    rig.pass(3);
    rig.append(0, "order.placed", 5);
    rig.deliver();
    rig.step(Input::Stopping);
    assert_eq!(
        rig.released, 0,
        "the last commit and the snapshot are awaited"
    );
    rig.settle();
    assert_eq!(rig.released, 1);
    let (_, newest) = rig.saves.last().expect("it was saved");
    assert!(newest.ends_with("00000000000000000006.kept"), "{newest}");
    assert_eq!((rig.committed(0), rig.orders()), (Some(6), Some(6)));
    assert!(rig.world.now > MORNING);
}

#[test]
fn a_stop_waits_for_a_store_that_is_down_only_so_long() {
    let mut rig = assigned();
    rig.pass(3);
    rig.append(0, "order.placed", 5);
    rig.deliver();
    rig.world.store_down = true;
    rig.step(Input::Stopping);
    rig.pass(3);
    assert_eq!(rig.released, 0);
    rig.pass(3);
    assert_eq!(rig.released, 1);
}

#[test]
fn a_gap_that_was_counted_is_counted_after_a_restart() {
    let mut rig = assigned();
    rig.pass(4);
    let read = rig.log(0).records.len() as i64;
    let mut rig = rig.restart();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = read + 7;
    rig.assign();
    rig.pass(15);
    let gap = |rig: &Rig| -> u64 { rig.board[&TASK].inputs.iter().map(|it| it.gap).sum() };
    assert_eq!(gap(&rig), 7);
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Restored { .. })),
        1
    );
    assert_eq!(gap(&rig), 7);
}

/// Shown is committed: what comes after that must find the same totals and the same gap.
#[test]
fn totals_that_begin_at_zero_are_saved_before_they_are_committed() {
    let mut rig = overtaken();
    let gap = |rig: &Rig| -> u64 { rig.board[&TASK].inputs.iter().map(|it| it.gap).sum() };
    while rig.orders().is_none() {
        rig.pass_a_tenth();
    }
    assert_eq!((rig.orders(), gap(&rig)), (Some(7), 3));
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    let lost = |notice: &Notice| matches!(notice, Notice::TotalsLost { .. });
    assert_eq!(rig.told(lost), 0, "{:?}", rig.notices);
    assert_eq!((rig.orders(), gap(&rig)), (Some(7), 3));
}

#[test]
fn totals_that_begin_at_zero_are_shown_while_the_store_is_down() {
    let mut rig = overtaken();
    rig.world.store_down = true;
    rig.pass(2);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(7), Some(25)));
}

/// Of what was shown and not saved five records are gone, and three that nobody had read.
fn overtaken() -> Rig {
    let mut rig = crashed();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 18;
    rig.assign();
    rig
}
