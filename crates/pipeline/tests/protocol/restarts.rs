//! After a crash: where a task goes on, and when it is shown again.

use pipeline::LogGap;
use pipeline::port::Notice;

use crate::plans::{joined, orders, orders_and_refunds};
use crate::rig::{Commits, Rig, TASK};

/// Ten orders read, shown and saved; then five more, shown but not saved.
pub fn crashed() -> Rig {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    rig.append(0, "order.placed", 5);
    rig.pass(3);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(15), Some(15)));
    assert_eq!(rig.saves.len(), 1);
    rig.restart()
}

#[test]
fn a_restarted_task_goes_on_from_its_snapshot_and_is_shown_at_what_is_committed() {
    let mut rig = crashed();
    rig.world.batch = 1;
    rig.assign();
    assert_eq!(
        rig.positions.values().copied().collect::<Vec<_>>(),
        [9],
        "the one before V"
    );
    let mut shown_at = Vec::new();
    for _ in 0..40 {
        rig.pass(1);
        shown_at.extend(rig.orders());
    }
    assert_eq!(shown_at.first(), Some(&15));
    let restored = |notice: &Notice| matches!(notice, Notice::Restored { replay: 5, .. });
    assert_eq!(rig.told(restored), 1, "{:?}", rig.notices);
}

#[test]
fn nothing_below_what_is_committed_is_ever_committed_or_shown() {
    let mut rig = crashed();
    rig.world.batch = 1;
    rig.assign();
    while rig.published.is_empty() {
        rig.turn();
        rig.world.now += 1_000_000;
    }
    assert!(rig.sent.iter().all(|offsets| offsets[0].offset >= 15));
    assert!(
        rig.published
            .iter()
            .all(|(views, _)| views[0].offsets[0] >= 15)
    );
}

#[test]
fn rejects_before_what_is_committed_are_replayed() {
    let mut rig = Rig::new(&orders());
    rig.log(0).records.push(Some(("poison".into(), 1)));
    rig.assign();
    rig.world.store_down = true;
    rig.pass(4);
    assert_eq!(rig.rejects, [false]);
    let mut rig = rig.restart();
    rig.world.store_down = false;
    rig.log(0).records.push(Some(("more poison".into(), 1)));
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.rejects, [true, false]);
}

#[test]
fn of_torn_snapshots_the_one_before_is_used() {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    rig.append(0, "order.placed", 5);
    rig.pass(14);
    assert_eq!(rig.saves.len(), 2);
    let mut rig = rig.restart();
    let newest = rig
        .world
        .heads
        .last_entry()
        .expect("two are there")
        .into_mut();
    let middle = newest.len() / 2;
    newest[middle] ^= 1;
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.loads.len(), 2);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Refused { .. })),
        1
    );
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Restored { .. })),
        1
    );
    assert_eq!(rig.orders(), Some(15));
}

#[test]
fn a_store_that_is_down_is_waited_for() {
    let mut rig = crashed();
    rig.world.store_down = true;
    rig.assign();
    rig.pass(120);
    assert_eq!((rig.orders(), rig.sent.len()), (None, 0));
    assert_eq!(rig.worker.tasks().restoring, 1);
    let told = rig.told(|notice| matches!(notice, Notice::StoreUnavailable { .. }));
    assert!((20..=41).contains(&told), "{told} in two minutes");
    rig.world.store_down = false;
    rig.pass(6);
    assert_eq!(rig.orders(), Some(15));
}

#[test]
fn without_snapshots_the_log_gives_the_same_state_again() {
    let mut rig = crashed();
    rig.world.heads.clear();
    rig.assign();
    rig.pass(2);
    let rebuilding = |notice: &Notice| matches!(notice, Notice::Rebuilding { replay: 15, .. });
    assert_eq!(rig.told(rebuilding), 1, "{:?}", rig.notices);
    assert_eq!(rig.orders(), Some(15));
}

#[test]
fn without_a_store_the_log_does() {
    let mut rig = crashed();
    rig.options.state = false;
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(20);
    assert_eq!((rig.loads.len(), rig.saves.len()), (0, 0));
    assert_eq!(rig.orders(), Some(15));
}

