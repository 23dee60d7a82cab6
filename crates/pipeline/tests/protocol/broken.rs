//! What goes wrong when a rule of the protocol is broken: the rules are needed, and seen to be.

use pipeline::Rules;
use pipeline::port::Notice;

use crate::anew::cut_behind_a_commit;
use crate::outages::given_another;
use crate::plans::orders;
use crate::recreated::live;
use crate::restarts::{crashed, lost_join};
use crate::rig::{Commits, Rig, options};
use crate::shares::{overtaken, revoked_and_lost, stopped_after_release};

fn broken(rule: impl Fn(&mut Rules)) -> Rules {
    let mut rules = Rules::default();
    rule(&mut rules);
    assert_ne!(rules, Rules::default());
    rules
}

fn reading(rules: Rules) -> Rig {
    let mut rig = Rig::with(&orders(), options(), rules);
    rig.append(0, "order.placed", 5);
    rig.assign();
    rig.pass(3);
    rig
}

#[test]
fn published_before_it_is_committed() {
    let mut rig = reading(broken(|rules| rules.publish_after_commit = false));
    rig.append(0, "order.placed", 5);
    rig.world.commits = Commits::Silent;
    rig.pass(2);
    assert_eq!((rig.orders(), rig.committed(0)), (Some(10), Some(5)));
}

#[test]
fn shown_without_a_lease() {
    let mut rig = reading(broken(|rules| rules.lease = false));
    rig.world.commits = Commits::Refused;
    rig.pass(20);
    assert_eq!(rig.orders(), Some(5));
}

#[test]
fn gone_on_from_the_committed_offsets() {
    let mut rig = crashed().restart_with(broken(|rules| rules.snapshot_offsets = false));
    rig.assign();
    rig.pass(2);
    assert_eq!(rig.orders(), Some(10), "five are missing");
}

#[test]
fn shown_before_it_is_back() {
    let mut rig = crashed().restart_with(broken(|rules| rules.wait_for_threshold = false));
    rig.world.batch = 1;
    rig.assign();
    rig.turn();
    rig.turn();
    assert!(
        rig.orders().is_some_and(|orders| orders < 15),
        "{:?}",
        rig.orders()
    );
}

#[test]
fn shown_before_it_has_caught_up() {
    let mut rig = Rig::with(
        &orders(),
        options(),
        broken(|rules| rules.catch_up_first = false),
    );
    rig.append(0, "order.placed", 50);
    rig.world.batch = 1;
    rig.assign();
    rig.pass(2);
    assert!(
        rig.orders().is_some_and(|orders| orders < 50),
        "{:?}",
        rig.orders()
    );
}

#[test]
fn gone_on_from_another_lineage() {
    let rules = broken(|rules| rules.same_lineage = false);
    let rig = revoked_and_lost(Rig::with(&orders(), options(), rules));
    assert_eq!(
        rig.orders(),
        Some(5),
        "published as 0 in the meantime: 5 are counted twice"
    );
}

#[test]
fn read_on_in_another_log() {
    let mut rig = crashed().restart_with(broken(|rules| rules.compare_records = false));
    rig.log(0).records.clear();
    rig.append(0, "order.refunded", 20);
    rig.assign();
    rig.pass(2);
    assert_eq!(
        rig.told(|notice| matches!(notice, Notice::Recreated { .. })),
        0
    );
    assert_eq!(rig.orders(), Some(10));
}

#[test]
fn gone_on_in_another_topic() {
    let rules = broken(|rules| rules.compare_topics = false);
    let mut rig = Rig::with(&orders(), options(), rules);
    live(&mut rig);
    rig.pass(3);
    assert_eq!(rig.orders(), Some(15), "ten of them are the old topic's");
}

#[test]
fn totals_zeroed_wherever_the_inputs_are() {
    let mut rig = lost_join().restart_with(broken(|rules| rules.hold_lost_totals = false));
    rig.assign();
    rig.pass(4);
    assert_eq!(rig.orders(), Some(0), "three orders are lost");
}

#[test]
fn shown_although_it_was_overtaken() {
    let rules = broken(|rules| rules.withdraw_overtaken = false);
    let rig = overtaken(Rig::with(&orders(), options(), rules));
    assert_eq!(rig.orders(), Some(7), "10 were published already");
}

#[test]
fn held_up_by_those_that_are_not_ready() {
    let mut rig = given_another(broken(|rules| rules.ready_first = false));
    rig.pass(20);
    assert_eq!(rig.orders(), None, "its lease is over");
}

#[test]
fn begun_again_without_the_answer_to_a_commit() {
    let rules = broken(|rules| rules.commit_before_anew = false);
    let rig = cut_behind_a_commit(rules);
    assert_eq!(rig.orders_of(1), None, "its view is taken for overtaken");
}

#[test]
fn shown_after_a_release_without_coming_round() {
    let rules = broken(|rules| rules.released_by_the_moment = false);
    let rig = stopped_after_release(rules);
    assert_eq!(rig.orders(), Some(5), "another may have published more");
}
