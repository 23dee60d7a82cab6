//! Shares come and go: drained, frozen in memory, given to others, and back.

use std::sync::Arc;

use catalogue::plan::TopicId;
use pipeline::port::Notice;
use pipeline::{Input, Rules};

use crate::plans::{SECOND, joined, orders};
use crate::rig::{Commits, Rig, TASK, options};

fn reading() -> Rig {
    let mut rig = Rig::new(&orders());
    rig.append(0, "order.placed", 5);
    rig.assign();
    rig.pass(3);
    assert_eq!(rig.orders(), Some(5));
    rig
}

/// Revoked, with everything committed that can be.
fn revoked() -> Rig {
    let mut rig = reading();
    rig.append(0, "order.placed", 2);
    rig.deliver();
    rig.step(Input::Revoked);
    rig.settle();
    rig
}

#[test]
fn a_revoked_share_is_committed_and_shown_once_more_before_it_is_given_back() {
    let mut rig = reading();
    rig.append(0, "order.placed", 2);
    rig.deliver();
    rig.step(Input::Revoked);
    assert_eq!(rig.released, 0, "the last commit is on its way");
    rig.settle();
    assert_eq!(
        (rig.released, rig.committed(0), rig.orders()),
        (1, Some(7), Some(7))
    );
}

#[test]
fn giving_back_waits_for_a_commit_only_so_long() {
    let mut rig = reading();
    rig.append(0, "order.placed", 2);
    rig.world.commits = Commits::Silent;
    rig.pass(1);
    rig.step(Input::Revoked);
    rig.pass(1);
    assert_eq!(rig.released, 0);
    rig.pass(2);
    assert_eq!((rig.released, rig.orders()), (1, Some(5)));
}

#[test]
fn what_is_delivered_after_a_revocation_is_not_read() {
    let mut rig = reading();
    rig.step(Input::Revoked);
    rig.append(0, "order.placed", 1);
    rig.deliver();
    rig.settle();
    assert_eq!(rig.committed(0), Some(5));
}

#[test]
fn a_frozen_task_that_comes_back_goes_on_from_memory() {
    let mut rig = revoked();
    rig.world.store_down = true;
    rig.assign();
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Kept { task: TASK })),
        1
    );
    assert_eq!(rig.orders(), Some(7), "it was shown all the time");
    rig.append(0, "order.placed", 2);
    rig.pass(2);
    assert_eq!((rig.orders(), rig.loads.len()), (Some(9), 0));
}

#[test]
fn a_view_stays_until_another_member_got_its_task() {
    let mut rig = revoked();
    assert_eq!(rig.orders(), Some(7));
    assert_eq!(rig.worker.tasks().serving, 1);
    rig.assign_only(&[]);
    assert_eq!((rig.orders(), rig.board.len()), (None, 0));
    assert_eq!(rig.worker.tasks().serving, 0);
}

#[test]
fn the_view_of_a_revoked_task_ends_with_its_lease() {
    let mut rig = revoked();
    rig.pass(10);
    assert_eq!(rig.orders(), None);
    assert_eq!(rig.worker.tasks().fenced, 1);
}

/// The next owner may have gone beyond it and be gone again.
pub fn stopped_after_release(rules: Rules) -> Rig {
    let mut rig = Rig::with(&orders(), options(), rules);
    rig.append(0, "order.placed", 5);
    rig.assign();
    rig.pass(3);
    rig.step(Input::Revoked);
    rig.settle();
    rig.pass(1);
    assert_eq!(rig.orders(), Some(5));
    rig.world.now += 2 * SECOND;
    rig
}

#[test]
fn a_worker_that_was_stopped_after_it_gave_its_share_back_shows_nothing_at_first() {
    let mut rig = stopped_after_release(Rules::default());
    assert_eq!(rig.orders(), None);
    rig.turn();
    assert_eq!(rig.orders(), Some(5), "it heard of no other owner");
    rig.assign();
    rig.world.now += 2 * SECOND;
    assert_eq!(
        rig.orders(),
        Some(5),
        "it is its own again: the lease counts"
    );
}