#[test]
fn totals_that_are_lost_begin_at_zero_where_they_were_committed() {
    let mut rig = crashed();
    rig.world.heads.clear();
    rig.log(0).start = 4;
    rig.world.rebuild_start = 6;
    rig.append(0, "order.placed", 3);
    rig.assign();
    assert_eq!(rig.positions.values().copied().collect::<Vec<_>>(), [6]);
    rig.pass(4);
    let lost = |notice: &Notice| matches!(notice, Notice::TotalsLost { replay: 9, .. });
    assert_eq!(rig.told(lost), 1, "{:?}", rig.notices);
    assert_eq!(
        rig.orders(),
        Some(3),
        "only what came after what was committed"
    );
    let notes: Vec<_> = rig
        .sent
        .iter()
        .map(|offsets| offsets[0].note.clone())
        .collect();
    assert!(
        notes[0].contains(" - "),
        "{}: can't be rebuilt from an origin",
        notes[0]
    );
}

/// Two joined topics read, shown and committed at (10, 4); the store is then empty, the log cut.
pub fn lost_join() -> Rig {
    let mut rig = Rig::new(&joined());
    rig.append(0, "order.placed", 10);
    rig.append(1, "order.fulfilled", 4);
    rig.assign();
    rig.pass(3);
    assert_eq!((rig.committed(0), rig.committed(1)), (Some(10), Some(4)));
    let mut rig = rig.restart();
    rig.world.heads.clear();
    rig.log(0).start = 1;
    rig.world.rebuild_start = 1;
    rig.append(0, "order.placed", 3);
    rig.append(1, "order.fulfilled", 2);
    rig
}

#[test]
fn totals_of_a_join_are_zeroed_with_every_input_at_what_was_committed() {
    let mut rig = lost_join();
    // The first is delivered to its end before the other begins.
    rig.assign();
    rig.pass(4);
    assert_eq!(
        rig.started_over, 1,
        "what was turned away has to come again"
    );
    assert_eq!(rig.orders(), Some(3), "{:?}", rig.notices);
    assert_eq!((rig.committed(0), rig.committed(1)), (Some(13), Some(6)));
}

#[test]
fn the_order_of_delivery_does_not_show_when_totals_were_lost() {
    let views = [1, 2, 3, usize::MAX].map(|batch| {
        let mut rig = lost_join();
        rig.world.batch = batch;
        rig.world.delivers_paused = batch == 3;
        rig.assign();
        rig.pass(8);
        let view = rig.board.remove(&TASK).expect("it is shown again");
        format!("{:?} {:?}", view.offsets, view.kpis)
    });
    assert!(views.iter().all(|view| *view == views[0]), "{views:#?}");
}

#[test]
fn a_gap_in_the_log_is_counted_exactly() {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 10);
    rig.assign();
    rig.pass(4);
    let mut rig = rig.restart();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 17;
    rig.assign();
    rig.pass(2);
    let told = |notice: &Notice| matches!(notice, Notice::Gap { records: 7, .. });
    assert_eq!(rig.told(told), 1, "{:?}", rig.notices);
    assert_eq!(
        rig.orders(),
        Some(13),
        "the totals go on: all that was published was saved"
    );
    assert_eq!(gap(&rig), 7);
}

#[test]
fn a_gap_over_records_that_were_published_zeroes_the_totals() {
    let mut rig = crashed();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 18;
    rig.assign();
    rig.pass(2);
    assert_eq!(
        rig.told(|notice| {
            matches!(
                notice,
                Notice::Gap {
                    records: 3,
                    read_before: 5,
                    ..
                }
            )
        }),
        1,
        "five of the eight were read before: {:?}",
        rig.notices
    );
    assert_eq!(gap(&rig), 3);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::TotalsLost { .. })),
        1
    );
    assert_eq!(
        rig.orders(),
        Some(7),
        "17 would be taken for a reset from 15, and counted twice"
    );
}

#[test]
fn records_that_were_read_before_they_were_gone_are_no_gap() {
    let mut rig = crashed();
    rig.log(0).start = 15;
    rig.assign();
    rig.pass(2);
    let told = |notice: &Notice| {
        matches!(
            notice,
            Notice::Gap {
                records: 0,
                read_before: 5,
                ..
            }
        )
    };
    assert_eq!(rig.told(told), 1, "{:?}", rig.notices);
    assert_eq!((rig.orders(), gap(&rig)), (Some(0), 0));
}

#[test]
fn a_gap_is_counted_when_totals_are_lost_with_all_snapshots() {
    let mut rig = crashed();
    rig.world.heads.clear();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 18;
    rig.assign();
    rig.pass(2);
    assert_eq!((rig.orders(), gap(&rig)), (Some(7), 3));
}

