//! What others did meanwhile: offsets moved by hand, and a newer Kept that wrote the snapshots.

use pipeline::port::Notice;

use crate::plans::joined;
use crate::restarts::crashed;
use crate::rig::Rig;

const FORMAT: &str = "format version 999,";

/// What is committed of the first topic is moved, with a note that isn't Kept's.
fn moved(rig: &mut Rig, offset: i64) {
    let place = rig.share[0];
    rig.world.committed.insert(place, (offset, "by ops".into()));
}

/// Each foreign commit that was told: its offset, and whether it was used.
fn foreign(rig: &Rig) -> Vec<(i64, bool)> {
    let told = rig.notices.iter().filter_map(|notice| match notice {
        Notice::ForeignCommit { offset, used, .. } => Some((*offset, *used)),
        _ => None,
    });
    told.collect()
}

/// All snapshots are as a newer Kept would have written them.
fn written_by_a_newer_one(rig: &mut Rig) {
    for head in rig.world.heads.values_mut() {
        head[8..10].copy_from_slice(&999_u16.to_le_bytes());
    }
}

#[test]
fn an_offset_moved_back_by_hand_is_told_and_ignored() {
    let mut rig = crashed();
    moved(&mut rig, 3);
    rig.assign();
    assert_eq!(foreign(&rig), [(3, false)]);
    rig.pass(3);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(15), Some(15)));
    // Kept's own note is back: nothing to tell any more.
    let mut rig = rig.restart();
    rig.assign();
    assert_eq!(foreign(&rig), []);
}

/// Nothing tells how far was published before the move: a counter must not be shown lower than it was.
#[test]
fn after_an_offset_was_moved_back_nothing_is_shown_before_all_is_read() {
    let mut rig = crashed();
    moved(&mut rig, 3);
    rig.world.batch = 1;
    rig.assign();
    let mut before = rig.orders();
    for _ in 0..60 {
        rig.pass_a_tenth();
        assert!(rig.orders().is_none_or(|shown| shown >= 15), "{before:?}");
        before = rig.orders();
    }
    assert_eq!(rig.orders(), Some(15));
}

#[test]
fn an_offset_moved_on_by_hand_is_told_and_waited_for() {
    let mut rig = crashed();
    rig.append(0, "order.placed", 10);
    moved(&mut rig, 22);
    rig.assign();
    assert_eq!(foreign(&rig), [(22, true)]);
    rig.pass(3);
    assert_eq!(rig.orders(), Some(25));
}

#[test]
fn of_a_join_each_moved_offset_is_told() {
    let mut rig = Rig::new(&joined());
    rig.append(0, "order.placed", 4);
    rig.append(1, "order.fulfilled", 4);
    rig.assign();
    rig.pass(4);
    let mut rig = rig.restart();
    moved(&mut rig, 1);
    rig.assign();
    assert_eq!(foreign(&rig), [(1, false)], "the other topic has its note");
}

#[test]
fn after_a_downgrade_totals_are_not_given_up() {
    let mut rig = crashed();
    written_by_a_newer_one(&mut rig);
    rig.log(0).start = 4;
    rig.world.rebuild_start = 6;
    let committed = rig.world.committed.clone();
    rig.assign();
    rig.pass(2);
    let message = rig.failed.as_deref().unwrap_or_default();
    let said = [FORMAT, "run the newer Kept again", "kept state reset"];
    assert!(
        said.iter().all(|words| message.contains(words)),
        "{message}"
    );
    assert_eq!(rig.world.committed, committed, "nothing was given up");
    assert!(rig.positions.is_empty());
}

#[test]
fn after_a_downgrade_an_expired_group_does_not_begin_anew() {
    let mut rig = crashed();
    written_by_a_newer_one(&mut rig);
    rig.world.committed.clear();
    rig.assign();
    let message = rig.failed.as_deref().unwrap_or_default();
    assert!(message.contains(FORMAT), "{message}");
    assert!(rig.sent.is_empty());
}

#[test]
fn after_a_downgrade_the_log_gives_the_same_state_if_it_reaches_back() {
    let mut rig = crashed();
    written_by_a_newer_one(&mut rig);
    rig.assign();
    rig.pass(2);
    let rebuilding = |notice: &Notice| {
        matches!(
            notice,
            Notice::Rebuilding {
                replay: 15,
                stored: 1,
                ..
            }
        )
    };
    assert_eq!(rig.told(rebuilding), 1, "{:?}", rig.notices);
    assert_eq!((rig.failed.as_deref(), rig.orders()), (None, Some(15)));
}

#[test]
fn an_empty_store_is_told_as_such() {
    let mut rig = crashed();
    rig.world.heads.clear();
    rig.log(0).start = 4;
    rig.world.rebuild_start = 6;
    rig.assign();
    let empty = |notice: &Notice| matches!(notice, Notice::TotalsLost { stored: 0, .. });
    assert_eq!(rig.told(empty), 1, "{:?}", rig.notices);
}

/// Logs made anew may hold the same events again: what they were stamped with tells them apart.
#[test]
fn the_same_records_stamped_at_another_time_are_another_log() {
    let mut rig = crashed();
    let records = rig.log(0).records.iter_mut().flatten();
    records.for_each(|record| record.1 += 1000);
    rig.assign();
    rig.pass(3);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Recreated { .. })),
        1
    );
}
