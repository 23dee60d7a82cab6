//! What a task stands on is gone while it is read: the share is begun again in place, once for all
//! that notice it, and tasks that are not concerned lose nothing.

use catalogue::plan::TopicId;
use pipeline::port::Notice;
use pipeline::{Input, Rules};

use crate::plans::orders;
use crate::rig::{Place, Rig, options};

const CUT: Place = (TopicId(0), 0);
const WHOLE: Place = (TopicId(0), 1);

fn lost(rig: &Rig) -> usize {
    rig.told(|notice| matches!(notice, Notice::TotalsLost { .. }))
}

fn cut(rig: &mut Rig, place: Place, start: i64) {
    let log = rig.world.logs.get_mut(&place);
    log.expect("it is there").start = start;
}

/// Two tasks of a worker with ten orders each, read and shown, of which five are saved.
fn unsaved(rules: Rules) -> Rig {
    let mut options = options();
    options.snapshot_every = events::Span::from_seconds(3600);
    let mut rig = Rig::with(&orders(), options, rules);
    rig.world.partitions = 2;
    for place in [CUT, WHOLE] {
        rig.append_to(place, "order.placed", 5);
    }
    rig.assign_only(&[CUT, WHOLE]);
    rig.pass(4);
    assert_eq!(rig.saves.len(), 2, "each task is saved once");
    for place in [CUT, WHOLE] {
        rig.append_to(place, "order.placed", 5);
    }
    rig.pass(2);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(10), Some(10)));
    rig
}

#[test]
fn a_log_that_is_cut_concerns_no_other_task() {
    let mut rig = unsaved(Rules::default());
    rig.append_to(CUT, "order.placed", 10);
    cut(&mut rig, CUT, 14);
    let loads = rig.loads.len();
    for _ in 0..30 {
        rig.pass_a_tenth();
        assert_eq!(rig.orders_of(1), Some(10), "it is shown all the time");
    }
    assert_eq!((rig.started_over, rig.released, lost(&rig)), (1, 0, 0));
    assert_eq!(rig.loads.len(), loads, "both go on from memory");
    let gone = |notice: &Notice| matches!(notice, Notice::Gap { records: 4, .. });
    assert_eq!(rig.told(gone), 1, "{:?}", rig.notices);
    assert_eq!(rig.orders_of(0), Some(16), "ten and six: nothing is lost");
    rig.append_to(WHOLE, "order.placed", 1);
    rig.pass(2);
    assert_eq!(rig.orders_of(1), Some(11));
}

#[test]
fn logs_that_are_cut_together_are_one_new_beginning() {
    let mut rig = unsaved(Rules::default());
    for place in [CUT, WHOLE] {
        rig.append_to(place, "order.placed", 10);
        cut(&mut rig, place, 14);
    }
    rig.pass(3);
    assert_eq!((rig.started_over, lost(&rig)), (1, 0));
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(16), Some(16)));
}

/// A log is cut while a commit of both tasks has gone through and its answer is on the way.
pub fn cut_behind_a_commit(rules: Rules) -> Rig {
    let mut rig = unsaved(rules);
    rig.pass(2);
    rig.append_to(WHOLE, "order.placed", 2);
    let sent = rig.sent.len();
    while rig.sent.len() == sent {
        rig.world.now += crate::plans::SECOND / 10;
        rig.deliver();
        rig.tick();
    }
    cut(&mut rig, CUT, 14);
    rig.append_to(CUT, "order.placed", 10);
    rig.deliver();
    rig.world.now += crate::plans::SECOND / 10;
    rig.tick();
    rig.settle();
    rig.tick();
    rig.settle();
    assert_eq!(rig.started_over, 1);
    rig
}

#[test]
fn a_commit_on_its_way_is_shown_before_the_share_is_begun_again() {
    let rig = cut_behind_a_commit(Rules::default());
    assert_eq!(rig.orders_of(1), Some(12));
}

/// The task of the whole log has lost its totals and reads a record at a time; then the other's log
/// is cut.
fn cut_beside_lost_totals() -> Rig {
    let mut rig = unsaved(Rules::default()).restart();
    rig.world.heads.retain(|(task, _), _| task.partition == 0);
    // Not from its beginning: that would give the same totals again.
    cut(&mut rig, WHOLE, 1);
    rig.world.rebuild_start = 1;
    rig.world.partitions = 2;
    rig.world.batch = 1;
    rig.assign_only(&[CUT, WHOLE]);
    rig.pass_a_tenth();
    rig.append_to(CUT, "order.placed", 10);
    cut(&mut rig, CUT, 14);
    assert_eq!((lost(&rig), rig.started_over), (1, 0));
    rig
}

#[test]
fn totals_that_are_still_to_be_set_to_zero_are_waited_for() {
    let mut rig = cut_beside_lost_totals();
    rig.turn();
    assert_eq!(rig.started_over, 0, "what it has read would be lost");
    rig.world.batch = usize::MAX;
    rig.pass(4);
    assert_eq!(rig.started_over, 1);
    rig.append_to(WHOLE, "order.placed", 3);
    rig.pass(2);
    assert_eq!(rig.orders_of(1), Some(3), "{:?}", rig.notices);
    let told = |partition: i32| {
        let of_task = move |notice: &Notice| match notice {
            Notice::TotalsLost { task, .. } => task.partition == partition,
            _ => false,
        };
        rig.told(of_task)
    };
    assert_eq!(told(1), 1, "{:?}", rig.notices);
}

#[test]
fn totals_that_do_not_come_to_be_zero_are_waited_for_a_minute() {
    let mut rig = cut_beside_lost_totals();
    rig.paused.insert(WHOLE);
    rig.pass(55);
    assert_eq!(rig.started_over, 0);
    rig.pass(10);
    assert_eq!(rig.started_over, 1);
}

/// It would never get to where its totals are set to zero.
#[test]
fn a_task_with_lost_totals_whose_own_log_is_cut_is_built_once_more() {
    let mut rig = cut_beside_lost_totals();
    rig.append_to(WHOLE, "order.placed", 10);
    cut(&mut rig, WHOLE, 13);
    rig.world.batch = usize::MAX;
    rig.pass(4);
    assert_eq!(rig.started_over, 1, "one for both");
    rig.append_to(WHOLE, "order.placed", 3);
    rig.pass(2);
    assert_eq!(rig.orders_of(1), Some(10), "seven and three");
    let gone = |notice: &Notice| matches!(notice, Notice::Gap { records: 3, .. });
    assert_eq!(rig.told(gone), 1, "{:?}", rig.notices);
}

#[test]
fn brokers_that_contradict_each_other_are_asked_once_a_second() {
    let mut rig = unsaved(Rules::default());
    for _ in 0..50 {
        let (topic, partition) = CUT;
        rig.step(Input::OutOfRange { topic, partition });
        rig.pass_a_tenth();
    }
    assert_eq!(rig.started_over, 5);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(10), Some(10)));
}