/// The records that are gone and were never read, as they are shown.
fn gap(rig: &Rig) -> u64 {
    rig.board[&TASK].inputs.iter().map(|input| input.gap).sum()
}

#[test]
fn a_gap_stops_the_worker_if_that_is_the_policy() {
    let mut rig = crashed();
    rig.options.log_gap = LogGap::Stop;
    let mut rig = rig.restart();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 18;
    rig.assign();
    let message = rig.failed.as_deref().unwrap_or_default();
    assert!(message.contains("8 of topic shop"), "{message}");
    assert!(rig.positions.is_empty() && rig.sent.is_empty());
}

#[test]
fn a_log_that_ends_before_what_is_committed_is_another_one() {
    let mut rig = crashed();
    rig.log(0).records.clear();
    rig.append(0, "order.placed", 3);
    rig.assign();
    rig.pass(2);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Recreated { .. })),
        1
    );
    assert_eq!((rig.orders(), rig.committed(0)), (Some(3), Some(3)));
}

#[test]
fn a_log_whose_last_read_record_is_another_one_is_another_log() {
    let mut rig = crashed();
    rig.log(0).records.clear();
    rig.append(0, "order.refunded", 20);
    rig.append(0, "order.placed", 2);
    rig.assign();
    rig.pass(3);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Recreated { .. })),
        1
    );
    assert_eq!(
        (rig.orders(), rig.committed(0)),
        (Some(2), Some(22)),
        "{:?}",
        rig.notices
    );
    // The old snapshots are of another lineage: they don't come back.
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(3);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Recreated { .. })),
        0
    );
    assert_eq!(rig.orders(), Some(2));
}

#[test]
fn another_log_stops_the_worker_if_that_is_the_policy() {
    let mut rig = crashed();
    rig.options.log_gap = LogGap::Stop;
    let mut rig = rig.restart();
    rig.log(0).records.clear();
    rig.append(0, "order.refunded", 20);
    rig.assign();
    rig.pass(1);
    let message = rig.failed.as_deref().unwrap_or_default();
    assert!(
        message.contains("topic shop") && message.contains("offset 9"),
        "{message}"
    );
    assert!(rig.published.is_empty());
}

#[test]
fn a_topic_with_more_partitions_than_before_is_refused() {
    let mut rig = crashed();
    rig.world.partitions = 16;
    rig.assign();
    let message = rig.failed.as_deref().unwrap_or_default();
    assert!(
        message.contains("had 1 partitions") && message.contains("has 16 now"),
        "{message}"
    );
}

#[test]
fn another_plan_takes_the_snapshot_over_and_is_gone_on_from_again() {
    let rig = crashed();
    let mut rig = rig.restart_as(&orders_and_refunds());
    rig.assign();
    rig.pass(2);
    let adopted = |notice: &Notice| match notice {
        Notice::Adopted { anew, .. } => *anew == ["refunds"],
        _ => false,
    };
    assert_eq!(rig.told(adopted), 1, "{:?}", rig.notices);
    assert_eq!(rig.orders(), Some(15));
    // A crash before the new plan's first snapshot: the old one leads to the same lineage.
    let names = rig
        .world
        .heads
        .keys()
        .next()
        .cloned()
        .expect("the old snapshot");
    rig.world.heads.retain(|key, _| *key == names);
    let mut rig = rig.restart();
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.orders(), Some(15));
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::TotalsLost { .. })),
        0
    );
}

#[test]
fn expired_offsets_are_found_again_in_the_snapshots() {
    let mut rig = crashed();
    rig.world.committed.clear();
    rig.assign();
    rig.pass(2);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Restored { .. })),
        1
    );
    assert_eq!(rig.orders(), Some(15));
}

#[test]
fn offsets_moved_by_hand_are_a_threshold_and_never_a_start() {
    for moved in [3, 14] {
        let mut rig = crashed();
        let place = rig.share[0];
        rig.world.committed.insert(place, (moved, String::new()));
        rig.assign();
        rig.pass(2);
        assert_eq!(
            rig.orders(),
            Some(15),
            "moved to {moved}: {:?}",
            rig.notices
        );
    }
}

#[test]
fn a_crash_before_the_first_view_begins_at_the_same_offsets_again() {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 10);
    rig.world.fresh_start = 3;
    rig.ask_to_assign(&rig.share.clone());
    rig.settle();
    rig.world.commits = Commits::Silent;
    rig.pass(1);
    let mut rig = rig.restart();
    rig.world.commits = Commits::Taken;
    rig.world.fresh_start = 8;
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.orders(), Some(7));
}
