//! A share of which some tasks have to wait for a state store that doesn't answer: the others go on.

use catalogue::plan::TopicId;
use pipeline::port::Notice;
use pipeline::{Input, Rules};

use crate::plans::orders;
use crate::rig::{Commits, Place, Rig, options};

const OWN: Place = (TopicId(0), 0);
const OTHER: Place = (TopicId(0), 1);

/// Two partitions with five orders each.
fn two(rules: Rules) -> Rig {
    let mut rig = Rig::with(&orders(), options(), rules);
    rig.world.partitions = 2;
    rig.append_to(OWN, "order.placed", 5);
    rig.append_to(OTHER, "order.placed", 5);
    rig
}

/// Another worker of the same world does something.
fn by_another(rig: &mut Rig, what: impl FnOnce(&mut Rig)) {
    let mut other = two(Rules::default());
    std::mem::swap(&mut other.world, &mut rig.world);
    what(&mut other);
    assert_eq!(other.failed, None);
    std::mem::swap(&mut other.world, &mut rig.world);
}

/// One partition each; then this worker is given the other one too, while the store is down.
pub fn given_another(rules: Rules) -> Rig {
    let mut rig = two(rules);
    rig.assign_only(&[OWN]);
    rig.pass(3);
    by_another(&mut rig, |other| {
        other.assign_only(&[OTHER]);
        other.pass(3);
        assert_eq!(other.orders_of(1), Some(5));
    });
    rig.step(Input::Revoked);
    rig.settle();
    rig.world.store_down = true;
    rig.assign_only(&[OWN, OTHER]);
    rig.append_to(OWN, "order.placed", 2);
    rig.append_to(OTHER, "order.placed", 2);
    rig
}

/// Both partitions read and shown by this worker, revoked.
fn both_revoked() -> Rig {
    let mut rig = two(Rules::default());
    rig.assign_only(&[OWN, OTHER]);
    rig.pass(3);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(5), Some(5)));
    rig.step(Input::Revoked);
    rig.settle();
    rig
}

#[test]
fn tasks_in_memory_go_on_while_others_wait_for_the_store() {
    let mut rig = given_another(Rules::default());
    rig.pass(20);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(7), None));
    assert_eq!((rig.committed(0), rig.assigns), (Some(7), 2));
    let counts = rig.worker.tasks();
    assert_eq!((counts.serving, counts.restoring), (1, 1));
    assert_eq!(rig.worker.waits_for_store(), Some((1, "down")));
    let waits = |notice: &Notice| matches!(notice, Notice::StoreUnavailable { waits: true, .. });
    assert!(rig.told(waits) > 1, "it is said again and again");

    rig.world.store_down = false;
    rig.pass(6);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(7), Some(7)));
    assert_eq!(rig.worker.waits_for_store(), None);
    assert_eq!((rig.worker.tasks().serving, rig.assigns), (2, 3));
}

#[test]
fn tasks_that_get_ready_together_are_assigned_together() {
    let mut rig = two(Rules::default());
    rig.assign_only(&[OWN, OTHER]);
    rig.pass(3);
    let mut rig = rig.restart();
    rig.assign_only(&[OWN, OTHER]);
    rig.pass(3);
    assert_eq!((rig.assigns, rig.loads.len()), (1, 2));
}

#[test]
fn a_brand_new_task_is_committed_and_added_while_others_are_read() {
    let mut rig = two(Rules::default());
    rig.assign_only(&[OWN]);
    rig.pass(3);
    rig.step(Input::Revoked);
    rig.settle();
    rig.world.store_silent = true;
    rig.assign_only(&[OWN, OTHER]);
    rig.append_to(OWN, "order.placed", 2);
    rig.pass(5);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(7), None));
    assert!(!rig.world.committed.contains_key(&OTHER));
    rig.world.store_silent = false;
    rig.world.commits = Commits::Refused;
    rig.pass(70);
    assert_eq!(rig.orders_of(1), None, "where it begins isn't committed");
    rig.world.commits = Commits::Taken;
    rig.pass(5);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(7), Some(5)));
}

/// The commits of the tasks that are read renew the lease of all that is shown.
#[test]
fn a_view_that_was_overtaken_is_withdrawn_before_the_store_answers() {
    let mut rig = both_revoked();
    rig.append_to(OTHER, "order.placed", 3);
    rig.world
        .committed
        .get_mut(&OTHER)
        .expect("it was committed")
        .0 = 8;
    rig.world.store_silent = true;
    rig.assign_only(&[OWN, OTHER]);
    assert_eq!(rig.orders_of(1), None, "8 were published already");
    // What is in memory will do: it isn't waited for the store for ever.
    rig.pass(6);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(5), Some(8)));
}

#[test]
fn a_view_of_a_state_that_is_of_no_use_is_withdrawn_before_the_store_answers() {
    let mut rig = both_revoked();
    by_another(&mut rig, |other| {
        other.world.heads.clear();
        other.world.logs.get_mut(&OTHER).expect("it is there").start = 2;
        other.world.rebuild_start = 5;
        other.assign_only(&[OTHER]);
        other.pass(2);
        assert_eq!(other.orders_of(1), Some(0), "totals are lost");
    });
    rig.world.store_down = true;
    rig.assign_only(&[OWN, OTHER]);
    rig.pass(10);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(5), None));
    rig.world.store_down = false;
    rig.pass(6);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(5), Some(0)));
}

#[test]
fn a_share_of_which_a_part_is_read_is_committed_and_given_back() {
    let mut rig = given_another(Rules::default());
    rig.pass(3);
    rig.append_to(OWN, "order.placed", 1);
    rig.deliver();
    rig.step(Input::Revoked);
    rig.settle();
    assert_eq!((rig.released, rig.committed(0)), (2, Some(8)));
    rig.world.store_down = false;
    rig.pass(5);
    assert_eq!(rig.assigns, 2, "late answers begin nothing");
    rig.assign_only(&[OWN, OTHER]);
    rig.pass(3);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(8), Some(7)));
}

#[test]
fn a_gap_is_looked_for_in_the_store_first() {
    let mut rig = given_another(Rules::default());
    rig.pass(3);
    rig.append_to(OWN, "order.placed", 5);
    rig.world.logs.get_mut(&OWN).expect("it is there").start = 9;
    rig.pass(8);
    assert_eq!(rig.started_over, 1);
    assert_eq!(
        (rig.orders_of(0), rig.orders_of(1)),
        (None, None),
        "a snapshot may be further"
    );
    rig.world.store_down = false;
    rig.pass(6);
    assert_eq!((rig.orders_of(0), rig.orders_of(1)), (Some(10), Some(7)));
}