/// Revoked; another member had the task in between, read three more, and this one never heard of it.
pub fn overtaken(mut rig: Rig) -> Rig {
    rig.append(0, "order.placed", 7);
    rig.assign();
    rig.pass(3);
    rig.step(Input::Revoked);
    rig.settle();
    rig.append(0, "order.placed", 3);
    let place = rig.share[0];
    rig.world
        .committed
        .get_mut(&place)
        .expect("it was committed")
        .0 = 10;
    rig.world.batch = 1;
    rig.assign();
    rig
}

#[test]
fn a_task_that_another_member_went_on_with_is_shown_when_it_is_there() {
    let mut rig = overtaken(Rig::new(&orders()));
    assert_eq!(rig.orders(), None, "10 were published already by somebody");
    rig.pass(3);
    assert_eq!(rig.orders(), Some(10));
}

/// While the task lay in memory another member lost its totals and committed that.
pub fn revoked_and_lost(mut rig: Rig) -> Rig {
    rig.append(0, "order.placed", 5);
    rig.assign();
    rig.pass(3);
    rig.step(Input::Revoked);
    rig.settle();
    let mut other = Rig::new(&orders());
    std::mem::swap(&mut other.world, &mut rig.world);
    other.world.heads.clear();
    other.log(0).start = 2;
    other.world.rebuild_start = 5;
    other.assign();
    other.pass(2);
    assert_eq!(other.orders(), Some(0), "totals are lost");
    std::mem::swap(&mut other.world, &mut rig.world);
    rig.assign();
    rig.pass(2);
    rig
}

#[test]
fn memory_of_another_lineage_is_not_used() {
    let rig = revoked_and_lost(Rig::new(&orders()));
    assert_eq!(rig.told(|notice| matches!(notice, Notice::Kept { .. })), 0);
    assert_eq!(rig.orders(), Some(0), "{:?}", rig.notices);
}

#[test]
fn a_lost_share_is_given_back_at_once_and_its_commit_shows_nothing() {
    let mut rig = reading();
    rig.append(0, "order.placed", 2);
    rig.world.commits = Commits::Silent;
    rig.pass(2);
    let commit = rig.sent.len() as u64;
    rig.step(Input::Lost);
    assert_eq!(rig.released, 1);
    rig.step(Input::Committed {
        commit,
        result: Ok(()),
    });
    assert_eq!(rig.orders(), Some(5));
}

#[test]
fn a_share_is_given_back_while_it_is_got_ready() {
    let mut rig = Rig::new(&orders());
    rig.ask_to_assign(&rig.share.clone());
    rig.step(Input::Revoked);
    assert_eq!(rig.released, 1);
    rig.settle();
    assert!(rig.positions.is_empty(), "late answers begin nothing");
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.orders(), Some(0));
}

#[test]
fn answers_for_a_share_that_is_over_are_dropped() {
    let mut rig = Rig::new(&orders());
    rig.ask_to_assign(&rig.share.clone());
    let late = std::mem::take(&mut rig.questions);
    rig.assign_only(&[]);
    rig.questions = late;
    rig.settle();
    assert!(rig.positions.is_empty() && rig.sent.is_empty());
}

#[test]
fn a_log_that_lost_the_next_record_is_looked_up_again() {
    let mut rig = reading();
    rig.append(0, "order.placed", 10);
    rig.log(0).start = 9;
    rig.pass(3);
    assert_eq!(rig.started_over, 1);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Gap { records: 4, .. })),
        1
    );
    assert_eq!(rig.orders(), Some(11));
}

#[test]
fn partitions_that_belong_together_must_come_together() {
    let mut rig = Rig::new(&joined());
    rig.ask_to_assign(&[(TopicId(0), 0)]);
    let message = rig.failed.as_deref().unwrap_or_default();
    assert!(
        message.contains("topic placed came without that of topic fulfilled"),
        "{message}"
    );
}

#[test]
fn a_joined_task_is_committed_and_shown_as_one() {
    let plan = joined();
    let mut rig = Rig::new(&plan);
    rig.append(0, "order.placed", 6);
    rig.append(1, "order.fulfilled", 6);
    rig.assign();
    rig.pass(3);
    let offsets = rig.sent.last().expect("one was sent");
    assert_eq!(
        offsets.iter().map(|entry| entry.offset).collect::<Vec<_>>(),
        [6, 6]
    );
    assert_eq!(rig.board[&TASK].offsets, [6, 6]);
    assert_eq!(Arc::strong_count(&plan) > 1, rig.failed.is_none());
}
